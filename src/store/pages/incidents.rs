//! Incidents: reports of checklists whose kind is `incident`. They are counted apart, as nobody expects them.

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Moment;
use super::election::Election;
use super::submission::Detail;
use super::submissions::Cursor;
use crate::domain::value::Answers;
use crate::store::{Store, StoreError};

/// Which ones.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this checklist.
    pub prefix: Option<String>,
    /// In this area.
    pub area: Option<i32>,
    /// `complete`, `partial`, `broken`, `revised` or `comment`.
    pub state: Option<&'static str>,
    /// Received then or later.
    pub since: Option<OffsetDateTime>,
    /// Whose comment holds this, whatever the case.
    pub words: Option<String>,
    /// After this one.
    pub after: Option<Cursor>,
}

/// One incident.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// Its checklist.
    pub prefix: String,
    /// Serial, where the checklist has them.
    pub serial: Option<String>,
    /// The observer's code.
    pub observer: String,
    /// The station's code and name.
    pub station: Option<(String, String)>,
    /// The area right above the station.
    pub area: Option<String>,
    /// What was answered.
    pub answers: Answers,
    /// Required answers that are missing.
    pub missing: i16,
    /// Rules that the answers break.
    pub broken: i32,
    /// What was written beside, cut to the characters asked for.
    pub comment: Option<String>,
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

impl From<Detail> for Row {
    fn from(it: Detail) -> Self {
        let (station, area) = super::station_of(it.trail);
        Self {
            id: it.id,
            prefix: it.prefix,
            serial: it.serial,
            observer: it.observer,
            area,
            station: station.map(|p| (p.code, p.name)),
            answers: it.answers,
            missing: it.missing,
            broken: i32::try_from(it.broken_rules.len()).unwrap_or(i32::MAX),
            comment: it.comment,
            revisions: it.revisions,
            first: it.first,
            last: it.last,
        }
    }
}

/// How many there are, in all and lately.
#[derive(Debug, Clone, Copy, Default, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    /// In all.
    pub all: i64,
    /// First reported within the last hour before the newest one.
    pub last_hour: i64,
    /// Stations they are of.
    pub stations: i64,
    /// With a comment.
    pub commented: i64,
}

/// Rows of one page or file, of at most so many; the flag says that more follow.
pub async fn page(
    store: &Store,
    election: &Election,
    filter: &Filter,
    rows_max: i64,
    comment_chars: i32,
) -> Result<(Vec<Row>, bool), StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            let rows = sqlx::query!(
                r#"SELECT s.id, s.prefix, s.serial, o.code AS observer, l.code AS "station_code?", l.name AS "station?",
                     above.name AS "area?", s.answers AS "answers!: Json<Answers>", s.missing,
                     cardinality(s.broken_rules) AS "broken!", left(s.comment, $10) AS comment, s.revisions,
                     s.first_received_at, s.last_received_at,
                     s.first_received_at AT TIME ZONE $9 AS "first_local!",
                     s.last_received_at AT TIME ZONE $9 AS "last_local!"
                 FROM submission s
                 JOIN observer o ON o.id = s.observer_id
                 LEFT JOIN location l ON l.id = s.station_id
                 LEFT JOIN location above ON above.id = l.parent_id
                 WHERE s.election_id = $1 AND s.kind = 'incident'
                   AND ($2::text IS NULL OR s.prefix = $2)
                   AND ($3::int IS NULL OR s.station_id IN (SELECT id FROM location WHERE path @> ARRAY[$3::int]))
                   AND CASE $4::text WHEN 'complete' THEN s.missing = 0 WHEN 'partial' THEN s.missing > 0
                       WHEN 'broken' THEN s.broken_rules <> '{}' WHEN 'revised' THEN s.revisions > 1
                       WHEN 'comment' THEN s.comment IS NOT NULL ELSE true END
                   AND ($5::timestamptz IS NULL OR s.last_received_at >= $5)
                   AND ($6::text IS NULL OR strpos(lower(s.comment), lower($6)) > 0)
                   AND ($7::timestamptz IS NULL
                       OR s.last_received_at <= $7 AND (s.last_received_at < $7 OR s.id > $8::uuid))
                 ORDER BY s.last_received_at DESC, s.id LIMIT $11"#,
                election.id,
                filter.prefix,
                filter.area,
                filter.state,
                filter.since,
                filter.words,
                filter.after.map(|c| c.at),
                filter.after.map(|c| c.id),
                election.timezone,
                comment_chars,
                rows_max + 1
            )
            .fetch_all(conn)
            .await?;
            let fits = usize::try_from(rows_max).unwrap_or(0);
            let more = rows.len() > fits;
            let page = rows
                .into_iter()
                .take(fits)
                .map(|r| Row {
                    id: r.id,
                    prefix: r.prefix,
                    serial: r.serial,
                    observer: r.observer,
                    station: r.station_code.zip(r.station),
                    area: r.area,
                    answers: r.answers.0,
                    missing: r.missing,
                    broken: r.broken,
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

/// How many, in an area or in all.
pub async fn counts(store: &Store, election: i32, area: Option<i32>) -> Result<Counts, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Counts,
                r#"SELECT count(*) AS "all!",
                     count(*) FILTER (WHERE first_received_at > newest - interval '1 hour') AS "last_hour!",
                     count(DISTINCT station_id) AS "stations!", count(comment) AS "commented!"
                 FROM (SELECT first_received_at, station_id, comment, max(first_received_at) OVER () AS newest
                       FROM submission WHERE election_id = $1 AND kind = 'incident'
                         AND ($2::int IS NULL OR station_id IN (SELECT id FROM location WHERE path @> ARRAY[$2::int]))) i"#,
                election,
                area
            )
            .fetch_one(conn)
            .await?)
        })
        .await
}
