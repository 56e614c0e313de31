//! Logs and metrics: set up once a process.
