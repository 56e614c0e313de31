//! Who may do what: the one table. Routes name the right that they ask for (`router.rs`), and
//! [`super::require`] looks it up here, so that no page decides by a role's name.
//!
//! The database holds one more copy of [`Right::Phones`], in `web_contacts()`, so that numbers stay
//! closed even to a dashboard that was broken into; a test compares the two.

/// What a person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Role {
    /// Reads the pages.
    Viewer,
    /// Works with the data.
    Analyst,
    /// Runs the day: sees machines, and calls observers.
    Operator,
    /// Everything.
    Admin,
}

/// What can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// See pages; phones masked, names of observers hidden.
    Read,
    /// Take tables away as files.
    Export,
    /// Ask for messages to be read anew.
    Ask,
    /// See phones and names of observers.
    Phones,
    /// See what runs where, and how it fares.
    Operate,
}

use Role::{Admin, Analyst, Operator, Viewer};

/// The table.
const TABLE: [(Right, &[Role]); 5] = [
    (Right::Read, &[Viewer, Analyst, Operator, Admin]),
    (Right::Export, &[Analyst, Operator, Admin]),
    (Right::Ask, &[Analyst, Operator, Admin]),
    (Right::Phones, &[Operator, Admin]),
    (Right::Operate, &[Operator, Admin]),
];

impl Right {
    /// May a person of this role?
    pub fn is_of(self, role: Role) -> bool {
        TABLE.iter().any(|(right, roles)| *right == self && roles.contains(&role))
    }

    /// What somebody is told who may not.
    pub(in crate::web) fn refusal(self) -> &'static str {
        match self {
            Self::Read => "Your role has no pages here.",
            Self::Export => "Your role reads pages and takes no files away. An analyst or operator can.",
            Self::Ask => "Your role reads and asks for nothing. An analyst or operator can.",
            Self::Phones => "Your role does not see phones and names. An operator can.",
            Self::Operate => "Your role does not see the machines. An operator can.",
        }
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Viewer, Analyst, Operator, Admin];

    /// As it stands in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Viewer => "viewer",
            Analyst => "analyst",
            Operator => "operator",
            Admin => "admin",
        }
    }

    /// The inverse of [`Role::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_stands_in_the_table_once_an_admin_has_all_and_a_viewer_reads_only() {
        for right in [Right::Read, Right::Export, Right::Ask, Right::Phones, Right::Operate] {
            assert_eq!(TABLE.iter().filter(|(r, _)| *r == right).count(), 1, "{right:?}");
            assert!(right.is_of(Admin), "{right:?}");
            assert_eq!(right.is_of(Viewer), right == Right::Read, "{right:?}");
        }
    }

    #[test]
    fn a_role_comes_back_from_its_word() {
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.as_str()), Some(role));
        }
        assert_eq!(Role::from_word("root"), None);
    }
}
