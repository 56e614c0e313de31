//! Wrong authentication codes: what is stored of those who sent some, and what a batch adds.

use super::*;
use crate::store::auth::NewAttempt;
use crate::store::instant;

/// What is stored of the phones and observers whose codes this batch looked at; their rows are locked
/// where a code was wrong. Most batches look at none.
pub(super) async fn locks<T: Tx>(
    tx: &mut T,
    understood: &[(Text, Result<Understanding, String>)],
    phones: &HashMap<String, i64>,
) -> Result<Locks, StoreError> {
    let mut of_phones: BTreeMap<i64, bool> = BTreeMap::new();
    let mut of_observers: BTreeMap<i32, bool> = BTreeMap::new();
    for (text, understanding) in understood {
        let phone = phones.get(&text.phone).copied().unwrap_or(0);
        for tried in understanding.iter().flat_map(|u| &u.tried) {
            *of_phones.entry(phone).or_default() |= !tried.right;
            if !tried.own_phone {
                *of_observers.entry(tried.observer).or_default() |= !tried.right;
            }
        }
    }
    if of_phones.is_empty() {
        return Ok(Locks::default());
    }
    let (of_phones, of_observers): (Vec<_>, Vec<_>) =
        (of_phones.into_iter().collect(), of_observers.into_iter().collect());
    let stored = tx.attempts(&of_phones, &of_observers).await?;
    Ok(Locks { phones: stored.phones, observers: stored.observers, ..Locks::default() })
}

/// What the batch adds.
pub(super) fn new(locks: &Locks) -> Vec<NewAttempt> {
    let mut by: BTreeMap<(bool, i64), NewAttempt> = BTreeMap::new();
    let mut of = |is_phone: bool, id: i64, failed_us: Option<i64>, told_us: Option<i64>| {
        let entry = by.entry((is_phone, id));
        let new = entry.or_insert_with(|| NewAttempt { is_phone, id, failed_at: Vec::new(), told_until: None });
        new.failed_at.extend(failed_us.map(instant));
        new.told_until = new.told_until.max(told_us.map(instant));
    };
    for (phone, observer, at_us) in &locks.failed {
        of(true, *phone, Some(*at_us), None);
        if let Some(observer) = observer {
            of(false, i64::from(*observer), Some(*at_us), None);
        }
    }
    for (phone, until_us) in &locks.told {
        of(true, *phone, None, Some(*until_us));
    }
    by.into_values().collect()
}
