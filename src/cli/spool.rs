//! `scrutineer spool`: how the gateway's spool stands, whether it is whole, and what it holds. Reads only,
//! also while the gateway runs, or from a copy of its folder.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::config::{Config, Part};
use crate::domain::order::RecordKey;
use crate::domain::phone;
use crate::handoff::message::{Body, Mobile};
use crate::limits::SPOOL_STATED_RATE;
use crate::role::support;
use crate::spool::audit::{self, Exported, Fault, Status};

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the spool, where it is not the one of the configuration (a copy, say)
    #[arg(long, global = true)]
    folder: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// What it holds, how much of that the database lacks, and how much more fits
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look through all of it: was anything changed, or is anything missing?
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every record as a line of JSON, phones masked
    Export {
        /// Print phone numbers in full
        #[arg(long)]
        phones: bool,
    },
}

/// Runs the command.
pub fn main(config: &Path, args: Args) -> ExitCode {
    support::run_command(config, Part::Gateway, async move |config| run(&config, args))
}

fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let folder = args.folder.unwrap_or_else(|| config.gateway.spool.clone());
    let bytes_max = u64::from(config.gateway.spool_megabytes_max) << 20;
    match args.command {
        Command::Status { json } => status(&folder, bytes_max, json),
        Command::Verify { json } => verify(&folder, json),
        Command::Export { phones } => export(&folder, phones),
    }
}

fn word(status: &Status) -> &'static str {
    match status.capacity.filling() {
        _ if status.capacity.messages == 0 => "full",
        0 => "ok",
        1 => "filling",
        _ => "nearly full",
    }
}

