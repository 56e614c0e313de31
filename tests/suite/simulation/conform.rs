//! The model of the database held against PostgreSQL: the same random sequences of operations, in one and
//! in two transactions at a time, committed and rolled back, one waiting for the other's rows, with time that
//! passes between; every answer and all that then stands in the tables is compared.
//!
//! What the simulation says about the program is worth as much as this. The short form takes the same sequences
//! each time.

mod dump;
mod op;
mod perform;
mod rows;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scrutineer::domain::roster::Roster;
use scrutineer::store::confirmed::LinkResponses;
use scrutineer::store::roster::Loaded;
use scrutineer::store::{Ledger, Store, StoreError, Transaction, Tx};
use scrutineer::world::{Outside, World};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use self::dump::Line;
use self::op::{Op, PHONES, REPLIES, SPOOLS, uuid};
use self::perform::{GROUP, Keys, LEASE_SECONDS, number, perform, run};
use super::super::support::{pg, soon, torture};
use super::dice::Dice;
use super::model::{Db, Handle};
use super::net::Net;

/// Operations of one sequence.
const OPERATIONS: usize = 70;
/// Seconds by which two times may differ that ought to be the same.
const TOLERANCE: i64 = 20;
/// How long PostgreSQL is watched when it should wait.
const WATCHED: Duration = Duration::from_millis(30);

/// The model's clock: the real one, and what was let pass.
#[derive(Debug, Default)]
struct Clock(AtomicI64);

impl Outside for Clock {
    fn now_us(&self) -> i64 {
        World::real().now_us() + self.0.load(Ordering::Relaxed) * 1_000_000
    }

    fn bits(&self) -> u64 {
        4
    }
}

/// What a transaction is told to do.
enum Step {
    Do(Op),
    Commit,
    RollBack,
}

/// A transaction that does as it is told, and says what came of it.
struct Driven {
    steps: mpsc::Receiver<Step>,
    said: mpsc::Sender<String>,
    keys: Arc<Mutex<Keys>>,
    shift: i64,
}

impl<T: Tx> Transaction<T> for Driven {
    type Output = ();

    async fn run(mut self, tx: &mut T) -> Result<(), StoreError> {
        while let Some(step) = self.steps.recv().await {
            match step {
                Step::Commit => return Ok(()),
                Step::RollBack => return Err(StoreError::GivenUp),
                Step::Do(op) => {
                    let came = perform(tx, &op, &self.keys, self.shift).await;
                    let _ = self.said.send(words(&came)).await;
                    came?;
                }
            }
        }
        Err(StoreError::GivenUp)
    }
}

fn words<T: std::fmt::Display>(came: &Result<T, StoreError>) -> String {
    match came {
        Ok(value) => value.to_string(),
        Err(error) => match error.sql_state() {
            Some(code) => format!("refused: {code}"),
            None => format!("error: {error}"),
        },
    }
}

/// An open transaction.
struct Session {
    steps: mpsc::Sender<Step>,
    said: mpsc::Receiver<String>,
    task: JoinHandle<Result<(), StoreError>>,
}

/// The model, or PostgreSQL.
struct Side<L> {
    ledger: L,
    keys: Arc<Mutex<Keys>>,
    open: [Option<Session>; 2],
    shift: i64,
}

impl<L: Ledger> Side<L> {
    async fn new(ledger: L) -> Self {
        let mut side = Self { ledger, keys: Arc::default(), open: [None, None], shift: 0 };
        side.begin_anew().await;
        side
    }

