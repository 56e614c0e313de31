//! `scrutineer link dead-letters`: PDUs whose body could not be decoded, with their bytes. They were kept and
//! acknowledged; once a setting of their link (`tolerate_sm_length`) or the program is mended they are decoded
//! again, and go the way of any other message.

use std::collections::HashMap;
use std::process::ExitCode;

use bytes::BytesMut;
use serde_json::json;
use uuid::Uuid;

use crate::cli::message::retry;
use crate::config::{Config, LinkConfig};
use crate::domain::bind::link_of;
use crate::domain::order::RecordKey;
use crate::handoff::message::{Body, Record};
use crate::limits::RETRY_ALL_MAX;
use crate::role::support;
use crate::smpp::{Pdu, decode, decode_tolerant, split, trace};
use crate::store::{PgConnection, Store, set_aside};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Decode them again and have the worker process what can be decoded now
    #[arg(long)]
    decode_again: bool,
    /// With --decode-again: change nothing, tell what could be decoded
    #[arg(long, requires = "decode_again")]
    preview: bool,
    /// Only those of this link
    #[arg(long)]
    link: Option<String>,
    /// Print phone numbers and texts in full
    #[arg(long)]
    full: bool,
    /// Seconds to wait for the worker, for each
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    wait: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One PDU.
struct Letter {
    spool: Uuid,
    record: Record,
    /// The record as it is kept.
    kept: Vec<u8>,
    pdu: Vec<u8>,
    error: String,
}

impl Letter {
    fn key(&self) -> String {
        RecordKey { spool: self.spool, sequence: self.record.sequence }.to_string()
    }

    /// The whole name, as `message retry` takes it.
    fn name(&self) -> String {
        format!("{}:{}", self.spool.simple(), self.record.sequence)
    }

    /// What the program makes of it now, by the settings of its link.
    fn decoded(&self, link: Option<&LinkConfig>) -> Result<Body, String> {
        let alphabet = link.map(|link| link.default_alphabet).unwrap_or_default();
        let frame = match split(&mut BytesMut::from(&self.pdu[..])) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Err("it ends too soon".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        let tolerate = link.is_some_and(|link| link.tolerate_sm_length);
        match if tolerate { decode_tolerant(&frame) } else { decode(&frame) } {
            Ok(Pdu::DeliverSm(m) | Pdu::DataSm(m)) => Ok(m.into_body(alphabet)),
            Ok(_) => Err("it is no deliver_sm or data_sm".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Those that are set aside, the oldest first.
async fn letters(store: &Store, link: Option<&str>) -> anyhow::Result<Vec<Letter>> {
    let all = store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let mut all = Vec::new();
            for (spool, sequence) in set_aside::keys(conn, None, RETRY_ALL_MAX).await? {
                if let Some(kept) = set_aside::find(conn, spool, sequence).await?
                    && let Ok(record) = postcard::from_bytes::<Record>(&kept.record)
                    && let Body::Undecodable { pdu, error } = record.body.clone()
                {
                    all.push(Letter { spool, record, kept: kept.record, pdu, error });
                }
            }
            Ok(all)
        })
        .await?;
    Ok(all.into_iter().filter(|letter| link.is_none_or(|link| link_of(&letter.record.link) == link)).collect())
}

pub(super) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let letters = letters(&store, args.link.as_deref()).await?;
    let links: HashMap<&str, &LinkConfig> = config.link.iter().map(|link| (link.name.as_str(), link)).collect();
    let (mut lines, mut readable) = (Vec::new(), Vec::new());
    for letter in &letters {
        let link = links.get(link_of(&letter.record.link)).copied();
        let decoded = args.decode_again.then(|| letter.decoded(link));
        let mut raw = letter.pdu.clone();
        trace::mask(&mut raw, args.full);
        let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
        let at = crate::store::instant(letter.record.received_us);
        let at = at.format(&time::format_description::well_known::Rfc3339)?;
        let now = decoded.as_ref().map(|decoded| match decoded {
            Ok(_) => format!("can be decoded now: {}", trace::explain(&raw).says),
            Err(error) => format!("still cannot be decoded: {error}"),
        });
        if args.json {
            lines.push(json!({
                "message": letter.key(), "received_at": at, "link": letter.record.link, "error": letter.error,
                "pdu": hex, "decodable": decoded.as_ref().map(Result::is_ok), "says": now,
            }));
        } else {
            println!("{} received {at} by {}: {}", letter.key(), letter.record.link, letter.error);
            println!("    {hex}");
            if let Some(now) = &now {
                println!("    {now}");
            }
        }
        if let Some(Ok(body)) = decoded {
            readable.push((letter, body));
        }
    }
    if args.json {
        support::print_json(&lines)?;
    } else {
        println!("{} PDUs could not be decoded", letters.len());
    }
    let mut code = ExitCode::SUCCESS;
    if args.decode_again && !args.preview {
        for (letter, body) in readable {
            let record = Record { body, ..letter.record.clone() };
            let record = postcard::to_stdvec(&record)?;
            let sequence = letter.record.sequence.cast_signed();
            let replaced = store
                .with_tx(store.deadline(), async |conn: &mut PgConnection| {
                    set_aside::replace(conn, letter.spool, sequence, &letter.kept, &record).await
                })
                .await?;
            // Another one was faster.
            if replaced {
                let done = retry::again(config, letter.name(), args.wait, args.json).await?;
                if done != ExitCode::SUCCESS {
                    code = done;
                }
            }
        }
    }
    Ok(code)
}
