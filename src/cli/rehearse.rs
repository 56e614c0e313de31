//! `scrutineer rehearse`

use std::path::Path;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_config: &Path, _args: Args) -> ExitCode {
    eprintln!("scrutineer rehearse: being built");
    ExitCode::from(70)
}
