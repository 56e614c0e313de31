//! `/requests`: what staff ask for. The web only notes it; a worker carries it out, and the page of the
//! request shows what came of it, loading itself again until then.

use axum::Extension;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::question_table::{file_of, may_export};
use crate::domain::outcome::Outcome;
use crate::limits::TEXT_BYTES_MAX;
use crate::store::pages::{Moment, reading};
use crate::store::request::Request;
use crate::web::auth::Who;
use crate::web::auth::rights::Right;
use crate::web::error::PageError;
use crate::web::export::{self, Table};
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::Take;
use crate::web::{App, format, text};

/// Seconds after which a page that waits loads itself again.
const AGAIN: &str = "2";

/// May this person ask for messages to be read anew?
pub(super) fn may_ask(who: &Who) -> bool {
    who.may(Right::Ask)
}

/// A text without what can't be seen in a form: marks of direction and of no width, which the grammar
/// drops as well, and control characters.
pub(super) fn visible(text: &str) -> String {
    let shown = |c: &char| match c {
        '\n' | '\t' => true,
        '\u{AD}'
        | '\u{61C}'
        | '\u{200B}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}'
        | '\u{FEFF}' => false,
        c => !c.is_control(),
    };
    text.chars().filter(shown).collect()
}

/// What is sent.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Sent {
    #[serde(default)]
    spool: String,
    #[serde(default)]
    sequence: String,
    /// A corrected reading; without one the text is read once more.
    text: Option<String>,
    #[serde(default)]
    outcomes: String,
    #[serde(default)]
    election: String,
    #[serde(default)]
    hours: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    reply: String,
    #[serde(default)]
    vouch: String,
    #[serde(default)]
    preview: String,
}

/// `POST /requests`
pub(in crate::web) async fn submit(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    form: Result<Form<Sent>, FormRejection>,
) -> Result<Response, PageError> {
    let Form(sent) = form
        .map_err(|_| PageError::Bad("The form can’t be read. Go back, load the page again, and send it once more."))?;
    let payload = payload(&sent)?;
    let id = reading::ask(app.store(), "reread", &who.name, &payload).await?;
    metrics::counter!("scrutineer_web_asked_total").increment(1);
    tracing::info!(user = %who.name, request = id, preview = %payload["preview"], "messages are asked to be read anew");
    Ok(Redirect::to(&format!("/requests/{id}")).into_response())
}

fn payload(sent: &Sent) -> Result<Value, PageError> {
    if sent.why.chars().count() > 500 {
        return Err(PageError::Bad("Say why in at most 500 characters."));
    }
    let mut out = json!({"why": sent.why.trim(), "preview": !sent.preview.is_empty(), "reply": !sent.reply.is_empty()});
    if sent.spool.is_empty() {
        let outcomes: Vec<&str> = sent.outcomes.split(',').filter(|w| Outcome::from_word(w).is_some()).collect();
        if outcomes.is_empty() {
            return Err(PageError::Bad("Choose which messages are to be read anew."));
        }
        out["outcomes"] = json!(outcomes);
        if !sent.election.is_empty() {
            out["election"] = sent.election.as_str().into();
        }
        if let Ok(hours) = sent.hours.parse::<u16>() {
            let since = OffsetDateTime::now_utc() - time::Duration::hours(i64::from(hours));
            out["since"] = since.format(&Rfc3339).map_err(|e| PageError::Bug(e.to_string()))?.into();
        }
        return Ok(out);
    }
    out["vouch"] = (!sent.vouch.is_empty()).into();
    let no_message = || PageError::Bad("No such message.");
    out["spool"] = json!(Uuid::try_parse(&sent.spool).map_err(|_| no_message())?);
    out["sequence"] = json!(sent.sequence.parse::<i64>().map_err(|_| no_message())?);
    if let Some(text) = &sent.text {
        // Browsers send line breaks as CR LF.
        let text = visible(&text.replace("\r\n", "\n"));
        if text.trim().is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(PageError::Bad("Write what is to be read in the place of what came."));
        }
        if sent.why.trim().is_empty() {
            return Err(PageError::Bad(
                "Say why the reading is corrected: it stands in the history. Go back, and write it.",
            ));
        }
        out["text"] = text.trim().into();
    }
    Ok(out)
}

/// A message of a result.
struct Text {
    href: String,
    message: String,
    text: String,
    before: Option<Outcome>,
    after: Option<Outcome>,
    answers: Vec<(String, String, String)>,
    reply: Option<String>,
    error: Option<String>,
}

#[derive(askama::Template)]
#[template(path = "request.html")]
struct Page {
    layout: Layout,
    it: Request,
    result: Value,
    texts: Vec<Text>,
    outcomes: Vec<(String, i64)>,
    take: Option<Take>,
    sent: Sent,
    may_ask: bool,
}

impl Page {
    fn utc(at: &OffsetDateTime) -> format::Time {
        utc(at)
    }

    fn number(&self, key: &str) -> i64 {
        self.result[key].as_i64().unwrap_or(0)
    }

    fn error(&self) -> Option<&str> {
        self.result["error"].as_str()
    }

    fn is_reading(&self) -> bool {
        self.it.kind == "reread"
    }

    fn is_preview(&self) -> bool {
        self.it.payload["preview"] == true
    }

    fn why(&self) -> &str {
        self.it.payload["why"].as_str().unwrap_or_default()
    }

