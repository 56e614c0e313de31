//! Which link groups this host's gateway can send by now.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::message_id::MessageIdFormat;
use crate::limits::BINDS_MAX;

/// One of them.
#[derive(Debug)]
struct Link {
    group: String,
    bound: bool,
    ids: MessageIdFormat,
}

/// Links as the gateway last said.
#[derive(Debug, Default)]
pub struct Links {
    /// By name.
    links: Mutex<BTreeMap<String, Link>>,
}

impl Links {
    /// The gateway says how a link is.
    pub fn set(&self, link: String, group: String, bound: bool, ids: MessageIdFormat) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= BINDS_MAX && !links.contains_key(&link) {
            // A reload of the gateway's configuration may have named others: those that are gone give way.
            links.retain(|_, link| link.bound);
        }
        if links.len() < BINDS_MAX || links.contains_key(&link) {
            links.insert(link, Link { group, bound, ids });
        }
    }

    /// How the SMSC of a link writes ids.
    pub fn ids_of(&self, link: &str) -> MessageIdFormat {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.get(link).map(|link| link.ids).unwrap_or_default()
    }

    /// How all SMSCs of a group do; where they differ nobody knows.
    pub fn ids_of_group(&self, group: &str) -> MessageIdFormat {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = links.values().filter(|link| link.group == group).map(|link| link.ids);
        let first = all.next().unwrap_or_default();
        if all.all(|ids| ids == first) { first } else { MessageIdFormat::Auto }
    }

    /// Groups that have a bound link.
    pub fn bound_groups(&self) -> Vec<String> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let mut groups: Vec<String> = links.values().filter(|link| link.bound).map(|link| link.group.clone()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_can_send_while_one_of_its_links_is_bound() {
        let links = Links::default();
        let auto = MessageIdFormat::Auto;
        links.set("a".into(), "main".into(), true, MessageIdFormat::Hex);
        links.set("b".into(), "main".into(), false, MessageIdFormat::Hex);
        links.set("c".into(), "other".into(), false, auto);
        assert_eq!((links.ids_of("b"), links.ids_of("nobody")), (MessageIdFormat::Hex, auto));
        assert_eq!((links.ids_of_group("main"), links.ids_of_group("other")), (MessageIdFormat::Hex, auto));
        assert_eq!(links.bound_groups(), ["main"]);
        links.set("a".into(), "main".into(), false, auto);
        assert_eq!(links.ids_of_group("main"), auto, "its links differ");
        assert!(links.bound_groups().is_empty());
        for n in 0..(2 * BINDS_MAX) {
            links.set(format!("x{n}"), format!("x{n}"), true, auto);
        }
        assert!(links.bound_groups().len() <= BINDS_MAX);
    }
}
