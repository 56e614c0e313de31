//! `/elections/{slug}/submissions/{id}`: one submission, its answers, messages and history.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::answer;
use super::question_table::file_of;
use crate::domain::checklist::{Question, Severity};
use crate::domain::value::{Answers, Value};
use crate::store::pages::Moment;
use crate::store::pages::election::Election;
use crate::store::pages::submission::{Detail, Revision, by_id};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::export::{self, Form, Table};
use crate::web::layout::{Layout, render};
use crate::web::list::Take;
use crate::web::{App, format, text};

/// One line of the answers.
#[derive(Debug)]
struct Line {
    code: String,
    question: String,
    answer: Option<String>,
    required: bool,
    /// How the answer came to stand so, the oldest first.
    past: Vec<Past>,
}

/// What an answer was, when and by whom it was given.
#[derive(Debug, Clone)]
struct Past {
    received: Moment,
    /// `sms`, or what staff did and who.
    channel: String,
    made_by: Option<String>,
    /// It was read anew since, and counts no more.
    superseded: bool,
    spool: Uuid,
    sequence: i64,
    old: Option<String>,
    new: Option<String>,
}

/// Questions under one heading.
#[derive(Debug)]
struct Section {
    name: Option<String>,
    lines: Vec<Line>,
}

/// What one message changed.
#[derive(Debug)]
struct Change {
    code: String,
    old: Option<String>,
    new: Option<String>,
}

/// A rule that is broken.
#[derive(Debug)]
struct Broken {
    name: String,
    expr: String,
    message: String,
    is_error: bool,
}

#[derive(askama::Template)]
#[template(path = "submission.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    timezone: String,
    title: String,
    it: Detail,
    sections: Vec<Section>,
    strays: Vec<Line>,
    broken: Vec<Broken>,
    history: Vec<(Revision, Vec<Change>)>,
    take: Take,
}

/// `GET /elections/{slug}/submissions/{id}`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path((slug, id)): Path<(String, String)>,
) -> Result<Response, PageError> {
    let (id, form) = file_of(&id);
    let id = Uuid::try_parse(id).map_err(|_| PageError::NotFound)?;
    let election = super::election(&app, &slug).await?;
    let it = by_id(app.store(), &election, id).await?.ok_or(PageError::NotFound)?;
    shown(&app, who, election, it, form)
}

/// The page of a submission, or its answers as a file, wherever it was read.
pub(super) fn shown(
    app: &App,
    who: Who,
    election: Election,
    mut it: Detail,
    form: Option<Form>,
) -> Result<Response, PageError> {
    let language = &election.language;
    let title = it.checklist.as_ref().map_or_else(|| it.prefix.clone(), |c| c.title.get(language).to_owned());
    let history = history(std::mem::take(&mut it.history), &it, language);
    let (mut sections, mut strays) = (sections(&it, language), strays(&it, language));
    if let Some(form) = form {
        // The address is the page's, which asks for less.
        super::question_table::may_export(&who)?;
        let table = Table::new(form, &[&election.slug, &it.prefix, &it.observer], ["code", "question", "answer"]);
        return export::whole(app, table, |sheet| {
            for line in sections.iter().flat_map(|s| &s.lines).chain(&strays) {
                sheet.row([(&line.code).into(), (&line.question).into(), line.answer.as_ref().into()]);
            }
        });
    }
    let mut pasts = pasts(&history);
    for line in sections.iter_mut().flat_map(|s| &mut s.lines).chain(&mut strays) {
        line.past = pasts.remove(&line.code).unwrap_or_default();
    }
    let page = render(&Page {
        layout: Layout::new(format!("{} {}", it.prefix, it.observer), Some(who)).at("submissions").of(&election),
        take: Take::of(&format!("/elections/{}/submissions/{}", election.slug, it.id), ""),
        slug: election.slug,
        title,
        sections,
        strays,
        broken: broken(&it, language),
        history,
        it,
        language: election.language.clone(),
        timezone: election.timezone,
    })?;
    Ok(page.into_response())
}

