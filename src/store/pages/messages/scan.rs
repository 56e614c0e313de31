//! The next of the log in a direction: what an index finds, a bounded number of it, judged by the rest of the
//! filter.
//!
//! Outcomes that are trouble are few among many: each is read by itself from the index that has only such, so
//! that PostgreSQL doesn't pass over all that is well to find them.

use sqlx::PgConnection;

use super::{Cursor, Filter, Turn};
use crate::store::StoreError;

/// Outcomes that `message_trouble` leaves out.
const WELL: [&str; 3] = ["accepted", "corrected", "segment"];

/// A query on the next messages, called `m`, by what an index finds, between `$head` and `$tail`. Its
/// parameters: 1 election, 2 with those of none, 3 outcomes, 4 phone, 5 observer, 6 since, 7 and 8 from and
/// until, 9 timezone, 10 trouble only, 11 to 13 cursor, 14 rows. `$begin` and `$end` stand around it.
macro_rules! next {
    ($f:expr, $cursor:expr, $rows:expr, [$begin:literal, $which:literal, $end:literal], [$cmp:literal, $key:literal, $order:literal],
     $head:literal, [$($tail:literal),+] $(, $argument:expr)*) => {
        sqlx::query!(
            $head + $begin + "SELECT m.spool_id, m.sequence, m.received_at, m.text, m.link, m.outcome, m.reply_id, m.reading FROM message m
                 WHERE ($1::int IS NULL OR m.election_id = $1 OR ($2::bool AND m.election_id IS NULL))
                   AND ($4::bigint IS NULL OR m.phone_id = $4)
                   AND ($5::int IS NULL OR m.observer_id = $5)
                   AND m.received_at >= coalesce($6::timestamptz, '-infinity')
                   AND m.received_at >= coalesce($7::timestamp AT TIME ZONE $9::text, '-infinity')
                   AND m.received_at < coalesce($8::timestamp AT TIME ZONE $9, 'infinity')
                   AND ($11::timestamptz IS NULL OR m.received_at " + $cmp + "= $11 AND (m.received_at " + $cmp
                + " $11 OR (m.spool_id, m.sequence) " + $key + " ($12::int, $13::bigint)))" + $which
                + " ORDER BY " + $order + " LIMIT $14" + $end $(+ $tail)+,
            $f.election,
            $f.with_unknown,
            (!$f.outcomes.is_empty()).then_some(&$f.outcomes[..]) as Option<&[&str]>,
            $f.phone,
            $f.observer,
            $f.since,
            $f.from,
            $f.until,
            $f.timezone(),
            $f.is_trouble,
            $cursor.map(|c: Cursor| c.at),
            $cursor.map(|c: Cursor| c.spool),
            $cursor.map(|c: Cursor| c.sequence),
            $rows
            $(, $argument)*
        )
    };
}

/// [`next`], judged by what no index finds: 15 pattern of words, 16 link, 17 answered, 18 states of replies,
/// 19 rows wanted.
macro_rules! scanned {
    ($conn:expr, $f:expr, $cursor:expr, $rows:expr, $wanted:expr, $from:tt, [$cmp:literal, $key:literal, $order:literal], $outer:literal) => {
        next!(
            $f,
            $cursor,
            $rows,
            $from,
            [$cmp, $key, $order],
            "SELECT w.spool_id AS \"spool_id!\", w.sequence AS \"sequence!\", w.received_at AS \"received_at!\",
                 octet_length(w.text) AS size FROM (",
            [
                ") w
                 WHERE ($15::text IS NULL OR w.text ILIKE $15
                        OR (SELECT b.text FROM outbox b WHERE b.id = w.reply_id) ILIKE $15)
                   AND ($16::text IS NULL OR w.link = $16)
                   AND ($17::bool IS NULL OR (w.reply_id IS NOT NULL) = $17)
                   AND ($18::text[] IS NULL OR (SELECT b.state FROM outbox b WHERE b.id = w.reply_id) = ANY($18))
                   AND (NOT $10 OR w.outcome <> 'partial' OR w.reading ? 'leftover'
                        OR jsonb_path_exists(w.reading, '$.reports[*].leftover ? (@ != \"\")'))
                 ORDER BY ",
                $outer,
                " LIMIT $19"
            ],
            $f.pattern(),
            $f.link,
            $f.answered,
            $f.replies.as_deref() as Option<&[&str]>,
            $wanted
        )
        .fetch_all($conn)
        .await?
        .into_iter()
        .map(|r| (Cursor { at: r.received_at, spool: r.spool_id, sequence: r.sequence }, r.size.unwrap_or(0)))
        .collect()
    };
}

/// The last of [`next`].
macro_rules! ended {
    ($conn:expr, $f:expr, $cursor:expr, $rows:expr, $from:tt, [$cmp:literal, $key:literal, $order:literal], $outer:literal) => {
        next!(
            $f,
            $cursor,
            $rows,
            $from,
            [$cmp, $key, $order],
            "SELECT w.spool_id AS \"spool_id!\", w.sequence AS \"sequence!\", w.received_at AS \"received_at!\" FROM (",
            [") w ORDER BY ", $outer, " OFFSET $14 - 1 LIMIT 1"]
        )
        .fetch_optional($conn)
        .await?
        .map(|r| Cursor { at: r.received_at, spool: r.spool_id, sequence: r.sequence })
    };
}

/// A macro with the pieces for a direction, by the index that serves the filter.
macro_rules! by {
    ($macro:ident, $f:expr, $turn:expr, $($argument:expr),+) => {
        match (by($f), matches!($turn, Turn::Before(_))) {
            (By::Time, false) => $macro!($($argument),+,
                ["", " AND ($3::text[] IS NULL OR m.outcome = ANY($3))
                   AND (NOT $10::bool OR m.outcome NOT IN ('accepted', 'corrected', 'segment'))", ""],
                ["<", ">", "m.received_at DESC, m.spool_id, m.sequence"], "w.received_at DESC, w.spool_id, w.sequence"),
            (By::Time, true) => $macro!($($argument),+,
                ["", " AND ($3::text[] IS NULL OR m.outcome = ANY($3))
                   AND (NOT $10::bool OR m.outcome NOT IN ('accepted', 'corrected', 'segment'))", ""],
                [">", "<", "m.received_at, m.spool_id DESC, m.sequence DESC"], "w.received_at, w.spool_id DESC, w.sequence DESC"),
            (By::Outcome, false) => $macro!($($argument),+,
                ["SELECT m.* FROM unnest($3::text[]) o (outcome) CROSS JOIN LATERAL (",
                 " AND m.outcome = o.outcome AND m.outcome NOT IN ('accepted', 'corrected', 'segment') AND $10::bool IS NOT NULL",
                 ") m ORDER BY m.received_at DESC, m.spool_id, m.sequence LIMIT $14"],
                ["<", ">", "m.received_at DESC, m.spool_id, m.sequence"], "w.received_at DESC, w.spool_id, w.sequence"),
            (By::Outcome, true) => $macro!($($argument),+,
                ["SELECT m.* FROM unnest($3::text[]) o (outcome) CROSS JOIN LATERAL (",
                 " AND m.outcome = o.outcome AND m.outcome NOT IN ('accepted', 'corrected', 'segment') AND $10::bool IS NOT NULL",
                 ") m ORDER BY m.received_at, m.spool_id DESC, m.sequence DESC LIMIT $14"],
                [">", "<", "m.received_at, m.spool_id DESC, m.sequence DESC"], "w.received_at, w.spool_id DESC, w.sequence DESC"),
            (By::Misread, false) => $macro!($($argument),+,
                ["SELECT m.* FROM unnest($3::text[]) o (outcome) CROSS JOIN LATERAL (",
                 " AND m.outcome = o.outcome AND m.outcome NOT IN ('accepted', 'corrected', 'segment') AND $10::bool IS NOT NULL
                     AND (m.outcome <> 'partial' OR m.reading ? 'leftover'
                         OR jsonb_path_exists(m.reading, '$.reports[*].leftover ? (@ != \"\")'))",
                 ") m ORDER BY m.received_at DESC, m.spool_id, m.sequence LIMIT $14"],
                ["<", ">", "m.received_at DESC, m.spool_id, m.sequence"], "w.received_at DESC, w.spool_id, w.sequence"),
            (By::Misread, true) => $macro!($($argument),+,
                ["SELECT m.* FROM unnest($3::text[]) o (outcome) CROSS JOIN LATERAL (",
                 " AND m.outcome = o.outcome AND m.outcome NOT IN ('accepted', 'corrected', 'segment') AND $10::bool IS NOT NULL
                     AND (m.outcome <> 'partial' OR m.reading ? 'leftover'
                         OR jsonb_path_exists(m.reading, '$.reports[*].leftover ? (@ != \"\")'))",
                 ") m ORDER BY m.received_at, m.spool_id DESC, m.sequence DESC LIMIT $14"],
                [">", "<", "m.received_at, m.spool_id DESC, m.sequence DESC"], "w.received_at, w.spool_id DESC, w.sequence DESC"),
        }
    };
}

/// The index that the next are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Of all in their order, or of those of a phone, an observer or an election.
    Time,
    /// Of outcomes that are rare, each by itself.
    Outcome,
    /// Likewise, of that of which something could not be recorded.
    Misread,
}

/// Which index serves a filter.
pub(super) fn by(f: &Filter) -> By {
    match !f.outcomes.is_empty() && f.outcomes.iter().all(|outcome| !WELL.contains(outcome)) {
        true if f.is_trouble => By::Misread,
        true => By::Outcome,
        false => By::Time,
    }
}

fn place(turn: Turn) -> Option<Cursor> {
    match turn {
        Turn::First => None,
        Turn::After(c) | Turn::Before(c) => Some(c),
    }
}

/// The first `wanted` of the next `rows` that pass, with the bytes of their texts.
pub(super) async fn scan(
    conn: &mut PgConnection,
    f: &Filter,
    turn: Turn,
    rows: i64,
    wanted: i64,
) -> Result<Vec<(Cursor, i32)>, StoreError> {
    let cursor = place(turn);
    Ok(by!(scanned, f, turn, conn, f, cursor, rows, wanted))
}

/// The last of the next `rows` of what an index bounds; `None`: there are fewer.
pub(super) async fn end(
    conn: &mut PgConnection,
    f: &Filter,
    turn: Turn,
    rows: i64,
) -> Result<Option<Cursor>, StoreError> {
    let cursor = place(turn);
    Ok(by!(ended, f, turn, conn, f, cursor, rows))
}
