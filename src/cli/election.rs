//! `scrutineer election`: create, open, close, list and show elections.

use std::path::Path;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use serde_json::json;

use crate::archive;
use crate::cli::import::Progress;
use crate::config::{Config, Part};
use crate::domain::election::{AuthPolicy, DateOrder, Identify, Unverified};
use crate::role::support;
use crate::store::Store;
use crate::store::election::{self, Auth, ElectionRow, NewElection, Settings};

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
        /// The same as --identify either
        #[arg(long, conflicts_with = "identify")]
        phone_identifies: bool,
        #[command(flatten)]
        policy: Policy,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Change an election's settings, also while it is open
    Set {
        /// Short name
        slug: String,
        /// Language of replies to observers whose language is not known
        #[arg(long, value_parser = language)]
        language: Option<String>,
        #[command(flatten)]
        policy: Policy,
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
    /// Freeze an election's figures: its pages are served from them from then on, at no running cost.
    /// An open election is closed; one that is archived is archived anew
    Archive {
        /// Short name
        slug: String,
        /// Also while the election is open or something is not settled
        #[arg(long)]
        yes: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Bring an archived election back: it is closed then, as it was before
    Unarchive {
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

/// How reports are taken.
#[derive(Debug, clap::Args)]
struct Policy {
    /// What tells who reports: code (the observer code in the text), phone, either (the code, else the
    /// phone), both (code and phone must agree); code by default
    #[arg(long, value_parser = word(&Identify::ALL, Identify::as_str))]
    identify: Option<String>,
    /// What is done with a report whose phone isn't the observer's: accept (and note it), refuse, hold
    /// (until staff let it pass); accept by default
    #[arg(long, value_parser = word(&Unverified::ALL, Unverified::as_str))]
    unverified: Option<String>,
    /// Who must send an authentication code after the observer code (`PS 123456*4711 AA1`): off, required
    /// (everybody), unknown_phones (who reports from a phone that isn't the observer's: the code then takes
    /// its place); off by default
    #[arg(long, value_parser = word(&AuthPolicy::ALL, AuthPolicy::as_str))]
    auth_code: Option<String>,
    /// Wrong codes, of one phone or for one observer from phones not theirs, that lock; 5 by default
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..=20))]
    auth_failures: Option<i16>,
    /// Minutes within which they count and for which they lock, 60 by default
    #[arg(long, value_parser = clap::value_parser!(i16).range(1..=1440))]
    auth_lockout_minutes: Option<i16>,
    /// How dates such as 3/4/2026 are written: day_month (by default) or month_day
    #[arg(long, value_parser = ["day_month", "month_day"])]
    date_order: Option<String>,
    /// Answer to HELP, in every language, or in one as LANGUAGE=TEXT; may be repeated, and "" is the built-in one
    #[arg(long = "help-text", value_name = "TEXT")]
    help_text: Vec<String>,
    /// Replies an hour to one phone, 60 by default; past it messages are recorded and not answered
    #[arg(long, value_parser = clap::value_parser!(i32).range(0..=100_000))]
    replies_per_hour: Option<i32>,
}

impl Policy {
    fn settings(&self, language: Option<String>) -> anyhow::Result<Settings> {
        Ok(Settings {
            language,
            identify: self.identify.as_deref().and_then(Identify::from_word),
            unverified: self.unverified.as_deref().and_then(Unverified::from_word),
            date_order: self.date_order.as_deref().and_then(DateOrder::from_word),
            help: help(&self.help_text)?,
            replies_per_hour: self.replies_per_hour,
            auth: Auth {
                policy: self.auth_code.as_deref().and_then(AuthPolicy::from_word),
                failures: self.auth_failures,
                lockout_minutes: self.auth_lockout_minutes,
            },
        })
    }
}

pub(super) fn word<T: Copy, const N: usize>(all: &[T; N], name: fn(T) -> &'static str) -> PossibleValuesParser {
    PossibleValuesParser::new(all.map(name))
}

/// The answer to HELP as it is stored; JSON null for the built-in one.
fn help(texts: &[String]) -> anyhow::Result<Option<serde_json::Value>> {
    let mut by_language = serde_json::Map::new();
    for text in texts {
        match text.split_once('=').and_then(|(code, text)| Some((language(code).ok()?, text))) {
            Some((language, text)) => {
                by_language.insert(language, text.trim().into());
            }
            None if texts.len() > 1 => {
                anyhow::bail!("--help-text `{text}`: write LANGUAGE=TEXT where there are several")
            }
            None if text.is_empty() => return Ok(Some(serde_json::Value::Null)),
            None => return Ok(Some(text.trim().into())),
        }
    }
    Ok((!by_language.is_empty()).then_some(by_language.into()))
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
        Command::Create { slug, name, timezone, language, phone_identifies, policy, json } => {
            let set = policy.settings(None)?;
            let new = NewElection {
                slug: &slug,
                name: name.trim(),
                timezone: &timezone,
                language: &language,
                identify: set.identify.unwrap_or(if phone_identifies { Identify::Either } else { Identify::Code }),
                unverified: set.unverified.unwrap_or_default(),
                date_order: set.date_order.unwrap_or_default(),
                help: set.help.filter(|h| !h.is_null()),
                replies_per_hour: set.replies_per_hour.unwrap_or(60),
                auth: set.auth,
            };
            anyhow::ensure!(!new.name.is_empty(), "--name is empty; give the election its name");
            election::create(&store, &new).await?;
            say(json, "created, in draft", &election::find(&store, &slug).await?)
        }
        Command::Set { slug, language, policy, json } => {
            say(json, "changed", &election::set(&store, &slug, &policy.settings(language)?).await?)
        }
        Command::Open { slug, reopen, json } => say(json, "open", &election::open(&store, &slug, reopen).await?),
        Command::Close { slug, json } => say(json, "closed", &election::close(&store, &slug).await?),
        Command::Archive { slug, yes, json } => archive(&store, &slug, yes, json).await,
        Command::Unarchive { slug, json } => {
            let row = election::find(&store, &slug).await?;
            anyhow::ensure!(
                crate::store::archive::bring_back(&store, row.id).await?,
                "election `{slug}` is {}, not archived",
                row.state
            );
            say(json, "closed, no longer archived", &election::find(&store, &slug).await?)
        }
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
            println!(
                "identified by {}, an unverified phone: {}, dates {}",
                row.identify, row.unverified, row.date_order
            );
            if row.auth_code != AuthPolicy::Off.as_str() {
                println!(
                    "authentication code {}, set for {} of {} observers; {} wrong ones lock for {} minutes",
                    row.auth_code,
                    counts.observers_with_auth_code,
                    counts.observers,
                    row.auth_failures,
                    row.auth_lockout_minutes
                );
            }
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

async fn archive(store: &Store, slug: &str, yes: bool, json: bool) -> anyhow::Result<ExitCode> {
    let progress = Progress::start(0, json);
    let done = archive::freeze(store, slug, yes, &|done, all| progress.reached(done, all)).await;
    drop(progress);
    let done = done?;
    if json {
        support::print_json(&done)?;
    } else {
        println!(
            "election {slug}: archived as version {}, {} sets of figures and {} submissions",
            done.version, done.figures, done.submissions
        );
    }
    Ok(ExitCode::SUCCESS)
}
