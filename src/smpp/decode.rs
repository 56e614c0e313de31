//! Bodies of PDUs, read as leniently as SMPP.md asks: what can be understood is, and only a body
//! whose mandatory fields do not fit into it is given up.
//!
//! Tolerated: a C-string that fills its field and has no NUL, addresses that are too long, trailing
//! bytes, TLVs cut short, of a wrong length, unknown or vendor's, reserved values, responses without
//! a body, bytes that are no ASCII.

use rusmpp::CommandId;
use rusmpp::tlvs::TlvTag;

use super::frame::Frame;
use super::pdu::{Address, Bind, Pdu, ShortMessage};

/// A body that could not be read. Its header could, so the PDU can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// The body ends before this field does.
    #[error("the body ends within {0}")]
    Short(&'static str),
    /// `sm_length` is greater than what follows.
    #[error("sm_length is {length}, but {left} bytes follow")]
    SmLength {
        /// As sent.
        length: u8,
        /// What there is.
        left: usize,
    },
}

/// Reads the body of a frame of an SMSC whose `sm_length` may say more than follows, as one that counts characters
/// wrongly: what follows is the text then. Another error of a body stays one.
pub fn decode_tolerant(frame: &Frame) -> Result<Pdu, BadBody> {
    match decode(frame) {
        Err(BadBody::SmLength { .. }) if frame.id == CommandId::DeliverSm => {
            Ok(Pdu::DeliverSm(short_message(frame.body(), true)?))
        }
        decoded => decoded,
    }
}

/// Reads the body of a frame.
pub fn decode(frame: &Frame) -> Result<Pdu, BadBody> {
    let body = frame.body();
    Ok(match frame.id {
        CommandId::DeliverSm => Pdu::DeliverSm(short_message(body, false)?),
        CommandId::SubmitSm => Pdu::SubmitSm(short_message(body, false)?),
        CommandId::DataSm => Pdu::DataSm(data_sm(body)?),
        CommandId::DeliverSmResp => Pdu::DeliverSmResp,
        CommandId::SubmitSmResp => Pdu::SubmitSmResp(only_string(body)),
        CommandId::DataSmResp => Pdu::DataSmResp(only_string(body)),
        CommandId::EnquireLink => Pdu::EnquireLink,
        CommandId::EnquireLinkResp => Pdu::EnquireLinkResp,
        CommandId::Unbind => Pdu::Unbind,
        CommandId::UnbindResp => Pdu::UnbindResp,
        CommandId::GenericNack => Pdu::GenericNack,
        CommandId::AlertNotification => Pdu::AlertNotification,
        CommandId::BindTransceiver => Pdu::BindTransceiver(bind(body)?),
        CommandId::BindReceiver => Pdu::BindReceiver(bind(body)?),
        CommandId::BindTransmitter => Pdu::BindTransmitter(bind(body)?),
        CommandId::BindTransceiverResp => Pdu::BindTransceiverResp(only_string(body)),
        CommandId::BindReceiverResp => Pdu::BindReceiverResp(only_string(body)),
        CommandId::BindTransmitterResp => Pdu::BindTransmitterResp(only_string(body)),
        other => Pdu::Other(other),
    })
}

/// Where a C-string that is too long for its field ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overrun {
    /// At its NUL: the peer sent more than the field may hold.
    ToNul,
    /// Where the field ends: the peer filled it and left the NUL out.
    Full,
    /// One byte before: it filled the field but for the NUL, and left that out.
    FullButNul,
}

const OVERRUNS: [Overrun; 3] = [Overrun::ToNul, Overrun::Full, Overrun::FullButNul];

struct Reader<'a> {
    rest: &'a [u8],
    overrun: Overrun,
    /// Did any C-string run over its field, so that another reading is worth a try?
    overran: bool,
}

impl<'a> Reader<'a> {
    fn new(body: &'a [u8], overrun: Overrun) -> Self {
        Self { rest: body, overrun, overran: false }
    }

    fn u8(&mut self, name: &'static str) -> Result<u8, BadBody> {
        let (&first, rest) = self.rest.split_first().ok_or(BadBody::Short(name))?;
        self.rest = rest;
        Ok(first)
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(head)
    }

    /// A C-string in a field of `max` bytes, its NUL included.
    fn string(&mut self, max: usize, name: &'static str) -> Result<String, BadBody> {
        let nul = self.rest.iter().position(|&b| b == 0);
        let fits = nul.is_some_and(|at| at < max);
        let (text, skip) = if fits || (nul.is_some() && self.overrun == Overrun::ToNul) {
            self.overran |= !fits;
            let at = nul.unwrap_or_default();
            (at, at + 1)
        } else {
            self.overran = true;
            let at = if self.overrun == Overrun::FullButNul { max - 1 } else { max };
            (at, at)
        };
        let taken = self.take(skip).ok_or(BadBody::Short(name))?;
        Ok(latin1(taken.get(..text).unwrap_or_default()))
    }

    fn address(&mut self, max: usize, name: &'static str) -> Result<Address, BadBody> {
        Ok(Address { ton: self.u8(name)?, npi: self.u8(name)?, number: self.string(max, name)? })
    }

    /// Is what is left a sound list of TLVs?
    fn tlvs_are_sound(&self) -> bool {
        let mut rest = self.rest;
        while !rest.is_empty() {
            match rest {
                [_, _, a, b, value @ ..] => match value.get(usize::from(u16::from_be_bytes([*a, *b]))..) {
                    Some(after) => rest = after,
                    None => return false,
                },
                _ => return false,
            }
        }
        true
    }
}

