//! What every page has around it: head, masthead, the way around, who is signed in.

use askama::Template;
use axum::response::Html;

use super::assets;
use super::auth::Who;
use super::error::PageError;
use crate::limits::WEB_PAGE_BYTES_MAX;
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
