//! Elections of any size, written straight into the tables by `scale.sql`: what would take a day of
//! texts takes a minute or two.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::support::pg::Database;

/// Checklists that each observer of `scale.sql` reports to.
pub const REPORTS_OF_ONE: u32 = 4;
/// Ids that one election may take: observers, stations and places have theirs above its base.
const IDS: u32 = 1_000_000;

/// Makes the election `slug` with so many submissions; each call takes a `number` of its own.
pub async fn election(database: &Database, number: u32, slug: &str, submissions: u32) {
    let mut admin = database.admin().await;
    let sql = include_str!("scale.sql")
        .replace("{observers}", &(submissions / REPORTS_OF_ONE).max(1).to_string())
        .replace("{election}", &number.to_string())
        .replace("{base}", &(number * IDS).to_string())
        .replace("{slug}", slug);
    // One statement after the other, each its own transaction, so that no single one holds a million rows twice.
    for statement in statements(&sql) {
        admin.execute(AssertSqlSafe(statement)).await.unwrap();
    }
}

/// Statistics and visibility, as autovacuum leaves them after such a day.
pub async fn settle(database: &Database) {
    let mut admin: PgConnection = database.admin().await;
    admin.execute("VACUUM (ANALYZE)").await.unwrap();
    admin.execute("CHECKPOINT").await.unwrap();
}

/// The statements of a file in which each ends at the end of a line.
fn statements(sql: &str) -> Vec<String> {
    sql.split(";\n").map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}
