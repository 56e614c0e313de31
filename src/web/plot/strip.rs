//! Small drawings for a table's cells, all of one table on the same scale. The numbers stand beside them,
//! so they are hidden from readers that can't see them.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::analysis::summary::{Bars, Numbers};

const OPEN: &str = "preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">";

/// A share, 0 to 1, as a bar.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Meter(pub(in crate::web) f64);

impl fmt::Display for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = self.0.clamp(0.0, 1.0);
        // Something is never drawn as nothing.
        let width = if share > 0.0 { (share * 100.0).max(0.8) } else { 0.0 };
        write!(
            f,
            "<svg class=\"meter\" viewBox=\"0 0 100 10\" {OPEN}<rect class=\"none\" width=\"100\" height=\"10\"/>"
        )?;
        write!(f, "<rect class=\"has\" width=\"{width:.1}\" height=\"10\"/></svg>")
    }
}

impl HtmlSafe for Meter {}

/// Numbers from least to greatest, the middle half thick, the median marked, between `from` and `to`.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Boxed<'a> {
    pub(in crate::web) numbers: &'a Numbers,
    pub(in crate::web) from: f64,
    pub(in crate::web) to: f64,
}

impl fmt::Display for Boxed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.numbers;
        let x = |value: f64| 1.0 + (value - self.from) / (self.to - self.from).max(f64::MIN_POSITIVE) * 198.0;
        write!(f, "<svg class=\"boxed\" viewBox=\"0 0 200 16\" {OPEN}")?;
        write!(
            f,
            "<rect class=\"whisker\" x=\"{:.1}\" y=\"7.25\" width=\"{:.1}\" height=\"1.5\"/>",
            x(n.min),
            x(n.max) - x(n.min)
        )?;
        write!(
            f,
            "<rect class=\"box\" x=\"{:.1}\" y=\"3\" width=\"{:.1}\" height=\"10\"/>",
            x(n.low),
            (x(n.high) - x(n.low)).max(1.0)
        )?;
        write!(f, "<rect class=\"mid\" x=\"{:.1}\" y=\"0\" width=\"2\" height=\"16\"/></svg>", x(n.median) - 1.0)
    }
}

impl HtmlSafe for Boxed<'_> {}

/// Bands as small columns; each row's fullest band is of full height.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Columns<'a>(pub(in crate::web) &'a Bars);

impl fmt::Display for Columns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (top, bands) = (self.0.greatest().max(1) as f64, self.0.counts.len().max(1) as f64);
        let width = 200.0 / bands;
        write!(
            f,
            "<svg class=\"columns\" viewBox=\"0 0 200 24\" {OPEN}<rect class=\"none\" y=\"23\" width=\"200\" height=\"1\"/>"
        )?;
        for (i, n) in self.0.counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            let tall = (*n as f64 / top * 23.0).max(1.0);
            write!(
                f,
                "<rect class=\"col\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
                i as f64 * width + 0.5,
                23.0 - tall,
                (width - 1.0).max(0.8)
            )?;
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Columns<'_> {}
