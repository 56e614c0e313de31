//! `scrutineer message retry`: asks the worker to process what was set aside again, and tells what came
//! of it, or would.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::Config;
use crate::domain::order::RecordKey;
use crate::limits::RETRY_ALL_MAX;
use crate::role::support;
use crate::store::{PgConnection, Store, request, set_aside};

/// How often it is looked whether a request was carried out.
const POLL: Duration = Duration::from_millis(200);

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The message, as `message set-aside list` names it (`1f3a09c2:42`)
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    key: Option<String>,
    /// All that are set aside
    #[arg(long)]
    all: bool,
    /// Change nothing: tell what would be recorded and answered
    #[arg(long)]
    preview: bool,
    /// Seconds to wait for the worker
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    wait: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A request with the message that it is about.
struct Asked {
    request: i64,
    key: RecordKey,
}

/// Processes one message again, for another command.
pub(in crate::cli) async fn again(config: &Config, key: String, wait: u32, json: bool) -> anyhow::Result<ExitCode> {
    run(config, Args { key: Some(key), all: false, preview: false, wait, json }).await
}

pub(super) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let store = support::open_owner(config).await?;
    let one = args.key.as_deref().map(parse).transpose()?;
    let asked = ask(&store, one, args.preview).await?;
    let deadline = Instant::now() + Duration::from_secs(args.wait.into());
    let mut all_well = true;
    let mut answers = Vec::new();
    for asked in &asked {
        let answer = answered(&store, asked.request, deadline).await?;
        all_well &= answer.as_ref().is_some_and(|(state, _)| state == "done");
        if args.json {
            answers.push(json!({
                "message": asked.key.to_string(), "spool": asked.key.spool, "sequence": asked.key.sequence,
                "request": asked.request, "state": answer.as_ref().map_or("open", |(state, _)| state),
                "result": answer.map(|(_, result)| result),
            }));
        } else {
            print(asked, answer, args.preview);
        }
    }
    if args.json {
        support::print_json(&answers)?;
    } else if asked.is_empty() {
        println!("nothing is set aside");
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::from(support::EXIT_FAILURE) })
}

/// Spool's first digits and sequence.
pub(super) fn parse(key: &str) -> anyhow::Result<(String, i64)> {
    let wrong =
        || format!("`{key}` is no message's name: it looks like 1f3a09c2:42 (`scrutineer message set-aside list`)");
    let (spool, sequence) = key.split_once(':').with_context(wrong)?;
    let spool = spool.replace('-', "").to_ascii_lowercase();
    anyhow::ensure!((1..=32).contains(&spool.len()) && spool.bytes().all(|b| b.is_ascii_hexdigit()), wrong());
    Ok((spool, sequence.parse().ok().filter(|n| *n > 0).with_context(wrong)?))
}

async fn ask(store: &Store, one: Option<(String, i64)>, preview: bool) -> anyhow::Result<Vec<Asked>> {
    let made_by = person();
    let wanted = one.as_ref().map(|(spool, sequence)| (spool.as_str(), *sequence));
    let asked = store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            let keys: Vec<(Uuid, i64)> = set_aside::keys(conn, wanted, RETRY_ALL_MAX).await?;
            let mut asked = Vec::with_capacity(keys.len());
            if wanted.is_some() && keys.len() != 1 {
                return Ok(Err(keys));
            }
            for (spool, sequence) in keys {
                let payload = json!({"spool": spool, "sequence": sequence, "preview": preview});
                let request = request::make(conn, "retry", &made_by, &payload).await?;
                asked.push(Asked { request, key: RecordKey { spool, sequence: sequence.cast_unsigned() } });
            }
            Ok(Ok(asked))
        })
        .await?;
    match asked {
        Ok(asked) => Ok(asked),
        Err(keys) if keys.is_empty() => {
            anyhow::bail!("no such message is set aside (`scrutineer message set-aside list`)")
        }
        Err(keys) => {
            let names: Vec<String> =
                keys.iter().map(|(spool, sequence)| format!("{}:{sequence}", spool.simple())).collect();
            anyhow::bail!("that is the name of several; say which: {}", names.join(", "))
        }
    }
}

/// Who asks.
pub(super) fn person() -> String {
    let name =
        ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|n| !n.is_empty()));
    let name: String = name.unwrap_or_else(|| "command".to_owned()).chars().take(80).collect();
    format!("{name} (command)")
}

/// The answer, if it comes in time.
pub(super) async fn answered(store: &Store, id: i64, deadline: Instant) -> anyhow::Result<Option<(String, Value)>> {
    loop {
        let found =
            store.with_conn(store.deadline(), async |conn: &mut PgConnection| request::find(conn, id).await).await?;
        let found = found.context("the request is gone")?;
        if found.state != "open" {
            return Ok(Some((found.state, found.result.unwrap_or_default())));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(POLL).await;
    }
}

fn print(asked: &Asked, answer: Option<(String, Value)>, preview: bool) {
    let Asked { request, key } = asked;
    let Some((state, result)) = answer else {
        println!("{key}: no worker has taken request {request} yet; it stays, and is carried out as soon as one runs");
        return;
    };
    if let Some(error) = result["error"].as_str() {
        println!("{key}: {state}: {error}");
        return;
    }
    let would = if preview { "would be " } else { "" };
    for text in result["texts"].as_array().into_iter().flatten() {
        let outcome = text["outcome"].as_str().unwrap_or("?");
        println!("{key}: {would}{outcome}: {}", text["text"].as_str().unwrap_or("(a part of a longer text)"));
        if let Some(reply) = text["reply"]["text"].as_str() {
            println!("    {}: {reply}", text["reply"]["state"].as_str().unwrap_or("?"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_named_as_the_logs_name_it() {
        assert_eq!(parse("1f3a09c2:42").unwrap(), ("1f3a09c2".to_owned(), 42));
        assert_eq!(parse("1F3A09C2-0000-4000-8000-00000000000a:1").unwrap().0.len(), 32);
        for wrong in ["", "42", "1f3a09c2:", "1f3a09c2:0", "xyz:1", ":1"] {
            assert!(parse(wrong).unwrap_err().to_string().contains("1f3a09c2:42"), "{wrong}");
        }
    }
}
