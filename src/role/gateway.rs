//! `scrutineer gateway`: composition.

use std::path::Path;
use std::process::ExitCode;

/// Runs the role until it is told to stop.
pub fn main(_config: &Path) -> ExitCode {
    eprintln!("scrutineer gateway: being built");
    ExitCode::from(70)
}
