//! The pure decision behind a wall: a panic in it costs one message, not the batch.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;

use super::decide::{self, Books, Decision, Incoming, PresentStates, Replies, Understanding};

/// What a text means; an error says that the decision itself broke.
pub fn understand(incoming: &Incoming<'_>, books: &Books) -> Result<Understanding, String> {
    guarded(|| decide::understand(incoming, books))
}

/// What it changes and what is answered. `present` is brought up to date, and is as it was when the
/// decision broke.
pub fn settle(
    understanding: &Understanding,
    present: &mut PresentStates,
    replies: &Replies,
) -> Result<Decision, String> {
    let before: Vec<_> = understanding.known.iter().map(|k| (k.key.clone(), present.get(&k.key).cloned())).collect();
    let decided = guarded(|| decide::settle(understanding, present, replies));
    if decided.is_err() {
        for (key, state) in before.into_iter().rev() {
            match state {
                Some(state) => present.insert(key, state),
                None => present.remove(&key),
            };
        }
    }
    decided
}

/// What a sender is told whose message is set aside; nothing where even that breaks.
pub fn notice(incoming: &Incoming<'_>, books: &Books, replies: &Replies) -> Option<String> {
    guarded(|| decide::notice(incoming, books, replies)).ok().flatten()
}

fn guarded<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| format!("panic while deciding: {}", said(panic.as_ref())))
}

/// Work that must not take more with it than the record that it is about.
pub fn contained<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).map_err(|panic| format!("panic: {}", said(panic.as_ref())))
}

/// [`contained`] for work that waits: it is dropped where it panics, with the connection that it holds.
pub async fn contained_async<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|panic| format!("panic: {}", said(panic.as_ref())))
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_the_reason_why_one_message_is_set_aside() {
        let broken: Result<(), String> = guarded(|| panic!("index {} of 3", 7));
        assert_eq!(broken.unwrap_err(), "panic while deciding: index 7 of 3");
        assert_eq!(guarded(|| 5), Ok(5));
    }

    #[tokio::test]
    async fn work_that_panics_after_it_waited_is_contained_too() {
        let broken: Result<(), String> = contained_async(async {
            tokio::task::yield_now().await;
            panic!("half way")
        })
        .await;
        assert_eq!(broken.unwrap_err(), "panic: half way");
        assert_eq!(contained_async(async { 5 }).await, Ok(5));
        assert_eq!(contained(|| 5), Ok(5));
    }
}
