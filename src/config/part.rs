//! What each part of the program needs of the configuration.

use std::path::Path;

use super::{Config, ConfigError, Problem};

/// A part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The gateway: at least one link, and the links' passwords.
    Gateway,
    /// The worker: its database login.
    Worker,
    /// The web: its database login.
    Web,
    /// Commands: the owner's database login.
    Owner,
}

impl Config {
    /// Is everything there that this part needs?
    pub fn require(&self, part: Part, path: &Path) -> Result<(), ConfigError> {
        let mut problems: Vec<Problem> = Vec::new();
        let secrets = match part {
            Part::Gateway => self.link.iter().map(|l| &l.password).collect(),
            Part::Worker => vec![&self.database.worker.password],
            Part::Web => vec![&self.database.web.password],
            Part::Owner => vec![&self.database.owner.password],
        };
        if part == Part::Gateway {
            let files = self.link.iter().flat_map(|l| [&l.pem.authorities, &l.pem.certificate, &l.pem.key]);
            problems.extend(files.filter_map(|pem| pem.problem().cloned()));
        }
        problems.extend(secrets.into_iter().filter_map(|s| s.problem().cloned()));
        if part == Part::Gateway && self.link.is_empty() {
            problems.push(Problem {
                place: path.display().to_string(),
                key: "link".to_owned(),
                what: "no link is configured".to_owned(),
                mend: "add a [[link]] with the SMSC's host, port, system_id, password and numbers".to_owned(),
            });
        }
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }
}
