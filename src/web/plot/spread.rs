//! How one question's answers are spread: options as bars in a table, numbers and times as a histogram
//! with the same as a table behind it. Too few answers are not drawn.

use std::fmt::{self, Display};

use askama::filters::HtmlSafe;

use super::strip::Meter;
use crate::analysis::summary::{Bars, Numbers, Spread, Summary};
use crate::domain::checklist::Question;
use crate::limits::SMALL_CELL;
use crate::web::format;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 132.0;
const TOP: f64 = 16.0;
const FLOOR: f64 = 96.0;
const SIDE: f64 = 8.0;

/// The drawing of a summary.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Drawn<'a> {
    question: &'a Question,
    summary: &'a Summary,
    language: &'a str,
}

/// Draws a question's answers.
pub(in crate::web) fn spread<'a>(question: &'a Question, summary: &'a Summary, language: &'a str) -> Drawn<'a> {
    Drawn { question, summary, language }
}

/// A number of an answer: whole ones with separators, others with at most two digits after the point.
pub(in crate::web) fn number(n: f64) -> String {
    if n.fract() == 0.0 && n.abs() < 9e15 {
        return format::num(n as i64);
    }
    let text = format!("{n:.2}");
    text.trim_end_matches('0').trim_end_matches('.').replace('-', "−")
}

/// `07:15` of minutes of the day.
pub(in crate::web) fn clock(minutes: f64) -> String {
    let minutes = minutes as i64;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `07:15–07:29` of a band of minutes.
pub(in crate::web) fn clock_band(from: f64, width: f64) -> String {
    format!("{}–{}", clock(from), clock(from + width - 1.0))
}

/// `20–39`, `20` or `2.5 to below 5` of a band of numbers.
pub(in crate::web) fn number_band(from: f64, width: f64) -> String {
    if width == 1.0 && from.fract() == 0.0 {
        number(from)
    } else if width.fract() == 0.0 && from.fract() == 0.0 {
        format!("{}–{}", number(from), number(from + width - 1.0))
    } else {
        format!("{} to below {}", number(from), number(from + width))
    }
}

/// The words of an option.
pub(in crate::web) fn option_words(question: &Question, number: u16, language: &str) -> String {
    match question.kind.options().and_then(|o| o.get(&number)) {
        Some(label) => format!("{number}: {}", label.get(language)),
        None => format!("{number}: not on this form"),
    }
}

/// What yes and no are called.
pub(in crate::web) fn yes_no_words<'a>(question: &'a Question, language: &'a str) -> (&'a str, &'a str) {
    let mut labels = question.kind.options().into_iter().flat_map(|o| o.values()).map(|t| t.get(language));
    (labels.next().unwrap_or("Yes"), labels.next().unwrap_or("No"))
}

fn escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "{}", askama::filters::escape(text, askama::filters::Html).map_err(|_| fmt::Error)?)
}

impl Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = self.summary;
        if matches!(summary.spread, Spread::Count) {
            return Ok(());
        }
        if summary.is_small() {
            return if summary.answered == 0 {
                f.write_str("<p class=\"note\">No answer yet.</p>")
            } else {
                write!(f, "<p class=\"note\">Fewer than {SMALL_CELL} answers: too few to be summed up.</p>")
            };
        }
        match &summary.spread {
            Spread::YesNo { yes } => {
                let (yes_word, no_word) = yes_no_words(self.question, self.language);
                let rows = [(yes_word.to_owned(), *yes), (no_word.to_owned(), summary.answered - yes)];
                self.table(f, "Answer", rows.into_iter(), true)
            }
            Spread::Options(options) => {
                let rows = options.iter().map(|(n, count)| (option_words(self.question, *n, self.language), *count));
                self.table(f, "Option", rows, true)
            }
            Spread::Dates(days) => {
                let rows = days.iter().map(|(day, n)| (day.clone().unwrap_or_else(|| "other days".to_owned()), *n));
                self.table(f, "Day", rows, true)
            }
            Spread::Numbers(Some(numbers)) => self.numbers(f, numbers),
            Spread::Times(bars) => {
                let told = match bars.middle() {
                    Some(begin) => format!("the middle report lies in {}", clock_band(begin, bars.width)),
                    None => String::new(),
                };
                self.histogram(f, bars, None, &told, clock)?;
                write!(f, "<p class=\"told\">In bands of {} minutes; {told}.</p>", bars.width)?;
                self.behind(f, "Time", bars, clock_band)
            }
            Spread::Numbers(None) | Spread::Count => Ok(()),
        }
    }
}

