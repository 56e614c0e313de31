//! `scrutineer link`: see and steer the links of the gateway that runs, over its local socket.

mod dead_letters;
mod receipts;
mod show;
mod socket;
mod trace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use serde_json::json;

use crate::config::{Config, EXIT_CONFIG, Part};
use crate::limits::TRACE_SECONDS_MAX;
use crate::role::gateway::speech::{Answer, BindView, Changes, Request};
use crate::role::support;
use socket::Socket;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The gateway's socket for administration, where it is not the one of the configuration
    #[arg(long, global = true)]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// How each bind of each link fares, a line each
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// All that is known of one link's binds
    Show {
        /// Name of the link
        link: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Unbind a link now, so that the SMSC stores; until it is resumed, or the gateway starts anew
    Pause {
        /// Name of the link
        link: String,
    },
    /// Bind a link that was paused or drained
    Resume {
        /// Name of the link
        link: String,
    },
    /// Submit no more by a link, wait for the responses, then unbind it as `pause` does
    Drain {
        /// Name of the link
        link: String,
    },
    /// Read the configuration again: links are added, changed and dropped, the others go on. One that is wrong
    /// changes nothing (exit status 78)
    Reload {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// PDUs whose body could not be decoded, with their bytes; they were kept, and can be decoded again
    #[command(after_help = "Begin with --decode-again --preview; `scrutineer worker` must run for what follows.")]
    DeadLetters(dead_letters::Args),
    /// Delivery receipts of the last day that belong to no text that is known
    Receipts(receipts::Args),
    /// Print what goes over a link's wire, decoded and as hex; phone numbers and texts hidden, passwords always
    Trace {
        /// Name of the link
        link: String,
        /// For how long
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=i64::from(TRACE_SECONDS_MAX)))]
        seconds: u32,
        /// Print phone numbers and texts in full (root only)
        #[arg(long)]
        full: bool,
        /// Print a line of JSON for each PDU
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    if let Command::DeadLetters(args) = args.command {
        return support::run_command(config, Part::Owner, async move |config| dead_letters::run(&config, args).await);
    }
    if let Command::Receipts(args) = args.command {
        return support::run_command(config, Part::Owner, async move |config| receipts::run(&config, args).await);
    }
    let socket = match &args.socket {
        Some(socket) => socket.clone(),
        None => match Config::load(config) {
            Ok(config) => config.gateway.admin(),
            Err(error) => return support::report(&error.into()),
        },
    };
    support::block_on(async move || run(&socket, args.command).await)
}

async fn run(path: &Path, command: Command) -> anyhow::Result<ExitCode> {
    let mut socket = Socket::connect(path).await?;
    match command {
        Command::List { json } => {
            let binds = list(&mut socket).await?;
            if json { support::print_json(&binds)? } else { show::table(&binds) }
        }
        Command::Show { link, json } => {
            let mut binds = list(&mut socket).await?;
            binds.retain(|bind| bind.link == link);
            if binds.is_empty() {
                bail!("no link is called `{link}`; see `scrutineer link list`");
            }
            if json { support::print_json(&binds)? } else { binds.iter().for_each(show::one) }
        }
        Command::Pause { link } => {
            return done(socket.ask(&Request::Pause { link: link.clone() }).await?, || {
                println!("{link} is unbound until `scrutineer link resume {link}`, or the gateway starts anew");
            });
        }
        Command::Resume { link } => {
            return done(socket.ask(&Request::Resume { link: link.clone() }).await?, || {
                println!("{link} binds");
            });
        }
        Command::Drain { link } => {
            return done(socket.ask(&Request::Drain { link: link.clone() }).await?, || {
                println!(
                    "{link} submits no more, and is unbound when all is answered; see `scrutineer link show {link}`"
                );
            });
        }
        Command::Reload { json } => match socket.ask(&Request::Reload).await? {
            Answer::Reloaded(changes) if json => support::print_json(&changes)?,
            Answer::Reloaded(changes) => reloaded(&changes),
            Answer::Failed { why, configuration } if json => {
                support::print_json(&json!({"ok": false, "why": why}))?;
                return Ok(if configuration { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE });
            }
            other => return done(other, || {}),
        },
        // Those lie in PostgreSQL, and were told above.
        Command::DeadLetters(_) | Command::Receipts(_) => {}
        Command::Trace { link, seconds, full, json } => {
            return trace::run(socket, Request::Trace { link, seconds, full }, json).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(socket: &mut Socket) -> anyhow::Result<Vec<BindView>> {
    match socket.ask(&Request::List).await? {
        Answer::Links { binds } => Ok(binds),
        Answer::Failed { why, .. } => bail!("{}", why.join("\n")),
        other => bail!("the gateway answered {other:?}"),
    }
}

/// What came of a request.
fn done(answer: Answer, said: impl FnOnce()) -> anyhow::Result<ExitCode> {
    match answer {
        Answer::Done => {
            said();
            Ok(ExitCode::SUCCESS)
        }
        Answer::Failed { why, configuration } => {
            for why in why {
                eprintln!("scrutineer: {why}");
            }
            Ok(if configuration { ExitCode::from(EXIT_CONFIG) } else { ExitCode::FAILURE })
        }
        other => bail!("the gateway answered {other:?}"),
    }
}

fn reloaded(changes: &Changes) {
    let Changes { added, changed, dropped, restart } = changes;
    for (what, links) in [("added", added), ("changed", changed), ("dropped", dropped)] {
        if !links.is_empty() {
            println!("{what}: {}", links.join(", "));
        }
    }
    if added.len() + changed.len() + dropped.len() == 0 {
        println!("no link changed");
    }
    if !restart.is_empty() {
        println!("these take a restart of the gateway: {}", restart.join(", "));
    }
}
