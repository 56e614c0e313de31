//! A browser, as small as it can be: requests with a cookie jar of one.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;

use crate::support::soon;

/// A browser with at most one cookie, which follows no redirect by itself.
#[derive(Debug, Clone)]
pub struct Browser {
    address: SocketAddr,
    /// `name=value`, when it has one.
    pub cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
    /// Empty when it is no UTF-8.
    pub body: String,
}

impl Answer {
    /// A header, or "".
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    /// Where the links of this relation, or within this text, lead.
    pub fn links(&self, begin: &str) -> Vec<String> {
        self.body
            .split("href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|href| href.starts_with(begin))
            .map(|href| href.replace("&#38;", "&").replace("&amp;", "&"))
            .collect()
    }

    /// The link to the next page.
    pub fn next(&self) -> Option<String> {
        self.link("next")
    }

    /// The link of this relation (`next`, `prev`, `first`).
    pub fn link(&self, rel: &str) -> Option<String> {
        let end = format!(" rel=\"{rel}\"");
        let before = self.body.split(&end).next().filter(|before| before.len() < self.body.len())?;
        let href = before.rsplit("href=\"").next()?.trim_end_matches('"');
        Some(href.replace("&#38;", "&").replace("&amp;", "&"))
    }
}

impl Browser {
    /// The dashboard listens at another address now.
    pub fn moved(&mut self, address: SocketAddr) {
        self.address = address;
    }

    pub fn new(address: SocketAddr) -> Self {
        Self { address, cookie: None }
    }

    /// A page.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], String::new()).await
    }

    /// A form, sent from a page of the site itself.
    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_with(path, form, &[("sec-fetch-site", "same-origin")]).await
    }

    /// A form with headers of the test's own.
    pub async fn post_with(&mut self, path: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body = form.iter().map(|(n, v)| format!("{n}={}", encode(v))).collect::<Vec<_>>().join("&");
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send("POST", path, &all, body).await
    }

    pub async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        self.post("/sign-in", &[("name", name), ("password", password)]).await
    }

    /// Any request, on a connection of its own.
    pub async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let work = async {
            let stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let mut request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(cookie) = &self.cookie {
                request = request.header("cookie", cookie);
            }
            let response = sender.send_request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
            let (parts, body) = response.into_parts();
            (parts, body.collect().await.unwrap().to_bytes())
        };
        let (parts, bytes) = soon("an answer", work).await;
        if let Some(set) = parts.headers.get("set-cookie").and_then(|v| v.to_str().ok()) {
            let pair = set.split(';').next().unwrap_or_default();
            self.cookie = Some(pair.to_owned()).filter(|p| !p.ends_with('='));
        }
        let body = String::from_utf8(bytes.to_vec()).unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes, body }
    }
}

fn encode(value: &str) -> String {
    value
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
