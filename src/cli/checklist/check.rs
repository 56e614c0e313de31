//! `scrutineer checklist check`: every fault of a checklist file, with its place and how to mend it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use crate::config::Config;
use crate::domain::checklist::{Checked, Fault, Severity, Translated, check};
use crate::intake::decide::{Longest, Replies};
use crate::role::worker;

/// Bytes of a checklist file.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Checklist file (JSON)
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Reads and checks a file. The outer error is that of reading it.
pub(super) fn load(file: &Path) -> anyhow::Result<Result<Checked, Vec<Fault>>> {
    let size = std::fs::metadata(file).with_context(|| format!("{} can't be read", file.display()))?.len();
    anyhow::ensure!(size <= FILE_BYTES_MAX, "{} is larger than {} MiB", file.display(), FILE_BYTES_MAX >> 20);
    let bytes = std::fs::read(file).with_context(|| format!("{} can't be read", file.display()))?;
    let text =
        String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8 text: save it as such", file.display()))?;
    Ok(check(&text))
}

/// Prints the faults of a file that is not sound.
pub(super) fn print_faults(file: &Path, faults: &[Fault]) {
    for fault in faults {
        eprintln!("{}: {fault}", file.display());
    }
    let s = if faults.len() == 1 { "" } else { "s" };
    eprintln!("{} fault{s} in {}", faults.len(), file.display());
}

/// What is sound and yet worth a look: replies about these checklists that pass one segment.
fn warnings(checked: &Checked, replies: &Replies) -> Vec<String> {
    let observer = checked.observer_digits.map_or_else(|| Longest::default().observer, usize::from);
    let mut out = Vec::new();
    for c in &checked.checklists {
        let code = c.questions.iter().map(|q| q.code.len()).max().unwrap_or(0);
        let longest = Longest { prefix: c.opening().len(), observer, code };
        out.extend(replies.too_long(&longest).into_iter().map(|w| format!("{}: {w}", c.prefix)));
        for rule in c.rules.iter().filter(|r| r.severity != Severity::Warning) {
            let over = |language: &str| replies.message_over(language, rule.message.get(language), &longest);
            let languages: Vec<&str> = match &rule.message {
                Translated::One(_) => vec!["en"],
                Translated::Many(by) => by.keys().map(String::as_str).collect(),
            };
            for (language, over) in languages.into_iter().map(|l| (l, over(l))).filter(|(_, over)| *over > 0) {
                out.push(format!(
                    "{}, rule {}: its message in `{language}` passes one segment by {over} characters: shorten it",
                    c.prefix, rule.name
                ));
            }
        }
    }
    out
}

/// The templates that the configuration names, where there is one that can be used; else the built-in ones.
pub(super) fn replies(config: &Path) -> Replies {
    let own = Config::load(config).ok().and_then(|config| worker::replies(config.worker.replies.as_deref()).ok());
    own.unwrap_or_else(Replies::built_in)
}

/// Runs the command.
pub(super) fn main(config: &Path, args: &Args) -> ExitCode {
    let checked = match load(&args.file) {
        Ok(checked) => checked,
        Err(error) if args.json => {
            let fault = serde_json::json!({"place": "the file", "message": format!("{error:#}")});
            println!("{}", serde_json::json!({"ok": false, "errors": [fault]}));
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("{error:#}");
            return ExitCode::FAILURE;
        }
    };
    match checked {
        Ok(checked) if args.json => {
            let list: Vec<_> = checked
                .checklists
                .iter()
                .map(
                    |c| serde_json::json!({"prefix": c.prefix, "questions": c.questions.len(), "rules": c.rules.len()}),
                )
                .collect();
            println!(
                "{}",
                serde_json::json!({"ok": true, "checklists": list, "warnings": warnings(&checked, &replies(config))})
            );
            ExitCode::SUCCESS
        }
        Ok(checked) => {
            for c in &checked.checklists {
                println!(
                    "{} {}: {} questions, {} rules",
                    c.prefix,
                    c.title.get("en"),
                    c.questions.len(),
                    c.rules.len()
                );
            }
            for warning in warnings(&checked, &replies(config)) {
                println!("warning: {warning}");
            }
            println!("{} is sound", args.file.display());
            ExitCode::SUCCESS
        }
        Err(faults) if args.json => {
            let list: Vec<_> =
                faults.iter().map(|f| serde_json::json!({"place": f.place, "message": f.message})).collect();
            println!("{}", serde_json::json!({"ok": false, "errors": list}));
            ExitCode::FAILURE
        }
        Err(faults) => {
            print_faults(&args.file, &faults);
            ExitCode::FAILURE
        }
    }
}
