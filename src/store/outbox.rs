//! `outbox`: what goes out, who has it under lease, and what came of it.
//!
//! Invariant: a row that is `leased` is sent only by the worker of the spool in `lease_spool` until
//! `lease_until`; `(id, attempt)` goes to the wire once, and an attempt is counted up only when the
//! outcome of the one before is unknown.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;
use crate::limits::REPLY_ATTEMPTS_MAX;

/// Replies to insert, a column a vector.
#[derive(Debug, Default)]
pub struct ReplyRows<'a> {
    /// Made of the record that it answers.
    pub id: Vec<Uuid>,
    /// Spool of that record.
    pub spool_id: Vec<i32>,
    /// Its sequence.
    pub sequence: Vec<i64>,
    /// Phone.
    pub phone_id: Vec<i64>,
    /// Group of links.
    pub link_group: Vec<&'a str>,
    /// Our number.
    pub source: Vec<&'a str>,
    /// The text, without NUL.
    pub text: Vec<&'a str>,
    /// `leased`, `due` or `withheld`.
    pub state: Vec<&'static str>,
    /// Past this it is not sent.
    pub expires_at: Vec<OffsetDateTime>,
}

/// A row that this worker may send now.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Key.
    pub id: Uuid,
    /// Attempt.
    pub attempt: i16,
    /// Group of links.
    pub link_group: String,
    /// The link that the report came on.
    pub link: Option<String>,
    /// A text to many.
    pub bulk: bool,
    /// Our number.
    pub source: String,
    /// The phone.
    pub destination: String,
    /// The text.
    pub text: String,
    /// Past this it is not sent.
    pub expires_at: OffsetDateTime,
}

/// Rows that this spool has under lease in any of its runs, without those in `except`; their leases begin
/// anew, under the run that lives.
pub async fn own_leased(
    conn: &mut PgConnection,
    live: Uuid,
    runs: &[Uuid],
    except: &[Uuid],
    limit: i64,
    lease_seconds: i32,
) -> Result<Vec<Leased>, StoreError> {
    Ok(sqlx::query_as!(
        Leased,
        r#"UPDATE outbox o SET lease_spool = $5, lease_until = now() + make_interval(secs => $4::int)
         FROM phone p
         WHERE p.id = o.phone_id AND o.id IN (
             SELECT id FROM outbox WHERE state = 'leased' AND lease_spool = ANY($1) AND NOT id = ANY($2)
             ORDER BY lease_until LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING o.id, o.attempt, o.link_group, o.source, p.msisdn AS destination, o.text, o.expires_at,
             (SELECT m.link FROM message m WHERE m.spool_id = o.spool_id AND m.sequence = o.sequence) AS link,
             o.kind <> 'reply' AS "bulk!""#,
        runs,
        except,
        limit,
        lease_seconds,
        live
    )
    .fetch_all(conn)
    .await?)
}

/// Takes due rows of these link groups under lease: replies before texts to many, of each the oldest first.
pub async fn take_due(
    conn: &mut PgConnection,
    spool: Uuid,
    groups: &[String],
    limit: i64,
    lease_seconds: i32,
) -> Result<Vec<Leased>, StoreError> {
    Ok(sqlx::query_as!(
        Leased,
        r#"UPDATE outbox o SET state = 'leased', lease_spool = $1, lease_until = now() + make_interval(secs => $4::int)
         FROM phone p
         WHERE p.id = o.phone_id AND o.id IN (
             SELECT id FROM outbox
             WHERE state = 'due' AND due_at <= now() AND expires_at > now() AND link_group = ANY($2)
             ORDER BY kind <> 'reply', due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING o.id, o.attempt, o.link_group, o.source, p.msisdn AS destination, o.text, o.expires_at,
             (SELECT m.link FROM message m WHERE m.spool_id = o.spool_id AND m.sequence = o.sequence) AS link,
             o.kind <> 'reply' AS "bulk!""#,
        spool,
        groups,
        limit,
        lease_seconds
    )
    .fetch_all(conn)
    .await?)
}

/// Settles leases of other spools that ran out: what they sent nobody knows, so a reply is due once
/// more, and past its attempts stays unknown. Returns how many rows changed.
pub async fn settle_lapsed(conn: &mut PgConnection, spool: Uuid, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "UPDATE outbox SET
             state = CASE WHEN attempt < $2 AND kind = 'reply' THEN 'due' ELSE 'unknown' END,
             attempt = CASE WHEN attempt < $2 AND kind = 'reply' THEN attempt + 1 ELSE attempt END,
             unknown_before = unknown_before + 1, unknown_why = 'its host went away: the lease ran out',
             due_at = now(), lease_spool = NULL, lease_until = NULL
         WHERE id IN (
             SELECT id FROM outbox WHERE state = 'leased' AND lease_until < now() AND lease_spool IS DISTINCT FROM $1
             ORDER BY lease_until LIMIT $3 FOR UPDATE SKIP LOCKED)",
        spool,
        REPLY_ATTEMPTS_MAX,
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Lengthens the leases of rows that are still with the gateway.
pub async fn renew(conn: &mut PgConnection, spool: Uuid, ids: &[Uuid], lease_seconds: i32) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE outbox SET lease_until = now() + make_interval(secs => $3::int)
         WHERE id = ANY($2) AND state = 'leased' AND lease_spool = $1
           AND lease_until < now() + make_interval(secs => $3::int / 2)",
        spool,
        ids,
        lease_seconds
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Marks due rows whose time has passed.
pub async fn expire(conn: &mut PgConnection, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "UPDATE outbox SET state = 'expired' WHERE id IN (
             SELECT id FROM outbox WHERE state = 'due' AND expires_at <= now()
             ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
        limit
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Rows that wait: due, leased.
pub async fn open_counts(conn: &mut PgConnection) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE state = 'due') AS "due!", count(*) FILTER (WHERE state = 'leased') AS "leased!"
           FROM outbox WHERE state IN ('due', 'leased')"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.due, row.leased))
}