    /// Registers what every sequence begins with.
    async fn begin_anew(&mut self) {
        let runs: Vec<_> = (0..SPOOLS - 1).map(run).collect();
        let marks = self.ledger.open_runs(&runs, "host").await.unwrap();
        let id = |spool| marks.iter().find(|m| m.uuid == run(spool)).map_or(i32::MAX, |m| m.spool_id);
        let numbers: Vec<String> = (0..PHONES - 1).map(number).collect();
        let found = self.ledger.phone_ids(&numbers).await.unwrap();
        let phone = |p| found.iter().find(|(n, _)| *n == number(p)).map_or(i64::MAX, |(_, id)| *id);
        *self.keys.lock().unwrap() = Keys {
            spools: (0..SPOOLS).map(id).collect(),
            phones: (0..PHONES).map(phone).collect(),
            sets: Default::default(),
        };
    }

    fn begin(&mut self, at: usize) {
        let (steps, to_do) = mpsc::channel(4);
        let (says, said) = mpsc::channel(4);
        let work = Driven { steps: to_do, said: says, keys: Arc::clone(&self.keys), shift: self.shift };
        let ledger = self.ledger.clone();
        let task = tokio::spawn(async move { ledger.transact(Duration::from_secs(120), work).await });
        self.open[at] = Some(Session { steps, said, task });
    }

    async fn tell(&mut self, at: usize, step: Step) {
        let _ = self.open[at].as_ref().unwrap().steps.send(step).await;
    }

    /// What came of the last operation.
    async fn hear(&mut self, at: usize) -> String {
        let said = &mut self.open[at].as_mut().unwrap().said;
        soon("an answer", said.recv()).await.unwrap_or_else(|| "nothing".to_owned())
    }

    async fn end(&mut self, at: usize, commit: bool) -> String {
        let Some(session) = self.open[at].take() else { return String::new() };
        let _ = session.steps.send(if commit { Step::Commit } else { Step::RollBack }).await;
        words(&soon("the end of a transaction", session.task).await.unwrap().map(|()| "committed"))
    }

    /// Something that stands alone.
    async fn alone(&self, what: usize, dice: &Dice) -> String {
        let (spool, runs): (_, Vec<_>) = (dice.below(SPOOLS - 1), (0..1 + dice.below(SPOOLS)).map(run).collect());
        let except: Vec<_> = (0..REPLIES).filter(|_| dice.once_in(3)).map(|r| uuid(2, r)).collect();
        let groups = [GROUP.to_owned()];
        let leased = |rows: Vec<scrutineer::store::outbox::Leased>| {
            let mut rows: Vec<_> = rows
                .iter()
                .map(|r| format!("{} {} {} {} {}", r.id, r.attempt, r.text, r.destination, r.source))
                .collect();
            rows.sort();
            rows.join(", ")
        };
        match what {
            0 => words(&self.ledger.take_due(run(spool), &groups, 100).await.map(leased)),
            1 => words(&self.ledger.own_leased(run(spool), &runs, &except, 100).await.map(leased)),
            2 => words(
                &self
                    .ledger
                    .kept(run(spool), 1 + dice.below(6) as i64)
                    .await
                    .map(|kept| format!("{:?}", kept.map(|k| (k.spool, k.sequence, k.record, k.parts)))),
            ),
            3 => words(&self.ledger.upkeep(run(spool), &except, 100).await.map(|u| format!("{u:?}"))),
            4 => {
                let marks = self.ledger.open_runs(&runs[..runs.len().min(SPOOLS - 1)], "host").await;
                words(&marks.map(|marks| {
                    let mut marks: Vec<_> = marks.iter().map(|m| (m.uuid, m.through)).collect();
                    marks.sort();
                    format!("{marks:?}")
                }))
            }
            5 => {
                let links = ["link", "other"].map(|link| LinkResponses {
                    link: link.to_owned(),
                    through: dice.below(9) as i64,
                    unanswered: (1..9).filter(|_| dice.once_in(6)).collect(),
                });
                let of = run(dice.below(SPOOLS));
                words(&self.ledger.note_confirmed(of, &links[..dice.below(3)]).await.map(|()| "noted"))
            }
            _ => {
                let id = self.keys.lock().unwrap().spools[dice.below(SPOOLS)];
                words(&self.ledger.conclude_run(id, dice.below(30) as u64).await.map(|()| "concluded"))
            }
        }
    }
}

