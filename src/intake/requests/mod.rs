//! What staff ask for, carried out one by one, a kind a file.
//!
//! Invariant: a request is locked, carried out and closed in one transaction; where its work breaks,
//! it is closed as failed in another one, and nothing else has changed.

mod reread;
mod retry;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tracing::{info, warn};

use super::batch::{Answer, Done, Session, Trouble};
use super::judge;
use super::lane::{End, after};
use crate::limits::BATCH_RACES_MAX;
use crate::store::request::{Closed, Open};
use crate::store::{Ledger, Store};
use crate::vitals::progress::Work;

/// Kinds that this worker knows.
const KINDS: [&str; 2] = [retry::KIND, reread::KIND];
/// How often it is looked whether there are any.
const POLL: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub struct Requests<L = Store> {
    /// What the lanes share.
    pub session: Arc<Session<L>>,
    /// For the watchdog.
    pub work: Arc<Work>,
}

impl<L: Ledger> Requests<L> {
    /// Carries out what is asked, until the session ends.
    pub async fn run(self) -> Result<(), End> {
        let mut timer = tokio::time::interval(POLL);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            match self.all().await {
                // It is asked for until it was carried out.
                Err(End::Database(error)) if error.is_momentary() => self.session.health.trouble(&error),
                other => other?,
            }
        }
    }

    async fn all(&self) -> Result<(), End> {
        let mut after = 0;
        while let Some(request) = self.session.store.next_request(&KINDS, after).await? {
            after = request.id;
            let _busy = self.work.begin();
            self.one(&request).await?;
        }
        Ok(())
    }

    /// Carries one out. What another worker holds, or what loses every race, is left for the next look.
    async fn one(&self, request: &Open) -> Result<(), End> {
        for _ in 0..BATCH_RACES_MAX {
            let tried = judge::contained_async(self.carry_out(request)).await;
            let closed = match tried.unwrap_or_else(|panic| Err(Trouble::Panic(panic))) {
                Ok((done, Answer::Done)) => {
                    info!(request = request.id, kind = request.kind, made_by = request.made_by, "request carried out");
                    return after(&self.session, done).await;
                }
                Ok((_, Answer::Gone)) => return Ok(()),
                Ok((_, Answer::Nothing(how, result))) => (how, result),
                Err(Trouble::Roster { seen }) => {
                    self.session.roster.reload(&self.session.store, Some(seen)).await?;
                    continue;
                }
                Err(Trouble::Lost) => continue,
                Err(Trouble::Store(error)) if error.is_race() => continue,
                Err(trouble) => match (trouble.about_the_data(), trouble) {
                    (Some(error), _) => (Closed::Failed, json!({ "error": error })),
                    (None, Trouble::Store(error)) => return Err(error.into()),
                    (None, _) => continue,
                },
            };
            return self.close(request, closed).await;
        }
        Ok(())
    }

    async fn close(&self, request: &Open, (how, result): (Closed, Value)) -> Result<(), End> {
        if how == Closed::Failed {
            warn!(request = request.id, kind = request.kind, %result, "request failed");
        }
        // Whatever it quotes can be stored.
        let result = serde_json::from_str(&result.to_string().replace("\\u0000", "\u{FFFD}")).unwrap_or(Value::Null);
        self.session.store.close_request(request.id, how, &result).await?;
        Ok(())
    }

    async fn carry_out(&self, request: &Open) -> Result<(Done, Answer), Trouble> {
        match request.kind.as_str() {
            retry::KIND => retry::carry_out(&self.session, request).await,
            reread::KIND => reread::carry_out(&self.session, request).await,
            _ => Ok((Done::default(), Answer::Gone)),
        }
    }
}
