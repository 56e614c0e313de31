//! From a batch's records to texts: single ones, and those whose parts are in the batch, in the
//! database, or in both.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::item::{Item, PartOf, clean};
use super::reassemble::{Fit, Whole, fit, join, single};
use crate::domain::order::{OrderKey, RecordKey};
use crate::domain::phone;
use crate::handoff::message::{Body, Mobile, Record};
use crate::store::segment::{DonePart, Part, SetKey};
use crate::store::{StoreError, Tx};

/// The record that stands for a text.
#[derive(Debug, Clone)]
pub enum Stands {
    /// One of the batch, by its place there.
    Item(usize),
    /// One that was stored earlier: its row becomes the whole text's.
    Stored {
        /// Key in `spool`.
        spool_id: i32,
        /// The record.
        record: Box<Record>,
    },
}

/// A text to understand.
#[derive(Debug)]
pub struct Text {
    /// Whose row it gets.
    pub stands: Stands,
    /// That record's place in the order of receipt.
    pub order: OrderKey,
    /// Place of the first of its parts that came: the reply's key is made of it, so that it is the same
    /// whichever part makes the text whole, should a database that lost its last commits make that another one.
    pub first: OrderKey,
    /// What there is of it.
    pub whole: Whole,
    /// Sender, normalised.
    pub phone: String,
    /// Sender as the SMSC gave it, and its type of number.
    pub sender: (String, u8),
    /// Our number.
    pub destination: String,
    /// Group of the link.
    pub group: String,
    /// The link.
    pub link: String,
    /// Other parts, of the batch.
    pub parts: Vec<usize>,
    /// Other parts, stored earlier.
    pub stored_parts: Vec<StoredPart>,
    /// Its parts, to know copies that come later.
    pub done: Vec<DonePart>,
}

/// A part that was stored earlier.
#[derive(Debug, Clone)]
pub struct StoredPart {
    /// Key in `spool`.
    pub spool_id: i32,
    /// The record.
    pub record: Box<Record>,
}

/// What is made of a batch's messages.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Texts, in the order of receipt.
    pub texts: Vec<Text>,
    /// Keys of texts that came whole in this batch: nothing may be kept of them.
    pub whole_here: Vec<SetKey>,
    /// Parts to keep.
    pub keep: Vec<Part>,
    /// Sets that are done with.
    pub remove: Vec<i64>,
    /// Sets whose reference was used anew.
    pub restart: Vec<i64>,
}

/// A part of a set under way.
#[derive(Debug, Clone)]
enum Source {
    Item(usize),
    Stored { spool_id: i32, spool: Uuid, record: Box<Record> },
}

/// Texts of these items (all of them messages). `trust_batch`: take texts that came whole in the batch
/// without a look at the database; the caller checks [`Gathered::whole_here`] later.
pub async fn gather<T: Tx>(
    tx: &mut T,
    items: &[Item],
    chosen: &[usize],
    trust_batch: bool,
    own_spool: (i32, Uuid),
) -> Result<Gathered, StoreError> {
    let mut gathered = Gathered::default();
    let mut sets: BTreeMap<&SetKey, Vec<(usize, &PartOf)>> = BTreeMap::new();
    for &at in chosen {
        let Some((sms, mobile)) = items.get(at).and_then(Item::sms) else { continue };
        match &sms.part {
            None => gathered.texts.push(text(items, Source::Item(at), single(mobile))),
            Some(part) => sets.entry(&part.set).or_default().push((at, part)),
        }
    }
    let mut open: Vec<(&SetKey, Vec<(usize, &PartOf)>)> = Vec::new();
    for (key, parts) in sets {
        let distinct: BTreeSet<i16> = parts.iter().map(|(_, p)| p.part).collect();
        if trust_batch && parts.len() == distinct.len() && distinct.len() == usize::try_from(key.total).unwrap_or(0) {
            let mut set = Set::default();
            for (at, part) in parts {
                set.take(items, key, part.part, Source::Item(at), &mut gathered);
            }
            gathered.whole_here.push(key.clone());
        } else {
            open.push((key, parts));
        }
    }
    if !open.is_empty() {
        from_database(tx, items, open, own_spool, &mut gathered).await?;
    }
    gathered.texts.sort_by_key(|t| t.order);
    Ok(gathered)
}

