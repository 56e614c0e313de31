//! `scrutineer checklist try`: reads texts as the worker would, with an election made up of the file
//! alone, and stores nothing.

use std::io::{BufRead, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::check;
use crate::domain::checklist::{Checked, Checklist, ChecklistState};
use crate::domain::election::Election;
use crate::domain::order::{OrderKey, RecordKey};
use crate::domain::outcome::Outcome;
use crate::domain::report::Report;
use crate::domain::roster::{Form, NewObserver, Register, Roster};
use crate::grammar::print;
use crate::intake::decide::{
    Books, Decision, Incoming, PresentStates, Replies, Understanding, explain, settle, understand,
};
use crate::limits::TEXT_BYTES_MAX;

/// Bytes of a line that hold a text of the greatest length, as JSON with escapes.
const LINE_BYTES_MAX: u64 = 8 * TEXT_BYTES_MAX as u64;
/// Phone from which the texts are made to come.
const PHONE: &str = "15550000000";

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Checklist file (JSON)
    file: PathBuf,
    /// Text to read; without it one text a line is read from standard input, plain or as {"id": ..., "text": ...}
    text: Option<String>,
    /// Print one JSON object a report
    #[arg(long)]
    json: bool,
    /// Observer codes that exist, beside those of the file; without any every code does
    #[arg(long, value_name = "CODE", num_args = 1.., value_delimiter = ',')]
    observer: Vec<String>,
    /// Language of the replies
    #[arg(long, default_value = "en")]
    language: String,
}

/// Runs the command.
pub(super) fn main(args: &Args) -> ExitCode {
    match run(args) {
        Ok(code) => code,
        Err(error)
            if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) =>
        {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut checked = match check::load(&args.file)? {
        Ok(checked) => checked,
        Err(faults) => {
            check::print_faults(&args.file, &faults);
            return Ok(ExitCode::FAILURE);
        }
    };
    for code in &args.observer {
        anyhow::ensure!(code.bytes().all(|b| b.is_ascii_digit()), "observer code `{code}` must be digits");
    }
    checked.observers.extend(args.observer.iter().cloned());
    let trial = Trial::new(checked, args);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if let Some(text) = args.text.as_deref().filter(|t| !t.is_empty()) {
        trial.text(&mut out, 1, None, text)?;
    } else {
        lines(&trial, &mut out)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Reads standard input, a text a line.
fn lines(trial: &Trial<'_>, out: &mut impl Write) -> anyhow::Result<()> {
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let mut over = 0;
        while !line.ends_with(b"\n") && line.len() as u64 > LINE_BYTES_MAX {
            let chunk = input.fill_buf()?;
            let end = chunk.iter().position(|b| *b == b'\n');
            let taken = end.map_or(chunk.len(), |i| i + 1);
            over += taken;
            input.consume(taken);
            if end.is_some() || taken == 0 {
                break;
            }
        }
        if over > 0 {
            eprintln!("line {number}: longer than {LINE_BYTES_MAX} bytes; the rest of it is not read");
        }
        let line = String::from_utf8_lossy(&line);
        if matches!(line, std::borrow::Cow::Owned(_)) {
            eprintln!("line {number}: not UTF-8; what cannot be read is replaced");
        }
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.starts_with('{')
            && let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line)
            && let Some(text) = object.get("text").and_then(Value::as_str)
        {
            trial.text(out, number, object.get("id"), text)?;
        } else {
            trial.text(out, number, None, line)?;
        }
    }
    Ok(())
}

/// An election made up of one file.
struct Trial<'a> {
    args: &'a Args,
    checked: Checked,
    books: Books,
    replies: Replies,
}

impl<'a> Trial<'a> {
    fn new(checked: Checked, args: &'a Args) -> Self {
        // Without a list every code exists; one of the right length says how long codes are.
        let sample = checked.observer_digits.filter(|_| checked.observers.is_empty()).map(|n| "0".repeat(n.into()));
        let codes: Vec<String> = checked.observers.iter().cloned().chain(sample).collect();
        let books = Books::new(&roster(&checked, &codes, &args.language));
        Self { args, checked, books, replies: Replies::built_in() }
    }

