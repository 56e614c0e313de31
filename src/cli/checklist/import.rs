//! `scrutineer checklist import` and `list`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use super::check;
use crate::config::{Config, Part};
use crate::domain::checklist::Checklist;
use crate::role::support;
use crate::store::checklist::{self, NewChecklist};
use crate::store::election;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// Short name of the election
    election: String,
    /// Checklist file (JSON)
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Short name of the election
    election: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `state`.
#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    /// Short name of the election
    election: String,
    /// Prefix of the checklist
    prefix: String,
    /// live takes reports, paused refuses them for now, closed for good, draft is not in use yet
    #[arg(value_parser = ["draft", "live", "paused", "closed"])]
    state: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Changes the state of a checklist.
pub(super) fn state(config: &Path, args: StateArgs) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run_state(&config, &args).await)
}

async fn run_state(config: &Config, args: &StateArgs) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let id = election::find(&store, &args.election).await?.id;
    let prefix = args.prefix.to_uppercase();
    let done = checklist::set_state(&store, id, &prefix, &args.state).await?;
    let done = done.with_context(|| {
        format!("election {} has no checklist {prefix}; `scrutineer checklist list` shows those it has", args.election)
    })?;
    if args.json {
        support::print_json(&done)?;
    } else {
        println!("checklist {} version {}: {} ({})", done.prefix, done.version, args.state, done.done);
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports a checklist file.
pub(super) fn import(config: &Path, args: ImportArgs) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run_import(&config, &args).await)
}

/// Lists an election's checklists.
pub(super) fn list(config: &Path, args: ListArgs) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run_list(&config, &args).await)
}

async fn run_import(config: &Config, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let checked = match check::load(&args.file)? {
        Ok(checked) => checked,
        Err(faults) => {
            check::print_faults(&args.file, &faults);
            return Ok(ExitCode::from(support::EXIT_FAILURE));
        }
    };
    let new: Vec<NewChecklist> = checked.checklists.iter().map(row).collect::<anyhow::Result<_>>()?;
    let store = support::open_owner(config).await?;
    let done = checklist::import(&store, &args.election, &new).await?;
    if args.json {
        support::print_json(&done)?;
    } else {
        for one in &done {
            println!("checklist {}: {}, version {}", one.prefix, one.done, one.version);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(checklist: &Checklist) -> anyhow::Result<NewChecklist> {
    let word = |value: Value| value.as_str().map(str::to_owned).context("a kind or state is a word");
    let mut definition = serde_json::to_value(checklist)?;
    // These stand in columns of their own; a version is counted, whatever the file says.
    if let Some(fields) = definition.as_object_mut() {
        fields.remove("version");
        fields.remove("state");
    }
    Ok(NewChecklist {
        prefix: checklist.prefix.clone(),
        kind: word(serde_json::to_value(checklist.kind)?)?,
        state: word(serde_json::to_value(checklist.state)?)?,
        title: serde_json::to_value(&checklist.title)?,
        definition,
    })
}

async fn run_list(config: &Config, args: &ListArgs) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let id = election::find(&store, &args.election).await?.id;
    let lines = checklist::list(&store, id).await?;
    if args.json {
        support::print_json(&lines)?;
    } else {
        for l in lines {
            let old = if l.newest { "" } else { ", replaced" };
            let title = match &l.title {
                Value::String(title) => title.clone(),
                Value::Object(by) => {
                    by.get("en").or_else(|| by.values().next()).and_then(Value::as_str).unwrap_or("").to_owned()
                }
                _ => String::new(),
            };
            println!(
                "{:<6} version {:<3} {:<10} {} ({} questions{old})",
                l.prefix, l.version, l.state, title, l.questions
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
