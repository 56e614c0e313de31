//! `/elections/{slug}`: what was expected and what came, in all, by checklist, by area, over time.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::link;
use crate::archive;
use crate::domain::outcome::Outcome;
use crate::limits::WEB_AREA_ROWS_SHOWN;
use crate::store::pages::election::Election;
use crate::store::pages::overview::{Area, Overview, Tally, overview};
use crate::store::pages::{Moment, Place};
use crate::web::auth::Who;
use crate::web::error::PageError;
use crate::web::layout::{Answer, Layout, render};
use crate::web::list::Take;
use crate::web::plot::bar;
use crate::web::plot::growth::{Growth, Line};
use crate::web::{App, format};

/// What is asked for.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    /// Code of an area.
    #[serde(default)]
    area: String,
    /// Prefix of a checklist, for the table by area.
    #[serde(default)]
    checklist: String,
}

#[derive(askama::Template)]
#[template(path = "overview.html")]
struct Page {
    layout: Layout,
    slug: String,
    language: String,
    timezone: String,
    figures: Arc<Overview>,
    trail: Vec<Place>,
    /// Index of the checklist of the table by area.
    chosen: Option<usize>,
    area_code: String,
    /// As many areas as a page takes, then all others as one.
    areas: Vec<Area>,
    growth: Growth,
    archived: Option<Moment>,
}

impl Page {
    fn path(&self) -> String {
        format!("/elections/{}", self.slug)
    }

    /// The files of one of the tables.
    fn take(&self, table: &str) -> Take {
        Take::of(&format!("{}/{table}", self.path()), link("", &[("area", &self.area_code)]).trim_start_matches('?'))
    }

    /// Are there areas that have no row of their own?
    fn is_cut(&self) -> bool {
        self.figures.areas_cut || self.areas.len() < self.figures.areas.len()
    }

    fn area_link(&self, code: &str) -> String {
        link(&self.path(), &[("area", code), ("checklist", self.chosen_prefix())])
    }

    fn checklist_link(&self, prefix: &str) -> String {
        link(&self.path(), &[("area", &self.area_code), ("checklist", prefix)])
    }

    fn submissions_link(&self, prefix: &str, area: &str, state: &str) -> String {
        let path = format!("{}/submissions", self.path());
        link(
            &path,
            &[("checklist", prefix), ("area", if area.is_empty() { &self.area_code } else { area }), ("state", state)],
        )
    }

    fn messages_link(&self, outcome: &Outcome) -> String {
        link("/messages", &[("election", &self.slug), ("outcome", outcome.as_str())])
    }

    fn chosen_prefix(&self) -> &str {
        self.chosen.and_then(|i| self.figures.checklists.get(i)).map_or("", |c| c.prefix.as_str())
    }

    /// An area's tally of the chosen checklist, or of all.
    fn tally(&self, area: &Area) -> Tally {
        match self.chosen {
            Some(i) => area.tallies.get(i).copied().unwrap_or_default(),
            None => {
                let mut sum = Tally::default();
                area.tallies.iter().for_each(|t| sum.add(*t));
                sum
            }
        }
    }

    fn is_chosen(&self, index: &usize) -> bool {
        self.chosen == Some(*index)
    }

    fn level(&self) -> String {
        let first = self.figures.areas.iter().find_map(|a| a.place.as_ref());
        first.map_or_else(
            || "area".to_owned(),
            |p| if p.is_station { "polling station".to_owned() } else { p.level.clone() },
        )
    }

    fn messages(&self) -> i64 {
        self.figures.outcomes.iter().map(|(_, n)| n).sum()
    }
}

/// The figures of an election or an area of it, as they were a few seconds ago at most, or as archived.
pub(super) async fn figures(app: &App, election: &Election, area: Option<&Place>) -> Result<Arc<Overview>, PageError> {
    let key = (election.id, election.version, area.map(|a| a.id));
    let compute = async {
        if election.version > 0 {
            let key = archive::key::overview(area.map_or("", |a| &a.code));
            return super::frozen(app, election, &key).await?.ok_or(PageError::NotFound);
        }
        overview(app.store(), election, area).await.map_err(PageError::from)
    };
    app.0.overviews.get(key, compute).await
}

/// As many areas as a page takes, with their names; all others are added up in one.
fn shown(areas: &[Area]) -> Vec<Area> {
    if areas.len() <= WEB_AREA_ROWS_SHOWN {
        return areas.to_vec();
    }
    let (own, others) = areas.split_at(WEB_AREA_ROWS_SHOWN - 1);
    let mut sum = Area { place: None, observers: 0, tallies: Vec::new() };
    for area in others {
        sum.observers += area.observers;
        sum.tallies.resize(area.tallies.len(), Tally::default());
        sum.tallies.iter_mut().zip(&area.tallies).for_each(|(sum, tally)| sum.add(*tally));
    }
    own.iter().cloned().chain([sum]).collect()
}

/// `GET /elections/{slug}`
pub(in crate::web) async fn page(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
) -> Answer {
    let election = super::election(&app, &slug).await?;
    let trail = super::area(&app, &election, &asked.area).await?;
    let area = trail.last();
    let figures = figures(&app, &election, area).await?;
    let chosen = figures.checklists.iter().position(|c| c.prefix == asked.checklist);
    if chosen.is_none() && !asked.checklist.is_empty() {
        return Err(PageError::NotFound);
    }
    let lines = figures
        .checklists
        .iter()
        .enumerate()
        .map(|(i, c)| Line {
            name: c.title.get(&election.language).to_owned(),
            code: c.prefix.clone(),
            steps: figures.steps.iter().filter(|s| s.checklist == i).map(|s| (s.from, s.seconds, s.reports)).collect(),
        })
        .collect();
    render(&Page {
        areas: shown(&figures.areas),
        layout: Layout::new("Overview", Some(who)).at("overview").of(&election),
        slug,
        archived: election.archived,
        language: election.language,
        timezone: election.timezone,
        growth: Growth::new(lines, figures.observers),
        trail,
        chosen,
        area_code: asked.area,
        figures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_past_the_bound_are_one_row_and_the_sums_stay() {
        let areas: Vec<Area> = (0..WEB_AREA_ROWS_SHOWN as i64 + 30)
            .map(|n| Area {
                place: None,
                observers: n,
                tallies: vec![Tally { expected: n, complete: n / 2, partial: 1 }, Tally::default()],
            })
            .collect();
        let shown = super::shown(&areas);
        assert_eq!(shown.len(), WEB_AREA_ROWS_SHOWN);
        let sum = |areas: &[Area]| {
            areas.iter().map(|a| (a.observers, a.tallies[0].complete)).fold((0, 0), |s, a| (s.0 + a.0, s.1 + a.1))
        };
        assert_eq!(sum(&shown), sum(&areas));
        assert_eq!(super::shown(&areas[..WEB_AREA_ROWS_SHOWN]).len(), WEB_AREA_ROWS_SHOWN);
    }
}
