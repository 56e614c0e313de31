//! Where the texts come from, and when each is due.

use std::io::BufRead;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::domain::outcome::Outcome;
use crate::generator::{Event, Load};
use crate::limits::{IMPORT_BYTES_MAX, SMSC_SEGMENTS_MAX};
use crate::smsc::Outgoing;
use crate::text::segments::measure;

/// When texts are due.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Texts a second; 0: at once.
    pub(super) rate: f64,
    /// Their own times, so many times faster.
    pub(super) speed: Option<f64>,
}

impl Pace {
    /// When text `number` is due whose own time is `at`, counted from the first one's.
    fn due(self, number: u64, at: Duration) -> Duration {
        match self.speed {
            Some(speed) if speed > 0.0 => at.div_f64(speed),
            _ if self.rate > 0.0 => Duration::from_secs_f64(number as f64 / self.rate),
            _ => Duration::ZERO,
        }
    }
}

/// Texts of a made-up day.
pub(super) fn day(events: impl Iterator<Item = Event>, pace: Pace) -> impl Iterator<Item = Outgoing> {
    let mut first = None;
    events.zip(0u64..).map(move |(event, number)| {
        let begin = *first.get_or_insert(event.at_ms);
        let at = Duration::from_millis(u64::from(event.at_ms.saturating_sub(begin)));
        Outgoing {
            due: pace.due(number, at),
            phone: event.phone.parse().unwrap_or(0),
            text: event.text,
            answered: event.expected.answered && event.expected.outcome != Outcome::Ignored,
        }
    })
}

/// Texts of a steady load.
pub(super) fn load(load: &Load, pace: Pace) -> impl Iterator<Item = Outgoing> {
    (0u64..).map_while(move |number| {
        let event = load.event(number)?;
        Some(Outgoing {
            due: pace.due(number, Duration::ZERO),
            phone: event.phone.parse().ok()?,
            text: event.text,
            answered: true,
        })
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    phone: String,
    text: String,
    /// Seconds.
    #[serde(default)]
    at: f64,
    #[serde(default = "yes")]
    answered: bool,
}

fn yes() -> bool {
    true
}

/// Texts of a file: tab-separated or JSON lines.
pub(super) fn read(path: &Path, pace: Pace) -> anyhow::Result<Vec<Outgoing>> {
    let source: Box<dyn BufRead> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("can't read {}", path.display()))?;
        Box::new(std::io::BufReader::new(file))
    };
    let mut texts = Vec::new();
    let mut first = None;
    for (line, number) in std::io::Read::take(source, IMPORT_BYTES_MAX).lines().zip(1u64..) {
        let line = line.with_context(|| format!("line {number} of {}: is it UTF-8 text?", path.display()))?;
        if line.trim().is_empty() {
            continue;
        }
        let Line { phone, text, at, answered } =
            parse(&line).with_context(|| format!("line {number} of {}", path.display()))?;
        let phone: u64 = match phone.trim().trim_start_matches('+').parse() {
            Ok(phone) => phone,
            Err(_) => bail!(
                "line {number} of {}: `{phone}` is no phone; use the digits of its international form",
                path.display()
            ),
        };
        if measure(&text).segments > SMSC_SEGMENTS_MAX {
            bail!("line {number} of {}: the text takes more than {SMSC_SEGMENTS_MAX} segments", path.display());
        }
        let begin = *first.get_or_insert(at);
        let own = Duration::try_from_secs_f64((at - begin).max(0.0)).unwrap_or_default();
        texts.push(Outgoing { due: pace.due(texts.len() as u64, own), phone, text, answered });
    }
    if texts.is_empty() {
        bail!("{} holds no texts; write `phone<TAB>text` a line", path.display());
    }
    Ok(texts)
}

fn parse(line: &str) -> anyhow::Result<Line> {
    if line.starts_with('{') {
        return serde_json::from_str(line).context("use {\"phone\": \"...\", \"text\": \"...\", \"at\": seconds}");
    }
    let Some((phone, text)) = line.split_once('\t') else { bail!("no tab between phone and text") };
    // A text of several lines is written with \n.
    Ok(Line { phone: phone.to_owned(), text: text.replace("\\n", "\n"), at: 0.0, answered: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: &str) -> anyhow::Result<Vec<Outgoing>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("texts");
        std::fs::write(&path, content).unwrap();
        read(&path, Pace { rate: 0.0, speed: Some(10.0) })
    }

    #[test]
    fn both_kinds_of_line_are_read_and_times_are_shortened() {
        let texts = file("+999551\tPS 1 AA1\\nAB2\n\n{\"phone\":\"999552\",\"text\":\"x\",\"at\":100}\n{\"phone\":\"999552\",\"text\":\"y\",\"at\":105}\n").unwrap();
        assert_eq!((texts[0].phone, texts[0].text.as_str()), (999_551, "PS 1 AA1\nAB2"));
        assert_eq!(texts[2].due, Duration::from_millis(10_500));
    }

    #[test]
    fn a_bad_line_is_named_with_its_number() {
        let long = format!("999551\t{}", "x".repeat(4_000));
        for (content, what) in [
            ("1\ta\nno tab", "line 2"),
            ("x\ttext", "is no phone"),
            ("", "no texts"),
            ("{\"phone\":1}", "line 1"),
            (long.as_str(), "more than 20 segments"),
        ] {
            let error = format!("{:#}", file(content).unwrap_err());
            assert!(error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_rate_spaces_the_texts_evenly() {
        let pace = Pace { rate: 500.0, speed: None };
        assert_eq!(pace.due(250, Duration::from_secs(9)), Duration::from_millis(500));
        assert_eq!(Pace { rate: 0.0, speed: None }.due(250, Duration::from_secs(9)), Duration::ZERO);
    }
}
