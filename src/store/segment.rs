//! `segment_set` and `segment`: parts of texts that are not whole yet; `segment_done`: those of texts that
//! were processed lately.
//!
//! Invariant: parts are read and changed only while their set's row is locked, as two hosts may each
//! hold a part.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::StoreError;

/// What parts of one text share.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SetKey {
    /// Group of the link they came by.
    pub link_group: String,
    /// Phone, normalised.
    pub source: String,
    /// Our number.
    pub destination: String,
    /// Concatenation reference; references of different kinds never meet.
    pub reference: i32,
    /// Parts in all.
    pub total: i16,
}

/// A part that is kept.
#[derive(Debug, Clone)]
pub struct Part {
    /// Set.
    pub set_id: i64,
    /// 1, 2, 3 …
    pub part: i16,
    /// Key in `spool`.
    pub spool_id: i32,
    /// The spool's UUID.
    pub spool: Uuid,
    /// Sequence in the spool.
    pub sequence: i64,
    /// When the gateway took it.
    pub received_at: OffsetDateTime,
    /// The record as handed over (postcard).
    pub record: Vec<u8>,
}

/// Locks the sets with these keys, making those that are not there. `keys` must be sorted. Returns
/// their ids in the same order.
pub async fn lock_sets(conn: &mut PgConnection, keys: &[SetKey]) -> Result<Vec<i64>, StoreError> {
    let groups: Vec<&str> = keys.iter().map(|k| k.link_group.as_str()).collect();
    let sources: Vec<&str> = keys.iter().map(|k| k.source.as_str()).collect();
    let destinations: Vec<&str> = keys.iter().map(|k| k.destination.as_str()).collect();
    let references: Vec<i32> = keys.iter().map(|k| k.reference).collect();
    let totals: Vec<i16> = keys.iter().map(|k| k.total).collect();
    let rows = sqlx::query!(
        "INSERT INTO segment_set (link_group, source, destination, reference, total)
         SELECT u.a, u.b, u.c, u.d, u.e
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::int[], $5::smallint[]) WITH ORDINALITY AS u (a, b, c, d, e, n)
         ORDER BY u.n
         ON CONFLICT (link_group, source, destination, reference, total) DO UPDATE SET total = excluded.total
         RETURNING id, link_group, source, destination, reference, total",
        &groups[..] as &[&str],
        &sources[..] as &[&str],
        &destinations[..] as &[&str],
        &references,
        &totals
    )
    .fetch_all(conn)
    .await?;
    let mut ids = vec![0; keys.len()];
    for row in rows {
        let key = SetKey {
            link_group: row.link_group,
            source: row.source,
            destination: row.destination,
            reference: row.reference,
            total: row.total,
        };
        if let Some(id) = keys.binary_search(&key).ok().and_then(|i| ids.get_mut(i)) {
            *id = row.id;
        }
    }
    Ok(ids)
}

/// Parts of these (locked) sets.
pub async fn parts(conn: &mut PgConnection, sets: &[i64]) -> Result<Vec<Part>, StoreError> {
    let rows = sqlx::query!(
        "SELECT s.set_id, s.part, s.spool_id, sp.uuid, s.sequence, s.received_at, s.record
         FROM segment s JOIN spool sp ON sp.id = s.spool_id WHERE s.set_id = ANY($1) ORDER BY s.set_id, s.part",
        sets
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Part {
            set_id: r.set_id,
            part: r.part,
            spool_id: r.spool_id,
            spool: r.uuid,
            sequence: r.sequence,
            received_at: r.received_at,
            record: r.record,
        })
        .collect())
}

/// Empties and removes sets whose text is processed.
pub async fn remove_sets(conn: &mut PgConnection, sets: &[i64]) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM segment_set WHERE id = ANY($1)", sets).execute(conn).await?;
    Ok(())
}

