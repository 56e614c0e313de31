//! One question: its keys, and what its type allows.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::faults::{Faults, letters};
use crate::domain::decimal::Decimal;

pub(super) fn question(object: &Map<String, Value>, place: &str, faults: &mut Faults) {
    let code = faults.text(place, object, "code").unwrap_or_default();
    letters(place, code, "code", faults);
    faults.translated(place, object.get("text"), "text");
    faults.yes_no(place, object, "required");
    if object.get("section").is_some_and(|s| s.as_str().is_none_or(|s| s.trim().is_empty())) {
        faults.add(place, "`section` must be a text in quotes");
    }
    let null = faults.whole(place, object, "null_value");
    if null.is_some_and(|n| n < 0) {
        faults.add(place, "`null_value` must not be below 0: observers cannot text it");
    }
    let Some(kind) = faults.text(place, object, "type") else { return };
    let own: &[&str] = match kind {
        "count" | "time" | "decimal" | "date" => &["min", "max"],
        "yes_no" | "yesno" | "choice" | "multi_choice" | "multi" => &["options"],
        "flag" | "text" => &[],
        _ => {
            let known = "count, decimal, yes_no, choice, multi_choice, time, date, flag, text";
            return faults.add(place, format!("`type` is `{kind}`; it must be one of {known}"));
        }
    };
    let mut known = vec!["code", "type", "text", "required", "null_value", "section", "when"];
    known.extend(own);
    faults.unknown_keys(place, object, &known);
    match kind {
        "count" => count(object, place, null, faults),
        "time" => time(object, place, null, faults),
        "flag" if null.is_some() => faults.add(place, "a flag has no `null_value`: remove it"),
        "text" if null.is_some() => faults.add(place, "a text has no `null_value`: remove it"),
        "flag" | "text" => {}
        "decimal" => decimal(object, place, null, faults),
        "date" => date(object, place, null, faults),
        _ => options(object, place, kind, null, faults),
    }
}

fn count(object: &Map<String, Value>, place: &str, null: Option<i64>, faults: &mut Faults) {
    let min = faults.whole(place, object, "min").unwrap_or(0);
    if !object.contains_key("max") {
        faults.add(place, "`max` is missing: say how great the number may be");
    }
    let Some(max) = faults.whole(place, object, "max") else { return };
    if min > max {
        faults.add(place, format!("`min` {min} is above `max` {max}: no answer could ever be right"));
    }
    if let Some(null) = null.filter(|n| (min..=max).contains(n)) {
        let message = format!("`null_value` {null} lies between `min` {min} and `max` {max}: choose one beyond");
        faults.add(place, message);
    }
}

fn time(object: &Map<String, Value>, place: &str, null: Option<i64>, faults: &mut Faults) {
    let mut at = |key: &str, default: u16| match object.get(key) {
        None => Some(default),
        Some(value) => {
            let minutes = value.as_str().and_then(minutes);
            if minutes.is_none() {
                faults.add(place, format!("`{key}` is {value}; write a time as \"HHMM\", from \"0000\" to \"2359\""));
            }
            minutes
        }
    };
    let (Some(min), Some(max)) = (at("min", 0), at("max", 24 * 60 - 1)) else { return };
    if min > max {
        faults.add(place, "`min` is later than `max`: no answer could ever be right");
    }
    if null.is_some_and(|n| minutes(&format!("{n:04}")).is_some()) {
        faults.add(place, "`null_value` is a time of day too: choose one such as 9999");
    }
}

