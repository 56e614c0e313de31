//! The offline data of the checked SQL (`.sqlx/`) is what a migrated database says today, so that a
//! build without a database checks against the truth. Made anew by `make sqlx`.

use sqlx::{Connection, Executor, PgConnection, SqlSafeStr};

use super::support::{pg, source};

#[derive(serde::Deserialize)]
struct Committed {
    query: String,
    describe: serde_json::Value,
}

fn committed() -> Vec<(String, Committed)> {
    source::files(".sqlx", "json")
        .into_iter()
        .map(|file| {
            let data = serde_json::from_str(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.name));
            (file.name, data)
        })
        .collect()
}

#[tokio::test]
async fn every_query_is_described_by_a_migrated_database_as_committed() {
    let database = pg::database().await;
    let mut connection = database.admin().await;
    let mut wrong = Vec::new();
    for (name, committed) in committed() {
        match described(&mut connection, &committed.query).await {
            Ok(now) if now == committed.describe => {}
            Ok(now) => wrong.push(format!("{name}: was\n{:#}\nis\n{now:#}", committed.describe)),
            Err(error) => wrong.push(format!("{name}: {error}: {}", committed.query)),
        }
    }
    connection.close().await.unwrap();
    assert!(wrong.is_empty(), "run `make sqlx`:\n{}", wrong.join("\n"));
}

async fn described(connection: &mut PgConnection, query: &str) -> Result<serde_json::Value, sqlx::Error> {
    let describe = connection.describe(sqlx::AssertSqlSafe(query.to_owned()).into_sql_str()).await?;
    Ok(serde_json::to_value(describe).unwrap())
}

#[test]
fn no_offline_data_is_left_of_a_query_that_is_gone() {
    let sources: String =
        ["src", "tests"].iter().flat_map(|dir| source::files(dir, "rs")).map(|f| bare(&f.text)).collect();
    let gone: Vec<_> = committed()
        .into_iter()
        .filter(|(_, data)| !sources.contains(&bare(&data.query)))
        .map(|(name, data)| format!("{name}: {}", data.query))
        .collect();
    assert!(gone.is_empty(), "run `make sqlx`:\n{}", gone.join("\n"));
}

/// What is the same however a literal is broken over lines, escaped or joined.
fn bare(text: &str) -> String {
    text.replace("\\n", " ").chars().filter(|c| !c.is_whitespace() && !matches!(c, '\\' | '"' | '+')).collect()
}
