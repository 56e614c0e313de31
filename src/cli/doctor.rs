//! `scrutineer doctor`

use std::path::Path;
use std::process::ExitCode;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn main(_config: &Path, _args: Args) -> ExitCode {
    eprintln!("scrutineer doctor: being built");
    ExitCode::from(70)
}