impl Drawn<'_> {
    fn numbers(&self, f: &mut fmt::Formatter<'_>, n: &Numbers) -> fmt::Result {
        let told = format!("half of them from {} to {}, median {}", number(n.low), number(n.high), number(n.median));
        self.histogram(f, &n.bars, Some(n), &told, number)?;
        f.write_str("<dl class=\"five\">")?;
        let five = [
            ("Least", n.min),
            ("Quarter", n.low),
            ("Median", n.median),
            ("Three quarters", n.high),
            ("Greatest", n.max),
        ];
        for (word, value) in five {
            write!(f, "<div><dt>{word}</dt><dd>{}</dd></div>", number(value))?;
        }
        write!(f, "<div><dt>Sum</dt><dd>{}</dd></div></dl>", number(n.sum))?;
        self.behind(f, "Number", &n.bars, number_band)
    }

    fn table(
        &self,
        f: &mut fmt::Formatter<'_>,
        head: &str,
        rows: impl Iterator<Item = (String, i64)>,
        drawn: bool,
    ) -> fmt::Result {
        f.write_str("<table class=\"spread-of\"><caption class=\"unseen\">Answers to ")?;
        escaped(f, &self.question.code)?;
        write!(
            f,
            "</caption><thead><tr><th scope=\"col\">{head}</th><th scope=\"col\" class=\"n\">Reports</th><th scope=\"col\" class=\"n\">Share</th>"
        )?;
        f.write_str(if drawn { "<td class=\"draw\"></td></tr></thead><tbody>" } else { "</tr></thead><tbody>" })?;
        for (words, count) in rows {
            write!(f, "<tr><th scope=\"row\"><bdi lang=\"{}\">", self.language)?;
            escaped(f, &words)?;
            write!(
                f,
                "</bdi></th><td class=\"n\">{}</td><td class=\"n\">{}</td>",
                format::num(count),
                format::share(count, self.summary.answered)
            )?;
            if drawn {
                write!(f, "<td class=\"draw\">{}</td>", Meter(self.summary.share(count)))?;
            }
            f.write_str("</tr>")?;
        }
        f.write_str("</tbody></table>")
    }

    fn behind(&self, f: &mut fmt::Formatter<'_>, head: &str, bars: &Bars, band: fn(f64, f64) -> String) -> fmt::Result {
        f.write_str("<details class=\"behind\"><summary>The same as a table</summary>")?;
        self.table(f, head, bars.each().map(|(begin, n)| (band(begin, bars.width), n)), false)?;
        f.write_str("</details>")
    }

    fn histogram(
        &self,
        f: &mut fmt::Formatter<'_>,
        bars: &Bars,
        numbers: Option<&Numbers>,
        told: &str,
        label: fn(f64) -> String,
    ) -> fmt::Result {
        let top = bars.greatest().max(1);
        let bands = bars.counts.len().max(1);
        let end = bars.from + bars.width * bands as f64;
        let inner = WIDTH - 2.0 * SIDE;
        let x = |value: f64| SIDE + (value - bars.from) / (end - bars.from).max(f64::MIN_POSITIVE) * inner;
        let height = |n: i64| n as f64 / top as f64 * (FLOOR - TOP);
        f.write_str("<svg class=\"hist\" viewBox=\"0 0 420 132\" role=\"img\" aria-labelledby=\"t-")?;
        escaped(f, &self.question.code)?;
        f.write_str("\"><title id=\"t-")?;
        escaped(f, &self.question.code)?;
        f.write_str("\">")?;
        escaped(f, &self.question.code)?;
        write!(f, ": {} answers, {told}. The table below has each band.</title>", format::num(self.summary.answered))?;
        for (begin, n) in bars.each().filter(|(_, n)| *n > 0) {
            let (from, to) = (x(begin), x(begin + bars.width));
            let tall = height(n).max(1.0);
            write!(
                f,
                "<rect class=\"col\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
                from + 0.5,
                FLOOR - tall,
                (to - from - 1.0).max(0.8)
            )?;
        }
        write!(f, "<line class=\"axis\" x1=\"{SIDE}\" x2=\"{:.1}\" y1=\"{FLOOR}\" y2=\"{FLOOR}\"/>", WIDTH - SIDE)?;
        if let Some((begin, n)) = bars.each().max_by_key(|(_, n)| *n) {
            let at = x(begin + bars.width / 2.0);
            let anchor = place(at);
            write!(f, "<text class=\"{anchor}\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>", TOP - 4.0, format::num(n))?;
        }
        // With bars of one value each the value stands below its middle.
        let one_each = bars.width == 1.0 && numbers.is_some();
        let shift = if one_each { 0.5 } else { 0.0 };
        if let Some(n) = numbers {
            let (low, high) = (x(n.low + shift), x(n.high + shift));
            write!(
                f,
                "<rect class=\"box\" x=\"{low:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"5\"/>",
                FLOOR + 3.0,
                (high - low).max(1.5)
            )?;
            write!(
                f,
                "<line class=\"mid\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{1:.1}\"/>",
                x(n.median + shift),
                FLOOR + 10.0
            )?;
        }
        let every = bands.div_ceil(5);
        for band in (0..=bands).step_by(every).filter(|band| !one_each || *band < bands) {
            let value = bars.from + bars.width * band as f64;
            let at = x(value + shift);
            write!(f, "<text class=\"{}\" x=\"{at:.1}\" y=\"{}\">{}</text>", place(at), HEIGHT - 8.0, label(value))?;
        }
        f.write_str("</svg>")
    }
}

