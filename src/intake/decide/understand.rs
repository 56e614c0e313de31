//! Who speaks, in which election, about what.

use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::authenticate::{self, Tried, Verdict, verdict};
use super::books::{Book, Books, Entry};
use super::command::{self, Called, Command};
use super::identify::{Who, named, who};
use super::{Ask, Incoming, KnownReport, Understanding};
use crate::domain::checklist::ChecklistState;
use crate::domain::checklist::logic;
use crate::domain::election::AuthPolicy;
use crate::domain::outcome::Outcome;
use crate::domain::phone::normalised;
use crate::domain::report::{Note, Reason, Rejected, Report};
use crate::domain::roster::Observer;
use crate::domain::submission::SubmissionKey;
use crate::grammar::{self, Found, Reading};

/// Digits below which a sender is a short code.
const PHONE_DIGITS_MIN: usize = 7;
/// `TON` of alphanumeric senders (SMPP 3.4 section 5.2.5).
const TON_ALPHANUMERIC: u8 = 5;
/// Checklists that one answer to STATUS looks up.
const STATUS_CHECKLISTS_MAX: usize = 8;

/// Whom each report of a text names: looked up once, as the roster is long.
type Named<'a> = SmallVec<[Option<&'a Observer>; 2]>;

/// What a text means, and which submissions it touches.
pub fn understand(incoming: &Incoming<'_>, books: &Books) -> Understanding {
    let mut out = Understanding {
        order: incoming.order,
        refused: None,
        election: None,
        observer: None,
        known: SmallVec::new(),
        unknown: Vec::new(),
        leftover: String::new(),
        comment: None,
        notes: Vec::new(),
        language: SmolStr::new_static("en"),
        command: None,
        asks: Vec::new(),
        help: None,
        tried: Vec::new(),
        shown: None,
    };
    let phone = &*normalised(incoming.sender);
    let now = incoming.order.received_us;
    out.language = language(books, phone, now);
    if !incoming.vouched && never_answered(incoming, phone) {
        out.refused = Some(Outcome::Ignored);
        return out;
    }
    if let Some(called) = command::find(incoming.text)
        && !books.books.iter().any(|b| b.entries.contains_key(&called.word))
    {
        called_for(&mut out, books, phone, called);
        return out;
    }
    // The election that knows prefix and observer, else one that knows the prefix, else the newest open one.
    let mut best: Option<(u8, &Book, Reading, Named<'_>)> = None;
    for book in &books.books {
        let opened = book.register.election.was_open(now);
        let reading = grammar::read(&book.lexicon, incoming.text, &incoming.gaps);
        let senders: Named<'_> = reading.reports.iter().map(|f| named(book, f, phone)).collect();
        let prefix = reading.reports.iter().any(|f| f.checklist.is_some());
        let observer = reading.reports.iter().zip(&senders).any(|(f, s)| f.checklist.is_some() && s.is_some());
        let worth = match (opened, prefix, observer) {
            (true, true, true) => 5,
            (true, true, false) => 4,
            (false, true, true) => 3,
            (false, true, false) => 2,
            (true, false, _) => 1,
            (false, false, _) => 0,
        };
        if best.as_ref().is_none_or(|(least, ..)| worth > *least) {
            best = Some((worth, book, reading, senders));
        }
        if worth == 5 {
            break;
        }
    }
    let Some((worth, book, mut reading, senders)) = best else {
        out.refused = Some(Outcome::UnknownChecklist);
        out.leftover = incoming.text.chars().take(60).collect();
        return out;
    };
    out.notes = reading.notes;
    out.leftover = reading.leftover;
    out.comment = reading.comment;
    if worth >= 2 {
        out.election = Some(book.register.election.id);
    }
    let at = Context { book, phone, closed: !book.register.election.was_open(now), vouched: incoming.vouched };
    let hidden = if book.register.election.auth == AuthPolicy::Off && reading.reports.iter().all(|f| f.code.is_none()) {
        None
    } else {
        authenticate::hidden(incoming.text, book, &reading.reports, &senders)
    };
    for (place, (found, named)) in reading.reports.iter_mut().zip(senders).enumerate() {
        report(&mut out, &at, place, found, named);
    }
    if let Some(hidden) = hidden {
        hidden.hide(&mut out.leftover);
        out.comment.iter_mut().for_each(|c| hidden.hide(c));
        out.notes.iter_mut().for_each(|n| hidden.hide(&mut n.detail));
        out.known.iter_mut().for_each(|k| hidden.hide_in(Arc::make_mut(&mut k.report)));
        out.unknown.iter_mut().for_each(|u| hidden.hide_in(Arc::make_mut(&mut u.report)));
        out.shown = Some(hidden.text);
    }
    conclude(&mut out);
    out
}

/// What a text is in which no report can be recorded.
pub(super) fn conclude(out: &mut Understanding) {
    if out.known.is_empty() {
        let worst = out.unknown.iter().map(|u| u.outcome).max_by_key(|o| super::settle::rank(*o));
        out.refused = Some(worst.unwrap_or(Outcome::UnknownChecklist));
    }
}

/// A command: who asks, in which language, and what STATUS must look up.
fn called_for(out: &mut Understanding, books: &Books, phone: &str, called: Called) {
    out.refused = Some(Outcome::Command);
    out.command = Some(called.command);
    let mut elections = 0;
    for book in books.books.iter().filter(|b| b.register.election.was_open(out.order.received_us)) {
        let register = &book.register;
        let help = |language: &str| register.election.help.as_ref().map(|h| h.get(language).to_owned());
        if elections == 0 {
            out.help = help(&out.language);
        }
        elections += 1;
        let owner = match &called.observer {
            Some(code) => register.observer(code).filter(|o| register.phone_belongs(phone, o)),
            None => register.sole_owner(phone),
        };
        let Some(observer) = owner else { continue };
        if out.observer.is_none() {
            (out.election, out.observer) = (Some(register.election.id), Some(observer.id));
            out.language = SmolStr::new(register.language(observer));
            out.help = help(&out.language);
        }
        if called.command != Command::Status {
            continue;
        }
        let mut asked: Vec<&Entry> = book.entries.values().filter(|e| e.is_expected()).collect();
        asked.sort_unstable_by_key(|e| &e.checklist.prefix);
        asked.dedup_by_key(|e| &e.checklist.prefix);
        let room = STATUS_CHECKLISTS_MAX.saturating_sub(out.asks.len());
        out.asks.extend(asked.into_iter().take(room).map(|entry| {
            let figures = observer.station.as_ref().map(|s| register.figures(s, entry.logic.figures()));
            Ask {
                key: SubmissionKey {
                    election: register.election.id,
                    prefix: SmolStr::new(&entry.checklist.prefix),
                    observer: observer.id,
                    serial: None,
                    incident: None,
                },
                checklist: Arc::clone(&entry.checklist),
                logic: Arc::clone(&entry.logic),
                figures: figures.unwrap_or_default(),
            }
        }));
    }
    if elections == 0
        && let Some(language) = called.language
    {
        out.language = SmolStr::new_static(language);
    }
}

/// Where a report is judged.
struct Context<'a> {
    book: &'a Book,
    phone: &'a str,
    closed: bool,
    vouched: bool,
}

