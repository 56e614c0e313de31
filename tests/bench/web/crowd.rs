//! Ten thousand connections at once, each of which begins a request and never ends it: the excess is to
//! be refused, and a person who is signed in served all the while.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::figures::Figures;
use super::load::{Times, Visitor};

/// Connections that are offered.
const CROWD: usize = 10_000;
/// Descriptors that this takes.
const FILES: u64 = CROWD as u64 + 1_000;
/// How long one may take to be opened.
const PATIENCE: Duration = Duration::from_secs(5);
/// A person's page, milliseconds.
const SERVED_MS: f64 = 1_000.0;

/// Offers them.
pub async fn offer(visitor: &Visitor, address: SocketAddr, figures: &mut Figures) {
    let what = "10,000 connections offered";
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < FILES) {
        figures.skipped(what, "fewer descriptors may be open here");
        return;
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum: limit.maximum }).unwrap();
    let mut kept = visitor.connect().await.unwrap();
    kept.get("/elections", &[]).await.unwrap();

    let begun = Instant::now();
    let mut tasks = Vec::with_capacity(CROWD);
    for _ in 0..CROWD {
        tasks.push(tokio::spawn(async move {
            let mut stream = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await.ok()?.ok()?;
            stream.write_all(b"GET /elections HTTP/1.1\r\nHost: x\r\n").await.ok()?;
            Some(stream)
        }));
        // As a crowd comes, not as one burst that only the kernel sees.
        if tasks.len().is_multiple_of(100) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let asking = visitor.clone();
    let person = tokio::spawn(async move {
        let mut times = Times::default();
        for _ in 0..10 {
            let begun = Instant::now();
            // As a browser does when a connection that it kept has ended meanwhile: it makes another.
            let again = async {
                if let Ok(answer) = kept.get("/elections", &[]).await {
                    return Some(answer);
                }
                kept = asking.connect().await.ok()?;
                kept.get("/elections", &[]).await.ok()
            };
            match tokio::time::timeout(PATIENCE, again).await {
                Ok(Some(answer)) if answer.status == 200 => times.push(begun.elapsed()),
                _ => times.bad += 1,
            }
            let begun = Instant::now();
            let anew = async { asking.connect().await.ok()?.get("/elections", &[]).await.ok() };
            match tokio::time::timeout(PATIENCE, anew).await {
                Ok(Some(answer)) if answer.status == 200 => times.push(begun.elapsed()),
                _ => times.bad += 1,
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        times
    });
    let mut open = Vec::new();
    for task in tasks {
        open.extend(task.await.unwrap());
    }
    let offered = begun.elapsed();
    let times = person.await.unwrap();
    // Those that were refused have ended: a read says so at once.
    let mut ended = CROWD - open.len();
    for stream in &mut open {
        let mut byte = [0; 1];
        ended += usize::from(tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await.is_ok());
    }
    let figure = format!(
        "{ended} refused or ended after {:.1} s; a person's page p50 {:.0} ms, at most {:.0} ms, {} of 20 not answered",
        offered.as_secs_f64(),
        times.ms(0.5),
        times.ms(1.0),
        times.bad
    );
    let reached = times.bad == 0 && times.ms(1.0) < SERVED_MS && ended > 0;
    figures.aimed(what, figure, "the excess refused, a signed-in person served", reached);
}
