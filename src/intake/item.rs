//! A record taken apart as far as it goes without the database: once, however often its batch is tried.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use uuid::Uuid;

use super::judge;
use crate::domain::message_id::MessageIdFormat;
use crate::domain::order::{OrderKey, RecordKey};
use crate::domain::phone;
use crate::handoff::message::{Body, Mobile, Record, SubmitResult};
use crate::outbox::receipt::{self, Receipt};
use crate::outbox::reply_id::{bucket, bucket_of};
use crate::store::instant;
use crate::store::segment::SetKey;
use crate::text::national::Shifts;
use crate::text::udh;

/// A record on its way to the database.
#[derive(Debug)]
pub struct Item {
    /// As handed over.
    pub record: Record,
    /// Bytes of credit that it took.
    pub credit: u32,
    /// When the gateway took it.
    pub at: OffsetDateTime,
    /// Its place in the order of receipt.
    pub order: OrderKey,
    /// What it is.
    pub kind: Kind,
}

/// What a record is to the intake.
#[derive(Debug)]
pub enum Kind {
    /// A text or a part of one.
    Sms(Sms),
    /// A receipt; `None` when it names no message.
    Receipt {
        /// What it says.
        receipt: Option<Receipt>,
        /// The phone it names, normalised.
        phone: String,
    },
    /// A submit's result: stands in the record.
    Result,
    /// Stands in the record.
    Undecodable,
    /// Taking it apart broke, for this reason: a bug of ours, which costs this record alone.
    Broken(String),
    /// The gateway's disk changed or lost it: what is left stands in the record.
    Corrupt,
    /// The gateway saw a record again.
    Redelivery {
        /// Its run.
        run: Uuid,
        /// Its sequence.
        of: u64,
    },
}

/// A message from a phone.
#[derive(Debug)]
pub struct Sms {
    /// The sender, normalised.
    pub phone: String,
    /// Our number, without NUL.
    pub destination: String,
    /// First 16 bytes of SHA-256 over what the record says.
    pub hash: [u8; 16],
    /// Set for a part of a longer text.
    pub part: Option<PartOf>,
}

/// Which part of which text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOf {
    /// The text.
    pub set: SetKey,
    /// 1, 2, 3 …
    pub part: i16,
}

impl Item {
    /// Takes a record apart.
    pub fn new(spool: Uuid, record: Record, credit: u32) -> Self {
        let order =
            OrderKey { received_us: record.received_us, record: RecordKey { spool, sequence: record.sequence } };
        let kind = judge::contained(|| kind(&record)).unwrap_or_else(Kind::Broken);
        Self { at: instant(record.received_us), order, kind, credit, record }
    }

    /// The bucket whose lane it belongs to: what concerns one phone is in one lane.
    pub fn bucket(&self) -> u8 {
        match &self.kind {
            Kind::Sms(sms) => bucket(&sms.phone),
            Kind::Receipt { phone, .. } => bucket(phone),
            Kind::Result => self.result().map_or(0, |(r, _)| bucket_of(r.id)),
            Kind::Undecodable | Kind::Broken(_) | Kind::Corrupt | Kind::Redelivery { .. } => 0,
        }
    }

    /// The message, where it is one.
    pub fn sms(&self) -> Option<(&Sms, &Mobile)> {
        match (&self.kind, &self.record.body) {
            (Kind::Sms(sms), Body::Message(mobile)) => Some((sms, mobile)),
            _ => None,
        }
    }

    /// The submit's result, where it is one, with the text as it went, where that is known.
    pub fn result(&self) -> Option<(&SubmitResult, Option<&str>)> {
        self.record.body.result()
    }

    /// Word for metrics.
    pub fn kind_word(&self) -> &'static str {
        match &self.kind {
            Kind::Sms(_) => "message",
            Kind::Receipt { .. } => "receipt",
            Kind::Result => "submit_result",
            Kind::Undecodable | Kind::Broken(_) => "undecodable",
            Kind::Corrupt => "corrupt",
            Kind::Redelivery { .. } => "redelivery",
        }
    }

    /// A receipt's id is written as that link's SMSC does it.
    pub fn ids_are(&mut self, of: impl FnOnce(&str) -> MessageIdFormat) {
        if let Kind::Receipt { receipt: Some(receipt), .. } = &mut self.kind {
            receipt.ids = of(&self.record.link);
        }
    }

    /// The record as the database keeps it.
    pub fn encoded(&self) -> Vec<u8> {
        postcard::to_stdvec(&self.record).unwrap_or_default()
    }
}

fn kind(record: &Record) -> Kind {
    match &record.body {
        Body::Message(mobile) => Kind::Sms(sms(record, mobile)),
        Body::Receipt(mobile) => {
            Kind::Receipt { receipt: receipt::parse(mobile), phone: clean(phone::normalise(&mobile.source)) }
        }
        Body::SubmitResult(_) | Body::Written { .. } => Kind::Result,
        Body::Undecodable { .. } => Kind::Undecodable,
        Body::Corrupt { .. } => Kind::Corrupt,
        Body::Redelivery { run, of } => Kind::Redelivery { run: *run, of: *of },
    }
}

fn sms(record: &Record, mobile: &Mobile) -> Sms {
    let sender = clean(phone::normalise(&mobile.source));
    let destination = clean(mobile.destination.clone());
    let part = concatenation(mobile).map(|(reference, total, part)| PartOf {
        set: SetKey {
            link_group: clean(record.group.clone()),
            source: sender.clone(),
            destination: destination.clone(),
            reference,
            total,
        },
        part,
    });
    Sms { hash: content_hash(record, mobile), phone: sender, destination, part }
}