fn decimal(object: &Map<String, Value>, place: &str, null: Option<i64>, faults: &mut Faults) {
    let mut read = |key: &str| -> Option<Decimal> {
        let value = object.get(key)?;
        let read = serde_json::from_value(value.clone()).ok();
        if read.is_none() {
            faults.add(place, format!("`{key}` is {value}; write a number such as \"12.5\", 6 digits after the point"));
        }
        read
    };
    let (min, max) = (read("min"), read("max"));
    if !object.contains_key("max") {
        faults.add(place, "`max` is missing: say how great the number may be");
    }
    let (min, Some(max)) = (min.unwrap_or_default(), max) else { return };
    if min > max {
        faults.add(place, format!("`min` {min} is above `max` {max}: no answer could ever be right"));
    }
    let null = null.and_then(|n| n.to_string().parse::<Decimal>().ok());
    if let Some(null) = null.filter(|n| (min..=max).contains(n)) {
        let message = format!("`null_value` {null} lies between `min` {min} and `max` {max}: choose one beyond");
        faults.add(place, message);
    }
}

fn date(object: &Map<String, Value>, place: &str, null: Option<i64>, faults: &mut Faults) {
    let mut at = |key: &str| {
        let value = object.get(key)?;
        let day = value.as_str().and_then(day);
        if day.is_none() {
            faults.add(place, format!("`{key}` is {value}; write a date as \"YYYYMMDD\""));
        }
        day
    };
    if let (Some(min), Some(max)) = (at("min"), at("max"))
        && min > max
    {
        faults.add(place, "`min` is later than `max`: no answer could ever be right");
    }
    if null.is_some_and(|n| day(&format!("{n:08}")).is_some()) {
        faults.add(place, "`null_value` is a date too: choose one such as 99999999");
    }
}

fn options(object: &Map<String, Value>, place: &str, kind: &str, null: Option<i64>, faults: &mut Faults) {
    let list = match object.get("options") {
        Some(Value::Object(list)) => list,
        Some(_) => return faults.add(place, "`options` must be an object: {\"1\": \"Yes\", \"2\": \"No\"}"),
        None if kind.starts_with("yes") => return,
        None => return faults.add(place, "`options` is missing: {\"1\": \"Good\", \"2\": \"Bad\"}"),
    };
    let yes_no = kind.starts_with("yes");
    if yes_no && list.len() != 2 {
        faults.add(place, format!("{} options; yes_no has two, the first of them meaning yes", list.len()));
    } else if list.is_empty() {
        faults.add(place, "`options` is empty: give at least one");
    }
    let mut numbers = BTreeSet::new();
    for (key, label) in list {
        match key.parse::<u16>() {
            Ok(n) if n.to_string() == *key => {
                numbers.insert(n);
            }
            _ => faults
                .add(place, format!("option `{key}` must be a whole number from 0 to 65535, as observers text it")),
        }
        faults.translated(place, Some(label), &format!("options, {key}"));
    }
    let digits = |n: u64| n.to_string().bytes().all(|b| numbers.contains(&u16::from(b - b'0')));
    if kind.starts_with("multi") {
        for n in numbers.iter().filter(|n| **n > 9 && digits(u64::from(**n))) {
            let apart = n.to_string().chars().map(String::from).collect::<Vec<_>>().join(" and ");
            let message = format!(
                "option {n} looks like {apart} run together: observers cannot tell them apart; use numbers up to 9"
            );
            faults.add(place, message);
        }
    }
    if let Some(null) = null {
        if u16::try_from(null).is_ok_and(|n| numbers.contains(&n)) {
            faults.add(place, format!("`null_value` {null} is an option too: choose another"));
        } else if kind.starts_with("multi") && digits(null.unsigned_abs()) {
            faults.add(place, format!("`null_value` {null} looks like options run together: choose another"));
        }
    }
}

/// Minutes since midnight of `HHMM`.
pub(crate) fn minutes(hhmm: &str) -> Option<u16> {
    let (hours, minutes) = hhmm.split_at_checked(2)?;
    if hhmm.len() != 4 || !hhmm.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// The day of `YYYYMMDD`, where the calendar has it.
pub(crate) fn day(written: &str) -> Option<time::Date> {
    if written.len() != 8 || !written.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| written.get(from..to)?.parse::<u16>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    time::Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}
