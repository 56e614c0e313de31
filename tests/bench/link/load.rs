//! The load: our simulated SMSC in this process, the same for both sides, and a reader of what our
//! gateway stores.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use scrutineer::smsc::{self, Options, Outgoing, Report};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::support::handoff::Client;

/// `deliver_sm` ahead of their responses.
pub const WINDOW: usize = 50;
/// Phones that text.
const PHONES: u64 = 5_000;

/// The SMSC, listening.
#[derive(Debug)]
pub struct Load {
    /// Port on 127.0.0.1.
    pub port: u16,
    listener: TcpListener,
}

impl Load {
    /// On a port of its own.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { port: listener.local_addr().unwrap().port(), listener }
    }

    /// Delivers for so long to whom binds.
    pub async fn run(self, length: Duration) -> Report {
        let mut begun: Option<Instant> = None;
        let source = (0u64..).map_while(move |number| {
            let begun = *begun.get_or_insert_with(Instant::now);
            (begun.elapsed() < length).then(|| text(number))
        });
        let options = Options { window: WINDOW, wait: Duration::from_secs(20), ..Options::default() };
        let report = smsc::run(self.listener, options, source, CancellationToken::new(), |_| {}).await.unwrap();
        assert_eq!((report.acknowledged, report.refused), (report.sent, 0), "{report:?}");
        report
    }
}

/// A checklist report of eleven answers.
fn text(number: u64) -> Outgoing {
    let (station, n) = (100_000 + number % 5_400, number % 400);
    Outgoing {
        due: Duration::ZERO,
        phone: 355_680_000_000 + number % PHONES,
        text: format!("PS {station} AA1 BA2 CA{n} CB12 CC7 DA1 DB2 DC1 EA{n} EB3 EC1"),
        answered: false,
    }
}

/// Takes what the gateway stores, as a worker would, until it is aborted.
pub async fn read(socket: PathBuf) {
    let mut client = Client::connect(&socket).await;
    loop {
        client.record().await;
    }
}
