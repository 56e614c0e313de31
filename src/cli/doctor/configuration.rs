//! The configuration itself, and who may read the secrets in it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::finding::Finding;
use crate::config::{Config, ConfigError};

/// Why the configuration can't be used; nothing else can be looked at then.
pub(super) fn refused(error: &ConfigError) -> Vec<Finding> {
    error
        .problems
        .iter()
        .map(|p| {
            let key = if p.key.is_empty() { String::new() } else { format!("{}: ", p.key) };
            Finding::error("configuration", format!("{}: {key}{}", p.place, p.what), p.mend.clone())
        })
        .collect()
}

/// Doubtful settings, files of secrets that can't be read, and those that everybody can.
pub(super) fn examine(config: &Config, path: &Path) -> Vec<Finding> {
    let mut findings: Vec<Finding> = config
        .warnings
        .iter()
        .map(|p| Finding::warning("configuration", format!("{}: {}: {}", p.place, p.key, p.what), p.mend.clone()))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok("configuration", format!("{} is sound", path.display())));
    }
    let database = &config.database;
    let mut secrets = vec![
        (&database.owner.password, &database.owner.password_file),
        (&database.worker.password, &database.worker.password_file),
        (&database.web.password, &database.web.password_file),
    ];
    secrets.extend(config.link.iter().map(|l| (&l.password, &l.password_file)));
    let mut inside = false;
    for (password, file) in secrets {
        if let Some(problem) = password.problem() {
            let key = format!("{}: {}", problem.key, problem.what);
            findings.push(Finding::warning("secrets", key, "run doctor as a user who may read it, or make the file"));
        }
        match file {
            None => inside |= !password.is_empty(),
            Some(file) => {
                let file = if file.is_absolute() { file.clone() } else { path.with_file_name(file) };
                findings.extend(open_to_all(&file));
            }
        }
    }
    if inside {
        findings.extend(open_to_all(path));
    }
    if config.link.is_empty() {
        findings.push(Finding::warning("links", "no link is configured", "add a [[link]] for the gateway"));
    }
    findings
}

/// A file with a secret that every user of this machine can read.
fn open_to_all(file: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode();
    if mode & 0o004 == 0 {
        return None;
    }
    Some(Finding::error(
        "secrets",
        format!("{} holds a password, and every user can read it (mode {:o})", file.display(), mode & 0o777),
        format!("chmod o-r {}", file.display()),
    ))
}
