//! The roster: elections, checklists and observers, read whole as of one moment.
//!
//! Rows are streamed, so that fifty thousand observers cost what the roster holds and no more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{Store, StoreError, auth};
use crate::domain::auth::Lockout;
use crate::domain::checklist::logic::Logic;
use crate::domain::checklist::{Checklist, ChecklistState, Translated};
use crate::domain::election::{AuthPolicy, DateOrder, Election, ElectionState, Identify, Unverified};
use crate::domain::roster::{Form, NewObserver, Register, Roster, Station};
use crate::limits::{ELECTIONS_MAX, FORMS_MAX, OBSERVERS_MAX, ROSTER_DEADLINE_SECONDS};

/// A roster with what could not be read of it.
#[derive(Debug)]
pub struct Loaded {
    /// What messages are judged by.
    pub roster: Roster,
    /// Checklists whose stored definition cannot be read: election, prefix and why.
    pub unreadable: Vec<(String, String, String)>,
    /// Observers past [`OBSERVERS_MAX`], which are not in the roster.
    pub left_out: usize,
}

/// Reads elections that are open, in draft, or were closed within the last `closed_days`, with their
/// checklists and observers; of those in draft no observers.
pub async fn load(store: &Store, closed_days: i32) -> Result<Loaded, StoreError> {
    load_whole(store, closed_days, false).await
}

/// [`load`], with the observers of elections in draft too: for trying texts before the day.
pub async fn load_with_drafts(store: &Store, closed_days: i32) -> Result<Loaded, StoreError> {
    load_whole(store, closed_days, true).await
}

async fn load_whole(store: &Store, closed_days: i32, drafts: bool) -> Result<Loaded, StoreError> {
    store
        .with_tx(Duration::from_secs(ROSTER_DEADLINE_SECONDS), async |conn: &mut PgConnection| {
            // One snapshot for all that is read, so that version and content agree.
            sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut *conn).await?;
            read(conn, closed_days, drafts).await
        })
        .await
}

async fn read(conn: &mut PgConnection, closed_days: i32, drafts: bool) -> Result<Loaded, StoreError> {
    let version = sqlx::query_scalar!("SELECT version FROM roster_version").fetch_one(&mut *conn).await?;
    let elections = sqlx::query!(
        r#"SELECT id, slug, name, state, language, identify, unverified, auth_code, auth_failures, auth_lockout_minutes, date_order, help AS "help: Json<Translated>",
                  replies_per_hour, opened_at, closed_at
           FROM election
           WHERE state IN ('draft', 'open') OR (state IN ('closed', 'archived') AND closed_at > now() - make_interval(days => $1))
           ORDER BY opened_at DESC NULLS LAST, id DESC LIMIT $2"#,
        closed_days,
        ELECTIONS_MAX
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut loaded = Loaded { roster: Roster { version, books: Vec::new() }, unreadable: Vec::new(), left_out: 0 };
    let mut room = OBSERVERS_MAX;
    for row in elections {
        let state = ElectionState::from_word(&row.state).unwrap_or(ElectionState::Closed);
        let election = Election {
            id: row.id,
            slug: row.slug,
            name: row.name,
            state,
            opened_us: row.opened_at.map(super::micros),
            closed_us: row.closed_at.map(super::micros),
            language: row.language,
            identify: Identify::from_word(&row.identify).unwrap_or_default(),
            unverified: Unverified::from_word(&row.unverified).unwrap_or_default(),
            auth: AuthPolicy::from_word(&row.auth_code).unwrap_or_default(),
            lockout: Lockout {
                failures: row.auth_failures.unsigned_abs(),
                minutes: row.auth_lockout_minutes.unsigned_abs(),
            },
            date_order: DateOrder::from_word(&row.date_order).unwrap_or_default(),
            help: row.help.map(|h| h.0),
            replies_per_hour: u32::try_from(row.replies_per_hour).unwrap_or(0),
        };
        let forms = read_forms(conn, &election, &mut loaded.unreadable).await?;
        let mut book = Register::new(election, forms);
        // Reports to an election that was never opened are refused whoever sends them.
        if drafts || state != ElectionState::Draft {
            let left_out = read_observers(conn, &mut book, room).await?;
            read_figures(conn, &mut book).await?;
            if book.election.auth != AuthPolicy::Off {
                let hashes = auth::hashes(conn, book.election.id).await?;
                book.set_auth(auth::key(conn).await?, hashes);
            }
            loaded.left_out += left_out;
            room = room.saturating_sub(book.len());
        }
        loaded.roster.books.push(Arc::new(book));
    }
    Ok(loaded)
}

/// The checklists of an election in every state, of each prefix the newest version first.
async fn read_forms(
    conn: &mut PgConnection,
    election: &Election,
    unreadable: &mut Vec<(String, String, String)>,
) -> Result<Vec<Form>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, prefix, version, state, state_at, state_before, definition FROM checklist
         WHERE election_id = $1 ORDER BY prefix, version DESC LIMIT $2",
        election.id,
        FORMS_MAX
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut forms = Vec::with_capacity(rows.len());
    for row in rows {
        match serde_json::from_value::<Checklist>(row.definition) {
            Ok(mut checklist) => {
                checklist.id = row.id;
                checklist.version = u32::try_from(row.version).unwrap_or(1);
                checklist.state = ChecklistState::from_word(&row.state).unwrap_or(ChecklistState::Closed);
                forms.push(Form {
                    checklist: Arc::new(checklist),
                    since_us: super::micros(row.state_at),
                    before: row.state_before.as_deref().and_then(ChecklistState::from_word),
                });
            }
            Err(error) => unreadable.push((election.slug.clone(), row.prefix, error.to_string())),
        }
    }
    Ok(forms)
}

