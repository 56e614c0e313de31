//! An answer in the words of its checklist.

use crate::domain::checklist::{Question, QuestionType, Translated};
use crate::domain::value::Value;
use std::collections::BTreeMap;

/// The value as a person reads it: options by number and label.
pub(super) fn words(question: Option<&Question>, value: &Value, language: &str) -> String {
    let options = match question.map(|q| &q.kind) {
        Some(
            QuestionType::YesNo { options } | QuestionType::Choice { options } | QuestionType::MultiChoice { options },
        ) => Some(options),
        _ => None,
    };
    match value {
        Value::Bool(_) if question.is_some_and(|q| matches!(q.kind, QuestionType::Flag {})) => "Noted".to_owned(),
        Value::Bool(yes) => {
            // The option that means yes is the first.
            let label = options.and_then(|o| o.values().nth(usize::from(!yes))).map(|t| t.get(language));
            label.unwrap_or(if *yes { "Yes" } else { "No" }).to_owned()
        }
        Value::Number(n) => match options {
            Some(options) => option(options, u16::try_from(*n).ok(), language).unwrap_or_else(|| n.to_string()),
            None => n.to_string(),
        },
        Value::Options(list) => list
            .iter()
            .map(|n| options.and_then(|o| option(o, Some(*n), language)).unwrap_or_else(|| n.to_string()))
            .collect::<Vec<_>>()
            .join("; "),
        Value::NotAvailable { na } => format!("Not available ({na})"),
        Value::Text(text) => text.clone(),
    }
}

fn option(options: &BTreeMap<u16, Translated>, number: Option<u16>, language: &str) -> Option<String> {
    let number = number?;
    Some(format!("{number}: {}", options.get(&number)?.get(language)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(json: &str) -> Question {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn options_are_named_and_an_unknown_one_keeps_its_number() {
        let q = question(
            r#"{"code":"BA","text":"?","type":"choice","options":{"1":"Early","2":{"en":"On time","fr":"À l’heure"}}}"#,
        );
        assert_eq!(words(Some(&q), &Value::Number(2), "fr"), "2: À l’heure");
        assert_eq!(words(Some(&q), &Value::Number(7), "fr"), "7");
        assert_eq!(words(None, &Value::Options(vec![1, 3]), "en"), "1; 3");
    }

    #[test]
    fn the_first_option_of_a_yes_no_means_yes() {
        let q = question(r#"{"code":"AA","text":"?","type":"yes_no","options":{"1":"Present","2":"Absent"}}"#);
        assert_eq!(words(Some(&q), &Value::Bool(true), "en"), "Present");
        assert_eq!(words(Some(&q), &Value::Bool(false), "en"), "Absent");
        let plain = question(r#"{"code":"AA","text":"?","type":"yes_no"}"#);
        assert_eq!(words(Some(&plain), &Value::Bool(false), "en"), "No");
    }
}
