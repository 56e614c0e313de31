//! `scrutineer message`: the log of messages, those that were not understood, and those that were set aside.

mod reread;
pub(in crate::cli) mod retry;
mod trouble;

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use crate::config::{Config, Part};
use crate::domain::order::RecordKey;
use crate::role::support;
use crate::store::election;
use crate::store::pages::{messages, set_aside};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Messages that could not be processed and were set aside, with the error
    SetAside {
        #[command(subcommand)]
        command: SetAside,
    },
    /// Process messages that were set aside again, once what was in their way is mended
    #[command(
        after_help = "The worker carries it out, through the same steps as the first time; `scrutineer worker` must run."
    )]
    Retry(retry::Args),
    /// What was not understood: why, and what was answered
    Trouble(trouble::Args),
    /// Have another text read in the place of what came, which is kept
    #[command(
        after_help = "The worker carries it out at the message's own place in the order of receipt, so that it never overwrites a newer report; `scrutineer worker` must run."
    )]
    Correct(reread::Correct),
    /// Read messages once more, after a checklist, the roster or a setting was mended
    #[command(after_help = "The worker carries it out; begin with --preview.")]
    Reread(reread::Reread),
    /// The newest messages with their replies, phones masked
    Log {
        /// Only this election's (short name)
        #[arg(long)]
        election: Option<String>,
        /// How many, at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Subcommand)]
enum SetAside {
    /// List them, the newest first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run(&config, args.command).await)
}

async fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::SetAside { command: SetAside::List { json } } => list_set_aside(config, json).await,
        Command::Retry(args) => retry::run(config, args).await,
        Command::Trouble(args) => trouble::run(config, args).await,
        Command::Correct(args) => reread::correct(config, args).await,
        Command::Reread(args) => reread::reread(config, args).await,
        Command::Log { election, limit, json } => log(config, election.as_deref(), limit as usize, json).await,
    }
}

async fn list_set_aside(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let (rows, total) = set_aside::list(&store).await?;
    if json {
        let rows = rows
            .iter()
            .map(|r| {
                Ok(json!({
                    "spool": r.spool, "sequence": r.sequence, "link": r.link, "error": r.error,
                    "received_at": r.received_at.format(&Rfc3339)?, "set_aside_at": r.set_aside_at.format(&Rfc3339)?,
                }))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        support::print_json(&json!({"total": total, "set_aside": rows}))?;
    } else {
        for r in &rows {
            let key = RecordKey { spool: r.spool, sequence: u64::try_from(r.sequence).unwrap_or(0) };
            println!("{key} received {} by {}: {}", r.received_at.format(&Rfc3339)?, r.link, r.error);
        }
        println!("{total} set aside, {} shown", rows.len());
    }
    Ok(ExitCode::SUCCESS)
}

async fn log(config: &Config, slug: Option<&str>, limit: usize, json: bool) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let election = match slug {
        Some(slug) => Some(election::find(&store, slug).await?.id),
        None => None,
    };
    let filter = messages::Filter { election, ..messages::Filter::default() };
    let mut turn = messages::Turn::First;
    let mut rows = Vec::new();
    loop {
        let messages::Page { rows: page, more, .. } = messages::page(&store, &filter, turn).await?;
        rows.extend(page);
        turn = rows.last().map_or(turn, |r| messages::Turn::After(r.cursor()));
        if !more || rows.len() >= limit {
            break;
        }
    }
    rows.truncate(limit);
    if json {
        let rows = rows
            .iter()
            .map(|r| {
                Ok(json!({
                    "spool": r.spool, "sequence": r.sequence, "received_at": r.received.at.format(&Rfc3339)?,
                    "phone": r.phone, "text": r.text, "outcome": r.outcome, "election": r.election, "observer": r.observer,
                    "redelivered": r.redelivered,
                    "reply": r.reply.as_ref().map(|(text, _)| text), "reply_state": r.reply.as_ref().map(|(_, state)| state),
                    "reply_repeated": r.repeated,
                }))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        support::print_json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    for r in &rows {
        println!(
            "{} {} {}: {}",
            r.received.at.format(&Rfc3339)?,
            r.phone,
            r.outcome,
            r.text.as_deref().unwrap_or("(no text)")
        );
        if let Some((text, state)) = &r.reply {
            match &r.repeated {
                Some(why) => println!("    {state}, perhaps more than once ({why}): {text}"),
                None => println!("    {state}: {text}"),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