async fn read_observers(conn: &mut PgConnection, book: &mut Register, room: usize) -> Result<usize, StoreError> {
    let count = sqlx::query_scalar!("SELECT count(*) FROM observer WHERE election_id = $1", book.election.id)
        .fetch_one(&mut *conn)
        .await?
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(0);
    let taken = count.min(room);
    book.reserve(taken);
    let mut rows = sqlx::query!(
        r#"SELECT o.id, o.code, o.language, o.station_id AS "station_id?", l.registered_voters AS "registered_voters?",
                  ARRAY(SELECT p.msisdn FROM observer_phone op JOIN phone p ON p.id = op.phone_id
                        WHERE op.observer_id = o.id ORDER BY op.place) AS "phones!"
           FROM observer o LEFT JOIN location l ON l.id = o.station_id
           WHERE o.election_id = $1 ORDER BY o.id LIMIT $2"#,
        book.election.id,
        i64::try_from(taken).unwrap_or(i64::MAX)
    )
    .fetch(&mut *conn);
    while let Some(row) = rows.next().await {
        let row = row?;
        book.add(&NewObserver {
            id: row.id,
            code: &row.code,
            language: row.language.as_deref(),
            station: row.station_id.map(|id| Station { id, registered_voters: row.registered_voters }),
            phones: &row.phones,
        });
    }
    drop(rows);
    book.sort();
    Ok(count - taken)
}

/// Numeric columns of stations that the checklists' formulas speak of; most speak of none.
async fn read_figures(conn: &mut PgConnection, book: &mut Register) -> Result<(), StoreError> {
    let mut names: Vec<Arc<str>> = Vec::new();
    for form in &book.forms {
        let logic = Logic::new(&form.checklist).unwrap_or_default();
        for name in logic.figures().iter().filter(|n| &***n != "registered") {
            if !names.iter().any(|known| **known == **name) {
                names.push(Arc::from(&**name));
            }
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let mut by_station = HashMap::new();
    let mut rows = sqlx::query!(
        r#"SELECT id, figures AS "figures!: Json<HashMap<String, i64>>" FROM location
           WHERE election_id = $1 AND is_station AND figures IS NOT NULL"#,
        book.election.id
    )
    .fetch(&mut *conn);
    while let Some(row) = rows.next().await {
        let row = row?;
        by_station.insert(row.id, names.iter().map(|n| row.figures.0.get(&**n).copied()).collect());
    }
    drop(rows);
    book.set_figures(names, by_station);
    Ok(())
}
