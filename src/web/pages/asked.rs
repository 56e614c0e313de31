//! What a list of submissions is asked for, as it stands in an address: plain pairs, so that a form
//! makes it without a script, and every link and file of the list carries it on.

use time::PrimitiveDateTime;
use time::macros::format_description;

use super::condition::{self, COMPARISONS, Compiled, Condition};
use super::{cursor, encode};
use crate::domain::checklist::Checklist;
use crate::limits::WEB_CONDITIONS_MAX;
use crate::store::archive_submission::Wanted;
use crate::store::pages::Place;
use crate::store::pages::election::Election;
use crate::store::pages::submission_filter::{Answered, Filter, Turn, state};
use crate::store::pages::submissions;
use crate::web::App;
use crate::web::error::PageError;
use crate::web::list::Chip;

/// States: in an address, in words, its bit.
pub(super) const STATES: [(&str, &str, i32); 6] = [
    ("complete", "complete", state::COMPLETE),
    ("partial", "partial", state::PARTIAL),
    ("broken", "breaks a rule", state::BROKEN),
    ("revised", "sent more than once", state::REVISED),
    ("comment", "with a comment", state::COMMENTED),
    ("unverified", "from another’s phone", state::UNVERIFIED),
];

pub(super) const CUT: PageError =
    PageError::Bad("This page’s address is cut or mistyped. Begin again at the list’s first page.");

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Prefix of a checklist.
    pub(super) checklist: String,
    /// Code of an area or station.
    pub(super) area: String,
    /// Code of an observer.
    pub(super) observer: String,
    /// Words of [`STATES`].
    pub(super) states: Vec<&'static str>,
    /// `YYYY-MM-DDTHH:MM` by the election's clocks.
    pub(super) from: String,
    /// See `from`.
    pub(super) until: String,
    /// Conditions on answers.
    pub(super) answers: Vec<Condition>,
    /// A page's place.
    pub(super) after: String,
    /// See `after`.
    pub(super) before: String,
}

impl Asked {
    /// Reads the pairs of an address. A condition is `q`, `op`, `v`, in this order, any number of times; what
    /// a form sends empty counts as not sent.
    pub(super) fn read(pairs: Vec<(String, String)>) -> Result<Self, PageError> {
        let mut asked = Self::default();
        for (name, value) in pairs {
            let value = value.trim().to_owned();
            match name.as_str() {
                "checklist" => asked.checklist = value,
                "area" => asked.area = value,
                "observer" => asked.observer = value,
                "from" => asked.from = value,
                "until" => asked.until = value,
                "after" => asked.after = value,
                "before" => asked.before = value,
                "state" if value.is_empty() => {}
                "state" => {
                    let known = STATES.iter().find(|(word, _, _)| *word == value).ok_or(PageError::NotFound)?.0;
                    if !asked.states.contains(&known) {
                        asked.states.push(known);
                    }
                }
                "q" if !value.is_empty() && asked.answers.len() >= WEB_CONDITIONS_MAX => {
                    return Err(PageError::Bad("These are too many conditions on answers at once."));
                }
                // An empty line of the form takes no place, but what follows it is not the line before.
                "q" => asked.answers.push(Condition {
                    code: value.to_uppercase(),
                    comparison: "eq".to_owned(),
                    value: String::new(),
                }),
                "op" if COMPARISONS.iter().any(|(c, _)| *c == value) => {
                    if let Some(last) = asked.answers.last_mut() {
                        last.comparison = value;
                    }
                }
                "v" => {
                    if let Some(last) = asked.answers.last_mut() {
                        last.value = value;
                    }
                }
                _ => {}
            }
        }
        asked.answers.retain(|c| !c.code.is_empty());
        // A question without a value: is it answered at all?
        for c in &mut asked.answers {
            if c.takes_value() && c.value.is_empty() {
                c.comparison = if c.comparison == "ne" { "missing" } else { "answered" }.to_owned();
            }
        }
        Ok(asked)
    }

    /// The pairs again, without a page's place.
    pub(super) fn pairs(&self) -> Vec<(&'static str, &str)> {
        let mut pairs: Vec<(&'static str, &str)> = vec![
            ("checklist", &self.checklist),
            ("area", &self.area),
            ("observer", &self.observer),
            ("from", &self.from),
            ("until", &self.until),
        ];
        pairs.extend(self.states.iter().map(|s| ("state", *s)));
        for c in &self.answers {
            pairs.extend([("q", c.code.as_str()), ("op", &c.comparison)]);
            if c.takes_value() {
                pairs.push(("v", &c.value));
            }
        }
        pairs.retain(|(_, value)| !value.is_empty());
        pairs
    }

