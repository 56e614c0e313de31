//! PostgreSQL: is it there, may each login do what it must and no more, is the schema current, do
//! the clocks agree?

use std::time::Duration;

use time::OffsetDateTime;

use super::finding::Finding;
use crate::config::{DatabaseConfig, Login};
use crate::limits::CLOCK_WARNING_SECONDS;
use crate::store::doctor::{Seen, probe};
use crate::store::{ConnectOptions, Host, Store, StoreError, migrate};

/// For one login's look.
const DEADLINE: Duration = Duration::from_secs(5);
/// A standby that lacks more of the write-ahead log than this is worth a word, bytes.
const LAG_WARNING_BYTES: i64 = 64 << 20;
/// Clocks further apart than this put messages on the wrong side of an election's opening.
const CLOCK_ERROR_SECONDS: f64 = 30.0;

pub(super) async fn examine(database: &DatabaseConfig) -> Vec<Finding> {
    let (owner, worker, web) =
        tokio::join!(look(database, Login::Owner), look(database, Login::Worker), look(database, Login::Web));
    let mut findings = Vec::new();
    // One login that gets in tells how the hosts stand; each tells that none lets it in.
    let hosts = [&owner, &worker, &web].into_iter().filter_map(Look::hosts).max_by_key(|hosts| reached(hosts));
    if let Some(hosts) = hosts.filter(|hosts| hosts.len() > 1) {
        findings.extend(judge_hosts(hosts));
    }
    let mut seen_by = None;
    let mut clock = None;
    for (login, look) in [(Login::Owner, owner), (Login::Worker, worker), (Login::Web, web)] {
        let check = format!("database.{}", login.as_str());
        match look {
            Look::Unreadable(why) => {
                findings.push(Finding::warning(check, why, "run doctor as a user who may read the password file"));
            }
            Look::Looked(options, hosts) => match primary(hosts) {
                Some(Err(error)) => findings.push(refused(check, &options, &error)),
                Some(Ok(seen)) => {
                    findings.push(privileges(check, login, &options, &seen));
                    clock = clock.or(Some((seen.now - OffsetDateTime::now_utc()).as_seconds_f64()));
                    seen_by = seen_by.or(Some(options));
                }
                None => {}
            },
        }
    }
    findings.extend(clock.map(clocks));
    if let Some(mut options) = seen_by {
        options.deadline = DEADLINE;
        let store = Store::new(&options);
        findings.push(match migrate::check_schema(&store).await {
            Ok(schema) if schema.is_current() => Finding::ok("schema", schema.to_string()),
            Ok(schema) => match schema.to_string().split_once("; ") {
                Some((what, mend)) => Finding::error("schema", what, mend),
                None => Finding::error("schema", schema.to_string(), "run `scrutineer migrate`"),
            },
            Err(error) => Finding::error("schema", error.to_string(), "run `scrutineer migrate`"),
        });
        store.close().await;
    }
    findings
}

/// What each host said, or why it said nothing.
type Answers = Vec<(Host, Result<Seen, StoreError>)>;

enum Look {
    Unreadable(String),
    Looked(Box<ConnectOptions>, Answers),
}

impl Look {
    fn hosts(&self) -> Option<&Answers> {
        match self {
            Self::Unreadable(_) => None,
            Self::Looked(_, hosts) => Some(hosts),
        }
    }
}

async fn look(database: &DatabaseConfig, login: Login) -> Look {
    let options = match database.connect_options(login, 1) {
        Ok(options) => Box::new(options),
        Err(error) => return Look::Unreadable(error.problems.first().map_or_else(String::new, |p| p.what.clone())),
    };
    let answers = probe(&options, DEADLINE).await;
    Look::Looked(options, answers)
}

fn reached(answers: &Answers) -> usize {
    answers.iter().filter(|(_, answer)| answer.is_ok()).count()
}

/// The answer of the host that takes writes; without one that of any that answered, else the first error.
fn primary(answers: Answers) -> Option<Result<Seen, StoreError>> {
    let rank = |answer: &Result<Seen, StoreError>| match answer {
        Ok(seen) if !seen.read_only => 0,
        Ok(_) => 1,
        Err(_) => 2,
    };
    answers.into_iter().map(|(_, answer)| answer).min_by_key(rank)
}