fn sections(it: &Detail, language: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for question in it.checklist.iter().flat_map(|c| &c.questions) {
        let line = line(question, it.answers.get(&question.code).and_then(Option::as_ref), language);
        match sections.last_mut() {
            Some(section) if section.name == question.section => section.lines.push(line),
            _ => sections.push(Section { name: question.section.clone(), lines: vec![line] }),
        }
    }
    sections
}

fn line(question: &Question, value: Option<&Value>, language: &str) -> Line {
    let is_flag = matches!(question.kind, crate::domain::checklist::QuestionType::Flag {});
    Line {
        code: question.code.clone(),
        question: question.text.get(language).to_owned(),
        answer: value.map(|v| answer::words(Some(question), v, language)),
        required: question.required && !is_flag,
        past: Vec::new(),
    }
}

/// Answers to what the checklist no longer asks.
fn strays(it: &Detail, language: &str) -> Vec<Line> {
    let known = |code: &str| it.checklist.as_ref().is_some_and(|c| c.question(code).is_some());
    it.answers
        .iter()
        .filter(|(code, _)| !known(code))
        .filter_map(|(code, value)| {
            let answer = Some(answer::words(None, value.as_ref()?, language));
            Some(Line { code: code.to_string(), question: String::new(), answer, required: false, past: Vec::new() })
        })
        .collect()
}

/// What is wrong where a question was answered that, by the other answers, is not asked.
fn uncalled(it: &Detail, name: &str) -> String {
    let question = name.strip_prefix("applies:").and_then(|code| it.checklist.as_ref()?.question(code));
    question.map_or_else(String::new, |q| match &q.when {
        Some(when) => format!("{} is asked only if {when}", q.code),
        None => format!("{} is not asked here", q.code),
    })
}

fn broken(it: &Detail, language: &str) -> Vec<Broken> {
    let rule = |name: &str| it.checklist.iter().flat_map(|c| &c.rules).find(|r| r.name == name);
    it.broken_rules
        .iter()
        .map(|name| match rule(name) {
            Some(r) => Broken {
                name: name.clone(),
                expr: r.expr.clone(),
                message: r.message.get(language).to_owned(),
                is_error: r.severity != Severity::Warning,
            },
            None => Broken { name: name.clone(), expr: String::new(), message: uncalled(it, name), is_error: false },
        })
        .collect()
}

/// What each answer was before, by code.
fn pasts(history: &[(Revision, Vec<Change>)]) -> BTreeMap<String, Vec<Past>> {
    let mut pasts: BTreeMap<String, Vec<Past>> = BTreeMap::new();
    for (revision, changes) in history {
        for change in changes {
            pasts.entry(change.code.clone()).or_default().push(Past {
                received: revision.received,
                channel: revision.channel.clone(),
                made_by: revision.made_by.clone(),
                superseded: revision.superseded,
                spool: revision.spool,
                sequence: revision.sequence,
                old: change.old.clone(),
                new: change.new.clone(),
            });
        }
    }
    pasts
}

/// Each message with what it changed when all are applied in their order.
fn history(revisions: Vec<Revision>, it: &Detail, language: &str) -> Vec<(Revision, Vec<Change>)> {
    let mut now = Answers::new();
    let words = |code: &str, value: Option<&Value>| {
        let question = it.checklist.as_ref().and_then(|c| c.question(code));
        value.map(|v| answer::words(question, v, language))
    };
    revisions
        .into_iter()
        .map(|revision| {
            let mut changes = Vec::new();
            for (code, value) in &revision.answers {
                let old = now.get(code).cloned().flatten();
                if old != *value {
                    let new = words(code, value.as_ref());
                    changes.push(Change { code: code.to_string(), old: words(code, old.as_ref()), new });
                }
                if !revision.superseded {
                    now.insert(code.clone(), value.clone());
                }
            }
            (revision, changes)
        })
        .collect()
}
