//! Settling texts in order, and the replies to them with their place in the outbox.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::decide::{Decision, admit};
use super::super::limiter::ReplyLimiter;
use super::*;
use crate::handoff::message::link_of;
use crate::limits::{COMMAND_REPLIES_PER_HOUR, SAME_TEXT_REPLIES_PER_HOUR, STRANGER_REPLIES_PER_HOUR};

/// What replies are counted as.
const ALL: u64 = 0;
const COMMANDS: u64 = 1;
const STRANGERS: u64 = 2;
/// Bit that no other tag has: the rest is a text's hash.
const TEXTS: u64 = 1 << 63;

impl<L: Ledger> Work<'_, L> {
    pub(super) fn settle(
        &mut self,
        understood: Vec<(Text, Result<Understanding, String>)>,
        present: &mut PresentStates,
        ids: &HashMap<SubmissionKey, (Uuid, i32)>,
    ) -> Vec<Judged> {
        let limiter = Arc::clone(&self.session.limiter);
        let limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending: HashMap<Counted, u32> = HashMap::new();
        let mut all = Vec::with_capacity(understood.len());
        for (text, understanding) in understood {
            let phone_id = self.phones.get(&text.phone).copied().unwrap_or(0);
            let understanding = understanding.map(|mut u| {
                admit(&mut u, phone_id, &mut self.locks);
                u
            });
            let decision = understanding.and_then(|u| judge::settle(&u, present, &self.session.replies));
            let mut judged =
                Judged { reading: String::new(), phone_id, reply: None, submissions: Vec::new(), text, decision };
            match &judged.decision {
                Err(why) => {
                    error!(message = %judged.text.order.record, why, "the message could not be decided; it is set aside");
                    judged.reading = "{}".to_owned();
                    if let Stands::Item(at) = judged.text.stands {
                        self.aside.insert(at, why.clone());
                    }
                    judged.reply = self.notice(&judged.text, phone_id).map(|submit| {
                        let limits = limits(None, self.reply_limit(None), &judged.text.whole.text);
                        let silent = self.stopped.contains(&phone_id);
                        let at_us = judged.text.order.received_us;
                        let state = self.state_of(&submit, (phone_id, silent), at_us, limits, (&limiter, &mut pending));
                        (submit, state)
                    });
                }
                Ok(decision) => {
                    judged.reading = rows::json(&decision.reading);
                    for change in &decision.changes {
                        judged.submissions.push(ids.get(&change.key).map_or_else(|| change.key.id(), |(id, _)| *id));
                    }
                    let silent = match decision.silence {
                        // Its own confirmation goes out; a STOP after a STOP is not answered.
                        Some(true) => !self.stopped.insert(phone_id),
                        Some(false) => {
                            self.stopped.remove(&phone_id);
                            false
                        }
                        None => self.stopped.contains(&phone_id),
                    };
                    let at_us = judged.text.order.received_us;
                    if let Some(stopped) = decision.silence {
                        self.senders.push(SenderChange { phone_id, stopped, at: crate::store::instant(at_us) });
                    }
                    if let Some(reply) = &decision.reply {
                        let id = reply_id(judged.text.first, bucket(&judged.text.phone));
                        let submit = submit(id, &judged.text, reply);
                        let all = self.reply_limit(decision.election);
                        let limits = limits(Some(decision), all, &judged.text.whole.text);
                        let state = self.state_of(&submit, (phone_id, silent), at_us, limits, (&limiter, &mut pending));
                        judged.reply = Some((submit, state));
                    }
                }
            }
            if self.how.again {
                self.told.push(Told::new(&judged));
            }
            all.push(judged);
        }
        all
    }

    fn reply_limit(&self, election: Option<i32>) -> u32 {
        self.known
            .roster
            .books
            .iter()
            .find(|b| Some(b.election.id) == election)
            .map_or(REPLIES_PER_HOUR_DEFAULT, |b| b.election.replies_per_hour)
    }

    /// The state in which a reply is stored, by what else was sent to that phone and is in this batch.
    fn state_of(
        &mut self,
        submit: &Submit,
        (phone_id, silent): (i64, bool),
        at_us: i64,
        limits: Limits,
        (limiter, pending): (&ReplyLimiter, &mut HashMap<Counted, u32>),
    ) -> &'static str {
        let counts = || limits.iter().flatten().map(|(tag, limit)| ((phone_id, *tag), *limit));
        let waiting = |key| pending.get(&key).copied().unwrap_or(0);
        if silent || !counts().all(|(key, limit)| limiter.allows(key, at_us, limit, waiting(key))) {
            return "withheld";
        }
        for (key, _) in counts() {
            *pending.entry(key).or_default() += 1;
            self.done.answered.push((key, at_us));
        }
        self.place_for(submit, self.session.world.now_us())
    }

    /// A place with the gateway, so that the reply goes out as soon as it is committed; else it is due.
    fn place_for(&mut self, submit: &Submit, now_us: i64) -> &'static str {
        if submit.expires_us <= now_us {
            return "expired";
        }
        if !self.how.again && self.session.in_flight.reserve(submit) {
            self.reserved.ids.push(submit.id);
            self.done.submits.push(submit.clone());
            "leased"
        } else {
            self.done.some_due = true;
            "due"
        }
    }
}

/// A reply with this key to this text.
pub(super) fn submit(id: Uuid, text: &Text, reply: &str) -> Submit {
    Submit {
        id,
        attempt: 1,
        group: text.group.clone(),
        link: link_of(&text.link),
        bulk: false,
        source: text.destination.clone(),
        destination: text.phone.clone(),
        text: crate::intake::item::clean(reply.to_owned()),
        expires_us: text.order.received_us.saturating_add(REPLY_EXPIRES_SECONDS * 1_000_000),
        receipt: true,
    }
}

/// What a reply is counted against, each with its replies an hour.
type Limits = [Option<(u64, u32)>; 3];

/// All replies to the phone; commands; and, where nothing of a text was understood, those to phones that
/// nobody has and those to one and the same text: an auto-responder's answer to our answer is one of these.
/// So are those to texts that were not decided at all.
fn limits(decision: Option<&Decision>, all: u32, text: &str) -> Limits {
    let same_text = || {
        let mut hash = DefaultHasher::new();
        text.trim().hash(&mut hash);
        Some((hash.finish() | TEXTS, SAME_TEXT_REPLIES_PER_HOUR))
    };
    let (first, second) = match decision.map(|d| (d.outcome, d.observer)) {
        Some((Outcome::Command, _)) => (Some((COMMANDS, COMMAND_REPLIES_PER_HOUR)), None),
        Some((Outcome::UnknownChecklist, observer)) => {
            (observer.is_none().then_some((STRANGERS, STRANGER_REPLIES_PER_HOUR)), same_text())
        }
        Some(_) => (None, None),
        None => (None, same_text()),
    };
    [Some((ALL, all)), first, second]
}
