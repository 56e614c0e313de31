//! `phone`: a row a number, made when it is first heard.

use sqlx::PgConnection;

use super::StoreError;

/// Ids of these numbers (as [`crate::domain::phone::normalise`] writes them), in any order; rows
/// are made for those that have none. Run it outside a batch's transaction, so that its rows are
/// there for everybody at once and no batch waits for another's.
pub async fn ids(conn: &mut PgConnection, numbers: &[String]) -> Result<Vec<(String, i64)>, StoreError> {
    let mut found = known(conn, numbers).await?;
    if found.len() < numbers.len() {
        let mut missing: Vec<String> =
            numbers.iter().filter(|n| !found.iter().any(|(f, _)| f == *n)).cloned().collect();
        missing.sort_unstable();
        sqlx::query!(
            "INSERT INTO phone (msisdn) SELECT n FROM UNNEST($1::text[]) AS u (n) ON CONFLICT DO NOTHING",
            &missing
        )
        .execute(&mut *conn)
        .await?;
        found.extend(known(conn, &missing).await?);
    }
    Ok(found)
}

/// Ids of those of these numbers that have a row, in any order.
pub async fn known(conn: &mut PgConnection, numbers: &[String]) -> Result<Vec<(String, i64)>, StoreError> {
    let rows =
        sqlx::query!("SELECT msisdn, id FROM phone WHERE msisdn = ANY($1)", numbers).fetch_all(&mut *conn).await?;
    Ok(rows.into_iter().map(|r| (r.msisdn, r.id)).collect())
}