    /// The query of an address, with a page's place.
    pub(super) fn query(&self, place: Option<(&'static str, &str)>) -> String {
        let mut pairs = self.pairs();
        pairs.extend(place);
        pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
    }

    /// A path with this query.
    pub(super) fn link(&self, path: &str, place: Option<(&'static str, &str)>) -> String {
        match self.query(place) {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// Each filter with the way to be rid of it. `area` is the name of the place.
    pub(super) fn chips(&self, path: &str, area: Option<&str>) -> Vec<Chip> {
        let mut chips = Vec::new();
        let mut chip = |kind: Option<&'static str>, words: &str, without: Self| {
            if !words.is_empty() {
                chips.push(Chip { kind, words: words.to_owned(), without: without.link(path, None) });
            }
        };
        chip(Some("Checklist"), &self.checklist, Self { checklist: String::new(), ..self.clone() });
        chip(Some("Area"), area.unwrap_or(&self.area), Self { area: String::new(), ..self.clone() });
        chip(Some("Observer"), &self.observer, Self { observer: String::new(), ..self.clone() });
        for (word, words, _) in STATES.iter().filter(|s| self.states.contains(&s.0)) {
            let states = self.states.iter().copied().filter(|s| s != word).collect();
            chip(None, words, Self { states, ..self.clone() });
        }
        chip(Some("From"), &self.from.replace('T', " "), Self { from: String::new(), ..self.clone() });
        chip(Some("Until"), &self.until.replace('T', " "), Self { until: String::new(), ..self.clone() });
        for (i, c) in self.answers.iter().enumerate() {
            let mut answers = self.answers.clone();
            answers.remove(i);
            chip(Some("Answer"), &c.words(), Self { answers, ..self.clone() });
        }
        chips
    }

    /// Where the page begins.
    pub(super) fn turn(&self) -> Result<Turn, PageError> {
        Ok(match (self.after.as_str(), self.before.as_str()) {
            ("", "") => Turn::First,
            ("", before) => Turn::Before(cursor::submission(before).ok_or(CUT)?),
            (after, _) => Turn::After(cursor::submission(after).ok_or(CUT)?),
        })
    }

    /// The filter for the database; `trail` is the area's.
    pub(super) async fn filter(
        &self,
        app: &App,
        election: &Election,
        trail: &[Place],
        checklists: &[Checklist],
    ) -> Result<Filter, PageError> {
        let observer = match self.observer.as_str() {
            "" => None,
            code => Some(
                submissions::observer(app.store(), election.id, code)
                    .await?
                    .ok_or(PageError::Bad("No observer of this election has this code."))?,
            ),
        };
        Ok(Filter {
            election: election.id,
            timezone: election.timezone.clone(),
            prefix: Some(self.checklist.clone()).filter(|p| !p.is_empty()),
            area: trail.last().map(|a| a.id),
            observer,
            states: self.bits(),
            from: local(&self.from)?,
            until: local(&self.until)?,
            answers: self.answered(checklists)?,
        })
    }

    /// The filter for an archive.
    pub(super) fn wanted(&self, election: &Election, checklists: &[Checklist]) -> Result<Wanted, PageError> {
        let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
        Ok(Wanted {
            prefix: some(&self.checklist),
            kind: None,
            area: some(&self.area),
            observer: some(&self.observer),
            states: self.bits(),
            from: local(&self.from)?,
            until: local(&self.until)?,
            timezone: election.timezone.clone(),
            answers: self.answered(checklists)?,
            place: match self.after.as_str() {
                "" => 0,
                text => text.parse().ok().filter(|n| *n >= 0).ok_or(CUT)?,
            },
        })
    }

    fn bits(&self) -> i32 {
        STATES.iter().filter(|s| self.states.contains(&s.0)).map(|s| s.2).sum()
    }

    fn answered(&self, checklists: &[Checklist]) -> Result<Option<Answered>, PageError> {
        let compiled: Vec<Compiled> =
            self.answers.iter().map(|c| c.compile(checklists)).collect::<Result<_, _>>().map_err(PageError::Bad)?;
        Ok(condition::all(&compiled).map(|(path, equalities, prefixes)| Answered { path, equalities, prefixes }))
    }
}

/// A local time as forms send it; of a day alone its beginning.
pub(super) fn local(text: &str) -> Result<Option<PrimitiveDateTime>, PageError> {
    if text.is_empty() {
        return Ok(None);
    }
    let minute = format_description!("[year]-[month]-[day]T[hour]:[minute]");
    let second = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let whole = if text.len() == 10 { format!("{text}T00:00") } else { text.replace(' ', "T") };
    PrimitiveDateTime::parse(&whole, minute)
        .or_else(|_| PrimitiveDateTime::parse(&whole, second))
        .map(Some)
        .map_err(|_| PageError::Bad("A time is written like 2026-02-21T14:30."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Asked {
        Asked::read(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()).unwrap()
    }

    #[test]
    fn a_query_comes_back_as_it_was_and_empty_fields_are_nothing() {
        let it = asked(&[
            ("checklist", ""),
            ("state", "partial"),
            ("state", "partial"),
            ("q", "aa"),
            ("op", "gt"),
            ("v", "5"),
            ("q", ""),
            ("op", "eq"),
            ("v", ""),
            ("q", "AB"),
            ("op", "eq"),
            ("v", ""),
            ("after", "x"),
        ]);
        assert_eq!(it.query(None), "state=partial&q=AA&op=gt&v=5&q=AB&op=answered");
        let chips = it.chips("/l", None);
        assert_eq!(chips.iter().map(|c| c.words.as_str()).collect::<Vec<_>>(), ["partial", "AA > 5", "AB is answered"]);
        assert_eq!(chips[1].without, "/l?state=partial&q=AB&op=answered");
        assert_eq!(asked(&[]).link("/l", None), "/l");
    }

    #[test]
    fn more_conditions_than_the_bound_are_refused() {
        let pairs = |n: usize| (0..n).map(|_| ("q".to_owned(), "AA".to_owned())).collect::<Vec<_>>();
        assert!(Asked::read(pairs(WEB_CONDITIONS_MAX)).is_ok());
        assert!(Asked::read(pairs(WEB_CONDITIONS_MAX + 2)).is_err());
    }

    #[test]
    fn a_day_or_a_minute_is_a_time() {
        assert!(local("2026-02-21").unwrap().is_some() && local("2026-02-21T14:30").unwrap().is_some());
        assert!(local("").unwrap().is_none() && local("yesterday").is_err());
    }
}
