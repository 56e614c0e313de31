//! `/account`: who is signed in, where else, and the way out everywhere.

use axum::Extension;
use axum::extract::State;
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::store::session::{self, Listed};
use crate::web::auth::Who;
use crate::web::auth::sessions::key;
use crate::web::layout::{Answer, Layout, render};
use crate::web::{App, format};

#[derive(askama::Template)]
#[template(path = "account.html")]
struct Page {
    layout: Layout,
    sessions: Vec<Listed>,
    own: Option<Vec<u8>>,
    now: OffsetDateTime,
}

impl Page {
    fn is_own(&self, session: &Listed) -> bool {
        self.own.as_deref() == Some(session.key.as_slice())
    }

    fn since(&self, at: &OffsetDateTime) -> String {
        format::age((self.now - *at).whole_seconds())
    }

    fn left(&self, at: &OffsetDateTime) -> String {
        format::age((*at - self.now).whole_seconds())
    }
}

/// `GET /account`
pub(in crate::web) async fn page(State(app): State<App>, Extension(who): Extension<Who>, signed_in: Session) -> Answer {
    let sessions = session::list(app.store(), &who.name).await?;
    let own = signed_in.id().map(|id| key(&id).to_vec());
    let layout = Layout::new("Account", Some(who)).at("account");
    render(&Page { layout, sessions, own, now: OffsetDateTime::now_utc() })
}
