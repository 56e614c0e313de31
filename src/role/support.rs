//! What every role and command does alike: load the configuration, make a runtime, run, and turn
//! errors into an exit status and lines that begin with `scrutineer: `.

use std::path::Path;
use std::process::ExitCode;

use std::time::Duration;

use anyhow::Context;

use crate::config::{Config, ConfigError, EXIT_CONFIG, Login, Part};
use crate::store::{self, Store};
use crate::telemetry;

/// Exit status of a failure that is not the configuration's.
pub const EXIT_FAILURE: u8 = 1;

/// Runs a long-lived role: logs and metrics recorder are set up, `f` runs on a runtime of two
/// threads, and the exit status tells systemd whether to start it again.
pub fn run_role<F>(path: &Path, part: Part, f: F) -> ExitCode
where
    F: AsyncFnOnce(Config) -> anyhow::Result<()>,
{
    let config = match Config::load_for(path, part) {
        Ok(config) => config,
        Err(error) => return report(&error.into()),
    };
    telemetry::init_logs(&config.log);
    for warning in &config.warnings {
        tracing::warn!("configuration: {warning}");
    }
    let run = || -> anyhow::Result<()> {
        telemetry::install_metrics()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let result = runtime.block_on(f(config));
        // A blocking task that hangs must not hold the process.
        runtime.shutdown_timeout(Duration::from_secs(2));
        result
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

/// Runs a command: `f` runs on this thread and gives the exit status. Warnings about the
/// configuration are for `config check`, `doctor` and the roles.
pub fn run_command<F>(path: &Path, part: Part, f: F) -> ExitCode
where
    F: AsyncFnOnce(Config) -> anyhow::Result<ExitCode>,
{
    match Config::load_for(path, part) {
        Ok(config) => block_on(async move || f(config).await),
        Err(error) => report(&error.into()),
    }
}

/// Runs a command that needs no configuration.
pub fn block_on<F>(f: F) -> ExitCode
where
    F: AsyncFnOnce() -> anyhow::Result<ExitCode>,
{
    let run = || -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let result = runtime.block_on(f());
        runtime.shutdown_timeout(Duration::from_secs(1));
        result
    };
    run().unwrap_or_else(|error| report(&error))
}

/// For a command's first connection.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// A store for a command: one connection, tried now so that the reason of a failure is told, each
/// use of it at most `deadline`.
pub async fn open_store(config: &Config, login: Login, deadline: Duration) -> anyhow::Result<Store> {
    let mut options = config.database.connect_options(login, 1)?;
    options.deadline = deadline;
    let store = Store::new(&options);
    store.with_conn(CONNECT_DEADLINE, async |conn| store::doctor::answers(conn).await).await.with_context(|| {
        format!(
            "can't use PostgreSQL at {}, database {}, as {} ([database] in the configuration)",
            options.hosts_said(),
            options.database,
            options.user
        )
    })?;
    Ok(store)
}

/// [`open_store`] as the owner, on a database whose schema is this program's.
pub async fn open_owner(config: &Config) -> anyhow::Result<Store> {
    open_owner_for(config, Duration::from_secs(config.database.deadline_seconds)).await
}

/// [`open_owner`] with a deadline of its own, for long work.
pub async fn open_owner_for(config: &Config, deadline: Duration) -> anyhow::Result<Store> {
    let store = open_store(config, Login::Owner, deadline).await?;
    let schema = store::migrate::check_schema(&store).await?;
    if !schema.is_current() {
        anyhow::bail!("{schema}");
    }
    Ok(store)
}

/// Prints a value as JSON on standard output.
pub fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints an error for people, a line each, and gives its exit status: 78 for the configuration's.
pub fn report(error: &anyhow::Error) -> ExitCode {
    if let Some(config) = error.downcast_ref::<ConfigError>() {
        for problem in &config.problems {
            eprintln!("scrutineer: {problem}");
        }
        return ExitCode::from(EXIT_CONFIG);
    }
    let text = chain(error);
    for line in text.lines() {
        eprintln!("scrutineer: {line}");
    }
    ExitCode::from(EXIT_FAILURE)
}

/// The error and its causes in one line, a cause left out that the error before it already said.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let said = cause.to_string();
        if !text.ends_with(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_was_said_is_not_said_again() {
        let inner = std::io::Error::other("disk on fire");
        let error = Err::<(), _>(inner).context("can't write: disk on fire").context("import").unwrap_err();
        assert_eq!(chain(&error), "import: can't write: disk on fire");
    }
}
