//! Texts judged and written, with all that follows from them.

use super::*;

impl<L: Ledger> Work<'_, L> {
    pub(super) async fn judge_and_write(
        &mut self,
        tx: &mut L::Tx,
        gathered: Gathered,
        messages: &[usize],
    ) -> Result<(), StoreError> {
        let Gathered { texts, whole_here, keep, remove, restart } = gathered;
        let mut understood: Vec<(Text, Result<Understanding, String>)> = Vec::with_capacity(texts.len());
        for text in texts {
            let understanding = match self.how.set_aside {
                Some(why) => Err(why.to_owned()),
                None => judge::understand(&incoming(&text), &self.known.books),
            };
            understood.push((text, understanding));
        }
        self.elsewhere(tx, &mut understood).await?;
        let (mut present, ids) = self.present(tx, &understood, &whole_here).await?;
        let judged = self.settle(understood, &mut present, &ids);

        let rows = {
            let phones = &self.phones;
            rows::messages(
                self.items,
                messages,
                &self.aside,
                &judged,
                |phone| phones.get(phone).copied(),
                self.place.spool_id,
            )
        };
        let stored: HashMap<Uuid, i32> = ids.values().copied().collect();
        let (submissions, revisions) = rows::submissions(&judged, |id| stored.get(&id).copied().unwrap_or(0));
        let replies = rows::replies(&judged, self.place.spool_id);
        let written = tx.write(self.place, &rows, &submissions, &revisions, &replies).await?;
        if !written.is_whole {
            return Err(self.give_up(Trouble::Lost));
        }
        self.done.submits.retain(|submit| !written.sent_before.contains(&submit.id));
        self.done.sent_before = written.sent_before;
        if !self.senders.is_empty() {
            tx.note_senders(&self.senders).await?;
        }
        let attempts = attempts::new(&self.locks);
        if !attempts.is_empty() {
            tx.note_attempts(&attempts).await?;
        }
        for one in &judged {
            if let Some(finished) = one.finished().filter(|_| !self.how.bare) {
                tx.finish(&finished).await?;
            }
            if !one.text.stored_parts.is_empty() {
                let whole = match &one.text.stands {
                    Stands::Item(_) => (self.place.spool_id, one.text.order.record.sequence.cast_signed()),
                    Stands::Stored { spool_id, record } => (*spool_id, record.sequence.cast_signed()),
                };
                let parts: Vec<(i32, i64)> =
                    one.text.stored_parts.iter().map(|p| (p.spool_id, p.record.sequence.cast_signed())).collect();
                tx.point_to_whole(&parts, whole).await?;
            }
        }
        // What is set aside may be processed again; then its parts are no copies.
        let done: Vec<DonePart> =
            judged.iter().filter(|j| j.decision.is_ok()).flat_map(|j| j.text.done.iter().cloned()).collect();
        if !done.is_empty() && !tx.remember_parts(&done).await? {
            return Err(self.give_up(Trouble::Lost));
        }
        for set in &restart {
            tx.restart_set(*set).await?;
        }
        if !keep.is_empty() {
            tx.keep_parts(&keep).await?;
        }
        if !remove.is_empty() {
            tx.remove_sets(&remove).await?;
        }
        for outcome in &rows.outcome {
            if let Some(outcome) = Outcome::from_word(outcome) {
                *self.done.outcomes.entry(outcome).or_default() += 1;
            }
        }
        self.set_aside(tx, &judged).await
    }
}
