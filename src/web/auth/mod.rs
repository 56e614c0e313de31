//! Who is asking: sessions, and the door before the private pages.

pub(super) mod addresses;
pub mod password;
pub(super) mod remembered;
pub(super) mod rights;
pub(super) mod sessions;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

use self::rights::{Right, Role};
use self::sessions::Sessions;
use super::error::PageError;
use super::{App, Options, error, stale};

/// A person who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    /// PostgreSQL's key.
    pub(super) id: i32,
    /// Name.
    pub(super) name: String,
    /// `viewer`, `analyst`, `operator` or `admin`, as it is now.
    pub(super) role: String,
}

impl Who {
    /// Where a session has it.
    pub(super) const KEY: &'static str = "who";

    /// May this person? See [`rights`].
    pub(super) fn may(&self, right: Right) -> bool {
        Role::from_word(&self.role).is_some_and(|role| right.is_of(role))
    }
}

/// `__Host-`: browsers take it from this very host over HTTPS only.
fn cookie_name(options: &Options) -> &'static str {
    if options.secure_cookie { "__Host-scrutineer" } else { "scrutineer" }
}

/// The token of the session that the request brings. Whether that lives, only the database knows.
fn token<'a>(options: &Options, headers: &'a HeaderMap) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut names = cookies.flat_map(|value| value.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    names.find(|(name, value)| *name == cookie_name(options) && !value.is_empty()).map(|(_, value)| value)
}

/// Does the request bring a session's cookie, of whatever worth?
pub(super) fn brings_session(options: &Options, headers: &HeaderMap) -> bool {
    token(options, headers).is_some()
}

/// Does it come from somebody whose session was good a while ago? Asks nobody.
pub(super) fn is_known(app: &App, headers: &HeaderMap) -> bool {
    let id = token(&app.0.options, headers).and_then(|token| token.parse::<tower_sessions::session::Id>().ok());
    id.is_some_and(|id| app.0.sessions.kept(&sessions::key(&id)).is_some())
}

/// The layer that gives requests their session, which is read when it is asked for, once.
pub(super) fn sessions(app: &App) -> SessionManagerLayer<Sessions> {
    let options = &app.0.options;
    SessionManagerLayer::new(Sessions::new(app.clone()))
        .with_name(cookie_name(options))
        .with_path("/")
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_secure(options.secure_cookie)
        .with_expiry(Expiry::OnInactivity(time::Duration::hours(i64::from(options.session_hours))))
}

/// Who is signed in with this session.
pub(super) async fn who(session: &Session) -> Result<Option<Who>, PageError> {
    session.get::<Who>(Who::KEY).await.map_err(session_error)
}

/// Sessions lie in the database: whatever fails there is the database's failure.
pub(super) fn session_error(error: tower_sessions::session::Error) -> PageError {
    match error {
        tower_sessions::session::Error::Store(_) => PageError::Away(format!("session: {error}")),
        other => PageError::Bug(format!("session: {other}")),
    }
}

/// Middleware of each private page: a session whose person may, or the way to the sign-in and back.
pub(super) async fn require(
    State((app, right)): State<(App, Right)>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Response {
    if let Err(error) = app.0.health.check_schema() {
        return error.into_response();
    }
    let who = match who(&session).await {
        Ok(Some(who)) => who,
        Ok(None) => {
            let back = request.uri().path_and_query().map_or("/", |p| p.as_str());
            return Redirect::to(&sign_in_path(back)).into_response();
        }
        Err(error) => return error.into_response(),
    };
    if !who.may(right) {
        let mut refused = PageError::Refused(right.refusal()).into_response();
        refused.extensions_mut().insert(who);
        return refused;
    }
    let key = stale::key(&who, request.method(), request.uri());
    let pages = &app.0.good_pages;
    if let Some(page) = key.as_ref().filter(|_| pages.is_away()).and_then(|key| pages.show(key, &who)) {
        return page;
    }
    request.extensions_mut().insert(who.clone());
    let mut response = next.run(request).await;
    if response.extensions().get::<error::Away>().is_some() {
        pages.note_away();
        if let Some(page) = key.as_ref().and_then(|key| pages.show(key, &who)) {
            return page;
        }
    } else {
        response = pages.keep(key, response).await;
    }
    response.extensions_mut().insert(who);
    response
}

/// The sign-in that leads on to a page of ours.
fn sign_in_path(back: &str) -> String {
    match back {
        "/" | "/elections" => "/sign-in".to_owned(),
        back => format!("/sign-in?next={}", super::pages::encode(back)),
    }
}

/// A path of this site, or `/elections`: a form must not lead elsewhere.
pub(super) fn own_path(next: &str) -> &str {
    let is_own = next.starts_with('/')
        && next.len() <= 1024
        && !next[1..].starts_with(['/', '\\'])
        && next.bytes().all(|b| (0x21..0x7f).contains(&b) && b != b'\\');
    if is_own { next } else { "/elections" }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The cookie of a session that this dashboard remembers.
    pub(in crate::web) fn remembered(app: &App) -> String {
        let id = tower_sessions::session::Id(7);
        let who = Who { id: 1, name: "amina".to_owned(), role: "viewer".to_owned() };
        let ends = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
        app.0.sessions.put(sessions::key(&id), remembered::Held::new(who, serde_json::Value::Null, ends));
        format!("{}={id}", cookie_name(&app.0.options))
    }

    #[test]
    fn the_way_back_never_leads_to_another_site() {
        for bad in
            ["https://evil.example", "//evil.example", "/\\evil", "javascript:1", "", "/a\r\nSet-Cookie: x", "/é"]
        {
            assert_eq!(own_path(bad), "/elections", "{bad}");
        }
        assert_eq!(own_path("/elections/a?area=R1&x=%20"), "/elections/a?area=R1&x=%20");
        assert_eq!(sign_in_path("/messages?outcome=unclear"), "/sign-in?next=%2Fmessages%3Foutcome%3Dunclear");
    }
}
