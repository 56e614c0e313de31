//! What is committed, who holds which row, and the faults of the server as a whole.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use scrutineer::store::StoreError;
use scrutineer::store::segment::SetKey;
use scrutineer::world::World;
use tokio::sync::Notify;
use uuid::Uuid;

use super::super::dice::Dice;
use super::refusal::{Failing, REFUSALS, broken, refused};
use super::tables::{DoneKey, RevisionKey, Tables};

/// Commits of which a standby may lack the last.
const HISTORY_MAX: usize = 64;

/// A row that one transaction at a time may change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    Spool(Uuid),
    Watermark(i32, i16),
    Phone(String),
    Message(i32, i64),
    Set(SetKey),
    Submission(i32, Uuid),
    Revision(RevisionKey),
    Aside(i32, i64),
    Reply(Uuid),
    Early(String, String),
    Done(DoneKey),
    Sender(i64),
    EarlyResult(Uuid),
    /// A part of a reply, by its place.
    Part(Uuid, i16),
    Confirmed(i32, String),
    /// An advisory lock on a phone.
    PhoneElsewhere(i64),
    Attempts(bool, i64),
}

/// What is done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Inserted, changed or removed.
    Changed,
    /// Locked alone.
    Locked,
    /// Found to be there by an insert that then does nothing, once nobody changes it.
    Passed,
}

/// A change, done when it is asked for on what the transaction sees, and once more when it commits.
pub type Write = Box<dyn Fn(&mut Tables) + Send + Sync>;

/// An open transaction.
#[derive(Default)]
pub struct Open {
    writes: Vec<Write>,
    /// What it sees, as of a version of what is committed, once it has changed something.
    view: Option<(u64, Tables)>,
    waits_for: Option<Lock>,
}

/// The server.
pub struct Inner {
    committed: Tables,
    version: u64,
    /// What was committed before the history...
    base: Tables,
    /// ... which is, the oldest first, each commit's changes, and the identities before them.
    history: VecDeque<(Vec<Write>, [i64; 3])>,
    /// Who holds which row, and whether it changed it: one that is locked alone keeps no insert waiting.
    locks: BTreeMap<Lock, (u64, bool)>,
    open: BTreeMap<u64, Open>,
    last_tx: u64,
    /// Given identities of spools, phones and sets.
    identities: [i64; 3],
    /// Changes when the server restarts or another takes over.
    epoch: u64,
    up: bool,
    /// Commits that were lost to failovers so far.
    pub lost: u64,
    /// Leases that were settled as they ran out.
    pub lapsed: u64,
    /// Texts of unknown outcome that a receipt settled, as nothing else was meant.
    pub settled: u64,
    /// Each statement takes up to so many milliseconds more.
    slow_ms: u64,
    failing: Failing,
}

/// See the module. Clones are one server.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Mutex<Inner>>,
    freed: Arc<Notify>,
    pub world: World,
    pub dice: Dice,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Db")
    }
}

impl Db {
    pub fn new(world: World, dice: Dice) -> Self {
        let inner = Inner {
            committed: Tables::default(),
            base: Tables::default(),
            version: 1,
            history: VecDeque::new(),
            locks: BTreeMap::new(),
            open: BTreeMap::new(),
            last_tx: 0,
            identities: [0; 3],
            epoch: 1,
            up: true,
            lost: 0,
            lapsed: 0,
            settled: 0,
            slow_ms: 0,
            failing: Failing::default(),
        };
        Self { inner: Arc::new(Mutex::new(inner)), freed: Arc::default(), world, dice }
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// What is committed.
    pub fn tables(&self) -> Tables {
        self.lock().committed.clone()
    }

    pub fn epoch(&self) -> u64 {
        self.lock().epoch
    }

    pub fn is_up(&self) -> bool {
        self.lock().up
    }

    /// The server goes away: what was open is rolled back.
    pub fn down(&self) {
        let mut inner = self.lock();
        inner.up = false;
        inner.epoch += 1;
        inner.open.clear();
        inner.locks.clear();
        drop(inner);
        self.freed.notify_waiters();
    }

    pub fn up(&self) {
        self.lock().up = true;
    }

    /// Another server takes over, which lacks the last commits.
    pub fn fail_over(&self, lacks: usize) -> usize {
        self.down();
        let mut inner = self.lock();
        let mut gone = 0;
        while gone < lacks
            && let Some((_, identities)) = inner.history.pop_back()
        {
            inner.identities = identities;
            gone += 1;
        }
        if gone > 0 {
            let mut left = inner.base.clone();
            inner.history.iter().flat_map(|(writes, _)| writes).for_each(|write| write(&mut left));
            inner.committed = left;
        }
        inner.version += 1;
        inner.lost += gone as u64;
        inner.up = true;
        gone
    }

    pub fn slow(&self, ms: u64) {
        self.lock().slow_ms = ms;
    }

    pub fn fail(&self, failing: Failing) {
        self.lock().failing = failing;
    }

    /// With what this statement is refused, if it is.
    pub fn refusal(&self) -> Option<StoreError> {
        let often = self.lock().failing.statements;
        (often > 0 && self.dice.below(1_000) < often).then(|| {
            let (code, message) = *self.dice.pick(&REFUSALS);
            refused(code, message)
        })
    }

    /// Is the answer to this commit lost?
    pub fn swallows_an_answer(&self) -> bool {
        let often = self.lock().failing.commits;
        often > 0 && self.dice.below(1_000) < often
    }

    pub fn slowness(&self) -> u64 {
        self.lock().slow_ms
    }

    /// The next identity: 0 spools, 1 phones, 2 sets.
    pub fn identity(&self, of: usize) -> i64 {
        let mut inner = self.lock();
        inner.identities[of] += 1;
        inner.identities[of]
    }

    pub fn begin(&self) -> u64 {
        let mut inner = self.lock();
        inner.last_tx += 1;
        let id = inner.last_tx;
        inner.open.insert(id, Open::default());
        id
    }

    /// Looks at what a transaction sees now: what is committed, and what it changed itself.
    pub fn see<T>(&self, tx: u64, look: impl FnOnce(&Tables) -> T) -> Result<T, StoreError> {
        let mut inner = self.lock();
        let Inner { committed, version, open, .. } = &mut *inner;
        let open = open.get_mut(&tx).ok_or_else(broken)?;
        if open.writes.is_empty() {
            return Ok(look(committed));
        }
        if open.view.as_ref().is_none_or(|(of, _)| of != version) {
            let mut view = committed.clone();
            open.writes.iter().for_each(|write| write(&mut view));
            open.view = Some((*version, view));
        }
        open.view.as_ref().map(|(_, view)| look(view)).ok_or_else(broken)
    }

    pub fn write(&self, tx: u64, write: Write) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let Inner { version, open, .. } = &mut *inner;
        let open = open.get_mut(&tx).ok_or_else(broken)?;
        // One that is of an older version is made anew when it is looked at.
        if let Some((of, view)) = &mut open.view
            && of == version
        {
            write(view);
        }
        open.writes.push(write);
        Ok(())
    }

