//! A table from a CSV file as people have them: with a byte order mark, any line ends, separated by
//! comma, semicolon or tab, columns under names of their own.

use std::io::Read;
use std::path::Path;

use anyhow::Context;

use crate::domain::location::BadLine;
use crate::limits::IMPORT_BYTES_MAX;

/// A column that a command knows.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Its name in `--map`.
    pub name: String,
    /// Other headers that mean it, lower case, words joined by `_`.
    pub synonyms: Vec<String>,
    /// The file must have it.
    pub required: bool,
    /// Several columns may carry it: `phone`, `phone2`, …
    pub several: bool,
}

impl Field {
    pub(crate) fn new(name: &str, synonyms: &[&str]) -> Self {
        let synonyms = synonyms.iter().map(|s| (*s).to_owned()).collect();
        Self { name: name.to_owned(), synonyms, required: false, several: false }
    }

    pub(crate) fn required(self) -> Self {
        Self { required: true, ..self }
    }

    pub(crate) fn several(self) -> Self {
        Self { several: true, ..self }
    }

    fn is_meant_by(&self, header: &str) -> bool {
        let key = key_of(header);
        let same = |k: &str| key_of(&self.name) == k || self.synonyms.iter().any(|s| s == k);
        same(&key) || (self.several && same(key.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_')))
    }
}

/// `--map "Column header=field"`.
#[derive(Debug, Clone)]
pub(crate) struct Mapping {
    column: String,
    field: String,
}

impl std::str::FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.rsplit_once('=') {
            Some((column, field)) if !column.trim().is_empty() && !field.trim().is_empty() => {
                Ok(Self { column: column.trim().to_owned(), field: field.trim().to_owned() })
            }
            _ => Err("write COLUMN=FIELD, for example \"Observer ID=code\"".to_owned()),
        }
    }
}

/// One line, cells by field.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Number of the line; the header is 1.
    pub line: u64,
    cells: Vec<Vec<String>>,
}

/// A table: which fields it has, its rows, and what could not be read.
#[derive(Debug)]
pub(crate) struct Table {
    fields: Vec<String>,
    has: Vec<bool>,
    /// The rows, blank ones left out.
    pub rows: Vec<Row>,
    /// Lines that are no rows.
    pub bad: Vec<BadLine>,
    /// Headers that mean nothing to the command.
    pub ignored: Vec<String>,
}

impl Table {
    /// Does the file have this field at all?
    pub(crate) fn has(&self, field: &str) -> bool {
        self.place(field).and_then(|i| self.has.get(i)).copied().unwrap_or(false)
    }

    /// The first cell of a field, trimmed; empty when the field is not in the file.
    pub(crate) fn cell<'a>(&self, row: &'a Row, field: &str) -> &'a str {
        self.cells(row, field).first().map_or("", String::as_str)
    }

    /// All cells of a field.
    pub(crate) fn cells<'a>(&self, row: &'a Row, field: &str) -> &'a [String] {
        self.place(field).and_then(|i| row.cells.get(i)).map_or(&[], Vec::as_slice)
    }

    fn place(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|f| f == field)
    }
}

/// Reads the file. Fails where nothing can be read of it; single bad lines are in the table.
pub(crate) fn read_table(path: &Path, fields: &[Field], maps: &[Mapping]) -> anyhow::Result<Table> {
    let bytes = read_bytes(path)?;
    parse(&bytes, fields, maps).with_context(|| path.display().to_string())
}

fn read_bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::File::open(path).with_context(|| format!("{} can't be read", path.display()))?;
    let mut bytes = Vec::new();
    file.take(IMPORT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{} can't be read", path.display()))?;
    anyhow::ensure!(
        bytes.len() as u64 <= IMPORT_BYTES_MAX,
        "{} is larger than {} MiB; import it in parts",
        path.display(),
        IMPORT_BYTES_MAX >> 20
    );
    Ok(bytes)
}

