//! The last good pages: what is shown, with its age, to somebody signed in while the database is away.
//!
//! Invariants: kept by role and address, and never shown to another role; whose name stood on a page is
//! cut out before it is kept; bounded in pages and bytes (compressed); only whole pages are kept, never
//! files.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::auth::Who;
use super::auth::rights::Role;
use super::format;
use crate::limits::{WEB_GOOD_PAGE_AGAIN_SECONDS, WEB_GOOD_PAGES_BYTES_MAX, WEB_GOOD_PAGES_MAX, WEB_PAGE_BYTES_MAX};

/// Stands in each page (`base.html`) where the name of who is signed in begins and ends.
const NAME: (&str, &str) = ("<!--who-->", "<!--/who-->");
/// Stands in each page where the age is said.
const PLACE: &str = "<!--stale-->";
/// So long after a failure the database counts as away, so that a page is not waited for in vain.
const AWAY_FOR: Duration = Duration::from_secs(2);

type Key = (Role, String);

/// A page as it was.
#[derive(Debug)]
struct Good {
    at: Instant,
    used: Instant,
    zipped: Vec<u8>,
}

#[derive(Debug, Default)]
struct Held {
    pages: HashMap<Key, Good>,
    bytes: usize,
    failed: Option<Instant>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct GoodPages(Mutex<Held>);

impl GoodPages {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database did not answer just now.
    pub(super) fn note_away(&self) {
        self.held().failed = Some(Instant::now());
    }

    /// Did it fail a moment ago?
    pub(super) fn is_away(&self) -> bool {
        self.held().failed.is_some_and(|at| at.elapsed() < AWAY_FOR)
    }

    /// Forgets all.
    pub(super) fn clear(&self) {
        let mut held = self.held();
        held.pages.clear();
        held.bytes = 0;
    }

    /// Keeps a page, when it is one and not kept lately.
    pub(super) async fn keep(&self, key: Option<Key>, response: Response) -> Response {
        let Some(key) = key.filter(|key| is_page(&response) && self.is_due(key)) else { return response };
        let (mut parts, body) = response.into_parts();
        let Ok(body) = body.collect().await else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
        let bytes = body.to_bytes();
        if let Some(zipped) = std::str::from_utf8(&bytes).ok().and_then(zip) {
            self.put(key, zipped);
        }
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        Response::from_parts(parts, Body::from(bytes))
    }

    fn is_due(&self, key: &Key) -> bool {
        let again = Duration::from_secs(WEB_GOOD_PAGE_AGAIN_SECONDS);
        self.held().pages.get(key).is_none_or(|good| good.at.elapsed() >= again)
    }

    fn put(&self, key: Key, zipped: Vec<u8>) {
        let mut held = self.held();
        held.failed = None;
        let now = Instant::now();
        held.bytes += zipped.len();
        if let Some(before) = held.pages.insert(key, Good { at: now, used: now, zipped }) {
            held.bytes -= before.zipped.len();
        }
        while held.pages.len() > WEB_GOOD_PAGES_MAX || held.bytes > WEB_GOOD_PAGES_BYTES_MAX {
            let oldest = held.pages.iter().min_by_key(|(_, good)| good.used).map(|(key, _)| key.clone());
            let Some(gone) = oldest.and_then(|key| held.pages.remove(&key)) else { break };
            held.bytes -= gone.zipped.len();
        }
    }

    /// The page as it was, with its age, for this person.
    pub(super) fn show(&self, key: &Key, who: &Who) -> Option<Response> {
        let (age, zipped) = {
            let mut held = self.held();
            let good = held.pages.get_mut(key)?;
            good.used = Instant::now();
            (good.at.elapsed(), good.zipped.clone())
        };
        let mut page = String::new();
        GzDecoder::new(zipped.as_slice()).take(WEB_PAGE_BYTES_MAX as u64).read_to_string(&mut page).ok()?;
        let words = format!(
            "<p class=\"stale\" role=\"status\"><strong>The database is away.</strong> This page is as it was <span class=\"age\">{} ago</span>. \
             Messages are still taken in and kept; nothing is lost.</p>",
            format::age(age.as_secs().try_into().unwrap_or(i64::MAX))
        );
        let page = page.replacen(NAME.0, &format!("{}{}", NAME.0, who.name), 1).replacen(PLACE, &words, 1);
        metrics::counter!("scrutineer_web_stale_pages_total").increment(1);
        let mut response = Html(page).into_response();
        response.headers_mut().insert(header::AGE, HeaderValue::from(age.as_secs()));
        Some(response)
    }
}

/// What a page is kept under; `None`: such requests are never kept.
pub(super) fn key(who: &Who, method: &Method, uri: &Uri) -> Option<Key> {
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let fits = method == Method::GET && path.len() <= 1024;
    fits.then(|| Role::from_word(&who.role).map(|role| (role, path.to_owned())))?
}

fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    response.status() == StatusCode::OK
        && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
        && !response.headers().contains_key(header::CONTENT_ENCODING)
}

