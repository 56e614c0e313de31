//! The whole day in order of time. Held are twelve bytes a text; the text is made as it is taken.

use super::day::{Day, Event};

/// Iterator over a day's texts, in order of time. Made by [`Day::events`].
#[derive(Debug)]
pub struct Events<'a> {
    day: &'a Day,
    order: std::vec::IntoIter<(u32, u32, u8)>,
}

impl Day {
    /// All texts of the day, in order of time.
    pub fn events(&self) -> Events<'_> {
        let mut order = Vec::with_capacity(self.sample.len() as usize * 5);
        for observer in 0..self.sample.len() {
            order.extend(self.script(observer).iter().zip(0u8..).map(|(step, i)| (step.at_ms, observer, i)));
        }
        order.sort_unstable();
        Events { day: self, order: order.into_iter() }
    }
}

impl Iterator for Events<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.order.find_map(|(_, observer, step)| self.day.event(observer, usize::from(step)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.order.len()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::outcome::Outcome;
    use crate::generator::Form;

    #[test]
    fn the_same_seed_gives_the_same_day_and_another_seed_another() {
        let texts = |seed| Day::new(seed, 600, 80, 0.1).events().map(|e| (e.at_ms, e.text)).collect::<Vec<_>>();
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }

    #[test]
    fn a_day_has_the_reports_slips_and_hours_of_a_real_one() {
        let day = Day::new(7, 5_400, 540, 0.08);
        let events: Vec<Event> = day.events().collect();
        assert!(events.windows(2).all(|w| w[0].at_ms <= w[1].at_ms));
        let mut outcomes: HashMap<Outcome, usize> = HashMap::new();
        for e in &events {
            *outcomes.entry(e.expected.outcome).or_default() += 1;
        }
        for outcome in [
            Outcome::Accepted,
            Outcome::Partial,
            Outcome::Corrected,
            Outcome::Duplicate,
            Outcome::UnknownObserver,
            Outcome::UnknownChecklist,
            Outcome::Command,
        ] {
            assert!(outcomes.get(&outcome).is_some_and(|n| *n >= 2), "{outcome} {outcomes:?}");
        }
        let share = |form: Form| {
            let mut seen = vec![false; 540];
            for e in events.iter().filter(|e| e.expected.reports.iter().any(|r| r.form == form)) {
                seen[e.observer as usize] = true;
            }
            seen.iter().filter(|s| **s).count()
        };
        assert!((505..540).contains(&share(Form::Opening)), "{}", share(Form::Opening));
        assert!((495..540).contains(&share(Form::Results)), "{}", share(Form::Results));
        let long = events.iter().filter(|e| e.text.chars().count() > 160).count();
        assert!((60..320).contains(&long), "{long} of {}", events.len());
        let hour = |f: Form| {
            let mut at: Vec<u32> = events
                .iter()
                .filter(|e| e.expected.reports.iter().any(|r| r.form == f))
                .map(|e| e.at_ms / 3_600_000)
                .collect();
            at.sort_unstable();
            at[at.len() / 2]
        };
        assert_eq!(hour(Form::Opening), 7);
        assert_eq!(hour(Form::Closing), 19);
        assert!((20..=21).contains(&hour(Form::Results)));
    }

    #[test]
    fn no_text_of_a_report_is_made_of_anything_that_a_comment_could_break() {
        for e in Day::new(3, 600, 200, 0.0).events() {
            assert!(!e.text.is_empty());
            assert!(e.phone.len() == 11 && e.phone.bytes().all(|b| b.is_ascii_digit()));
            assert!(e.text.split('@').next().unwrap_or("").len() < 400, "{}", e.text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_clean_text_is_to_be_accepted_with_all_its_answers(seed in any::<u64>(), observers in 1u32..40) {
            let day = Day::new(seed, 60, observers, 0.3);
            for e in day.events().filter(|e| e.clean) {
                prop_assert!(matches!(e.expected.outcome, Outcome::Accepted | Outcome::Corrected), "{:?}", e);
                for report in &e.expected.reports {
                    let checklist = report.form.checklist().unwrap();
                    prop_assert!(report.rejected.is_empty());
                    prop_assert!(checklist.required_codes().all(|c| report.answers.contains_key(c)));
                }
            }
        }
    }
}
