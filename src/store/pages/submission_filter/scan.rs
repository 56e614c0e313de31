//! Submissions in their order: a bounded number of them, each judged by the filter.
//!
//! Those of one checklist are read by an index of their own, which orders by the same instant on UTC's
//! clocks, so that PostgreSQL can't take the index of all checklists in its place: where the asked ones are
//! old, it would pass over all others first.

use sqlx::PgConnection;

use super::super::submissions::Cursor;
use super::{Filter, Turn, judged};
use crate::store::StoreError;

/// What was looked through.
#[derive(Debug)]
pub(super) struct Window {
    /// The first that pass, in the turn's direction.
    pub(super) keys: Vec<Cursor>,
    /// How many pass in all.
    pub(super) passing: i64,
    /// The last that was looked at; `None`: there are no more.
    pub(super) end: Option<Cursor>,
}

/// [`window`] in one direction, by one index: `$t` and `$u` stand around an instant, `$cmp` and `$key` compare
/// with the cursor, `$order` and `$back` follow an instant in an order and in the reverse. Parameters as in
/// [`judged`], then 11 and 12 the cursor, 13 rows to look through, 14 rows wanted.
macro_rules! looked {
    ($conn:expr, $f:expr, $cursor:expr, $rows:expr, $wanted:expr, $t:literal, $u:literal, $cmp:literal, $key:literal,
     $order:literal, $back:literal) => {{
        let rows = judged!(
            $f,
            ["WITH j AS MATERIALIZED (SELECT w.id, w.last_received_at AS at, ("],
            [
                ") AS ok FROM (
                   SELECT s.id, s.prefix, s.station_id, s.observer_id, s.missing, s.broken_rules, s.revisions, s.comment,
                       s.answers, s.last_received_at
                   FROM submission s
                   WHERE s.election_id = $1 AND ($2::text IS NULL OR s.prefix = $2) AND ($4::int IS NULL OR s.observer_id = $4)
                     AND ($11::timestamptz IS NULL OR ", $t, "s.last_received_at", $u, $cmp, "= ", $t, "$11", $u, "
                         AND (", $t, "s.last_received_at", $u, $cmp, " ", $t, "$11", $u, " OR s.id ", $key, " $12::uuid))
                     AND ", $t, "s.last_received_at", $u, " >= ", $t, "coalesce($8::timestamp AT TIME ZONE $10::text, '-infinity')", $u, "
                     AND ", $t, "s.last_received_at", $u, " < ", $t, "coalesce($9::timestamp AT TIME ZONE $10, 'infinity')", $u, "
                   ORDER BY ", $t, "s.last_received_at", $u, $order, " LIMIT $13) w)
                 SELECT * FROM (SELECT id AS \"id?\", at AS \"at?\", NULL::bigint AS passing, NULL::bigint AS looked FROM j WHERE ok
                     ORDER BY at", $order, " LIMIT $14) f
                 UNION ALL
                 SELECT e.id, e.at, (SELECT count(*) FROM j WHERE ok), (SELECT count(*) FROM j)
                 FROM (SELECT) one LEFT JOIN LATERAL (SELECT id, at FROM j ORDER BY at", $back, " LIMIT 1) e ON true"
            ],
            $cursor.map(|c| c.at),
            $cursor.map(|c| c.id),
            $rows,
            $wanted
        )
        .fetch_all($conn)
        .await?;
        let rows = rows.into_iter().map(|r| {
            let key = r.id.zip(r.at).map(|(id, at)| Cursor { at, id });
            (key, r.passing.zip(r.looked))
        });
        rows.collect::<Vec<_>>()
    }};
}

/// A row that passes; or the last one that was looked at, with how many passed and were looked at.
pub(super) type Met = (Option<Cursor>, Option<(i64, i64)>);

impl Window {
    /// What was met among at most `rows`.
    pub(super) fn of(met: Vec<Met>, rows: i64, is_back: bool) -> Self {
        let mut window = Self { keys: Vec::with_capacity(met.len()), passing: 0, end: None };
        for (key, sums) in met {
            match sums {
                None => window.keys.extend(key),
                Some((passing, looked)) => {
                    window.passing = passing;
                    window.end = key.filter(|_| looked >= rows);
                }
            }
        }
        // In the order in which they were met.
        window.keys.sort_unstable_by_key(super::order);
        if is_back {
            window.keys.reverse();
        }
        window
    }
}

/// Looks through the next `rows` in the turn's direction, for `wanted` that pass.
pub(super) async fn window(
    conn: &mut PgConnection,
    f: &Filter,
    turn: Turn,
    rows: i64,
    wanted: i64,
) -> Result<Window, StoreError> {
    let (cursor, is_back) = match turn {
        Turn::First => (None, false),
        Turn::After(c) => (Some(c), false),
        Turn::Before(c) => (Some(c), true),
    };
    let found: Vec<Met> = match (f.prefix.is_some(), is_back) {
        (false, false) => looked!(conn, f, cursor, rows, wanted, "", "", " <", ">", " DESC, id", ", id DESC"),
        (false, true) => looked!(conn, f, cursor, rows, wanted, "", "", " >", "<", ", id DESC", " DESC, id"),
        (true, false) => {
            looked!(conn, f, cursor, rows, wanted, "(", " AT TIME ZONE 'UTC')", " <", ">", " DESC, id", ", id DESC")
        }
        (true, true) => {
            looked!(conn, f, cursor, rows, wanted, "(", " AT TIME ZONE 'UTC')", " >", "<", ", id DESC", " DESC, id")
        }
    };
    Ok(Window::of(found, rows, is_back))
}
