//! A bar of complete, partial and missing, for a table's row. The numbers stand beside it, so it is
//! hidden from readers that can't see it.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::store::pages::overview::Tally;

/// The bar.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Bar(Tally);

/// Draws a tally.
pub(in crate::web) fn bar(tally: &Tally) -> Bar {
    Bar(*tally)
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.expected.max(self.0.complete + self.0.partial).max(1) as f64;
        // Something is never drawn as nothing.
        let width = |n: i64| if n == 0 { 0.0 } else { (n as f64 * 100.0 / whole).max(0.8) };
        let (complete, partial) = (width(self.0.complete), width(self.0.partial));
        f.write_str("<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">")?;
        f.write_str("<rect class=\"none\" width=\"100\" height=\"10\"/>")?;
        if partial > 0.0 {
            let from = complete.min(100.0 - partial);
            write!(f, "<rect class=\"part\" x=\"{from:.2}\" width=\"{partial:.2}\" height=\"10\"/>")?;
        }
        if complete > 0.0 {
            write!(f, "<rect class=\"full\" width=\"{:.2}\" height=\"10\"/>", complete.min(100.0))?;
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Bar {}