/// ASCII as it is, any other byte as the Latin-1 character of the same value.
fn latin1(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|&b| char::from(b)).collect(),
    }
}

/// A body that is one C-string, or nothing, or more than it.
fn only_string(body: &[u8]) -> String {
    latin1(body.split(|&b| b == 0).next().unwrap_or_default())
}

fn bind(body: &[u8]) -> Result<Bind, BadBody> {
    let mut r = Reader::new(body, Overrun::ToNul);
    Ok(Bind {
        system_id: r.string(16, "system_id")?,
        password: r.string(9, "password")?,
        system_type: r.string(13, "system_type")?,
        interface_version: r.u8("interface_version").unwrap_or_default(),
    })
}

/// Tries each way of reading C-strings that run over, and takes the first after which all that
/// follows makes sense; failing that, the first that can be read at all.
fn best(
    body: &[u8],
    read: impl for<'a> Fn(&mut Reader<'a>) -> Result<ShortMessage, BadBody>,
) -> Result<ShortMessage, BadBody> {
    let mut first: Option<Result<ShortMessage, BadBody>> = None;
    for overrun in OVERRUNS {
        let mut r = Reader::new(body, overrun);
        let result = read(&mut r).map(|mut message| {
            let sound = !r.overran || (r.tlvs_are_sound() && is_plausible(&message));
            tlvs(&mut message, r.rest);
            (message, sound)
        });
        match result {
            Ok((message, true)) => return Ok(message),
            Ok((message, false)) if !matches!(first, Some(Ok(_))) => first = Some(Ok(message)),
            Err(error) if !r.overran => return first.unwrap_or(Err(error)),
            Err(error) if first.is_none() => first = Some(Err(error)),
            _ => {}
        }
    }
    first.unwrap_or(Err(BadBody::Short("the body")))
}

/// A control character within an address, or a type of number that is a digit, shows that a string was
/// read past its end.
fn is_plausible(message: &ShortMessage) -> bool {
    let text = |s: &str| !s.chars().any(|c| c.is_ascii_control());
    let address = |a: &Address| a.ton < 0x20 && a.npi < 0x20 && text(&a.number);
    text(&message.service_type) && address(&message.source) && address(&message.destination)
}

/// `to_end`: where `sm_length` says more than follows, what follows is the text.
fn short_message(body: &[u8], to_end: bool) -> Result<ShortMessage, BadBody> {
    best(body, |r| {
        let mut message = ShortMessage {
            service_type: r.string(6, "service_type")?,
            source: r.address(21, "source_addr")?,
            destination: r.address(21, "destination_addr")?,
            esm_class: r.u8("esm_class")?,
            protocol_id: r.u8("protocol_id")?,
            priority_flag: r.u8("priority_flag")?,
            schedule_delivery_time: r.string(17, "schedule_delivery_time")?,
            validity_period: r.string(17, "validity_period")?,
            registered_delivery: r.u8("registered_delivery")?,
            ..ShortMessage::default()
        };
        r.u8("replace_if_present_flag")?;
        message.data_coding = r.u8("data_coding")?;
        r.u8("sm_default_msg_id")?;
        let length = r.u8("sm_length")?;
        let left = r.rest.len();
        let take = if to_end { left.min(length.into()) } else { length.into() };
        message.short_message = r.take(take).ok_or(BadBody::SmLength { length, left })?.to_vec();
        Ok(message)
    })
}

fn data_sm(body: &[u8]) -> Result<ShortMessage, BadBody> {
    best(body, |r| {
        Ok(ShortMessage {
            service_type: r.string(6, "service_type")?,
            source: r.address(65, "source_addr")?,
            destination: r.address(65, "destination_addr")?,
            esm_class: r.u8("esm_class")?,
            registered_delivery: r.u8("registered_delivery")?,
            data_coding: r.u8("data_coding")?,
            ..ShortMessage::default()
        })
    })
}

/// Reads the TLVs that matter; one that is cut short, and whatever follows it, is left.
fn tlvs(message: &mut ShortMessage, mut rest: &[u8]) {
    let (mut reference, mut total, mut part) = (None, None, None);
    while let [t0, t1, l0, l1, after @ ..] = rest {
        let Some((value, next)) = after.split_at_checked(u16::from_be_bytes([*l0, *l1]).into()) else { break };
        rest = next;
        match TlvTag::from(u16::from_be_bytes([*t0, *t1])) {
            TlvTag::MessagePayload => message.payload = Some(value.to_vec()),
            TlvTag::SarMsgRefNum => reference = number(value).and_then(|n| u16::try_from(n).ok()),
            TlvTag::SarTotalSegments => total = number(value).and_then(|n| u8::try_from(n).ok()),
            TlvTag::SarSegmentSeqnum => part = number(value).and_then(|n| u8::try_from(n).ok()),
            TlvTag::ReceiptedMessageId => message.receipted_message_id = Some(only_string(value)),
            TlvTag::MessageState => message.message_state = number(value).and_then(|n| u8::try_from(n).ok()),
            _ => {}
        }
    }
    if let (Some(reference), Some(total), Some(part)) = (reference, total, part) {
        message.sar = Some((reference, total, part));
    }
}

/// A number of one to four bytes: some peers send a byte where two are due.
fn number(value: &[u8]) -> Option<u32> {
    (1..=4).contains(&value.len()).then(|| value.iter().fold(0, |n, &b| n << 8 | u32::from(b)))
}
