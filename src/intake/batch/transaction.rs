//! What is one transaction: the records of a batch, or texts whose parts did not all come in time.

use super::*;

/// One try in a transaction of its own.
pub async fn attempt<L: Ledger>(
    session: &Session<L>,
    lane: i16,
    items: &[Item],
    how: How<'_>,
) -> Result<Done, Trouble> {
    let phones = if how.bare { HashMap::new() } else { phone_ids(session, items).await? };
    let sequences: Vec<u64> = items.iter().map(|i| i.record.sequence).collect();
    let through = session.tracker.lock().unwrap_or_else(PoisonError::into_inner).through_with(&sequences);
    let mut work = Work::new(session, (session.spool_id, session.spool), items, how, phones);
    (work.place.lane, work.place.through) = (lane, Some(through.cast_signed()));
    let result = session.store.transact(session.store.deadline(), Batch(&mut work)).await;
    work.conclude(result)
}

/// Processes texts whose parts did not all come in time, and removes their sets. Returns how many.
pub async fn finish_incomplete<L: Ledger>(
    session: &Session<L>,
    wait_seconds: i32,
    limit: i64,
    how: How<'_>,
) -> Result<(Done, usize), Trouble> {
    let mut work = Work::new(session, (session.spool_id, session.spool), &[], how, HashMap::new());
    let mut count = 0;
    let incomplete = Incomplete { work: &mut work, wait_seconds, limit, count: &mut count };
    let result = session.store.transact(session.store.deadline(), incomplete).await;
    Ok((work.conclude(result)?, count))
}

/// The records of a batch, in one transaction.
struct Batch<'w, 'a, L>(&'w mut Work<'a, L>);

impl<L: Ledger> Transaction<L::Tx> for Batch<'_, '_, L> {
    type Output = ();

    async fn run(self, tx: &mut L::Tx) -> Result<(), StoreError> {
        self.0.run(tx).await
    }
}

/// Texts whose time is up, in one transaction.
struct Incomplete<'w, 'a, L> {
    work: &'w mut Work<'a, L>,
    wait_seconds: i32,
    limit: i64,
    /// How many there were.
    count: &'w mut usize,
}

impl<L: Ledger> Transaction<L::Tx> for Incomplete<'_, '_, L> {
    type Output = ();

    async fn run(self, tx: &mut L::Tx) -> Result<(), StoreError> {
        let (found, gathered) = self.work.expired(tx, self.wait_seconds, self.limit).await?;
        *self.count = found;
        if found > 0 { self.work.judge_and_write(tx, gathered, &[]).await } else { Ok(()) }
    }
}

/// Keys of the phones in these items. Unknown phones of messages get a row; a receipt's needs none, as no text
/// of ours can have gone there.
pub(super) async fn phone_ids<L: Ledger>(
    session: &Session<L>,
    items: &[Item],
) -> Result<HashMap<String, i64>, StoreError> {
    let mut known: HashMap<String, i64> = HashMap::new();
    let (mut senders, mut receipted) = (BTreeSet::new(), BTreeSet::new());
    for item in items {
        let (phone, wanted) = match &item.kind {
            Kind::Sms(sms) => (&sms.phone, &mut senders),
            Kind::Receipt { phone, .. } => (phone, &mut receipted),
            _ => continue,
        };
        if known.contains_key(phone) {
            continue;
        }
        match session.phones.get(phone) {
            Some(id) => {
                known.insert(phone.clone(), id);
            }
            None => {
                wanted.insert(phone.clone());
            }
        }
    }
    let mut found = Vec::new();
    if !senders.is_empty() {
        let numbers: Vec<String> = senders.iter().cloned().collect();
        found = session.store.phone_ids(&numbers).await?;
    }
    let numbers: Vec<String> = receipted.difference(&senders).cloned().collect();
    if !numbers.is_empty() {
        found.extend(session.store.known_phone_ids(&numbers).await?);
    }
    for (number, id) in found {
        session.phones.put(&number, id);
        known.insert(number, id);
    }
    Ok(known)
}
