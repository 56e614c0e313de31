//! `message`: the inbox, a row a message that a phone sent.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;

/// Rows to insert, a column a vector, as one statement takes them.
#[derive(Debug, Default)]
pub struct MessageRows<'a> {
    /// Sequence in the spool.
    pub sequence: Vec<i64>,
    /// When the gateway took it.
    pub received_at: Vec<OffsetDateTime>,
    /// Link it came by.
    pub link: Vec<&'a str>,
    /// Key in `phone`.
    pub phone_id: Vec<i64>,
    /// Our number.
    pub destination: Vec<&'a str>,
    /// `esm_class`.
    pub esm_class: Vec<i16>,
    /// `data_coding`.
    pub data_coding: Vec<i16>,
    /// `short_message`.
    pub raw: Vec<&'a [u8]>,
    /// `message_payload`.
    pub payload: Vec<Option<&'a [u8]>>,
    /// First 16 bytes of SHA-256 over the record.
    pub content_hash: Vec<&'a [u8]>,
    /// As decoded, without NUL; of a segmented text the whole.
    pub text: Vec<Option<&'a str>>,
    /// [`crate::domain::outcome::Outcome`] as its word.
    pub outcome: Vec<&'static str>,
    /// Election, where known.
    pub election_id: Vec<Option<i32>>,
    /// Observer, where known.
    pub observer_id: Vec<Option<i32>>,
    /// JSON.
    pub reading: Vec<Option<&'a str>>,
    /// `{uuid,uuid}`: arrays of unequal lengths cannot be nested.
    pub submissions: Vec<String>,
    /// Of a part: spool of the record that completed the text.
    pub whole_spool: Vec<Option<i32>>,
    /// Of a part: sequence of the record that completed the text.
    pub whole_seq: Vec<Option<i64>>,
    /// The reply.
    pub reply_id: Vec<Option<Uuid>>,
}

/// Which of these records of a spool are stored already, with their content hashes.
pub async fn stored(
    conn: &mut PgConnection,
    spool_id: i32,
    sequences: &[i64],
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT sequence, content_hash FROM message WHERE spool_id = $1 AND sequence = ANY($2)",
        spool_id,
        sequences
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| (r.sequence, r.content_hash)).collect())
}

/// Counts redeliveries of records, which the SMSC sent again as it had seen no response.
pub async fn count_redelivered(
    conn: &mut PgConnection,
    spools: &[Uuid],
    sequences: &[i64],
    times: &[i32],
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE message m SET redelivered = m.redelivered + u.n
         FROM UNNEST($1::uuid[], $2::bigint[], $3::int[]) AS u (spool, sequence, n) JOIN spool s ON s.uuid = u.spool
         WHERE m.spool_id = s.id AND m.sequence = u.sequence",
        spools,
        sequences,
        times
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Points parts that were stored earlier to the record that completed their text.
pub async fn point_to_whole(
    conn: &mut PgConnection,
    parts: &[(i32, i64)],
    whole: (i32, i64),
) -> Result<(), StoreError> {
    let (spools, sequences): (Vec<i32>, Vec<i64>) = parts.iter().copied().unzip();
    sqlx::query!(
        "UPDATE message m SET whole_spool = $3, whole_seq = $4
         FROM UNNEST($1::int[], $2::bigint[]) AS u (spool_id, sequence)
         WHERE m.spool_id = u.spool_id AND m.sequence = u.sequence",
        &spools,
        &sequences,
        whole.0,
        whole.1
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a text that lacked segments was found to be, for the part that stands for the whole.
#[derive(Debug)]
pub struct Finished<'a> {
    /// Spool and sequence of the part.
    pub record: (i32, i64),
    /// What there is of the text, without NUL.
    pub text: &'a str,
    /// Its outcome.
    pub outcome: &'static str,
    /// Election, where known.
    pub election_id: Option<i32>,
    /// Observer, where known.
    pub observer_id: Option<i32>,
    /// JSON.
    pub reading: String,
    /// Submissions that it touched.
    pub submissions: &'a [Uuid],
    /// The reply.
    pub reply_id: Option<Uuid>,
}

/// Turns a part's row into the row of the whole text.
pub async fn finish(conn: &mut PgConnection, row: &Finished<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE message SET text = $3, outcome = $4, election_id = $5, observer_id = $6, reading = $7::text::jsonb,
                submissions = $8, reply_id = $9, whole_spool = NULL, whole_seq = NULL
         WHERE spool_id = $1 AND sequence = $2",
        row.record.0,
        row.record.1,
        row.text,
        row.outcome,
        row.election_id,
        row.observer_id,
        row.reading,
        row.submissions,
        row.reply_id
    )
    .execute(conn)
    .await?;
    Ok(())
}
