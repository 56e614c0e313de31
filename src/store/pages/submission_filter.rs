//! Which submissions a list, a count or a file holds: any filters at once, found within a bounded time
//! however many submissions there are.
//!
//! The newest [`limits::WEB_SCAN_ROWS`] are looked through in their order: a filter that many pass has
//! filled its page by then. Where it has not, what is asked for is rare, and an index of one of the
//! filters names all that can be meant; they are then judged by all filters. Where no index names few
//! enough, more are looked through in their order, and the page says how far it looked.

use sqlx::PgConnection;
use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

use super::submissions::Cursor;
use crate::limits;
use crate::store::StoreError;

/// Bits of [`Filter::states`].
pub mod state {
    /// No required answer is missing.
    pub const COMPLETE: i32 = 1;
    /// A required answer is missing.
    pub const PARTIAL: i32 = 2;
    /// The answers break a rule.
    pub const BROKEN: i32 = 4;
    /// More than one message made it.
    pub const REVISED: i32 = 8;
    /// There is a comment.
    pub const COMMENTED: i32 = 16;
    /// A report came from a phone that isn't the observer's.
    pub const UNVERIFIED: i32 = 32;
}

/// Which submissions: all that pass each of these.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Election, PostgreSQL's key.
    pub election: i32,
    /// Its timezone.
    pub timezone: String,
    /// Of this checklist.
    pub prefix: Option<String>,
    /// Of stations in this area, or of this station.
    pub area: Option<i32>,
    /// Of this observer.
    pub observer: Option<i32>,
    /// Bits of [`state`].
    pub states: i32,
    /// The last report came then or later, by the election's clocks.
    pub from: Option<PrimitiveDateTime>,
    /// It came before.
    pub until: Option<PrimitiveDateTime>,
    /// With these answers.
    pub answers: Option<Answered>,
}

impl Filter {
    /// Nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.prefix.is_none()
            && self.area.is_none()
            && self.observer.is_none()
            && self.states == 0
            && self.from.is_none()
            && self.until.is_none()
            && self.answers.is_none()
    }
}

/// What is asked of the answers, as SQL/JSON paths.
#[derive(Debug, Clone)]
pub struct Answered {
    /// A predicate over all answers.
    pub path: String,
    /// One that all of these fulfil, made of equalities alone, so that an index finds them.
    pub equalities: Option<String>,
    /// Checklists that ask these questions.
    pub prefixes: Vec<String>,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// With the newest.
    #[default]
    First,
    /// After this one, with older ones.
    After(Cursor),
    /// Before this one, with newer ones.
    Before(Cursor),
}

/// Keys of one page, the newest first.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// They.
    pub keys: Vec<Cursor>,
    /// There are more in the direction that was asked for.
    pub more: bool,
    /// So many were looked through; farther on there may be more. `None`: all were.
    pub looked: Option<Looked>,
    /// How many there are in all.
    pub count: Count,
}

/// How far a search came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Rows looked through.
    pub rows: i64,
    /// The last of them.
    pub to: Cursor,
}

/// How many submissions pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Count {
    /// Nobody counted.
    #[default]
    Unknown,
    /// So many.
    Exact(i64),
    /// So many of the newest ones looked at (second), and there are more.
    Of(i64, i64),
}

/// A query whose rows, called `w`, are judged by the filter. Its parameters: 1 election, 2 prefix, 3 area,
/// 4 observer, 5 states, 6 path of answers, 7 their prefixes, 8 and 9 from and until, 10 timezone.
macro_rules! filtered {
    ($f:expr, $head:literal, $tail:literal $(, $argument:expr)*) => {
        sqlx::query!(
            $head
                + " WHERE ($2::text IS NULL OR w.prefix = $2)
                   AND ($3::int IS NULL OR w.station_id IN (SELECT id FROM location WHERE path @> ARRAY[$3::int]))
                   AND ($4::int IS NULL OR w.observer_id = $4)
                   AND (($5::int & 1) = 0 OR w.missing = 0)
                   AND (($5 & 2) = 0 OR w.missing > 0)
                   AND (($5 & 4) = 0 OR w.broken_rules <> '{}')
                   AND (($5 & 8) = 0 OR w.revisions > 1)
                   AND (($5 & 16) = 0 OR w.comment IS NOT NULL)
                   AND (($5 & 32) = 0 OR w.id IN (SELECT unnest(m.submissions) FROM message m WHERE m.election_id = $1
                           AND m.reading @> '{\"reports\": [{\"notes\": [{\"kind\": \"unverified_phone\"}]}]}'))
                   AND ($6::text IS NULL OR w.prefix = ANY($7::text[]) AND w.answers @@ (SELECT $6::text::jsonpath))
                   AND w.last_received_at >= coalesce($8::timestamp AT TIME ZONE $10::text, '-infinity')
                   AND w.last_received_at < coalesce($9::timestamp AT TIME ZONE $10, 'infinity') "
                + $tail,
            $f.election,
            $f.prefix,
            $f.area,
            $f.observer,
            $f.states,
            $f.answers.as_ref().map(|a| a.path.as_str()),
            $f.answers.as_ref().map(|a| a.prefixes.as_slice()),
            $f.from,
            $f.until,
            $f.timezone
            $(, $argument)*
        )
    };
}
pub(super) use filtered;

