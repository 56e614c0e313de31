//! What every page has around it: head, masthead, the way around, who is signed in.

use askama::Template;
use axum::response::Html;

use super::assets;
use super::auth::Who;
use super::auth::rights::Right;
use super::error::PageError;
use crate::limits::WEB_PAGE_BYTES_MAX;
use crate::store::pages::election::Election;

/// The ways within an election, in their order: what [`Layout::at`] is told, words, address. The one
/// place where a page of an election is entered into the navigation.
const ELECTION_WAYS: [(&str, &str, &str); 7] = [
    ("overview", "Overview", "/elections/{slug}"),
    ("questions", "Questions", "/elections/{slug}/questions"),
    ("submissions", "Submissions", "/elections/{slug}/submissions"),
    ("incidents", "Incidents", "/elections/{slug}/incidents"),
    ("observers", "Observers", "/elections/{slug}/observers"),
    ("messages", "Messages", "/messages?election={slug}"),
    ("trouble", "Not understood", "/trouble?election={slug}"),
];

/// Those of [`ELECTION_WAYS`] that archived elections have.
const ARCHIVED_WAYS: [&str; 5] = ["overview", "questions", "submissions", "incidents", "observers"];

/// The ways outside of any election; as [`ELECTION_WAYS`].
const SITE_WAYS: [(&str, &str, &str); 7] = [
    ("elections", "Elections", "/elections"),
    ("messages", "All messages", "/messages"),
    ("trouble", "Not understood", "/trouble"),
    ("set-aside", "Set aside", "/set-aside"),
    ("requests", "Requests", "/requests"),
    ("status", "Status", "/status"),
    ("operators", "Machines", "/operators"),
];

/// An entry of the navigation.
#[derive(Debug, Clone)]
pub(super) struct Way {
    /// Where it leads.
    pub(super) href: String,
    /// What it is called.
    pub(super) words: &'static str,
    /// The page shown belongs to it.
    pub(super) here: bool,
}

/// What `base.html` needs.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Title of the page.
    pub(super) title: String,
    /// Path of the style sheet.
    pub(super) style: String,
    /// Path of the icon.
    pub(super) icon: String,
    /// Who is signed in.
    pub(super) who: Option<Who>,
    /// The entry of the ways around that this page belongs to.
    pub(super) here: &'static str,
    /// The election that the page is about.
    pub(super) election: Option<Election>,
}

impl Layout {
    /// A page outside any election.
    pub(super) fn new(title: impl Into<String>, who: Option<Who>) -> Self {
        Self {
            title: title.into(),
            style: assets::style_path(),
            icon: assets::icon_path(),
            who,
            here: "",
            election: None,
        }
    }

    /// The entry of the ways around that the page belongs to.
    pub(super) fn at(mut self, here: &'static str) -> Self {
        self.here = here;
        self
    }

    /// May the person take tables away? Else the links to files are not shown.
    pub(super) fn may_export(&self) -> bool {
        self.who.as_ref().is_some_and(|who| who.may(Right::Export))
    }

    /// The ways around the site.
    pub(super) fn site_ways(&self) -> Vec<Way> {
        self.ways(&SITE_WAYS, "", self.election.is_none())
    }

    /// The ways within the election; none outside of one.
    pub(super) fn election_ways(&self) -> Vec<Way> {
        let Some(election) = &self.election else { return Vec::new() };
        // Of an archived election there is what was frozen.
        let here = |way: &&(&str, &str, &str)| election.version == 0 || ARCHIVED_WAYS.contains(&way.0);
        let ways: Vec<_> = ELECTION_WAYS.iter().filter(here).copied().collect();
        self.ways(&ways, &election.slug, true)
    }

    fn ways(&self, ways: &[(&'static str, &'static str, &'static str)], slug: &str, is_here: bool) -> Vec<Way> {
        let way = |(key, words, path): &(&'static str, &'static str, &'static str)| Way {
            href: path.replace("{slug}", slug),
            words,
            here: is_here && *key == self.here,
        };
        let may_operate = self.who.as_ref().is_some_and(|who| who.may(Right::Operate));
        ways.iter().filter(|(key, ..)| *key != "operators" || may_operate).map(way).collect()
    }

    /// The election that the page is about.
    pub(super) fn of(mut self, election: &Election) -> Self {
        self.election = Some(election.clone());
        self
    }
}

/// A page's answer.
pub(super) type Answer = Result<Html<String>, PageError>;

/// Renders a template, of at most [`WEB_PAGE_BYTES_MAX`].
pub(super) fn render(template: &impl Template) -> Answer {
    let mut page = Page(String::with_capacity(16 << 10));
    template.render_into(&mut page).map_err(|error| match error {
        askama::Error::Fmt => PageError::Bug(format!("the page is larger than {WEB_PAGE_BYTES_MAX} bytes")),
        error => error.into(),
    })?;
    Ok(Html(page.0))
}

/// A page in the making, which takes no more than its bound.
struct Page(String);

impl std::fmt::Write for Page {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        if self.0.len() + part.len() > WEB_PAGE_BYTES_MAX {
            return Err(std::fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Template)]
    #[template(source = "{{ text }}", ext = "html")]
    struct Plain {
        text: String,
    }

    #[test]
    fn a_page_over_its_bound_is_given_up_not_held() {
        assert!(render(&Plain { text: "x".repeat(WEB_PAGE_BYTES_MAX) }).is_ok());
        let over = render(&Plain { text: "x".repeat(WEB_PAGE_BYTES_MAX + 1) });
        assert!(matches!(over, Err(PageError::Bug(why)) if why.contains("larger")));
    }
}
