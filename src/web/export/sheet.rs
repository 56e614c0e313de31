//! Rows of a table as the bytes of a file.
//!
//! Invariant: a text that a spreadsheet could run begins with an apostrophe, in CSV; in JSON every text
//! is as it was stored.

use std::borrow::Cow;
use std::io::Write;

use axum::body::Bytes;
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use super::Form;
use crate::store::pages::Moment;

/// One value.
#[derive(Debug, Clone)]
pub(in crate::web) enum Cell<'a> {
    /// Nothing is known.
    None,
    /// A text, of observers too.
    Text(Cow<'a, str>),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// An instant, shown in UTC.
    Time(OffsetDateTime),
    /// Anything: in CSV its plain form where it has one.
    Json(Cow<'a, Value>),
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Cell<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

macro_rules! whole {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Cell<'_> {
            fn from(n: $kind) -> Self {
                i64::try_from(n).map_or_else(|_| Self::Text(Cow::Owned(n.to_string())), Self::Int)
            }
        }
    )*};
}
whole!(i16, i32, i64, u16, u32, u64, usize);

impl From<f64> for Cell<'_> {
    fn from(n: f64) -> Self {
        Self::Float(n)
    }
}

impl From<bool> for Cell<'_> {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<OffsetDateTime> for Cell<'_> {
    fn from(at: OffsetDateTime) -> Self {
        Self::Time(at)
    }
}

impl From<&Moment> for Cell<'_> {
    fn from(moment: &Moment) -> Self {
        Self::Time(moment.at)
    }
}

impl<'a> From<&'a Value> for Cell<'a> {
    fn from(value: &'a Value) -> Self {
        Self::Json(Cow::Borrowed(value))
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

/// A table in the making: what is written since the last [`Sheet::take`].
#[derive(Debug)]
pub(in crate::web) struct Sheet {
    form: Form,
    /// Names, in JSON quoted and with their colon.
    columns: Vec<String>,
    out: Vec<u8>,
    rows: u64,
}

impl Sheet {
    pub(super) fn new(form: Form, columns: Vec<String>) -> Self {
        let mut sheet = Self { form, columns: Vec::new(), out: Vec::new(), rows: 0 };
        match form {
            Form::Csv => {
                sheet.out.extend_from_slice("\u{feff}".as_bytes());
                sheet.columns = columns;
                for (i, name) in sheet.columns.iter().enumerate() {
                    if i > 0 {
                        sheet.out.push(b',');
                    }
                    write_text(&mut sheet.out, name);
                }
                sheet.out.extend_from_slice(b"\r\n");
            }
            Form::Json => {
                sheet.out.push(b'[');
                sheet.columns = columns.iter().map(|name| format!("{}:", Value::from(name.as_str()))).collect();
            }
        }
        sheet
    }

    /// One row: a cell for each column.
    pub(in crate::web) fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        if self.form == Form::Json {
            self.out.extend_from_slice(if self.rows == 0 { b"\n{" } else { b",\n{" });
        }
        self.rows += 1;
        for (i, (cell, name)) in cells.into_iter().zip(&self.columns).enumerate() {
            if i > 0 {
                self.out.push(b',');
            }
            match self.form {
                Form::Csv => write_csv(&mut self.out, &cell),
                Form::Json => {
                    self.out.extend_from_slice(name.as_bytes());
                    write_json(&mut self.out, &cell);
                }
            }
        }
        self.out.extend_from_slice(if self.form == Form::Csv { b"\r\n" } else { b"}" });
    }

    pub(super) fn end(&mut self) {
        if self.form == Form::Json {
            self.out.extend_from_slice(b"\n]\n");
        }
    }

    /// Rows written from the beginning.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.out))
    }
}

fn write_time(out: &mut Vec<u8>, at: OffsetDateTime) {
    let kind = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    let _ = at.to_offset(time::UtcOffset::UTC).format_into(out, kind);
}

fn write_csv(out: &mut Vec<u8>, cell: &Cell<'_>) {
    match cell {
        Cell::None => {}
        Cell::Text(text) => write_text(out, text),
        Cell::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Cell::Float(n) if n.is_finite() => {
            let _ = write!(out, "{n}");
        }
        Cell::Float(_) => {}
        Cell::Bool(yes) => out.extend_from_slice(if *yes { b"true" } else { b"false" }),
        Cell::Time(at) => write_time(out, *at),
        Cell::Json(value) => match &**value {
            Value::Null => {}
            Value::String(text) => write_text(out, text),
            Value::Array(list) if list.iter().all(|v| v.is_number()) => {
                write_text(out, &list.iter().map(Value::to_string).collect::<Vec<_>>().join(" "));
            }
            other => write_text(out, &other.to_string()),
        },
    }
}

