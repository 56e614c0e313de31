//! Several hosts on one PostgreSQL, and what an SMSC may deliver more than once or to more than one of
//! them: real gateways and workers, each host with a spool of its own.

mod corrections;
mod redelivery;
mod segments;
mod takeover;

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use super::support::peer::Peer;
use super::support::pg::Database;
use super::support::process::Process;
use super::support::site::Site;
use super::support::within;

/// How long anything may take on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// A host: gateway and worker with a spool of their own.
struct Host {
    site: Site,
    gateway: Process,
    worker: Process,
}

impl Host {
    async fn start(site: Site) -> Self {
        let (gateway, worker) = (site.start("gateway").await, site.start("worker").await);
        Self { site, gateway, worker }
    }
}

/// A host's files, with a link to an SMSC.
fn site(database: &Database, peer: &Peer, keys: &str) -> Site {
    Site::new(database).link_with("smsc", peer.port, &format!("reconnect_seconds_max = 1\n{keys}"))
}

async fn number(database: &Database, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(&mut database.admin().await).await.unwrap().get(0)
}

async fn until(database: &Database, sql: &str, wanted: i64) {
    within(LONG, &format!("{sql}: {wanted}"), async {
        while number(database, sql).await != wanted {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// An observer's submissions of a checklist: answers and revisions.
async fn submissions(database: &Database, prefix: &str, code: &str) -> Vec<(Value, i32)> {
    let sql = "SELECT s.answers::text, s.revisions FROM submission s JOIN observer o ON o.id = s.observer_id
               WHERE s.prefix = $1 AND o.code = $2 ORDER BY s.first_received_at";
    let rows = sqlx::query(sql).bind(prefix).bind(code).fetch_all(&mut database.admin().await).await.unwrap();
    rows.iter().map(|row| (serde_json::from_str(row.get(0)).unwrap(), row.get(1))).collect()
}

/// Texts that the SMSC was given for a phone.
fn answers(peer: &Peer, phone: &str) -> usize {
    peer.journal().iter().filter(|e| e["event"] == "submit" && e["destination"] == json!(phone)).count()
}
