//! Which submissions a list, a count or a file holds: any filters at once, found within a bounded time
//! however many submissions there are.
//!
//! What is in a rare state is read from an index that has only such ([`in_state`]). Of all else the newest
//! [`limits::WEB_SCAN_ROWS`] are looked through in their order: a filter that many pass has filled its page by
//! then. Where it has not, what is asked for is rare, and an index of one of the filters names all that can be
//! meant; they are then judged by all filters. Where no index names few enough, more are looked through in their
//! order, and the page says how far it looked.

use sqlx::{Executor, PgConnection};
use time::{OffsetDateTime, PrimitiveDateTime};
use uuid::Uuid;

use self::scan::Window;
use super::submissions::Cursor;
use crate::limits;
use crate::store::StoreError;

mod candidates;
mod in_state;
mod scan;

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
    /// Nothing is asked for but a checklist, if that: each one in the order passes.
    fn takes_all(&self) -> bool {
        self.area.is_none()
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
    /// More than so many.
    Over(i64),
}

/// A query with the judgement of a row called `w` by the filter, between `$head` and `$tail` (each pieces of
/// SQL). Its parameters: 1 election, 2 prefix, 3 area, 4 observer, 5 states, 6 path of answers, 7 their
/// prefixes, 8 and 9 from and until, 10 timezone.
macro_rules! judged {
    ($f:expr, [$($head:literal),+], [$($tail:literal),+] $(, $argument:expr)*) => {
        sqlx::query!(
            $($head +)+
            " ($2::text IS NULL OR w.prefix = $2)
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
            $(+ $tail)+,
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
pub(super) use judged;

/// What [`Filter`] asks of the submissions in their order, and how to look on.
pub async fn find(conn: &mut PgConnection, f: &Filter, turn: Turn) -> Result<Found, StoreError> {
    // The order is that of an index, also behind a cursor, where statistics would have all of a checklist sorted first.
    // What one observer sent is little, and is sorted.
    if f.prefix.is_some() && f.observer.is_none() {
        conn.execute("SET LOCAL enable_sort = off").await?;
    }
    let found = look(conn, f, turn).await?;
    conn.execute("SET LOCAL enable_sort = on").await?;
    Ok(found)
}

async fn look(conn: &mut PgConnection, f: &Filter, turn: Turn) -> Result<Found, StoreError> {
    let wanted = limits::WEB_PAGE_ROWS + 1;
    if let Some(bit) = in_state::of(f).filter(|bit| in_state::covers(f, *bit)) {
        let rows = limits::WEB_SCAN_STATE_ROWS;
        let window = in_state::window(conn, f, bit, turn, wanted).await?;
        let count = match counted(&window, turn, rows) {
            Count::Of(0, _) => Count::Unknown,
            Count::Of(passing, _) => Count::Over(passing),
            count => count,
        };
        return Ok(found(window, count, rows));
    }
    if f.takes_all() {
        let window = scan::window(conn, f, turn, wanted, wanted).await?;
        let count = if turn == Turn::First { Count::Exact(tallied(conn, f).await?) } else { Count::Unknown };
        return Ok(found(window, count, wanted));
    }
    let mut window = scan::window(conn, f, turn, limits::WEB_SCAN_ROWS, wanted).await?;
    let count = counted(&window, turn, limits::WEB_SCAN_ROWS);
    if let Some(end) = window.end.filter(|_| (window.keys.len() as i64) < wanted) {
        if let Some(all) = candidates::all(conn, f).await? {
            return Ok(page_of(all, turn));
        }
        let on = if matches!(turn, Turn::Before(_)) { Turn::Before(end) } else { Turn::After(end) };
        let rows = limits::WEB_SCAN_FAR_ROWS - limits::WEB_SCAN_ROWS;
        let farther = scan::window(conn, f, on, rows, wanted - window.keys.len() as i64).await?;
        window.keys.extend(farther.keys);
        window.end = farther.end;
    }
    Ok(found(window, count, limits::WEB_SCAN_FAR_ROWS))
}

/// How many there are, as far as a window on the first page tells.
fn counted(window: &Window, turn: Turn, rows: i64) -> Count {
    match turn {
        Turn::First if window.end.is_some() => Count::Of(window.passing, rows),
        Turn::First => Count::Exact(window.passing),
        _ => Count::Unknown,
    }
}

/// How many there are of a checklist, or in all: that is counted as they come in.
async fn tallied(conn: &mut PgConnection, f: &Filter) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT coalesce(sum(submissions), 0)::bigint AS "sum!" FROM tally
         WHERE election_id = $1 AND ($2::text IS NULL OR prefix = $2)"#,
        f.election,
        f.prefix
    )
    .fetch_one(conn)
    .await?)
}

/// The page that begins a window of so many rows.
fn found(window: Window, count: Count, rows: i64) -> Found {
    let mut keys = window.keys;
    let more = keys.len() as i64 > limits::WEB_PAGE_ROWS;
    let looked = window.end.filter(|_| !more).map(|to| Looked { rows, to });
    keys.truncate(limits::WEB_PAGE_ROWS as usize);
    keys.sort_unstable_by_key(order);
    Found { keys, more, looked, count }
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

/// Settings of a transaction that looks for few rows among many: plans made for the very values, and an
/// index wherever there is one. What is looked through is bounded by the statements themselves; what of it must come
/// from the disk is asked for at once, where the server can.
pub(super) const PLAN: &str =
    "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = off; SET LOCAL jit = off;
     SET LOCAL work_mem = '16MB';
     SELECT set_config('effective_io_concurrency', '128', true) WHERE current_setting('effective_io_concurrency') <> '0'";