    /// Reads one text and prints what was made of it.
    fn text(&self, out: &mut impl Write, line: usize, id: Option<&Value>, text: &str) -> anyhow::Result<()> {
        let order = OrderKey { received_us: 1, record: RecordKey { spool: Uuid::nil(), sequence: line as u64 } };
        let incoming = Incoming {
            order,
            sender: PHONE,
            sender_ton: 1,
            destination: "20300",
            text,
            vouched: false,
            gaps: Vec::new(),
        };
        let mut understanding = understand(&incoming, &self.books);
        if self.checked.observers.is_empty() {
            // No codes are listed: those of the text exist.
            let codes: Vec<String> = understanding
                .unknown
                .iter()
                .filter(|u| u.outcome == Outcome::UnknownObserver)
                .filter_map(|u| u.report.observer.as_ref().map(ToString::to_string))
                .filter(|code| self.checked.observer_digits.is_none_or(|n| code.len() == usize::from(n)))
                .collect();
            if !codes.is_empty() {
                understanding = understand(&incoming, &Books::new(&roster(&self.checked, &codes, &self.args.language)));
            }
        }
        // Codes were added to the roster for this; nobody's phone is known here.
        for known in &mut understanding.known {
            Arc::make_mut(&mut known.report).notes.retain(|n| n.kind != "unverified_phone");
        }
        let decision = settle(&understanding, &mut PresentStates::default(), &self.replies);
        let reports = self.reports(&understanding, &decision);
        for (i, mut one) in reports.into_iter().enumerate() {
            if let Some(fields) = one.as_object_mut() {
                fields.insert("line".to_owned(), line.into());
                fields.insert("report".to_owned(), (i + 1).into());
                if let Some(id) = id {
                    fields.insert("id".to_owned(), id.clone());
                }
            }
            if self.args.json {
                writeln!(out, "{one}")?;
            } else {
                print(out, &one)?;
            }
        }
        Ok(())
    }

    /// One object a report; one for the text when it has none.
    fn reports(&self, understanding: &Understanding, decision: &Decision) -> Vec<Value> {
        let mut out: Vec<(usize, Value)> = Vec::new();
        for (known, change) in understanding.known.iter().zip(&decision.changes) {
            let complaint = !known.report.rejected.is_empty() || !known.report.leftover.is_empty();
            let outcome = if complaint { Outcome::Partial } else { Outcome::Accepted };
            let mut one = self.report(&known.report, outcome);
            one["missing"] = json!(change.missing);
            one["version"] = json!(known.checklist.version);
            one["text"] = json!(print::print(&known.checklist, &known.report));
            one["broken_rules"] = json!(change.broken_rules);
            out.push((usize::from(known.place), one));
        }
        let taken: Vec<usize> = out.iter().map(|(place, _)| *place).collect();
        let mut free = (0..).filter(|place| !taken.contains(place));
        for refused in &understanding.unknown {
            let mut one = self.report(&refused.report, refused.outcome);
            // Nothing of it would be recorded.
            one["answers"] = json!({});
            out.push((free.next().unwrap_or(usize::MAX), one));
        }
        if out.is_empty() {
            let mut one = self.report(&Report::default(), decision.outcome);
            one["prefix"] = Value::Null;
            one["comment"] = json!(understanding.comment);
            out.push((0, one));
        }
        out.sort_by_key(|(place, _)| *place);
        let mut out: Vec<Value> = out.into_iter().map(|(_, one)| one).collect();
        for one in &mut out {
            one["reply"] = json!(decision.reply);
            one["effect"] = match decision.silence {
                Some(true) => "the phone gets no more messages".into(),
                Some(false) => "the phone gets messages again".into(),
                None => Value::Null,
            };
        }
        if let Some(first) = out.first_mut() {
            let own = first["leftover"].as_str().unwrap_or_default();
            first["leftover"] = json!(format!("{} {own}", understanding.leftover).trim());
            if !understanding.leftover.is_empty() && first["outcome"] == "accepted" {
                first["outcome"] = json!(Outcome::Partial);
            }
            let mut notes = json!(understanding.notes);
            if let (Some(all), Some(own)) = (notes.as_array_mut(), first["notes"].as_array_mut()) {
                own.append(all);
            }
        }
        out
    }

