//! Addresses and what stands before them. Each private page lies behind [`auth::require`] with the
//! right that it asks for, so that a new one can't forget to ask.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{MethodRouter, get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::csrf::CsrfLayer;

use super::auth::rights::Right;
use super::error::PageError;
use super::{App, assets, auth, error, frozen, guard, health, pages};
use crate::limits::WEB_BODY_BYTES_MAX;

/// A private page: its address, what somebody needs who asks for it, and what answers.
struct Page {
    path: &'static str,
    right: Right,
    answer: MethodRouter<App>,
}

fn page(path: &'static str, right: Right, answer: MethodRouter<App>) -> Page {
    Page { path, right, answer }
}

/// Every private page: one that is not here does not exist, and one that is here has its right.
fn pages() -> Vec<Page> {
    use Right::{Ask, Export, Operate, Read};
    vec![
        page("/", Read, get(async || Redirect::to("/elections"))),
        page("/elections", Read, get(pages::elections::page)),
        page("/elections.csv", Export, get(pages::elections::file)),
        page("/elections.json", Export, get(pages::elections::file)),
        page("/elections/{slug}", Read, get(pages::overview::page)),
        page("/elections/{slug}/overview.csv", Export, get(pages::overview_file::file)),
        page("/elections/{slug}/overview.json", Export, get(pages::overview_file::file)),
        page("/elections/{slug}/checklists.csv", Export, get(pages::overview_file::checklists)),
        page("/elections/{slug}/checklists.json", Export, get(pages::overview_file::checklists)),
        page("/elections/{slug}/growth.csv", Export, get(pages::overview_file::growth)),
        page("/elections/{slug}/growth.json", Export, get(pages::overview_file::growth)),
        page("/elections/{slug}/outcomes.csv", Export, get(pages::overview_file::outcomes)),
        page("/elections/{slug}/outcomes.json", Export, get(pages::overview_file::outcomes)),
        page("/elections/{slug}/submissions", Read, get(pages::submissions::page)),
        page("/elections/{slug}/submissions.csv", Export, get(pages::submissions_file::file)),
        page("/elections/{slug}/submissions.json", Export, get(pages::submissions_file::file)),
        page("/elections/{slug}/submissions/{id}", Read, get(pages::submission::page)),
        page("/elections/{slug}/questions", Read, get(pages::questions::first)),
        page("/elections/{slug}/questions/{prefix}", Read, get(pages::questions::page)),
        page("/elections/{slug}/questions/{prefix}/{code}", Read, get(pages::question::page)),
        page("/elections/{slug}/incidents", Read, get(pages::incidents::page)),
        page("/elections/{slug}/incidents.csv", Export, get(pages::incidents::file)),
        page("/elections/{slug}/incidents.json", Export, get(pages::incidents::file)),
        page("/elections/{slug}/incidents/{id}", Read, get(pages::submission::page)),
        page("/elections/{slug}/observers", Read, get(pages::observers::page)),
        page("/elections/{slug}/observers.csv", Export, get(pages::observers::file)),
        page("/elections/{slug}/observers.json", Export, get(pages::observers::file)),
        page("/messages", Read, get(pages::messages::page)),
        page("/messages.csv", Export, get(pages::messages::file)),
        page("/messages.json", Export, get(pages::messages::file)),
        page("/messages/{spool}/{sequence}", Read, get(pages::message::page)),
        page("/set-aside", Read, get(pages::set_aside::page)),
        page("/set-aside.csv", Export, get(pages::set_aside::file)),
        page("/set-aside.json", Export, get(pages::set_aside::file)),
        page("/trouble", Read, get(pages::trouble::page)),
        page("/trouble.csv", Export, get(pages::trouble::file)),
        page("/trouble.json", Export, get(pages::trouble::file)),
        page("/requests", Read, get(pages::request::list)),
        page("/requests.csv", Export, get(pages::requests_file::file)),
        page("/requests.json", Export, get(pages::requests_file::file)),
        page("/requests", Ask, post(pages::request::submit)),
        page("/requests/{id}", Read, get(pages::request::page)),
        page("/status", Read, get(pages::status::page)),
        page("/status/hosts.csv", Export, get(pages::operators_file::committed)),
        page("/status/hosts.json", Export, get(pages::operators_file::committed)),
        page("/operators", Operate, get(pages::operators::page)),
        page("/operators/links.csv", Operate, get(pages::operators_file::links)),
        page("/operators/links.json", Operate, get(pages::operators_file::links)),
        page("/operators/gateways.csv", Operate, get(pages::operators_file::gateways)),
        page("/operators/gateways.json", Operate, get(pages::operators_file::gateways)),
        page("/operators/workers.csv", Operate, get(pages::operators_file::workers)),
        page("/operators/workers.json", Operate, get(pages::operators_file::workers)),
        page("/account", Read, get(pages::account::page)),
        page("/account/sessions.csv", Export, get(pages::account::file)),
        page("/account/sessions.json", Export, get(pages::account::file)),
    ]
}

/// The private pages' addresses, and the right that each asks for.
pub fn routes() -> Vec<(&'static str, Right)> {
    pages().into_iter().map(|page| (page.path, page.right)).collect()
}

/// The whole dashboard.
pub fn router(app: App) -> Router {
    let private = pages().into_iter().fold(Router::new(), |router, page| {
        let door = from_fn_with_state((app.clone(), page.right), auth::require);
        let frozen = from_fn_with_state(app.clone(), frozen::serve);
        router.route(page.path, page.answer.route_layer(frozen).route_layer(door))
    });
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
