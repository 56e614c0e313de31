//! `observer_auth`, `auth_key`, `auth_attempt`: authentication codes, as hashes, and who sent wrong ones.

use std::collections::HashMap;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::import::{ImportError, lock_election};
use super::{Store, StoreError, micros};
use crate::domain::auth::{Attempts, AuthKey};
use crate::limits::{AUTH_ATTEMPTS_MAX, IMPORT_BATCH_ROWS};

/// What is stored of wrong codes.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// By phone.
    pub phones: HashMap<i64, Attempts>,
    /// By observer.
    pub observers: HashMap<i32, Attempts>,
}

/// What a batch adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    /// A phone, else an observer.
    pub is_phone: bool,
    /// Its key.
    pub id: i64,
    /// When wrong codes were received.
    pub failed_at: Vec<OffsetDateTime>,
    /// Until when it is not told again.
    pub told_until: Option<OffsetDateTime>,
}

/// What is stored of these phones and observers. The rows of those with a wrong code are made and locked,
/// in the order of their keys, so that no two batches count beside each other.
pub async fn attempts(
    conn: &mut PgConnection,
    phones: &[(i64, bool)],
    observers: &[(i32, bool)],
) -> Result<Stored, StoreError> {
    let mut wanted: Vec<(&str, i64, bool)> = phones.iter().map(|(id, wrong)| ("phone", *id, *wrong)).collect();
    wanted.extend(observers.iter().map(|(id, wrong)| ("observer", i64::from(*id), *wrong)));
    wanted.sort_unstable();
    let (of, ids): (Vec<&str>, Vec<i64>) = wanted.iter().filter(|w| w.2).map(|w| (w.0, w.1)).unzip();
    if !ids.is_empty() {
        sqlx::query!(
            "INSERT INTO auth_attempt (of, id, failed_at)
             SELECT DISTINCT u.of, u.id, '{}'::timestamptz[] FROM UNNEST($1::text[], $2::bigint[]) AS u (of, id)
             ORDER BY u.of, u.id
             ON CONFLICT (of, id) DO UPDATE SET of = excluded.of",
            &of[..] as &[&str],
            &ids
        )
        .execute(&mut *conn)
        .await?;
    }
    let (of, ids): (Vec<&str>, Vec<i64>) = wanted.iter().map(|w| (w.0, w.1)).unzip();
    let rows = sqlx::query!(
        "SELECT a.of, a.id, a.failed_at, a.told_until FROM auth_attempt a
         JOIN (SELECT DISTINCT * FROM UNNEST($1::text[], $2::bigint[]) AS u (of, id)) w ON w.of = a.of AND w.id = a.id",
        &of[..] as &[&str],
        &ids
    )
    .fetch_all(conn)
    .await?;
    let mut out = Stored::default();
    for row in rows {
        let mut failed_us: Vec<i64> = row.failed_at.into_iter().map(micros).collect();
        failed_us.sort_unstable();
        let attempts = Attempts { failed_us, told_until_us: row.told_until.map_or(0, micros) };
        match (row.of.as_str(), i32::try_from(row.id)) {
            ("observer", Ok(id)) => drop(out.observers.insert(id, attempts)),
            _ => drop(out.phones.insert(row.id, attempts)),
        }
    }
    Ok(out)
}

/// Adds wrong codes, and until when phones were told.
pub async fn note(conn: &mut PgConnection, new: &[NewAttempt]) -> Result<(), StoreError> {
    let mut new: Vec<&NewAttempt> = new.iter().collect();
    new.sort_by_key(|n| (n.is_phone, n.id));
    for one in new {
        sqlx::query!(
            "INSERT INTO auth_attempt (of, id, failed_at, told_until) VALUES ($1, $2, $3, $4)
             ON CONFLICT (of, id) DO UPDATE SET
                 failed_at = ARRAY(SELECT t FROM UNNEST(auth_attempt.failed_at || excluded.failed_at) AS u (t)
                                   ORDER BY t DESC LIMIT $5),
                 told_until = greatest(auth_attempt.told_until, excluded.told_until)",
            if one.is_phone { "phone" } else { "observer" },
            one.id,
            &one.failed_at,
            one.told_until,
            AUTH_ATTEMPTS_MAX
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// The key of the hashes.
pub(super) async fn key(conn: &mut PgConnection) -> Result<AuthKey, StoreError> {
    let bytes = sqlx::query_scalar!("SELECT key FROM auth_key").fetch_one(conn).await?;
    AuthKey::new(&bytes)
        .ok_or_else(|| StoreError::Unreadable("the key of authentication codes has not 32 bytes".to_owned()))
}

/// Hashes of an election's codes, by observer.
pub(super) async fn hashes(conn: &mut PgConnection, election: i32) -> Result<Vec<(i32, i64)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT a.observer_id, a.code_hash FROM observer_auth a JOIN observer o ON o.id = a.observer_id WHERE o.election_id = $1",
        election
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| (r.observer_id, r.code_hash)).collect())
}

