//! What every list has around it: filters that are set, pages, and the files behind the table. Each is
//! a value that a template writes with `{{ }}`; how it looks stands in `templates/list/`.

use askama::Template;
use askama::filters::HtmlSafe;

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
