//! One transaction: what is asked, done in its order.
//!
//! Invariant: what stands in memory (chain, newest sequence, submits) changes only after the commit,
//! so that a transaction that fails can be done again.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::chain::{self, Entry, Row};
use super::remembered::Remembered;
use super::{SpoolError, submits};
use crate::handoff::append::{Append, Done, InDoubt, Kind, Op};
use crate::handoff::doubt;
use crate::handoff::message::{Body, SubmitResult};
use crate::handoff::seal::Seal;
use crate::limits::{BINDS_MAX, IN_DOUBT_MAX, IN_DOUBT_SECONDS};
use crate::world::World;

/// Rows in `link` of the links, by their place.
#[derive(Debug, Clone)]
pub(super) struct Links {
    pub(super) rows: Vec<i64>,
    /// Name and group of every link that the file knows, by row.
    pub(super) names: HashMap<i64, (String, String)>,
}

/// What stands in memory between transactions.
#[derive(Debug)]
pub(super) struct Memory {
    /// The live run, and its row.
    pub(super) run: (Uuid, i64),
    pub(super) links: Links,
    pub(super) chain: [u8; 32],
    pub(super) newest: u64,
    pub(super) remembered: Remembered,
    /// Submits under way, by outbox row and attempt, with their row in `submit`.
    pub(super) open: HashMap<(Uuid, u16), i64>,
    pub(super) world: World,
}

/// What a transaction will change in memory once it is committed.
#[derive(Debug, Default)]
pub(super) struct Staged {
    pub(super) chain: [u8; 32],
    pub(super) newest: u64,
    pub(super) intents: Vec<((Uuid, u16), i64)>,
    pub(super) results: Vec<((Uuid, u16), bool)>,
    /// Places that were named, each with its row in `link`.
    pub(super) named: Vec<(u16, i64, (String, String))>,
    /// For each link what is done.
    pub(super) done: Vec<Vec<Done>>,
    /// Records inserted.
    pub(super) records: u64,
}

impl Memory {
    pub(super) fn stage(&self) -> Staged {
        Staged {
            chain: self.chain,
            newest: self.newest,
            done: (0..BINDS_MAX).map(|_| Vec::new()).collect(),
            ..Staged::default()
        }
    }

    pub(super) fn apply(&mut self, staged: &Staged) {
        (self.chain, self.newest) = (staged.chain, staged.newest);
        for (place, row, name) in &staged.named {
            let place = usize::from(*place);
            if self.links.rows.len() <= place {
                // Places between are named before anything is asked in their name.
                self.links.rows.resize(place + 1, *row);
            }
            if let Some(known) = self.links.rows.get_mut(place) {
                *known = *row;
            }
            self.links.names.insert(*row, name.clone());
        }
        for &(key, number) in &staged.intents {
            self.remembered.insert(key.0, key.1, number);
            self.open.insert(key, number);
        }
        for &(key, sent) in &staged.results {
            self.open.remove(&key);
            if !sent {
                self.remembered.remove(key.0, key.1);
            }
        }
    }
}

impl Staged {
    fn done(&mut self, append: &Append, done: Done) {
        if append.tag != 0
            && let Some(list) = self.done.get_mut(usize::from(append.link))
        {
            list.push(done);
        }
    }
}