    fn report(&self, report: &Report, outcome: Outcome) -> Value {
        let checklist = self.checked.checklists.iter().find(|c| c.prefix == report.prefix);
        let rejected: Vec<Value> = report
            .rejected
            .iter()
            .map(|r| json!({"code": r.code, "reason": r.reason.as_str(), "value": r.value, "message": explain(checklist, r)}))
            .collect();
        json!({
            "outcome": outcome, "prefix": report.prefix, "observer": report.observer, "incident": report.incident,
            "serial": report.serial, "answers": report.answers, "rejected": rejected, "leftover": report.leftover,
            "missing": [], "comment": report.comment, "notes": report.notes,
        })
    }
}

/// A roster of one election that is always open.
fn roster(checked: &Checked, codes: &[String], language: &str) -> Roster {
    let mut known: Vec<&str> = codes.iter().map(String::as_str).collect();
    known.sort_unstable();
    known.dedup();
    let forms = checked.checklists.iter().map(|c| Form::from(Checklist { state: ChecklistState::Live, ..c.clone() }));
    let election =
        Election { language: language.to_owned(), replies_per_hour: u32::MAX, ..Election::plain(0, "trial") };
    let mut register = Register::new(election, forms.collect());
    for (code, id) in known.into_iter().zip(1..) {
        register.add(&NewObserver { id, code, ..NewObserver::default() });
    }
    register.sort();
    Roster { version: 0, books: vec![Arc::new(register)] }
}

/// A block for people.
fn print(out: &mut impl Write, one: &Value) -> std::io::Result<()> {
    let word = |key: &str| one[key].as_str().unwrap_or("-").to_owned();
    writeln!(out, "{} {} {}", word("outcome"), word("prefix"), word("observer"))?;
    let row = |out: &mut dyn Write, name: &str, value: String| {
        if value.is_empty() { Ok(()) } else { writeln!(out, "  {name:<9} {value}") }
    };
    let join = |key: &str, each: fn(&Value) -> String| {
        one[key].as_array().map(|list| list.iter().map(each).collect::<Vec<_>>().join(", ")).unwrap_or_default()
    };
    let answers = one["answers"].as_object().map(|by| {
        let text = |v: &Value| if v.is_null() { "withdrawn".to_owned() } else { v.to_string() };
        by.iter().map(|(code, value)| format!("{code}={}", text(value))).collect::<Vec<_>>().join(" ")
    });
    row(out, "answers", answers.unwrap_or_default())?;
    row(out, "rejected", join("rejected", |r| r["message"].as_str().unwrap_or_default().to_owned()))?;
    row(out, "leftover", one["leftover"].as_str().unwrap_or_default().to_owned())?;
    row(out, "missing", join("missing", |m| m.as_str().unwrap_or_default().to_owned()))?;
    row(out, "comment", one["comment"].as_str().unwrap_or_default().to_owned())?;
    row(out, "notes", join("notes", |n| format!("{}: {}", word_of(n, "kind"), word_of(n, "detail"))))?;
    row(out, "as text", one["text"].as_str().unwrap_or_default().to_owned())?;
    row(out, "version", one["version"].as_u64().filter(|v| *v > 1).map(|v| v.to_string()).unwrap_or_default())?;
    row(out, "effect", one["effect"].as_str().unwrap_or_default().to_owned())?;
    row(out, "reply", one["reply"].as_str().unwrap_or_default().to_owned())
}

fn word_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