/// What [`Filter`] asks of the submissions in their order, and how to look on.
pub async fn find(conn: &mut PgConnection, f: &Filter, turn: Turn) -> Result<Found, StoreError> {
    let wanted = limits::WEB_PAGE_ROWS + 1;
    let mut looked = None;
    let mut keys = scan(conn, f, turn, limits::WEB_SCAN_ROWS, wanted).await?;
    if !f.is_empty() && (keys.len() as i64) < wanted && scan_end(conn, f, turn, limits::WEB_SCAN_ROWS).await?.is_some()
    {
        if let Some(all) = candidates(conn, f).await? {
            return Ok(page_of(all, turn));
        }
        keys = scan(conn, f, turn, limits::WEB_SCAN_FAR_ROWS, wanted).await?;
        if (keys.len() as i64) < wanted {
            let end = scan_end(conn, f, turn, limits::WEB_SCAN_FAR_ROWS).await?;
            looked = end.map(|to| Looked { rows: limits::WEB_SCAN_FAR_ROWS, to });
        }
    }
    let more = keys.len() as i64 >= wanted;
    keys.truncate(limits::WEB_PAGE_ROWS as usize);
    if matches!(turn, Turn::Before(_)) {
        keys.reverse();
    }
    let count = if turn == Turn::First { counted(conn, f).await? } else { Count::Unknown };
    Ok(Found { keys, more, looked, count })
}

/// One page out of all that pass.
fn page_of(mut all: Vec<Cursor>, turn: Turn) -> Found {
    all.sort_unstable_by_key(order);
    let count = Count::Exact(i64::try_from(all.len()).unwrap_or(i64::MAX));
    let rows = limits::WEB_PAGE_ROWS as usize;
    let (keys, more) = match turn {
        Turn::First => (all.get(..rows.min(all.len())).unwrap_or_default().to_vec(), all.len() > rows),
        Turn::After(c) => {
            let from = all.partition_point(|k| order(k) <= order(&c));
            let to = all.len().min(from + rows);
            (all.get(from..to).unwrap_or_default().to_vec(), all.len() > to)
        }
        Turn::Before(c) => {
            let to = all.partition_point(|k| order(k) < order(&c));
            let from = to.saturating_sub(rows);
            (all.get(from..to).unwrap_or_default().to_vec(), from > 0)
        }
    };
    Found { keys, more, looked: None, count }
}

/// The newest first.
fn order(key: &Cursor) -> (std::cmp::Reverse<OffsetDateTime>, Uuid) {
    (std::cmp::Reverse(key.at), key.id)
}

/// The first `wanted` of the next `rows` that pass, in the turn's direction.
async fn scan(
    conn: &mut PgConnection,
    f: &Filter,
    turn: Turn,
    rows: i64,
    wanted: i64,
) -> Result<Vec<Cursor>, StoreError> {
    let (at, id) = match turn {
        Turn::First => (None, None),
        Turn::After(c) | Turn::Before(c) => (Some(c.at), Some(c.id)),
    };
    Ok(if matches!(turn, Turn::Before(_)) {
        filtered!(
            f,
            "SELECT w.id, w.last_received_at FROM (
                 SELECT s.id, s.prefix, s.station_id, s.observer_id, s.missing, s.broken_rules, s.revisions, s.comment,
                     s.answers, s.last_received_at
                 FROM submission s
                 WHERE s.election_id = $1 AND ($2::text IS NULL OR s.prefix = $2)
                   AND ($4::int IS NULL OR s.observer_id = $4) AND s.last_received_at >= $11::timestamptz
                   AND (s.last_received_at > $11 OR s.id < $12::uuid)
                   AND s.last_received_at < coalesce($9::timestamp AT TIME ZONE $10, 'infinity')
                 ORDER BY s.last_received_at, s.id DESC LIMIT $13) w",
            " ORDER BY w.last_received_at, w.id DESC LIMIT $14",
            at,
            id,
            rows,
            wanted
        )
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(|r| Cursor { at: r.last_received_at, id: r.id })
        .collect()
    } else {
        filtered!(
            f,
            "SELECT w.id, w.last_received_at FROM (
                 SELECT s.id, s.prefix, s.station_id, s.observer_id, s.missing, s.broken_rules, s.revisions, s.comment,
                     s.answers, s.last_received_at
                 FROM submission s
                 WHERE s.election_id = $1 AND ($2::text IS NULL OR s.prefix = $2)
                   AND ($4::int IS NULL OR s.observer_id = $4) AND s.last_received_at <= coalesce($11::timestamptz, 'infinity')
                   AND ($11 IS NULL OR s.last_received_at < $11 OR s.id > $12::uuid)
                   AND s.last_received_at >= coalesce($8::timestamp AT TIME ZONE $10, '-infinity')
                   AND s.last_received_at < coalesce($9::timestamp AT TIME ZONE $10, 'infinity')
                 ORDER BY s.last_received_at DESC, s.id LIMIT $13) w",
            " ORDER BY w.last_received_at DESC, w.id LIMIT $14",
            at,
            id,
            rows,
            wanted
        )
        .fetch_all(conn)
        .await?
        .into_iter()
        .map(|r| Cursor { at: r.last_received_at, id: r.id })
        .collect()
    })
}

