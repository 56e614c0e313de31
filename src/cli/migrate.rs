//! `scrutineer migrate`: brings the database to this program's schema, and says what it did.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::config::{Config, Login, Part};
use crate::limits::MIGRATE_DEADLINE_SECONDS;
use crate::role::support;
use crate::store::migrate::{self, LoginDone, LoginWanted};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only say how far the database is; exit status 1 unless it is current
    #[arg(long, conflicts_with_all = ["grant_logins", "create_logins"])]
    check: bool,
    /// Let the configured logins of worker and web do what they must
    #[arg(long)]
    grant_logins: bool,
    /// As --grant-logins, and make those that are missing
    #[arg(long)]
    create_logins: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run(&config, &args).await)
}

async fn run(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let store = support::open_store(config, Login::Owner, Duration::from_secs(MIGRATE_DEADLINE_SECONDS)).await?;
    if args.check {
        let schema = migrate::check_schema(&store).await?;
        if args.json {
            support::print_json(&schema)?;
        } else {
            println!("{schema}");
        }
        return Ok(if schema.is_current() { ExitCode::SUCCESS } else { ExitCode::from(support::EXIT_FAILURE) });
    }
    let applied = migrate::migrate(&store).await?;
    let schema = migrate::check_schema(&store).await?;
    let mut logins = Vec::new();
    if args.grant_logins || args.create_logins {
        let wanted = [(&config.database.worker, "scrutineer_worker"), (&config.database.web, "scrutineer_web")]
            .map(|(login, group)| LoginWanted { user: &login.user, password: login.password.reveal(), group });
        let done = migrate::grant_logins(&store, &wanted, args.create_logins).await?;
        logins = wanted.iter().map(|w| w.user.to_owned()).zip(done).collect();
    }
    if args.json {
        support::print_json(&json!({
            "applied": applied.iter().map(|(version, name)| json!({"version": version, "name": name})).collect::<Vec<_>>(),
            "schema": schema,
            "logins": logins.iter().map(|(user, done)| json!({"user": user, "done": done})).collect::<Vec<_>>(),
        }))?;
    } else {
        for (version, name) in &applied {
            println!("applied {version:04} {name}");
        }
        println!("{schema}");
        for (user, done) in &logins {
            match done {
                LoginDone::Created => println!("login {user} made"),
                LoginDone::Granted => println!("login {user} put into its group"),
                LoginDone::AlreadyIn => println!("login {user} is in its group"),
                LoginDone::Missing => println!("login {user} does not exist; --create-logins makes it"),
            }
        }
    }
    let missing = logins.iter().any(|(_, done)| *done == LoginDone::Missing);
    Ok(if missing { ExitCode::from(support::EXIT_FAILURE) } else { ExitCode::SUCCESS })
}
