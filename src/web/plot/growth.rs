//! How reports grew over time: a stepped line a checklist, with the number expected above them, and
//! the same as a table.

use std::collections::BTreeMap;
use std::fmt;

use askama::filters::HtmlSafe;

use crate::store::pages::Moment;
use crate::web::format;

/// Lines that can be told apart; further ones look like the first again.
pub(in crate::web) const LOOKS: usize = 6;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// One checklist's reports.
#[derive(Debug, Clone)]
pub(in crate::web) struct Line {
    /// Its name.
    pub(in crate::web) name: String,
    /// Its prefix.
    pub(in crate::web) code: String,
    /// Beginning, seconds and reports of each step that has any, ascending.
    pub(in crate::web) steps: Vec<(Moment, i64, i64)>,
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(in crate::web) struct Row {
    /// The step's beginning.
    pub(in crate::web) from: Moment,
    /// New and all so far, a line.
    pub(in crate::web) counts: Vec<(i64, i64)>,
}

/// The drawing.
#[derive(Debug, Clone)]
pub(in crate::web) struct Growth {
    /// Its lines.
    pub(in crate::web) lines: Vec<Line>,
    /// Its table.
    pub(in crate::web) rows: Vec<Row>,
    expected: i64,
    step: i64,
}

impl Growth {
    /// Of these lines; `expected` reports of each.
    pub(in crate::web) fn new(lines: Vec<Line>, expected: i64) -> Self {
        let mut by_step: BTreeMap<i64, Row> = BTreeMap::new();
        let mut step = 1;
        for (i, line) in lines.iter().enumerate() {
            for (from, seconds, reports) in &line.steps {
                step = step.max(*seconds);
                let row = by_step
                    .entry(from.at.unix_timestamp())
                    .or_insert_with(|| Row { from: *from, counts: vec![(0, 0); lines.len()] });
                if let Some(count) = row.counts.get_mut(i) {
                    count.0 += reports;
                }
            }
        }
        let mut rows: Vec<Row> = by_step.into_values().collect();
        let mut sums = vec![0; lines.len()];
        for row in &mut rows {
            for (sum, count) in sums.iter_mut().zip(&mut row.counts) {
                *sum += count.0;
                count.1 = *sum;
            }
        }
        Self { lines, rows, expected, step }
    }

    /// Nothing came yet.
    pub(in crate::web) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The look of a line.
    pub(in crate::web) fn look(&self, index: &usize) -> usize {
        index % LOOKS
    }

    fn span(&self) -> (i64, i64) {
        let first = self.rows.first().map_or(0, |r| r.from.at.unix_timestamp());
        let last = self.rows.last().map_or(0, |r| r.from.at.unix_timestamp());
        (first, last + self.step)
    }

    /// Does the time axis need days?
    pub(in crate::web) fn days(&self) -> bool {
        let (from, to) = self.span();
        to - from > 36 * 3600
    }

