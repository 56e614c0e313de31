//! What was not understood, or waits for staff: which outcomes, and in words what is wrong.

use serde_json::Value;

use super::outcome::Outcome;

/// Outcomes, as their words, that a list of trouble shows unless it is asked for others. Of those that were
/// taken in part only the ones with text that nobody understood are trouble.
pub const TROUBLE: [&str; 6] = ["unclear", "unknown_observer", "unknown_checklist", "partial", "held", "set_aside"];
/// Others that such a list can be asked for: refused for another reason than the text.
pub const REFUSED: [&str; 7] = ["wrong_code", "locked", "unverified", "outdated", "closed", "draft", "paused"];
/// Reasons named of one message.
const REASONS_MAX: usize = 6;
/// Characters quoted of a text.
const QUOTED: usize = 60;

/// Outcomes that can be asked for, in the order in which pages list them.
pub fn outcomes() -> impl Iterator<Item = Outcome> {
    TROUBLE.iter().chain(&REFUSED).filter_map(|word| Outcome::from_word(word))
}

/// In words, from the JSON that stands with a message. It is read leniently.
pub fn reasons(outcome: Outcome, reading: Option<&Value>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let none = Value::Null;
    let reading = reading.unwrap_or(&none);
    let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    for unknown in list(reading, "unknown") {
        let report = &unknown["report"];
        let head = format!("{} {}", word(report, "prefix"), word(report, "observer"));
        let why = match word(&unknown, "outcome").as_str() {
            "unknown_observer" if word(report, "observer").is_empty() => "no observer code",
            "unknown_observer" => "nobody has this observer code",
            "unknown_checklist" => "no checklist of this name",
            "closed" => "the election was not open",
            "unclear" => "who reports, or what, can be read in more than one way, or nothing is in it",
            "held" => "its phone is not the observer's: it waits for staff",
            "unverified" => "its phone is not the observer's",
            "wrong_code" => match noted(report) {
                "no_code" => "no authentication code",
                "code_not_set" => "an authentication code is asked for and the observer has none: set one",
                _ => "a wrong authentication code",
            },
            "locked" => "locked after too many wrong authentication codes",
            "outdated" => "an old version of the checklist",
            "paused" => "the checklist was paused",
            "draft" => "the checklist was not in use yet",
            _ => "not taken",
        };
        out.push(format!("{}: {why}", head.trim()));
        out.extend(of_report(report));
    }
    for report in list(reading, "reports") {
        out.extend(of_report(&report));
    }
    let leftover = word(reading, "leftover");
    if !leftover.is_empty() {
        out.push(format!("not understood: {}", quote(&leftover)));
    }
    if out.is_empty() {
        let why = match outcome {
            Outcome::UnknownChecklist => "it begins with no checklist's letters",
            Outcome::UnknownObserver => "its sender is not known",
            Outcome::SetAside => "it could not be processed",
            _ => "",
        };
        out.extend((!why.is_empty()).then(|| why.to_owned()));
    }
    let more = out.len().saturating_sub(REASONS_MAX);
    out.truncate(REASONS_MAX);
    if more > 0 {
        out.push(format!("and {more} more"));
    }
    out
}

/// What a report without a right authentication code is noted for.
fn noted(report: &Value) -> &str {
    let notes = report["notes"].as_array().into_iter().flatten();
    let mut kinds = notes.filter_map(|note| note["kind"].as_str());
    kinds.find(|kind| matches!(*kind, "no_code" | "code_not_set")).unwrap_or_default()
}

fn of_report(report: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for rejected in report["rejected"].as_array().into_iter().flatten() {
        let code = rejected["code"].as_str().unwrap_or_default();
        let value = rejected["value"].as_str().unwrap_or_default();
        let why = match rejected["reason"].as_str().unwrap_or_default() {
            "unknown_code" => "no such question",
            "out_of_range" => "out of range",
            "not_an_option" => "not an option",
            "no_value" => "no value",
            "wrong_type" => "not a value of this kind",
            "cut" => "touches a part of the text that never came",
            _ => "can be read in more than one way",
        };
        out.push(format!("{code} {}: {why}", quote(value)).replace("  ", " ").replace(" :", ":"));
    }
    let leftover = report["leftover"].as_str().unwrap_or_default();
    if !leftover.is_empty() {
        out.push(format!("not understood: {}", quote(leftover)));
    }
    out
}

fn quote(text: &str) -> String {
    let mut quoted: String = text.chars().take(QUOTED).collect();
    if quoted.len() < text.len() {
        quoted.push('…');
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_said_in_words() {
        let reading = json!({"reports": [{"prefix": "PS", "rejected": [{"code": "AA", "value": "51", "reason": "out_of_range"},
            {"code": "BA", "value": "", "reason": "no_value"}], "leftover": "hello 7"}]});
        assert_eq!(
            reasons(Outcome::Partial, Some(&reading)),
            ["AA 51: out of range", "BA: no value", "not understood: hello 7"]
        );
        let unknown =
            json!({"unknown": [{"outcome": "unknown_observer", "report": {"prefix": "PS", "observer": "999"}}]});
        assert_eq!(reasons(Outcome::UnknownObserver, Some(&unknown)), ["PS 999: nobody has this observer code"]);
        assert_eq!(reasons(Outcome::UnknownChecklist, None), ["it begins with no checklist's letters"]);
    }

    #[test]
    fn any_json_gives_words_and_no_panic() {
        for odd in [json!(7), json!([]), json!({"reports": 1, "unknown": [1, {"report": []}]})] {
            let _ = reasons(Outcome::Unclear, Some(&odd));
        }
    }
}
