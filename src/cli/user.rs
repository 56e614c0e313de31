//! `scrutineer user`: who may sign in at the dashboard. Passwords come from the terminal, a file or
//! standard input, never from an argument, where every process of the host could read them.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::json;
use time::format_description::well_known::Rfc3339;

use crate::config::{Config, Part};
use crate::limits::PASSWORD_BYTES_MAX;
use crate::role::support;
use crate::store::{Store, session, user};
use crate::web::{Role, password};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a person
    Add {
        /// Name at the sign-in: letters, digits, . _ @ -
        name: String,
        /// What the person may do
        #[arg(long, value_enum, default_value_t = Role::Viewer)]
        role: Role,
        /// File with the password on its first line; `-` for standard input. Without it the terminal asks
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// List everybody
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a person another role; it holds within seconds, also in running sessions
    Role {
        /// Name at the sign-in
        name: String,
        /// What the person may do
        #[arg(value_enum)]
        role: Role,
    },
    /// List a person's sessions, or end them all
    Sessions {
        /// Name at the sign-in
        name: String,
        /// End them: the person is signed out everywhere within seconds
        #[arg(long)]
        end: bool,
        /// Print JSON
        #[arg(long, conflicts_with = "end")]
        json: bool,
    },
    /// Let a person in no longer; running sessions end
    Disable {
        /// Name at the sign-in
        name: String,
    },
    /// Let a person in again; ends a lock too
    Enable {
        /// Name at the sign-in
        name: String,
    },
    /// Set a new password; running sessions end
    Password {
        /// Name at the sign-in
        name: String,
        /// File with the password on its first line; `-` for standard input. Without it the terminal asks
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    support::run_command(config, Part::Owner, async move |config| run(&config, args.command).await)
}

async fn run(config: &Config, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Add { name, role, password_file } => {
            check_name(&name)?;
            let phc = password::hash(&read_password(password_file.as_deref())?)?;
            let store = support::open_owner(config).await?;
            if !user::add(&store, &name, role.as_str(), &phc).await? {
                bail!("there is a person named {name} already; `scrutineer user password {name}` sets a new password");
            }
            println!("added {name} as {}", role.as_str());
        }
        Command::List { json } => list(&support::open_owner(config).await?, json).await?,
        Command::Role { name, role } => {
            known(&name, user::set_role(&support::open_owner(config).await?, &name, role.as_str()).await?)?;
            println!("{name} is {} now", role.as_str());
        }
        Command::Sessions { name, end, json } => {
            let store = support::open_owner(config).await?;
            known(&name, user::list(&store).await?.iter().any(|user| user.name == name))?;
            sessions(&store, &name, end, json).await?;
        }
        Command::Disable { name } => {
            known(&name, user::set_disabled(&support::open_owner(config).await?, &name, true).await?)?;
            println!("{name} can sign in no longer");
        }
        Command::Enable { name } => {
            known(&name, user::set_disabled(&support::open_owner(config).await?, &name, false).await?)?;
            println!("{name} can sign in");
        }
        Command::Password { name, password_file } => {
            let phc = password::hash(&read_password(password_file.as_deref())?)?;
            known(&name, user::set_password(&support::open_owner(config).await?, &name, &phc).await?)?;
            println!("{name} has a new password");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn known(name: &str, found: bool) -> anyhow::Result<()> {
    if !found {
        bail!("there is nobody named {name}; `scrutineer user list` shows everybody");
    }
    Ok(())
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let right = |c: char| c.is_ascii_alphanumeric() || "._@-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(right) {
        bail!("the name {name:?} won't do: 1 to 64 letters, digits, and . _ @ -");
    }
    Ok(())
}

async fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let users = user::list(store).await?;
    let now = time::OffsetDateTime::now_utc();
    if json {
        let rows: Vec<_> = users
            .iter()
            .map(|u| {
                json!({
                    "name": u.name, "role": u.role, "disabled": u.disabled, "failures": u.failures,
                    "locked_until": u.locked_until.filter(|t| *t > now).and_then(|t| t.format(&Rfc3339).ok()),
                    "created_at": u.created_at.format(&Rfc3339).ok(),
                })
            })
            .collect();
        return support::print_json(&rows);
    }
    for u in users {
        let state = match u.locked_until {
            _ if u.disabled => "disabled",
            Some(until) if until > now => "locked for a while",
            _ => "",
        };
        println!("{:<24} {:<9} {state}", u.name, u.role);
    }
    Ok(())
}

async fn sessions(store: &Store, name: &str, end: bool, json: bool) -> anyhow::Result<()> {
    if end {
        match session::end_all(store, name).await? {
            1 => println!("ended 1 session of {name}"),
            n => println!("ended {n} sessions of {name}"),
        }
        return Ok(());
    }
    let said = |at: time::OffsetDateTime| at.replace_nanosecond(0).unwrap_or(at).format(&Rfc3339).unwrap_or_default();
    let sessions = session::list(store, name).await?;
    if json {
        let rows: Vec<_> = sessions
            .iter()
            .map(|s| json!({"since": said(s.created_at), "last_used": said(s.seen_at), "ends": said(s.expires_at)}))
            .collect();
        return support::print_json(&rows);
    }
    for s in sessions {
        println!("since {}, last used {}, ends {}", said(s.created_at), said(s.seen_at), said(s.expires_at));
    }
    Ok(())
}

/// The password, from a file, standard input or the terminal.
fn read_password(file: Option<&Path>) -> anyhow::Result<String> {
    match file {
        Some(path) if path != Path::new("-") => {
            let file = std::fs::File::open(path).with_context(|| format!("can't read {}", path.display()))?;
            first_line(file).with_context(|| path.display().to_string())
        }
        None if std::io::stdin().is_terminal() => {
            let first = ask("Password: ")?;
            if first != ask("Once more: ")? {
                bail!("the two differ; nothing was changed");
            }
            Ok(first)
        }
        _ => first_line(std::io::stdin().lock()).context("standard input"),
    }
}

fn first_line(from: impl Read) -> anyhow::Result<String> {
    let mut line = String::new();
    // Room for a password that is too long, so that it is called that.
    std::io::BufReader::new(from.take(PASSWORD_BYTES_MAX as u64 + 16)).read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        bail!("there is no password on the first line");
    }
    Ok(password.to_owned())
}

/// Asks on the terminal without showing what is typed.
fn ask(prompt: &str) -> anyhow::Result<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    eprint!("{prompt}");
    std::io::stderr().flush()?;
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let line = first_line(stdin.lock());
    tcsetattr(&stdin, OptionalActions::Flush, &shown)?;
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line_without_its_end() {
        assert_eq!(first_line(&b"correct horse \r\nmore\n"[..]).unwrap(), "correct horse ");
        assert!(first_line(&b"\n"[..]).is_err());
    }

    #[test]
    fn a_name_with_other_characters_is_refused() {
        assert!(check_name("amina.k@obs-1").is_ok());
        for bad in ["", "a b", "é", "a\n", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
