//! Pages of archived elections: made of frozen figures, kept compressed in memory as they were sent, and
//! told apart by strong validators, so that a page looked at again costs neither the database nor a render.
//!
//! Invariants: a page is kept for one person's role and one version of the archive, and never shown as
//! another's; what is kept is bounded in bytes; which elections are archived is asked at most every few
//! seconds, and only when a page of an election is asked for; no live table is read.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::App;
use super::auth::Who;
use super::error::PageError;
use super::pages::archived;
use crate::archive::{self, Archived};
use crate::limits::{WEB_FROZEN_BYTES_MAX, WEB_FROZEN_PAGES_MAX, WEB_FROZEN_PATH_BYTES_MAX, WEB_PAGE_BYTES_MAX};

/// The archived elections, by their short names.
pub(super) type Archives = HashMap<String, Arc<Archived>>;

impl App {
    /// The archived elections, as they were a few seconds ago at most; while the database is away, as they
    /// were last.
    pub(super) async fn archives(&self) -> Result<Arc<Archives>, PageError> {
        let read = async {
            let all = archive::served(self.store()).await.map_err(PageError::from)?;
            Ok(all.into_iter().map(|a| (a.election.slug.clone(), Arc::new(a))).collect())
        };
        if self.0.good_pages.is_away()
            && let Some(last) = self.0.frozen.last()
        {
            return Ok(last);
        }
        match self.0.archives.get((), read).await {
            Ok(archives) => {
                self.0.frozen.note(&archives);
                Ok(archives)
            }
            Err(PageError::Store(error)) if error.is_transient() => self.0.frozen.last().ok_or(PageError::Store(error)),
            Err(error) => Err(error),
        }
    }

    /// The election with this short name, where it is archived.
    pub(super) async fn archived(&self, slug: &str) -> Result<Option<Arc<Archived>>, PageError> {
        Ok(self.archives().await?.get(slug).cloned())
    }
}

/// A page as it is sent.
#[derive(Debug)]
struct Kept {
    /// Of the plain form; the compressed one's has a mark of its own, as its bytes are others.
    tags: [HeaderValue; 2],
    kind: HeaderValue,
    name: Option<HeaderValue>,
    packed: Bytes,
}

/// For whom, of which version, which address.
type Key = (i32, String, i32, String);
type Slot = Arc<OnceCell<Arc<Kept>>>;

/// Pages kept, within a bound of bytes; the one used longest ago gives way.
#[derive(Debug, Default)]
pub(super) struct Pages(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// The archived elections, as they were last.
    archives: Option<Arc<Archives>>,
    slots: HashMap<Key, Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    used: Instant,
    slot: Slot,
    /// What of the bound it takes; none while its page is made.
    bytes: usize,
}

impl Pages {
    /// Forgets all.
    pub(super) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Held::default();
    }

    fn note(&self, archives: &Arc<Archives>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).archives = Some(archives.clone());
    }

    fn last(&self) -> Option<Arc<Archives>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).archives.clone()
    }

    fn slot(&self, key: &Key) -> Slot {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = held.slots.get_mut(key) {
            entry.used = Instant::now();
            return entry.slot.clone();
        }
        while held.slots.len() >= WEB_FROZEN_PAGES_MAX {
            held.drop_oldest();
        }
        let slot = Slot::default();
        held.slots.insert(key.clone(), Entry { used: Instant::now(), slot: slot.clone(), bytes: 0 });
        slot
    }

    /// A page came into its slot; one that gave way while its page was made takes nothing.
    fn grown(&self, key: &Key, slot: &Slot, by: usize) {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = &mut *guard;
        let Some(entry) = held.slots.get_mut(key).filter(|entry| Arc::ptr_eq(&entry.slot, slot)) else { return };
        held.bytes = held.bytes - entry.bytes + by;
        entry.bytes = by;
        while held.bytes > WEB_FROZEN_BYTES_MAX && !held.slots.is_empty() {
            held.drop_oldest();
        }
    }

    /// Nothing came into it.
    fn give_up(&self, key: &Key) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.slots.get(key).is_some_and(|entry| !entry.slot.initialized()) {
            held.slots.remove(key);
        }
    }
}

impl Held {
    fn drop_oldest(&mut self) {
        let Some(oldest) = self.slots.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone()) else {
            return;
        };
        if let Some(entry) = self.slots.remove(&oldest) {
            self.bytes = self.bytes.saturating_sub(entry.bytes);
        }
    }
}

