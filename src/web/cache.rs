//! Figures that many people ask for at once are computed once and shown again for a few seconds.
//!
//! Invariants: at most `entries_max` values are held, the oldest gives way; one value is computed
//! by one request at a time, the others wait for it (each within its own request's deadline).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::WEB_CACHE_SECONDS;

type Slot<V> = Arc<tokio::sync::Mutex<Option<(Instant, Arc<V>)>>>;

/// A bounded set of computed values.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    name: &'static str,
    entries_max: usize,
    age: Duration,
    slots: Mutex<HashMap<K, (Instant, Slot<V>)>>,
}

impl<K: Eq + Hash + Clone, V> Cache<K, V> {
    /// An empty one; `name` is for metrics.
    pub(super) fn new(name: &'static str, entries_max: usize) -> Self {
        Self { name, entries_max, age: Duration::from_secs(WEB_CACHE_SECONDS), slots: Mutex::default() }
    }

    /// With another age up to which values are shown again, seconds.
    pub(super) fn keeping(self, seconds: u64) -> Self {
        Self { age: Duration::from_secs(seconds), ..self }
    }

    /// The value, computed when there is none that is fresh. An error is not kept.
    pub(super) async fn get<E>(&self, key: K, compute: impl Future<Output = Result<V, E>>) -> Result<Arc<V>, E> {
        let slot = self.slot(key);
        let mut held = slot.lock().await;
        if let Some((at, value)) = held.as_ref()
            && at.elapsed() < self.age
        {
            metrics::counter!("scrutineer_web_cache_total", "cache" => self.name, "found" => "yes").increment(1);
            return Ok(value.clone());
        }
        metrics::counter!("scrutineer_web_cache_total", "cache" => self.name, "found" => "no").increment(1);
        let value = Arc::new(compute.await?);
        *held = Some((Instant::now(), value.clone()));
        Ok(value)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn slot(&self, key: K) -> Slot<V> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots.contains_key(&key)
            && slots.len() >= self.entries_max
            && let Some(oldest) = slots.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone())
        {
            slots.remove(&oldest);
        }
        let entry = slots.entry(key).or_insert_with(|| (Instant::now(), Slot::default()));
        entry.0 = Instant::now();
        entry.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn many_who_ask_at_once_cause_one_computation() {
        let cache = Arc::new(Cache::new("test", 4));
        let computed = Arc::new(AtomicUsize::new(0));
        let asks: Vec<_> = (0..20)
            .map(|_| {
                let (cache, computed) = (cache.clone(), computed.clone());
                tokio::spawn(async move {
                    cache
                        .get(1, async {
                            tokio::task::yield_now().await;
                            Ok::<_, ()>(computed.fetch_add(1, Ordering::SeqCst))
                        })
                        .await
                })
            })
            .collect();
        for ask in asks {
            assert_eq!(*ask.await.unwrap().unwrap(), 0);
        }
        assert_eq!(computed.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn no_more_values_are_held_than_the_bound_and_the_one_used_longest_ago_goes() {
        let cache = Cache::new("test", 2);
        for key in [1, 2, 1, 3] {
            cache.get(key, async { Ok::<_, ()>(key) }).await.unwrap();
        }
        let slots = cache.slots.lock().unwrap();
        let mut keys: Vec<_> = slots.keys().copied().collect();
        keys.sort_unstable();
        assert_eq!(keys, [1, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn summaries_are_shown_again_for_as_long_as_they_may_be_and_computed_anew_after_it() {
        use crate::limits::SUMMARY_CACHE_SECONDS;
        let (cache, computed) = (Cache::new("test", 2).keeping(SUMMARY_CACHE_SECONDS), AtomicUsize::new(0));
        let get =
            async || *cache.get((), async { Ok::<_, ()>(computed.fetch_add(1, Ordering::SeqCst)) }).await.unwrap();
        assert_eq!(get().await, 0);
        tokio::time::advance(Duration::from_secs(SUMMARY_CACHE_SECONDS - 1)).await;
        assert_eq!(get().await, 0);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(get().await, 1);
    }

    #[tokio::test]
    async fn an_error_is_not_kept() {
        let cache = Cache::new("test", 2);
        assert_eq!(cache.get(1, async { Err::<u8, _>("away") }).await, Err("away"));
        assert_eq!(*cache.get(1, async { Ok::<_, &str>(7) }).await.unwrap(), 7);
    }
}
