//! `scrutineer message trouble`: what was not understood, why, and what was answered.

use std::process::ExitCode;

use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::reread::moment;
use crate::config::Config;
use crate::domain::order::RecordKey;
use crate::domain::trouble::{TROUBLE, outcomes, reasons};
use crate::role::support;
use crate::store::election;
use crate::store::pages::trouble::{self, Filter, Row};

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these outcomes, separated by commas
    #[arg(long, value_delimiter = ',')]
    outcome: Vec<String>,
    /// Only this election's (short name), and those of none
    #[arg(long)]
    election: Option<String>,
    /// Received since then: a time (2026-11-21T06:00:00Z) or an age (90m, 6h, 2d)
    #[arg(long, value_parser = moment)]
    since: Option<OffsetDateTime>,
    /// How many, at most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let known: Vec<&'static str> = outcomes().map(|o| o.as_str()).collect();
    for word in &args.outcome {
        anyhow::ensure!(known.contains(&word.as_str()), "`{word}` is none of {}", known.join(", "));
    }
    let store = support::open_owner(config).await?;
    let election = match &args.election {
        Some(slug) => Some(election::find(&store, slug).await?.id),
        None => None,
    };
    let asked = |word: &&str| {
        if args.outcome.is_empty() { TROUBLE.contains(word) } else { args.outcome.iter().any(|o| o == word) }
    };
    let mut filter =
        Filter { outcomes: known.into_iter().filter(asked).collect(), election, since: args.since, after: None };
    let counts = trouble::counts(&store, &filter).await?;
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let (page, more) = trouble::page(&store, &filter).await?;
        rows.extend(page);
        filter.after = rows.last().map(Row::cursor);
        if !more || rows.len() >= args.limit as usize {
            break;
        }
    }
    rows.truncate(args.limit as usize);
    let key = |r: &Row| RecordKey { spool: r.spool, sequence: r.sequence.cast_unsigned() }.to_string();
    if args.json {
        let list = rows
            .iter()
            .map(|r| {
                Ok(json!({
                    "message": key(r), "spool": r.spool, "sequence": r.sequence, "received_at": r.received.at.format(&Rfc3339)?,
                    "phone": r.phone, "text": r.text_read(), "outcome": r.outcome, "why": reasons(r.outcome, r.reading.as_ref()),
                    "election": r.election, "observer": r.observer, "readings": r.readings,
                    "reply": r.reply.as_ref().map(|(text, _)| text), "reply_state": r.reply.as_ref().map(|(_, state)| state),
                }))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let counts: serde_json::Map<_, _> = counts.iter().map(|(o, n)| (o.as_str().to_owned(), json!(n))).collect();
        support::print_json(&json!({"counts": counts, "messages": list}))?;
        return Ok(ExitCode::SUCCESS);
    }
    for r in &rows {
        let text = r.text_read().map_or("(no text)", String::as_str).replace('\n', " ");
        println!("{} {} {} {}: {text}", key(r), r.received.at.format(&Rfc3339)?, r.phone, r.outcome);
        for why in reasons(r.outcome, r.reading.as_ref()) {
            println!("    {why}");
        }
        if let Some((reply, state)) = &r.reply {
            println!("    answered ({state}): {reply}");
        }
    }
    let counts: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    println!("{}", if counts.is_empty() { "nothing is there".to_owned() } else { counts.join(", ") });
    Ok(ExitCode::SUCCESS)
}
