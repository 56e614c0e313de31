//! The roster: elections, live checklists and observers, read whole as of one moment.
//!
//! Rows are streamed, so that fifty thousand observers cost what the roster holds and no more.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{Store, StoreError};
use crate::domain::checklist::{Checklist, ChecklistState};
use crate::domain::election::{Election, ElectionState};
use crate::domain::roster::{Observer, Register, Roster, Station};
use crate::limits::{OBSERVERS_MAX, ROSTER_DEADLINE_SECONDS};

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

/// Reads elections that are open or were closed within the last `closed_days`, with their live
/// checklists and observers.
pub async fn load(store: &Store, closed_days: i32) -> Result<Loaded, StoreError> {
    store
        .with_tx(Duration::from_secs(ROSTER_DEADLINE_SECONDS), async |conn: &mut PgConnection| {
            // One snapshot for all that is read, so that version and content agree.
            sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut *conn).await?;
            read(conn, closed_days).await
        })
        .await
}

async fn read(conn: &mut PgConnection, closed_days: i32) -> Result<Loaded, StoreError> {
    let version = sqlx::query_scalar!("SELECT version FROM roster_version").fetch_one(&mut *conn).await?;
    let elections = sqlx::query!(
        "SELECT id, slug, name, state, language, phone_identifies, replies_per_hour, opened_at, closed_at
         FROM election
         WHERE state = 'open' OR (state = 'closed' AND closed_at > now() - make_interval(days => $1))
         ORDER BY opened_at DESC NULLS LAST, id DESC",
        closed_days
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut loaded = Loaded { roster: Roster { version, books: Vec::new() }, unreadable: Vec::new(), left_out: 0 };
    let mut room = OBSERVERS_MAX;
    for row in elections {
        let micros = |t: Option<OffsetDateTime>| t.map(super::micros);
        let mut book = Register {
            election: Election {
                id: row.id,
                slug: row.slug,
                name: row.name,
                state: ElectionState::from_word(&row.state).unwrap_or(ElectionState::Closed),
                opened_us: micros(row.opened_at),
                closed_us: micros(row.closed_at),
                language: row.language,
                phone_identifies: row.phone_identifies,
                replies_per_hour: u32::try_from(row.replies_per_hour).unwrap_or(0),
            },
            checklists: HashMap::new(),
            observers: Vec::new(),
            by_code: HashMap::new(),
            by_phone: HashMap::new(),
        };
        read_checklists(conn, &mut book, &mut loaded.unreadable).await?;
        let left_out = read_observers(conn, &mut book, room).await?;
        loaded.left_out += left_out;
        room = room.saturating_sub(book.observers.len());
        loaded.roster.books.push(Arc::new(book));
    }
    Ok(loaded)
}

async fn read_checklists(
    conn: &mut PgConnection,
    book: &mut Register,
    unreadable: &mut Vec<(String, String, String)>,
) -> Result<(), StoreError> {
    // Of one prefix the last live version, as each row replaces the one before it.
    let rows = sqlx::query!(
        "SELECT id, prefix, definition FROM checklist
         WHERE election_id = $1 AND state = 'live' ORDER BY prefix, version",
        book.election.id
    )
    .fetch_all(&mut *conn)
    .await?;
    for row in rows {
        match serde_json::from_value::<Checklist>(row.definition) {
            Ok(mut checklist) => {
                checklist.id = row.id;
                checklist.state = ChecklistState::Live;
                book.checklists.insert(row.prefix, Arc::new(checklist));
            }
            Err(error) => unreadable.push((book.election.slug.clone(), row.prefix, error.to_string())),
        }
    }
    Ok(())
}

async fn read_observers(conn: &mut PgConnection, book: &mut Register, room: usize) -> Result<usize, StoreError> {
    let count = sqlx::query_scalar!("SELECT count(*) FROM observer WHERE election_id = $1", book.election.id)
        .fetch_one(&mut *conn)
        .await?
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(0);
    let taken = count.min(room);
    book.observers.reserve_exact(taken);
    book.by_code.reserve(taken);
    let mut places: HashMap<i32, u32> = HashMap::with_capacity(taken);
    {
        let mut rows = sqlx::query!(
            "SELECT o.id, o.code, o.language, o.station_id AS \"station_id?\", l.registered_voters AS \"registered_voters?\"
             FROM observer o LEFT JOIN location l ON l.id = o.station_id
             WHERE o.election_id = $1 ORDER BY o.id LIMIT $2",
            book.election.id,
            i64::try_from(taken).unwrap_or(i64::MAX)
        )
        .fetch(&mut *conn);
        while let Some(row) = rows.next().await {
            let row = row?;
            let place = u32::try_from(book.observers.len()).unwrap_or(u32::MAX);
            places.insert(row.id, place);
            book.by_code.insert(row.code.as_str().into(), place);
            book.observers.push(Observer {
                id: row.id,
                code: row.code.into_boxed_str(),
                language: row.language.map(String::into_boxed_str),
                station: row.station_id.map(|id| Station { id, registered_voters: row.registered_voters }),
            });
        }
    }
    let mut rows = sqlx::query!(
        "SELECT op.observer_id, p.msisdn FROM observer_phone op
         JOIN observer o ON o.id = op.observer_id JOIN phone p ON p.id = op.phone_id
         WHERE o.election_id = $1 ORDER BY op.observer_id, op.place",
        book.election.id
    )
    .fetch(&mut *conn);
    while let Some(row) = rows.next().await {
        let row = row?;
        if let Some(&place) = places.get(&row.observer_id) {
            book.by_phone.entry(row.msisdn.into_boxed_str()).or_insert_with(|| Vec::with_capacity(1)).push(place);
        }
    }
    drop(rows);
    book.by_phone.shrink_to_fit();
    Ok(count - taken)
}
