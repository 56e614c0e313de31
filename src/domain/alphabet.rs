//! What `data_coding` 0 means: each SMSC has its own default.

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
