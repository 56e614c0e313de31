//! What the same PostgreSQL does at most: the rows that the chain stored, inserted once more into
//! empty tables of the same form, in batches as large as the worker's, over as many connections,
//! each batch one synced transaction. No parsing, no reading, no replies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::support::pg;

/// Connections, as the worker has lanes by default.
const CONNECTIONS: usize = 4;
/// Messages of one transaction.
const BATCH: usize = scrutineer::limits::BATCH_RECORDS_MAX;

/// The tables whose rows a message makes, with the columns that are written.
const TABLES: &[(&str, &[(&str, &str)])] = &[
    (
        "message",
        &[
            ("spool_id", "int"),
            ("sequence", "bigint"),
            ("received_at", "timestamptz"),
            ("link", "text"),
            ("phone_id", "bigint"),
            ("destination", "text"),
            ("esm_class", "smallint"),
            ("data_coding", "smallint"),
            ("raw", "bytea"),
            ("content_hash", "bytea"),
            ("text", "text"),
            ("outcome", "text"),
            ("election_id", "int"),
            ("observer_id", "int"),
            ("reading", "jsonb"),
            ("submissions", "uuid[]"),
            ("reply_id", "uuid"),
        ],
    ),
    (
        "submission",
        &[
            ("election_id", "int"),
            ("id", "uuid"),
            ("checklist_id", "int"),
            ("prefix", "text"),
            ("kind", "text"),
            ("observer_id", "int"),
            ("station_id", "int"),
            ("answers", "jsonb"),
            ("missing", "smallint"),
            ("first_received_at", "timestamptz"),
            ("last_received_at", "timestamptz"),
            ("last_spool", "uuid"),
            ("last_sequence", "bigint"),
        ],
    ),
    (
        "revision",
        &[
            ("election_id", "int"),
            ("submission_id", "uuid"),
            ("received_at", "timestamptz"),
            ("spool", "uuid"),
            ("sequence", "bigint"),
            ("answers", "jsonb"),
        ],
    ),
    (
        "outbox",
        &[
            ("id", "uuid"),
            ("kind", "text"),
            ("spool_id", "int"),
            ("sequence", "bigint"),
            ("phone_id", "bigint"),
            ("link_group", "text"),
            ("source", "text"),
            ("text", "text"),
            ("state", "text"),
            ("expires_at", "timestamptz"),
        ],
    ),
];

/// Rows of one table, a vector of text a column.
struct Rows {
    insert: String,
    columns: Vec<Vec<Option<String>>>,
    count: usize,
}

/// Measures it; the database is one that the chain has filled.
pub async fn measure(database: &pg::Database) -> Value {
    let mut admin = database.admin().await;
    let mut tables = Vec::new();
    for (table, columns) in TABLES {
        admin.execute(AssertSqlSafe(format!("CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL)"))).await.unwrap();
        tables.push(read(&mut admin, table, columns).await);
    }
    let messages = tables[0].count;
    let batches = messages.div_ceil(BATCH);
    let (tables, next) = (Arc::new(tables), Arc::new(AtomicUsize::new(0)));
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(database.admin().await);
    }
    let begun = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            let (tables, next) = (tables.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    if batch >= batches {
                        break;
                    }
                    connection.execute("BEGIN").await.unwrap();
                    for rows in tables.iter() {
                        insert(&mut connection, rows, batch, batches).await;
                    }
                    connection.execute("COMMIT").await.unwrap();
                }
                connection.close().await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let rows: usize = tables.iter().map(|rows| rows.count).sum();
    json!({
        "messages": messages, "rows": rows, "seconds": seconds,
        "messages_per_second": (messages as f64 / seconds).round(),
        "rows_per_second": (rows as f64 / seconds).round(),
    })
}

async fn read(admin: &mut PgConnection, table: &str, columns: &[(&str, &str)]) -> Rows {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let texts: Vec<String> = names.iter().map(|name| format!("{name}::text")).collect();
    let rows =
        sqlx::query(AssertSqlSafe(format!("SELECT {} FROM {table}", texts.join(", ")))).fetch_all(admin).await.unwrap();
    let casts: Vec<String> = columns.iter().map(|(name, kind)| format!("u.{name}::{kind}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}::text[]")).collect();
    Rows {
        insert: format!(
            "INSERT INTO bare_{table} ({names}) SELECT {} FROM UNNEST({}) AS u ({names}) ON CONFLICT DO NOTHING",
            casts.join(", "),
            places.join(", "),
            names = names.join(", "),
        ),
        columns: (0..columns.len()).map(|at| rows.iter().map(|row| row.get(at)).collect()).collect(),
        count: rows.len(),
    }
}

async fn insert(connection: &mut PgConnection, rows: &Rows, batch: usize, batches: usize) {
    // A table with fewer rows than messages takes its share of each batch.
    let (from, to) = (rows.count * batch / batches, rows.count * (batch + 1) / batches);
    let mut query = sqlx::query(AssertSqlSafe(rows.insert.clone()));
    for column in &rows.columns {
        query = query.bind(&column[from..to]);
    }
    query.execute(connection).await.unwrap();
}
