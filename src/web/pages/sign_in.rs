//! `/sign-in` and `/sign-out`.
//!
//! Invariant: whatever is wrong (no such person, wrong password, account or address locked, disabled), the answer is
//! the same, and comes no sooner than [`REFUSAL_AFTER`], which covers what the cases differ in.

use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;
use tokio::time::Instant;
use tower_sessions::Session;

use crate::limits::PASSWORD_BYTES_MAX;
use crate::store::{session, user};
use crate::web::App;
use crate::web::auth::addresses::{self, Peer};
use crate::web::auth::password::{self, PasswordError};
use crate::web::auth::{self, Who};
use crate::web::error::PageError;
use crate::web::layout::{Layout, render};

/// A refusal comes no sooner than this.
const REFUSAL_AFTER: Duration = Duration::from_millis(600);

#[derive(askama::Template)]
#[template(path = "sign_in.html")]
struct Page {
    layout: Layout,
    next: String,
    name: String,
    refused: bool,
}

/// What may follow the sign-in.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Next {
    #[serde(default)]
    next: String,
}

/// What is sent.
#[derive(Deserialize)]
pub(in crate::web) struct Sent {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `GET /sign-in`
pub(in crate::web) async fn page(
    State(app): State<App>,
    session: Session,
    Query(query): Query<Next>,
) -> Result<Response, PageError> {
    app.0.health.check_schema()?;
    if auth::who(&session).await?.is_some() {
        return Ok(Redirect::to(auth::own_path(&query.next)).into_response());
    }
    let next = auth::own_path(&query.next).to_owned();
    let page = Page { layout: Layout::new("Sign in", None), next, name: String::new(), refused: false };
    Ok(render(&page)?.into_response())
}

/// `POST /sign-in`
pub(in crate::web) async fn submit(
    State(app): State<App>,
    session: Session,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    form: Result<Form<Sent>, FormRejection>,
) -> Result<Response, PageError> {
    let begun = Instant::now();
    app.0.health.check_schema()?;
    let sent = match form {
        Ok(Form(sent)) => sent,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Ok(StatusCode::PAYLOAD_TOO_LARGE.into_response());
        }
        Err(_) => return Err(PageError::Bad("The sign-in form must have a name and a password.")),
    };
    let address = addresses::of(peer.map(|Extension(peer)| peer), &headers);
    let right = if app.0.addresses.begin(address) { check(&app, &sent).await? } else { None };
    if let Some(who) = right {
        app.0.addresses.was_right(address);
        // A new token: whoever planted or saw the old one has nothing.
        session.cycle_id().await.map_err(auth::session_error)?;
        session.insert(Who::KEY, &who).await.map_err(auth::session_error)?;
        metrics::counter!("scrutineer_web_sign_ins_total", "outcome" => "right").increment(1);
        tracing::info!(user = %who.name, "signed in");
        return Ok(Redirect::to(auth::own_path(&sent.next)).into_response());
    }
    metrics::counter!("scrutineer_web_sign_ins_total", "outcome" => "refused").increment(1);
    tracing::warn!(user = %sent.name.chars().take(64).collect::<String>().escape_debug(), "a sign-in was refused");
    tokio::time::sleep_until(begun + REFUSAL_AFTER).await;
    let next = auth::own_path(&sent.next).to_owned();
    let name = sent.name.chars().take(64).collect();
    let page = Page { layout: Layout::new("Sign in", None), next, name, refused: true };
    Ok((StatusCode::FORBIDDEN, render(&page)?).into_response())
}

/// Who it is, when all is right.
async fn check(app: &App, sent: &Sent) -> Result<Option<Who>, PageError> {
    let turn = app.0.passwords.enter().await.map_err(|_| {
        metrics::counter!("scrutineer_web_sign_ins_total", "outcome" => "busy").increment(1);
        PageError::Busy("sign-ins")
    })?;
    let may_be = sent.password.len() <= PASSWORD_BYTES_MAX && sent.name.len() <= 64 && !sent.name.contains('\0');
    let attempt = if may_be { user::begin_attempt(app.store(), &sent.name).await? } else { None };
    let phc = attempt.as_ref().map(|a| a.password_hash.clone());
    let password: String = if may_be { sent.password.clone() } else { String::new() };
    let right = match password::verify_in_turn(turn, password, phc).await {
        Ok(right) => right,
        Err(PasswordError::Busy) => return Err(PageError::Busy("sign-ins")),
        Err(error) => return Err(PageError::Bug(error.to_string())),
    };
    let Some(attempt) = attempt.filter(|_| right) else { return Ok(None) };
    user::attempt_was_right(app.store(), attempt.id).await?;
    Ok(Some(Who { id: attempt.id, name: attempt.name, role: attempt.role }))
}

/// What the sign-out is sent with.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Leaving {
    /// `yes`: on every device.
    #[serde(default)]
    everywhere: String,
}

/// `POST /sign-out`
pub(in crate::web) async fn sign_out(
    State(app): State<App>,
    session: Session,
    form: Result<Form<Leaving>, FormRejection>,
) -> Result<Response, PageError> {
    let everywhere = form.is_ok_and(|Form(leaving)| leaving.everywhere == "yes");
    if everywhere && let Some(who) = auth::who(&session).await? {
        let ended = session::end_all(app.store(), &who.name).await?;
        app.0.sessions.forget_person(who.id);
        tracing::info!(user = %who.name, sessions = ended, "signed out everywhere");
    }
    session.flush().await.map_err(auth::session_error)?;
    Ok(Redirect::to("/sign-in").into_response())
}
