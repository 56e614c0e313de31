//! PostgreSQL away, refusing, stuck, full: each on the real processes. Nothing is lost, nothing
//! doubled, the log says the state once a change, and the watchdog has nothing to say.

mod away;
mod full;
mod races;
mod slow;
mod stuck;

use sqlx::{AssertSqlSafe, Executor};

use super::support::cluster::{Cluster, Durability};
use super::support::flow::{self, Flow};
use super::support::pg::{self, Database};

/// A server of the test's own, with an election.
async fn server(settings: &str) -> (Cluster, Database) {
    let cluster = Cluster::start(Durability::Synced);
    cluster.kill();
    cluster.configure(settings);
    cluster.up();
    let database = pg::database_on(&cluster).await;
    flow::elect(&mut database.owner().await).await;
    (cluster, database)
}

async fn change(database: &Database, sql: &str) {
    database.admin().await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

/// How often it said that the database is there and takes nothing.
fn said_troubled(flow: &Flow) -> usize {
    flow.worker.log().matches("the database does not take what it is given").count()
}

/// Sessions that the worker began.
fn sessions(flow: &Flow) -> usize {
    flow.worker.log().matches("spool opened").count()
}

/// How often the worker said that the database is away; and it never hung.
fn said_away(flow: &Flow) -> usize {
    let log = flow.worker.log();
    assert!(!log.contains("work does not end"), "an outage is no hang\n{log}");
    log.matches("the database is away").count()
}
