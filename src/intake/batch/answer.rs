//! Settling texts in order, and the replies to them with their place in the outbox.

use super::*;

impl<L: Ledger> Work<'_, L> {
    pub(super) fn settle(
        &mut self,
        understood: Vec<(Text, Result<Understanding, String>)>,
        present: &mut PresentStates,
        ids: &HashMap<SubmissionKey, (Uuid, i32)>,
    ) -> Vec<Judged> {
        let now_us = self.session.world.now_us();
        let limiter = Arc::clone(&self.session.limiter);
        let limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending: HashMap<i64, u32> = HashMap::new();
        let mut all = Vec::with_capacity(understood.len());
        for (text, understanding) in understood {
            let decision = understanding.and_then(|u| judge::settle(&u, present, &self.session.replies));
            let phone_id = self.phones.get(&text.phone).copied().unwrap_or(0);
            let mut judged =
                Judged { reading: String::new(), phone_id, reply: None, submissions: Vec::new(), text, decision };
            match &judged.decision {
                Err(why) => {
                    error!(message = %judged.text.order.record, why, "the message could not be decided; it is set aside");
                    judged.reading = "{}".to_owned();
                    if let Stands::Item(at) = judged.text.stands {
                        self.aside.insert(at, why.clone());
                    }
                }
                Ok(decision) => {
                    judged.reading = rows::json(&decision.reading);
                    for change in &decision.changes {
                        judged.submissions.push(ids.get(&change.key).map_or_else(|| change.key.id(), |(id, _)| *id));
                    }
                    if let Some(reply) = &decision.reply {
                        let submit = self.submit(&judged.text, reply);
                        let limit = self.reply_limit(decision.election);
                        let waiting = pending.entry(phone_id).or_default();
                        let state = if !limiter.allows(phone_id, judged.text.order.received_us, limit, *waiting) {
                            "withheld"
                        } else {
                            *waiting += 1;
                            self.done.answered.push((phone_id, judged.text.order.received_us));
                            self.place_for(&submit, now_us)
                        };
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

    fn submit(&self, text: &Text, reply: &str) -> Submit {
        Submit {
            id: reply_id(text.order, bucket(&text.phone)),
            attempt: 1,
            group: text.group.clone(),
            source: text.destination.clone(),
            destination: text.phone.clone(),
            text: crate::intake::item::clean(reply.to_owned()),
            expires_us: text.order.received_us.saturating_add(REPLY_EXPIRES_SECONDS * 1_000_000),
            receipt: true,
        }
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
