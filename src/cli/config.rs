//! `scrutineer config`: says what is wrong with the configuration, or shows what is in force.

use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use crate::config::{Config, EXIT_CONFIG, Part, Problem};
use crate::intake::decide::Longest;
use crate::role::{gateway, support, worker};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check the configuration; everything that is wrong is named with its line (exit status 78)
    Check {
        /// Demand too what this process needs: its password files, the gateway's links
        #[arg(long = "for")]
        part: Option<PartName>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the configuration in force, defaults and overrides included, secrets hidden
    Show {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PartName {
    Gateway,
    Worker,
    Web,
    Owner,
}

impl PartName {
    fn part(self) -> Part {
        match self {
            Self::Gateway => Part::Gateway,
            Self::Worker => Part::Worker,
            Self::Web => Part::Web,
            Self::Owner => Part::Owner,
        }
    }
}

/// Runs the command.
pub fn main(path: &Path, args: Args) -> ExitCode {
    let done = match args.command {
        Command::Check { part, json } => check(path, part, json),
        Command::Show { json } => show(path, json),
    };
    done.unwrap_or_else(|error| support::report(&error))
}

fn check(path: &Path, part: Option<PartName>, json: bool) -> anyhow::Result<ExitCode> {
    let loaded = match part {
        Some(PartName::Gateway) => gateway::load(path),
        Some(part) => Config::load_for(path, part.part()),
        None => Config::load(path),
    };
    let (errors, warnings): (Vec<Problem>, Vec<Problem>) = match loaded {
        Ok(config) => {
            let (wrong, long) = replies(path, &config);
            (wrong, config.warnings.into_iter().chain(long).collect())
        }
        Err(error) => (error.problems, Vec::new()),
    };
    if json {
        support::print_json(&json!({"ok": errors.is_empty(), "errors": errors, "warnings": warnings}))?;
    } else {
        for error in &errors {
            eprintln!("scrutineer: {error}");
        }
        for warning in &warnings {
            eprintln!("scrutineer: warning: {warning}");
        }
        if errors.is_empty() {
            println!("{}: sound", path.display());
        }
    }
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) })
}

/// Templates of replies that can't be used, and those that are too long for one segment.
fn replies(path: &Path, config: &Config) -> (Vec<Problem>, Vec<Problem>) {
    let problem = |what: String, mend: &str| Problem {
        place: path.display().to_string(),
        key: "worker.replies".to_owned(),
        what,
        mend: mend.to_owned(),
    };
    match worker::replies(config.worker.replies.as_deref()) {
        Ok(replies) => {
            let long = replies.too_long(&Longest::default());
            (Vec::new(), long.into_iter().map(|what| problem(what, "a longer one is sent as two messages")).collect())
        }
        // A folder that is not there is named already.
        Err(_) if config.worker.replies.as_ref().is_some_and(|folder| !folder.is_dir()) => (Vec::new(), Vec::new()),
        Err(error) => (vec![problem(format!("{error:#}"), "mend the template")], Vec::new()),
    }
}

fn show(path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    if json {
        support::print_json(&config)?;
    } else {
        print!("{}", toml::to_string(&config)?);
    }
    Ok(ExitCode::SUCCESS)
}
