//! Receipts with an id that no response told: which text they settle all the same, and which are nobody's.
//!
//! Invariant: a text is settled so only where nothing else can be meant: its outcome is unknown, it is the only one
//! to that phone by that group whose id is not known, it went in one segment, and one such receipt waits for
//! that phone. What is left waits for a day, and is shown.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::StoreError;
use crate::limits::{RECEIPT_WAITS_SECONDS, RECEIPTS_SHOWN_MAX};

/// Settles texts of unknown outcome by receipts that have waited long enough for a response that names their id:
/// how many.
pub async fn settle(conn: &mut PgConnection, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query_scalar!(
        r#"WITH waiting AS MATERIALIZED (
             SELECT link_group, message_id, phone_id, receipt, received_at FROM early_receipt
             WHERE phone_id IS NOT NULL AND received_at > now() - interval '1 day'
               AND received_at < now() - make_interval(secs => $1::int)
               AND receipt IN ('DELIVRD', 'EXPIRED', 'DELETED', 'UNDELIV', 'REJECTD')
             ORDER BY received_at DESC LIMIT $2 FOR UPDATE SKIP LOCKED),
           one AS MATERIALIZED (
             SELECT link_group, phone_id, min(message_id) AS message_id, min(receipt) AS receipt, min(received_at) AS at
             FROM waiting GROUP BY link_group, phone_id HAVING count(*) = 1),
           hit AS MATERIALIZED (
             SELECT one.link_group, one.message_id, one.receipt, one.at, o.id
             FROM one CROSS JOIN LATERAL (
                 SELECT (array_agg(c.id))[1] AS id, bool_and(c.state = 'unknown' AND c.message_id IS NULL) AS unknown,
                     max(c.unknown_before) AS attempts,
                     -- In one segment for sure: 7-bit characters that take one septet, or so few that UCS2 holds them.
                     bool_and(char_length(c.text) <= 35
                              OR (char_length(c.text) <= 160 AND c.text COLLATE "C" ~ '^[ -Z_a-z\r\n]*$')) AS short
                 FROM outbox c
                 WHERE c.phone_id = one.phone_id AND c.link_group = one.link_group
                   AND (c.unknown_before > 0 OR (c.state = 'sent' AND c.message_id IS NULL))
                   AND c.created_at < one.at AND c.created_at > one.at - interval '2 days'
                 HAVING count(*) = 1) o
             -- Of two attempts one may have failed and the other not.
             WHERE o.unknown AND o.short AND (one.receipt = 'DELIVRD' OR o.attempts = 1)),
           done AS (
             UPDATE outbox o SET state = CASE WHEN hit.receipt = 'DELIVRD' THEN 'delivered' ELSE 'undelivered' END,
                 message_id = hit.message_id, receipt = hit.receipt, receipt_at = hit.at,
                 sent_at = coalesce(o.sent_at, hit.at)
             FROM hit WHERE o.id = hit.id AND o.state = 'unknown'
             RETURNING hit.link_group, hit.message_id),
           gone AS (
             DELETE FROM early_receipt e USING done
             WHERE e.link_group = done.link_group AND e.message_id = done.message_id)
           SELECT count(*) AS "done!" FROM done"#,
        RECEIPT_WAITS_SECONDS,
        limit
    )
    .fetch_one(conn)
    .await?;
    Ok(done.unsigned_abs())
}

/// A receipt that found no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    /// Group of the link.
    pub link_group: String,
    /// The id that it names.
    pub message_id: String,
    /// What it says.
    pub receipt: String,
    /// The phone that it names, where an observer or a message has it.
    pub phone: Option<String>,
    /// When it came.
    pub received_at: OffsetDateTime,
}

/// Those that have found no text yet, the newest first, and how many there are in all.
pub async fn unmatched(conn: &mut PgConnection, group: Option<&str>) -> Result<(Vec<Unmatched>, i64), StoreError> {
    let rows = sqlx::query_as!(
        Unmatched,
        r#"SELECT e.link_group, e.message_id, e.receipt, p.msisdn AS "phone?", e.received_at
           FROM early_receipt e LEFT JOIN phone p ON p.id = e.phone_id
           WHERE $1::text IS NULL OR e.link_group = $1
           ORDER BY e.received_at DESC LIMIT $2"#,
        group,
        RECEIPTS_SHOWN_MAX
    )
    .fetch_all(&mut *conn)
    .await?;
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM early_receipt WHERE $1::text IS NULL OR link_group = $1"#,
        group
    )
    .fetch_one(conn)
    .await?;
    Ok((rows, count))
}
