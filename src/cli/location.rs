//! `scrutineer location`

use std::path::Path;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_config: &Path, _args: Args) -> ExitCode {
    eprintln!("scrutineer location: being built");
    ExitCode::from(70)
}
