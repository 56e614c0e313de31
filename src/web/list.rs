//! What every list has around it: filters that are set, pages, and the files behind the table. Each is
//! a value that a template writes with `{{ }}`; how it looks stands in `templates/list/`.

use askama::Template;
use askama::filters::HtmlSafe;

use super::pages::link;
use super::text;

/// The ways to the pages before and after.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "list/pager.html")]
pub(super) struct Pager {
    /// The first page, when another one is shown.
    pub(super) newest: Option<String>,
    /// The page before.
    pub(super) newer: Option<String>,
    /// The page after.
    pub(super) older: Option<String>,
    /// The list is in the order of a code, and not of time.
    pub(super) by_code: bool,
}

impl HtmlSafe for Pager {}

/// A filter that is set.
#[derive(Debug, Clone)]
pub(super) struct Chip {
    /// Of what kind (`Area`).
    pub(super) kind: Option<&'static str>,
    /// What it asks for; may hold what somebody typed.
    pub(super) words: String,
    /// The list without it.
    pub(super) without: String,
}

/// The filters that are set, each with the way to be rid of it.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "list/chips.html")]
pub(super) struct Chips {
    /// They.
    pub(super) chips: Vec<Chip>,
    /// The list without any.
    pub(super) clear: String,
}

impl HtmlSafe for Chips {}

/// The address of a list: its path, and what it is asked for, but where the page begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address<'a> {
    /// Path.
    pub(super) path: &'a str,
    /// Names and values of the query.
    pub(super) set: &'a [(&'static str, &'a str)],
}

impl Address<'_> {
    /// The filter of this name, of such a kind.
    pub(super) fn chip(&self, name: &str, kind: &'static str, words: impl Into<String>) -> Chip {
        let rest: Vec<_> = self.set.iter().copied().filter(|(n, _)| *n != name).collect();
        Chip { kind: Some(kind), words: words.into(), without: link(self.path, &rest) }
    }

    /// The ways from a page that begins somewhere, and after which there may be more.
    pub(super) fn pager(&self, begins: bool, after: Option<&str>) -> Pager {
        let older = after.map(|after| link(self.path, &[self.set, &[("after", after)]].concat()));
        Pager { newest: begins.then(|| link(self.path, self.set)), newer: None, older, by_code: false }
    }

    /// Its files.
    pub(super) fn take(&self) -> Take {
        Take::of(self.path, link("", self.set).trim_start_matches('?'))
    }
}

/// Links to the table as CSV and JSON.
#[derive(Debug, Clone, Template)]
#[template(path = "list/take.html")]
pub(super) struct Take {
    csv: String,
    json: String,
}

impl HtmlSafe for Take {}

impl Take {
    /// Of the table at this path, with the query that filters it (`a=1&b=2`, or empty): the files are
    /// at `path.csv` and `path.json`.
    pub(super) fn of(path: &str, query: &str) -> Self {
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        Self { csv: format!("{path}.csv{query}"), json: format!("{path}.json{query}") }
    }
}
