//! A look at what goes over the wire of one link, for a limited time: bounded in rate and bytes, passwords
//! never in it, phone numbers and texts only where they are asked for.
//!
//! Invariant: a link never waits for who looks on; what that one does not take is counted, and gone.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::frame;
use super::pdu::{Pdu, ShortMessage};
use super::{CommandId, decode};
use crate::limits::{TRACE_PDU_BYTES_MAX, TRACE_PDUS_PER_SECOND, TRACE_QUEUE_MAX};

/// Which way a PDU went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the SMSC.
    In,
    /// To it.
    Out,
}

impl Direction {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// One PDU that went by.
#[derive(Debug, Clone)]
pub struct Passed {
    /// Microseconds since the epoch.
    pub at_us: i64,
    /// Which way.
    pub direction: Direction,
    /// Its bytes, the first [`TRACE_PDU_BYTES_MAX`] of them.
    pub raw: Bytes,
    /// PDUs before this one that were not shown.
    pub missed: u64,
}

#[derive(Debug)]
struct Watcher {
    queue: mpsc::Sender<Passed>,
    second: Instant,
    shown: u32,
}

/// Where one may look on; on each bind.
#[derive(Debug, Default)]
pub struct Tap {
    open: AtomicBool,
    watcher: Mutex<Option<Watcher>>,
    missed: AtomicU64,
}

impl Tap {
    /// Opens it; who looked on before sees no more. It closes when the receiver is dropped.
    pub fn open(&self) -> mpsc::Receiver<Passed> {
        let (queue, passed) = mpsc::channel(TRACE_QUEUE_MAX);
        let watcher = Watcher { queue, second: Instant::now(), shown: 0 };
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(watcher);
        self.missed.store(0, Ordering::Relaxed);
        self.open.store(true, Ordering::Release);
        passed
    }

    /// Does anyone look on?
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }

    /// A PDU goes by.
    pub(super) fn pass(&self, at_us: i64, direction: Direction, pdu: &[u8]) {
        let mut place = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(watcher) = place.as_mut() else { return };
        if watcher.second.elapsed().as_secs() >= 1 {
            (watcher.second, watcher.shown) = (Instant::now(), 0);
        }
        if watcher.queue.is_closed() {
            self.open.store(false, Ordering::Release);
            *place = None;
            return;
        }
        let raw = Bytes::copy_from_slice(pdu.get(..pdu.len().min(TRACE_PDU_BYTES_MAX)).unwrap_or_default());
        let missed = self.missed.load(Ordering::Relaxed);
        if watcher.shown < TRACE_PDUS_PER_SECOND
            && watcher.queue.try_send(Passed { at_us, direction, raw, missed }).is_ok()
        {
            watcher.shown += 1;
            self.missed.store(0, Ordering::Relaxed);
        } else {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What stands in the place of a byte that is not shown.
const HIDDEN: u8 = b'*';

/// Hides passwords; phone numbers and texts, too, unless `all`. What can't be followed is hidden whole.
pub fn mask(raw: &mut [u8], all: bool) {
    let Some(&[a, b, c, d]) = raw.get(4..8) else { return };
    let id = CommandId::from(u32::from_be_bytes([a, b, c, d]));
    let Some(body) = raw.get_mut(frame::HEADER_BYTES..) else { return };
    let mut walk = Walk { rest: body };
    let followed = match id {
        CommandId::BindTransceiver | CommandId::BindReceiver | CommandId::BindTransmitter | CommandId::Outbind => {
            walk.bind()
        }
        _ if all => Some(()),
        CommandId::DeliverSm | CommandId::SubmitSm => walk.short_message(),
        CommandId::DataSm => walk.data_sm(),
        CommandId::DeliverSmResp
        | CommandId::SubmitSmResp
        | CommandId::DataSmResp
        | CommandId::BindTransceiverResp
        | CommandId::BindReceiverResp
        | CommandId::BindTransmitterResp => walk.response(),
        // Nobody knows what stands in it; where no body is due, there is nothing to hide.
        _ => None,
    };
    if followed.is_none() {
        walk.rest.fill(HIDDEN);
    }
}

/// Walks through a body and hides as it goes; `None` where it can't go on, and the rest is to be hidden.
struct Walk<'a> {
    rest: &'a mut [u8],
}

impl<'a> Walk<'a> {
    fn take(&mut self, n: usize) -> Option<&'a mut [u8]> {
        if n > self.rest.len() {
            return None;
        }
        let (taken, rest) = std::mem::take(&mut self.rest).split_at_mut(n);
        self.rest = rest;
        Some(taken)
    }

    /// A C-string of at most `max` bytes, its NUL included.
    fn string(&mut self, max: usize) -> Option<&'a mut [u8]> {
        let nul = self.rest.iter().take(max).position(|&b| b == 0)?;
        self.take(nul + 1).map(|taken| taken.get_mut(..nul).unwrap_or_default())
    }