async fn from_database<T: Tx>(
    tx: &mut T,
    items: &[Item],
    open: Vec<(&SetKey, Vec<(usize, &PartOf)>)>,
    own_spool: (i32, Uuid),
    gathered: &mut Gathered,
) -> Result<(), StoreError> {
    let keys: Vec<SetKey> = open.iter().map(|(key, _)| (*key).clone()).collect();
    let ids = tx.lock_sets(&keys).await?;
    let mut stored: HashMap<i64, Vec<Part>> = HashMap::new();
    for part in tx.parts(&ids).await? {
        stored.entry(part.set_id).or_default().push(part);
    }
    let mut earlier = earlier(tx, &keys).await?;
    for (place, ((key, parts), id)) in open.into_iter().zip(ids).enumerate() {
        let mut set = Set { earlier: earlier.remove(&place).unwrap_or_default(), ..Set::default() };
        for part in stored.remove(&id).unwrap_or_default() {
            set.present.insert(part.part, source(part)?);
        }
        for (at, part) in parts {
            set.take(items, key, part.part, Source::Item(at), gathered);
        }
        if set.present.is_empty() {
            gathered.remove.push(id);
            continue;
        }
        if set.begun_anew {
            gathered.restart.push(id);
        }
        for (number, source) in set.present {
            if let Source::Item(at) = source
                && let Some(item) = items.get(at)
            {
                gathered.keep.push(Part {
                    set_id: id,
                    part: number,
                    spool_id: own_spool.0,
                    spool: own_spool.1,
                    sequence: item.record.sequence.cast_signed(),
                    received_at: item.at,
                    record: item.encoded(),
                });
            }
        }
    }
    Ok(())
}

/// Parts that were processed lately, by number and content, of the texts with these (sorted) keys, by their places.
pub async fn earlier<T: Tx>(tx: &mut T, keys: &[SetKey]) -> Result<HashMap<usize, Earlier>, StoreError> {
    let mut earlier: HashMap<usize, Earlier> = HashMap::new();
    for (place, part, content) in tx.done_parts(keys).await? {
        earlier.entry(place).or_default().insert((part, content));
    }
    Ok(earlier)
}

/// The text of a set whose time is up, as far as it came; `None` where all of it are copies, kept while another
/// host processed the text.
pub fn incomplete(key: &SetKey, parts: Vec<Part>, earlier: &Earlier) -> Result<Option<Text>, StoreError> {
    let mut set = Set::default();
    for part in parts {
        let (number, source) = (part.part, source(part)?);
        let is_copy = |mobile: &Mobile| earlier.contains(&(number, content(mobile).to_vec()));
        if !mobile_of(&[], &source).is_some_and(is_copy) {
            set.present.insert(number, source);
        }
    }
    Ok(set.finish(&[], key))
}

fn source(part: Part) -> Result<Source, StoreError> {
    let record =
        postcard::from_bytes(&part.record).map_err(|e| StoreError::Unreadable(format!("a waiting part: {e}")))?;
    Ok(Source::Stored { spool_id: part.spool_id, spool: part.spool, record: Box::new(record) })
}

/// Parts of one text, by number and content.
pub type Earlier = HashSet<(i16, Vec<u8>)>;

#[derive(Debug, Default)]
struct Set {
    present: BTreeMap<i16, Source>,
    begun_anew: bool,
    /// Parts that were processed lately.
    earlier: Earlier,
}

impl Set {
    fn take(&mut self, items: &[Item], key: &SetKey, number: i16, new: Source, gathered: &mut Gathered) {
        let Source::Item(at) = new else { return };
        let Some((_, mobile)) = items.get(at).and_then(Item::sms) else { return };
        if !self.earlier.is_empty() && self.earlier.contains(&(number, content(mobile).to_vec())) {
            return;
        }
        let there = self.present.get(&number).and_then(|s| mobile_of(items, s));
        match fit(there, mobile) {
            Fit::Again => return,
            Fit::New => {}
            Fit::NewSet => {
                gathered.texts.extend(self.finish(items, key));
                self.begun_anew = true;
            }
        }
        self.present.insert(number, new);
        if self.present.len() == usize::try_from(key.total).unwrap_or(usize::MAX) {
            gathered.texts.extend(self.finish(items, key));
            self.begun_anew = true;
        }
    }