fn write_json(out: &mut Vec<u8>, cell: &Cell<'_>) {
    // Writing to memory does not fail.
    let _ = match cell {
        Cell::None => out.write_all(b"null"),
        Cell::Text(text) => serde_json::to_writer(out, text).map_err(Into::into),
        Cell::Int(n) => write!(out, "{n}"),
        Cell::Float(n) => serde_json::to_writer(out, n).map_err(Into::into),
        Cell::Bool(yes) => write!(out, "{yes}"),
        Cell::Time(at) => {
            out.push(b'"');
            write_time(out, *at);
            out.write_all(b"\"")
        }
        Cell::Json(value) => serde_json::to_writer(out, value).map_err(Into::into),
    };
}

/// Signs that begin a formula, in their wide forms too.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Would a spreadsheet run a cell with this text, or split one off that it runs? Blanks before the sign
/// don't matter, and some locales split lines at semicolons or tabs also within quotes.
fn is_run(text: &str) -> bool {
    let begins =
        |part: &str| part.trim_start_matches(|c: char| c.is_whitespace() || c.is_control()).starts_with(FORMULA);
    text.starts_with(['\t', '\r', '\n']) || begins(text) && !is_number(text)
}

/// A number as it stands, which is no formula.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all = |part: &str| !part.is_empty() && part.len() <= 30 && part.bytes().all(|b| b.is_ascii_digit());
    all(whole) && all(fraction)
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    if text.is_empty() {
        return;
    }
    let run = is_run(text);
    let inner = text.contains([';', '\t', '\n', '\r']);
    if !run && !inner && !text.contains([',', '"']) && !text.starts_with(' ') && !text.ends_with(' ') {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    if run {
        out.push(b'\'');
    }
    // After a sign at which some split, a formula's sign gets its apostrophe too.
    let mut after_split = false;
    for c in text.chars() {
        if after_split && FORMULA.contains(&c) {
            out.push(b'\'');
        }
        after_split = match c {
            ';' | '\t' | '\n' | '\r' => true,
            c => after_split && (c.is_whitespace() || c.is_control()),
        };
        if c == '"' {
            out.push(b'"');
        }
        let mut buffer = [0; 4];
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn csv(text: &str) -> String {
        let mut out = Vec::new();
        write_text(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_a_spreadsheet_would_run_gets_an_apostrophe_and_numbers_stay_numbers() {
        for (text, cell) in [
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("+cmd|' /C calc'!A0", "\"'+cmd|' /C calc'!A0\""),
            ("-2+3", "\"'-2+3\""),
            (" \t=1", "\"' \t'=1\""),
            ("\u{feff}plain", "\u{feff}plain"),
            ("\u{1}=1", "\"'\u{1}=1\""),
            ("＝1", "\"'＝1\""),
            ("\r=1", "\"'\r'=1\""),
            ("ok;=1+1", "\"ok;'=1+1\""),
            ("two\n@x", "\"two\n'@x\""),
            ("-12.5", "-12.5"),
            ("+12", "+12"),
            ("07:05", "07:05"),
            ("say \"a\", b", "\"say \"\"a\"\", b\""),
        ] {
            assert_eq!(csv(text), cell, "{text:?}");
        }
        let mut out = Vec::new();
        write_csv(&mut out, &Cell::Int(-5));
        assert_eq!(out, b"-5");
    }

    #[test]
    fn a_table_has_its_names_its_rows_and_its_end() {
        let row = || [Cell::from("a,b"), Cell::from(3), Cell::None, Cell::from(true)];
        let mut sheet = Sheet::new(Form::Csv, ["x", "n", "none", "yes"].map(str::to_owned).to_vec());
        sheet.row(row());
        sheet.end();
        assert_eq!(sheet.take(), "\u{feff}x,n,none,yes\r\n\"a,b\",3,,true\r\n".as_bytes());
        let mut sheet = Sheet::new(Form::Json, ["x", "n", "none", "yes"].map(str::to_owned).to_vec());
        sheet.row(row());
        sheet.row([Cell::from(OffsetDateTime::UNIX_EPOCH), Cell::Float(0.5), Cell::Float(f64::NAN)]);
        sheet.end();
        let json: Value = serde_json::from_slice(&sheet.take()).unwrap();
        assert_eq!(
            json,
            serde_json::json!([{"x": "a,b", "n": 3, "none": null, "yes": true}, {"x": "1970-01-01T00:00:00Z", "n": 0.5, "none": null}])
        );
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_cell_or_begins_with_a_sign(text in any::<String>()) {
            let cell = csv(&text);
            let inner = cell.strip_prefix('"').and_then(|c| c.strip_suffix('"'));
            match inner {
                Some(inner) => prop_assert!(!inner.replace("\"\"", "").contains('"')),
                None => prop_assert!(!cell.contains([',', '"', '\n', '\r'])),
            }
            let shown = inner.unwrap_or(&cell).trim_start();
            prop_assert!(is_number(&text) || !shown.starts_with(FORMULA));
        }
    }
}
