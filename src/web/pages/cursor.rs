//! Where a page of a list begins, as it stands in an address.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::store::pages::{messages, submissions};

fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(0)
}

fn instant(micros: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros.parse::<i64>().ok()?) * 1_000).ok()
}

/// Of a list of submissions.
pub(super) fn of_submission(cursor: submissions::Cursor) -> String {
    format!("{}_{}", micros(cursor.at), cursor.id.as_simple())
}

/// The inverse of [`of_submission`].
pub(super) fn submission(text: &str) -> Option<submissions::Cursor> {
    let (at, id) = text.split_once('_')?;
    Some(submissions::Cursor { at: instant(at)?, id: Uuid::try_parse(id).ok()? })
}

/// Of the message log.
pub(super) fn of_message(cursor: messages::Cursor) -> String {
    format!("{}_{}_{}", micros(cursor.at), cursor.spool, cursor.sequence)
}

/// The inverse of [`of_message`].
pub(super) fn message(text: &str) -> Option<messages::Cursor> {
    let mut parts = text.splitn(3, '_');
    let at = instant(parts.next()?)?;
    Some(messages::Cursor { at, spool: parts.next()?.parse().ok()?, sequence: parts.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_comes_back_as_it_was(us in -62_000_000_000_000_000i64..250_000_000_000_000_000, id in any::<u128>(), spool in any::<i32>(), sequence in any::<i64>()) {
            let at = instant(&us.to_string()).unwrap();
            let one = submissions::Cursor { at, id: Uuid::from_u128(id) };
            prop_assert_eq!(submission(&of_submission(one)), Some(one));
            let two = messages::Cursor { at, spool, sequence };
            prop_assert_eq!(message(&of_message(two)), Some(two));
        }

        #[test]
        fn nonsense_is_no_cursor_and_no_panic(text in any::<String>()) {
            let _ = submission(&text);
            let _ = message(&text);
        }
    }
}
