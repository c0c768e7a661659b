//! Verdicts on drafts, by whoever looked at them: those that nobody can publish make room for
//! others.

use crate::admin::Verdict;
use crate::firmware::drafts::Draft;
use crate::util::sync::lock;
use std::collections::HashMap;
use std::sync::Mutex;

/// Verdicts on drafts, by their ids.
#[derive(Debug, Default)]
pub(super) struct Looked(Mutex<HashMap<String, Verdict>>);

impl Looked {
    /// Keeps the verdict on one of `drafts`, and forgets those on drafts that are gone.
    pub(super) fn note(&self, id: &str, verdict: Verdict, drafts: &[Draft]) {
        let mut looked = lock(&self.0);
        looked.insert(id.to_owned(), verdict);
        looked.retain(|id, _| drafts.iter().any(|draft| draft.id == *id));
    }

    /// Returns the verdict on a draft, if somebody looked at it.
    pub(super) fn verdict(&self, id: &str) -> Option<Verdict> {
        lock(&self.0).get(id).copied()
    }

    /// Returns the id of the oldest of `drafts` that waits in vain; the newest stand first.
    pub(super) fn in_vain(&self, drafts: &[Draft]) -> Option<String> {
        let is_vain = |draft: &&Draft| {
            let verdict = self.verdict(&draft.id);
            matches!(verdict, Some(Verdict::Refused | Verdict::There))
        };
        drafts
            .iter()
            .rev()
            .find(is_vain)
            .map(|draft| draft.id.clone())
    }
}
