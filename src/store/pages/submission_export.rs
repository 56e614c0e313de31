//! Submissions for a file, a bounded number of rows and bytes a statement, in the order of their ids:
//! these never change, so that each submission which is there all the while is in the file once,
//! whatever comes in meanwhile.

use sqlx::types::Json;
use sqlx::{Executor, PgConnection};
use time::OffsetDateTime;
use uuid::Uuid;

use super::submission::Detail;
use super::submission_filter::{Filter, PLAN, judged};
use crate::domain::value::Answers;
use crate::limits;
use crate::store::{Store, StoreError};

/// One submission.
#[derive(Debug, Clone)]
pub struct Exported {
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
    /// The station's code.
    pub station: Option<String>,
    /// The station's name.
    pub station_name: Option<String>,
    /// The name of the area right above it.
    pub area: Option<String>,
    /// Its answers.
    pub answers: Answers,
    /// Required answers that are missing.
    pub missing: i16,
    /// Rules that the answers break.
    pub broken_rules: Vec<String>,
    /// The last comment.
    pub comment: Option<String>,
    /// Its first report.
    pub first: OffsetDateTime,
    /// Its last report.
    pub last: OffsetDateTime,
    /// Reports that made it.
    pub revisions: i32,
}

impl From<Detail> for Exported {
    fn from(it: Detail) -> Self {
        let (station, area) = super::station_of(it.trail);
        Self {
            id: it.id,
            prefix: it.prefix,
            kind: it.kind,
            serial: it.serial,
            observer: it.observer,
            area,
            station: station.as_ref().map(|p| p.code.clone()),
            station_name: station.map(|p| p.name),
            answers: it.answers,
            missing: it.missing,
            broken_rules: it.broken_rules,
            comment: it.comment,
            first: it.first.at,
            last: it.last.at,
            revisions: it.revisions,
        }
    }
}

/// The next rows after an id, and the id after which to go on; `None`: these were the last.
pub async fn next(store: &Store, f: &Filter, after: Option<Uuid>) -> Result<(Vec<Exported>, Option<Uuid>), StoreError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            conn.execute(PLAN).await?;
            let after = after.unwrap_or(Uuid::nil());
            let end = sqlx::query_scalar!(
                "SELECT id FROM (
                     SELECT s.id, sum(s.size) OVER (ORDER BY s.id ROWS UNBOUNDED PRECEDING) - s.size AS before FROM (
                         SELECT id, octet_length(answers::text) + coalesce(octet_length(comment), 0) AS size FROM submission
                         WHERE election_id = $1 AND id > $2 ORDER BY id LIMIT $3) s) t
                 WHERE before < $4 ORDER BY id DESC LIMIT 1",
                f.election,
                after,
                limits::WEB_EXPORT_ROWS,
                limits::WEB_EXPORT_BYTES
            )
            .fetch_optional(&mut *conn)
            .await?;
            let Some(end) = end else { return Ok((Vec::new(), None)) };
            let rows = judged!(
                f,
                [r#"SELECT w.id, w.prefix, w.kind, w.serial, o.code AS observer, l.code AS "station?",
                     l.name AS "station_name?", above.name AS "area?", w.answers AS "answers!: Json<Answers>", w.missing,
                     w.broken_rules, w.comment, w.first_received_at, w.last_received_at, w.revisions
                 FROM submission w
                 JOIN observer o ON o.id = w.observer_id
                 LEFT JOIN location l ON l.id = w.station_id
                 LEFT JOIN location above ON above.id = l.parent_id WHERE"#],
                [" AND w.election_id = $1 AND w.id > $11::uuid AND w.id <= $12::uuid ORDER BY w.id"],
                after,
                end
            )
            .fetch_all(conn)
            .await?
            .into_iter()
            .map(|r| Exported {
                id: r.id,
                prefix: r.prefix,
                kind: r.kind,
                serial: r.serial,
                observer: r.observer,
                station: r.station,
                station_name: r.station_name,
                area: r.area,
                answers: r.answers.0,
                missing: r.missing,
                broken_rules: r.broken_rules,
                comment: r.comment,
                first: r.first_received_at,
                last: r.last_received_at,
                revisions: r.revisions,
            })
            .collect();
            Ok((rows, Some(end)))
        })
        .await
}
