//! Link groups as they are now, and which of them a text that answers nothing goes by. A reload of the
//! configuration changes both; whoever serves the worker or looks after the queues sees it at once.

use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::append::LinkIndex;
use super::doubt::DoubtSet;
use super::queue::{SubmitCount, SubmitQueue};
use crate::limits::GROUPS_KNOWN_MAX;

/// What the links of one group share.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Submits that wait for a link.
    pub queue: Arc<SubmitQueue>,
    /// What the SMSC may deliver again.
    pub doubt: Arc<DoubtSet>,
    link: AtomicU16,
    is_configured: AtomicBool,
}

impl Group {
    /// A link of it, in whose name its queue is settled.
    pub fn link(&self) -> LinkIndex {
        self.link.load(Ordering::Relaxed)
    }

    /// This link is of it.
    pub fn led_by(&self, link: LinkIndex) {
        self.link.store(link, Ordering::Relaxed);
    }

    /// Has it any link?
    pub fn is_configured(&self) -> bool {
        self.is_configured.load(Ordering::Relaxed)
    }
}

/// Which group texts that answer nothing go by: the longest prefix of their number says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// Prefixes, digits only, each with its group.
    pub prefixes: Vec<(String, String)>,
    /// The group of numbers that no prefix is of.
    pub rest: Option<String>,
}

impl Routes {
    /// The group for a number.
    pub fn group_of(&self, number: &str) -> Option<&str> {
        let digits = number.strip_prefix('+').or_else(|| number.strip_prefix("00")).unwrap_or(number);
        let fits = self.prefixes.iter().filter(|(prefix, _)| digits.starts_with(prefix.as_str()));
        let longest = fits.max_by_key(|(prefix, _)| prefix.len());
        longest.map(|(_, group)| group.as_str()).or(self.rest.as_deref())
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Groups {
    all: Mutex<Vec<Arc<Group>>>,
    routes: Mutex<Routes>,
    count: Arc<SubmitCount>,
}

impl Groups {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Group>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The group of this name, with this link: made where there is none. `None` past [`GROUPS_KNOWN_MAX`].
    pub fn join(&self, name: &str, link: LinkIndex) -> Option<Arc<Group>> {
        let mut all = self.lock();
        let found = all.iter().find(|group| group.name == name).cloned();
        let group = match found {
            Some(group) => group,
            None if all.len() >= GROUPS_KNOWN_MAX => return None,
            None => {
                let group = Arc::new(Group {
                    name: name.to_owned(),
                    queue: Arc::new(SubmitQueue::new(self.count.clone())),
                    doubt: Arc::default(),
                    link: AtomicU16::new(link),
                    is_configured: AtomicBool::new(true),
                });
                all.push(group.clone());
                group
            }
        };
        if !group.is_configured.swap(true, Ordering::Relaxed) {
            group.link.store(link, Ordering::Relaxed);
        }
        Some(group)
    }

    /// These groups have links, and no others. What the others hold stays known: their links may come back.
    pub fn keep(&self, configured: &[&str]) {
        for group in self.lock().iter() {
            group.is_configured.store(configured.contains(&group.name.as_str()), Ordering::Relaxed);
        }
    }

    /// How texts that answer nothing go.
    pub fn set_routes(&self, routes: Routes) {
        *self.routes.lock().unwrap_or_else(PoisonError::into_inner) = routes;
    }

    /// The group that a submit names, or, where it names none, the one for its number. `None`: there is no
    /// such group.
    pub fn of(&self, name: &str, number: &str) -> Option<Arc<Group>> {
        let by_number;
        let name = if name.is_empty() {
            by_number = self.routes.lock().unwrap_or_else(PoisonError::into_inner).group_of(number)?.to_owned();
            &by_number
        } else {
            name
        };
        self.lock().iter().find(|group| group.name == name && group.is_configured()).cloned()
    }

    /// All that are known.
    pub fn all(&self) -> Vec<Arc<Group>> {
        self.lock().clone()
    }

    /// Submits that wait in all of them.
    pub fn waiting(&self) -> usize {
        self.count.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_says_the_group() {
        let of = |prefix: &str, group: &str| (prefix.to_owned(), group.to_owned());
        let routes = Routes { prefixes: vec![of("254", "a"), of("2547", "b")], rest: None };
        assert_eq!(routes.group_of("254712345678"), Some("b"));
        assert_eq!(routes.group_of("+254212345678"), Some("a"));
        assert_eq!(routes.group_of("00254712345678"), Some("b"));
        assert_eq!(routes.group_of("355691234567"), None);
        let routes = Routes { rest: Some("c".into()), ..routes };
        assert_eq!(routes.group_of("355691234567"), Some("c"));
    }

    #[test]
    fn a_group_that_lost_its_links_takes_nothing_and_keeps_what_it_holds() {
        let groups = Groups::default();
        let one = groups.join("g", 3).unwrap();
        assert!(Arc::ptr_eq(&one, &groups.join("g", 4).unwrap()));
        assert_eq!(one.link(), 3);
        groups.keep(&[]);
        assert!(groups.of("g", "1").is_none());
        let again = groups.join("g", 5).unwrap();
        assert!(Arc::ptr_eq(&one, &again) && again.link() == 5);
        assert!(groups.of("g", "1").is_some() && groups.of("", "1").is_none());
        for n in 1..GROUPS_KNOWN_MAX {
            assert!(groups.join(&format!("g{n}"), 0).is_some());
        }
        assert!(groups.join("one more", 0).is_none());
    }
}
