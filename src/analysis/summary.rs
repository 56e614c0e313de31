//! One question's answers put together: how many there are, and how they are spread.
//!
//! Invariants: counts are of reports, each once; *not available* is kept apart from numbers; at most
//! [`SUMMARY_VALUES_MAX`] different values of a question are held while it is summed up.

use serde::{Deserialize, Serialize};

use crate::domain::checklist::{Question, QuestionType};
use crate::domain::value::Value;
use crate::limits::{SMALL_CELL, SUMMARY_BARS_MAX, SUMMARY_VALUES_MAX};

/// A question's answers in some area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Reports with an answer.
    pub answered: i64,
    /// Reports that say that there is none to be had.
    pub not_available: i64,
    /// How the answers are spread.
    pub spread: Spread,
}

/// How answers are spread, by the question's type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Spread {
    /// yes_no: reports with yes; the others say no.
    YesNo {
        /// Reports with yes.
        yes: i64,
    },
    /// choice, multi_choice: reports by option. Of a multi_choice a report may count for several.
    Options(Vec<(u16, i64)>),
    /// count, decimal.
    Numbers(Option<Numbers>),
    /// time: minutes of the day.
    Times(Bars),
    /// date: by day, `YYYY-MM-DD`, the earliest first; bounded, the rest is counted last without a name.
    Dates(Vec<(Option<String>, i64)>),
    /// flag, text: only counted.
    Count,
}

/// Numbers: quartiles are values that were reported (the smallest that so many do not exceed).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Least.
    pub min: f64,
    /// First quartile.
    pub low: f64,
    /// Median.
    pub median: f64,
    /// Third quartile.
    pub high: f64,
    /// Greatest.
    pub max: f64,
    /// Sum of all.
    pub sum: f64,
    /// How they are spread.
    pub bars: Bars,
}

/// Counts in bands of one width: band `i` holds values from `from + i * width` to below the next.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bars {
    /// Where the first begins.
    pub from: f64,
    /// How wide each is.
    pub width: f64,
    /// Reports in each.
    pub counts: Vec<i64>,
}

impl Bars {
    /// Bands with where each begins.
    pub fn each(&self) -> impl Iterator<Item = (f64, i64)> {
        self.counts.iter().enumerate().map(|(i, n)| (self.from + i as f64 * self.width, *n))
    }

    /// The fullest band's reports.
    pub fn greatest(&self) -> i64 {
        self.counts.iter().copied().max().unwrap_or(0)
    }

    /// The same in wider bands, from `from` on: `width` is a multiple of its own.
    #[must_use]
    pub fn widened(&self, from: f64, width: f64, bands: usize) -> Self {
        let mut counts = vec![0; bands.min(SUMMARY_BARS_MAX)];
        for (begin, n) in self.each() {
            if let Some(count) = counts.get_mut(((begin - from) / width).floor().max(0.0) as usize) {
                *count += n;
            }
        }
        Self { from, width, counts }
    }

    /// The band that holds the middle one of all: where it begins.
    pub fn middle(&self) -> Option<f64> {
        let total: i64 = self.counts.iter().sum();
        let mut seen = 0;
        self.each()
            .find(|(_, n)| {
                seen += n;
                seen * 2 >= total && total > 0
            })
            .map(|(begin, _)| begin)
    }

    fn of(values: &[(f64, i64)], widths: impl Iterator<Item = f64>) -> Self {
        let (Some((min, _)), Some((max, _))) = (values.first(), values.last()) else { return Self::default() };
        let mut chosen = 1.0;
        for width in widths {
            chosen = width;
            if (max / width).floor() - (min / width).floor() < SUMMARY_BARS_MAX as f64 {
                break;
            }
        }
        let first = (min / chosen).floor();
        let mut counts = vec![0; ((max / chosen).floor() - first) as usize + 1];
        for (value, n) in values {
            if let Some(count) = counts.get_mut(((value / chosen).floor() - first) as usize) {
                *count += n;
            }
        }
        Self { from: first * chosen, width: chosen, counts }
    }
}

impl Summary {
    /// Fewer reports than anything should be concluded from: shares and quartiles are not shown.
    pub fn is_small(&self) -> bool {
        self.answered < SMALL_CELL
    }

    /// A share in [0, 1] of the reports with an answer.
    pub fn share(&self, count: i64) -> f64 {
        if self.answered > 0 { count as f64 / self.answered as f64 } else { 0.0 }
    }
}

/// Puts the answers to one question together, value by value.
#[derive(Debug)]
pub struct Fold<'a> {
    question: &'a Question,
    answered: i64,
    not_available: i64,
    yes: i64,
    options: Vec<(u16, i64)>,
    values: Vec<(f64, i64)>,
    days: Vec<(Option<String>, i64)>,
}

impl<'a> Fold<'a> {
    /// Of a question, with no answer yet.
    pub fn new(question: &'a Question) -> Self {
        let options = question.kind.options().map(|o| o.keys().map(|n| (*n, 0)).collect()).unwrap_or_default();
        Self { question, answered: 0, not_available: 0, yes: 0, options, values: Vec::new(), days: Vec::new() }
    }