fn parse(bytes: &[u8], fields: &[Field], maps: &[Mapping]) -> anyhow::Result<Table> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    anyhow::ensure!(
        !bytes.starts_with(b"PK\x03\x04"),
        "this is a spreadsheet (or another zip file); save the sheet as CSV (UTF-8)"
    );
    anyhow::ensure!(
        !bytes.starts_with(b"\xff\xfe") && !bytes.starts_with(b"\xfe\xff"),
        "this is UTF-16; save it as CSV (UTF-8)"
    );
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter(bytes)).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    let mut lines = LineCounter { bytes, at: 0, line: 1 };
    let mut headers: Option<(Vec<String>, Vec<Option<usize>>)> = None;
    let names = fields.iter().map(|f| f.name.clone()).collect();
    let mut table =
        Table { fields: names, has: vec![false; fields.len()], rows: Vec::new(), bad: Vec::new(), ignored: Vec::new() };
    loop {
        if !reader.read_byte_record(&mut record).context("not a table")? {
            break;
        }
        let line = record.position().map_or(0, |p| lines.line_at(p.byte()));
        let cells: Result<Vec<&str>, _> = record.iter().map(std::str::from_utf8).collect();
        let Ok(cells) = cells else {
            let reason = "is not UTF-8; save the file as CSV (UTF-8)".to_owned();
            table.bad.push(BadLine { line, reason });
            continue;
        };
        match &headers {
            None => {
                let (names, places) = find_columns(&cells, fields, maps)?;
                for place in places.iter().flatten() {
                    if let Some(has) = table.has.get_mut(*place) {
                        *has = true;
                    }
                }
                table.ignored = names
                    .iter()
                    .zip(&places)
                    .filter(|(n, p)| p.is_none() && !n.is_empty())
                    .map(|(n, _)| n.clone())
                    .collect();
                headers = Some((names, places));
            }
            Some((names, places)) => {
                if cells.iter().all(|c| c.trim().is_empty()) {
                    continue;
                }
                if cells.len() > names.len() && cells.iter().skip(names.len()).any(|c| !c.trim().is_empty()) {
                    let reason = format!(
                        "has {} cells under {} headers; quote cells that hold the separator",
                        cells.len(),
                        names.len()
                    );
                    table.bad.push(BadLine { line, reason });
                    continue;
                }
                let mut row = Row { line, cells: vec![Vec::new(); fields.len()] };
                for (cell, place) in cells.iter().zip(places) {
                    if let Some(kept) = place.and_then(|p| row.cells.get_mut(p)) {
                        kept.push(cell.trim().to_owned());
                    }
                }
                table.rows.push(row);
            }
        }
    }
    anyhow::ensure!(headers.is_some(), "the file is empty; its first line must name the columns");
    Ok(table)
}

/// Which field each column carries.
fn find_columns(
    headers: &[&str],
    fields: &[Field],
    maps: &[Mapping],
) -> anyhow::Result<(Vec<String>, Vec<Option<usize>>)> {
    let names: Vec<String> = headers.iter().map(|h| h.trim().to_owned()).collect();
    for map in maps {
        anyhow::ensure!(
            names.iter().any(|n| key_of(n) == key_of(&map.column)),
            "--map: there is no column `{}`; the file has {}",
            map.column,
            names.join(", ")
        );
        anyhow::ensure!(
            fields.iter().any(|f| f.name == map.field),
            "--map: there is no field `{}`; there are {}",
            map.field,
            fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")
        );
    }
    let mapped = |name: &str| maps.iter().find(|m| key_of(&m.column) == key_of(name)).map(|m| m.field.as_str());
    let places: Vec<Option<usize>> = names
        .iter()
        .map(|name| match mapped(name) {
            Some(field) => fields.iter().position(|f| f.name == field),
            // A field that --map gives to a column is not taken by a header that happens to mean it.
            None => fields
                .iter()
                .position(|f| f.is_meant_by(name) && (f.several || !maps.iter().any(|m| m.field == f.name))),
        })
        .collect();
    for (i, field) in fields.iter().enumerate() {
        let columns: Vec<&str> =
            names.iter().zip(&places).filter(|(_, p)| **p == Some(i)).map(|(n, _)| n.as_str()).collect();
        anyhow::ensure!(
            columns.len() <= 1 || field.several,
            "columns {} all mean `{}`; choose one with --map COLUMN={}",
            columns.join(", "),
            field.name,
            field.name
        );
        anyhow::ensure!(
            !columns.is_empty() || !field.required,
            "no column for `{}`: the file has {}; name it with --map COLUMN={}",
            field.name,
            names.join(", "),
            field.name
        );
    }
    Ok((names, places))
}

/// A header for comparing: lower case, words joined by one `_`.
pub(super) fn key_of(header: &str) -> String {
    let mut key = String::new();
    for c in header.trim().chars() {
        if c.is_alphanumeric() {
            key.extend(c.to_lowercase());
        } else if !key.ends_with('_') && !key.is_empty() {
            key.push('_');
        }
    }
    key.trim_end_matches('_').to_owned()
}

