//! The checklists that messages are made for, and right answers to them.

use std::sync::Arc;

use scrutineer::domain::checklist::{Checklist, Question, QuestionType, check_json};
use scrutineer::domain::value::Value;
use scrutineer::grammar::{Lexicon, Setting};
use serde_json::json;

use super::Chance;

/// Two plain checklists, one with codes of I, L and O, an incident list, and a numbered one.
pub fn checklists() -> Vec<Checklist> {
    let options =
        |n: u16| (1..=n).map(|i| (i.to_string(), json!(format!("Option {i}")))).collect::<serde_json::Map<_, _>>();
    let count =
        |code: &str, max: i64| json!({"code":code,"type":"count","max":max,"text":"?","null_value":max * 10 + 9});
    let file = json!({"observer_digits": 5, "checklists": [
        {"prefix":"VQ","title":"Midday","questions":[
            count("KA", 900), {"code":"KB","type":"yes_no","text":"?"}, {"code":"KC","type":"time","text":"?"},
            {"code":"KD","type":"choice","options":options(4),"text":"?"}, {"code":"KE","type":"multi_choice","options":options(6),"text":"?"},
            count("KF", 4000), {"code":"KG","type":"yes_no","text":"?"}, count("KH", 60),
            {"code":"KJ","type":"decimal","max":100,"text":"?"}, {"code":"KM","type":"date","text":"?"}]},
        {"prefix":"TALLY","title":"Count","questions":[
            count("A", 3000), count("B", 3000), count("C", 3000), count("DD", 3000), count("EEE", 9000), count("F", 9)]},
        {"prefix":"LIO","title":"Letters like digits","questions":[
            count("OI", 800), count("LO", 800), {"code":"IO","type":"yes_no","text":"?"}, {"code":"LL","type":"time","text":"?"},
            {"code":"IL","type":"multi_choice","options":options(5),"text":"?"}, count("OO", 40)]},
        {"prefix":"ZN","title":"Incident","kind":"incident","questions":[
            {"code":"WA","type":"flag","text":"?"}, {"code":"WB","type":"flag","text":"?"}, {"code":"WE","type":"flag","text":"?"},
            {"code":"WH","type":"flag","text":"?"}, {"code":"WK","type":"flag","text":"?"}]},
        {"prefix":"NUM","title":"Numbered","grammar":"keyed","questions":[
            count("QA", 900), {"code":"QB","type":"yes_no","text":"?"}, {"code":"QC","type":"choice","options":options(5),"text":"?"},
            {"code":"QD","type":"text","text":"?"}, {"code":"QE","type":"multi_choice","options":options(6),"text":"?"},
            {"code":"QF","type":"time","text":"?"}, {"code":"QG","type":"decimal","max":"50","text":"?"}, count("QH", 4000)]}]});
    check_json(&file).unwrap_or_else(|faults| panic!("{faults:?}")).checklists
}

/// The checklists ready for reading.
pub fn lexicon() -> Lexicon {
    let setting = Setting {
        observer_lengths: vec![5],
        languages: ["en", "fr", "pt", "es", "ar", "sw"].map(str::to_owned).into(),
        ..Setting::default()
    };
    Lexicon::new(checklists().into_iter().map(Arc::new), setting)
}

/// A right answer with the plainest way to text it.
pub fn answer(question: &Question, chance: &mut Chance) -> (Value, String) {
    match &question.kind {
        QuestionType::Count { max, .. } => {
            let n = chance.below(usize::try_from(*max).unwrap() + 1) as i64;
            (Value::Number(n), n.to_string())
        }
        QuestionType::YesNo { .. } => {
            let no = chance.below(2);
            (Value::Bool(no == 0), (no + 1).to_string())
        }
        QuestionType::Choice { options } => {
            let n = chance.below(options.len()) + 1;
            (Value::Number(n as i64), n.to_string())
        }
        QuestionType::MultiChoice { options } => {
            let mut chosen: Vec<u16> = options.keys().copied().filter(|_| chance.one_in(2)).collect();
            if chosen.is_empty() {
                chosen.push(1);
            }
            let text = chosen.iter().map(u16::to_string).collect();
            (Value::Options(chosen), text)
        }
        QuestionType::Time { .. } => {
            let (h, m) = (chance.below(24), chance.below(60));
            (Value::Text(format!("{h:02}:{m:02}")), format!("{h:02}{m:02}"))
        }
        QuestionType::Date { .. } => {
            let (m, d) = (chance.below(12) + 1, chance.below(28) + 1);
            (Value::Text(format!("2026-{m:02}-{d:02}")), format!("2026{m:02}{d:02}"))
        }
        QuestionType::Decimal { .. } => {
            let (whole, tenth) = (chance.below(40), chance.below(9) + 1);
            (Value::Text(format!("{whole}.{tenth}")), format!("{whole}.{tenth}"))
        }
        QuestionType::Flag {} => (Value::Bool(true), String::new()),
        QuestionType::Text {} => {
            let words = chance.of(&["all calm", "long queue, two officials", "seals broken and replaced"]);
            (Value::Text(words.to_owned()), words.to_owned())
        }
    }
}
