//! What became of a message.

use serde::{Deserialize, Serialize};

/// Outcome of one message or report (GRAMMAR, "Outcomes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything sent was recorded.
    Accepted,
    /// Valid answers kept, the others named in the reply.
    Partial,
    /// Same sender and report as before; nothing changes.
    Duplicate,
    /// A later report changed answers; history kept.
    Corrected,
    /// The observer code (or phone) belongs to nobody.
    UnknownObserver,
    /// No checklist has this prefix.
    UnknownChecklist,
    /// Outside the election's hours, or the checklist is closed.
    Closed,
    /// The checklist is not in use yet.
    Draft,
    /// The checklist takes no reports for now.
    Paused,
    /// A version of the form that is no longer taken, or one that the text does not tell.
    Outdated,
    /// The phone isn't the observer's, and the election asks for it.
    Unverified,
    /// Kept until staff let it pass, by the election's policy for phones that aren't the observer's.
    Held,
    /// The authentication code that the election asks for is missing or wrong.
    WrongCode,
    /// Too many wrong codes came before it; right or wrong, its own was not looked at.
    Locked,
    /// Nothing in it could be read for sure.
    Unclear,
    /// HELP, STATUS, STOP, START.
    Command,
    /// Short codes, alphanumeric senders, own numbers: kept, never answered.
    Ignored,
    /// A part of a longer text; the text stands with the part that completed it.
    Segment,
    /// Could not be processed; set aside for staff.
    SetAside,
}

impl Outcome {
    /// Every outcome, in the order in which pages list them.
    pub const ALL: [Outcome; 19] = [
        Self::Accepted,
        Self::Partial,
        Self::Corrected,
        Self::Duplicate,
        Self::Unclear,
        Self::UnknownObserver,
        Self::UnknownChecklist,
        Self::Unverified,
        Self::Held,
        Self::WrongCode,
        Self::Locked,
        Self::Closed,
        Self::Draft,
        Self::Paused,
        Self::Outdated,
        Self::Command,
        Self::Ignored,
        Self::Segment,
        Self::SetAside,
    ];

    /// The word used in PostgreSQL, JSON, metrics and reply templates.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Partial => "partial",
            Self::Duplicate => "duplicate",
            Self::Corrected => "corrected",
            Self::UnknownObserver => "unknown_observer",
            Self::UnknownChecklist => "unknown_checklist",
            Self::Closed => "closed",
            Self::Draft => "draft",
            Self::Paused => "paused",
            Self::Outdated => "outdated",
            Self::Unverified => "unverified",
            Self::Held => "held",
            Self::WrongCode => "wrong_code",
            Self::Locked => "locked",
            Self::Unclear => "unclear",
            Self::Command => "command",
            Self::Ignored => "ignored",
            Self::Segment => "segment",
            Self::SetAside => "set_aside",
        }
    }

    /// The inverse of [`Outcome::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.as_str() == word)
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
