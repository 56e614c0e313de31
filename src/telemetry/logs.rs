//! Logs go to standard error, where systemd's journal or a terminal takes them: for people or as JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

/// Sets up logging for the process. A second call changes nothing. Under systemd the journal has the
/// time, so that lines for people leave it out there.
pub fn init_logs(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let terminal = std::io::stderr().is_terminal();
    let journal = std::env::var_os("JOURNAL_STREAM").is_some() && !terminal;
    let builder = builder.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none());
    let set = match config.format {
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
        LogFormat::Text if journal => builder.without_time().finish().try_init(),
        LogFormat::Text => builder.finish().try_init(),
    };
    // Already set: by a test, or by an earlier role in the same process.
    drop(set);
}