    /// Is the row another one's?
    pub fn is_held(&self, tx: u64, lock: &Lock) -> bool {
        self.lock().locks.get(lock).is_some_and(|(of, _)| *of != tx)
    }

    /// Takes rows, one after the other, waiting for whoever has them. Returns those that it did not have.
    pub async fn hold(&self, tx: u64, locks: Vec<Lock>, how: How) -> Result<Vec<Lock>, StoreError> {
        let mut new = Vec::new();
        for lock in locks {
            let had = self.lock().locks.get(&lock).is_some_and(|(of, _)| *of == tx);
            loop {
                let mut freed = std::pin::pin!(self.freed.notified());
                freed.as_mut().enable();
                if self.try_hold(tx, &lock, how)? {
                    break;
                }
                freed.await;
            }
            if !had && how != How::Passed {
                new.push(lock);
            }
        }
        Ok(new)
    }

    /// Leaves rows that turned out not to be what was looked for.
    pub fn leave(&self, tx: u64, locks: &[Lock]) {
        let mut inner = self.lock();
        for lock in locks {
            if inner.locks.get(lock).is_some_and(|(of, _)| *of == tx) {
                inner.locks.remove(lock);
            }
        }
        drop(inner);
        self.freed.notify_waiters();
    }

    /// Keeps rows that turned out not to be what was looked for, unchanged.
    pub fn keep_unchanged(&self, tx: u64, locks: &[Lock]) {
        let mut inner = self.lock();
        for lock in locks {
            if let Some((of, changed)) = inner.locks.get_mut(lock)
                && *of == tx
            {
                *changed = false;
            }
        }
        drop(inner);
        self.freed.notify_waiters();
    }

    fn try_hold(&self, tx: u64, lock: &Lock, how: How) -> Result<bool, StoreError> {
        let mut inner = self.lock();
        if !inner.open.contains_key(&tx) {
            return Err(broken());
        }
        let holder = match (inner.locks.get_mut(lock), how) {
            (Some((holder, changed)), _) if *holder == tx => {
                *changed |= how == How::Changed;
                tx
            }
            (Some((_, false)), How::Passed) | (None, How::Passed) => tx,
            (Some((holder, _)), _) => *holder,
            (None, _) => {
                inner.locks.insert(lock.clone(), (tx, how == How::Changed));
                tx
            }
        };
        if holder == tx {
            inner.open.entry(tx).and_modify(|open| open.waits_for = None);
            return Ok(true);
        }
        // Whoever closes a circle is refused.
        let mut at = holder;
        while let Some((next, _)) =
            inner.open.get(&at).and_then(|o| o.waits_for.as_ref()).and_then(|l| inner.locks.get(l))
        {
            if *next == tx {
                return Err(refused("40P01", "deadlock detected"));
            }
            at = *next;
        }
        inner.open.entry(tx).and_modify(|open| open.waits_for = Some(lock.clone()));
        Ok(false)
    }

    /// Ends a transaction.
    pub fn end(&self, tx: u64, commit: bool) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let open = inner.open.remove(&tx).ok_or_else(broken)?;
        inner.locks.retain(|_, (of, _)| *of != tx);
        if commit && !open.writes.is_empty() {
            open.writes.iter().for_each(|write| write(&mut inner.committed));
            let identities = inner.identities;
            inner.history.push_back((open.writes, identities));
            if inner.history.len() > HISTORY_MAX
                && let Some((writes, _)) = inner.history.pop_front()
            {
                writes.iter().for_each(|write| write(&mut inner.base));
            }
            inner.version += 1;
        }
        drop(inner);
        self.freed.notify_waiters();
        Ok(())
    }

    /// Commits that were lost, leases that ran out, and texts that a receipt settled.
    pub fn counts(&self) -> [u64; 3] {
        let inner = self.lock();
        [inner.lost, inner.lapsed, inner.settled]
    }

    /// Does anyone wait for another's row?
    pub fn waits(&self) -> bool {
        self.lock().open.values().any(|open| open.waits_for.is_some())
    }

    /// How many transactions are open.
    pub fn open_transactions(&self) -> usize {
        self.lock().open.len()
    }
}
