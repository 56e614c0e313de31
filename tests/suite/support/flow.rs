//! The real gateway and worker between an SMSC that we did not write and a database that is made to
//! fail: texts go in, and what became of each is counted and checked.
//!
//! What [`Flow::check`] asserts: each text was acknowledged and stands in PostgreSQL once; each got one
//! reply, and a second one only where an outcome was unknown.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::peer::{Delivery, Peer, Reader};
use super::pg::Database;
use super::process::Process;
use super::site::Site;

/// Observers of the election.
pub const OBSERVERS: u64 = 200;
/// How long anything may take on a loaded machine.
pub const STANDSTILL: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Debug)]
pub struct Flow {
    /// The installation.
    pub site: Site,
    /// Its configuration.
    pub config: PathBuf,
    /// The SMSC.
    pub peer: Peer,
    /// The gateway.
    pub gateway: Process,
    /// The worker.
    pub worker: Process,
    journal: Reader,
    fed: u64,
    acknowledged: HashSet<u64>,
    /// Replies by phone.
    replies: BTreeMap<String, usize>,
}

/// The phone of an observer.
pub fn phone(number: u64) -> String {
    format!("35569{number:07}")
}

/// An open election with a checklist and [`OBSERVERS`].
pub async fn elect(owner: &mut PgConnection) {
    let question = json!({"code": "AA", "text": "Count", "type": "count", "max": 9_999_999});
    let definition = json!({"prefix": "PS", "title": "Polling station", "questions": [question]});
    owner
        .execute(AssertSqlSafe(format!(
            "INSERT INTO election (slug, name, state, opened_at) VALUES ('test', 'Test', 'open', '2020-01-01');
             INSERT INTO checklist (election_id, prefix, kind, state, title, definition)
                 SELECT id, 'PS', 'checklist', 'live', '\"Polling station\"', '{definition}' FROM election;
             INSERT INTO observer (election_id, code)
                 SELECT e.id, (100000 + n)::text FROM election e, generate_series(1, {OBSERVERS}) n;
             INSERT INTO phone (msisdn) SELECT '35569' || lpad(n::text, 7, '0') FROM generate_series(1, {OBSERVERS}) n;
             INSERT INTO observer_phone (observer_id, phone_id)
                 SELECT o.id, p.id FROM observer o JOIN phone p ON p.msisdn = '35569' || lpad((o.code::int - 100000)::text, 7, '0');"
        )))
        .await
        .unwrap();
}

impl Flow {
    /// Starts all, on a database with an election. `hosts` is `host` of `[database]` as TOML writes it.
    pub async fn start(database: &Database, hosts: Option<&str>, database_keys: &str) -> Self {
        let peer = Peer::start(json!({ "window": 50 })).await;
        let site = Site::new(database).link_with("smsc", peer.port, "reconnect_seconds_max = 1");
        let config = configure(&site, database, hosts, database_keys);
        let gateway = Process::start("gateway", &config).await;
        let worker = Process::start("worker", &config).await;
        let journal = peer.reader();
        Self {
            site,
            config,
            peer,
            gateway,
            worker,
            journal,
            fed: 0,
            acknowledged: HashSet::new(),
            replies: BTreeMap::new(),
        }
    }

    /// The SMSC gets so many more texts to deliver.
    pub async fn feed(&mut self, count: u64) {
        let texts: Vec<Delivery> = (self.fed..self.fed + count)
            .map(|n| {
                let observer = n % OBSERVERS + 1;
                Delivery::text(n, &phone(observer), &format!("PS{} AA{n}", 100_000 + observer))
            })
            .collect();
        self.fed += count;
        self.peer.deliver(&texts).await;
    }

    /// Texts fed so far.
    pub fn fed(&self) -> u64 {
        self.fed
    }

