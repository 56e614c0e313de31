//! What observers texted, made safe and honest to look at.
//!
//! Invariants: nothing in a text becomes markup; nothing in it can hide or reorder what stands
//! around it (each is isolated by `<bdi>`); characters that can't be seen are drawn; a long text is
//! folded, with the whole of it inside.

use std::fmt::{self, Write};

use askama::filters::HtmlSafe;

use crate::limits::WEB_FOLD_CHARS;

/// Characters of the beginning that stands on a folded text.
const FOLDED_SHOWN: usize = 280;

/// A text as HTML.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sms<'a>(&'a str, Shape);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Folding,
    Line,
}

/// A whole text, folded when it is long.
pub(super) fn sms(text: &str) -> Sms<'_> {
    Sms(text, Shape::Folding)
}

/// A short text within a line.
pub(super) fn word(text: &str) -> Sms<'_> {
    Sms(text, Shape::Line)
}

impl fmt::Display for Sms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chars = self.0.chars().count();
        if self.1 == Shape::Folding && chars > WEB_FOLD_CHARS {
            f.write_str("<details class=\"fold\"><summary><bdi class=\"sms\">")?;
            write_visible(f, self.0.chars().take(FOLDED_SHOWN))?;
            write!(
                f,
                "</bdi><span class=\"more\"> … {} characters</span></summary><bdi class=\"sms\">",
                super::format::num(chars)
            )?;
            write_visible(f, self.0.chars())?;
            return f.write_str("</bdi></details>");
        }
        f.write_str(if self.1 == Shape::Line { "<bdi>" } else { "<bdi class=\"sms\">" })?;
        write_visible(f, self.0.chars())?;
        f.write_str("</bdi>")
    }
}

impl HtmlSafe for Sms<'_> {}

fn write_visible(f: &mut fmt::Formatter<'_>, text: impl Iterator<Item = char>) -> fmt::Result {
    for c in text {
        match c {
            '&' => f.write_str("&amp;")?,
            '<' => f.write_str("&lt;")?,
            '>' => f.write_str("&gt;")?,
            '"' => f.write_str("&quot;")?,
            '\'' => f.write_str("&#39;")?,
            '\n' => f.write_str("<span class=\"ctl\">␊</span><br>")?,
            '\0'..='\u{1f}' => {
                let picture = char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}');
                write!(f, "<span class=\"ctl\">{picture}</span>")?;
            }
            '\u{7f}' => f.write_str("<span class=\"ctl\">␡</span>")?,
            c if is_unseen(c) => write!(f, "<span class=\"ctl\">[U+{:04X}]</span>", c as u32)?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// C1 controls, marks that turn or join what follows, and what takes no room. The two joiners that
/// Persian and Indic words are written with (U+200C, U+200D) are left alone.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn markup_in_a_text_stays_text() {
        let shown = sms("<script>alert('x')</script> \"><img onerror=1>").to_string();
        assert!(!shown.contains("<script") && !shown.contains("<img") && !shown.contains("\"><"), "{shown}");
        assert!(shown.starts_with("<bdi class=\"sms\">&lt;script&gt;"));
    }

    #[test]
    fn what_cannot_be_seen_is_drawn() {
        let shown = word("a\u{202e}b\0c\td\ne\u{200b}").to_string();
        assert_eq!(
            shown,
            "<bdi>a<span class=\"ctl\">[U+202E]</span>b<span class=\"ctl\">␀</span>c<span class=\"ctl\">␉</span>d<span class=\"ctl\">␊</span><br>e<span class=\"ctl\">[U+200B]</span></bdi>"
        );
    }

    #[test]
    fn a_long_text_is_folded_with_the_whole_of_it_inside() {
        let text = "x".repeat(10_240);
        let shown = sms(&text).to_string();
        assert!(shown.starts_with("<details class=\"fold\"><summary>"));
        assert!(shown.contains("10,240 characters") && shown.contains(&text));
        assert!(!sms(&"x".repeat(WEB_FOLD_CHARS)).to_string().contains("<details"));
    }

    proptest! {
        #[test]
        fn no_text_makes_an_element_of_its_own(text in any::<String>()) {
            let mut shown = word(&text).to_string();
            for ours in ["<bdi>", "</bdi>", "<span class=\"ctl\">", "</span>", "<br>"] {
                shown = shown.replace(ours, "");
            }
            prop_assert!(!shown.contains(['<', '>', '"', '\'']));
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_unseen(c)));
        }
    }
}
