//! Elections of any size, written straight into the tables by `scale.sql`: what would take a day of
//! texts takes a minute or two.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use super::support::pg::Database;

/// Checklists that each observer of `scale.sql` reports to.
pub const REPORTS_OF_ONE: u32 = 4;
/// Ids that one election may take: observers, stations and places have theirs above its base.
const IDS: u32 = 1_000_000;

/// Before many rows are written: triggers wait, and indexes go, to be made of all rows at once.
const BEFORE: [&str; 3] = [
    "CREATE TEMP TABLE held AS SELECT indexname, replace(indexdef, ' ON ONLY ', ' ON ') AS made FROM pg_indexes i
     WHERE tablename IN ('submission', 'message', 'outbox') AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = i.indexname)",
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT indexname FROM held LOOP EXECUTE format('DROP INDEX %I', r.indexname); END LOOP; END $$",
    "SET session_replication_role = replica",
];
/// After it: as the triggers would have left it.
const AFTER: [&str; 6] = [
    "SET session_replication_role = origin",
    "SET maintenance_work_mem = '512MB'",
    "DO $$ DECLARE r record; BEGIN FOR r IN SELECT made FROM held LOOP EXECUTE r.made; END LOOP; END $$",
    "SELECT tally_areas_anew(array_agg(id)), tally_observers_anew(array_agg(id)) FROM election",
    "INSERT INTO tally_step (election_id, prefix, from_at, shard, reports)
     SELECT election_id, prefix, date_bin('5 minutes', first_received_at, 'epoch'), 0, count(*)
     FROM submission WHERE kind = 'checklist' GROUP BY 1, 2, 3",
    "INSERT INTO tally_outcome (election_id, outcome, shard, messages)
     SELECT election_id, outcome, 0, count(*) FROM message WHERE election_id IS NOT NULL GROUP BY 1, 2",
];

/// The first election of an empty database, however many submissions it has.
pub async fn first_election(database: &Database, slug: &str, submissions: u32) {
    let mut admin = database.admin().await;
    let all = all_statements(1, slug, submissions);
    let (made, rows) = all.split_at(all.iter().position(|s| s.contains("INSERT INTO location")).unwrap());
    let owned = |statements: &[&str]| statements.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    for statement in made.iter().chain(&owned(&BEFORE)).chain(rows).chain(&owned(&AFTER)) {
        admin.execute(AssertSqlSafe(statement.clone())).await.unwrap();
    }
}

/// Makes the election `slug` with so many submissions; each call takes a `number` of its own, from 2.
pub async fn election(database: &Database, number: u32, slug: &str, submissions: u32) {
    let mut admin = database.admin().await;
    for statement in all_statements(number, slug, submissions) {
        admin.execute(AssertSqlSafe(statement)).await.unwrap();
    }
}

fn all_statements(number: u32, slug: &str, submissions: u32) -> Vec<String> {
    // A country as large as its election: an archive has figures of each of its areas.
    let districts = if submissions < 10_000 { 10 } else { 60 };
    let sql = include_str!("scale.sql")
        .replace("{observers}", &(submissions / REPORTS_OF_ONE).max(1).to_string())
        .replace("{districts}", &districts.to_string())
        .replace("{election}", &number.to_string())
        .replace("{base}", &(number * IDS).to_string())
        .replace("{slug}", slug);
    // One statement after the other, each its own transaction, so that no single one holds a million rows twice.
    statements(&sql)
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
