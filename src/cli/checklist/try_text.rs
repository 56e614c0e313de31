//! `scrutineer checklist try`: reads texts as the worker would, and stores nothing. The election is made up
//! of the file alone, in which every observer code may report from any phone; or of the file with the
//! observers of a roster file or of an election, so that a group can rehearse who is taken for whom.

mod senders;

use std::cell::RefCell;
use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::check;
use crate::config::Part;
use crate::domain::checklist::Checked;
use crate::domain::order::{OrderKey, RecordKey};
use crate::domain::outcome::Outcome;
use crate::domain::report::Report;
use crate::domain::roster::{NewObserver, Register, Roster};
use crate::grammar::print;
use crate::intake::decide::{
    Books, Decision, Incoming, Locks, PresentStates, Replies, Understanding, admit, explain, settle, understand,
};
use crate::limits::TEXT_BYTES_MAX;
use crate::role::support;
use senders::Senders;

/// Bytes of a line that hold a text of the greatest length, as JSON with escapes.
const LINE_BYTES_MAX: u64 = 8 * TEXT_BYTES_MAX as u64;
/// Phone from which the texts are made to come.
const PHONE: &str = "15550000000";

/// Arguments.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Checklist file (JSON)
    file: PathBuf,
    /// Text to read; without it one text a line is read from standard input, plain or as {"id": ..., "from": ..., "text": ...}
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
    /// Texts follow one another, so that corrections and repetitions are told; without it each is the first
    #[arg(long)]
    in_turn: bool,
    #[command(flatten)]
    senders: Senders,
}

/// Runs the command.
pub(super) fn main(config: &Path, args: Args) -> ExitCode {
    match load(&args) {
        Ok(Some(checked)) => match args.senders.election.clone() {
            None => {
                let register = args.senders.of_file(&checked, &args.language);
                ended(register.and_then(|register| run(&args, checked, register, check::replies(config))))
            }
            Some(slug) => {
                let replies = check::replies(config);
                support::run_command(config, Part::Owner, async move |config| {
                    let register = senders::of_election(&config, &slug, &checked).await?;
                    Ok(ended(run(&args, checked, Some(register), replies)))
                })
            }
        },
        Ok(None) => ExitCode::FAILURE,
        Err(error) => ended(Err(error)),
    }
}

