//! One binary: a role or a command an arm.

use clap::{CommandFactory, Parser, Subcommand};
use scrutineer::{cli, role};
use std::path::PathBuf;
use std::process::ExitCode;

/// SMS election-observation gateway
#[derive(Parser)]
#[command(name = "scrutineer", version, about, propagate_version = true)]
struct Args {
    /// Configuration file
    #[arg(long, short, global = true, env = "SCRUTINEER_CONFIG", default_value = "/etc/scrutineer/scrutineer.toml")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the SMPP gateway
    Gateway,
    /// Run the worker
    Worker,
    /// Run the dashboard
    Web,
    /// Check or show the configuration
    Config(cli::config::Args),
    /// Bring the database to this program's schema
    Migrate(cli::migrate::Args),
    /// Create, open, close and list elections
    Election(cli::election::Args),
    /// Import and list locations
    Location(cli::location::Args),
    /// Import and list observers
    Observer(cli::observer::Args),
    /// Check, try, import and list checklists
    Checklist(cli::checklist::Args),
    /// Add and change the people who may sign in
    User(cli::user::Args),
    /// Take over what another program was configured with
    Import(cli::import::Args),
    /// List messages that were set aside
    Message(cli::message::Args),
    /// See and steer the links of the gateway that runs
    Link(cli::link::Args),
    /// Look at the gateway's spool
    Spool(cli::spool::Args),
    /// Say what is wrong with this installation, and how to mend it
    Doctor(cli::doctor::Args),
    /// Play messages against a gateway as an SMSC would
    Rehearse(cli::rehearse::Args),
    /// Play a whole election day on this machine
    Demo(cli::demo::Args),
    /// Write man pages and completions
    #[command(hide = true)]
    Man(cli::man::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let config = args.config;
    match args.command {
        Command::Gateway => role::gateway::main(&config),
        Command::Worker => role::worker::main(&config),
        Command::Web => role::web::main(&config),
        Command::Config(args) => cli::config::main(&config, args),
        Command::Migrate(args) => cli::migrate::main(&config, args),
        Command::Election(args) => cli::election::main(&config, args),
        Command::Location(args) => cli::location::main(&config, args),
        Command::Observer(args) => cli::observer::main(&config, args),
        Command::Checklist(args) => cli::checklist::main(&config, args),
        Command::User(args) => cli::user::main(&config, args),
        Command::Import(args) => cli::import::main(&args),
        Command::Message(args) => cli::message::main(&config, args),
        Command::Link(args) => cli::link::main(&config, args),
        Command::Spool(args) => cli::spool::main(&config, args),
        Command::Doctor(args) => cli::doctor::main(&config, args),
        Command::Rehearse(args) => cli::rehearse::main(&config, args),
        Command::Demo(args) => cli::demo::main(&config, args),
        Command::Man(args) => cli::man::main(Args::command(), &args),
    }
}