/// Middleware of the pages of elections: those of archived ones are answered from here. Who asks for the head alone
/// gets that of the whole page, whose body is left out where it is sent.
pub(super) async fn serve(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let mut parts = path.split('/').skip(1);
    let (Some("elections"), Some(slug)) = (parts.next(), parts.next()) else { return next.run(request).await };
    let archived = match app.archived(slug).await {
        Ok(Some(archived)) => archived,
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    let Some(who) = request.extensions().get::<Who>().cloned() else { return PageError::NotFound.into_response() };
    let address = request.uri().path_and_query().map_or(path, |p| p.as_str()).to_owned();
    if !matches!(*request.method(), Method::GET | Method::HEAD) || address.len() > WEB_FROZEN_PATH_BYTES_MAX {
        return PageError::NotFound.into_response();
    }
    let headers = request.headers().clone();
    let is_file = path.ends_with(".csv") || path.ends_with(".json");
    // What is kept is a whole page, also when its head was asked for first.
    *request.method_mut() = Method::GET;
    if is_file {
        return file(&app, &archived, who, request, next, &address, &headers).await;
    }
    let key: Key = (who.id, who.role.clone(), archived.version, address);
    let slot = app.0.frozen.slot(&key);
    let mut other = None;
    let kept = slot
        .get_or_try_init(async || {
            metrics::counter!("scrutineer_web_cache_total", "cache" => "frozen", "found" => "no").increment(1);
            let response = match archived::own(&app, &archived, who, request.uri()).await {
                Some(response) => response,
                None => next.run(request).await,
            };
            match keep(response).await {
                Ok(kept) => {
                    let kept = Arc::new(kept);
                    app.0.frozen.grown(&key, &slot, kept.packed.len());
                    Ok(kept)
                }
                Err(response) => {
                    other = Some(response);
                    Err(())
                }
            }
        })
        .await
        .cloned();
    match (kept, other) {
        (Ok(kept), _) => send(&kept, &headers),
        (Err(()), other) => {
            app.0.frozen.give_up(&key);
            other.unwrap_or_else(|| PageError::NotFound.into_response())
        }
    }
}

/// A file: of any length, so that it is not kept. The same address of the same version is the same bytes,
/// which is what its validator says.
async fn file(
    app: &App,
    archived: &Archived,
    who: Who,
    request: Request,
    next: Next,
    address: &str,
    headers: &HeaderMap,
) -> Response {
    let made = archived.election.archived.map_or(0, |at| at.at.unix_timestamp_nanos());
    let digest = Sha256::digest(format!("{} {made} {} {address}", archived.election.id, archived.version));
    let digest: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    let tag =
        |mark: &str| HeaderValue::from_str(&format!("\"{digest}{mark}\"")).unwrap_or(HeaderValue::from_static(""));
    let tags = [tag(""), tag("-gz")];
    let mut response = if has_one(headers, &tags) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        match archived::own(app, archived, who, request.uri()).await {
            Some(response) => response,
            None => next.run(request).await,
        }
    };
    if matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED) {
        let [plain, packed] = tags;
        validate(response.headers_mut(), if takes_gzip(headers) { packed } else { plain });
    }
    response
}

fn takes_gzip(asked: &HeaderMap) -> bool {
    list(asked, header::ACCEPT_ENCODING).any(|e| {
        let (name, weight) = e.split_once(';').unwrap_or((e, ""));
        name.trim().eq_ignore_ascii_case("gzip") && weight.trim().trim_start_matches("q=").parse() != Ok(0.0)
    })
}

/// Does the reader have it, in one form or the other?
fn has_one(asked: &HeaderMap, tags: &[HeaderValue; 2]) -> bool {
    list(asked, header::IF_NONE_MATCH).any(|t| {
        let t = t.trim_start_matches("W/");
        t == "*" || tags.iter().any(|tag| tag.as_bytes() == t.as_bytes())
    })
}

