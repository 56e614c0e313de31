//! What was not understood, the newest first, and how much of each kind there is.

use sqlx::PgConnection;
use time::OffsetDateTime;

pub use super::messages::Row;
use super::messages::{self, Cursor, Turn};
use crate::domain::outcome::Outcome;
use crate::store::{Store, StoreError};

/// Which ones.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With one of these outcomes.
    pub outcomes: Vec<&'static str>,
    /// Of this election; those of none too.
    pub election: Option<i32>,
    /// Received then or later.
    pub since: Option<OffsetDateTime>,
    /// After this one.
    pub after: Option<Cursor>,
}

impl Filter {
    /// As the log's filter.
    pub fn of_log(&self) -> messages::Filter {
        messages::Filter {
            election: self.election,
            with_unknown: true,
            outcomes: self.outcomes.clone(),
            is_trouble: true,
            since: self.since,
            ..messages::Filter::default()
        }
    }
}

/// One page; the flag says that more follow.
pub async fn page(store: &Store, filter: &Filter) -> Result<(Vec<Row>, bool), StoreError> {
    let log = filter.of_log();
    let mut turn = filter.after.map_or(Turn::First, Turn::After);
    loop {
        let page = messages::page(store, &log, turn).await?;
        match page.looked {
            Some((_, to)) if page.rows.is_empty() => turn = Turn::After(to),
            looked => return Ok((page.rows, page.more || looked.is_some())),
        }
    }
}

/// How many there are of each outcome, whatever page is shown.
pub async fn counts(store: &Store, filter: &Filter) -> Result<Vec<(Outcome, i64)>, StoreError> {
    let rows = store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query!(
                r#"SELECT m.outcome, count(*) AS "count!" FROM message m
                 WHERE m.outcome NOT IN ('accepted', 'corrected', 'segment') AND m.outcome = ANY($1)
                   AND (m.outcome <> 'partial' OR m.reading ? 'leftover'
                        OR jsonb_path_exists(m.reading, '$.reports[*].leftover ? (@ != "")'))
                   AND ($2::int IS NULL OR m.election_id = $2 OR m.election_id IS NULL)
                   AND ($3::timestamptz IS NULL OR m.received_at >= $3)
                 GROUP BY m.outcome"#,
                &filter.outcomes as &[&str],
                filter.election,
                filter.since
            )
            .fetch_all(conn)
            .await?)
        })
        .await?;
    Ok(rows.into_iter().filter_map(|r| Some((Outcome::from_word(&r.outcome)?, r.count))).collect())
}
