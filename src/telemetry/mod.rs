//! Logs and metrics: set up once a process.

mod logs;
mod metrics;
mod process;

pub use self::logs::init_logs;
pub use self::metrics::{MetricsError, install_metrics, serve_metrics};
