//! What a `submit_sm_resp` with an error means: for this message, and for the link.
//!
//! Nothing here can make a text go out twice: each of these statuses says that it was not taken.

use std::collections::BTreeMap;

use super::CommandStatus;

/// What is done about a `command_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Too much for now: the whole link pauses, then goes on where it was.
    LinkWide,
    /// Not now: this message is tried again a little later; others go on.
    Temporary,
    /// Never: it is refused.
    Permanent,
}

impl Meaning {
    /// By its word in the configuration.
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word {
            "link" => Self::LinkWide,
            "temporary" => Self::Temporary,
            "permanent" => Self::Permanent,
            _ => return None,
        })
    }
}

/// Statuses that are not final (SMPP 3.4, 5.1.3, and what SMSCs make of them); all others are.
const NOT_FINAL: [(CommandStatus, Meaning); 6] = [
    (CommandStatus::EsmeRthrottled, Meaning::LinkWide),
    (CommandStatus::EsmeRmsgqful, Meaning::LinkWide),
    (CommandStatus::EsmeRsyserr, Meaning::Temporary),
    (CommandStatus::EsmeRxTAppn, Meaning::Temporary),
    (CommandStatus::EsmeRsubmitfail, Meaning::Temporary),
    // The SMSC thinks that we are not bound: the next bind mends it.
    (CommandStatus::EsmeRinvbndsts, Meaning::Temporary),
];

/// The table of one link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    /// What the configuration says otherwise.
    own: BTreeMap<u32, Meaning>,
}

impl Statuses {
    /// The common table, with these for the link's own.
    pub fn new(own: impl IntoIterator<Item = (u32, Meaning)>) -> Self {
        Self { own: own.into_iter().collect() }
    }

    /// What to do about a status that is not ESME_ROK.
    pub fn of(&self, status: u32) -> Meaning {
        let common = || NOT_FINAL.iter().find(|(of, _)| u32::from(*of) == status).map(|(_, meaning)| *meaning);
        self.own.get(&status).copied().or_else(common).unwrap_or(Meaning::Permanent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_what_its_smsc_means_and_the_rest_is_the_common_table() {
        let statuses = Statuses::new([(0x45, Meaning::Permanent), (0x400, Meaning::LinkWide)]);
        let of = [0x58, 0x14, 0x08, 0x45, 0x400, 0x0B, 0xFFFF_FFFF].map(|status| statuses.of(status));
        use Meaning::{LinkWide, Permanent, Temporary};
        assert_eq!(of, [LinkWide, LinkWide, Temporary, Permanent, LinkWide, Permanent, Permanent]);
        assert_eq!(Statuses::default().of(0x45), Temporary);
        assert_eq!(Meaning::from_word("never"), None);
    }
}
