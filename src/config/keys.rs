//! The keys that a section may have, asked of serde, so that no second list of them is kept.

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// Carries a struct's field names out of [`Ask`].
#[derive(Debug)]
struct Fields(&'static [&'static str]);

impl std::fmt::Display for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("field names")
    }
}

impl std::error::Error for Fields {}

impl de::Error for Fields {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self(&[])
    }
}

struct Ask;

impl<'de> Deserializer<'de> for Ask {
    type Error = Fields;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fields> {
        Err(Fields(&[]))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fields> {
        Err(Fields(fields))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Keys that `T` may have.
pub(super) fn known<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    match T::deserialize(Ask) {
        Err(Fields(fields)) => fields,
        Ok(_) => &[],
    }
}

/// The known key that a mistyped one most likely means.
pub(super) fn nearest(mistyped: &str, known: &[&'static str]) -> Option<&'static str> {
    known
        .iter()
        .map(|key| (distance(mistyped, key), *key))
        .filter(|(far, key)| *far <= 1 + key.len() / 3)
        .min_by_key(|(far, _)| *far)
        .map(|(_, key)| key)
}

/// Edits that lead from one word to the other: letters added, dropped, changed.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut above_left = i;
        let mut left = i + 1;
        for (cb, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = (above_left + usize::from(ca != *cb)).min(left + 1).min(*cell + 1);
            above_left = *cell;
            *cell = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_a_section_are_its_fields() {
        assert_eq!(known::<super::super::LogConfig>(), ["format", "filter"]);
    }

    #[test]
    fn a_mistyped_key_is_told_its_nearest_neighbour_and_a_strange_one_nothing() {
        let keys = ["spool", "socket", "metrics"];
        assert_eq!(nearest("spol", &keys), Some("spool"));
        assert_eq!(nearest("metric", &keys), Some("metrics"));
        assert_eq!(nearest("colour", &keys), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
