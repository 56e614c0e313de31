//! Which way messages go on a bind to an SMSC.

/// Which way messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Both ways.
    #[default]
    Transceiver,
    /// We submit. What comes nevertheless is kept all the same.
    Transmitter,
    /// We receive, and take no submits.
    Receiver,
}

impl Role {
    /// May submits be written on it?
    pub fn submits(self) -> bool {
        self != Self::Receiver
    }

    /// One word, as in the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Transceiver => "transceiver",
            Self::Transmitter => "transmitter",
            Self::Receiver => "receiver",
        }
    }
}

/// The link that a bind is of: `north` of `north`, `north#2` and `north#tx`. What came by any bind of a link
/// may be answered by any other.
pub fn link_of(bind: &str) -> &str {
    bind.split_once('#').map_or(bind, |(link, _)| link)
}
