//! `scrutineer checklist import` and `list`.

use std::path::Path;
use std::process::ExitCode;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {}

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {}

/// Imports a checklist file.
pub(super) fn import(_config: &Path, _args: ImportArgs) -> ExitCode {
    eprintln!("scrutineer checklist import: being built");
    ExitCode::from(70)
}

/// Lists an election's checklists.
pub(super) fn list(_config: &Path, _args: ListArgs) -> ExitCode {
    eprintln!("scrutineer checklist list: being built");
    ExitCode::from(70)
}