/// The language of a phone's one owner, else of the election that is open, else English.
pub(super) fn language(books: &Books, phone: &str, now: i64) -> SmolStr {
    let open = || books.books.iter().filter(|b| b.register.election.was_open(now));
    let owner = open().find_map(|book| book.register.sole_owner(phone).map(|observer| (book, observer)));
    if let Some((book, observer)) = owner {
        return SmolStr::new(book.register.language(observer));
    }
    let book = open().next().or(books.books.first());
    book.map_or(SmolStr::new_static("en"), |book| SmolStr::new(&book.register.election.language))
}

/// Short codes, alphanumeric senders and our own number: an answer would begin a loop or reach nobody.
pub(super) fn never_answered(incoming: &Incoming<'_>, phone: &str) -> bool {
    incoming.sender_ton == TON_ALPHANUMERIC
        || !phone.bytes().all(|b| b.is_ascii_digit())
        || phone.len() < PHONE_DIGITS_MIN
        || phone == normalised(incoming.destination)
}

fn report<'a>(out: &mut Understanding, at: &Context<'a>, place: usize, found: &mut Found, named: Option<&'a Observer>) {
    let mut who = who(at.book, named, at.phone);
    let verdict = if at.vouched { Verdict::NotAsked } else { verdict(at.book, found, &who) };
    let place = u16::try_from(place).unwrap_or(u16::MAX);
    let proven = verdict == Verdict::Right && at.book.register.election.auth == AuthPolicy::UnknownPhones;
    if proven {
        who.refused = None;
    }
    let mut report = std::mem::take(&mut found.report);
    let entry = found.checklist.as_ref().and_then(|c| at.book.entries.get(&c.prefix));
    if let Some(observer) = who.observer
        && out.observer.is_none()
    {
        out.observer = Some(observer.id);
        out.language = SmolStr::new(at.book.register.language(observer));
    }
    let refused = match entry {
        None => Some(Outcome::UnknownChecklist),
        Some(entry) => refusal(out.order.received_us, at, entry, found.doubtful, &who).or_else(|| {
            let observer = who.observer?;
            if let Verdict::Right | Verdict::Wrong = verdict {
                out.tried.push(Tried {
                    place,
                    observer: observer.id,
                    own_phone: who.verified,
                    right: verdict == Verdict::Right,
                    lockout: at.book.register.election.lockout,
                });
            }
            let kind = match verdict {
                Verdict::Missing(kind) => Some(kind),
                Verdict::Wrong => Some("wrong_code"),
                Verdict::Right | Verdict::NotAsked => None,
            };
            if let Some(kind) = kind {
                report.notes.push(Note { kind: SmolStr::new_static(kind), detail: String::new() });
                return Some(Outcome::WrongCode);
            }
            who.refused.filter(|_| !at.vouched).or_else(|| {
                // Nothing of it can be recorded.
                (report.answers.is_empty() && report.comment.is_none()).then_some(Outcome::Unclear)
            })
        }),
    };
    let (Some(entry), Some(observer), None) = (entry, who.observer, refused) else {
        let instead = entry.and_then(|e| e.instead.clone());
        let checklist = entry.map(|e| Arc::clone(&e.checklist));
        let (report, outcome) = (Arc::new(report), refused.unwrap_or(Outcome::Unclear));
        out.unknown.push(super::Refused { place, checklist, report, outcome, instead, minutes: 0, quiet: false });
        return;
    };
    if !who.verified {
        let kind = match () {
            () if at.vouched => "vouched",
            () if proven => "proven_by_code",
            () => "unverified_phone",
        };
        report.notes.push(Note { kind: SmolStr::new_static(kind), detail: String::new() });
    }
    if report.prefix != entry.checklist.prefix {
        report.prefix = SmolStr::new(&entry.checklist.prefix);
    }
    if entry.checklist.version != entry.in_use.checklist.version {
        report.notes.push(Note { kind: SmolStr::new_static("version"), detail: entry.checklist.version.to_string() });
    }
    let key = SubmissionKey {
        election: at.book.register.election.id,
        prefix: report.prefix.clone(),
        observer: observer.id,
        serial: report.serial.clone(),
        incident: report.incident.then_some((out.order.record, place)),
    };
    let figures = observer.station.as_ref().map_or_else(Vec::new, |s| match entry.logic.figures() {
        [] => Vec::new(),
        wanted => at.book.register.figures(s, wanted),
    });
    let refusals = refuse(&mut report, &entry.logic, &figures, &out.language);
    let checklist = Arc::clone(&entry.checklist);
    let logic = Arc::clone(&entry.logic);
    let (station, report) = (observer.station, Arc::new(report));
    out.known.push(KnownReport { key, checklist, logic, figures, station, place, report, refusals });
}

