//! `scrutineer message correct` and `reread`: ask the worker to read messages anew, and tell what came
//! of it, or would.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::retry::{answered, parse, person};
use crate::config::Config;
use crate::role::support;
use crate::store::Store;
use crate::store::pages::reading;

/// What both take.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Change nothing: tell what would be recorded and answered
    #[arg(long)]
    preview: bool,
    /// Answer the observers again; without it nobody is sent anything
    #[arg(long)]
    reply: bool,
    /// Seconds to wait for the worker
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    wait: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `correct`.
#[derive(Debug, clap::Args)]
pub(super) struct Correct {
    /// The message, as the logs name it (`1f3a09c2:42`)
    key: String,
    /// What is to be read in the place of what came; what came is kept
    text: String,
    /// Why, for the history
    #[arg(long)]
    why: String,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `reread`.
#[derive(Debug, clap::Args)]
pub(super) struct Reread {
    /// The message, as the logs name it (`1f3a09c2:42`)
    #[arg(required_unless_present = "outcome", conflicts_with_all = ["outcome", "election", "since", "until"])]
    key: Option<String>,
    /// All with these outcomes, separated by commas (`unclear,unknown_observer`)
    #[arg(long, value_delimiter = ',')]
    outcome: Vec<String>,
    /// Only this election's (short name), and those of none
    #[arg(long)]
    election: Option<String>,
    /// Received since then: a time (2026-11-21T06:00:00Z) or an age (90m, 6h, 2d)
    #[arg(long, value_parser = moment)]
    since: Option<OffsetDateTime>,
    /// Received before: a time or an age
    #[arg(long, value_parser = moment)]
    until: Option<OffsetDateTime>,
    /// Decode the bytes of messages whose data_coding is 0 anew, as this
    #[arg(long, value_parser = ["gsm7", "latin1", "ascii", "utf8"])]
    alphabet: Option<String>,
    /// Let them pass: phone, code and pauses hold them back no more
    #[arg(long)]
    vouch: bool,
    /// Why, for the history
    #[arg(long, default_value = "")]
    why: String,
    #[command(flatten)]
    common: Common,
}

/// A time, or how long ago.
pub(super) fn moment(text: &str) -> Result<OffsetDateTime, String> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at);
    }
    let wrong = || "write a time as 2026-11-21T06:00:00Z, or an age as 90m, 6h or 2d".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: i64 = number.parse().ok().filter(|n| (0..100_000).contains(n)).ok_or_else(wrong)?;
    let age = match unit {
        "m" => time::Duration::minutes(number),
        "h" => time::Duration::hours(number),
        "d" => time::Duration::days(number),
        _ => return Err(wrong()),
    };
    OffsetDateTime::now_utc().checked_sub(age).ok_or_else(wrong)
}

pub(super) async fn correct(config: &Config, args: Correct) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let mut payload = one(&store, &args.key).await?;
    payload["text"] = args.text.into();
    payload["why"] = args.why.into();
    ask(&store, payload, &args.common).await
}

pub(super) async fn reread(config: &Config, args: Reread) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let mut payload = match &args.key {
        Some(key) => one(&store, key).await?,
        None => json!({"outcomes": args.outcome}),
    };
    if let Some(election) = args.election {
        crate::store::election::find(&store, &election).await?;
        payload["election"] = election.into();
    }
    for (name, at) in [("since", args.since), ("until", args.until)] {
        if let Some(at) = at {
            payload[name] = at.format(&Rfc3339)?.into();
        }
    }
    if let Some(alphabet) = args.alphabet {
        payload["alphabet"] = alphabet.into();
    }
    payload["why"] = args.why.into();
    payload["vouch"] = args.vouch.into();
    ask(&store, payload, &args.common).await
}

/// The message of a name.
async fn one(store: &Store, key: &str) -> anyhow::Result<Value> {
    let (begin, sequence) = parse(key)?;
    let spools = reading::spools(store, &begin, sequence).await?;
    match spools.as_slice() {
        [spool] => Ok(json!({"spool": spool, "sequence": sequence})),
        [] => anyhow::bail!("there is no message {key} (`scrutineer message trouble` and `message log` name them)"),
        many => {
            let names: Vec<String> = many.iter().map(|spool| format!("{}:{sequence}", spool.simple())).collect();
            anyhow::bail!("that is the name of several; say which: {}", names.join(", "))
        }
    }
}

async fn ask(store: &Store, mut payload: Value, common: &Common) -> anyhow::Result<ExitCode> {
    payload["preview"] = common.preview.into();
    payload["reply"] = common.reply.into();
    let id = reading::ask(store, "reread", &person(), &payload).await?;
    let answer = answered(store, id, Instant::now() + Duration::from_secs(common.wait.into())).await?;
    let state = answer.as_ref().map_or("open", |(state, _)| state.as_str()).to_owned();
    let result = answer.map(|(_, result)| result);
    if common.json {
        support::print_json(&json!({"request": id, "state": state, "result": result}))?;
    } else {
        match &result {
            None => println!(
                "request {id} is not carried out yet; it stays, and is carried out as soon as a worker has time"
            ),
            Some(result) => print(&state, result),
        }
    }
    Ok(if state == "done" { ExitCode::SUCCESS } else { ExitCode::from(support::EXIT_FAILURE) })
}

fn print(state: &str, result: &Value) {
    if let Some(error) = result["error"].as_str() {
        println!("{state}: {error}");
        return;
    }
    let would = if result["preview"] == true { "would change" } else { "changed" };
    let number = |key: &str| result[key].as_u64().unwrap_or(0);
    println!("{} messages read, {} {would}, {} could not be read", number("looked"), number("changed"), number("left"));
    for (change, count) in result["outcomes"].as_object().into_iter().flatten() {
        println!("  {count:>6}  {change}");
    }
    for text in result["texts"].as_array().into_iter().flatten() {
        let word = |key: &str| text[key].as_str().unwrap_or_default();
        println!("{} {} → {}: {}", word("message"), word("before"), word("after"), word("text"));
        if let Some(error) = text["error"].as_str() {
            println!("    not read: {error}");
        }
        for answer in text["answers"].as_array().into_iter().flatten() {
            let shown = |value: &Value| if value.is_null() { "–".to_owned() } else { value.to_string() };
            println!("    {} {} → {}", answer[0].as_str().unwrap_or_default(), shown(&answer[1]), shown(&answer[2]));
        }
        if let Some(reply) = text["reply"].as_str() {
            println!("    reply: {reply}");
        }
    }
    if result["more"] == true {
        println!("There are more than one request takes: ask again.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_an_age() {
        assert_eq!(moment("2026-11-21T06:00:00Z").unwrap().unix_timestamp(), 1_795_240_800);
        let then = moment("6h").unwrap();
        let age = OffsetDateTime::now_utc() - then;
        assert!((6 * 3600..6 * 3600 + 60).contains(&age.whole_seconds()));
        for wrong in ["", "h", "6", "6w", "-1h", "yesterday", "é"] {
            assert!(moment(wrong).unwrap_err().contains("6h"), "{wrong}");
        }
    }
}
