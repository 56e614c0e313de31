//! What stands before every page: how many requests at once and for how long, the headers that every
//! answer has, and the count of them.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::error::PageError;
use super::{App, auth};
use crate::limits::WEB_REQUEST_SECONDS;
use crate::vitals::pressure::Level;

/// No script, no frame, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Middleware: the headers of every answer. What may be stored says so itself; nothing else is.
pub(super) async fn headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if app.0.options.secure_cookie {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Middleware: a bounded number of requests, each for a bounded time.
pub(super) async fn bound(State(app): State<App>, request: Request, next: Next) -> Response {
    let level = app.0.pressure.level();
    if level > Level::Calm && !is_served(&app, level, &request) {
        let mut refused = PageError::ShortOfMemory.into_response();
        // A connection costs memory, too.
        refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return refused;
    }
    let Ok(_place) = app.0.requests.clone().try_acquire_owned() else {
        return PageError::Busy("requests").into_response();
    };
    // A crowd of strangers leaves places to those who work here.
    let _stranger = match app.0.strangers.clone().try_acquire_owned() {
        Ok(place) => (!auth::is_known(&app, request.headers())).then_some(place),
        Err(_) if auth::is_known(&app, request.headers()) || request.uri().path() == "/healthz" => None,
        Err(_) => return PageError::Busy("requests of strangers").into_response(),
    };
    match tokio::time::timeout(Duration::from_secs(WEB_REQUEST_SECONDS), next.run(request)).await {
        Ok(response) => response,
        Err(_) => PageError::Late.into_response(),
    }
}

/// Short of memory, those go on who bring a session; near the cap nobody. Whether the process lives is
/// always told.
fn is_served(app: &App, level: Level, request: &Request) -> bool {
    request.uri().path() == "/healthz"
        || level < Level::Critical && auth::brings_session(&app.0.options, request.headers())
}

/// Middleware: counts requests by route and status, and measures them.
pub(super) async fn count(route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let route = route.map_or_else(|| "none".to_owned(), |r| r.as_str().to_owned());
    let begun = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_str().to_owned();
    metrics::counter!("scrutineer_web_requests_total", "route" => route.clone(), "status" => status).increment(1);
    metrics::histogram!("scrutineer_web_request_seconds", "route" => route).record(begun.elapsed().as_secs_f64());
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::limits;

    fn router(app: &App) -> Router {
        Router::new()
            .route("/never", get(std::future::pending::<()>))
            .route("/well", get(async || "well"))
            .route("/healthz", get(async || "well"))
            .layer(from_fn_with_state(app.clone(), bound))
    }

    async fn ask(router: &Router, path: &str, cookie: &str) -> StatusCode {
        let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_end_is_given_up_after_its_time() {
        let router = router(&App::unconnected());
        let begun = tokio::time::Instant::now();
        assert_eq!(ask(&router, "/never", "").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(begun.elapsed().as_secs(), WEB_REQUEST_SECONDS);
        assert_eq!(ask(&router, "/well", "").await, StatusCode::OK);
    }

    #[tokio::test]
    async fn a_crowd_of_strangers_leaves_places_to_those_who_are_signed_in() {
        let app = App::unconnected();
        let router = router(&app);
        let cookie = auth::tests::remembered(&app);
        let crowd: Vec<_> = (0..limits::WEB_STRANGERS_MAX)
            .map(|_| {
                let router = router.clone();
                tokio::spawn(async move { ask(&router, "/never", "").await })
            })
            .collect();
        while app.0.strangers.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(&router, "/well", "").await, StatusCode::SERVICE_UNAVAILABLE, "one more stranger");
        assert_eq!(ask(&router, "/well", "scrutineer=AAAAAAAAAAAAAAAAAAAAAA").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ask(&router, "/well", &cookie).await, StatusCode::OK);
        assert_eq!(ask(&router, "/healthz", "").await, StatusCode::OK);
        crowd.iter().for_each(tokio::task::JoinHandle::abort);
    }
}
