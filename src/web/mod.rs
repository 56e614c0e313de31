//! The dashboard: server-rendered pages that work without JavaScript, for people on slow links.
//!
//! Invariants: election data is only read; every page but the sign-in asks for a session; what an
//! observer texted is an attacker's input and goes through [`text`]; requests, connections, bodies
//! and waits have bounds ([`crate::limits`]).

mod assets;
mod auth;
mod cache;
mod error;
mod export;
mod format;
mod frozen;
mod guard;
mod health;
mod layout;
mod list;
mod pages;
mod plot;
mod router;
mod server;
mod stale;
mod text;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Semaphore;

pub use self::auth::password;
pub use self::auth::rights::{Right, Role};
pub use self::health::tend;
pub use self::router::{router, routes};
pub use self::server::serve;

use crate::limits;
use crate::store::Store;
use crate::store::pages::overview::Overview;
use crate::store::pages::question::{ByArea, Questions};
use crate::vitals::pressure::{Level, Pressure};

/// How the dashboard behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Send the session cookie over HTTPS only, under a `__Host-` name.
    pub secure_cookie: bool,
    /// Hours after which a session ends.
    pub session_hours: u32,
}

/// What all requests share.
#[derive(Debug, Clone)]
pub struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    options: Options,
    pressure: Pressure,
    started: Instant,
    requests: Arc<Semaphore>,
    /// Files under way.
    exports: Arc<Semaphore>,
    /// Of those, the ones that nobody signed in may have.
    strangers: Arc<Semaphore>,
    passwords: password::Gate,
    sessions: auth::remembered::Remembered,
    addresses: auth::addresses::Addresses,
    good_pages: stale::GoodPages,
    health: health::Health,
    /// By election, version of its archive and area.
    overviews: cache::Cache<(i32, i32, Option<i32>), Overview>,
    /// By election, version of its archive, checklist and area.
    questions: cache::Cache<(i32, i32, String, Option<i32>), Questions>,
    /// By election, version of its archive, checklist, question and area.
    by_area: cache::Cache<(i32, i32, String, String, Option<i32>), ByArea>,
    archives: cache::Cache<(), frozen::Archives>,
    frozen: frozen::Pages,
    elections: cache::Cache<(), Vec<crate::store::pages::election::Listed>>,
    /// By election, area and checklist.
    observer_counts: cache::Cache<(i32, Option<i32>, Option<String>), crate::store::pages::observers::Counts>,
}

impl App {
    /// With a store whose role is a member of `scrutineer_web`.
    pub fn new(store: Store, options: Options) -> Self {
        Self::heeding(store, options, Pressure::default())
    }

    /// One that serves less while memory is short.
    pub fn heeding(store: Store, options: Options, pressure: Pressure) -> Self {
        Self(Arc::new(Shared {
            store,
            options,
            pressure,
            started: Instant::now(),
            requests: Arc::new(Semaphore::new(limits::WEB_REQUESTS_MAX)),
            exports: Arc::new(Semaphore::new(limits::WEB_EXPORTS_MAX)),
            strangers: Arc::new(Semaphore::new(limits::WEB_STRANGERS_MAX)),
            passwords: password::Gate::new(),
            sessions: auth::remembered::Remembered::default(),
            addresses: auth::addresses::Addresses::default(),
            good_pages: stale::GoodPages::default(),
            health: health::Health::default(),
            overviews: cache::Cache::new("overview", limits::WEB_CACHE_ENTRIES_MAX),
            questions: cache::Cache::new("questions", limits::WEB_CACHE_ENTRIES_MAX)
                .keeping(limits::SUMMARY_CACHE_SECONDS),
            by_area: cache::Cache::new("by_area", limits::WEB_CACHE_ENTRIES_MAX).keeping(limits::SUMMARY_CACHE_SECONDS),
            archives: cache::Cache::new("archives", 1),
            frozen: frozen::Pages::default(),
            elections: cache::Cache::new("elections", 1),
            observer_counts: cache::Cache::new("observers", limits::WEB_CACHE_ENTRIES_MAX)
                .keeping(limits::SUMMARY_CACHE_SECONDS),
        }))
    }

    /// Empties the caches each time that memory comes to be short; does not end.
    pub async fn empty_caches(self) {
        let mut levels = self.0.pressure.watch();
        while levels.changed().await.is_ok() {
            if *levels.borrow_and_update() > Level::Calm {
                self.0.overviews.clear();
                self.0.questions.clear();
                self.0.by_area.clear();
                self.0.frozen.clear();
                self.0.elections.clear();
                self.0.observer_counts.clear();
                self.0.good_pages.clear();
            }
        }
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// One without a database, for tests of what needs none.
    #[cfg(test)]
    fn unconnected() -> Self {
        let options = crate::store::ConnectOptions {
            hosts: Vec::new(),
            database: String::new(),
            user: String::new(),
            password: None,
            ca_file: None,
            application: String::new(),
            connections_max: 1,
            deadline: std::time::Duration::from_secs(1),
            settings: Vec::new(),
        };
        Self::new(Store::new(&options), Options { secure_cookie: false, session_hours: 12 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hash;

    async fn most<K: Eq + Hash + Clone, V>(cache: &cache::Cache<K, V>, key: impl Fn(i32) -> K) -> usize {
        for n in 0..2 * limits::WEB_CACHE_ENTRIES_MAX as i32 {
            assert!(cache.get(key(n), async { Err::<V, ()>(()) }).await.is_err());
        }
        cache.len()
    }

    #[tokio::test]
    async fn no_more_figures_of_a_kind_are_held_than_the_bound_whatever_is_asked_for() {
        let app = App::unconnected();
        let held = [
            most(&app.0.overviews, |n| (1, 0, Some(n))).await,
            most(&app.0.questions, |n| (1, 0, "OP".to_owned(), Some(n))).await,
            most(&app.0.by_area, |n| (1, 0, "OP".to_owned(), "AA".to_owned(), Some(n))).await,
            most(&app.0.observer_counts, |n| (1, Some(n), None)).await,
        ];
        assert_eq!(held, [limits::WEB_CACHE_ENTRIES_MAX; 4]);
    }
}
