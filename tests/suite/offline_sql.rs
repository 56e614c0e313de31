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
        let was = comparable(committed.describe);
        match described(&mut connection, &committed.query).await {
            Ok(now) if now == was => {}
            Ok(now) => wrong.push(format!("{name}: {}\n  {}", difference(&was, &now), committed.query)),
            Err(error) => wrong.push(format!("{name}: {error}: {}", committed.query)),
        }
    }
    connection.close().await.unwrap();
    assert!(wrong.is_empty(), "run `make sqlx`:\n{}", wrong.join("\n"));
}

async fn described(connection: &mut PgConnection, query: &str) -> Result<serde_json::Value, sqlx::Error> {
    let describe = connection.describe(sqlx::AssertSqlSafe(query.to_owned()).into_sql_str()).await?;
    Ok(comparable(serde_json::to_value(describe).unwrap()))
}

/// A description without what is guessed from the plan, which changes with statistics, of columns
/// whose name says it anyway (`"name!"`, `"name?"`).
fn comparable(mut describe: serde_json::Value) -> serde_json::Value {
    let said = |column: &serde_json::Value| {
        let name = column["name"].as_str().unwrap_or_default();
        let name = name.split(':').next().unwrap_or_default().trim_end();
        name.ends_with(['!', '?'])
    };
    let said: Vec<bool> = describe["columns"].as_array().into_iter().flatten().map(said).collect();
    for (nullable, said) in describe["nullable"].as_array_mut().into_iter().flatten().zip(said) {
        if said {
            *nullable = serde_json::Value::Null;
        }
    }
    describe
}

/// The parts of a description that differ: `columns`, `parameters`, `nullable`.
fn difference(was: &serde_json::Value, is: &serde_json::Value) -> String {
    let parts = ["columns", "parameters", "nullable"];
    let differ = parts.iter().filter(|part| was[**part] != is[**part]);
    differ.map(|part| format!("{part} was {} is {}", was[*part], is[*part])).collect::<Vec<_>>().join("; ")
}

#[test]
fn no_offline_data_is_left_of_a_query_that_is_gone() {
    let sources: String =
        ["src", "tests"].iter().flat_map(|dir| source::files(dir, "rs")).map(|f| bare(&f.text)).collect();
    let gone: Vec<_> = committed()
        .into_iter()
        .filter(|(_, data)| !is_made_of(&bare(&data.query), &sources))
        .map(|(name, data)| format!("{name}: {}", data.query))
        .collect();
    assert!(gone.is_empty(), "run `make sqlx`:\n{}", gone.join("\n"));
}

/// Does the text stand there, or in a few pieces? A macro may put its literals between others.
fn is_made_of(text: &str, sources: &str) -> bool {
    /// Of a piece on average, and of each.
    const PIECE_BYTES: (usize, usize) = (40, 2);
    let mut rest = text;
    for _ in 0..=text.len() / PIECE_BYTES.0 {
        if sources.contains(rest) {
            return true;
        }
        // Each shorter start of one that stands there does too.
        let ends: Vec<usize> = rest.char_indices().map(|(at, _)| at).skip(1).collect();
        let found = ends.partition_point(|end| sources.contains(&rest[..*end]));
        match found.checked_sub(1).map(|i| ends[i]) {
            Some(end) if end >= PIECE_BYTES.1 => rest = &rest[end..],
            _ => return false,
        }
    }
    false
}

/// What is the same however a literal is broken over lines, escaped or joined.
fn bare(text: &str) -> String {
    text.replace("\\n", " ").chars().filter(|c| !c.is_whitespace() && !matches!(c, '\\' | '"' | '+')).collect()
}