    fn address(&mut self, max: usize) -> Option<()> {
        self.take(2)?;
        let number = self.string(max)?;
        // As in logs: the first three and the last two stay. Short codes are no secret.
        let (len, keep) = (number.len(), if number.len() > 6 { 3 } else { number.len() });
        if let Some(hidden) = number.get_mut(keep..len.saturating_sub(2).max(keep)) {
            hidden.fill(HIDDEN);
        }
        Some(())
    }

    fn bind(&mut self) -> Option<()> {
        self.string(16)?;
        // However long it is: aggregators give longer ones than the specification allows.
        self.string(usize::MAX)?.fill(HIDDEN);
        Some(())
    }

    fn short_message(&mut self) -> Option<()> {
        self.string(6)?;
        self.address(21)?;
        self.address(21)?;
        self.take(3)?;
        self.string(17)?;
        self.string(17)?;
        let fixed = self.take(5)?;
        let length = fixed.last().copied().unwrap_or_default();
        self.take(length.into())?.fill(HIDDEN);
        self.tlvs()
    }

    fn data_sm(&mut self) -> Option<()> {
        self.string(6)?;
        self.address(65)?;
        self.address(65)?;
        self.take(3)?;
        self.tlvs()
    }

    /// An id, or nothing; a person may be named in the TLVs behind it.
    fn response(&mut self) -> Option<()> {
        if !self.rest.is_empty() {
            self.string(65)?;
        }
        self.tlvs()
    }

    fn tlvs(&mut self) -> Option<()> {
        while !self.rest.is_empty() {
            let &mut [a, b, c, d] = self.take(4)? else { return None };
            let value = self.take(u16::from_be_bytes([c, d]).into())?;
            // user_message_reference, sc_interface_version, sar_*, receipted_message_id, message_state and
            // network_error_code say nothing of a person. Others may.
            if !matches!(
                u16::from_be_bytes([a, b]),
                0x0204 | 0x020C | 0x020E | 0x020F | 0x0210 | 0x001E | 0x0427 | 0x0423
            ) {
                value.fill(HIDDEN);
            }
        }
        Some(())
    }
}

/// A PDU for people: its name, `command_status`, `sequence_number`, and what it says.
pub fn explain(raw: &[u8]) -> Explained {
    let mut buffer = BytesMut::from(raw);
    let Ok(Some(frame)) = frame::split(&mut buffer) else {
        return Explained { says: format!("the first {} bytes of a longer PDU", raw.len()), ..Explained::default() };
    };
    let says = match decode(&frame) {
        Ok(Pdu::DeliverSm(m) | Pdu::SubmitSm(m) | Pdu::DataSm(m)) => message(&m),
        Ok(Pdu::BindTransceiver(b) | Pdu::BindReceiver(b) | Pdu::BindTransmitter(b)) => format!(
            "system_id {:?} system_type {:?} interface_version {:#04x}",
            b.system_id, b.system_type, b.interface_version
        ),
        Ok(Pdu::BindTransceiverResp(id) | Pdu::BindReceiverResp(id) | Pdu::BindTransmitterResp(id)) => {
            format!("system_id {id:?}")
        }
        Ok(Pdu::SubmitSmResp(id) | Pdu::DataSmResp(id)) => format!("message_id {id:?}"),
        Ok(_) => String::new(),
        Err(error) => format!("cannot be decoded: {error}"),
    };
    Explained { pdu: super::meters::name_of(frame.id), status: frame.status, sequence: frame.sequence, says }
}

/// See [`explain`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Explained {
    /// As the specification writes it.
    pub pdu: String,
    /// `command_status`.
    pub status: u32,
    /// `sequence_number`.
    pub sequence: u32,
    /// The rest.
    pub says: String,
}