fn ended(done: anyhow::Result<ExitCode>) -> ExitCode {
    match done {
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

/// The checklists; `None` when they are not sound, which is said.
fn load(args: &Args) -> anyhow::Result<Option<Checked>> {
    let mut checked = match check::load(&args.file)? {
        Ok(checked) => checked,
        Err(faults) => {
            check::print_faults(&args.file, &faults);
            return Ok(None);
        }
    };
    for code in &args.observer {
        anyhow::ensure!(code.bytes().all(|b| b.is_ascii_digit()), "observer code `{code}` must be digits");
    }
    checked.observers.extend(args.observer.iter().cloned());
    Ok(Some(checked))
}

fn run(args: &Args, checked: Checked, register: Option<Register>, replies: Replies) -> anyhow::Result<ExitCode> {
    let trial = Trial::new(checked, args, register, replies);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if let Some(text) = args.text.as_deref().filter(|t| !t.is_empty()) {
        trial.text(&mut out, 1, None, None, text)?;
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
            trial.text(out, number, object.get("id"), object.get("from").and_then(Value::as_str), text)?;
        } else {
            trial.text(out, number, None, None, line)?;
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
    /// Those who may report, where it matters who sends.
    register: Option<Arc<Register>>,
    /// What earlier texts left behind.
    behind: RefCell<Behind>,
}

/// What texts leave behind for those after them.
#[derive(Default)]
struct Behind {
    present: PresentStates,
    locks: Locks,
    phones: Vec<String>,
}

impl<'a> Trial<'a> {
    fn new(checked: Checked, args: &'a Args, register: Option<Register>, replies: Replies) -> Self {
        let behind = RefCell::default();
        if let Some(register) = register.map(Arc::new) {
            let books = Books::new(&Roster { version: 0, books: vec![Arc::clone(&register)] });
            return Self { args, checked, books, replies, register: Some(register), behind };
        }
        // Without a list every code exists; one of the right length says how long codes are.
        let sample = checked.observer_digits.filter(|_| checked.observers.is_empty()).map(|n| "0".repeat(n.into()));
        let codes: Vec<String> = checked.observers.iter().cloned().chain(sample).collect();
        let books = Books::new(&roster(&checked, &codes, &args.language));
        Self { args, checked, books, replies, register: None, behind }
    }

    /// Reads one text and prints what was made of it.
    fn text(
        &self,
        out: &mut impl Write,
        line: usize,
        id: Option<&Value>,
        from: Option<&str>,
        text: &str,
    ) -> anyhow::Result<()> {
        let sender = from.or(self.args.senders.from.as_deref()).unwrap_or(PHONE);
        let order = OrderKey { received_us: 1, record: RecordKey { spool: Uuid::nil(), sequence: line as u64 } };
        let incoming = Incoming {
            order,
            sender,
            sender_ton: if sender.contains(char::is_alphabetic) { 5 } else { 1 },
            destination: "20300",
            text,
            vouched: false,
            gaps: Vec::new(),
        };
        let mut understanding = understand(&incoming, &self.books);
        if self.register.is_none() && self.checked.observers.is_empty() {
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
        if self.register.is_none() {
            for known in &mut understanding.known {
                Arc::make_mut(&mut known.report).notes.retain(|n| n.kind != "unverified_phone");
            }
        }
        let mut behind = self.behind.borrow_mut();
        if !self.args.in_turn {
            *behind = Behind::default();
        }
        let phone = behind.phones.iter().position(|p| p == sender).unwrap_or_else(|| {
            behind.phones.push(sender.to_owned());
            behind.phones.len() - 1
        });
        admit(&mut understanding, i64::try_from(phone)?, &mut behind.locks);
        let decision = settle(&understanding, &mut behind.present, &self.replies);
        let reports = self.reports(&understanding, &decision, sender);
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
    fn reports(&self, understanding: &Understanding, decision: &Decision, sender: &str) -> Vec<Value> {
        let mut out: Vec<(usize, Value)> = Vec::new();
        for (known, change) in understanding.known.iter().zip(&decision.changes) {
            let complaint = !known.report.rejected.is_empty() || !known.report.leftover.is_empty();
            let alone = understanding.known.len() == 1 && understanding.unknown.is_empty();
            let outcome = match complaint {
                _ if alone => decision.outcome,
                true => Outcome::Partial,
                false => Outcome::Accepted,
            };
            let mut one = self.report(&known.report, outcome, sender);
            one["missing"] = json!(change.missing);
            one["version"] = json!(known.checklist.version);
            one["text"] = json!(print::print(&known.checklist, &known.report));
            one["broken_rules"] = json!(change.broken_rules);
            out.push((usize::from(known.place), one));
        }
        let taken: Vec<usize> = out.iter().map(|(place, _)| *place).collect();
        let mut free = (0..).filter(|place| !taken.contains(place));
        for refused in &understanding.unknown {
            let mut one = self.report(&refused.report, refused.outcome, sender);
            // Nothing of it would be recorded.
            one["answers"] = json!({});
            out.push((free.next().unwrap_or(usize::MAX), one));
        }
        if out.is_empty() {
            let mut one = self.report(&Report::default(), decision.outcome, sender);
            one["prefix"] = Value::Null;
            one["from"] = Value::Null;
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

    fn report(&self, report: &Report, outcome: Outcome, sender: &str) -> Value {
        let from = self.register.as_ref().map(|register| senders::is(register, report, sender));
        let checklist = self.checked.checklists.iter().find(|c| c.prefix == report.prefix);
        let rejected: Vec<Value> = report
            .rejected
            .iter()
            .map(|r| json!({"code": r.code, "reason": r.reason.as_str(), "value": r.value, "message": explain(checklist, r)}))
            .collect();
        json!({
            "outcome": outcome, "prefix": report.prefix, "observer": report.observer, "incident": report.incident,
            "serial": report.serial, "answers": report.answers, "rejected": rejected, "leftover": report.leftover,
            "missing": [], "comment": report.comment, "notes": report.notes, "from": from,
        })
    }
}

/// A roster of one election that is always open.
fn roster(checked: &Checked, codes: &[String], language: &str) -> Roster {
    let mut known: Vec<&str> = codes.iter().map(String::as_str).collect();
    known.sort_unstable();
    known.dedup();
    let mut register = Register::new(senders::open(language), senders::forms(checked));
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
    row(out, "from", one["from"].as_str().unwrap_or_default().to_owned())?;
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