fn status(folder: &Path, bytes_max: u64, as_json: bool) -> anyhow::Result<ExitCode> {
    let s = audit::status(folder, bytes_max)?;
    let (hours, stated) = (s.capacity.hours(s.last_hour), s.capacity.stated_hours());
    if as_json {
        let runs: Vec<Value> = s
            .runs
            .iter()
            .map(|r| json!({"run": r.uuid, "begins_after": r.begins_after, "oldest": r.oldest, "newest": r.newest}))
            .collect();
        support::print_json(&json!({
            "folder": folder, "state": word(&s), "process": s.process, "runs": runs, "records": s.records,
            "uncommitted": s.uncommitted, "uncommitted_received": s.uncommitted_received,
            "oldest_uncommitted_seconds": s.oldest_uncommitted_seconds,
            "bytes": s.bytes, "bytes_max": bytes_max, "last_hour": s.last_hour,
            "capacity": {"messages": s.capacity.messages, "hours": hours, "stated_hours": stated,
                         "stated_rate": SPOOL_STATED_RATE},
            "damaged": s.damaged,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("spool in {}: {}", folder.display(), word(&s));
    match s.process {
        Some(process) => println!("  a gateway has it open (process {process})"),
        None => println!("  no gateway has it open"),
    }
    println!("  {} records are kept, {} MiB of {} MiB", s.records, s.bytes >> 20, bytes_max >> 20);
    println!(
        "  {} of them the database does not have; the oldest waits for {:.0} s",
        s.uncommitted, s.oldest_uncommitted_seconds
    );
    let at_rate = hours.map_or("no end at the rate of the last hour".to_owned(), |h| {
        format!("{h:.1} hours at the rate of the last hour ({} messages)", s.last_hour)
    });
    println!(
        "  {} messages more fit: {at_rate}, {stated:.1} hours at {SPOOL_STATED_RATE} a second",
        s.capacity.messages
    );
    for run in &s.runs {
        println!("  run {}: records {} to {}", run.uuid, run.oldest, run.newest);
    }
    for kept in &s.damaged {
        println!("  a damaged file is kept: {}", kept.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn place(fault: &Fault) -> String {
    match (fault.run, fault.sequence) {
        (Some(spool), Some(sequence)) => format!("record {}", RecordKey { spool, sequence }),
        (None, Some(sequence)) => format!("record {sequence}"),
        _ => "file".to_owned(),
    }
}

const MEND: &str = "keep a copy of the folder; the worker sets such records aside (scrutineer message set-aside list), \
                    and a restart of the gateway makes a new file of what can be read. Ask the aggregator to send again \
                    what was received then, and have the disk looked at";

fn verify(folder: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let records = audit::status(folder, u64::MAX).map_or(0, |s| s.records);
    let bar = bar(records);
    let found = audit::verify(folder, &mut |done| bar.set_position(done))?;
    bar.finish_and_clear();
    let is_whole = found.faults.is_empty();
    if as_json {
        let faults: Vec<Value> =
            found.faults.iter().map(|f| json!({"run": f.run, "sequence": f.sequence, "what": f.what})).collect();
        let mend = if is_whole { "" } else { MEND };
        support::print_json(&json!({
            "folder": folder, "ok": is_whole, "records": found.records, "head": found.head.map(hex),
            "faults": faults, "damaged": found.damaged, "mend": mend,
        }))?;
    } else {
        for fault in &found.faults {
            println!("{}: {}", place(fault), fault.what);
        }
        for kept in &found.damaged {
            println!("a damaged file is kept: {}", kept.display());
        }
        match found.faults.len() {
            0 => println!("{} records, nothing changed, nothing missing", found.records),
            n if n >= audit::FAULTS_MAX => println!("{} records, {n} faults and more. To mend: {MEND}", found.records),
            n => println!("{} records, {n} faults. To mend: {MEND}", found.records),
        }
    }
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn export(folder: &Path, phones: bool) -> anyhow::Result<ExitCode> {
    let bar = bar(audit::status(folder, u64::MAX).map_or(0, |s| s.records));
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let result = audit::export(folder, &mut |record| {
        bar.inc(1);
        serde_json::to_writer(&mut out, &line(&record, phones))?;
        out.write_all(b"\n")
    });
    bar.finish_and_clear();
    result?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn line(record: &Exported, phones: bool) -> Value {
    let at = crate::store::instant(record.received_us).format(&Rfc3339).unwrap_or_default();
    let mut line = json!({
        "run": record.run, "sequence": record.sequence, "received_at": at,
        "link": record.link.0, "group": record.link.1,
    });
    let what = match &record.body {
        None => json!({"kind": "unreadable"}),
        Some(Body::Message(m)) => mobile("message", m, phones),
        Some(Body::Receipt(m)) => mobile("receipt", m, phones),
        Some(Body::SubmitResult(r) | Body::Written { result: r, .. }) => {
            json!({"kind": "submit_result", "reply": r.id, "attempt": r.attempt, "outcome": r.outcome,
                "text": record.body.as_ref().and_then(Body::result).and_then(|(_, text)| text)})
        }
        // The sender stands in it: bytes are not shown unless phones are.
        Some(Body::Undecodable { pdu, error }) => {
            json!({"kind": "undecodable", "error": error, "pdu": phones.then(|| hex(pdu))})
        }
        Some(Body::Redelivery { run, of }) => json!({"kind": "redelivery", "of_run": run, "of": of}),
        Some(Body::Corrupt { error, .. }) => json!({"kind": "corrupt", "error": error}),
    };
    if let (Value::Object(line), Value::Object(what)) = (&mut line, what) {
        line.extend(what);
    }
    line
}

fn mobile(kind: &str, m: &Mobile, phones: bool) -> Value {
    let source = if phones { m.source.clone() } else { phone::mask(&m.source) };
    json!({
        "kind": kind, "source": source, "destination": m.destination, "esm_class": m.esm_class,
        "data_coding": m.data_coding, "short_message": hex(&m.short_message),
        "payload": m.payload.as_deref().map(hex), "sar": m.sar,
        "receipted_message_id": m.receipted_message_id, "message_state": m.message_state,
    })
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A bar where a person looks on, and there is much to do.
fn bar(records: u64) -> ProgressBar {
    if records < 10_000 || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(records);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} records, {eta} left") {
        bar.set_style(style);
    }
    bar
}