/// Of several hosts: is each there, and does just one take writes?
fn judge_hosts(answers: &Answers) -> Vec<Finding> {
    let primaries: Vec<&Seen> = answers.iter().filter_map(|(_, a)| a.as_ref().ok()).filter(|s| !s.read_only).collect();
    let mut findings: Vec<Finding> = answers
        .iter()
        .map(|(host, answer)| {
            let check = format!("database.host.{host}");
            match answer {
                Err(error) => {
                    Finding::warning(check, error.to_string(), "start it, or take it out of host in [database]")
                }
                Ok(seen) if !seen.standby && seen.read_only => {
                    Finding::warning(check, "read-only, though no standby", "see default_transaction_read_only there")
                }
                Ok(seen) if !seen.standby => Finding::ok(check, format!("primary, PostgreSQL {}", seen.version)),
                Ok(seen) => standby(check, seen, primaries.first().map(|primary| primary.wal_at - seen.wal_at)),
            }
        })
        .collect();
    match primaries.len() {
        1 => {}
        0 => findings.push(Finding::error(
            "database.primary",
            "no host takes writes",
            "start the primary, or promote a standby (pg_ctl promote)",
        )),
        n => findings.push(Finding::error(
            "database.primary",
            format!("{n} hosts take writes: what one of them takes the other lacks"),
            "stop the old primary, and make it a standby of the new one (pg_rewind)",
        )),
    }
    findings
}

fn standby(check: String, seen: &Seen, lacks: Option<i64>) -> Finding {
    let version = &seen.version;
    let ago = seen.replayed_seconds_ago.map_or_else(String::new, |s| format!(", replayed a commit {s:.0} s old"));
    match lacks {
        None => Finding::ok(check, format!("standby, PostgreSQL {version}{ago}")),
        Some(lacks) if lacks > LAG_WARNING_BYTES => Finding::warning(
            check,
            format!("standby, lacks {} MB of the primary's log{ago}", lacks >> 20),
            "see pg_stat_replication on the primary, and the standby's own log",
        ),
        Some(lacks) => Finding::ok(
            check,
            format!("standby, PostgreSQL {version}, lacks {} kB of the primary's log{ago}", lacks.max(0) >> 10),
        ),
    }
}

fn refused(check: String, options: &ConnectOptions, error: &StoreError) -> Finding {
    let mend = match error.sql_state().as_deref() {
        Some("28P01") => "correct the password in the configuration, or set it: ALTER ROLE … PASSWORD …".to_owned(),
        Some("28000") => format!(
            "make the login (`scrutineer migrate --create-logins`), and let it in by pg_hba.conf (user {})",
            options.user
        ),
        Some("3D000") => format!("createdb --owner <owner> {}", options.database),
        Some("42501") => "let it connect: GRANT CONNECT ON DATABASE …".to_owned(),
        Some("53300") => "raise max_connections, or stop what uses them".to_owned(),
        _ => {
            format!("is PostgreSQL running at {}? Correct [database], or start it", options.hosts_said())
        }
    };
    Finding::error(check, format!("{} can't connect: {error}", options.user), mend)
}

fn privileges(check: String, login: Login, options: &ConnectOptions, seen: &Seen) -> Finding {
    let user = &options.user;
    if seen.standby {
        return Finding::error(
            check,
            "this server is a standby, which takes no writes",
            "name the primary in host in [database] too",
        );
    }
    let grant = |group: &str| format!("scrutineer migrate --grant-logins (or: GRANT {group} TO \"{user}\")");
    match login {
        Login::Worker if !seen.in_worker => {
            Finding::error(check, format!("{user} is not in scrutineer_worker"), grant("scrutineer_worker"))
        }
        Login::Web if !seen.in_web => {
            Finding::error(check, format!("{user} is not in scrutineer_web"), grant("scrutineer_web"))
        }
        Login::Web if seen.writes_submissions == Some(true) || seen.reads_phones == Some(true) => Finding::error(
            check,
            format!("{user} can change reports or read phone numbers"),
            "give the web a login that belongs to scrutineer_web alone",
        ),
        Login::Worker if seen.superuser => Finding::warning(
            check,
            format!("{user} is a superuser"),
            "give the worker a login that belongs to scrutineer_worker alone",
        ),
        _ => Finding::ok(check, format!("{user} on PostgreSQL {}", seen.version)),
    }
}

fn clocks(apart: f64) -> Finding {
    let said = format!("PostgreSQL's clock is {apart:+.1} s from this host's");
    let mend = "keep time on both by NTP (chrony or systemd-timesyncd)";
    match apart.abs() {
        a if a > CLOCK_ERROR_SECONDS => Finding::error("clock", said, mend),
        a if a > f64::from(CLOCK_WARNING_SECONDS) => Finding::warning("clock", said, mend),
        _ => Finding::ok("clock", said),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn clocks_are_judged_by_how_far_they_are_apart() {
        let levels = [0.1, -1.9, 2.5, -29.0, 31.0].map(|a| clocks(a).level);
        assert_eq!(levels, [Level::Ok, Level::Ok, Level::Warning, Level::Warning, Level::Error]);
    }
}
