//! What a page can fail with, what the person is told, and the one place where it is logged.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::auth::Who;
use super::layout::{Layout, render};
use crate::store::StoreError;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(super) enum PageError {
    /// Nothing is there.
    #[error("nothing is there")]
    NotFound,
    /// The address or form can't be understood.
    #[error("{0}")]
    Bad(&'static str),
    /// The person's role does not let them.
    #[error("{0}")]
    Refused(&'static str),
    /// More at once than the bound.
    #[error("too many requests at once: {0}")]
    Busy(&'static str),
    /// The process is near its memory cap.
    #[error("memory is short")]
    ShortOfMemory,
    /// The request took too long.
    #[error("the request did not end in time")]
    Late,
    /// The schema or the rights are not those that this program needs: what is so, and how to mend it.
    #[error("{0}")]
    Schema(String),
    /// The database can't be reached, as somebody else found who has the reason.
    #[error("{0}")]
    Away(String),
    /// The database failed.
    #[error(transparent)]
    Store(StoreError),
    /// A bug.
    #[error("{0}")]
    Bug(String),
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        match error.sql_state().as_deref() {
            // Undefined table, undefined column.
            Some("42P01" | "42703") => {
                return Self::Schema(
                    "the database’s schema is not this program’s; run `scrutineer migrate`".to_owned(),
                );
            }
            // A character that no text in PostgreSQL can hold.
            Some("22021" | "22P05") => return Self::Bad("The address holds a character that can’t be in it."),
            // A time that no timestamp in PostgreSQL can hold.
            Some("22008") => return Self::Bad("The address holds a time that is none of this world’s elections."),
            // Insufficient privilege.
            Some("42501") => {
                return Self::Schema(
                    "the database refuses the dashboard a right that it needs; run `scrutineer migrate --grant-logins`"
                        .to_owned(),
                );
            }
            _ => {}
        }
        Self::Store(error)
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        Self::Bug(error.to_string())
    }
}

/// Marks an answer that failed as the database is away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Away;

/// What the error page says.
#[derive(Debug, Clone)]
struct Told {
    title: &'static str,
    words: String,
}

impl IntoResponse for PageError {
    /// A response without a body; [`show`] gives it one.
    fn into_response(self) -> Response {
        let (status, retry, title, words) = match &self {
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                None,
                "Not found",
                "There is nothing at this address. It may have been mistyped, or what stood here belongs to another election."
                    .to_owned(),
            ),
            Self::Bad(words) => (StatusCode::BAD_REQUEST, None, "Not understood", (*words).to_owned()),
            Self::Refused(words) => (StatusCode::FORBIDDEN, None, "Not yours to do", (*words).to_owned()),
            Self::Busy(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("2"),
                "Busy",
                "Too many people ask at this moment. Wait a few seconds and load the page again.".to_owned(),
            ),
            Self::ShortOfMemory => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("10"),
                "Busy",
                "More is asked of the dashboard at this moment than its memory holds. Messages are still taken in and kept; nothing is lost. Load the page again in a moment."
                    .to_owned(),
            ),
            Self::Late => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("10"),
                "Too slow",
                "The page took too long to make and was given up. Try again, or ask for less at once.".to_owned(),
            ),
            Self::Schema(words) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("30"),
                "The database is not ready for this version",
                format!("Whoever runs this installation must know: {words}."),
            ),
            Self::Away(_) => away(),
            Self::Store(error) if error.is_transient() => away(),
            Self::Store(_) | Self::Bug(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                None,
                "Something went wrong",
                "The page could not be made. The log of the dashboard says why.".to_owned(),
            ),
        };
        if status.is_server_error() {
            match &self {
                Self::Bug(_) => tracing::error!(error = %self, "a page could not be made"),
                Self::Store(error) if !error.is_transient() => tracing::error!(%error, "a page could not be made"),
                // The change is logged once, by whoever looks at the memory.
                Self::ShortOfMemory => {}
                _ => tracing::warn!(error = %self, "a page was not served"),
            }
        }
        let mut response = status.into_response();
        if let Some(seconds) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        response.extensions_mut().insert(Told { title, words });
        if matches!(&self, Self::Away(_)) || matches!(&self, Self::Store(error) if error.is_transient()) {
            response.extensions_mut().insert(Away);
        }
        response
    }
}

fn away() -> (StatusCode, Option<&'static str>, &'static str, String) {
    let words = "The dashboard can’t reach the database just now. Messages are still taken in and kept meanwhile; nothing is lost. Load the page again in a moment.";
    (StatusCode::SERVICE_UNAVAILABLE, Some("10"), "The database is away", words.to_owned())
}

#[derive(askama::Template)]
#[template(path = "error.html")]
struct Page {
    layout: Layout,
    status: u16,
    words: String,
}

/// Middleware: gives each bare error, ours or a layer's, a page in the dashboard's own words.
pub(super) async fn show(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let bare = !response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
    if !is_error || !bare {
        return response;
    }
    let told = response.extensions_mut().remove::<Told>().unwrap_or_else(|| {
        let (title, words) = match status {
            StatusCode::FORBIDDEN => (
                "Refused",
                "The request came from another site, and was refused to protect you. Open the dashboard and try again there.",
            ),
            StatusCode::METHOD_NOT_ALLOWED => ("Not possible here", "This address can be read, not written, or the other way round."),
            StatusCode::PAYLOAD_TOO_LARGE => ("Too large", "More was sent than the dashboard takes."),
            s if s.is_server_error() => {
                ("Something went wrong", "The page could not be made. The log of the dashboard says why.")
            }
            _ => ("Not understood", "The request could not be understood."),
        };
        Told { title, words: words.to_owned() }
    });
    let who = response.extensions_mut().remove::<Who>();
    let layout = Layout::new(told.title, who);
    let page = render(&Page { layout, status: status.as_u16(), words: told.words }).map(IntoResponse::into_response);
    let Ok(page) = page else { return response };
    let (mut parts, _) = response.into_parts();
    let (page_parts, body) = page.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(page_parts.headers);
    Response::from_parts(parts, body)
}
