//! `election`: making, opening, closing, and how much each holds.
//!
//! Times are the database's own `now()`, so that all hosts agree on whether an election was open.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::domain::election::{AuthPolicy, DateOrder, ElectionState, Identify, Unverified};

/// Why an election can't be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum ElectionError {
    /// The slug is taken.
    #[error("there is an election `{0}` already; choose another short name")]
    Exists(String),
    /// Nothing of that name.
    #[error("there is no election `{0}`; `scrutineer election list` shows those that are there")]
    Unknown(String),
    /// PostgreSQL doesn't know the zone.
    #[error("`{0}` is not a time zone; use a name such as Africa/Dar_es_Salaam")]
    Timezone(String),
    /// Its state forbids it.
    #[error("election `{slug}` is {state}; {mend}")]
    State {
        /// Which.
        slug: String,
        /// As it is.
        state: String,
        /// What can be done.
        mend: &'static str,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A new election.
#[derive(Debug, Clone)]
pub struct NewElection<'a> {
    /// Short name: lower case, digits, dashes.
    pub slug: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Time zone of its pages.
    pub timezone: &'a str,
    /// Language of replies to those whose language is unknown.
    pub language: &'a str,
    /// What tells who reports.
    pub identify: Identify,
    /// What is done with a report whose phone isn't the observer's.
    pub unverified: Unverified,
    /// How dates are written.
    pub date_order: DateOrder,
    /// Answer to HELP: a text, or one a language.
    pub help: Option<Value>,
    /// Replies an hour to one phone.
    pub replies_per_hour: i32,
    /// Authentication codes.
    pub auth: Auth,
}

/// Who must send an authentication code, and how many wrong ones lock; `None` leaves one as it is, or as
/// a new election has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Auth {
    /// Who must send one.
    pub policy: Option<AuthPolicy>,
    /// Wrong codes.
    pub failures: Option<i16>,
    /// Minutes within which they count, and for which they lock.
    pub lockout_minutes: Option<i16>,
}

/// Settings of an election that may change at any time; `None` leaves one as it is.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Language of replies to those whose language is unknown.
    pub language: Option<String>,
    /// What tells who reports.
    pub identify: Option<Identify>,
    /// What is done with a report whose phone isn't the observer's.
    pub unverified: Option<Unverified>,
    /// How dates are written.
    pub date_order: Option<DateOrder>,
    /// Answer to HELP; JSON null for the templates' own.
    pub help: Option<Value>,
    /// Replies an hour to one phone.
    pub replies_per_hour: Option<i32>,
    /// Authentication codes.
    pub auth: Auth,
}

/// One election, for people and scripts.
#[derive(Debug, Clone, Serialize)]
pub struct ElectionRow {
    /// PostgreSQL's key.
    #[serde(skip)]
    pub id: i32,
    /// Short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// draft, open, closed, archived.
    pub state: String,
    /// Time zone.
    pub timezone: String,
    /// Language.
    pub language: String,
    /// `code`, `phone`, `either`, `both`.
    pub identify: String,
    /// `accept`, `refuse`, `hold`.
    pub unverified: String,
    /// `day_month`, `month_day`.
    pub date_order: String,
    /// Answer to HELP.
    pub help: Option<Value>,
    /// `off`, `required`, `unknown_phones`.
    pub auth_code: String,
    /// Wrong codes that lock.
    pub auth_failures: i16,
    /// For how many minutes.
    pub auth_lockout_minutes: i16,
    /// Replies an hour to one phone.
    pub replies_per_hour: i32,
    /// When opened.
    #[serde(with = "time::serde::rfc3339::option")]
    pub opened_at: Option<OffsetDateTime>,
    /// When closed.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<OffsetDateTime>,
}

/// How much an election holds.
#[derive(Debug, Clone, Serialize)]
pub struct Counts {
    /// Locations at all levels.
    pub locations: i64,
    /// Of them polling stations.
    pub stations: i64,
    /// Observers.
    pub observers: i64,
    /// Of them with a phone.
    pub observers_with_phone: i64,
    /// Of them with a station.
    pub observers_with_station: i64,
    /// Of them with an authentication code.
    pub observers_with_auth_code: i64,
    /// Checklists, by prefix.
    pub checklists: i64,
    /// Messages that were understood as this election's.
    pub messages: i64,
    /// Submissions.
    pub submissions: i64,
}

/// Makes an election, in draft.
pub async fn create(store: &Store, new: &NewElection<'_>) -> Result<i32, ElectionError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            let zone = sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM pg_timezone_names WHERE name = $1) AS "known!""#,
                new.timezone
            )
            .fetch_one(&mut *conn)
            .await?;
            if !zone {
                return Ok(Err(ElectionError::Timezone(new.timezone.to_owned())));
            }
            let id = sqlx::query_scalar!(
                "INSERT INTO election (slug, name, timezone, language, identify, unverified, date_order, help, replies_per_hour,
                     auth_code, auth_failures, auth_lockout_minutes)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, coalesce($11, 5::smallint), coalesce($12, 60::smallint)) ON CONFLICT (slug) DO NOTHING RETURNING id",
                new.slug,
                new.name,
                new.timezone,
                new.language,
                new.identify.as_str(),
                new.unverified.as_str(),
                new.date_order.as_str(),
                new.help,
                new.replies_per_hour,
                new.auth.policy.unwrap_or_default().as_str(),
                new.auth.failures,
                new.auth.lockout_minutes
            )
            .fetch_optional(&mut *conn)
            .await?;
            Ok(id.ok_or_else(|| ElectionError::Exists(new.slug.to_owned())))
        })
        .await?
}