/// Empties a set whose reference was used anew, and starts its clock again.
pub async fn restart_set(conn: &mut PgConnection, set: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH gone AS (DELETE FROM segment WHERE set_id = $1)
         UPDATE segment_set SET begun_at = now() WHERE id = $1",
        set
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps parts of sets that are not whole.
pub async fn keep_parts(conn: &mut PgConnection, parts: &[Part]) -> Result<(), StoreError> {
    let sets: Vec<i64> = parts.iter().map(|p| p.set_id).collect();
    let places: Vec<i16> = parts.iter().map(|p| p.part).collect();
    let spools: Vec<i32> = parts.iter().map(|p| p.spool_id).collect();
    let sequences: Vec<i64> = parts.iter().map(|p| p.sequence).collect();
    let times: Vec<OffsetDateTime> = parts.iter().map(|p| p.received_at).collect();
    let records: Vec<&[u8]> = parts.iter().map(|p| p.record.as_slice()).collect();
    sqlx::query!(
        "INSERT INTO segment (set_id, part, spool_id, sequence, received_at, record)
         SELECT * FROM UNNEST($1::bigint[], $2::smallint[], $3::int[], $4::bigint[], $5::timestamptz[], $6::bytea[])",
        &sets,
        &places,
        &spools,
        &sequences,
        &times,
        &records[..] as &[&[u8]]
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks sets that began before their time was up, the oldest first; those that another worker holds
/// are left to it.
pub async fn lock_expired(
    conn: &mut PgConnection,
    wait_seconds: i32,
    limit: i64,
) -> Result<Vec<(i64, SetKey)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, link_group, source, destination, reference, total FROM segment_set
         WHERE begun_at < now() - make_interval(secs => $1::int)
         ORDER BY begun_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        wait_seconds,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let key = SetKey {
                link_group: r.link_group,
                source: r.source,
                destination: r.destination,
                reference: r.reference,
                total: r.total,
            };
            (r.id, key)
        })
        .collect())
}

/// A part of a text that was processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DonePart {
    /// What the text's parts share.
    pub key: SetKey,
    /// 1, 2, 3 …
    pub part: i16,
    /// SHA-256 over what it holds, first 16 bytes.
    pub content: [u8; 16],
}

/// Columns of parts.
struct Columns<'a> {
    groups: Vec<&'a str>,
    sources: Vec<&'a str>,
    destinations: Vec<&'a str>,
    references: Vec<i32>,
    totals: Vec<i16>,
}

impl<'a> Columns<'a> {
    fn of(keys: impl Iterator<Item = &'a SetKey> + Clone) -> Self {
        Self {
            groups: keys.clone().map(|k| k.link_group.as_str()).collect(),
            sources: keys.clone().map(|k| k.source.as_str()).collect(),
            destinations: keys.clone().map(|k| k.destination.as_str()).collect(),
            references: keys.clone().map(|k| k.reference).collect(),
            totals: keys.map(|k| k.total).collect(),
        }
    }
}

/// Parts processed lately of texts with these keys. `keys` must be sorted; gives a place among them,
/// part and content.
pub async fn done_parts(conn: &mut PgConnection, keys: &[SetKey]) -> Result<Vec<(usize, i16, Vec<u8>)>, StoreError> {
    let c = Columns::of(keys.iter());
    let rows = sqlx::query!(
        r#"SELECT u.n AS "n!", d.part, d.content
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::int[], $5::smallint[]) WITH ORDINALITY AS u (a, b, c, d, e, n)
         JOIN segment_done d ON d.link_group = u.a AND d.source = u.b AND d.destination = u.c AND d.reference = u.d
             AND d.total = u.e"#,
        &c.groups[..] as &[&str],
        &c.sources[..] as &[&str],
        &c.destinations[..] as &[&str],
        &c.references,
        &c.totals
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| (usize::try_from(r.n - 1).unwrap_or(usize::MAX), r.part, r.content)).collect())
}

/// Remembers parts of texts that are processed now. `false`: one of them was processed already; the
/// caller must roll back and look again.
pub async fn remember_parts(conn: &mut PgConnection, parts: &[DonePart]) -> Result<bool, StoreError> {
    let c = Columns::of(parts.iter().map(|p| &p.key));
    let places: Vec<i16> = parts.iter().map(|p| p.part).collect();
    let contents: Vec<&[u8]> = parts.iter().map(|p| p.content.as_slice()).collect();
    let done = sqlx::query!(
        "INSERT INTO segment_done (link_group, source, destination, reference, total, part, content)
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::int[], $5::smallint[], $6::smallint[], $7::bytea[])
             AS u (a, b, c, d, e, f, g)
         ORDER BY u.a, u.b, u.c, u.d, u.e, u.f, u.g
         ON CONFLICT DO NOTHING",
        &c.groups[..] as &[&str],
        &c.sources[..] as &[&str],
        &c.destinations[..] as &[&str],
        &c.references,
        &c.totals,
        &places,
        &contents[..] as &[&[u8]]
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == parts.len() as u64)
}

/// Forgets parts processed longer ago than that, the oldest first.
pub async fn forget_parts(conn: &mut PgConnection, seconds: i32, limit: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "DELETE FROM segment_done WHERE ctid = ANY(ARRAY(
             SELECT ctid FROM segment_done WHERE done_at < now() - make_interval(secs => $1::int)
             ORDER BY done_at LIMIT $2 FOR UPDATE SKIP LOCKED))",
        seconds,
        limit
    )
    .execute(conn)
    .await?;
    Ok(())
}