/// Compressed, without the name of who was signed in. A page without the places for name and age is not ours to keep.
fn zip(page: &str) -> Option<Vec<u8>> {
    let begin = page.find(NAME.0)? + NAME.0.len();
    let end = begin + page.get(begin..)?.find(NAME.1)?;
    if !page.contains(PLACE) || page.len() > WEB_PAGE_BYTES_MAX {
        return None;
    }
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    zip.write_all(page.get(..begin)?.as_bytes()).ok()?;
    zip.write_all(page.get(end..)?.as_bytes()).ok()?;
    zip.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(name: &str, role: &str) -> Who {
        Who { id: 1, name: name.to_owned(), role: role.to_owned() }
    }

    fn page(words: &str) -> Response {
        Html(format!("<main><!--stale-->{words}</main><span><!--who-->amina<!--/who--></span>")).into_response()
    }

    fn at(who: &Who, path: &str) -> Option<Key> {
        key(who, &Method::GET, &path.parse().unwrap())
    }

    async fn body(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_kept_page_comes_back_with_its_age_for_the_same_role_under_the_reader_s_own_name() {
        let pages = GoodPages::default();
        let amina = who("amina", "operator");
        let shown = body(pages.keep(at(&amina, "/a?x=1"), page("figures")).await).await;
        assert!(shown.contains("figures") && shown.contains("amina"));
        let badu = who("badu", "operator");
        let stale = body(pages.show(&at(&badu, "/a?x=1").unwrap(), &badu).unwrap()).await;
        assert!(
            stale.contains("figures") && stale.contains("The database is away") && stale.contains("badu"),
            "{stale}"
        );
        assert!(!stale.contains("amina"), "{stale}");
        for (who, path) in [(who("v", "viewer"), "/a?x=1"), (who("c", "admin"), "/a?x=1"), (badu, "/a?x=2")] {
            assert!(pages.show(&at(&who, path).unwrap(), &who).is_none(), "{who:?} {path}");
        }
    }

    #[tokio::test]
    async fn errors_files_and_answers_to_forms_are_not_kept() {
        let pages = GoodPages::default();
        let amina = who("amina", "viewer");
        let error = (StatusCode::NOT_FOUND, page("no")).into_response();
        pages.keep(at(&amina, "/a"), error).await;
        pages.keep(at(&amina, "/a"), "text".into_response()).await;
        assert!(pages.show(&at(&amina, "/a").unwrap(), &amina).is_none());
        assert!(key(&amina, &Method::POST, &"/a".parse().unwrap()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_page_is_kept_anew_no_sooner_than_it_is_due() {
        let pages = GoodPages::default();
        let amina = who("amina", "viewer");
        let key = || at(&amina, "/a");
        pages.keep(key(), page("first")).await;
        tokio::time::advance(Duration::from_secs(WEB_GOOD_PAGE_AGAIN_SECONDS - 1)).await;
        assert!(body(pages.keep(key(), page("second")).await).await.contains("second"), "it is shown all the same");
        assert!(body(pages.show(&key().unwrap(), &amina).unwrap()).await.contains("first"));
        tokio::time::advance(Duration::from_secs(1)).await;
        pages.keep(key(), page("third")).await;
        assert!(body(pages.show(&key().unwrap(), &amina).unwrap()).await.contains("third"));
    }

    #[tokio::test]
    async fn no_more_pages_are_kept_than_the_bounds() {
        let pages = GoodPages::default();
        let amina = who("amina", "viewer");
        for n in 0..WEB_GOOD_PAGES_MAX + 5 {
            pages.keep(at(&amina, &format!("/{n}")), page("x")).await;
        }
        assert_eq!(pages.held().pages.len(), WEB_GOOD_PAGES_MAX);
        assert!(pages.show(&at(&amina, "/0").unwrap(), &amina).is_none());
        for n in 0..WEB_GOOD_PAGES_MAX {
            let noise = (0..60_000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect::<String>();
            pages.keep(at(&amina, &format!("/big/{n}")), page(&noise)).await;
        }
        let held = pages.held();
        assert!(held.bytes <= WEB_GOOD_PAGES_BYTES_MAX && held.pages.len() < WEB_GOOD_PAGES_MAX);
        assert_eq!(held.bytes, held.pages.values().map(|good| good.zipped.len()).sum::<usize>());
    }
}