/// Opens an election; one that was closed only when `reopen`: it then counts as open throughout.
pub async fn open(store: &Store, slug: &str, reopen: bool) -> Result<ElectionRow, ElectionError> {
    change(store, slug, ElectionState::Open, reopen).await
}

/// Closes an open election.
pub async fn close(store: &Store, slug: &str) -> Result<ElectionRow, ElectionError> {
    change(store, slug, ElectionState::Closed, false).await
}

async fn change(store: &Store, slug: &str, to: ElectionState, reopen: bool) -> Result<ElectionRow, ElectionError> {
    let changed = store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            let Some(state) = sqlx::query_scalar!("SELECT state FROM election WHERE slug = $1 FOR UPDATE", slug)
                .fetch_optional(&mut *conn)
                .await?
            else {
                return Ok(Err(ElectionError::Unknown(slug.to_owned())));
            };
            let refuse = |mend| Ok(Err(ElectionError::State { slug: slug.to_owned(), state: state.clone(), mend }));
            match (ElectionState::from_word(&state), to) {
                (Some(ElectionState::Draft), ElectionState::Open) => {}
                (Some(ElectionState::Closed), ElectionState::Open) if reopen => {}
                (Some(ElectionState::Closed), ElectionState::Open) => {
                    return refuse("to open it again, as if it had never been closed, add --reopen");
                }
                (Some(ElectionState::Open), ElectionState::Closed) => {}
                (Some(ElectionState::Draft), ElectionState::Closed) => {
                    return refuse("only an open election can be closed");
                }
                (Some(ElectionState::Archived), _) => return refuse("an archived election does not change"),
                _ => return refuse("nothing to do"),
            }
            sqlx::query!(
                "UPDATE election SET state = $2,
                     opened_at = CASE WHEN $2 = 'open' THEN coalesce(opened_at, now()) ELSE opened_at END,
                     closed_at = CASE WHEN $2 = 'closed' THEN now() END
                 WHERE slug = $1",
                slug,
                to.as_str()
            )
            .execute(&mut *conn)
            .await?;
            Ok(Ok(()))
        })
        .await?;
    changed?;
    find(store, slug).await
}

/// Changes an election's settings.
pub async fn set(store: &Store, slug: &str, new: &Settings) -> Result<ElectionRow, ElectionError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            sqlx::query!(
                "UPDATE election SET language = coalesce($2, language), identify = coalesce($3, identify),
                     unverified = coalesce($4, unverified), date_order = coalesce($5, date_order),
                     help = CASE WHEN $6::jsonb IS NULL THEN help ELSE nullif($6, 'null'::jsonb) END,
                     replies_per_hour = coalesce($7, replies_per_hour), auth_code = coalesce($8, auth_code),
                     auth_failures = coalesce($9, auth_failures),
                     auth_lockout_minutes = coalesce($10, auth_lockout_minutes)
                 WHERE slug = $1",
                slug,
                new.language,
                new.identify.map(Identify::as_str),
                new.unverified.map(Unverified::as_str),
                new.date_order.map(DateOrder::as_str),
                new.help,
                new.replies_per_hour,
                new.auth.policy.map(AuthPolicy::as_str),
                new.auth.failures,
                new.auth.lockout_minutes
            )
            .execute(conn)
            .await?;
            Ok(())
        })
        .await?;
    find(store, slug).await
}

/// All elections, the newest first.
pub async fn list(store: &Store) -> Result<Vec<ElectionRow>, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                ElectionRow,
                "SELECT id, slug, name, state, timezone, language, identify, unverified, date_order, help,
                     auth_code, auth_failures, auth_lockout_minutes, replies_per_hour, opened_at, closed_at
                 FROM election ORDER BY created_at DESC, id DESC"
            )
            .fetch_all(conn)
            .await?)
        })
        .await
}

/// The election of this short name.
pub async fn find(store: &Store, slug: &str) -> Result<ElectionRow, ElectionError> {
    let found = store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                ElectionRow,
                "SELECT id, slug, name, state, timezone, language, identify, unverified, date_order, help,
                     auth_code, auth_failures, auth_lockout_minutes, replies_per_hour, opened_at, closed_at
                 FROM election WHERE slug = $1",
                slug
            )
            .fetch_optional(conn)
            .await?)
        })
        .await?;
    found.ok_or_else(|| ElectionError::Unknown(slug.to_owned()))
}

/// Counts what an election holds.
pub async fn counts(store: &Store, id: i32) -> Result<Counts, StoreError> {
    store
        .with_conn(store.deadline(), async |conn: &mut PgConnection| {
            Ok(sqlx::query_as!(
                Counts,
                r#"SELECT
                     (SELECT count(*) FROM location WHERE election_id = $1) AS "locations!",
                     (SELECT count(*) FROM location WHERE election_id = $1 AND is_station) AS "stations!",
                     (SELECT count(*) FROM observer WHERE election_id = $1) AS "observers!",
                     (SELECT count(*) FROM observer o WHERE election_id = $1
                          AND EXISTS (SELECT FROM observer_phone p WHERE p.observer_id = o.id)) AS "observers_with_phone!",
                     (SELECT count(*) FROM observer WHERE election_id = $1 AND station_id IS NOT NULL)
                          AS "observers_with_station!",
                     (SELECT count(*) FROM observer_auth a JOIN observer o ON o.id = a.observer_id
                          WHERE o.election_id = $1) AS "observers_with_auth_code!",
                     (SELECT count(DISTINCT prefix) FROM checklist WHERE election_id = $1) AS "checklists!",
                     (SELECT count(*) FROM message WHERE election_id = $1) AS "messages!",
                     (SELECT count(*) FROM submission WHERE election_id = $1) AS "submissions!""#,
                id
            )
            .fetch_one(conn)
            .await?)
        })
        .await
}