/// Both sides.
struct Pair {
    model: Side<Handle>,
    real: Side<Store>,
    db: Db,
    clock: Arc<Clock>,
    trace: Vec<String>,
}

impl Pair {
    fn differ(&self, what: &str, model: &str, real: &str, dice_seed: u64) -> ! {
        let from = self.trace.len().saturating_sub(60);
        panic!(
            "{}\n{what}\n  the model:  {model}\n  PostgreSQL: {real}\nSCRUTINEER_SEED={dice_seed} repeats it",
            self.trace[from..].join("\n")
        );
    }

    fn same(&self, what: &str, model: &str, real: &str, seed: u64) {
        if model != real {
            self.differ(what, model, real, seed);
        }
    }

    /// One operation of a session.
    async fn step(&mut self, at: usize, dice: &Dice, seed: u64) {
        let op = Op::any(dice);
        let what = format!("session {at}: {op:?}");
        self.trace.push(what.clone());
        self.model.tell(at, Step::Do(op.clone())).await;
        let mut model = None;
        while model.is_none() && !self.db.waits() {
            match self.model.open[at].as_mut().unwrap().said.try_recv() {
                Ok(said) => model = Some(said),
                Err(_) => sleep(Duration::from_micros(50)).await,
            }
        }
        self.real.tell(at, Step::Do(op)).await;
        if model.is_none() {
            // It waits for what the other one holds: so must PostgreSQL, until that one ends.
            self.trace.push("  waits".to_owned());
            if let Ok(Some(said)) = timeout(WATCHED, self.real.open[at].as_mut().unwrap().said.recv()).await {
                self.differ(&what, "waits", &said, seed);
            }
            self.end(1 - at, dice.once_in(2), seed).await;
        }
        let model = match model {
            Some(said) => said,
            None => self.model.hear(at).await,
        };
        let real = self.real.hear(at).await;
        self.trace.push(format!("  {model}"));
        self.same(&what, &model, &real, seed);
        if model.starts_with("refused") || model.starts_with("error") {
            let (model, real) = (self.model.end(at, false).await, self.real.end(at, false).await);
            self.same("the end after an error", &model, &real, seed);
        }
    }

    async fn end(&mut self, at: usize, commit: bool, seed: u64) {
        self.trace.push(format!("session {at} ends, commit: {commit}"));
        let (model, real) = (self.model.end(at, commit).await, self.real.end(at, commit).await);
        self.same("the end", &model, &real, seed);
    }

    /// Time passes: for the model by its clock, for PostgreSQL by its rows' times.
    async fn age(&mut self, admin: &mut PgConnection, seconds: i64) {
        self.trace.push(format!("{seconds} s pass"));
        self.clock.0.fetch_add(seconds, Ordering::Relaxed);
        self.model.shift += seconds;
        let by = format!("interval '{seconds} s'");
        let sql = format!(
            "UPDATE outbox SET created_at = created_at - {by}, due_at = due_at - {by}, expires_at = expires_at - {by}, lease_until = lease_until - {by};
             UPDATE segment_set SET begun_at = begun_at - {by};
             UPDATE segment_done SET done_at = done_at - {by};
             UPDATE early_receipt SET received_at = received_at - {by};
             UPDATE confirmed SET seen_at = seen_at - {by}"
        );
        admin.execute(AssertSqlSafe(sql)).await.unwrap();
    }

