//! How a reading is judged against what was meant.

use std::collections::BTreeMap;

use scrutineer::domain::value::Value;
use scrutineer::grammar::Reading;

use super::{Expect, Message};

/// Figures of one kind of noise.
#[derive(Debug, Default, Clone)]
pub struct Figures {
    pub messages: usize,
    pub must: usize,
    pub recovered: usize,
    /// Texts with an answer that was recorded as something else.
    pub wrong: Vec<String>,
    /// Texts with a code that was neither recorded nor reported back.
    pub lost: Vec<String>,
    /// Texts with an answer that had to be recorded and was reported back.
    pub refused: Vec<String>,
}

/// Judges one reading.
pub fn score(message: &Message, reading: &Reading, figures: &mut BTreeMap<&'static str, Figures>) {
    let of = figures.entry(message.kind).or_default();
    of.messages += 1;
    let quoted = reading.reports.iter().map(|f| f.report.leftover.as_str()).chain([reading.leftover.as_str()]);
    let quoted = quoted.collect::<Vec<_>>().join(" ").to_uppercase();
    let nothing = reading.reports.iter().all(|f| f.doubtful || f.checklist.is_none() || f.report.answers.is_empty());
    let mine = |prefix: &str, observer: &str| {
        let same = move |f: &&scrutineer::grammar::Found| {
            f.report.prefix == prefix
                && f.report.observer.as_deref() == Some(observer)
                && !f.doubtful
                && f.checklist.is_some()
        };
        reading.reports.iter().filter(same).collect::<Vec<_>>()
    };
    for meant in &message.meant {
        let mine = mine(&meant.prefix, &meant.observer);
        for (code, expect) in &meant.codes {
            let got = mine.iter().find_map(|f| f.report.answers.get(code)).and_then(Option::as_ref);
            let what = |why: &str| format!("{why} {code} {expect:?} got {got:?} of {:?}{}", message.text, gap(message));
            of.must += usize::from(matches!(expect, Expect::Must(_)));
            match (expect, got) {
                (Expect::Must(want) | Expect::Either(want), Some(value)) if same(want, value) => {
                    of.recovered += usize::from(matches!(expect, Expect::Must(_)));
                }
                (_, Some(_)) => of.wrong.push(what("wrong")),
                (_, None) => {
                    // Somebody else's code of observer is refused by the roster.
                    let told = nothing
                        || mine.is_empty()
                        || quoted.contains(code.as_str())
                        || mine.iter().any(|f| {
                            f.report.rejected.iter().any(|r| r.code == *code || r.code.starts_with(code.as_str()))
                        });
                    if !told {
                        of.lost.push(what("lost"));
                    } else if matches!(expect, Expect::Must(_)) {
                        of.refused.push(what("refused"));
                    }
                }
            }
        }
        if let Some(comment) = &meant.comment
            && !reading.reports.iter().any(|f| f.report.comment.as_deref().is_some_and(|c| c == comment))
        {
            of.lost.push(format!("comment {comment:?} of {:?}", message.text));
        }
    }
    for found in reading.reports.iter().filter(|f| f.checklist.is_some() && !f.doubtful) {
        let sent = |code: &str| {
            message.meant.iter().any(|m| {
                m.prefix == found.report.prefix
                    && Some(m.observer.as_str()) == found.report.observer.as_deref()
                    && m.codes.contains_key(code)
            })
        };
        // A code of observer that nobody has records nothing.
        let exists = message.meant.iter().any(|m| Some(m.observer.as_str()) == found.report.observer.as_deref());
        for code in found.report.answers.keys().filter(|c| exists && !sent(c)) {
            of.wrong.push(format!("never sent {code} in {:?}{}", message.text, gap(message)));
        }
    }
}

/// Free text is kept as it came, with the marks and signs that stand in it.
fn same(want: &Value, got: &Value) -> bool {
    let squeeze = |t: &str| t.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    match (want, got) {
        (Value::Text(want), Value::Text(got)) if want.contains(' ') => squeeze(got).starts_with(&squeeze(want)),
        _ => want == got,
    }
}

fn gap(message: &Message) -> String {
    if message.gaps.is_empty() { String::new() } else { format!(" gaps {:?}", message.gaps) }
}

/// The figures as a table.
pub fn table(figures: &BTreeMap<&'static str, Figures>) -> String {
    let mut out = format!("{:<22} {:>6} {:>7} {:>7} {:>6} {:>5}\n", "noise", "msgs", "must", "recov%", "wrong", "lost");
    for (kind, f) in figures {
        let share = if f.must == 0 { 100.0 } else { 100.0 * f.recovered as f64 / f.must as f64 };
        out += &format!(
            "{kind:<22} {:>6} {:>7} {share:>7.2} {:>6} {:>5}\n",
            f.messages,
            f.must,
            f.wrong.len(),
            f.lost.len()
        );
    }
    out
}
