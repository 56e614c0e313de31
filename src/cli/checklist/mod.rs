//! `scrutineer checklist`: check a file, try texts against it, print its guide, import it, list what is there.

mod check;
mod guide;
mod import;
mod try_text;

use std::path::Path;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a checklist file; every error is listed
    Check(check::Args),
    /// Show what would be recorded and answered for a text, without storing: from any observer, or from a phone
    /// and the observers of a roster file or an election
    Try(try_text::Args),
    /// Make the guide that observers hold in hand: HTML to print, or PDF
    Guide(guide::Args),
    /// Import a checklist file into an election
    Import(import::ImportArgs),
    /// Put the newest version of a checklist into use, pause it, or close it
    State(import::StateArgs),
    /// List an election's checklists
    List(import::ListArgs),
}

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    match args.command {
        Command::Check(args) => check::main(config, &args),
        Command::Try(args) => try_text::main(config, args),
        Command::Guide(args) => guide::main(&args),
        Command::Import(args) => import::import(config, args),
        Command::State(args) => import::state(config, args),
        Command::List(args) => import::list(config, args),
    }
}
