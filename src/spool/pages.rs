//! Rows out of the raw pages of an SQLite file (its file format, sections 1.6 and 2.1), whatever state its
//! trees are in. What is found is believed by its checksum alone.

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
    Other,
}

/// A row: its rowid and columns.
pub(super) type RawRow = (i64, Vec<Value>);

/// Bytes of the largest row that is looked at.
const ROW_BYTES_MAX: usize = 1 << 20;

/// A page by its number, as it stood last.
pub(super) trait PageSource {
    fn page(&mut self, number: u32) -> Option<Vec<u8>>;
}

fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (at, &byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some((value << 8 | u64::from(byte), 9));
        }
        value = value << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn u16_at(page: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(page.get(at..at + 2)?.try_into().ok()?)))
}

/// The rows of one page, if it is a leaf of a table. `number` is 1 for the first page of the file.
pub(super) fn rows(page: &[u8], number: u32, source: &mut impl PageSource) -> Vec<RawRow> {
    let header = if number == 1 { 100 } else { 0 };
    if page.get(header) != Some(&0x0D) {
        return Vec::new();
    }
    let cells = u16_at(page, header + 3).unwrap_or(0).min(page.len() / 4);
    (0..cells).filter_map(|cell| row(page, u16_at(page, header + 8 + 2 * cell)?, source)).collect()
}

fn row(page: &[u8], at: usize, source: &mut impl PageSource) -> Option<RawRow> {
    let cell = page.get(at..)?;
    let (length, a) = varint(cell)?;
    let (rowid, b) = varint(cell.get(a..)?)?;
    let length = usize::try_from(length).ok().filter(|n| *n <= ROW_BYTES_MAX)?;
    let content = cell.get(a + b..)?;
    let usable = page.len();
    if length <= usable - 35 {
        return Some((rowid.cast_signed(), columns(content.get(..length)?)?));
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let some = least + (length - least) % (usable - 4);
    let local = if some <= usable - 35 { some } else { least };
    let mut payload = content.get(..local)?.to_vec();
    let mut next = u32::from_be_bytes(content.get(local..local + 4)?.try_into().ok()?);
    while payload.len() < length {
        let overflow = source.page(next)?;
        next = u32::from_be_bytes(overflow.get(..4)?.try_into().ok()?);
        let take = (length - payload.len()).min(usable - 4);
        payload.extend_from_slice(overflow.get(4..4 + take)?);
    }
    Some((rowid.cast_signed(), columns(&payload)?))
}

fn columns(payload: &[u8]) -> Option<Vec<Value>> {
    let (header, mut at) = varint(payload)?;
    let header = usize::try_from(header).ok()?;
    let mut content = header;
    let mut values = Vec::new();
    while at < header {
        let (kind, n) = varint(payload.get(at..header)?)?;
        at += n;
        let size = match kind {
            0 | 8 | 9 | 10 | 11 => 0,
            1..=4 => kind as usize,
            5 => 6,
            6 | 7 => 8,
            _ => usize::try_from((kind - 12) / 2).ok()?,
        };
        let bytes = payload.get(content..content.checked_add(size)?)?;
        content += size;
        let integer = || {
            let first = bytes.first().is_some_and(|b| b & 0x80 != 0);
            bytes.iter().fold(if first { -1i64 } else { 0 }, |n, &b| n << 8 | i64::from(b))
        };
        values.push(match kind {
            0 => Value::Null,
            1..=6 => Value::Integer(integer()),
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            12.. if kind % 2 == 0 => Value::Blob(bytes.to_vec()),
            13.. => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
            _ => Value::Other,
        });
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct File(Vec<u8>);

    impl PageSource for File {
        fn page(&mut self, number: u32) -> Option<Vec<u8>> {
            let at = (number as usize).checked_sub(1)? * 4096;
            self.0.get(at..at + 4096).map(<[u8]>::to_vec)
        }
    }

    #[test]
    fn rows_are_read_off_the_pages_as_sqlite_wrote_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sqlite");
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)").unwrap();
        for n in 1..=300i64 {
            let blob = vec![n as u8; if n % 50 == 0 { 20_000 } else { n as usize }];
            db.execute(
                "INSERT INTO t VALUES (?1, ?2, ?3, ?4)",
                rusqlite::params![n, -n * 1_000_003, blob, format!("ë{n}")],
            )
            .unwrap();
        }
        drop(db);
        let mut file = File(std::fs::read(&path).unwrap());
        let mut found = std::collections::BTreeMap::new();
        for number in 1..=(file.0.len() / 4096) as u32 {
            let page = file.page(number).unwrap();
            found.extend(rows(&page, number, &mut file).into_iter().filter(|(_, columns)| columns.len() == 4));
        }
        let wanted = |n: i64| {
            let blob = vec![n as u8; if n % 50 == 0 { 20_000 } else { n as usize }];
            vec![Value::Null, Value::Integer(-n * 1_000_003), Value::Blob(blob), Value::Text(format!("ë{n}"))]
        };
        assert_eq!(found.len(), 301 - 1 + usize::from(found.contains_key(&0)));
        for n in 1..=300 {
            assert_eq!(found[&n], wanted(n));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(page in proptest::collection::vec(proptest::prelude::any::<u8>(), 512..=4096)) {
            let mut page = page;
            page[0] = 0x0D;
            let mut source = File(page.clone());
            rows(&page, 2, &mut source);
        }
    }
}