/// Why nothing of a report is recorded, the first reason that there is.
fn refusal(received_us: i64, at: &Context<'_>, entry: &Entry, doubtful: bool, who: &Who<'_>) -> Option<Outcome> {
    let state = if at.vouched { entry.in_use.checklist.state } else { entry.in_use.state_at(received_us) };
    match state {
        _ if at.closed => return Some(Outcome::Closed),
        ChecklistState::Draft => return Some(Outcome::Draft),
        ChecklistState::Paused => return Some(Outcome::Paused),
        ChecklistState::Closed => return Some(Outcome::Closed),
        ChecklistState::Live => {}
    }
    if entry.instead.is_some() {
        return Some(Outcome::Outdated);
    }
    if doubtful {
        return Some(Outcome::Unclear);
    }
    who.observer.is_none().then_some(Outcome::UnknownObserver)
}

/// Takes out the answers that a rule refuses beside the report's other answers; what the rules say.
/// The report alone decides, so that every host decides alike.
fn refuse(report: &mut Report, rules: &logic::Logic, figures: &[(Box<str>, i64)], language: &str) -> Vec<String> {
    let mut said = Vec::new();
    let mut codes: Vec<SmolStr> = Vec::new();
    for (check, of) in logic::refused(rules, &report.answers, figures) {
        said.push(check.message(language, &logic::facts(&report.answers, figures)));
        codes.extend(of.into_iter().map(SmolStr::from));
        report.notes.push(Note { kind: SmolStr::new_static("rule"), detail: check.rule.name.clone() });
    }
    for code in codes {
        if let Some(value) = report.answers.remove(&code) {
            let value = value.as_ref().map_or_else(String::new, logic::written);
            report.rejected.push(Rejected { code, reason: Reason::Rule, value });
        }
    }
    said
}