    /// One sentence for those who can't see the drawing.
    fn told(&self) -> String {
        let Some(last) = self.rows.last() else { return String::new() };
        let parts: Vec<String> = self
            .lines
            .iter()
            .zip(&last.counts)
            .map(|(line, (_, all))| format!("{} {}", line.code, format::num(*all)))
            .collect();
        format!(
            "Of {} expected of each checklist, reports received by the end: {}. The table below has each step.",
            format::num(self.expected),
            parts.join(", ")
        )
    }
}

/// The least round number that is not below.
fn round_up(n: i64) -> i64 {
    let n = n.max(4);
    let mut unit = 1;
    loop {
        for step in [4, 5, 6, 8, 10, 12, 15, 20, 25, 30] {
            if step * unit >= n {
                return step * unit;
            }
        }
        unit *= 10;
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let greatest = self.rows.iter().flat_map(|r| &r.counts).map(|c| c.1).max().unwrap_or(0);
        let top = round_up(greatest.max(self.expected));
        let (from, to) = self.span();
        let length = (to - from).max(1) as f64;
        let x = |at: i64| LEFT + (at - from) as f64 / length * (WIDTH - LEFT - RIGHT);
        let y = |n: i64| TOP + (1.0 - n as f64 / top as f64) * (HEIGHT - TOP - BOTTOM);
        write!(
            f,
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"plot-title plot-desc\">\
             <title id=\"plot-title\">Reports received over time</title><desc id=\"plot-desc\">{}</desc>",
            askama::filters::escape(self.told(), askama::filters::Html).map_err(|_| fmt::Error)?
        )?;
        let ticks = if top % 4 == 0 {
            4
        } else if top % 5 == 0 {
            5
        } else {
            3
        };
        for i in 0..=ticks {
            let n = top * i / ticks;
            write!(
                f,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/>",
                WIDTH - RIGHT,
                y(n)
            )?;
            write!(
                f,
                "<text class=\"ylab\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 8.0,
                y(n) + 4.0,
                format::num(n)
            )?;
        }
        self.write_time_axis(f, &x)?;
        if self.expected > 0 {
            write!(
                f,
                "<line class=\"goal\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/>",
                WIDTH - RIGHT,
                y(self.expected)
            )?;
            write!(
                f,
                "<text class=\"goallab\" x=\"{:.1}\" y=\"{:.1}\">expected {}</text>",
                LEFT + 6.0,
                y(self.expected) - 5.0,
                format::num(self.expected)
            )?;
        }
        for (i, _) in self.lines.iter().enumerate() {
            let mut path = format!("M{:.1} {:.1}", x(from), y(0));
            let mut height = 0;
            for row in &self.rows {
                let at = row.from.at.unix_timestamp();
                let all = row.counts.get(i).map_or(0, |c| c.1);
                // Level until the step begins, then up to its end.
                path.push_str(&format!(" L{:.1} {:.1} L{:.1} {:.1}", x(at), y(height), x(at + self.step), y(all)));
                height = all;
            }
            write!(f, "<path class=\"line l{}\" d=\"{path}\"/>", i % LOOKS)?;
        }
        f.write_str("</svg>")
    }
}

impl Growth {
    fn write_time_axis(&self, f: &mut fmt::Formatter<'_>, x: &dyn Fn(i64) -> f64) -> fmt::Result {
        let (from, to) = self.span();
        let Some(first) = self.rows.first() else { return Ok(()) };
        let y = HEIGHT - BOTTOM;
        write!(f, "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y}\" y2=\"{y}\"/>", WIDTH - RIGHT)?;
        // Round local times, at most seven of them.
        let steps = [300, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200, 86_400];
        let step =
            steps.into_iter().find(|s| (to - from) / s <= 6).unwrap_or_else(|| ((to - from) / 6 / 86_400 + 1) * 86_400);
        let offset = first.from.local.assume_utc().unix_timestamp() - first.from.at.unix_timestamp();
        let mut at = (from + offset).div_euclid(step) * step - offset;
        while at <= to {
            if at >= from {
                let local = time::OffsetDateTime::from_unix_timestamp(at + offset).map_err(|_| fmt::Error)?;
                let moment = Moment { at: local, local: time::PrimitiveDateTime::new(local.date(), local.time()) };
                let label = if step >= 86_400 { format::day(&moment) } else { format::clock(&moment, self.days()) };
                let place = if x(at) > WIDTH - RIGHT - 30.0 { " end" } else { "" };
                write!(f, "<line class=\"axis\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{y}\" y2=\"{1}\"/>", x(at), y + 5.0)?;
                write!(f, "<text class=\"xlab{place}\" x=\"{:.1}\" y=\"{}\">{label}</text>", x(at), y + 22.0)?;
            }
            at += step;
        }
        Ok(())
    }
}

impl HtmlSafe for Growth {}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn moment(minute: i64) -> Moment {
        let at = datetime!(2026-02-01 06:00 UTC) + time::Duration::minutes(minute);
        let local = at.to_offset(time::macros::offset!(+1));
        Moment { at, local: time::PrimitiveDateTime::new(local.date(), local.time()) }
    }

    fn growth() -> Growth {
        let line = |code: &str, steps: &[(i64, i64)]| Line {
            name: "<b>".to_owned(),
            code: code.to_owned(),
            steps: steps.iter().map(|(m, n)| (moment(*m), 900, *n)).collect(),
        };
        Growth::new(vec![line("OP", &[(0, 5), (30, 10)]), line("CL", &[(30, 3)])], 540)
    }

    #[test]
    fn the_table_has_each_step_with_what_is_new_and_what_there_is_in_all() {
        let rows = growth().rows;
        assert_eq!(rows.iter().map(|r| r.counts.clone()).collect::<Vec<_>>(), [[(5, 5), (0, 0)], [(10, 15), (3, 3)]]);
    }

    #[test]
    fn the_drawing_says_in_words_what_it_shows_and_counts_hours_in_local_time() {
        let svg = growth().to_string();
        assert!(svg.contains("OP 15, CL 3") && svg.contains("expected 540"), "{svg}");
        assert!(svg.contains(">07:00<") && svg.contains(">07:15<"), "{svg}");
        assert!(!svg.contains("style="), "the page's policy forbids inline style");
    }

    #[test]
    fn an_axis_ends_at_a_round_number_not_below() {
        assert_eq!([1, 4, 7, 540, 541, 5_361, 50_000].map(round_up), [4, 4, 8, 600, 600, 6_000, 50_000]);
    }
}
