//! `/elections/{slug}/questions/{prefix}/{code}`: one question, in all and area by area.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};

use super::link;
use super::question_table;
use super::questions::{self, Asked, question_link};
use crate::analysis::summary::{Bars, Numbers, Spread, Summary};
use crate::archive;
use crate::domain::checklist::Question;
use crate::limits::SMALL_CELL;
use crate::store::pages::Place;
use crate::store::pages::question::{AreaSummary, ByArea, Questions, by_area};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Layout, render};
use crate::web::list::Take;
use crate::web::plot::spread;
use crate::web::plot::strip::{Boxed, Columns, Meter};
use crate::web::{App, format};

#[derive(askama::Template)]
#[template(path = "question.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    trail: Vec<Place>,
    area_code: String,
    figures: Arc<Questions>,
    by_area: Arc<ByArea>,
    /// Place of the question in its checklist.
    at: usize,
    question: Question,
    whole: Summary,
    take: Take,
}

impl Page {
    fn prefix(&self) -> &str {
        &self.figures.checklist.prefix
    }

    fn area_link(&self, code: &str) -> String {
        question_link(&self.slug, self.prefix(), &self.question.code, code)
    }

    fn checklist_link(&self) -> String {
        link(&questions::path(&self.slug, self.prefix()), &[("area", &self.area_code)])
    }

    /// The question that is so many places further, or before.
    fn beside(&self, step: isize) -> Option<(String, &Question)> {
        let other = self.figures.checklist.questions.get(self.at.checked_add_signed(step)?)?;
        Some((question_link(&self.slug, self.prefix(), &other.code, &self.area_code), other))
    }

    fn level(&self) -> &str {
        self.by_area.areas.iter().find_map(|a| a.place.as_ref()).map_or("area", |p| p.level.as_str())
    }

    /// Columns of shares: the words above each, for a question with few options.
    fn shares(&self) -> Vec<String> {
        match &self.whole.spread {
            Spread::YesNo { .. } => {
                let (yes, no) = spread::yes_no_words(&self.question, &self.language);
                vec![yes.to_owned(), no.to_owned()]
            }
            Spread::Options(options) => {
                options.iter().map(|(n, _)| spread::option_words(&self.question, *n, &self.language)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// An area's counts, a column of [`Page::shares`] each.
    fn counts(&self, area: &AreaSummary) -> Vec<i64> {
        match (&self.whole.spread, &area.summary.spread) {
            (Spread::YesNo { .. }, Spread::YesNo { yes }) => vec![*yes, area.summary.answered - yes],
            (Spread::Options(whole), Spread::Options(here)) => {
                whole.iter().map(|(n, _)| here.iter().find(|(m, _)| m == n).map_or(0, |(_, count)| *count)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn numbers<'a>(&self, summary: &'a Summary) -> Option<&'a Numbers> {
        match &summary.spread {
            Spread::Numbers(numbers) => numbers.as_ref(),
            _ => None,
        }
    }

    fn is_numbers(&self) -> bool {
        matches!(self.whole.spread, Spread::Numbers(Some(_)))
    }

    fn is_times(&self) -> bool {
        matches!(self.whole.spread, Spread::Times(_))
    }

    /// On the scale of the whole.
    fn boxed<'a>(&self, numbers: &'a Numbers) -> Boxed<'a> {
        let whole = self.numbers(&self.whole).unwrap_or(numbers);
        Boxed { numbers, from: whole.min, to: whole.max }
    }

    /// An area's bands, those of the whole.
    fn bands(&self, summary: &Summary) -> Bars {
        match (&self.whole.spread, &summary.spread) {
            (Spread::Times(whole), Spread::Times(here)) => here.widened(whole.from, whole.width, whole.counts.len()),
            _ => Bars::default(),
        }
    }

    fn middle(&self, bars: &Bars) -> String {
        bars.middle().map_or_else(String::new, |begin| spread::clock_band(begin, bars.width))
    }
}

/// `GET /elections/{slug}/questions/{prefix}/{code}`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path((slug, prefix, code)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, PageError> {
    let (code, form) = question_table::file_of(&code);
    let election = super::election(&app, &slug).await?;
    let trail = super::area(&app, &election, &asked.area).await?;
    let area = trail.last();
    let figures = questions::figures(&app, &election, &prefix, area).await?;
    let found = figures.checklist.questions.iter().position(|q| q.code == code);
    let at = found.ok_or(PageError::NotFound)?;
    let question = figures.checklist.questions.get(at).cloned().ok_or(PageError::NotFound)?;
    let whole = figures.summaries.get(at).cloned().ok_or(PageError::NotFound)?;
    let key = (election.id, election.version, prefix.clone(), code.to_owned(), area.map(|a| a.id));
    let compute = async {
        if election.version > 0 {
            let key = archive::key::by_area(&figures.checklist.prefix, &question.code, &asked.area);
            // None is kept where only stations are below.
            let none = ByArea { areas: Vec::new(), cut: false };
            return Ok(super::frozen(&app, &election, &key).await?.unwrap_or(none));
        }
        by_area(app.store(), &election, &figures.checklist, &question, area).await.map_err(PageError::from)
    };
    let by_area = app.0.by_area.get(key, compute).await?;
    if let Some(form) = form {
        let rows = question_table::of_areas(&figures, at, &by_area, &election.language);
        return question_table::file(&app, &who, form, &[&slug, "question", &prefix, code, &asked.area], &rows);
    }
    let answer = render(&Page {
        layout: Layout::new(format!("{} {}", figures.checklist.prefix, question.code), Some(who))
            .at("questions")
            .of(&election),
        take: Take::of(
            &question_link(&slug, &prefix, code, ""),
            link("", &[("area", &asked.area)]).trim_start_matches('?'),
        ),
        slug,
        language: election.language,
        trail,
        area_code: asked.area,
        figures,
        by_area,
        at,
        question,
        whole,
    })?;
    Ok(answer.into_response())
}
