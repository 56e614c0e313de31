//! What is stored of the submissions that a batch touches, their rows locked.

use super::*;

impl<L: Ledger> Work<'_, L> {
    /// Present states of the submissions that these texts touch, their rows locked, and each one's id
    /// with the revisions it has.
    pub(super) async fn present(
        &mut self,
        tx: &mut L::Tx,
        understood: &[(Text, Result<Understanding, String>)],
        whole_here: &[segment::SetKey],
    ) -> Result<(PresentStates, HashMap<SubmissionKey, (Uuid, i32)>), StoreError> {
        let mut present = PresentStates::default();
        let mut ids: HashMap<SubmissionKey, (Uuid, i32)> = HashMap::new();
        if understood.is_empty() {
            return Ok((present, ids));
        }
        for (_, understanding) in understood {
            for key in understanding.iter().flat_map(Understanding::keys) {
                if !ids.contains_key(key) {
                    ids.insert(key.clone(), (key.id(), 0));
                }
            }
        }
        let mut wanted: Vec<(i32, Uuid)> = ids.iter().map(|(key, (id, _))| (key.election, *id)).collect();
        wanted.sort_unstable();
        let (elections, uuids): (Vec<i32>, Vec<Uuid>) = wanted.into_iter().unzip();
        let sets: Vec<&segment::SetKey> = whole_here.iter().collect();
        let phones: Vec<i64> = self.phones.values().copied().collect();
        let found = tx.lock_submissions(&elections, &uuids, &sets, &phones).await?;
        self.stopped = found.stopped.into_iter().collect();
        if found.roster_version != self.known.roster.version {
            return Err(self.give_up(Trouble::Roster { seen: self.known.roster.version }));
        }
        if found.segments {
            return Err(self.give_up(Trouble::Lost));
        }
        self.locks = attempts::locks(tx, understood, &self.phones).await?;
        present.reserve(ids.len());
        let by_id: HashMap<Uuid, submission::Stored> = found.submissions.into_iter().map(|s| (s.id, s)).collect();
        for (key, (id, before)) in &mut ids {
            if let Some(stored) = by_id.get(id) {
                *before = stored.revisions;
                present.insert(
                    key.clone(),
                    Present {
                        submission: Submission { answers: stored.answers.clone(), last: Some(stored.last) },
                        history: History::new(),
                        revisions: stored.revisions,
                        comment: stored.comment.clone(),
                    },
                );
            }
        }
        self.load_history(tx, understood, &mut present, &ids).await?;
        Ok((present, ids))
    }

    /// Texts are settled in order, so only what was stored before can be newer than one of them.
    async fn load_history(
        &self,
        tx: &mut L::Tx,
        understood: &[(Text, Result<Understanding, String>)],
        present: &mut PresentStates,
        ids: &HashMap<SubmissionKey, (Uuid, i32)>,
    ) -> Result<(), StoreError> {
        let mut late: BTreeMap<(i32, Uuid), &SubmissionKey> = BTreeMap::new();
        for (text, understanding) in understood {
            for known in understanding.iter().flat_map(|u| &u.known) {
                if let Some(p) = present.get(&known.key)
                    && p.submission.last.is_some_and(|last| text.order < last)
                    && let Some((id, _)) = ids.get(&known.key)
                {
                    late.insert((known.key.election, *id), &known.key);
                }
            }
        }
        if late.is_empty() {
            return Ok(());
        }
        let (elections, uuids): (Vec<i32>, Vec<Uuid>) = late.keys().copied().unzip();
        let keys: HashMap<Uuid, &SubmissionKey> = late.into_iter().map(|((_, id), key)| (id, key)).collect();
        for (id, assertion) in tx.history(&elections, &uuids).await? {
            if let Some(p) = keys.get(&id).and_then(|key| present.get_mut(*key)) {
                p.history.push(assertion);
            }
        }
        Ok(())
    }
}