/// PostgreSQL's `text` has no place for NUL.
pub(super) fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }
}

/// What stands after the user data header, and the header's concatenation.
pub(super) fn user_data(mobile: &Mobile) -> (Option<udh::Concat>, Vec<&[u8]>) {
    let payload = mobile.payload.as_deref().unwrap_or_default();
    let short = mobile.short_message.as_slice();
    if mobile.esm_class & 0x40 == 0 {
        return (None, vec![short, payload]);
    }
    let (first, second) = if short.is_empty() { (payload, short) } else { (short, payload) };
    let split = udh::split(first);
    (split.concat, vec![split.body, second])
}

/// National tables that the header names.
pub(super) fn shifts(mobile: &Mobile) -> Shifts {
    if mobile.esm_class & 0x40 == 0 {
        return Shifts::default();
    }
    let first =
        if mobile.short_message.is_empty() { mobile.payload.as_deref() } else { Some(&mobile.short_message[..]) };
    udh::split(first.unwrap_or_default()).shifts
}

/// Reference (kinds kept apart), total and part. A "text of one part" is a whole one.
fn concatenation(mobile: &Mobile) -> Option<(i32, i16, i16)> {
    if let (Some(concat), _) = user_data(mobile) {
        let kind = if concat.wide { 0x1_0000 } else { 0 };
        return (concat.total > 1)
            .then(|| (i32::from(concat.reference) + kind, i16::from(concat.total), i16::from(concat.part)));
    }
    let (reference, total, part) = mobile.sar?;
    (total > 1 && part >= 1 && part <= total)
        .then(|| (i32::from(reference) + 0x2_0000, i16::from(total), i16::from(part)))
}

/// A hash over the fields, each with its length: the same in every version of the protocol.
fn content_hash(record: &Record, mobile: &Mobile) -> [u8; 16] {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(&record.received_us.to_be_bytes());
    field(record.link.as_bytes());
    field(mobile.source.as_bytes());
    field(mobile.destination.as_bytes());
    field(&[mobile.esm_class, mobile.data_coding]);
    field(&mobile.short_message);
    if let Some(payload) = &mobile.payload {
        field(payload);
    }
    if let Some((reference, total, part)) = mobile.sar {
        let [high, low] = reference.to_be_bytes();
        field(&[high, low, total, part]);
    }
    let digest = hash.finalize();
    let mut first = [0; 16];
    first.copy_from_slice(&digest[..16]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(body: Body) -> Item {
        let record = Record { sequence: 9, received_us: 5, link: "main".to_owned(), group: "main".to_owned(), body };
        Item::new(Uuid::from_u128(1), record, 0)
    }

    fn part(mobile: Mobile) -> Option<(i32, i16, i16)> {
        item(Body::Message(mobile))
            .sms()
            .and_then(|(s, _)| s.part.clone())
            .map(|p| (p.set.reference, p.set.total, p.part))
    }

    #[test]
    fn references_of_different_kinds_belong_to_different_texts() {
        let udh8 = Mobile { esm_class: 0x40, short_message: vec![5, 0, 3, 7, 2, 1, b'P'], ..Mobile::default() };
        let udh16 = Mobile { esm_class: 0x40, short_message: vec![6, 8, 4, 0, 7, 2, 1, b'P'], ..Mobile::default() };
        let sar = Mobile { sar: Some((7, 2, 1)), short_message: vec![b'P'], ..Mobile::default() };
        let found = [part(udh8).unwrap(), part(udh16).unwrap(), part(sar).unwrap()];
        assert_eq!(found, [(7, 2, 1), (0x1_0007, 2, 1), (0x2_0007, 2, 1)]);
    }

    #[test]
    fn a_text_of_one_part_or_with_an_impossible_part_is_whole() {
        assert_eq!(part(Mobile { sar: Some((7, 1, 1)), ..Mobile::default() }), None);
        assert_eq!(part(Mobile { sar: Some((7, 2, 3)), ..Mobile::default() }), None);
        assert_eq!(part(Mobile { esm_class: 0x40, short_message: vec![5, 0, 3, 7, 1, 1], ..Mobile::default() }), None);
    }

    #[test]
    fn a_message_its_result_and_its_receipt_go_to_one_lane() {
        let mobile = |source: &str| Mobile { source: source.to_owned(), ..Mobile::default() };
        let message = item(Body::Message(mobile("+355691234567")));
        let receipt = item(Body::Receipt(mobile("00355691234567")));
        let id = crate::outbox::reply_id::reply_id(message.order, message.bucket());
        let result = item(Body::SubmitResult(SubmitResult {
            id,
            attempt: 1,
            outcome: crate::handoff::message::SubmitOutcome::Unknown,
        }));
        assert_eq!([message.bucket(); 2], [receipt.bucket(), result.bucket()]);
    }

    #[test]
    fn another_content_has_another_hash() {
        let hash = |text: &[u8]| {
            let m = Mobile { short_message: text.to_vec(), ..Mobile::default() };
            item(Body::Message(m)).sms().unwrap().0.hash
        };
        assert_eq!(hash(b"PS 1"), hash(b"PS 1"));
        assert_ne!(hash(b"PS 1"), hash(b"PS 2"));
    }
}
