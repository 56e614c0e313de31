//! `scrutineer link receipts`: delivery receipts that belong to no text that we know of. They wait for a day for a
//! response that names their id; what stays is an SMSC's mistake, or somebody else's text under our account.

use std::process::ExitCode;

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use crate::config::Config;
use crate::domain::phone;
use crate::role::support;
use crate::store::{PgConnection, outbox_unknown};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only those of this group of links (a link without `group` is its own)
    #[arg(long)]
    group: Option<String>,
    /// Print phone numbers in full
    #[arg(long)]
    full: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let (rows, count) = store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            outbox_unknown::unmatched(conn, args.group.as_deref()).await
        })
        .await?;
    let shown = |number: &str| if args.full { number.to_owned() } else { phone::mask(number) };
    let mut lines = Vec::new();
    for row in &rows {
        let (at, number) = (row.received_at.format(&Rfc3339)?, row.phone.as_deref().map(shown));
        if args.json {
            lines.push(json!({
                "group": row.link_group, "message_id": row.message_id, "says": row.receipt, "phone": number,
                "received_at": at,
            }));
        } else {
            let number = number.as_deref().unwrap_or("-");
            println!("{at}  {}  {}  {number}  {}", row.link_group, row.receipt, row.message_id);
        }
    }
    if args.json {
        support::print_json(&json!({ "count": count, "receipts": lines }))?;
    } else {
        println!("{count} receipts of the last day belong to no text that is known");
    }
    Ok(ExitCode::SUCCESS)
}
