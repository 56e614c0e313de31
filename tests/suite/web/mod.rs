//! The dashboard as a browser meets it: a real listener, a real PostgreSQL, the role that the web has.

mod archived;
pub(crate) mod browser;
mod crowd;
mod desk;
mod exports;
mod georgia_2013;
mod limits;
mod lists;
mod outage;
mod pages;
mod people;
pub(crate) mod process;
mod rights;
mod sign_in;
mod trouble;
mod walk;

use std::net::SocketAddr;
use std::time::Duration;

use scrutineer::store::{Store, user};
use scrutineer::web::{self, App, Options, password};
use sqlx::{AssertSqlSafe, Executor};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::support::pg::{self, Database, OWNER, WEB};
use browser::Browser;

const ELECTIONS: &str = include_str!("../../fixtures/web_elections.sql");
const NAME: &str = "amina";
const PASSWORD: &str = "correct horse battery";

/// A dashboard of the test's own.
struct Dashboard {
    address: SocketAddr,
    database: Database,
    _stop: DropGuard,
}

impl Dashboard {
    /// On a database with the fixture's elections, and one person.
    async fn start() -> Self {
        let dashboard = Self::on(pg::database().await, false).await;
        dashboard.fill().await;
        dashboard
    }

    /// On a database as it is.
    async fn on(database: Database, secure_cookie: bool) -> Self {
        let (address, stop) = Self::serve(&database, secure_cookie).await;
        Self { address, database, _stop: stop }
    }

    async fn serve(database: &Database, secure_cookie: bool) -> (SocketAddr, DropGuard) {
        let app = App::new(Store::new(&database.store_options(WEB, 4)), Options { secure_cookie, session_hours: 12 });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(web::tend(app.clone(), || {}));
        tokio::spawn(web::serve(listener, web::router(app), stop.clone(), Duration::ZERO));
        (address, stop.drop_guard())
    }

    /// The person at another dashboard on the same database, which remembers nothing; it ends with the guard.
    async fn elsewhere(&self) -> (Browser, DropGuard) {
        let (address, stop) = Self::serve(&self.database, false).await;
        let mut browser = Browser::new(address);
        assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
        (browser, stop)
    }

    async fn fill(&self) {
        self.database.owner().await.execute(AssertSqlSafe(ELECTIONS)).await.unwrap();
        self.add_person().await;
    }

    async fn add_person(&self) {
        let owner = Store::new(&self.database.store_options(OWNER, 1));
        assert!(user::add(&owner, NAME, "analyst", &password::hash(PASSWORD).unwrap()).await.unwrap());
    }

    /// A browser of somebody who is not signed in.
    fn stranger(&self) -> Browser {
        Browser::new(self.address)
    }

    /// A browser of the person.
    async fn person(&self) -> Browser {
        let mut browser = self.stranger();
        let answer = browser.sign_in(NAME, PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        browser
    }

    /// One value from the database, read by the superuser.
    async fn value<T>(&self, sql: &'static str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sql).fetch_one(&mut self.database.admin().await).await.unwrap()
    }

    /// Changes the database as its superuser.
    async fn change(&self, sql: &'static str) {
        self.database.admin().await.execute(sql).await.unwrap();
    }
}