    async fn compare_tables(&mut self, admin: &mut PgConnection, seed: u64) {
        let model = dump::of_model(&self.db.tables(), &self.model.keys.lock().unwrap(), self.clock.now_us());
        let keys = std::mem::take(&mut *self.real.keys.lock().unwrap());
        let real = dump::of_postgresql(admin, &keys).await;
        let differs =
            |(a, b): &(&Line, &Line)| a.0 != b.0 || a.1.iter().zip(&b.1).any(|(a, b)| (a - b).abs() > TOLERANCE);
        if let Some((a, b)) = model.iter().zip(&real).find(|pair| differs(pair)) {
            self.differ("the tables", &format!("{a:?}"), &format!("{b:?}"), seed);
        }
        if model.len() != real.len() {
            let more = model.iter().chain(&real).nth(model.len().min(real.len()));
            self.differ("the tables", &model.len().to_string(), &format!("{} rows; {more:?}", real.len()), seed);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_of_the_database_answers_as_postgresql_does() {
    let is_free = torture::is_long() || std::env::var_os("SCRUTINEER_SEED").is_some();
    let seed = if is_free { torture::seed() } else { 1 };
    let rounds = torture::rounds(25, 3_000) as u64;
    let database = pg::database().await;
    let mut admin = database.admin().await;
    admin.execute("INSERT INTO election (slug, name, state) VALUES ('test', 'Test', 'open')").await.unwrap();
    let store = Store::new(&database.store_options(pg::WORKER, 4)).with_lease_seconds(LEASE_SECONDS);
    let clock = Arc::new(Clock::default());
    let roster = || Loaded { roster: Roster { version: 1, books: Vec::new() }, unreadable: Vec::new(), left_out: 0 };
    let net = Net::new(Dice::new(seed));
    net.at_once();
    let model = async |clock: &Arc<Clock>| {
        let db = Db::new(World::simulated(Arc::clone(clock) as Arc<dyn Outside>), Dice::new(seed));
        let handle = Handle::new(&db, &net, "worker 0", Arc::new(roster), LEASE_SECONDS);
        (Side::new(handle).await, db)
    };
    let (first, db) = model(&clock).await;
    let mut pair = Pair { model: first, real: Side::new(store).await, db, clock, trace: Vec::new() };
    let mut done = 0;
    for round in 0..rounds {
        let seed = seed.wrapping_add(round);
        let dice = Dice::new(seed);
        for _ in 0..OPERATIONS {
            let at = dice.below(2);
            let is_alone = pair.model.open.iter().all(Option::is_none);
            if pair.model.open[at].is_some() {
                if dice.below(6) > 0 {
                    pair.step(at, &dice, seed).await;
                } else {
                    pair.end(at, dice.below(3) > 0, seed).await;
                }
            } else if dice.once_in(2) {
                pair.model.begin(at);
                pair.real.begin(at);
            } else if is_alone && dice.once_in(4) {
                pair.age(&mut admin, *dice.pick(&[120, 220])).await;
            } else {
                // Those that wait for nobody's rows, while somebody may hold some.
                let what = dice.below(if is_alone { 7 } else { 3 });
                let same = dice.bits();
                pair.trace.push(format!("alone: {what}"));
                let model = pair.model.alone(what, &Dice::new(same)).await;
                let real = pair.real.alone(what, &Dice::new(same)).await;
                pair.trace.push(format!("  {model}"));
                pair.same("alone", &model, &real, seed);
            }
            done += 1;
        }
        for at in 0..2 {
            pair.end(at, dice.once_in(2), seed).await;
        }
        pair.compare_tables(&mut admin, seed).await;
        admin
            .execute(
                "TRUNCATE message, submission, revision, segment_set, segment, segment_done, watermark, set_aside, outbox,
                     outbox_segment, early_receipt, early_result, sender, phone, spool, confirmed, auth_attempt CASCADE",
            )
            .await
            .unwrap();
        let clock = Arc::clone(&pair.clock);
        clock.0.store(0, Ordering::Relaxed);
        (pair.model, pair.db) = model(&clock).await;
        pair.real.begin_anew().await;
        pair.trace.clear();
    }
    torture::figure(
        "the simulation's model of the database beside PostgreSQL",
        &format!("{done} operations in {rounds} sequences | every answer and every row compared | no difference"),
    );
}
