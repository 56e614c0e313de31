//! `scrutineer import`, and what the import commands have in common: reading a table, and reporting.

mod kannel;
mod report;
mod table;

use std::process::ExitCode;

pub(super) use report::{Progress, Reporter};
pub(super) use table::{Field, Mapping, Row, Table, read_table};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Turn the SMPP groups of a Kannel configuration into [[link]] tables, and list what has no equal
    KannelConfig(kannel::Args),
}

/// Runs the command.
pub fn main(args: &Args) -> ExitCode {
    match &args.command {
        Command::KannelConfig(args) => kannel::main(args),
    }
}