/// The last of the next `rows`; `None`: there are fewer.
async fn scan_end(conn: &mut PgConnection, f: &Filter, turn: Turn, rows: i64) -> Result<Option<Cursor>, StoreError> {
    let (at, id) = match turn {
        Turn::First => (None, None),
        Turn::After(c) | Turn::Before(c) => (Some(c.at), Some(c.id)),
    };
    if matches!(turn, Turn::Before(_)) {
        return Ok(sqlx::query_as!(
            Cursor,
            "SELECT s.id, s.last_received_at AS at FROM submission s
             WHERE s.election_id = $1 AND s.last_received_at >= $2::timestamptz
               AND (s.last_received_at > $2 OR s.id < $3::uuid)
               AND s.last_received_at < coalesce($4::timestamp AT TIME ZONE $5::text, 'infinity')
               AND ($7::text IS NULL OR s.prefix = $7) AND ($8::int IS NULL OR s.observer_id = $8)
             ORDER BY s.last_received_at, s.id DESC OFFSET $6 LIMIT 1",
            f.election,
            at,
            id,
            f.until,
            f.timezone,
            rows - 1,
            f.prefix,
            f.observer
        )
        .fetch_optional(conn)
        .await?);
    }
    Ok(sqlx::query_as!(
        Cursor,
        "SELECT s.id, s.last_received_at AS at FROM submission s
         WHERE s.election_id = $1 AND s.last_received_at <= coalesce($2::timestamptz, 'infinity')
           AND ($2 IS NULL OR s.last_received_at < $2 OR s.id > $3::uuid)
           AND s.last_received_at >= coalesce($4::timestamp AT TIME ZONE $6::text, '-infinity')
           AND s.last_received_at < coalesce($5::timestamp AT TIME ZONE $6, 'infinity')
           AND ($8::text IS NULL OR s.prefix = $8) AND ($9::int IS NULL OR s.observer_id = $9)
         ORDER BY s.last_received_at DESC, s.id OFFSET $7 LIMIT 1",
        f.election,
        at,
        id,
        f.from,
        f.until,
        f.timezone,
        rows - 1,
        f.prefix,
        f.observer
    )
    .fetch_optional(conn)
    .await?)
}

/// How many of the newest pass.
async fn counted(conn: &mut PgConnection, f: &Filter) -> Result<Count, StoreError> {
    let row = filtered!(
        f,
        r#"SELECT count(*) AS "count!" FROM (
             SELECT s.id, s.prefix, s.station_id, s.observer_id, s.missing, s.broken_rules, s.revisions, s.comment,
                 s.answers, s.last_received_at
             FROM submission s
             WHERE s.election_id = $1 AND ($2::text IS NULL OR s.prefix = $2) AND ($4::int IS NULL OR s.observer_id = $4)
               AND s.last_received_at >= coalesce($8::timestamp AT TIME ZONE $10, '-infinity')
               AND s.last_received_at < coalesce($9::timestamp AT TIME ZONE $10, 'infinity')
             ORDER BY s.last_received_at DESC, s.id LIMIT $11) w"#,
        "",
        limits::WEB_SCAN_ROWS
    )
    .fetch_one(&mut *conn)
    .await?;
    Ok(match scan_end(conn, f, Turn::First, limits::WEB_SCAN_ROWS + 1).await? {
        Some(_) => Count::Of(row.count, limits::WEB_SCAN_ROWS),
        None => Count::Exact(row.count),
    })
}

