//! Keeps idle connections alive, so that no router on the way forgets them, and finds the dead before
//! somebody needs them. Where there are several hosts it also asks whether another one took over.
//!
//! The connections are looked at side by side, each for a moment: one that hangs holds no other.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tracing::{debug, info};

use super::pool::Pool;
use crate::limits::DATABASE_KEEPALIVE_SECONDS;

/// After trouble idle connections are looked at at once, but not more often than this.
const REST: Duration = Duration::from_millis(250);

/// Runs until the pool is closed or gone.
pub(super) async fn keep(pool: Weak<Pool>) {
    let every = Duration::from_secs(DATABASE_KEEPALIVE_SECONDS);
    let mut due = tokio::time::Instant::now() + every;
    loop {
        let troubled = match pool.upgrade() {
            // The wait must not keep the pool: a short turn, and a look whether it is still there.
            Some(pool) if !pool.is_closed() => {
                let turn = due.min(tokio::time::Instant::now() + Duration::from_secs(1));
                tokio::select! {
                    () = pool.suspicion.notified() => true,
                    () = tokio::time::sleep_until(turn) => false,
                }
            }
            _ => return,
        };
        if !troubled && tokio::time::Instant::now() < due {
            continue;
        }
        let Some(pool) = pool.upgrade() else { return };
        look(&pool, if troubled { Duration::ZERO } else { every / 2 }).await;
        drop(pool);
        due = tokio::time::Instant::now() + every;
        if troubled {
            tokio::time::sleep(REST).await;
        }
    }
}

async fn look(pool: &Arc<Pool>, idle_for: Duration) {
    let (dead, ()) = tokio::join!(pool.ping_idle(idle_for), pool.look_for_newer());
    if dead > 0 {
        info!(connections = dead, "idle database connections were dead; they are made anew when needed");
    } else {
        debug!("idle database connections answer");
    }
}
