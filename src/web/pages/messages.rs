//! `/messages`: the log, the newest first, each message with its reply; searched and filtered by what is
//! known of it. And the same as a file, `/messages.csv` and `.json`.

use axum::Extension;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::asked::local;
use super::{cursor, link};
use crate::domain::outcome::Outcome;
use crate::domain::trouble::reasons;
use crate::limits::WEB_LIST_TEXT_CHARS;
use crate::store::pages::election::Election;
use crate::store::pages::messages::{self, Cursor, Filter, Row, Turn};
use crate::store::pages::submissions;
use crate::web::auth::Who;
use crate::web::auth::rights::Right;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Sheet, Source, Table};
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::{Chip, Chips, Pager, Take};
use crate::web::{App, format, text};

/// What can be asked of the direction and the reply: word, words, with a reply or without, states.
const REPLIES: [(&str, &str, Option<bool>, &[&str]); 7] = [
    ("in", "in, without a reply", Some(false), &[]),
    ("out", "out: with a reply", Some(true), &[]),
    ("waiting", "reply waits", None, &["due", "leased"]),
    ("sent", "reply sent", None, &["sent", "delivered"]),
    ("delivered", "reply delivered", None, &["delivered"]),
    ("failed", "reply not delivered", None, &["undelivered", "refused", "expired", "unknown"]),
    ("withheld", "reply withheld", None, &["withheld"]),
];

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    election: String,
    outcome: String,
    q: String,
    sender: String,
    reply: String,
    link: String,
    from: String,
    until: String,
    after: String,
    before: String,
}

impl Asked {
    fn pairs(&self) -> [(&'static str, &str); 8] {
        [
            ("election", self.election.trim()),
            ("outcome", &self.outcome),
            ("q", self.q.trim()),
            ("sender", self.sender.trim()),
            ("reply", &self.reply),
            ("link", &self.link),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }

    fn at(&self, path: &str, place: (&str, &str)) -> String {
        let mut pairs = self.pairs().to_vec();
        pairs.push(place);
        link(path, &pairs)
    }

    fn without(&self, name: &str) -> String {
        let pairs: Vec<(&str, &str)> = self.pairs().into_iter().filter(|(n, _)| *n != name).collect();
        link("/messages", &pairs)
    }

    fn reply(&self) -> Option<&'static (&'static str, &'static str, Option<bool>, &'static [&'static str])> {
        REPLIES.iter().find(|r| r.0 == self.reply)
    }

    fn chips(&self) -> Chips {
        let outcome = Outcome::from_word(&self.outcome).map_or("", |o| super::outcome_words(&o));
        let all = [
            (Some("Text"), "q", self.q.trim().to_owned()),
            (Some("Sender"), "sender", self.sender.trim().to_owned()),
            (Some("Outcome"), "outcome", outcome.to_owned()),
            (None, "reply", self.reply().map_or("", |r| r.1).to_owned()),
            (Some("Link"), "link", self.link.clone()),
            (Some("From"), "from", self.from.replace('T', " ")),
            (Some("Until"), "until", self.until.replace('T', " ")),
        ];
        let set = all.into_iter().filter(|(_, _, words)| !words.is_empty());
        Chips {
            chips: set.map(|(kind, name, words)| Chip { kind, words, without: self.without(name) }).collect(),
            clear: link("/messages", &[("election", self.election.trim())]),
        }
    }

    async fn filter(&self, app: &App, who: &Who, election: Option<&Election>) -> Result<Filter, PageError> {
        let outcomes = match self.outcome.as_str() {
            "" => Vec::new(),
            word => vec![Outcome::from_word(word).ok_or(PageError::NotFound)?.as_str()],
        };
        let reply = match self.reply.as_str() {
            "" => None,
            _ => Some(self.reply().ok_or(PageError::NotFound)?),
        };
        let mut filter = Filter {
            election: election.map(|e| e.id),
            outcomes,
            from: local(&self.from)?,
            until: local(&self.until)?,
            timezone: election.map_or_else(String::new, |e| e.timezone.clone()),
            words: Some(self.q.trim().to_owned()).filter(|q| !q.is_empty()),
            link: Some(self.link.clone()).filter(|l| !l.is_empty()),
            answered: reply.and_then(|r| r.2),
            replies: reply.filter(|r| !r.3.is_empty()).map(|r| r.3.to_vec()),
            ..Filter::default()
        };
        self.sender(app, who, election, &mut filter).await?;
        Ok(filter)
    }

    /// An observer's code within an election; or a whole phone number, for those who may know it.
    async fn sender(
        &self,
        app: &App,
        who: &Who,
        election: Option<&Election>,
        filter: &mut Filter,
    ) -> Result<(), PageError> {
        let digits: String = self.sender.chars().filter(|c| !c.is_whitespace() && !"+-()".contains(*c)).collect();
        if digits.is_empty() {
            return Ok(());
        }
        if let Some(election) = election {
            filter.observer = submissions::observer(app.store(), election.id, &digits).await?;
        }
        if filter.observer.is_none() && may_look_for_phones(who) {
            filter.phone = messages::phone(app.store(), &digits).await?;
        }
        match (filter.observer, filter.phone) {
            (None, None) if may_look_for_phones(who) => {
                Err(PageError::Bad("Nobody with this code or whole phone number has sent a message."))
            }
            (None, None) => Err(PageError::Bad("No observer of this election has this code.")),
            _ => Ok(()),
        }
    }
}

/// Who may find a message by its sender's whole number; it is shown masked all the same.
fn may_look_for_phones(who: &Who) -> bool {
    who.may(Right::Phones)
}

#[derive(askama::Template)]
#[template(path = "messages.html")]
struct Page {
    layout: Layout,
    asked: Asked,
    timezone: Option<String>,
    rows: Vec<Row>,
    links: Vec<String>,
    looked: Option<i64>,
    chips: Chips,
    pager: Pager,
    take: Take,
    by_phone: bool,
}

impl Page {
    fn outcomes(&self) -> &'static [Outcome] {
        &Outcome::ALL
    }

    fn replies(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        REPLIES.iter().map(|r| (r.0, r.1, r.0 == self.asked.reply))
    }

    fn is_cut(row: &Row) -> bool {
        row.chars > WEB_LIST_TEXT_CHARS
    }

    fn is_wide(&self) -> bool {
        !(self.asked.link.is_empty() && self.asked.from.is_empty() && self.asked.until.is_empty())
    }
}

async fn election_of(app: &App, asked: &Asked) -> Result<Option<Election>, PageError> {
    match asked.election.trim() {
        "" => Ok(None),
        slug => Ok(Some(super::election(app, slug).await?)),
    }
}

/// Where a page of the log begins.
pub(super) fn turn(after: &str, before: &str) -> Result<Turn, PageError> {
    const CUT: PageError =
        PageError::Bad("This page’s address is cut or mistyped. Begin again at the list’s first page.");
    Ok(match (after, before) {
        ("", "") => Turn::First,
        ("", before) => Turn::Before(cursor::message(before).ok_or(CUT)?),
        (after, _) => Turn::After(cursor::message(after).ok_or(CUT)?),
    })
}

/// The ways from one page of the log to the others; `at` makes the address of a place.
pub(super) fn pager(page: &messages::Page, turn: Turn, at: impl Fn((&str, &str)) -> String) -> Pager {
    let row = |row: Option<&Row>| row.map(|r| cursor::of_message(r.cursor()));
    let looked = page.looked.map(|(_, to)| cursor::of_message(to));
    let (newer, older) = match turn {
        Turn::First => (None, looked.or_else(|| row(page.rows.last()).filter(|_| page.more))),
        Turn::After(c) => (
            row(page.rows.first()).or(Some(cursor::of_message(c))),
            looked.or_else(|| row(page.rows.last()).filter(|_| page.more)),
        ),
        Turn::Before(c) => (
            looked.or_else(|| row(page.rows.first()).filter(|_| page.more)),
            row(page.rows.last()).or(Some(cursor::of_message(c))),
        ),
    };
    Pager {
        newest: (turn != Turn::First).then(|| at(("", ""))),
        newer: newer.map(|c| at(("before", &c))),
        older: older.map(|c| at(("after", &c))),
        by_code: false,
    }
}

/// `GET /messages`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Answer {
    let turn = turn(&asked.after, &asked.before)?;
    let election = election_of(&app, &asked).await?;
    let filter = asked.filter(&app, &who, election.as_ref()).await?;
    let page = messages::page(app.store(), &filter, turn).await?;
    let links = messages::links(app.store()).await?;
    let by_phone = may_look_for_phones(&who);
    let mut layout = Layout::new("Messages", Some(who)).at("messages");
    if let Some(election) = &election {
        layout = layout.of(election);
    }
    let query = link("", &asked.pairs());
    render(&Page {
        layout,
        timezone: election.map(|e| e.timezone),
        pager: pager(&page, turn, |place| asked.at("/messages", place)),
        rows: page.rows,
        looked: page.looked.map(|l| l.0),
        links,
        chips: asked.chips(),
        take: Take::of("/messages", query.trim_start_matches('?')),
        by_phone,
        asked,
    })
}

