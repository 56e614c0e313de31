//! The demonstration's past elections: reports of an election that is over, written at once as if they
//! had come in on its day. Nothing else writes reports without messages.

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::submission::SubmissionKey;
use crate::domain::value::Answers;
use crate::limits::IMPORT_DEADLINE_SECONDS;

/// One report as it stood at the end of the day.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PastReport {
    /// Checklist's prefix.
    pub prefix: String,
    /// `checklist` or `incident`.
    pub kind: &'static str,
    /// Observer code.
    pub observer: String,
    /// The answers.
    pub answers: Answers,
    /// Required answers that are missing.
    pub missing: i16,
    /// Names of rules that the answers break.
    pub broken: Vec<String>,
    /// Milliseconds from the election's opening to the first report of it.
    pub at_ms: i64,
}

/// Writes them to an election of this short name, which is closed thereby: it was open for 36 hours.
pub async fn write(
    store: &Store,
    slug: &str,
    opened: OffsetDateTime,
    reports: &[PastReport],
) -> Result<u64, StoreError> {
    store
        .with_tx(Duration::from_secs(IMPORT_DEADLINE_SECONDS), async |conn: &mut PgConnection| {
            let election = sqlx::query_scalar!(
                "UPDATE election SET state = 'closed', opened_at = $2::timestamptz, closed_at = $2::timestamptz + interval '36 hours'
                 WHERE slug = $1 RETURNING id AS \"id!\"",
                slug,
                opened
            )
            .fetch_one(&mut *conn)
            .await?;
            let codes: Vec<String> = reports.iter().map(|r| r.observer.clone()).collect();
            let observers = sqlx::query!(
                "SELECT code, id FROM observer WHERE election_id = $1 AND code = ANY($2)",
                election,
                &codes
            )
            .fetch_all(&mut *conn)
            .await?;
            let observers: std::collections::HashMap<String, i32> =
                observers.into_iter().map(|r| (r.code, r.id)).collect();
            let spool = Uuid::from_u128(u128::from(election.unsigned_abs()));
            let mut ids = Vec::with_capacity(reports.len());
            for (n, report) in (1u64..).zip(reports) {
                let record = crate::domain::order::RecordKey { spool, sequence: n };
                let observer = observers.get(&report.observer).copied().unwrap_or_default();
                let incident = (report.kind == "incident").then_some((record, 0));
                let key = SubmissionKey { election, prefix: report.prefix.as_str().into(), observer, serial: None, incident };
                ids.push(key.id());
            }
            let written = sqlx::query_scalar!(
                r#"WITH report AS (
                     SELECT i.id, i.n, x.prefix, x.kind, x.observer, x.answers, x.missing, x.at_ms,
                         ARRAY(SELECT jsonb_array_elements_text(x.broken)) AS broken
                     FROM UNNEST($2::uuid[]) WITH ORDINALITY AS i (id, n)
                     JOIN jsonb_array_elements($3::jsonb) WITH ORDINALITY AS e (it, n) ON e.n = i.n,
                     LATERAL jsonb_to_record(e.it) AS x (prefix text, kind text, observer text, answers jsonb, missing smallint,
                         at_ms bigint, broken jsonb)),
                   new AS (
                     INSERT INTO submission (election_id, id, checklist_id, prefix, kind, observer_id, station_id, answers, missing,
                         broken_rules, first_received_at, last_received_at, last_spool, last_sequence)
                     SELECT $1, r.id, c.id, r.prefix, r.kind, o.id, o.station_id, r.answers, r.missing, r.broken, t.at, t.at, $4, r.n
                     FROM report r JOIN observer o ON o.election_id = $1 AND o.code = r.observer
                     JOIN checklist c ON c.election_id = $1 AND c.prefix = r.prefix,
                     LATERAL (SELECT $5::timestamptz + make_interval(secs => r.at_ms / 1000.0) AS at) t
                     RETURNING *),
                   old AS (
                     INSERT INTO revision (election_id, submission_id, received_at, spool, sequence, answers)
                     SELECT election_id, id, last_received_at, last_spool, last_sequence, answers FROM new RETURNING 1)
                   SELECT count(*) AS "n!" FROM old"#,
                election,
                &ids,
                Json(reports) as _,
                spool,
                opened
            )
            .fetch_one(conn)
            .await?;
            Ok(written.unsigned_abs())
        })
        .await
}