    /// Texts acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    fn take(&mut self, event: &Value) {
        match event["event"].as_str().unwrap() {
            "acknowledged" => {
                self.acknowledged.insert(event["id"].as_u64().unwrap());
            }
            "submit" => {
                *self.replies.entry(event["destination"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            "refused" | "rejected" | "error" => println!("SMSC: {event}"),
            _ => {}
        }
    }

    /// Waits until so many texts are acknowledged in all.
    pub async fn until_acknowledged(&mut self, count: u64) {
        let begun = Instant::now();
        while self.acknowledged() < count {
            match self.journal.next(Duration::from_secs(1)).await {
                Some(event) => self.take(&event),
                None => assert!(begun.elapsed() < STANDSTILL, "{} of {count} acknowledged", self.acknowledged()),
            }
        }
    }

    /// Waits until so many replies reached the SMSC.
    pub async fn until_replied(&mut self, count: usize) {
        let begun = Instant::now();
        while self.replied() < count {
            match self.journal.next(Duration::from_secs(1)).await {
                Some(event) => self.take(&event),
                None => assert!(begun.elapsed() < STANDSTILL, "{} of {count} replies\n{}", self.replied(), self.logs()),
            }
        }
    }

    /// Replies that reached the SMSC.
    pub fn replied(&self) -> usize {
        self.replies.values().sum()
    }

    /// Waits until so many messages stand in the database; returns how long that took.
    pub async fn until_stored(&self, db: &mut PgConnection, count: u64) -> Duration {
        let begun = Instant::now();
        loop {
            let stored = number(db, "SELECT count(*) FROM message").await;
            if u64::try_from(stored).unwrap() >= count {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < STANDSTILL, "{stored} of {count} messages are stored\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the processes said.
    pub fn logs(&self) -> String {
        format!("gateway:\n{}\nworker:\n{}", self.gateway.log(), self.worker.log())
    }

    /// Waits until all is done, and checks the promise. Returns how many replies were doubled.
    pub async fn check(&mut self, db: &mut PgConnection) -> usize {
        self.until_acknowledged(self.fed).await;
        self.until_stored(db, self.fed).await;
        let begun = Instant::now();
        while number(db, "SELECT count(*) FROM outbox WHERE state IN ('due', 'leased')").await > 0 {
            assert!(begun.elapsed() < STANDSTILL, "replies stay open\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        while let Some(event) = self.journal.next(Duration::from_millis(200)).await {
            self.take(&event);
        }
        let fed = i64::try_from(self.fed).unwrap();
        assert_eq!(number(db, "SELECT count(*) FROM message").await, fed, "each text is stored once");
        assert_eq!(
            number(db, "SELECT count(DISTINCT text) FROM message WHERE outcome IN ('accepted', 'corrected')").await,
            fed
        );
        assert_eq!(number(db, "SELECT count(*) FROM revision").await, fed, "each report counts once");
        assert_eq!(number(db, "SELECT count(*) FROM outbox").await, fed, "each text has one reply");
        assert_eq!(number(db, "SELECT count(*) FROM set_aside").await, 0, "nothing was set aside");
        let sql = "SELECT p.msisdn, count(*) AS replies, count(*) FILTER (WHERE o.state IN ('expired', 'withheld')) AS unsent,
                          sum(o.unknown_before)::int8 AS unknown
                   FROM outbox o JOIN phone p ON p.id = o.phone_id GROUP BY 1";
        let mut doubled = 0;
        for row in sqlx::query(sql).fetch_all(&mut *db).await.unwrap() {
            let phone: &str = row.get("msisdn");
            let (wanted, unknown): (i64, i64) = (row.get("replies"), row.get("unknown"));
            let wanted = usize::try_from(wanted - row.get::<i64, _>("unsent")).unwrap();
            let got = self.replies.get(phone).copied().unwrap_or(0);
            let most = wanted + usize::try_from(unknown).unwrap();
            assert!((wanted..=most).contains(&got), "{phone}: {got} replies of {wanted}, {unknown} unknown before");
            doubled += got - wanted;
        }
        doubled
    }

    /// The processes end well.
    pub async fn stop(mut self) {
        let (gateway, worker) = (self.gateway.stop().await, self.worker.stop().await);
        assert!(gateway.success() && worker.success(), "gateway {gateway}, worker {worker}");
    }
}

/// Writes a configuration whose `[database]` has these hosts, and more keys.
pub fn configure(site: &Site, database: &Database, hosts: Option<&str>, keys: &str) -> PathBuf {
    let text = std::fs::read_to_string(site.config()).unwrap();
    let line = format!("host = \"{}\"", database.host.display());
    assert!(text.contains(&line), "the configuration names its host");
    let host = hosts.map_or_else(|| line.clone(), |hosts| format!("host = {hosts}"));
    site.file("under-fire.toml", text.replace(&line, &format!("{host}\n{keys}")))
}

/// One number from the database.
pub async fn number(db: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(db).await.unwrap()
}

/// Where a web process listens.
pub async fn web_address(web: &Process) -> std::net::SocketAddr {
    let line = web.logged("the dashboard listens").await;
    let at = line.split("127.0.0.1:").nth(1).unwrap();
    let port: String = at.chars().take_while(char::is_ascii_digit).collect();
    ([127, 0, 0, 1], port.parse().unwrap()).into()
}
