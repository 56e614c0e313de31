//! Addresses and what stands before them. All private pages lie behind [`auth::require`], so that a
//! new one can't forget to ask.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;

use super::error::PageError;
use super::{App, assets, auth, error, guard, health, pages};
use crate::limits::WEB_BODY_BYTES_MAX;

/// The whole dashboard.
pub fn router(app: App) -> Router {
    let private = Router::new()
        .route("/", get(async || Redirect::to("/elections")))
        .route("/elections", get(pages::elections::page))
        .route("/elections.csv", get(pages::elections::file))
        .route("/elections.json", get(pages::elections::file))
        .route("/elections/{slug}", get(pages::overview::page))
        .route("/elections/{slug}/submissions", get(pages::submissions::page))
        .route("/elections/{slug}/submissions/{id}", get(pages::submission::page))
        .route("/messages", get(pages::messages::page))
        .route("/messages/{spool}/{sequence}", get(pages::message::page))
        .route("/set-aside", get(pages::set_aside::page))
        .route("/trouble", get(pages::trouble::page))
        .route("/requests", get(pages::request::list).post(pages::request::submit))
        .route("/requests/{id}", get(pages::request::page))
        .route("/status", get(pages::status::page))
        .route_layer(from_fn_with_state(app.clone(), auth::require));
    let open = Router::new()
        .route("/sign-in", get(pages::sign_in::page).post(pages::sign_in::submit))
        .route("/sign-out", post(pages::sign_in::sign_out))
        .route("/healthz", get(health::healthz))
        .route("/assets/{name}", get(assets::asset));
    private
        .merge(open)
        .fallback(async || PageError::NotFound.into_response())
        // From here outward: each layer stands around those above it.
        .layer(auth::sessions(&app))
        .layer(CsrfLayer::new())
        .layer(DefaultBodyLimit::max(WEB_BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(|_| PageError::Bug("a page panicked".to_owned()).into_response()))
        .layer(from_fn_with_state(app.clone(), guard::bound))
        .layer(from_fn(error::show))
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(app.clone(), guard::headers))
        .layer(from_fn(guard::count))
        .with_state(app)
}
