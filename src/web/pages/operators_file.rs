//! What machines said, as files: links, gateways and workers, and when each host's messages last reached the
//! database.

use axum::extract::State;
use axum::response::Response;

use super::operators::{is_old, links_of, number, waiting};
use crate::store::host_status;
use crate::store::pages::state;
use crate::web::App;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};

/// `GET /operators/links.csv`, `.json`
pub(in crate::web) async fn links(State(app): State<App>, form: Form) -> Result<Response, PageError> {
    let hosts = host_status::list(app.store()).await?;
    let columns = ["link", "group", "host", "bound", "said_seconds_ago", "old"];
    export::whole(&app, Table::new(form, &["links"], columns), |sheet| {
        for l in hosts.iter().filter(|row| row.part == "gateway").flat_map(links_of) {
            sheet.row([
                l.name.into(),
                l.group.into(),
                l.host.into(),
                l.bound.into(),
                l.age_seconds.into(),
                l.old.into(),
            ]);
        }
    })
}

/// `GET /operators/gateways.csv`, `.json`
pub(in crate::web) async fn gateways(State(app): State<App>, form: Form) -> Result<Response, PageError> {
    let hosts = host_status::list(app.store()).await?;
    let columns = [
        "host",
        "records_waiting",
        "spool_bytes",
        "spool_bytes_max",
        "replies_waiting",
        "memory_bytes",
        "memory_cap_bytes",
        "up_seconds",
        "said_seconds_ago",
        "old",
    ];
    export::whole(&app, Table::new(form, &["gateways"], columns), |sheet| {
        for row in hosts.iter().filter(|row| row.part == "gateway") {
            sheet.row([
                (&row.host).into(),
                waiting(row).into(),
                number(row, "/vitals/spool_bytes").into(),
                number(row, "/vitals/spool_bytes_max").into(),
                number(row, "/vitals/submits_waiting").into(),
                number(row, "/vitals/memory_bytes").into(),
                number(row, "/vitals/memory_cap_bytes").into(),
                number(row, "/vitals/up_seconds").into(),
                row.age_seconds.into(),
                is_old(row).into(),
            ]);
        }
    })
}

/// `GET /operators/workers.csv`, `.json`
pub(in crate::web) async fn workers(State(app): State<App>, form: Form) -> Result<Response, PageError> {
    let hosts = host_status::list(app.store()).await?;
    let columns = [
        "host",
        "lanes",
        "connections",
        "connections_idle",
        "memory_bytes",
        "memory_cap_bytes",
        "up_seconds",
        "said_seconds_ago",
        "old",
    ];
    export::whole(&app, Table::new(form, &["workers"], columns), |sheet| {
        for row in hosts.iter().filter(|row| row.part == "worker") {
            sheet.row([
                (&row.host).into(),
                number(row, "/lanes").into(),
                number(row, "/connections").into(),
                number(row, "/connections_idle").into(),
                number(row, "/memory_bytes").into(),
                number(row, "/memory_cap_bytes").into(),
                number(row, "/up_seconds").into(),
                row.age_seconds.into(),
                is_old(row).into(),
            ]);
        }
    })
}

/// `GET /status/hosts.csv`, `.json`
pub(in crate::web) async fn committed(State(app): State<App>, form: Form) -> Result<Response, PageError> {
    let activity = state::activity(app.store()).await?;
    export::whole(&app, Table::new(form, &["hosts"], ["host", "last_committed"]), |sheet| {
        for (host, at) in &activity.spools {
            sheet.row([host.into(), (*at).into()]);
        }
    })
}
