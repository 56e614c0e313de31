//! A made-up day read by the grammar and decided in memory, without processes or database: the
//! generator and the program must agree on every text.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::domain::election::Election;
use crate::domain::order::{OrderKey, RecordKey};
use crate::domain::roster::{NewObserver, Register, Roster, Station};
use crate::generator::Day;
use crate::intake::decide::{Books, Incoming, PresentStates, Replies, settle, understand};

fn register(day: &Day) -> Register {
    let forms = Form::ALL.map(|f| f.checklist().unwrap().into()).into();
    let mut register = Register::new(Election::plain(1, "demo"), forms);
    for i in 0..day.sample.len() {
        let o = day.sample.observer(i);
        let station = day.country.station(o.station);
        let phones = [day.sample.phone(i)];
        register.add(&NewObserver {
            id: i.cast_signed(),
            code: &o.code,
            language: Some(o.language),
            station: Some(Station {
                id: o.station.cast_signed(),
                registered_voters: Some(station.registered.cast_signed()),
            }),
            phones: &phones,
        });
    }
    register.sort();
    register
}

/// What is wrong with a day: each text of another outcome, other answers or without reply.
fn play(seed: u64, observers: u32) -> Vec<String> {
    let day = Day::new(seed, 600, observers, 0.1);
    let books = Books::new(&Roster { version: 1, books: vec![Arc::new(register(&day))] });
    let (mut present, replies) = (PresentStates::default(), Replies::built_in());
    let mut wrong = Vec::new();
    for (event, number) in day.events().zip(1u64..) {
        let record = RecordKey { spool: Uuid::nil(), sequence: number };
        let incoming = Incoming {
            order: OrderKey { received_us: number.cast_signed(), record },
            sender: &event.phone,
            sender_ton: 1,
            destination: "4040",
            text: &event.text,
            vouched: false,
            gaps: Vec::new(),
        };
        let understanding = understand(&incoming, &books);
        let decision = settle(&understanding, &mut present, &replies);
        let due = &event.expected;
        let answers = |list: &[ExpectedReport]| list.iter().map(|r| r.answers.clone()).collect::<Vec<_>>();
        let got: Vec<Answers> = decision.changes.iter().map(|c| c.assertion.answers.clone()).collect();
        let rejected = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect::<Vec<String>>();
        let sent_back =
            rejected(understanding.known.iter().flat_map(|k| &k.report.rejected).map(|r| r.code.as_str()).collect());
        let due_back = rejected(due.reports.iter().flat_map(|r| &r.rejected).map(|(code, _)| *code).collect());
        if decision.outcome != due.outcome
            || got != answers(&due.reports)
            || sent_back != due_back
            || decision.reply.is_none()
        {
            wrong.push(format!(
                "{} in place of {}, back {sent_back:?}: {}\n  got {got:?}\n  due {:?}\n  {}",
                decision.outcome,
                due.outcome,
                event.text,
                answers(&due.reports),
                decision.reading.json()
            ));
        }
    }
    wrong
}

#[test]
fn every_text_of_made_up_days_is_read_as_the_observer_meant_it() {
    let wrong: Vec<String> = (1..=4).flat_map(|seed| play(seed, 300)).collect();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