    /// `reports` reports have this value.
    pub fn add(&mut self, value: &Value, reports: i64) {
        if matches!(value, Value::NotAvailable { .. }) {
            self.not_available += reports;
            return;
        }
        self.answered += reports;
        match (&self.question.kind, value) {
            (QuestionType::YesNo { .. }, Value::Bool(true)) => self.yes += reports,
            (QuestionType::Choice { .. }, Value::Number(n)) => {
                if let Ok(n) = u16::try_from(*n) {
                    self.option(n, reports);
                }
            }
            (QuestionType::MultiChoice { .. }, Value::Options(chosen)) => {
                chosen.iter().for_each(|n| self.option(*n, reports));
            }
            (QuestionType::Count { .. }, Value::Number(n)) => self.value(*n as f64, reports),
            (QuestionType::Decimal { .. }, Value::Text(text)) => {
                if let Some(n) = text.parse().ok().filter(|n: &f64| n.is_finite()) {
                    self.value(n, reports);
                }
            }
            (QuestionType::Time { .. }, Value::Text(text)) => {
                let minutes = text.split_once(':').and_then(|(h, m)| Some((h.parse().ok()?, m.parse().ok()?)));
                if let Some((hour, minute)) = minutes.map(|(h, m): (u32, u32)| (h, m)) {
                    self.value(f64::from(hour * 60 + minute), reports);
                }
            }
            (QuestionType::Date { .. }, Value::Text(day)) => self.day(day, reports),
            _ => {}
        }
    }

    /// So many reports have an answer that is not looked at (a free text).
    pub fn count(&mut self, reports: i64) {
        self.answered += reports;
    }

    /// What it comes to.
    pub fn end(mut self) -> Summary {
        self.values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let spread = match self.question.kind {
            QuestionType::YesNo { .. } => Spread::YesNo { yes: self.yes },
            QuestionType::Choice { .. } | QuestionType::MultiChoice { .. } => Spread::Options(self.options),
            QuestionType::Count { .. } => Spread::Numbers(numbers(&self.values, true)),
            QuestionType::Decimal { .. } => Spread::Numbers(numbers(&self.values, false)),
            QuestionType::Time { .. } => {
                let widths = [15.0, 30.0, 60.0].into_iter();
                Spread::Times(Bars::of(&self.values, widths))
            }
            QuestionType::Date { .. } => {
                self.days.sort();
                // What has no name sorts first and is told last.
                let unnamed = usize::from(self.days.first().is_some_and(|(day, _)| day.is_none()));
                self.days.rotate_left(unnamed);
                Spread::Dates(self.days)
            }
            QuestionType::Flag {} | QuestionType::Text {} => Spread::Count,
        };
        Summary { answered: self.answered, not_available: self.not_available, spread }
    }

    fn option(&mut self, number: u16, reports: i64) {
        if let Some((_, count)) = self.options.iter_mut().find(|(n, _)| *n == number) {
            *count += reports;
        } else if self.options.len() < SUMMARY_BARS_MAX * 4 {
            // One that an earlier version of the form had.
            self.options.push((number, reports));
        }
    }

    fn value(&mut self, value: f64, reports: i64) {
        if let Some(last) = self.values.last_mut().filter(|(v, _)| *v == value) {
            last.1 += reports;
            return;
        }
        if self.values.len() >= SUMMARY_VALUES_MAX {
            self.values.sort_by(|a, b| a.0.total_cmp(&b.0));
            // Neighbours become one, by the lower: every second value is given up.
            self.values = self.values.chunks(2).map(|two| (two[0].0, two.iter().map(|(_, n)| n).sum())).collect();
        }
        self.values.push((value, reports));
    }

    fn day(&mut self, day: &str, reports: i64) {
        let known = self.days.iter().position(|(d, _)| d.as_deref() == Some(day));
        let room = self.days.len() < SUMMARY_BARS_MAX * 2;
        let at = known.or_else(|| if room { None } else { self.days.iter().position(|(d, _)| d.is_none()) });
        match at.and_then(|i| self.days.get_mut(i)) {
            Some((_, count)) => *count += reports,
            None => self.days.push((room.then(|| day.to_owned()), reports)),
        }
    }
}

/// Of values in ascending order; widths of bands are 1, 2 or 5 times a power of ten.
fn numbers(values: &[(f64, i64)], whole: bool) -> Option<Numbers> {
    let (min, max) = (values.first()?.0, values.last()?.0);
    let total: i64 = values.iter().map(|(_, n)| n).sum();
    let quartile = |quarters: i64| {
        let wanted = (total * quarters + 3) / 4;
        let mut seen = 0;
        values
            .iter()
            .find(|(_, n)| {
                seen += n;
                seen >= wanted
            })
            .map_or(max, |(v, _)| *v)
    };
    let least = if whole { 0 } else { -4 };
    let widths = (least..20).flat_map(|power| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(power)));
    Some(Numbers {
        min,
        low: quartile(1),
        median: quartile(2),
        high: quartile(3),
        max,
        sum: values.iter().map(|(v, n)| v * *n as f64).sum(),
        bars: Bars::of(values, widths),
    })
}

#[cfg(test)]
mod tests;
