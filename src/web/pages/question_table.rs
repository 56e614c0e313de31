//! Summaries of questions as CSV and JSON: a row a question, area and value, with what it is a share of.

use axum::response::Response;

use crate::analysis::summary::{Bars, Spread, Summary};
use crate::domain::checklist::Question;
use crate::store::pages::question::{ByArea, Questions};
use crate::web::App;
use crate::web::auth::Who;
use crate::web::auth::rights::Right;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};
use crate::web::plot::spread::{clock_band, number, number_band, option_words, yes_no_words};

/// A name of an address without its ending, and the file that is asked for by it.
pub(super) fn file_of(name: &str) -> (&str, Option<Form>) {
    match name.rsplit_once('.') {
        Some((name, "csv")) => (name, Some(Form::Csv)),
        Some((name, "json")) => (name, Some(Form::Json)),
        _ => (name, None),
    }
}

/// One value of one question in one area.
#[derive(Debug, Clone)]
pub(super) struct Row {
    checklist: String,
    question: String,
    text: String,
    area_code: String,
    area: String,
    expected: Option<i64>,
    reports: i64,
    answered: i64,
    not_available: i64,
    /// Empty where there are too few answers to be summed up.
    value: String,
    count: Option<i64>,
}

/// Rows of all questions of a checklist.
pub(super) fn of_checklist(figures: &Questions, language: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for (question, summary) in figures.checklist.questions.iter().zip(&figures.summaries) {
        let base = base(figures, question, language, figures.expected, figures.reports, summary);
        push(&mut rows, base, question, summary, language);
    }
    rows
}

/// Rows of one question: all areas together, then each.
pub(super) fn of_areas(figures: &Questions, at: usize, by_area: &ByArea, language: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let (Some(question), Some(whole)) = (figures.checklist.questions.get(at), figures.summaries.get(at)) else {
        return rows;
    };
    push(
        &mut rows,
        base(figures, question, language, figures.expected, figures.reports, whole),
        question,
        whole,
        language,
    );
    for area in &by_area.areas {
        let mut row = base(figures, question, language, area.expected, area.reports, &area.summary);
        match &area.place {
            Some(place) => (row.area_code, row.area) = (place.code.clone(), place.name.clone()),
            None => row.area = "no station".to_owned(),
        }
        push(&mut rows, row, question, &area.summary, language);
    }
    rows
}

fn base(
    figures: &Questions,
    question: &Question,
    language: &str,
    expected: Option<i64>,
    reports: i64,
    summary: &Summary,
) -> Row {
    Row {
        checklist: figures.checklist.prefix.clone(),
        question: question.code.clone(),
        text: question.text.get(language).to_owned(),
        area_code: String::new(),
        area: String::new(),
        expected,
        reports,
        answered: summary.answered,
        not_available: summary.not_available,
        value: String::new(),
        count: None,
    }
}

fn push(rows: &mut Vec<Row>, base: Row, question: &Question, summary: &Summary, language: &str) {
    let bands = |bars: &Bars, band: fn(f64, f64) -> String| -> Vec<(String, i64)> {
        bars.each().map(|(begin, n)| (band(begin, bars.width), n)).collect()
    };
    let values: Vec<(String, i64)> = match &summary.spread {
        _ if summary.is_small() => Vec::new(),
        Spread::YesNo { yes } => {
            let (yes_word, no_word) = yes_no_words(question, language);
            vec![(yes_word.to_owned(), *yes), (no_word.to_owned(), summary.answered - yes)]
        }
        Spread::Options(options) => {
            options.iter().map(|(n, count)| (option_words(question, *n, language), *count)).collect()
        }
        Spread::Dates(days) => {
            days.iter().map(|(d, n)| (d.clone().unwrap_or_else(|| "other days".to_owned()), *n)).collect()
        }
        Spread::Times(bars) => bands(bars, clock_band),
        Spread::Numbers(Some(n)) => {
            let five = [
                ("least", n.min),
                ("quarter", n.low),
                ("median", n.median),
                ("three quarters", n.high),
                ("greatest", n.max),
            ];
            rows.extend(five.map(|(word, v)| Row { value: format!("{word} {}", number(v)), ..base.clone() }));
            bands(&n.bars, number_band)
        }
        Spread::Numbers(None) | Spread::Count => Vec::new(),
    };
    if values.is_empty() {
        rows.push(base);
        return;
    }
    rows.extend(values.into_iter().map(|(value, count)| Row { value, count: Some(count), ..base.clone() }));
}

/// May this person take files away? Asked where the address of a file is a page's too, which asks for less.
pub(super) fn may_export(who: &Who) -> Result<(), PageError> {
    if who.may(Right::Export) { Ok(()) } else { Err(PageError::Refused(Right::Export.refusal())) }
}

/// The rows as a file.
pub(super) fn file(app: &App, who: &Who, form: Form, name: &[&str], rows: &[Row]) -> Result<Response, PageError> {
    // The address is the page's, which asks for less.
    may_export(who)?;
    let columns = [
        "checklist",
        "question",
        "text",
        "area_code",
        "area",
        "expected",
        "reports",
        "answered",
        "not_available",
        "value",
        "count",
    ];
    export::whole(app, Table::new(form, name, columns), |sheet| {
        for r in rows {
            sheet.row([
                (&r.checklist).into(),
                (&r.question).into(),
                (&r.text).into(),
                (&r.area_code).into(),
                (&r.area).into(),
                r.expected.into(),
                r.reports.into(),
                r.answered.into(),
                r.not_available.into(),
                (&r.value).into(),
                r.count.into(),
            ]);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_an_address_tells_the_file() {
        assert_eq!(file_of("OP"), ("OP", None));
        assert_eq!(file_of("OP.csv"), ("OP", Some(Form::Csv)));
        assert_eq!(file_of("AA.json"), ("AA", Some(Form::Json)));
        assert_eq!(file_of("AA.xml"), ("AA.xml", None));
    }
}