    fn what(&self) -> String {
        what(&self.it)
    }

    fn state(&self) -> (&'static str, &'static str) {
        state(&self.it.state)
    }
}

fn utc(at: &OffsetDateTime) -> format::Time {
    format::time(&Moment { at: *at, local: time::PrimitiveDateTime::new(at.date(), at.time()) })
}

fn state(word: &str) -> (&'static str, &'static str) {
    match word {
        "done" => ("good", "carried out"),
        "refused" => ("bad", "refused"),
        "failed" => ("bad", "failed"),
        _ => ("fair", "waits for a worker"),
    }
}

/// What is asked, in words.
fn what(request: &Request) -> String {
    let p = &request.payload;
    let one = p["sequence"].is_i64();
    match (request.kind.as_str(), one) {
        ("reread", true) if p["text"].is_string() => "Corrected reading of one message".to_owned(),
        ("reread", true) => "One message read once more".to_owned(),
        ("reread", false) => {
            let words: Vec<&str> = p["outcomes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            format!("Messages read once more: {}", words.join(", ").replace('_', " "))
        }
        ("retry", _) => "A message that was set aside, processed again".to_owned(),
        (kind, _) => kind.replace('_', " "),
    }
}

/// `GET /requests/{id}`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let (id, form) = file_of(&id);
    let id: i64 = id.parse().map_err(|_| PageError::NotFound)?;
    let it = reading::asked(app.store(), id).await?.ok_or(PageError::NotFound)?;
    let result = it.result.clone().unwrap_or_default();
    let open = it.state == "open";
    let outcomes: Vec<(String, i64)> = result["outcomes"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(change, count)| (change.replace('_', " "), count.as_i64().unwrap_or(0)))
        .collect();
    if let Some(form) = form {
        // The address is the page's, which asks for less.
        may_export(&who)?;
        let table = Table::new(form, &["request", &id.to_string()], ["before_and_after", "messages"]);
        return export::whole(&app, table, |sheet| {
            for (change, count) in &outcomes {
                sheet.row([change.into(), (*count).into()]);
            }
        });
    }
    let word = |key: &str| it.payload[key].as_str().unwrap_or_default().to_owned();
    // What a preview leads on to is the same, done.
    let sent = Sent {
        spool: word("spool"),
        sequence: it.payload["sequence"].as_i64().map(|n| n.to_string()).unwrap_or_default(),
        text: it.payload["text"].as_str().map(str::to_owned),
        outcomes: it.payload["outcomes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(","),
        election: word("election"),
        hours: hours_since(&it),
        why: word("why"),
        reply: if it.payload["reply"] == true { "1".to_owned() } else { String::new() },
        vouch: if it.payload["vouch"] == true { "1".to_owned() } else { String::new() },
        preview: String::new(),
    };
    let page = Page {
        texts: result["texts"].as_array().into_iter().flatten().map(of_result).collect(),
        take: (!outcomes.is_empty() && who.may(Right::Export)).then(|| Take::of(&format!("/requests/{id}"), "")),
        outcomes,
        may_ask: may_ask(&who),
        layout: Layout::new(format!("Request {id}"), Some(who)).at("requests"),
        it,
        result,
        sent,
    };
    let html = render(&page)?;
    Ok(if open { ([("refresh", AGAIN)], html).into_response() } else { html.into_response() })
}

/// Hours before now from which a request took its messages, rounded up.
fn hours_since(it: &Request) -> String {
    let since = it.payload["since"].as_str().and_then(|s| OffsetDateTime::parse(s, &Rfc3339).ok());
    since.map_or_else(String::new, |at| ((OffsetDateTime::now_utc() - at).whole_hours() + 1).to_string())
}

fn of_result(text: &Value) -> Text {
    let word = |key: &str| text[key].as_str().unwrap_or_default();
    let shown = |value: &Value| match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Text {
        href: format!("/messages/{}/{}", super::encode(word("spool")), text["sequence"].as_i64().unwrap_or(0)),
        message: word("message").to_owned(),
        text: word("text").to_owned(),
        before: Outcome::from_word(word("before")),
        after: Outcome::from_word(word("after")),
        answers: text["answers"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|a| (a[0].as_str().unwrap_or_default().to_owned(), shown(&a[1]), shown(&a[2])))
            .collect(),
        reply: text["reply"].as_str().map(str::to_owned),
        error: text["error"].as_str().map(str::to_owned),
    }
}

#[derive(askama::Template)]
#[template(path = "requests.html")]
struct List {
    layout: Layout,
    rows: Vec<Request>,
    take: Take,
}

impl List {
    fn utc(at: &OffsetDateTime) -> format::Time {
        utc(at)
    }

    fn what(row: &Request) -> String {
        what(row)
    }

    fn state(row: &Request) -> (&'static str, &'static str) {
        state(&row.state)
    }

    fn changed(row: &Request) -> Option<i64> {
        row.result.as_ref()?["changed"].as_i64()
    }

    fn is_preview(row: &Request) -> bool {
        row.payload["preview"] == true
    }
}

/// `GET /requests`
pub(in crate::web) async fn list(State(app): State<App>, Extension(who): Extension<Who>) -> Answer {
    let rows = reading::newest(app.store()).await?;
    let take = Take::of("/requests", "");
    render(&List { layout: Layout::new("Requests", Some(who)).at("requests"), rows, take })
}
