//! Submissions that are rare: all that an index of one of the filters names, judged by all filters.

use sqlx::PgConnection;
use uuid::Uuid;

use super::super::submissions::Cursor;
use super::{Filter, judged, state};
use crate::limits;
use crate::store::StoreError;

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
    if let Some(observer) = f.observer {
        let ids = ids!(
            conn,
            "SELECT id FROM submission WHERE election_id = $1 AND observer_id = $2 LIMIT $3",
            election,
            observer
        );
        if are_few(&ids) {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
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
    for bit in [state::BROKEN, state::REVISED, state::PARTIAL] {
        if f.states & bit == 0 {
            continue;
        }
        let ids = in_state(conn, election, bit).await?;
        if are_few(&ids) {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if let Some(area) = f.area {
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
        let ids = ids!(
            conn,
            "SELECT id FROM submission WHERE election_id = $1 AND answers @@ $2::text::jsonpath LIMIT $3",
            election,
            equalities
        );
        if are_few(&ids) {
            return judge(conn, f, &ids).await.map(Some);
        }
    }
    if let Some(prefix) = &f.prefix {
        let ids = ids!(
            conn,
            "SELECT id FROM submission WHERE election_id = $1 AND prefix = $2
             ORDER BY (last_received_at AT TIME ZONE 'UTC') DESC LIMIT $3",
            election,
            prefix
        );
        if are_few(&ids) {
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
async fn in_state(conn: &mut PgConnection, election: i32, bit: i32) -> Result<Vec<Uuid>, StoreError> {
    Ok(match bit {
        state::BROKEN => ids!(
            conn,
            "SELECT id FROM submission WHERE election_id = $1 AND broken_rules <> '{}' ORDER BY last_received_at DESC LIMIT $2",
            election
        ),
        state::REVISED => ids!(
            conn,
            "SELECT id FROM submission WHERE election_id = $1 AND revisions > 1 ORDER BY last_received_at DESC LIMIT $2",
            election
        ),
        _ => ids!(
            conn,
            "SELECT id FROM submission WHERE election_id = $1 AND missing > 0 ORDER BY last_received_at DESC LIMIT $2",
            election
        ),
    })
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
