//! The processes under fire: whom to kill, when, and how long each takes to work again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use sqlx::{AssertSqlSafe, Row};

use crate::support::cluster::Cluster;
use crate::support::pg::Database;
use crate::support::process::{self, Process};
use crate::support::site::Site;
use crate::support::within;
use crate::web::browser::Browser;

/// How long anything may stand still before it is a failure.
pub const STANDSTILL: Duration = Duration::from_secs(180);
const NAME: &str = "amina";
const PASSWORD: &str = "correct horse battery";

/// Whom to kill; several at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Victims {
    pub gateway: bool,
    pub worker: bool,
    pub postgres: bool,
    pub web: bool,
}

impl Victims {
    /// One of the four, or several.
    pub fn any(random: &mut StdRng) -> Self {
        let one = |n: u32| Self { gateway: n == 0, worker: n == 1, postgres: n == 2, web: n == 3 };
        match random.random_range(0..12u32) {
            n @ 0..8 => one(n % 4),
            8 => Self { gateway: true, worker: true, postgres: true, web: true },
            _ => {
                let (a, b) = (one(random.random_range(0..4)), one(random.random_range(0..4)));
                Self {
                    gateway: a.gateway | b.gateway,
                    worker: a.worker | b.worker,
                    postgres: a.postgres | b.postgres,
                    web: a.web | b.web,
                }
            }
        }
    }

    /// For people.
    pub fn name(self) -> String {
        let all =
            [(self.gateway, "gateway"), (self.worker, "worker"), (self.postgres, "PostgreSQL"), (self.web, "web")];
        all.into_iter().filter(|(hit, _)| *hit).map(|(_, name)| name).collect::<Vec<_>>().join("+")
    }
}

/// See the module.
pub struct Range<'a> {
    site: &'a Site,
    postgres: &'a Cluster,
    pub gateway: Process,
    pub worker: Process,
    web: Process,
    browser: Browser,
    /// Seconds from a kill until work went on, by who was killed.
    recoveries: BTreeMap<String, Vec<f64>>,
    open: Option<(Victims, Instant)>,
    pub kills: usize,
}

async fn address(web: &Process) -> std::net::SocketAddr {
    let line = web.logged("the dashboard listens").await;
    let at = line.split("127.0.0.1:").nth(1).unwrap();
    let port: String = at.chars().take_while(char::is_ascii_digit).collect();
    ([127, 0, 0, 1], port.parse().unwrap()).into()
}

impl<'a> Range<'a> {
    pub async fn start(site: &'a Site, postgres: &'a Cluster) -> Range<'a> {
        let file = site.file("password", format!("{PASSWORD}\n")).display().to_string();
        process::ok(&site.config(), ["user", "add", NAME, "--role", "operator", "--password-file", &file]).await;
        let (gateway, worker, web) = (site.start("gateway").await, site.start("worker").await, site.start("web").await);
        let mut browser = Browser::new(address(&web).await);
        assert_eq!(browser.sign_in(NAME, PASSWORD).await.status, 303);
        Range { site, postgres, gateway, worker, web, browser, recoveries: BTreeMap::new(), open: None, kills: 0 }
    }

    /// SIGKILL to all of them at once, and each is started anew, as systemd would.
    pub async fn shoot(&mut self, victims: Victims) {
        let config = self.site.config();
        self.open = Some((victims, Instant::now()));
        self.kills += 1;
        if victims.gateway {
            self.gateway.kill().await;
        }
        if victims.worker {
            self.worker.kill().await;
        }
        if victims.web {
            self.web.kill().await;
        }
        if victims.postgres {
            tokio::task::block_in_place(|| {
                self.postgres.kill();
                self.postgres.up();
            });
        }
        // Awaited by what they do next, not by their word.
        if victims.gateway {
            self.gateway = Process::spawn("gateway", &config);
        }
        if victims.worker {
            self.worker = Process::spawn("worker", &config);
        }
        if victims.web {
            self.web = Process::spawn("web", &config);
        }
        if victims.web || victims.postgres {
            self.pages_answer().await;
        }
        if victims == (Victims { gateway: false, worker: false, postgres: false, web: true }) {
            self.went_on();
        }
    }

    /// The person who was signed in still is, and sees pages again.
    async fn pages_answer(&mut self) {
        within(STANDSTILL, "pages", async {
            self.browser.moved(address(&self.web).await);
            loop {
                if let Ok(answer) = tokio::time::timeout(Duration::from_secs(30), self.browser.get("/elections")).await
                {
                    assert_ne!(answer.status, 303, "the session is gone");
                    if answer.status == 200 {
                        return;
                    }
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    /// Work went on: a reply came out of the whole chain.
    pub fn went_on(&mut self) {
        if let Some((victims, at)) = self.open.take() {
            self.recoveries.entry(victims.name()).or_default().push(at.elapsed().as_secs_f64());
        }
    }

    /// Kills by who was killed, with the time until work went on: middle and longest.
    pub fn told(&self) -> Vec<(String, usize, f64, f64)> {
        let told = |(name, all): (&String, &Vec<f64>)| {
            let mut all = all.clone();
            all.sort_by(f64::total_cmp);
            (name.clone(), all.len(), all[all.len() / 2], all[all.len() - 1])
        };
        self.recoveries.iter().map(told).collect()
    }

    pub fn logs(&self) -> String {
        format!(
            "gateway:\n{}\nworker:\n{}\nPostgreSQL:\n{}",
            self.gateway.log(),
            self.worker.log(),
            self.postgres.log()
        )
    }

    /// Waits until no reply is such; each wait is as long as something changes.
    pub async fn until_none(&self, database: &Database, such: &str) {
        let mut tick = tokio::time::interval(Duration::from_millis(200));
        let (mut last, mut since) = (-1, Instant::now());
        loop {
            let sql = AssertSqlSafe(format!("SELECT count(*) FROM {such}"));
            let open: i64 = sqlx::query(sql).fetch_one(&mut database.admin().await).await.unwrap().get(0);
            if open == 0 {
                return;
            }
            if open != last {
                (last, since) = (open, Instant::now());
            }
            assert!(since.elapsed() < STANDSTILL, "{open} of {such} stay\n{}", self.logs());
            tick.tick().await;
        }
    }
}
