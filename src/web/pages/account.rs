//! `/account`: who is signed in, where else, and the way out everywhere. A session's key is shown nowhere.

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use time::OffsetDateTime;
use tower_sessions::Session;

use crate::store::session::{self, Listed};
use crate::web::auth::Who;
use crate::web::auth::rights::Right;
use crate::web::auth::sessions::key;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::Take;
use crate::web::{App, format};

#[derive(askama::Template)]
#[template(path = "account.html")]
struct Page {
    layout: Layout,
    sessions: Vec<Listed>,
    own: Option<Vec<u8>>,
    now: OffsetDateTime,
    take: Option<Take>,
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
    let take = who.may(Right::Export).then(|| Take::of("/account/sessions", ""));
    let layout = Layout::new("Account", Some(who)).at("account");
    render(&Page { layout, sessions, own, now: OffsetDateTime::now_utc(), take })
}

/// `GET /account/sessions.csv`, `.json`
pub(in crate::web) async fn file(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    signed_in: Session,
    form: Form,
) -> Result<Response, PageError> {
    let sessions = session::list(app.store(), &who.name).await?;
    let own = signed_in.id().map(|id| key(&id).to_vec());
    let table = Table::new(form, &["sessions"], ["signed_in", "last_used", "ends", "this_one"]);
    export::whole(&app, table, |sheet| {
        for s in &sessions {
            let is_own = own.as_deref() == Some(s.key.as_slice());
            sheet.row([s.created_at.into(), s.seen_at.into(), s.expires_at.into(), is_own.into()]);
        }
    })
}