fn validate(headers: &mut HeaderMap, tag: HeaderValue) {
    headers.insert(header::ETAG, tag);
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding, cookie"));
    // The reader asks each time whether it is still so, as a person may sign out or be shut out.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

/// A page as it is kept; what is no page comes back.
async fn keep(response: Response) -> Result<Kept, Response> {
    if response.status() != StatusCode::OK {
        return Err(response);
    }
    let (parts, body) = response.into_parts();
    let body = match Limited::new(body, WEB_PAGE_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Err(PageError::Bug(format!("an archived page: {error}")).into_response()),
    };
    let mut packer = flate2::read::GzEncoder::new(body.as_ref(), flate2::Compression::default());
    let mut packed = Vec::with_capacity(body.len() / 4);
    if let Err(error) = packer.read_to_end(&mut packed) {
        return Err(PageError::Bug(format!("an archived page: {error}")).into_response());
    }
    let digest: String = Sha256::digest(&body).iter().take(16).map(|b| format!("{b:02x}")).collect();
    let tag =
        |mark: &str| HeaderValue::from_str(&format!("\"{digest}{mark}\"")).unwrap_or(HeaderValue::from_static(""));
    let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
    Ok(Kept {
        tags: [tag(""), tag("-gz")],
        kind: kind.unwrap_or(HeaderValue::from_static("application/octet-stream")),
        name: parts.headers.get(header::CONTENT_DISPOSITION).cloned(),
        packed: packed.into(),
    })
}

/// The page, or that the reader has it.
fn send(kept: &Kept, asked: &HeaderMap) -> Response {
    let takes_gzip = takes_gzip(asked);
    let has = has_one(asked, &kept.tags);
    let [plain_tag, packed_tag] = &kept.tags;
    let mut response = if has {
        StatusCode::NOT_MODIFIED.into_response()
    } else if takes_gzip {
        let mut response = Response::new(kept.packed.clone().into());
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        let mut plain = Vec::new();
        match flate2::read::GzDecoder::new(kept.packed.as_ref()).take(WEB_PAGE_BYTES_MAX as u64).read_to_end(&mut plain)
        {
            Ok(_) => Response::new(plain.into()),
            Err(error) => return PageError::Bug(format!("a kept page: {error}")).into_response(),
        }
    };
    let headers = response.headers_mut();
    validate(headers, if takes_gzip { packed_tag.clone() } else { plain_tag.clone() });
    if !has {
        headers.insert(header::CONTENT_TYPE, kept.kind.clone());
        if let Some(name) = &kept.name {
            headers.insert(header::CONTENT_DISPOSITION, name.clone());
        }
    }
    response
}

fn list(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(bytes: usize) -> Response {
        let noise: String = (0..bytes as u64)
            .map(|i| char::from(b'a' + (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 59) as u8 % 26))
            .collect();
        axum::response::Html(noise).into_response()
    }

    fn key(n: usize) -> Key {
        (1, "viewer".to_owned(), 1, format!("/elections/x?{n}"))
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_in_pages_and_bytes_and_the_oldest_goes() {
        let pages = Pages::default();
        for n in 0..WEB_FROZEN_PAGES_MAX + 50 {
            let slot = pages.slot(&key(n));
            let kept = Arc::new(keep(page(24 << 10)).await.unwrap());
            let size = kept.packed.len();
            pages.grown(&key(n), &slot, size);
            slot.set(kept).unwrap();
            let held = pages.0.lock().unwrap();
            assert!(held.bytes <= WEB_FROZEN_BYTES_MAX && held.slots.len() <= WEB_FROZEN_PAGES_MAX);
            let sum: usize = held.slots.values().filter_map(|e| e.slot.get()).map(|k| k.packed.len()).sum();
            assert_eq!(sum, held.bytes);
        }
        let held = pages.0.lock().unwrap();
        assert!(held.slots.contains_key(&key(WEB_FROZEN_PAGES_MAX + 49)) && !held.slots.contains_key(&key(0)));
    }

    #[test]
    fn a_page_whose_place_was_given_away_while_it_was_made_takes_none_of_the_bound() {
        let pages = Pages::default();
        let slow = pages.slot(&key(0));
        for n in 1..=WEB_FROZEN_PAGES_MAX {
            pages.slot(&key(n));
        }
        pages.grown(&key(0), &slow, WEB_FROZEN_BYTES_MAX);
        let cleared = pages.slot(&key(1));
        pages.clear();
        pages.grown(&key(1), &cleared, WEB_FROZEN_BYTES_MAX);
        let again = pages.slot(&key(1));
        pages.grown(&key(1), &cleared, WEB_FROZEN_BYTES_MAX);
        assert_eq!(pages.0.lock().unwrap().bytes, 0, "another one's place is not filled by it");
        pages.grown(&key(1), &again, 10);
        assert_eq!(pages.0.lock().unwrap().bytes, 10);
    }

    #[tokio::test]
    async fn each_form_of_a_page_has_its_own_strong_tag_and_either_is_known_again() {
        let kept = keep(page(4_000)).await.unwrap();
        let mut asked = HeaderMap::new();
        let plain = send(&kept, &asked);
        asked.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("br;q=1, gzip"));
        let packed = send(&kept, &asked);
        assert_ne!(plain.headers()[header::ETAG], packed.headers()[header::ETAG]);
        assert!(
            packed.headers()[header::CONTENT_ENCODING] == "gzip"
                && !plain.headers().contains_key(header::CONTENT_ENCODING)
        );
        for tag in [plain.headers()[header::ETAG].clone(), packed.headers()[header::ETAG].clone()] {
            asked.insert(header::IF_NONE_MATCH, tag);
            assert_eq!(send(&kept, &asked).status(), StatusCode::NOT_MODIFIED);
        }
        asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"another\""));
        assert_eq!(send(&kept, &asked).status(), StatusCode::OK);
        let unpacked = plain.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(unpacked.len(), 4_000);
    }

    #[tokio::test]
    async fn what_went_wrong_is_not_kept() {
        assert_eq!(keep(PageError::NotFound.into_response()).await.unwrap_err().status(), StatusCode::NOT_FOUND);
    }
}
