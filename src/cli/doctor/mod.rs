//! `scrutineer doctor`: looks at the whole installation, says what is wrong and how to mend it. It
//! changes nothing, works when things are away, and each of its waits has a deadline.

mod configuration;
mod database;
mod finding;
mod host;
mod network;
mod service;

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use self::finding::{Finding, Level};
use crate::config::Config;
use crate::role::support;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn main(path: &Path, args: Args) -> ExitCode {
    support::block_on(async move || {
        let findings = examine(path).await;
        report(&findings, args.json)
    })
}

async fn examine(path: &Path) -> Vec<Finding> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return configuration::refused(&error),
    };
    let mut findings = configuration::examine(&config, path);
    let (database, network) = tokio::join!(database::examine(&config.database), network::examine(&config));
    findings.extend(database);
    findings.extend(network);
    findings.extend(host::examine(&config));
    findings.extend(service::examine());
    findings
}

/// What to do first: what keeps it from working, else what is not as it should be.
fn next(findings: &[Finding]) -> Option<&Finding> {
    let of = |level: Level| findings.iter().find(|f| f.level == level && !f.mend.is_empty());
    of(Level::Error).or_else(|| of(Level::Warning))
}

fn report(findings: &[Finding], json: bool) -> anyhow::Result<ExitCode> {
    let count = |level: Level| findings.iter().filter(|f| f.level == level).count();
    let (errors, warnings) = (count(Level::Error), count(Level::Warning));
    if json {
        support::print_json(&json!({
            "ok": errors == 0, "errors": errors, "warnings": warnings, "findings": findings,
            "next": next(findings).map(|f| &f.mend),
        }))?;
    } else {
        for finding in findings {
            println!("{finding}");
        }
        println!("{errors} errors, {warnings} warnings");
        if let Some(next) = next(findings) {
            println!("next: {}", next.mend);
        }
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(support::EXIT_FAILURE) })
}
