//! `scrutineer import kannel-config`: the SMPP groups of a Kannel configuration as `[[link]]` tables, and
//! every line that has no equal here, with its place and what to do about it.
//!
//! Passwords are never printed unless asked: they go to files of their own, which the links name.

mod link;
mod read;
#[cfg(test)]
mod tests;
mod translate;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::json;

use crate::role::support;
use link::Translated;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Kannel's configuration file; what it includes is read too
    file: PathBuf,
    /// One of our own numbers, for groups without my-number; may be given several times
    #[arg(long = "number")]
    numbers: Vec<String>,
    /// Write each password to a file of its own in this folder, as systemd's credentials are kept
    #[arg(long, value_name = "FOLDER", conflicts_with = "show_passwords")]
    credentials: Option<PathBuf>,
    /// Print passwords within the tables
    #[arg(long)]
    show_passwords: bool,
    /// Write the tables to this new file instead of standard output
    #[arg(long, short)]
    output: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn main(args: &Args) -> ExitCode {
    run(args).unwrap_or_else(|error| support::report(&error))
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let groups = read::read(&args.file)?;
    let translated = translate::all(&groups, &args.numbers, args.show_passwords);
    let tables = translated.toml(&args.file.display().to_string());
    if let Some(folder) = &args.credentials {
        for (name, password) in &translated.passwords {
            write_new(&folder.join(name), password, 0o600)?;
        }
    }
    if let Some(output) = &args.output {
        write_new(output, &tables, 0o640)?;
    }
    if args.json {
        let written = args.credentials.is_some();
        support::print_json(&json!({
            "links": translated.links.len(), "toml": tables, "notes": translated.notes,
            "password_files": translated.passwords.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "passwords_written": written,
        }))?;
    } else {
        if args.output.is_none() {
            print!("{tables}");
        }
        tell(&translated, args);
    }
    if translated.links.is_empty() {
        anyhow::bail!("{}: no group with `smsc = smpp` in it", args.file.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(translated: &Translated, args: &Args) {
    for note in &translated.notes {
        eprintln!("{note}");
    }
    for (name, _) in &translated.passwords {
        match &args.credentials {
            Some(folder) => eprintln!("written: {}", folder.join(name).display()),
            None => eprintln!(
                "the password of `{name}` is not printed: --credentials FOLDER writes it to a file of that name, --show-passwords prints it"
            ),
        }
    }
    let links = translated.links.len();
    eprintln!("{links} link{}, {} notes", if links == 1 { "" } else { "s" }, translated.notes.len());
}

/// Never over a file that is there.
fn write_new(path: &Path, content: &str, mode: u32) -> anyhow::Result<()> {
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .with_context(|| format!("writing {}", path.display()))?;
    writeln!(file, "{}", content.trim_end_matches('\n')).with_context(|| format!("writing {}", path.display()))
}
