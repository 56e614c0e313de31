//! A browser that keeps its connection, and many of them at once: as fast as they are answered, or so
//! many requests a second, each timed from the moment at which it was due.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Where to, and as whom.
#[derive(Debug, Clone)]
pub struct Visitor {
    address: SocketAddr,
    /// `name=value` of the session.
    cookie: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// One kept connection.
#[derive(Debug)]
pub struct Connection {
    visitor: Visitor,
    sender: SendRequest<Full<Bytes>>,
}

/// How long a run of requests took, each.
#[derive(Debug, Default)]
pub struct Times {
    sorted: Vec<Duration>,
    /// Answers that were not 200.
    pub bad: usize,
    /// First request to last answer.
    pub whole: Duration,
}

impl Visitor {
    /// Signs in.
    pub async fn sign_in(address: SocketAddr, name: &str, password: &str) -> Self {
        let mut connection = Self { address, cookie: String::new() }.connect().await.unwrap();
        let encoded: String = password.bytes().map(|b| format!("%{b:02X}")).collect();
        let request = Request::post("/sign-in")
            .header("host", address.to_string())
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(format!("name={name}&password={encoded}"))))
            .unwrap();
        let answer = connection.sender.send_request(request).await.unwrap();
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|v| v.to_str().ok()?.split(';').next());
        let cookie = cookies.collect::<Vec<_>>().join("; ");
        assert!(!cookie.is_empty(), "signed in: {}", answer.status());
        Self { address, cookie }
    }

    /// A connection of its own.
    pub async fn connect(&self) -> std::io::Result<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(Connection { visitor: self.clone(), sender })
    }

    /// One page on a connection of its own.
    pub async fn get(&self, path: &str) -> Answer {
        self.connect().await.unwrap().get(path, &[]).await.unwrap()
    }

    /// As many requests as `connections` get answered within the time.
    pub async fn flat_out(&self, path: &str, connections: usize, time: Duration) -> Times {
        let until = Instant::now() + time;
        self.run(connections, path, move |_, _| (Instant::now() < until).then(Instant::now)).await
    }

    /// So many requests a second; a request's time runs from when it was due, so that a slow answer is
    /// held against those that waited behind it too.
    pub async fn paced(&self, path: &str, connections: usize, rate: f64, time: Duration) -> Times {
        let begun = Instant::now() + Duration::from_millis(50);
        let pause = Duration::from_secs_f64(1.0 / rate);
        self.run(connections, path, move |connection, round| {
            let due = begun + pause * u32::try_from(round * connections + connection).unwrap();
            (due < begun + time).then_some(due)
        })
        .await
    }

    async fn run<F>(&self, connections: usize, path: &str, due: F) -> Times
    where
        F: Fn(usize, usize) -> Option<Instant> + Send + Sync + 'static,
    {
        let due = Arc::new(due);
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for number in 0..connections {
            let (due, path) = (due.clone(), path.to_owned());
            let mut connection = self.connect().await.unwrap();
            tasks.push(tokio::spawn(async move {
                let (mut times, mut bad) = (Vec::new(), 0);
                while let Some(at) = due(number, times.len()) {
                    tokio::time::sleep_until(at.into()).await;
                    let answer = connection.get(&path, &[("accept-encoding", "gzip")]).await;
                    bad += usize::from(!answer.is_ok_and(|answer| answer.status == 200));
                    times.push(at.elapsed());
                }
                (times, bad)
            }));
        }
        let mut all = Times::default();
        for task in tasks {
            let (times, bad) = task.await.unwrap();
            all.sorted.extend(times);
            all.bad += bad;
        }
        all.sorted.sort_unstable();
        all.whole = begun.elapsed();
        all
    }
}

impl Connection {
    /// A page, whole.
    pub async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, hyper::Error> {
        let (parts, body) = self.begin(path, headers).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer { status: parts.status.as_u16(), body })
    }

    /// A page of which only the head has come.
    pub async fn begin(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Response<Incoming>, hyper::Error> {
        self.sender.ready().await?;
        let mut request = Request::get(path).header("host", self.visitor.address.to_string());
        if !self.visitor.cookie.is_empty() {
            request = request.header("cookie", &self.visitor.cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.send_request(request.body(Full::default()).unwrap()).await
    }
}

impl Times {
    /// Adds one.
    pub fn push(&mut self, time: Duration) {
        let at = self.sorted.partition_point(|t| *t < time);
        self.sorted.insert(at, time);
    }

    /// A quantile, from 0 to 1, in milliseconds.
    pub fn ms(&self, quantile: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1);
        let at = (quantile * last as f64).round() as usize;
        self.sorted.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.sorted.len() as f64 / self.whole.as_secs_f64()
    }
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Addresses that the page names in this attribute.
    pub fn named(&self, attribute: &str) -> Vec<String> {
        let begin = format!("{attribute}=\"");
        let text = self.text();
        let found = text.split(&begin).skip(1).filter_map(|rest| rest.split('"').next());
        found.map(|address| address.replace("&#38;", "&").replace("&amp;", "&")).collect()
    }
}
