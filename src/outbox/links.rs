//! Which link groups this host's gateway can send by now.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::limits::BINDS_MAX;

/// Links as the gateway last said.
#[derive(Debug, Default)]
pub struct Links {
    /// Group and whether it is bound, by link.
    links: Mutex<BTreeMap<String, (String, bool)>>,
}

impl Links {
    /// The gateway says how a link is.
    pub fn set(&self, link: String, group: String, bound: bool) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if links.len() >= BINDS_MAX && !links.contains_key(&link) {
            // A reload of the gateway's configuration may have named others: those that are gone give way.
            links.retain(|_, (_, bound)| *bound);
        }
        if links.len() < BINDS_MAX || links.contains_key(&link) {
            links.insert(link, (group, bound));
        }
    }

    /// Groups that have a bound link.
    pub fn bound_groups(&self) -> Vec<String> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let mut groups: Vec<String> = links.values().filter(|(_, bound)| *bound).map(|(g, _)| g.clone()).collect();
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
        links.set("a".into(), "main".into(), true);
        links.set("b".into(), "main".into(), false);
        links.set("c".into(), "other".into(), false);
        assert_eq!(links.bound_groups(), ["main"]);
        links.set("a".into(), "main".into(), false);
        assert!(links.bound_groups().is_empty());
        for n in 0..(2 * BINDS_MAX) {
            links.set(format!("x{n}"), format!("x{n}"), true);
        }
        assert!(links.bound_groups().len() <= BINDS_MAX);
    }
}