/// Sets codes of observers, or takes them away. Of those whose code is the same already nothing changes;
/// returns how many did.
pub(super) async fn set(conn: &mut PgConnection, codes: &[(i32, Option<i64>)]) -> Result<u64, StoreError> {
    let mut changed = 0;
    let none: Vec<i32> = codes.iter().filter(|(_, hash)| hash.is_none()).map(|(id, _)| *id).collect();
    if !none.is_empty() {
        let gone =
            sqlx::query!("DELETE FROM observer_auth WHERE observer_id = ANY($1)", &none).execute(&mut *conn).await?;
        changed += gone.rows_affected();
    }
    let some: Vec<(i32, i64)> = codes.iter().filter_map(|(id, hash)| Some((*id, (*hash)?))).collect();
    for chunk in some.chunks(IMPORT_BATCH_ROWS) {
        let (ids, hashes): (Vec<i32>, Vec<i64>) = chunk.iter().copied().unzip();
        let set = sqlx::query!(
            "INSERT INTO observer_auth (observer_id, code_hash) SELECT * FROM UNNEST($1::int[], $2::bigint[])
             ON CONFLICT (observer_id) DO UPDATE SET code_hash = excluded.code_hash, changed_at = now()
             WHERE observer_auth.code_hash <> excluded.code_hash",
            &ids,
            &hashes
        )
        .execute(&mut *conn)
        .await?;
        changed += set.rows_affected();
    }
    Ok(changed)
}

/// Which observers of an election get a new code.
#[derive(Debug, Clone, Copy)]
pub enum Whose<'a> {
    /// The one with this observer code.
    One(&'a str),
    /// All that have none.
    Missing,
}

/// Gives observers new codes, made by `make`; returns each observer code with its new one, which is kept
/// nowhere.
pub async fn renew(
    store: &Store,
    slug: &str,
    whose: Whose<'_>,
    make: &(dyn Fn() -> String + Sync),
) -> Result<Vec<(String, String)>, ImportError> {
    let one = match whose {
        Whose::One(code) => Some(code),
        Whose::Missing => None,
    };
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            let election = match lock_election(conn, slug).await? {
                Ok(id) => id,
                Err(error) => return Ok(Err(error)),
            };
            let key = key(conn).await?;
            let rows = sqlx::query!(
                "SELECT id, code FROM observer o WHERE election_id = $1
                   AND (code = $2 OR ($2::text IS NULL AND NOT EXISTS (SELECT FROM observer_auth a WHERE a.observer_id = o.id)))
                 ORDER BY code",
                election,
                one
            )
            .fetch_all(&mut *conn)
            .await?;
            let (mut codes, mut told) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
            for row in rows {
                let code = make();
                codes.push((row.id, Some(key.hash(election, &row.code, &code))));
                told.push((row.code, code));
            }
            set(conn, &codes).await?;
            Ok(Ok(told))
        })
        .await?
}

/// Forgets the wrong codes meant for an observer and those that came from the observer's phones; how many
/// of these were on record. `None`: there is no such observer.
pub async fn unlock(store: &Store, slug: &str, observer: &str) -> Result<Option<u64>, StoreError> {
    store
        .with_tx(store.deadline(), async |conn: &mut PgConnection| {
            let id = sqlx::query_scalar!(
                "SELECT o.id FROM observer o JOIN election e ON e.id = o.election_id WHERE e.slug = $1 AND o.code = $2",
                slug,
                observer
            )
            .fetch_optional(&mut *conn)
            .await?;
            let Some(id) = id else { return Ok(None) };
            let gone = sqlx::query!(
                "DELETE FROM auth_attempt WHERE (of = 'observer' AND id = $1::int)
                    OR (of = 'phone' AND id IN (SELECT phone_id FROM observer_phone WHERE observer_id = $1::int))",
                id
            )
            .execute(&mut *conn)
            .await?;
            Ok(Some(gone.rows_affected()))
        })
        .await
}
