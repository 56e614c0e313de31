//! What is counted as reports come in, and answers by itself who is missing where everybody or nobody is.

use sqlx::PgConnection;

use crate::store::StoreError;

/// Of the checklists that are due, in the whole election.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tallied {
    /// How many there are.
    pub(super) due: i64,
    /// Of how many each observer has sent a report.
    pub(super) sent_by_all: i64,
    /// Of how many no report is complete.
    pub(super) complete_of_none: i64,
    /// Reports that came.
    pub(super) reports: i64,
    /// Of them, those that lack answers.
    pub(super) lacking: i64,
    /// Each observer has at most one report of each: none has serials.
    pub(super) is_one_each: bool,
}

/// Sums up the counts. Without serials an observer has one report of a checklist, so that as many reports as
/// observers are one of each.
pub(super) async fn tallied(
    conn: &mut PgConnection,
    election: i32,
    prefix: Option<&str>,
) -> Result<Tallied, StoreError> {
    Ok(sqlx::query_as!(
        Tallied,
        r#"WITH due AS (
             SELECT prefix FROM (SELECT DISTINCT ON (prefix) prefix, state FROM checklist
                 WHERE election_id = $1 AND kind = 'checklist' AND ($2::text IS NULL OR prefix = $2)
                 ORDER BY prefix, version DESC) newest WHERE state <> 'draft'),
         each AS (
             SELECT d.prefix, coalesce(sum(t.submissions), 0)::bigint AS came, coalesce(sum(t.complete), 0)::bigint AS complete,
                 coalesce(sum(t.serials), 0)::bigint AS serials
             FROM due d LEFT JOIN tally t ON t.election_id = $1 AND t.prefix = d.prefix GROUP BY d.prefix),
         posted AS (SELECT coalesce(sum(observers), 0) AS observers FROM tally_observer WHERE election_id = $1)
         SELECT count(*) AS "due!",
             count(*) FILTER (WHERE serials = 0 AND came = (SELECT observers FROM posted)) AS "sent_by_all!",
             count(*) FILTER (WHERE complete = 0) AS "complete_of_none!",
             coalesce(sum(came), 0)::bigint AS "reports!", coalesce(sum(came - complete), 0)::bigint AS "lacking!",
             coalesce(bool_and(serials = 0), true) AS "is_one_each!"
         FROM each"#,
        election,
        prefix
    )
    .fetch_one(conn)
    .await?)
}
