//! What every page has around it: head, masthead, the way around, who is signed in.

use askama::Template;
use axum::response::Html;

use super::assets;
use super::auth::Who;
use super::error::PageError;
use crate::store::pages::election::Election;

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

    /// The election that the page is about.
    pub(super) fn of(mut self, election: &Election) -> Self {
        self.election = Some(election.clone());
        self
    }
}

/// A page's answer.
pub(super) type Answer = Result<Html<String>, PageError>;

/// Renders a template.
pub(super) fn render(template: &impl Template) -> Answer {
    Ok(Html(template.render()?))
}