/// The separator that the first line has most of, outside quotes.
fn delimiter(bytes: &[u8]) -> u8 {
    let mut counts = [(b',', 0usize), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in bytes {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if !quoted => {
                for (separator, count) in &mut counts {
                    *count += usize::from(separator == byte);
                }
            }
            _ => {}
        }
    }
    let most = counts.iter().map(|(_, n)| *n).max().unwrap_or(0);
    counts.iter().find(|(_, n)| *n == most).map_or(b',', |(separator, _)| *separator)
}

/// Counts lines as an editor does. csv's own position of a record is where the one before it ended,
/// blank lines between them not skipped.
struct LineCounter<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl LineCounter<'_> {
    /// Line of the record that begins at this byte or after the blank lines there. Ask in order.
    fn line_at(&mut self, byte: u64) -> u64 {
        let target = usize::try_from(byte).unwrap_or(usize::MAX);
        while let Some(byte) = self.bytes.get(self.at) {
            let end_of_line = *byte == b'\n' || (*byte == b'\r' && self.bytes.get(self.at + 1) != Some(&b'\n'));
            if self.at >= target && !matches!(byte, b'\n' | b'\r') {
                break;
            }
            self.line += u64::from(end_of_line);
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Vec<Field> {
        vec![
            Field::new("code", &["id", "observer_id"]).required(),
            Field::new("name", &["full_name"]),
            Field::new("phone", &["mobile"]).several(),
        ]
    }

    fn rows(text: &str, maps: &[&str]) -> Vec<(u64, String, String, Vec<String>)> {
        let maps: Vec<Mapping> = maps.iter().map(|m| m.parse().unwrap()).collect();
        let table = parse(text.as_bytes(), &fields(), &maps).unwrap();
        let get = |r: &Row| {
            (
                r.line,
                table.cell(r, "code").to_owned(),
                table.cell(r, "name").to_owned(),
                table.cells(r, "phone").to_vec(),
            )
        };
        table.rows.iter().map(get).collect()
    }

    #[test]
    fn a_byte_order_mark_line_ends_separators_and_blank_lines_do_not_matter() {
        let expected = vec![(2, "7".to_owned(), "Ann, B".to_owned(), vec!["1".to_owned()])];
        assert_eq!(rows("\u{feff}Code,NAME,Mobile\r\n 7 ,\"Ann, B\",1\r\n\r\n", &[]), expected);
        assert_eq!(rows("Observer ID;Full-name;phone 2\n7;Ann, B;1\n;;\n", &[]), expected);
        assert_eq!(rows("id\tname\tphone\n7\tAnn, B\t1", &[]), expected);
    }

    #[test]
    fn lines_are_counted_as_an_editor_does() {
        let found = rows("code,name\n\n1,a\n2,\"x\ny\"\n\n3,b\n", &[]);
        assert_eq!(found.iter().map(|r| r.0).collect::<Vec<_>>(), [3, 4, 7]);
    }

    #[test]
    fn columns_can_be_mapped_and_several_may_carry_one_field() {
        let found = rows("Number,code,phone,phone2\n7,other,1,2\n", &["number=code"]);
        assert_eq!(found, [(2, "7".to_owned(), String::new(), vec!["1".to_owned(), "2".to_owned()])]);
    }

    #[test]
    fn what_is_wrong_with_the_columns_is_said_with_those_that_are_there() {
        let error = |text: &str, maps: &[Mapping]| parse(text.as_bytes(), &fields(), maps).unwrap_err().to_string();
        assert_eq!(error("a,b\n1,2\n", &[]), "no column for `code`: the file has a, b; name it with --map COLUMN=code");
        assert_eq!(error("code,id\n", &[]), "columns code, id all mean `code`; choose one with --map COLUMN=code");
        assert_eq!(error("code\n", &["x=code".parse().unwrap()]), "--map: there is no column `x`; the file has code");
        assert!(error("", &[]).contains("the file is empty"));
        assert!(parse(b"PK\x03\x04xyz", &fields(), &[]).unwrap_err().to_string().contains("save the sheet as CSV"));
    }

    #[test]
    fn a_line_that_is_not_utf_8_or_too_long_is_named_and_the_rest_read() {
        let table = parse(b"code,name\n1,a\n2,caf\xe9\n3,b,c\n4,d\n", &fields(), &[]).unwrap();
        let bad: Vec<_> = table.bad.iter().map(|b| (b.line, b.reason.split(';').next().unwrap())).collect();
        assert_eq!(bad, [(3, "is not UTF-8"), (4, "has 3 cells under 2 headers")]);
        assert_eq!(table.rows.len(), 2);
    }
}
