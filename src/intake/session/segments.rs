//! Texts whose parts did not all come in time: processed as far as they came.

use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::super::batch::{How, Session, Trouble, finish_incomplete};
use super::super::judge;
use super::super::lane::{End, after};
use crate::limits::SEGMENT_SETS_SLICE;
use crate::store::Ledger;
use crate::vitals::progress::Work;

/// How much of a text that fails alone is kept.
#[derive(Debug, Clone, Default)]
struct Less {
    why: Option<String>,
    bare: bool,
    mute: bool,
}

impl Less {
    fn how(&self) -> How<'_> {
        How { set_aside: self.why.as_deref(), bare: self.bare, mute: self.mute, ..How::default() }
    }
}

/// Processes them, until the session ends.
pub(super) async fn finish<L: Ledger>(session: Arc<Session<L>>, wait_seconds: u32, work: Arc<Work>) -> Result<(), End> {
    let every =
        Duration::from_millis(u64::from(wait_seconds) * 100).clamp(Duration::from_millis(500), Duration::from_secs(30));
    let wait_seconds = i32::try_from(wait_seconds).unwrap_or(i32::MAX);
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut limit = SEGMENT_SETS_SLICE;
    let mut less = Less::default();
    loop {
        timer.tick().await;
        let _busy = work.begin();
        while one_slice(&session, wait_seconds, &mut limit, &mut less).await? {}
    }
}

/// Some of them, in one transaction. True when there may be more to do at once.
async fn one_slice<L: Ledger>(
    session: &Arc<Session<L>>,
    wait_seconds: i32,
    limit: &mut i64,
    less: &mut Less,
) -> Result<bool, End> {
    let tried = judge::contained_async(finish_incomplete(session, wait_seconds, *limit, less.how())).await;
    match tried.unwrap_or_else(|panic| Err(Trouble::Panic(panic))) {
        Ok((done, count)) => {
            if count > 0 {
                info!(texts = count, "texts that lack segments were processed as far as they came");
            }
            let full = i64::try_from(count) == Ok(*limit);
            after(session, done).await?;
            (*limit, *less) = (SEGMENT_SETS_SLICE, Less::default());
            Ok(full)
        }
        Err(trouble) => {
            if let Some(why) = trouble.about_the_data()
                && let Some(next) = next(less, *limit, why)
            {
                (*limit, *less) = (1, next);
                return Ok(true);
            }
            match trouble {
                Trouble::Panic(panic) => Err(End::Internal(panic)),
                Trouble::Store(error) if error.is_race() => Ok(false),
                Trouble::Store(error) if error.is_momentary() => {
                    session.health.trouble(&error);
                    session.in_flight.say_unclear();
                    if error.is_too_slow() {
                        *limit = (*limit / 2).max(1);
                    }
                    Ok(false)
                }
                Trouble::Store(error) => Err(error.into()),
                Trouble::Roster { seen } => {
                    session.roster.reload(&session.store, Some(seen)).await?;
                    Ok(true)
                }
                Trouble::Lost => Ok(false),
            }
        }
    }
}

/// What to try after a refusal: one alone, then to set that aside with less and less. `None`: nothing less.
fn next(less: &Less, limit: i64, why: String) -> Option<Less> {
    match (&less.why, limit) {
        (None, 1) => Some(Less { why: Some(why), ..Less::default() }),
        (None, _) => Some(Less::default()),
        (Some(_), _) => less.how().less().map(|how| Less { why: less.why.clone(), bare: how.bare, mute: how.mute }),
    }
}
