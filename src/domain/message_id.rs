//! How an SMSC writes the id of one and the same text in its response and in its receipts.

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageIdFormat {
    /// Nobody knows: each form that SMSCs are known to write is tried, and one that is not as it came must be
    /// of the phone that the receipt names.
    #[default]
    Auto,
    /// The same bytes in both.
    Verbatim,
    /// Decimal in both; leading zeros may differ.
    Decimal,
    /// Hexadecimal in both; leading zeros and case may differ.
    Hex,
    /// Hexadecimal in the response, decimal in receipts.
    HexDecimal,
    /// Decimal in the response, hexadecimal in receipts.
    DecimalHex,
}

impl MessageIdFormat {
    /// Base in which receipts have a number, and base in which responses have it.
    pub fn bases(self) -> Option<(u32, u32)> {
        match self {
            Self::Auto | Self::Verbatim => None,
            Self::Decimal => Some((10, 10)),
            Self::Hex => Some((16, 16)),
            Self::HexDecimal => Some((10, 16)),
            Self::DecimalHex => Some((16, 10)),
        }
    }

    /// Is an id that stands in a receipt as it stood in the response the same one? Where the bases differ, the same
    /// digits are another number.
    pub fn same_as_it_came(self) -> bool {
        self.bases().is_none_or(|(receipts, responses)| receipts == responses)
    }
}
