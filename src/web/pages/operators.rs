//! `/operators`: links, spools, workers, the outbox, memory against its caps, and the database. What
//! hosts said stands in the database, with its age; the dashboard asks no machine.

use axum::Extension;
use axum::extract::State;
use serde_json::Value;
use time::OffsetDateTime;

use crate::limits::{HOST_STATUS_OLD_SECONDS, HOST_STATUS_SHOWN, WEB_MEMORY_BYTES_MAX};
use crate::store::host_status::{self, Row};
use crate::store::pages::operators::{self, Depth, Server};
use crate::store::pages::state::{self, Activity};
use crate::vitals::memory::{Memory, Source};
use crate::web::auth::Who;
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::Take;
use crate::web::{App, format, text};

#[derive(askama::Template)]
#[template(path = "operators.html")]
struct Page {
    layout: Layout,
    hosts: Vec<Row>,
    database: Server,
    outbox: Vec<Depth>,
    activity: Activity,
    own: Option<Memory>,
    up_seconds: i64,
    connections: (u32, usize),
}

/// A link as its gateway said.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub(super) host: &'a str,
    pub(super) name: &'a str,
    pub(super) group: &'a str,
    pub(super) bound: bool,
    pub(super) old: bool,
    pub(super) age_seconds: i64,
}

impl Page {
    /// There may be more than are shown.
    fn is_cut(&self) -> bool {
        self.hosts.len() as i64 >= HOST_STATUS_SHOWN
    }

    fn parts(&self, part: &str) -> Vec<&Row> {
        self.hosts.iter().filter(|row| row.part == part).collect()
    }

    fn links(&self) -> Vec<Link<'_>> {
        self.hosts.iter().filter(|row| row.part == "gateway").flat_map(links_of).collect()
    }

    /// The files of one of the tables.
    fn take(&self, table: &str) -> Take {
        Take::of(table, "")
    }

    fn is_old(row: &Row) -> bool {
        is_old(row)
    }

    fn number(row: &Row, path: &str) -> i64 {
        number(row, path)
    }

    fn is(row: &Row, key: &str) -> bool {
        row.status.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    fn word<'a>(row: &'a Row, key: &str) -> &'a str {
        row.status.get(key).and_then(Value::as_str).unwrap_or("?")
    }

    fn waiting(row: &Row) -> i64 {
        waiting(row)
    }

    /// `21.4 of 48 MiB`, and how bad that is.
    fn memory(used: i64, cap: i64) -> (String, &'static str) {
        let mib = |bytes: i64| bytes as f64 / f64::from(1 << 20);
        let class = match used.saturating_mul(100) {
            _ if cap <= 0 => "quiet",
            u if u >= cap.saturating_mul(90) => "bad",
            u if u >= cap.saturating_mul(75) => "fair",
            _ => "good",
        };
        (format!("{:.1} of {:.0} MiB", mib(used), mib(cap)), class)
    }

    fn own_memory(&self) -> (String, &'static str) {
        let (used, cap) = self.own.map_or((0, 0), |m| (m.used_bytes, m.cap_bytes));
        Self::memory(i64::try_from(used).unwrap_or(0), i64::try_from(cap).unwrap_or(0))
    }

    fn bytes(bytes: i64) -> String {
        match bytes {
            0..1_048_576 => format!("{} KiB", bytes >> 10),
            1_048_576..10_737_418_240 => format!("{} MiB", format::num(bytes >> 20)),
            _ => format!("{} GiB", format::num(bytes >> 30)),
        }
    }

    fn ago(&self, at: &OffsetDateTime) -> String {
        format::age((self.database.now - *at).whole_seconds())
    }
}

/// Has the host not said anything for long?
pub(super) fn is_old(row: &Row) -> bool {
    row.age_seconds > HOST_STATUS_OLD_SECONDS
}

/// A number of what a host said.
pub(super) fn number(row: &Row, path: &str) -> i64 {
    row.status.pointer(path).and_then(Value::as_i64).unwrap_or(0)
}

/// Records that PostgreSQL has not yet confirmed.
pub(super) fn waiting(row: &Row) -> i64 {
    (number(row, "/newest") - number(row, "/committed")).max(0)
}

/// The links of a gateway.
pub(super) fn links_of(row: &Row) -> Vec<Link<'_>> {
    let links = row.status.get("links").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    links
        .iter()
        .map(|link| Link {
            host: &row.host,
            name: link.get("link").and_then(Value::as_str).unwrap_or("?"),
            group: link.get("group").and_then(Value::as_str).unwrap_or("?"),
            bound: link.get("bound").and_then(Value::as_bool).unwrap_or(false),
            old: is_old(row),
            age_seconds: row.age_seconds,
        })
        .collect()
}

/// `GET /operators`
pub(in crate::web) async fn page(State(app): State<App>, Extension(who): Extension<Who>) -> Answer {
    let hosts = host_status::list(app.store()).await?;
    let database = operators::server(app.store()).await?;
    let outbox = operators::outbox(app.store()).await?;
    let activity = state::activity(app.store()).await?;
    render(&Page {
        layout: Layout::new("Machines", Some(who)).at("operators"),
        hosts,
        database,
        outbox,
        activity,
        own: Source::find(WEB_MEMORY_BYTES_MAX as u64).look(),
        up_seconds: i64::try_from(app.0.started.elapsed().as_secs()).unwrap_or(i64::MAX),
        connections: app.store().connections(),
    })
}
