//! Alphabets of short messages: what an SMSC's default is, and which it is set to take.

use serde::{Deserialize, Serialize};

/// What `data_coding` 0 means on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DefaultAlphabet {
    /// GSM 03.38, one septet a byte.
    #[default]
    Gsm7,
    /// ISO-8859-1.
    Latin1,
    /// US-ASCII.
    Ascii,
    /// UTF-8.
    Utf8,
}

/// An alphabet that texts may be sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SendAlphabet {
    /// The SMSC's default alphabet, `data_coding` 0.
    Default,
    /// ISO-8859-1, `data_coding` 3.
    Latin1,
    /// UCS2, `data_coding` 8.
    Ucs2,
}

/// How a text of several segments is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LongMessages {
    /// Each segment with a user data header.
    #[default]
    Udh,
    /// Each segment with SAR TLVs; the SMSC makes the header.
    Sar,
    /// All of it in one `message_payload`; the SMSC cuts it.
    Payload,
}

/// Languages with national shift tables (3GPP TS 23.038, annex A), as ISO 639-1 codes in the order of their
/// identifiers, from 1.
pub const SHIFT_LANGUAGES: [&str; 13] = ["tr", "es", "pt", "bn", "gu", "hi", "kn", "ml", "or", "pa", "ta", "te", "ur"];