/// All that pass, where an index of one of the filters names few enough.
async fn candidates(conn: &mut PgConnection, f: &Filter) -> Result<Option<Vec<Cursor>>, StoreError> {
    let most = limits::WEB_CANDIDATES_MAX + 1;
    if let Some(observer) = f.observer {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM submission WHERE election_id = $1 AND observer_id = $2 LIMIT $3",
            f.election,
            observer,
            most
        )
        .fetch_all(&mut *conn)
        .await?;
        if (ids.len() as i64) < most {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if f.states & state::UNVERIFIED != 0 {
        let ids = sqlx::query_scalar!(
            r#"SELECT unnest(submissions) AS "id!" FROM message
               WHERE election_id = $1 AND reading @> '{"reports": [{"notes": [{"kind": "unverified_phone"}]}]}' LIMIT $2"#,
            f.election,
            most
        )
        .fetch_all(&mut *conn)
        .await?;
        if (ids.len() as i64) < most {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    for bit in [state::BROKEN, state::REVISED, state::PARTIAL] {
        if f.states & bit == 0 {
            continue;
        }
        let ids = rare(conn, f.election, bit, most).await?;
        if (ids.len() as i64) < most {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if let Some(area) = f.area {
        let ids = sqlx::query_scalar!(
            "SELECT s.id FROM location l JOIN submission s ON s.station_id = l.id AND s.election_id = $1
             WHERE l.path @> ARRAY[$2::int] LIMIT $3",
            f.election,
            area,
            most
        )
        .fetch_all(&mut *conn)
        .await?;
        if (ids.len() as i64) < most {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if let Some(equalities) = f.answers.as_ref().and_then(|a| a.equalities.as_ref())
        && is_rare(conn, f, equalities).await?
    {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM submission WHERE election_id = $1 AND answers @@ $2::text::jsonpath LIMIT $3",
            f.election,
            equalities,
            most
        )
        .fetch_all(&mut *conn)
        .await?;
        if (ids.len() as i64) < most {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if let Some(prefix) = &f.prefix {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM submission WHERE election_id = $1 AND prefix = $2 ORDER BY last_received_at DESC LIMIT $3",
            f.election,
            prefix,
            most
        )
        .fetch_all(&mut *conn)
        .await?;
        if (ids.len() as i64) < most {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    Ok(None)
}

/// Is an answer rare among the newest? The index on answers is asked for rare ones only: of frequent ones it
/// would gather all before it gives the first.
async fn is_rare(conn: &mut PgConnection, f: &Filter, equalities: &str) -> Result<bool, StoreError> {
    let among = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
             SELECT answers FROM submission WHERE election_id = $1 ORDER BY last_received_at DESC, id LIMIT $2) s
           WHERE s.answers @@ (SELECT $3::text::jsonpath)"#,
        f.election,
        limits::WEB_SCAN_ROWS,
        equalities
    )
    .fetch_one(conn)
    .await?;
    Ok(among * 100 <= limits::WEB_SCAN_ROWS)
}

/// Submissions in a state that an index names.
async fn rare(conn: &mut PgConnection, election: i32, bit: i32, most: i64) -> Result<Vec<Uuid>, StoreError> {
    Ok(match bit {
        state::BROKEN => {
            sqlx::query_scalar!(
                "SELECT id FROM submission WHERE election_id = $1 AND broken_rules <> '{}'
                 ORDER BY last_received_at DESC LIMIT $2",
                election,
                most
            )
            .fetch_all(conn)
            .await?
        }
        state::REVISED => {
            sqlx::query_scalar!(
                "SELECT id FROM submission WHERE election_id = $1 AND revisions > 1 ORDER BY last_received_at DESC LIMIT $2",
                election,
                most
            )
            .fetch_all(conn)
            .await?
        }
        _ => {
            sqlx::query_scalar!(
                "SELECT id FROM submission WHERE election_id = $1 AND missing > 0 ORDER BY last_received_at DESC LIMIT $2",
                election,
                most
            )
            .fetch_all(conn)
            .await?
        }
    })
}

/// Those of these that pass.
async fn judge(conn: &mut PgConnection, f: &Filter, ids: &[Uuid]) -> Result<Vec<Cursor>, StoreError> {
    let rows = filtered!(
        f,
        "SELECT w.id, w.last_received_at FROM submission w",
        " AND w.election_id = $1 AND w.id = ANY($11::uuid[])",
        ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| Cursor { at: r.last_received_at, id: r.id }).collect())
}

/// Settings of a transaction that looks for few rows among many: plans made for the very values, and an
/// index wherever there is one. What is looked through is bounded by the statements themselves.
pub(super) const PLAN: &str =
    "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = off; SET LOCAL jit = off";
