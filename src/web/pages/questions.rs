//! `/elections/{slug}/questions/{prefix}`: all questions of a checklist summed up, in the country or an area.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::link;
use super::question_table;
use crate::analysis::summary::{Spread, Summary};
use crate::archive::{AreaFrame, Frame, key};
use crate::domain::checklist::{Checklist, Question};
use crate::store::pages::Place;
use crate::store::pages::election::{self, ChecklistName, Election};
use crate::store::pages::question::{Questions, questions};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Layout, render};
use crate::web::list::Take;
use crate::web::plot::spread;
use crate::web::{App, format};

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    /// Code of an area.
    #[serde(default)]
    pub(super) area: String,
}

#[derive(askama::Template)]
#[template(path = "questions.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    checklists: Vec<ChecklistName>,
    areas: Vec<Place>,
    trail: Vec<Place>,
    area_code: String,
    figures: Arc<Questions>,
    take: Take,
}

impl Page {
    fn area_link(&self, code: &str) -> String {
        link(&path(&self.slug, &self.figures.checklist.prefix), &[("area", code)])
    }

    fn checklist_link(&self, prefix: &str) -> String {
        link(&path(&self.slug, prefix), &[("area", &self.area_code)])
    }

    fn question_link(&self, code: &str) -> String {
        question_link(&self.slug, &self.figures.checklist.prefix, code, &self.area_code)
    }

    /// Questions with their summaries, under the heading of their section.
    fn sections(&self) -> Vec<(String, Vec<(&Question, &Summary)>)> {
        let mut sections: Vec<(String, Vec<(&Question, &Summary)>)> = Vec::new();
        for one in self.figures.checklist.questions.iter().zip(&self.figures.summaries) {
            let heading = heading(&self.figures.checklist, one.0, &self.language);
            match sections.last_mut().filter(|(last, _)| *last == heading) {
                Some((_, questions)) => questions.push(one),
                None => sections.push((heading, vec![one])),
            }
        }
        sections
    }
}

/// The heading under which a question stands; empty without one.
fn heading(checklist: &Checklist, question: &Question, language: &str) -> String {
    let Some(name) = &question.section else { return String::new() };
    let section = checklist.sections.iter().find(|s| s.name == *name);
    section.and_then(|s| s.title.as_ref()).map_or(name.as_str(), |t| t.get(language)).to_owned()
}

/// Path of a checklist's page.
pub(super) fn path(slug: &str, prefix: &str) -> String {
    format!("/elections/{slug}/questions/{prefix}")
}

/// Address of a question's page.
pub(super) fn question_link(slug: &str, prefix: &str, code: &str, area: &str) -> String {
    link(&format!("{}/{code}", path(slug, prefix)), &[("area", area)])
}

/// What kind of question it is, in words.
pub(super) fn kind_words(question: &Question) -> &'static str {
    match question.kind.as_str() {
        "count" => "number",
        "yes_no" => "yes or no",
        "choice" => "one of the options",
        "multi_choice" => "any of the options",
        "time" => "time of day",
        "flag" => "mark",
        "decimal" => "number with decimals",
        "date" => "date",
        _ => "free text",
    }
}

/// Several options of one report: their shares add up to more than all.
pub(super) fn is_multi(summary: &Summary, question: &Question) -> bool {
    matches!(summary.spread, Spread::Options(_)) && question.kind.as_str() == "multi_choice"
}

/// The checklists' names, and the areas below one.
async fn frame(
    app: &App,
    election: &Election,
    area: Option<&Place>,
) -> Result<(Vec<ChecklistName>, Vec<Place>), PageError> {
    if election.version == 0 {
        let checklists = election::checklists(app.store(), election.id).await?;
        return Ok((checklists, election::below(app.store(), election.id, area).await?));
    }
    let frame: Frame = super::frozen(app, election, &key::frame()).await?.ok_or(PageError::NotFound)?;
    let below = match area {
        None => frame.areas,
        Some(area) => {
            let area: Option<AreaFrame> = super::frozen(app, election, &key::area(&area.code)).await?;
            area.map_or_else(Vec::new, |a| a.below)
        }
    };
    Ok((frame.checklists, below))
}

/// A checklist's summaries, as they were a few seconds ago at most.
pub(super) async fn figures(
    app: &App,
    election: &Election,
    prefix: &str,
    area: Option<&Place>,
) -> Result<Arc<Questions>, PageError> {
    if !prefix.bytes().all(|b| b.is_ascii_uppercase()) || prefix.len() > 12 {
        return Err(PageError::NotFound);
    }
    let key = (election.id, election.version, prefix.to_owned(), area.map(|a| a.id));
    let compute = async {
        let figures = match election.version {
            0 => questions(app.store(), election, prefix, area).await?,
            _ => super::frozen(app, election, &key::questions(prefix, area.map_or("", |a| &a.code))).await?,
        };
        figures.ok_or(PageError::NotFound)
    };
    app.0.questions.get(key, compute).await
}

/// `GET /elections/{slug}/questions`: leads to the first checklist.
pub(in crate::web) async fn first(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let election = super::election(&app, &slug).await?;
    let checklists = frame(&app, &election, None).await?.0;
    match checklists.first() {
        Some(first) => Ok(Redirect::to(&link(&path(&slug, &first.prefix), &[("area", &asked.area)])).into_response()),
        None => {
            let layout = Layout::new("Questions", Some(who)).at("questions").of(&election);
            Ok(render(&Nothing { layout })?.into_response())
        }
    }
}

#[derive(askama::Template)]
#[template(
    source = "{% extends \"base.html\" %}{% block main %}<h1>Questions</h1><p class=\"lead\">This election has no checklist yet.</p>{% endblock %}",
    ext = "html"
)]
struct Nothing {
    layout: Layout,
}

/// `GET /elections/{slug}/questions/{prefix}`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path((slug, prefix)): Path<(String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (prefix, form) = question_table::file_of(&prefix);
    let election = super::election(&app, &slug).await?;
    let trail = super::area(&app, &election, &asked.area).await?;
    let area = trail.last();
    let figures = figures(&app, &election, prefix, area).await?;
    if let Some(form) = form {
        let rows = question_table::of_checklist(&figures, &election.language);
        return question_table::file(&app, &who, form, &[&slug, "questions", prefix, &asked.area], &rows);
    }
    let (checklists, areas) = frame(&app, &election, area).await?;
    let answer = render(&Page {
        layout: Layout::new(format!("Questions of {prefix}"), Some(who)).at("questions").of(&election),
        take: Take::of(&path(&slug, prefix), link("", &[("area", &asked.area)]).trim_start_matches('?')),
        slug,
        language: election.language,
        checklists,
        areas,
        trail,
        area_code: asked.area,
        figures,
    })?;
    Ok(answer.into_response())
}