/// Does one thing within the open transaction.
pub(super) fn execute(
    connection: &Connection,
    memory: &Memory,
    staged: &mut Staged,
    append: &Append,
) -> Result<(), SpoolError> {
    let tag = append.tag;
    if let Op::Name { name, group } = &append.op {
        let row = super::open::name_link(connection, name, group)?;
        staged.named.push((append.link, row, (name.clone(), group.clone())));
        staged.done(append, Done::Named { tag });
        return Ok(());
    }
    let Some(&link) = memory.links.rows.get(usize::from(append.link)) else { return Ok(()) };
    match &append.op {
        Op::Record { received_us, kind, body, seal, repeats } => {
            let new = New { link, received_us: *received_us, kind: *kind, body, seal };
            let sequence = insert(connection, memory, staged, &new)?;
            if let Some(repeated) = repeats {
                connection.prepare_cached("DELETE FROM in_doubt WHERE sequence = ?1")?.execute([*repeated as i64])?;
            }
            staged.done(append, Done::Stored { tag, sequence });
        }
        Op::Intent { id, attempt, text } => {
            let key = (*id, *attempt);
            let here = staged.intents.iter().find(|(k, _)| *k == key).map(|(_, number)| *number);
            if here.is_some() || memory.remembered.contains(*id, *attempt) {
                if let Some(number) = here.or_else(|| memory.remembered.row(*id, *attempt)) {
                    submits::tell_otherwise(connection, memory, staged, link, (key, number), text)?;
                    submits::tell_again(connection, memory, staged, link, (key, number))?;
                }
                staged.done(append, Done::Duplicate { tag });
            } else {
                connection
                    .prepare_cached("INSERT INTO submit (id, attempt, link, at_us, text) VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![id.as_bytes(), attempt, link, memory.world.steady_us(), text])?;
                staged.intents.push((key, connection.last_insert_rowid()));
                staged.done(append, Done::Intended { tag });
            }
        }
        Op::Result { id, attempt, at_us, outcome } => {
            if let Some(sequence) = submits::result(connection, memory, staged, link, (*id, *attempt), *at_us, outcome)?
            {
                staged.done(append, Done::Stored { tag, sequence });
            } else {
                staged.done(append, Done::Duplicate { tag });
            }
        }
        Op::LateResult { id, attempt, at_us, outcome } => {
            // Its first result said that nobody knows; nothing of it is open any more.
            let result = SubmitResult { id: *id, attempt: *attempt, outcome: outcome.clone() };
            let number = memory.remembered.row(*id, *attempt);
            let text =
                number.map(|number| submits::text_of(connection, (*id, *attempt), number)).transpose()?.flatten();
            let sequence = submits::insert_result(connection, memory, staged, link, *at_us, (result, text))?;
            if let Some(number) = number {
                submits::settle(connection, (*id, *attempt), number, sequence)?;
            }
        }
        Op::Forget { sequences } => {
            let mut delete = connection.prepare_cached("DELETE FROM in_doubt WHERE sequence = ?1")?;
            for sequence in sequences {
                delete.execute([*sequence as i64])?;
            }
        }
        Op::Confirmed { through } => {
            connection
                .prepare_cached("UPDATE link SET confirmed = ?2 WHERE id = ?1 AND confirmed < ?2")?
                .execute(params![link, *through as i64])?;
        }
        Op::Doubt { only } => {
            let records = match only {
                None => doubt_unconfirmed(connection, link, memory.world.steady_us())?,
                Some(sequence) => doubt_one(connection, link, *sequence, memory.world.steady_us())?,
            };
            staged.done(append, Done::InDoubt { tag, records });
        }
        Op::Name { .. } | Op::Housekeep => {}
    }
    Ok(())
}

/// A record to append.
#[derive(Debug, Clone, Copy)]
pub(super) struct New<'a> {
    pub(super) link: i64,
    pub(super) received_us: i64,
    pub(super) kind: Kind,
    pub(super) body: &'a [u8],
    pub(super) seal: &'a Seal,
}

