//! `scrutineer election`: create, open, close, list and show elections.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::config::{Config, Part};
use crate::role::support;
use crate::store::election::{self, ElectionRow, NewElection};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make an election; it takes reports once it is opened
    Create {
        /// Short name in commands and addresses: lower case, digits, dashes
        #[arg(value_parser = slug)]
        slug: String,
        /// Its name in full
        #[arg(long)]
        name: String,
        /// Time zone of its pages, for example Africa/Nairobi
        #[arg(long, default_value = "UTC")]
        timezone: String,
        /// Language of replies to observers whose language is not known
        #[arg(long, default_value = "en", value_parser = language)]
        language: String,
        /// The sender's phone identifies the observer when the text has no observer code
        #[arg(long)]
        phone_identifies: bool,
        /// Replies an hour to one phone; past it messages are recorded and not answered
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(i32).range(0..=100_000))]
        replies_per_hour: i32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take reports from now on
    Open {
        /// Short name
        slug: String,
        /// Open a closed election again, as if it had never been closed
        #[arg(long)]
        reopen: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Refuse what is received from now on; what was received before still counts
    Close {
        /// Short name
        slug: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the elections
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an election and how much it holds
    Show {
        /// Short name
        slug: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A short name as the database takes it.
fn slug(text: &str) -> Result<String, String> {
    let sound = (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if sound { Ok(text.to_owned()) } else { Err("use lower case letters, digits and dashes, at most 63".to_owned()) }
}

/// A language code such as `en` or `pt-BR`.
pub(super) fn language(text: &str) -> Result<String, String> {
    let (base, rest) = text.split_once(['-', '_']).unwrap_or((text, ""));
    let sound = (2..=3).contains(&base.len())
        && base.bytes().all(|b| b.is_ascii_alphabetic())
        && rest.len() <= 8
        && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    if sound {
        Ok(text.to_lowercase().replace('_', "-"))
    } else {
        Err("use a language code such as en or fr".to_owned())
    }
}

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run(&config, args.command).await)
}

async fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    match command {
        Command::Create { slug, name, timezone, language, phone_identifies, replies_per_hour, json } => {
            let new = NewElection {
                slug: &slug,
                name: name.trim(),
                timezone: &timezone,
                language: &language,
                phone_identifies,
                replies_per_hour,
            };
            anyhow::ensure!(!new.name.is_empty(), "--name is empty; give the election its name");
            election::create(&store, &new).await?;
            say(json, "created, in draft", &election::find(&store, &slug).await?)
        }
        Command::Open { slug, reopen, json } => say(json, "open", &election::open(&store, &slug, reopen).await?),
        Command::Close { slug, json } => say(json, "closed", &election::close(&store, &slug).await?),
        Command::List { json: true } => {
            support::print_json(&election::list(&store).await?)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::List { json: false } => {
            for row in election::list(&store).await? {
                println!("{:<24} {:<9} {}", row.slug, row.state, row.name);
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { slug, json } => {
            let row = election::find(&store, &slug).await?;
            let counts = election::counts(&store, row.id).await?;
            if json {
                support::print_json(&json!({"election": row, "counts": counts}))?;
                return Ok(ExitCode::SUCCESS);
            }
            println!("{} ({}), {}", row.name, row.slug, row.state);
            let time = |t: Option<time::OffsetDateTime>| t.map_or("not yet".to_owned(), |t| t.to_string());
            println!("opened {}, closed {}, times in {}", time(row.opened_at), time(row.closed_at), row.timezone);
            println!("language {}, {} replies an hour to one phone", row.language, row.replies_per_hour);
            println!("{} locations, {} of them stations", counts.locations, counts.stations);
            println!(
                "{} observers, {} with a phone, {} with a station",
                counts.observers, counts.observers_with_phone, counts.observers_with_station
            );
            println!(
                "{} checklists, {} messages, {} submissions",
                counts.checklists, counts.messages, counts.submissions
            );
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn say(json: bool, done: &str, row: &ElectionRow) -> anyhow::Result<ExitCode> {
    if json {
        support::print_json(row)?;
    } else {
        println!("election {}: {done}", row.slug);
    }
    Ok(ExitCode::SUCCESS)
}
