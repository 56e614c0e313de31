//! Submissions, the latest change first, paged by (time of the last report, id).

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Moment;
use super::election::Election;
use crate::limits;
use crate::store::{Store, StoreError};

/// Which ones.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this checklist.
    pub prefix: Option<String>,
    /// Of stations in this area.
    pub area: Option<i32>,
    /// `complete`, `partial`, `broken` (a rule) or `revised`.
    pub state: Option<&'static str>,
    /// After this one.
    pub after: Option<Cursor>,
}

/// The last submission of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its last report.
    pub at: OffsetDateTime,
    /// Its id.
    pub id: Uuid,
}

/// One submission in the list.
#[derive(Debug, Clone)]
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

/// One page; the flag says that more follow.
pub async fn page(store: &Store, election: &Election, filter: &Filter) -> Result<(Vec<Row>, bool), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query!(
                r#"SELECT s.id, s.prefix, s.kind, s.serial, o.code AS observer, l.code AS "station_code?",
                     l.name AS "station?", above.name AS "area?", s.missing, cardinality(s.broken_rules) AS "broken!",
                     s.comment IS NOT NULL AS "comment!", s.revisions, s.first_received_at, s.last_received_at,
                     s.first_received_at AT TIME ZONE $8 AS "first_local!",
                     s.last_received_at AT TIME ZONE $8 AS "last_local!"
                 FROM submission s
                 JOIN observer o ON o.id = s.observer_id
                 LEFT JOIN location l ON l.id = s.station_id
                 LEFT JOIN location above ON above.id = l.parent_id
                 WHERE s.election_id = $1
                   AND ($2::text IS NULL OR s.prefix = $2)
                   AND ($3::int IS NULL OR s.station_id IN (SELECT id FROM location WHERE path @> ARRAY[$3::int]))
                   AND CASE $4::text WHEN 'complete' THEN s.missing = 0 WHEN 'partial' THEN s.missing > 0
                       WHEN 'broken' THEN s.broken_rules <> '{}' WHEN 'revised' THEN s.revisions > 1 ELSE true END
                   AND ($5::timestamptz IS NULL
                       OR s.last_received_at <= $5 AND (s.last_received_at < $5 OR s.id > $6::uuid))
                 ORDER BY s.last_received_at DESC, s.id LIMIT $7"#,
                election.id,
                filter.prefix,
                filter.area,
                filter.state,
                filter.after.map(|c| c.at),
                filter.after.map(|c| c.id),
                limits::WEB_PAGE_ROWS + 1,
                election.timezone
            )
            .fetch_all(conn)
            .await?;
            let more = rows.len() as i64 > limits::WEB_PAGE_ROWS;
            let page = rows
                .into_iter()
                .take(limits::WEB_PAGE_ROWS as usize)
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
                .collect();
            Ok((page, more))
        })
        .await
}
