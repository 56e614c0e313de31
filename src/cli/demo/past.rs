//! The demo's two archived elections: days of the same generator with other seeds, as they stood when
//! they were over, written at once and archived by the ordinary command.

use std::collections::BTreeMap;

use anyhow::Context;
use time::OffsetDateTime;
use time::macros::datetime;

use super::site::Site;
use crate::cli::rehearse::roster;
use crate::config::Config;
use crate::domain::checklist::Kind;
use crate::domain::checklist::logic::{Logic, facts};
use crate::domain::value::Answers;
use crate::generator::{Day, Form};
use crate::role::support;
use crate::store::past::{self, PastReport};

/// Short name, name, opening, seed added to the demo's, stations, observers.
const PAST: [(&str, &str, OffsetDateTime, u64, u32, u32); 2] = [
    ("councils-2023", "District councils, 18 November 2023", datetime!(2023-11-18 00:00 UTC), 1_000, 900, 160),
    ("parliament-2021", "Parliamentary election, 6 March 2021", datetime!(2021-03-06 00:00 UTC), 2_000, 1_200, 240),
];

/// Makes both.
pub(super) async fn archive(site: &Site, seed: u64) -> anyhow::Result<()> {
    for (slug, name, opened, more, stations, observers) in PAST {
        let day = Day::new(seed.wrapping_add(more), stations, observers, 0.0);
        let folder = site.path("roster").join(slug);
        let checklists = roster::write(&folder, &day, None)?;
        let file = |name: &str| folder.join(name).display().to_string();
        site.run(&["election", "create", slug, "--name", name, "--language", "en"], "").await?;
        site.run(&["location", "import", slug, &file("locations.csv")], "").await?;
        for checklist in &checklists {
            site.run(&["checklist", "import", slug, &file(checklist)], "").await?;
        }
        site.run(&["observer", "import", slug, &file("observers.csv")], "").await?;
        let config = Config::load(&site.config()).context("the demo's configuration")?;
        let store = support::open_owner(&config).await?;
        let reports = reports(&day)?;
        past::write(&store, slug, opened, &reports).await?;
        store.close().await;
        site.run(&["election", "archive", slug, "--yes"], "").await?;
    }
    Ok(())
}

/// What a right system has of each report when the day is over.
fn reports(day: &Day) -> anyhow::Result<Vec<PastReport>> {
    let mut logic = BTreeMap::new();
    for form in Form::ALL {
        let checklist = form.checklist()?;
        let ready = Logic::new(&checklist).map_err(anyhow::Error::msg)?;
        logic.insert(form.prefix(), (checklist, ready));
    }
    let mut reports: BTreeMap<(&'static str, String, u32), PastReport> = BTreeMap::new();
    for event in day.events() {
        for report in event.expected.reports {
            let prefix = report.form.prefix();
            let Some((checklist, _)) = logic.get(prefix) else { continue };
            let incident = checklist.kind == Kind::Incident;
            let key = (prefix, report.observer.clone(), if incident { event.at_ms } else { 0 });
            let it = reports.entry(key).or_insert_with(|| PastReport {
                prefix: prefix.to_owned(),
                kind: if incident { "incident" } else { "checklist" },
                observer: report.observer.clone(),
                answers: Answers::new(),
                missing: 0,
                broken: Vec::new(),
                at_ms: i64::from(event.at_ms),
            });
            it.answers.extend(report.answers.into_iter().filter(|(_, value)| value.is_some()));
        }
    }
    for report in reports.values_mut() {
        let Some((_, logic)) = logic.get(report.prefix.as_str()) else { continue };
        // Of what a location has the rules of these forms ask nothing.
        let facts = || facts(&report.answers, &[]);
        let missing = logic.missing(facts()).count();
        let broken = logic.broken(facts()).map(|c| c.rule.name.clone()).collect();
        (report.missing, report.broken) = (i16::try_from(missing).unwrap_or(i16::MAX), broken);
    }
    let mut reports: Vec<PastReport> = reports.into_values().collect();
    reports.sort_by_key(|r| r.at_ms);
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_past_day_has_reports_of_every_form_most_of_them_complete() {
        let reports = reports(&Day::new(3, 900, 160, 0.0)).unwrap();
        for form in Form::ALL {
            assert!(reports.iter().any(|r| r.prefix == form.prefix()), "{}", form.prefix());
        }
        let complete = reports.iter().filter(|r| r.missing == 0).count();
        assert!(reports.len() > 300 && complete * 10 > reports.len() * 9, "{complete} of {}", reports.len());
        assert!(reports.windows(2).all(|w| w[0].at_ms <= w[1].at_ms));
    }
}
