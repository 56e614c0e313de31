//! Submissions in a state that few are in, in their order: read from an index that has only such and holds
//! what the other filters ask of them, so that none of them itself is looked at, however they are scattered.

use sqlx::PgConnection;

use super::super::submissions::Cursor;
use super::scan::{Met, Window};
use super::{Filter, Turn, state};
use crate::limits;
use crate::store::StoreError;

/// States that have an index, the rarest first.
const INDEXED: [i32; 3] = [state::BROKEN, state::REVISED, state::PARTIAL];

/// The state by whose index the filter is best served.
pub(super) fn of(f: &Filter) -> Option<i32> {
    INDEXED.into_iter().find(|bit| f.states & bit != 0)
}

/// Does the index of the state answer all that is asked?
pub(super) fn covers(f: &Filter, bit: i32) -> bool {
    let others = f.states & !bit;
    f.answers.is_none() && others & !(state::COMPLETE | state::PARTIAL | state::REVISED) == 0
}

/// The next in one direction; `$state` is the predicate of an index. Parameters: 1 election, 2 prefix, 3 area, 4
/// observer, 5 states, 6 and 7 from and until, 8 timezone, 9 and 10 the cursor, 11 rows to look through, 12 wanted.
macro_rules! read {
    ($conn:expr, $f:expr, $cursor:expr, $wanted:expr, $state:literal, $cmp:literal, $key:literal, $order:literal, $back:literal) => {
        sqlx::query!(
            "WITH s AS MATERIALIZED (
                 SELECT id, prefix, station_id, observer_id, missing, revisions, last_received_at AS at FROM submission
                 WHERE election_id = $1 AND " + $state + "
                   AND ($9::timestamptz IS NULL OR last_received_at " + $cmp + "= $9
                       AND (last_received_at " + $cmp + " $9 OR id " + $key + " $10::uuid))
                   AND last_received_at >= coalesce($6::timestamp AT TIME ZONE $8::text, '-infinity')
                   AND last_received_at < coalesce($7::timestamp AT TIME ZONE $8, 'infinity')
                 ORDER BY last_received_at" + $order + " LIMIT $11),
             p AS MATERIALIZED (
                 SELECT id, at FROM s
                 WHERE ($2::text IS NULL OR prefix = $2)
                   AND ($3::int IS NULL OR station_id IN (SELECT id FROM location WHERE path @> ARRAY[$3::int]))
                   AND ($4::int IS NULL OR observer_id = $4)
                   AND (($5::int & 1) = 0 OR missing = 0)
                   AND (($5 & 2) = 0 OR missing > 0)
                   AND (($5 & 8) = 0 OR revisions > 1))
             SELECT * FROM (SELECT id AS \"id?\", at AS \"at?\", NULL::bigint AS passing, NULL::bigint AS looked FROM p
                 ORDER BY at" + $order + " LIMIT $12) f
             UNION ALL
             SELECT e.id, e.at, (SELECT count(*) FROM p), (SELECT count(*) FROM s)
             FROM (SELECT) one LEFT JOIN LATERAL (SELECT id, at FROM s ORDER BY at" + $back + " LIMIT 1) e ON true",
            $f.election,
            $f.prefix,
            $f.area,
            $f.observer,
            $f.states,
            $f.from,
            $f.until,
            $f.timezone,
            $cursor.map(|c: Cursor| c.at),
            $cursor.map(|c: Cursor| c.id),
            limits::WEB_SCAN_STATE_ROWS,
            $wanted
        )
        .fetch_all($conn)
        .await?
        .into_iter()
        .map(|r| (r.id.zip(r.at).map(|(id, at)| Cursor { at, id }), r.passing.zip(r.looked)))

                .collect::<Vec<Met>>()
    };
}

/// [`read`] in the turn's direction.
macro_rules! turned {
    ($conn:expr, $f:expr, $turn:expr, $wanted:expr, $state:literal) => {
        match $turn {
            Turn::Before(c) => read!($conn, $f, Some(c), $wanted, $state, ">", "<", ", id DESC", " DESC, id"),
            Turn::After(c) => read!($conn, $f, Some(c), $wanted, $state, "<", ">", " DESC, id", ", id DESC"),
            Turn::First => read!($conn, $f, None, $wanted, $state, "<", ">", " DESC, id", ", id DESC"),
        }
    };
}

/// Looks through the next [`limits::WEB_SCAN_STATE_ROWS`] that are in the state, for `wanted` that pass by what the
/// index holds.
pub(super) async fn window(
    conn: &mut PgConnection,
    f: &Filter,
    bit: i32,
    turn: Turn,
    wanted: i64,
) -> Result<Window, StoreError> {
    let met = match bit {
        state::BROKEN => turned!(conn, f, turn, wanted, "broken_rules <> '{}'"),
        state::REVISED => turned!(conn, f, turn, wanted, "revisions > 1"),
        _ => turned!(conn, f, turn, wanted, "missing > 0"),
    };
    Ok(Window::of(met, limits::WEB_SCAN_STATE_ROWS, matches!(turn, Turn::Before(_))))
}