/// How a label stands so that it does not leave the drawing.
fn place(x: f64) -> &'static str {
    match x {
        x if x < 30.0 => "start",
        x if x > WIDTH - 30.0 => "end",
        _ => "mid-way",
    }
}

impl HtmlSafe for Drawn<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::summary::Fold;
    use crate::domain::value::Value;

    fn drawn(json: &str, values: &[(Value, i64)]) -> String {
        let question: Question = serde_json::from_str(json).unwrap();
        let mut fold = Fold::new(&question);
        values.iter().for_each(|(v, n)| fold.add(v, *n));
        spread(&question, &fold.end(), "en").to_string()
    }

    #[test]
    fn an_option_has_its_words_its_reports_and_its_share_and_words_are_escaped() {
        let html = drawn(
            r#"{"code":"BA","text":"?","type":"choice","options":{"1":"<script>","2":"late"}}"#,
            &[(Value::Number(1), 30), (Value::Number(2), 10)],
        );
        assert!(!html.contains("<script>") && html.contains("1: &#60;script&#62;"), "{html}");
        assert!(html.contains(">30</td><td class=\"n\">75.0%</td>"), "{html}");
        assert!(!html.contains("style="), "the page's policy forbids inline style");
    }

    #[test]
    fn too_few_answers_are_neither_drawn_nor_shared_out() {
        let html = drawn(r#"{"code":"BA","text":"?","type":"yes_no"}"#, &[(Value::Bool(true), SMALL_CELL - 1)]);
        assert!(html.contains("too few") && !html.contains('%'), "{html}");
        let html = drawn(r#"{"code":"BA","text":"?","type":"yes_no"}"#, &[(Value::Bool(true), SMALL_CELL)]);
        assert!(html.contains("100%"), "{html}");
    }

    #[test]
    fn a_histogram_says_in_words_what_it_shows_and_has_its_bands_as_a_table() {
        let values: Vec<_> = (0..40).map(|n| (Value::Number(n * 25), 2)).collect();
        let html = drawn(r#"{"code":"TA","text":"?","type":"count","max":3000}"#, &values);
        assert!(html.contains("80 answers, half of them from") && html.contains("median 475"), "{html}");
        assert!(html.contains("0–49") && html.contains("The same as a table"), "{html}");
    }

    #[test]
    fn times_are_shown_in_bands_and_never_as_a_mean_clock_time() {
        let times = ["06:58", "07:05", "07:10", "07:31"].map(|t| (Value::Text(t.to_owned()), 3));
        let html = drawn(r#"{"code":"AA","text":"?","type":"time"}"#, &times);
        assert!(html.contains("the middle report lies in 07:00–07:14"), "{html}");
        assert!(!html.contains("mean") && !html.contains("average"), "{html}");
    }
}
