//! Who speaks, in which election, about what.

use std::sync::Arc;

use super::books::{Book, Books};
use super::{Incoming, KnownReport, Understanding};
use crate::domain::outcome::Outcome;
use crate::domain::report::{Note, Report};
use crate::domain::roster::Observer;
use crate::domain::submission::SubmissionKey;
use crate::grammar::{self, Found, Reading};

/// Digits below which a sender is a short code.
const PHONE_DIGITS_MIN: usize = 7;
/// `TON` of alphanumeric senders (SMPP 3.4 section 5.2.5).
const TON_ALPHANUMERIC: u8 = 5;

/// What a text means, and which submissions it touches.
pub fn understand(incoming: &Incoming<'_>, books: &Books) -> Understanding {
    let mut out = Understanding {
        order: incoming.order,
        refused: None,
        election: None,
        observer: None,
        known: Vec::new(),
        unknown: Vec::new(),
        leftover: String::new(),
        comment: None,
        notes: Vec::new(),
        language: "en".to_owned(),
        command: None,
    };
    let phone = digits(incoming.sender);
    let now = incoming.order.received_us;
    let open = || books.books.iter().filter(|b| b.register.election.was_open(now));
    let owner = open().find_map(|book| book.register.sole_owner(&phone).map(|observer| (book, observer)));
    match (&owner, books.books.first()) {
        (Some((book, observer)), _) => out.language = language(book, Some(observer)),
        (None, _) => {
            if let Some(book) = open().next().or(books.books.first()) {
                out.language = language(book, None);
            }
        }
    }
    if never_answered(incoming, &phone) {
        out.refused = Some(Outcome::Ignored);
        return out;
    }
    if let Some(word) = grammar::command(incoming.text) {
        if let Some((book, observer)) = owner {
            (out.election, out.observer) = (Some(book.register.election.id), Some(observer.id));
        }
        (out.refused, out.command) = (Some(Outcome::Command), Some(word.to_owned()));
        return out;
    }
    // The election that knows prefix and observer, else one that knows the prefix, else the newest open one.
    let mut best: Option<(u8, &Book, Reading)> = None;
    for book in books.books.iter() {
        let opened = book.register.election.was_open(now);
        let reading = grammar::read(&book.lexicon, incoming.text, &incoming.gaps);
        let prefix = reading.reports.iter().any(|f| f.checklist.is_some());
        let observer = reading.reports.iter().any(|f| f.checklist.is_some() && sender(book, f, &phone).is_some());
        let worth = match (opened, prefix, observer) {
            (true, true, true) => 5,
            (true, true, false) => 4,
            (false, true, true) => 3,
            (false, true, false) => 2,
            (true, false, _) => 1,
            (false, false, _) => 0,
        };
        if best.as_ref().is_none_or(|(least, ..)| worth > *least) {
            best = Some((worth, book, reading));
        }
        if worth == 5 {
            break;
        }
    }
    let Some((worth, book, reading)) = best else {
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
    let closed = !book.register.election.was_open(now);
    for (place, found) in reading.reports.into_iter().enumerate() {
        report(&mut out, book, &phone, place, found, closed);
    }
    if out.known.is_empty() {
        let worst = out.unknown.iter().map(|(_, outcome)| *outcome).max_by_key(|o| super::settle::rank(*o));
        out.refused = Some(worst.unwrap_or(Outcome::UnknownChecklist));
    }
    out
}

/// Short codes, alphanumeric senders and our own number: an answer would begin a loop or reach nobody.
fn never_answered(incoming: &Incoming<'_>, phone: &str) -> bool {
    incoming.sender_ton == TON_ALPHANUMERIC
        || incoming.sender.chars().any(char::is_alphabetic)
        || phone.len() < PHONE_DIGITS_MIN
        || phone == digits(incoming.destination)
}

/// A phone in international form, digits only.
fn digits(address: &str) -> String {
    let digits: String = address.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("00") {
        Some(rest) if !address.starts_with('+') => rest.to_owned(),
        _ => digits,
    }
}

fn language(book: &Book, observer: Option<&Observer>) -> String {
    observer.and_then(|o| o.language.as_deref()).unwrap_or(&book.register.election.language).to_owned()
}

/// The observer who reports: by the code in the text, else by the phone where the election lets it.
fn sender<'a>(book: &'a Book, found: &Found, phone: &str) -> Option<&'a Observer> {
    match &found.report.observer {
        Some(code) => book.register.observer(code),
        None if book.register.election.phone_identifies => book.register.sole_owner(phone),
        None => None,
    }
}

fn report(out: &mut Understanding, book: &Book, phone: &str, place: usize, found: Found, closed: bool) {
    let observer = sender(book, &found, phone);
    let Found { mut report, checklist, doubtful, .. } = found;
    if let Some(observer) = observer
        && out.observer.is_none()
    {
        out.observer = Some(observer.id);
        out.language = language(book, Some(observer));
    }
    let refused = match (&checklist, observer) {
        (None, _) => Some(Outcome::UnknownChecklist),
        _ if closed => Some(Outcome::Closed),
        _ if doubtful => Some(Outcome::Unclear),
        (_, None) => Some(Outcome::UnknownObserver),
        _ if is_empty(&report) => Some(Outcome::Unclear),
        _ => None,
    };
    let (Some(checklist), Some(observer), None) = (checklist, observer, refused) else {
        out.unknown.push((report, refused.unwrap_or(Outcome::Unclear)));
        return;
    };
    if !book.register.phone_belongs(phone, observer) {
        report.notes.push(Note { kind: "unverified_phone".to_owned(), detail: String::new() });
    }
    let place = u16::try_from(place).unwrap_or(u16::MAX);
    let key = SubmissionKey {
        election: book.register.election.id,
        prefix: report.prefix.clone(),
        observer: observer.id,
        serial: report.serial.clone(),
        incident: report.incident.then_some((out.order.record, place)),
    };
    let rules = book.rules.get(&report.prefix).cloned().unwrap_or_else(|| Arc::from([]));
    out.known.push(KnownReport { key, checklist, station: observer.station, place, report, rules });
}

/// Nothing of it can be recorded.
fn is_empty(report: &Report) -> bool {
    report.answers.is_empty() && report.comment.is_none()
}