/// Appends a record and returns its sequence, which is the one after the newest.
pub(super) fn insert(
    connection: &Connection,
    memory: &Memory,
    staged: &mut Staged,
    new: &New<'_>,
) -> Result<u64, SpoolError> {
    let sequence = staged.newest + 1;
    let (run, run_row) = memory.run;
    let name = memory.links.names.get(&new.link).map_or(("", ""), |(name, group)| (name.as_str(), group.as_str()));
    let (kind, root) = (new.kind as u8, new.seal.root);
    let entry = Entry { run, sequence, received_us: new.received_us, link: name, kind, root };
    let chain = chain::next(&staged.chain, &entry);
    let row = Row {
        sequence: sequence as i64,
        run: run_row,
        received_us: new.received_us,
        link: new.link,
        kind: kind.into(),
        salt: &new.seal.salt,
        body: new.body,
        chain: &chain,
    };
    connection
        .prepare_cached(
            "INSERT INTO record (sequence, run, received_us, link, kind, salt, body, chain, crc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            row.sequence,
            run_row,
            row.received_us,
            row.link,
            kind,
            row.salt,
            row.body,
            chain,
            row.checksum()
        ])?;
    staged.chain = chain;
    staged.newest = sequence;
    staged.records += 1;
    Ok(sequence)
}

/// Puts all unconfirmed records of a link in doubt, the newest [`IN_DOUBT_MAX`] at most.
pub(super) fn doubt_unconfirmed(connection: &Connection, link: i64, now_us: i64) -> Result<Vec<InDoubt>, SpoolError> {
    let confirmed: i64 = connection.query_row("SELECT confirmed FROM link WHERE id = ?1", [link], |row| row.get(0))?;
    let sequences: Vec<i64> = connection
        .prepare_cached(
            "SELECT sequence FROM record WHERE sequence > ?1 AND link = ?2 AND kind <> ?3 AND received_us > ?4
             ORDER BY sequence DESC LIMIT ?5",
        )?
        .query_map(
            params![
                confirmed,
                link,
                Kind::SubmitResult as u8,
                now_us - IN_DOUBT_SECONDS * 1_000_000,
                IN_DOUBT_MAX as i64
            ],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    let mut records = Vec::with_capacity(sequences.len());
    for &sequence in &sequences {
        records.extend(doubt_one(connection, link, sequence as u64, now_us)?);
    }
    if let Some(&newest) = sequences.first() {
        connection.execute("UPDATE link SET confirmed = ?2 WHERE id = ?1 AND confirmed < ?2", params![link, newest])?;
    }
    Ok(records)
}

/// Puts one record in doubt, or the one that it repeats.
fn doubt_one(connection: &Connection, link: i64, sequence: u64, now_us: i64) -> Result<Vec<InDoubt>, SpoolError> {
    let Some((mut run, mut sequence, mut body)) = body_of(connection, sequence)? else { return Ok(Vec::new()) };
    if let Body::Redelivery { run: of_run, of } = body {
        match body_of(connection, of)? {
            Some(original) if original.0 == of_run => (run, sequence, body) = original,
            _ => return Ok(Vec::new()),
        }
    }
    let Some(key) = doubt::key(&body) else { return Ok(Vec::new()) };
    let until_us = now_us + IN_DOUBT_SECONDS * 1_000_000;
    connection.prepare_cached("INSERT OR REPLACE INTO in_doubt VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        sequence as i64,
        link,
        key.to_be_bytes(),
        until_us
    ])?;
    Ok(vec![InDoubt { run, sequence, key, until_us }])
}

fn body_of(connection: &Connection, sequence: u64) -> Result<Option<(Uuid, u64, Body)>, SpoolError> {
    let found: Option<(Vec<u8>, [u8; 16])> = connection
        .prepare_cached("SELECT body, uuid FROM record JOIN run ON run.id = record.run WHERE sequence = ?1")?
        .query_row([sequence as i64], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match found {
        // One that the disk changed is matched with nothing; the reader names it.
        Some((body, run)) => postcard::from_bytes(&body).ok().map(|body| (Uuid::from_bytes(run), sequence, body)),
        None => None,
    })
}

/// Hands what is done to the links.
pub(super) fn deliver(staged: &mut Staged, completions: &[Arc<crate::handoff::append::Completions>]) {
    for (list, link) in staged.done.iter_mut().zip(completions) {
        link.put(list);
    }
}
