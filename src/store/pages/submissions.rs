//! Submissions, the latest change first, paged by (time of the last report, id).

use sqlx::{Executor, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Moment;
use super::submission_filter::{Filter, Found, PLAN, Turn, find};
use crate::store::{Store, StoreError};

/// A submission's place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its last report.
    pub at: OffsetDateTime,
    /// Its id.
    pub id: Uuid,
}

/// One submission in the list.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// Its checklist.
    pub prefix: String,
    /// `checklist` or `incident`.
    pub kind: String,
    /// Serial, where the checklist has them.
    pub serial: Option<String>,
    /// The observer's code.
    pub observer: String,
    /// The station's code and name.
    pub station: Option<(String, String)>,
    /// The area right above the station.
    pub area: Option<String>,
    /// Required answers that are missing.
    pub missing: i16,
    /// Rules that the answers break.
    pub broken: usize,
    /// There is a comment.
    pub comment: bool,
    /// Reports that made it.
    pub revisions: i32,
    /// Its first report.
    pub first: Moment,
    /// Its last report.
    pub last: Moment,
}

impl Row {
    /// The cursor of the page that follows this row.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.last.at, id: self.id }
    }
}

/// One page of those that pass.
pub async fn page(store: &Store, filter: &Filter, turn: Turn) -> Result<(Vec<Row>, Found), StoreError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            conn.execute(PLAN).await?;
            let found = find(conn, filter, turn).await?;
            let ids: Vec<Uuid> = found.keys.iter().map(|k| k.id).collect();
            Ok((rows(conn, filter, &ids).await?, found))
        })
        .await
}

async fn rows(conn: &mut PgConnection, filter: &Filter, ids: &[Uuid]) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT s.id, s.prefix, s.kind, s.serial, o.code AS observer, l.code AS "station_code?",
             l.name AS "station?", above.name AS "area?", s.missing, cardinality(s.broken_rules) AS "broken!",
             s.comment IS NOT NULL AS "comment!", s.revisions, s.first_received_at, s.last_received_at,
             s.first_received_at AT TIME ZONE $3 AS "first_local!", s.last_received_at AT TIME ZONE $3 AS "last_local!"
         FROM submission s
         JOIN observer o ON o.id = s.observer_id
         LEFT JOIN location l ON l.id = s.station_id
         LEFT JOIN location above ON above.id = l.parent_id
         WHERE s.election_id = $1 AND s.id = ANY($2)
         ORDER BY s.last_received_at DESC, s.id"#,
        filter.election,
        ids,
        filter.timezone
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Row {
            id: r.id,
            prefix: r.prefix,
            kind: r.kind,
            serial: r.serial,
            observer: r.observer,
            station: r.station_code.zip(r.station),
            area: r.area,
            missing: r.missing,
            broken: usize::try_from(r.broken).unwrap_or(0),
            comment: r.comment,
            revisions: r.revisions,
            first: Moment { at: r.first_received_at, local: r.first_local },
            last: Moment { at: r.last_received_at, local: r.last_local },
        })
        .collect())
}

/// The observer with this code.
pub async fn observer(store: &Store, election: i32, code: &str) -> Result<Option<i32>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_scalar!("SELECT id FROM observer WHERE election_id = $1 AND code = $2", election, code)
                .fetch_optional(conn)
                .await?)
        })
        .await
}
