//! Which of the spool's runs a session reads, by what the database has of each.

use std::collections::HashMap;

use tracing::{error, info, warn};
use uuid::Uuid;

use crate::handoff::message::Run;
use crate::store::watermark::Mark;

/// What the gateway said of itself.
#[derive(Debug)]
pub(super) struct Greeting {
    pub(super) runs: Vec<Run>,
    pub(super) live: Uuid,
    pub(super) host: String,
}

/// The run that a session reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) run: Run,
    pub(super) spool_id: i32,
    pub(super) after: u64,
    /// It will have no more records.
    pub(super) ended: bool,
}

/// What to read: the first run of which the database lacks something, else the one that lives.
pub(super) fn choose(before: &mut HashMap<Uuid, u64>, greeting: &Greeting, marks: &[Mark]) -> Option<Reading> {
    let first_session = before.is_empty();
    before.retain(|uuid, _| greeting.runs.iter().any(|run| run.uuid == *uuid));
    let mut chosen: Option<Reading> = None;
    for run in &greeting.runs {
        let Some(mark) = marks.iter().find(|mark| mark.uuid == run.uuid) else { continue };
        let (run, watermark) = (*run, mark.through);
        let had = before.insert(run.uuid, watermark).unwrap_or_default();
        if watermark < had {
            warn!(
                run = %run.uuid,
                was = had,
                now = watermark,
                "the database knows less than it did: it lost its last commits; rewinding"
            );
            metrics::counter!("scrutineer_rewinds_total").increment(1);
        }
        let ended = run.uuid != greeting.live;
        if run.newest < watermark && (first_session || !ended) {
            warn!(run = %run.uuid, watermark, newest = run.newest,
                "the spool lacks records that the database has: was it restored from a copy?");
        }
        let begin = watermark.max(run.begins_after);
        let lacking = run.oldest > 0 && watermark < run.newest;
        if lacking && run.oldest > begin.saturating_add(1) {
            error!(run = %run.uuid, watermark, oldest = run.oldest,
                "the gateway no longer keeps all that the database lacks: records between are lost to it");
        }
        if chosen.is_none() && (lacking || !ended) {
            let after = begin.min(run.newest.max(run.begins_after));
            chosen = Some(Reading { run, spool_id: mark.spool_id, after, ended });
        }
    }
    // The last that was listed, when there are more runs than could be: the next list begins behind it.
    let last = || {
        let run = *greeting.runs.iter().rev().find(|run| marks.iter().any(|mark| mark.uuid == run.uuid))?;
        let spool_id = marks.iter().find(|mark| mark.uuid == run.uuid)?.spool_id;
        Some(Reading { run, spool_id, after: run.newest, ended: true })
    };
    let reading = chosen.or_else(last)?;
    info!(run = %reading.run.uuid, ended = reading.ended, after = reading.after, newest = reading.run.newest, "spool opened");
    Some(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: u128, begins_after: u64, oldest: u64, newest: u64) -> Run {
        Run { uuid: Uuid::from_u128(n), begins_after, oldest, newest }
    }

    fn chosen(runs: &[Run], through: &[u64]) -> (u128, u64, bool) {
        let live = runs[runs.len() - 1].uuid;
        let greeting = Greeting { runs: runs.to_vec(), live, host: String::new() };
        let marks: Vec<Mark> = runs
            .iter()
            .zip(through)
            .map(|(run, through)| Mark { uuid: run.uuid, spool_id: 1, through: *through })
            .collect();
        let reading = choose(&mut HashMap::new(), &greeting, &marks).unwrap();
        (reading.run.uuid.as_u128(), reading.after, reading.ended)
    }

    #[test]
    fn the_first_run_is_read_of_which_something_lacks_and_else_the_one_that_lives() {
        let runs = [run(1, 0, 1, 10), run(2, 10, 11, 20), run(3, 20, 21, 25)];
        assert_eq!(chosen(&runs, &[0, 0, 0]), (1, 0, true));
        assert_eq!(chosen(&runs, &[10, 15, 0]), (2, 15, true));
        assert_eq!(chosen(&runs, &[10, 20, 0]), (3, 20, false), "it begins where the run does");
        assert_eq!(chosen(&runs, &[4, 20, 25]), (1, 4, true), "back over several runs when commits were lost");
        assert_eq!(chosen(&[run(1, 0, 1, 10), run(2, 10, 0, 0)], &[99, 0]), (2, 10, false), "a copy put back");
        assert_eq!(chosen(&[run(1, 0, 0, 10), run(2, 10, 0, 0)], &[0, 0]), (2, 10, false), "nothing is left of it");
    }
}