    /// The text of what is present, which is then present no more.
    fn finish(&mut self, items: &[Item], key: &SetKey) -> Option<Text> {
        let present = std::mem::take(&mut self.present);
        let mobiles: BTreeMap<i16, &Mobile> =
            present.iter().filter_map(|(n, s)| mobile_of(items, s).map(|m| (*n, m))).collect();
        let whole = join(&mobiles, key.total);
        // The one received last stands for the whole, of those in this batch if there are any: its row is
        // yet to be written.
        let (number, last) = present
            .iter()
            .max_by_key(|(_, s)| (matches!(s, Source::Item(_)), order_of(items, s)))
            .map(|(n, s)| (*n, s.clone()))?;
        let first = present.values().next().and_then(|s| order_of(items, s));
        let mut text = text(items, last, whole);
        text.first = first.unwrap_or(text.order);
        text.done = mobiles
            .iter()
            .map(|(part, mobile)| DonePart { key: key.clone(), part: *part, content: content(mobile) })
            .collect();
        self.earlier.extend(text.done.iter().map(|done| (done.part, done.content.to_vec())));
        for (n, source) in present {
            match source {
                _ if n == number => {}
                Source::Item(at) => text.parts.push(at),
                Source::Stored { spool_id, record, .. } => {
                    text.stored_parts.push(StoredPart { spool_id, record });
                }
            }
        }
        Some(text)
    }
}

/// What [`fit`] compares.
fn content(mobile: &Mobile) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update([mobile.data_coding, u8::from(mobile.payload.is_some())]);
    hash.update((mobile.short_message.len() as u64).to_be_bytes());
    hash.update(&mobile.short_message);
    hash.update(mobile.payload.as_deref().unwrap_or_default());
    let mut content = [0; 16];
    for (to, from) in content.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    content
}

fn mobile_of<'a>(items: &'a [Item], source: &'a Source) -> Option<&'a Mobile> {
    match source {
        Source::Item(at) => items.get(*at).and_then(Item::sms).map(|(_, m)| m),
        Source::Stored { record, .. } => match &record.body {
            Body::Message(mobile) => Some(mobile),
            _ => None,
        },
    }
}

fn order_of(items: &[Item], source: &Source) -> Option<OrderKey> {
    match source {
        Source::Item(at) => items.get(*at).map(|i| i.order),
        Source::Stored { spool, record, .. } => Some(OrderKey {
            received_us: record.received_us,
            record: RecordKey { spool: *spool, sequence: record.sequence },
        }),
    }
}

/// A text that one of the items stands for.
pub fn of_item(items: &[Item], at: usize, whole: Whole) -> Text {
    text(items, Source::Item(at), whole)
}

fn text(items: &[Item], source: Source, whole: Whole) -> Text {
    let order = order_of(items, &source)
        .unwrap_or(OrderKey { received_us: 0, record: RecordKey { spool: Uuid::nil(), sequence: 0 } });
    let record = match &source {
        Source::Item(at) => items.get(*at).map(|i| &i.record),
        Source::Stored { record, .. } => Some(&**record),
    };
    let (group, link) = record.map_or(("", ""), |r| (&r.group, &r.link));
    let mobile = mobile_of(items, &source);
    let sender = mobile.map_or("", |m| m.source.as_str());
    Text {
        order,
        first: order,
        whole,
        phone: clean(phone::normalise(sender)),
        sender: (sender.to_owned(), mobile.map_or(0, |m| m.source_ton)),
        destination: clean(mobile.map(|m| m.destination.clone()).unwrap_or_default()),
        group: clean(group.to_owned()),
        link: clean(link.to_owned()),
        parts: Vec::new(),
        done: Vec::new(),
        stored_parts: Vec::new(),
        stands: match source {
            Source::Item(at) => Stands::Item(at),
            Source::Stored { spool_id, record, .. } => Stands::Stored { spool_id, record },
        },
    }
}
