//! `scrutineer checklist try`

use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn main(_args: &Args) -> ExitCode {
    eprintln!("scrutineer checklist try: being built");
    ExitCode::from(70)
}
