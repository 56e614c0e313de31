//! The Debian package, installed with apt in a booted Debian under systemd.

mod installed;
mod machine;
mod running;

/// The units, with their caps in MiB.
const UNITS: [(&str, u64); 3] = [("gateway", 48), ("worker", 96), ("web", 64)];