/// Columns of [`Log`].
pub(super) const COLUMNS: [&str; 16] = [
    "received",
    "election",
    "observer",
    "phone",
    "to",
    "link",
    "text",
    "read_instead",
    "outcome",
    "delivered_times",
    "reply",
    "reply_state",
    "reply_sent",
    "spool",
    "sequence",
    "why",
];

/// `GET /messages.csv`, `.json`. Phones are masked in both.
pub(in crate::web) async fn file(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    form: Form,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let election = election_of(&app, &asked).await?;
    let filter = asked.filter(&app, &who, election.as_ref()).await?;
    let table = Table::new(form, &[asked.election.trim(), "messages", &asked.outcome], COLUMNS);
    export::send(&app, table, Log { app: app.clone(), filter, after: None }).await
}

/// Rows of the log, from the newest.
pub(super) struct Log {
    pub(super) app: App,
    pub(super) filter: Filter,
    pub(super) after: Option<Cursor>,
}

impl Source for Log {
    async fn write(&mut self, sheet: &mut Sheet) -> Result<bool, PageError> {
        let (rows, end) = messages::next(self.app.store(), &self.filter, self.after).await?;
        for r in &rows {
            let (reply, state) = r.reply.as_ref().map_or((None, None), |(text, state)| (Some(text), Some(state)));
            sheet.row([
                (&r.received).into(),
                r.election.as_deref().into(),
                r.observer.as_deref().into(),
                (&r.phone).into(),
                (&r.destination).into(),
                (&r.link).into(),
                r.text.as_deref().into(),
                r.instead.as_deref().into(),
                r.outcome.as_str().into(),
                (r.redelivered + 1).into(),
                reply.into(),
                state.into(),
                r.reply_sent.into(),
                r.spool.to_string().into(),
                r.sequence.into(),
                r.reading.is_some().then(|| reasons(r.outcome, r.reading.as_ref()).join("; ")).into(),
            ]);
        }
        self.after = end;
        Ok(end.is_some())
    }
}
