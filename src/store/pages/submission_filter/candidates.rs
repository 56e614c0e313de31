//! Submissions that are rare: all that an index of one of the filters names, judged by all filters. Of one checklist
//! or one observer more were looked through already than could be judged one by one.

use sqlx::PgConnection;
use uuid::Uuid;

use super::super::submissions::Cursor;
use super::{Filter, Turn, in_state, judged, state};
use crate::limits;
use crate::store::StoreError;

/// Rows among which an answer is looked for to tell whether it is rare.
const SAMPLE: i64 = 2_000;

/// Ids that a query names, [`limits::WEB_CANDIDATES_MAX`] and one at most.
macro_rules! ids {
    ($conn:expr, $sql:literal $(, $argument:expr)*) => {
        sqlx::query_scalar!($sql $(, $argument)*, limits::WEB_CANDIDATES_MAX + 1).fetch_all(&mut *$conn).await?
    };
}

/// All that pass, where an index of one of the filters names few enough.
pub(super) async fn all(conn: &mut PgConnection, f: &Filter) -> Result<Option<Vec<Cursor>>, StoreError> {
    let election = f.election;
    let are_few = |ids: &Vec<Uuid>| ids.len() as i64 <= limits::WEB_CANDIDATES_MAX;
    if f.states & state::UNVERIFIED != 0 {
        let ids = ids!(
            conn,
            r#"SELECT unnest(submissions) AS "id!" FROM message
               WHERE election_id = $1 AND reading @> '{"reports": [{"notes": [{"kind": "unverified_phone"}]}]}' LIMIT $2"#,
            election
        );
        if are_few(&ids) {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if let Some(bit) = in_state::of(f) {
        let most = limits::WEB_CANDIDATES_MAX + 1;
        let window = in_state::window(conn, f, bit, Turn::First, most).await?;
        let ids: Vec<Uuid> = window.keys.iter().map(|key| key.id).collect();
        if window.end.is_none() && are_few(&ids) {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if let Some(area) = f.area
        && is_small(conn, f, area).await?
    {
        let ids = ids!(
            conn,
            "SELECT s.id FROM location l JOIN submission s ON s.station_id = l.id AND s.election_id = $1
             WHERE l.path @> ARRAY[$2::int] LIMIT $3",
            election,
            area
        );
        if are_few(&ids) {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if let Some(equalities) = f.answers.as_ref().and_then(|a| a.equalities.as_ref())
        && is_rare(conn, f, equalities).await?
    {
        return answered(conn, f, equalities).await;
    }
    Ok(None)
}

/// Those with these answers that pass, where they are few enough. Each is read once, where it stands in the table:
/// looked up again by its id it would cost a page of another index, from the disk where the election is large.
async fn answered(conn: &mut PgConnection, f: &Filter, equalities: &str) -> Result<Option<Vec<Cursor>>, StoreError> {
    let most = limits::WEB_CANDIDATES_MAX;
    let rows = judged!(
        f,
        ["WITH c AS MATERIALIZED (
              SELECT id, prefix, station_id, observer_id, missing, broken_rules, revisions, comment, answers, last_received_at
              FROM submission WHERE election_id = $1 AND answers @@ $11::text::jsonpath LIMIT $12)
          SELECT NULL::uuid AS id, NULL::timestamptz AS at, count(*) AS named FROM c
          UNION ALL SELECT w.id, w.last_received_at, NULL FROM c w WHERE"],
        [""],
        equalities,
        most + 1
    )
    .fetch_all(conn)
    .await?;
    let named = rows.iter().find_map(|r| r.named).unwrap_or_default();
    let found = rows.into_iter().filter_map(|r| r.id.zip(r.at)).map(|(id, at)| Cursor { at, id });
    Ok((named <= most).then(|| found.collect()))
}

/// Is an answer rare among the newest? The index on answers is asked for rare ones only: of frequent ones it
/// would gather all before it gives the first.
async fn is_rare(conn: &mut PgConnection, f: &Filter, equalities: &str) -> Result<bool, StoreError> {
    let among = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM (
             SELECT answers FROM submission WHERE election_id = $1 ORDER BY last_received_at DESC, id LIMIT $2) s
           WHERE s.answers @@ (SELECT $3::text::jsonpath)"#,
        f.election,
        SAMPLE,
        equalities
    )
    .fetch_one(conn)
    .await?;
    Ok(among * 100 <= SAMPLE)
}

/// Are few submissions of an area, as far as they are counted as they come in? Those of a single station are.
async fn is_small(conn: &mut PgConnection, f: &Filter, area: i32) -> Result<bool, StoreError> {
    let sum = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(submissions), 0)::bigint AS "sum!" FROM tally
         WHERE election_id = $1 AND area_id = ANY(ARRAY(SELECT id FROM location WHERE path @> ARRAY[$2::int] AND NOT is_station))"#,
        f.election,
        area
    )
    .fetch_one(conn)
    .await?;
    Ok(sum <= limits::WEB_CANDIDATES_MAX)
}

/// Those of these that pass.
async fn judge(conn: &mut PgConnection, f: &Filter, ids: &[Uuid]) -> Result<Vec<Cursor>, StoreError> {
    let rows = judged!(
        f,
        ["SELECT w.id, w.last_received_at FROM submission w WHERE"],
        [" AND w.election_id = $1 AND w.id = ANY($11::uuid[])"],
        ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| Cursor { at: r.last_received_at, id: r.id }).collect())
}