fn message(m: &ShortMessage) -> String {
    let text = m.payload.as_ref().unwrap_or(&m.short_message);
    let shown: String = text.iter().flat_map(|&b| std::ascii::escape_default(b)).map(char::from).collect();
    let mut says = format!(
        "from {} ({}/{}) to {} ({}/{}) esm_class {:#04x} data_coding {:#04x} registered_delivery {} text ({} bytes) \"{shown}\"",
        m.source.number,
        m.source.ton,
        m.source.npi,
        m.destination.number,
        m.destination.ton,
        m.destination.npi,
        m.esm_class,
        m.data_coding,
        m.registered_delivery,
        text.len(),
    );
    if let Some((reference, total, part)) = m.sar {
        says.push_str(&format!(" sar {reference} {part}/{total}"));
    }
    if let Some(id) = &m.receipted_message_id {
        says.push_str(&format!(" receipted_message_id {id:?}"));
    }
    if let Some(state) = m.message_state {
        says.push_str(&format!(" message_state {state}"));
    }
    says
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::{Address, Bind, encode};

    fn bytes(pdu: &Pdu) -> Vec<u8> {
        let mut out = BytesMut::new();
        encode(&mut out, 0, 7, pdu);
        out.to_vec()
    }

    fn masked(pdu: &Pdu, all: bool) -> Vec<u8> {
        let mut raw = bytes(pdu);
        mask(&mut raw, all);
        raw
    }

    fn holds(raw: &[u8], needle: &[u8]) -> bool {
        raw.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn numbers_and_texts_are_hidden_and_the_form_of_the_pdu_stays() {
        let m = ShortMessage {
            source: Address::guess("355681234567"),
            destination: Address::guess("12345"),
            short_message: b"the secret".to_vec(),
            payload: Some(b"the rest of it".to_vec()),
            sar: Some((7, 2, 1)),
            receipted_message_id: Some("id-1".into()),
            ..ShortMessage::default()
        };
        for pdu in [Pdu::DeliverSm(m.clone()), Pdu::SubmitSm(m.clone()), Pdu::DataSm(m.clone())] {
            let raw = masked(&pdu, false);
            assert_eq!(raw.len(), bytes(&pdu).len());
            for hidden in [&b"681234"[..], b"secret", b"rest"] {
                assert!(!holds(&raw, hidden), "{pdu:?}");
            }
            let said = explain(&raw).says;
            assert!(said.contains("from 355*******67 ") && said.contains("to 12345 "), "{said}");
            assert!(said.contains("sar 7 1/2") && said.contains("id-1"), "{said}");
            assert!(holds(&masked(&pdu, true), b"355681234567"), "unless they are asked for");
        }
        let mut cut = bytes(&Pdu::DeliverSm(m));
        cut.truncate(40);
        mask(&mut cut, false);
        assert!(!holds(&cut, b"681234"));
        let mut strange = bytes(&Pdu::DeliverSm(ShortMessage::default()));
        strange.truncate(16);
        strange.extend_from_slice(b"\x00355681234567 no NUL anywhere, and no end");
        mask(&mut strange, false);
        assert!(!holds(&strange, b"681234"));
    }

    #[test]
    fn what_stands_where_nothing_is_due_is_hidden_and_ids_of_responses_are_not() {
        let with = |pdu: &Pdu, more: &[u8]| {
            let mut raw = bytes(pdu);
            raw.extend_from_slice(more);
            mask(&mut raw, false);
            raw
        };
        let text = b"\x00\x1D\x00\x0Dto 3556812345";
        let raw = with(&Pdu::SubmitSmResp("id-1".into()), text);
        assert!(holds(&raw, b"id-1\0\x00\x1D") && !holds(&raw, b"681234"));
        for pdu in [Pdu::EnquireLink, Pdu::UnbindResp, Pdu::GenericNack, Pdu::Other(CommandId::QuerySm)] {
            assert!(!holds(&with(&pdu, text), b"681234"), "{pdu:?}");
            assert_eq!(with(&pdu, b""), bytes(&pdu));
        }
    }

    #[test]
    fn a_password_is_hidden_whatever_is_asked_for() {
        let bind = Bind { system_id: "me".into(), password: "longer than eight".into(), ..Bind::default() };
        for pdu in [Pdu::BindTransceiver(bind.clone()), Pdu::BindReceiver(bind.clone()), Pdu::BindTransmitter(bind)] {
            for all in [false, true] {
                let raw = masked(&pdu, all);
                assert!(!holds(&raw, b"longer") && holds(&raw, b"me\0"));
                assert!(explain(&raw).pdu.starts_with("bind_"), "{:?}", explain(&raw));
            }
        }
        // The SMSC's own, which it says when it wants to be bound to.
        let mut outbind = bytes(&Pdu::Other(CommandId::Outbind));
        outbind.extend_from_slice(b"smsc\0theirs\0");
        for all in [false, true] {
            let mut raw = outbind.clone();
            mask(&mut raw, all);
            assert!(!holds(&raw, b"theirs") && holds(&raw, b"smsc\0"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_looks_on_too_slowly_misses_some_and_is_told_how_many() {
        let tap = Tap::default();
        let pdu = bytes(&Pdu::EnquireLink);
        tap.pass(0, Direction::In, &pdu);
        let mut passed = tap.open();
        for _ in 0..TRACE_QUEUE_MAX + 5 {
            tap.pass(1, Direction::In, &pdu);
        }
        assert_eq!(passed.recv().await.unwrap().missed, 0);
        while passed.try_recv().is_ok() {}
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let long = vec![0; TRACE_PDU_BYTES_MAX + 1];
        tap.pass(2, Direction::Out, &long);
        let last = passed.recv().await.unwrap();
        assert!(last.missed >= 5 && last.raw.len() == TRACE_PDU_BYTES_MAX);
        for _ in 0..2 * TRACE_PDUS_PER_SECOND {
            tap.pass(3, Direction::In, &pdu);
            let _ = passed.try_recv();
        }
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        tap.pass(4, Direction::In, &pdu);
        assert!(passed.recv().await.unwrap().missed > u64::from(TRACE_PDUS_PER_SECOND / 2));
        drop(passed);
        tap.pass(5, Direction::In, &pdu);
        assert!(!tap.is_open());
    }
}
