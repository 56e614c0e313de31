//! `scrutineer worker`: composition.

use std::path::Path;
use std::process::ExitCode;

/// Runs the role until it is told to stop.
pub fn main(_config: &Path) -> ExitCode {
    eprintln!("scrutineer worker: being built");
    ExitCode::from(70)
}
