//! Snapshots of a folder as it would be after a change that somebody thinks of: with one file
//! more, or without one.

use super::super::name;
use super::{Entry, Snapshot};
use std::collections::HashSet;
use std::sync::Arc;

impl Snapshot {
    /// Returns the snapshot with another image, in place of whatever has its name.
    pub(crate) fn with(&self, added: &Arc<Entry>) -> Self {
        let models = self.models.iter().flatten().cloned();
        let models = models.chain([added.model.clone()]).collect();
        self.of_others(&added.file, Some(added), models)
    }

    /// Returns the snapshot without a file, once the model that only it had is not waited for
    /// any more.
    pub(crate) fn without(&self, file: &str) -> Self {
        let names = self.by_file.keys().chain(self.unread.keys());
        let names = names.chain(self.unused.keys());
        let others = names.filter(|other| *other != file);
        let models = others.filter_map(|other| Some(name::parse(other).ok()?.model));
        let models = models.collect();
        self.of_others(file, None, models)
    }

    fn of_others(&self, file: &str, added: Option<&Arc<Entry>>, models: HashSet<String>) -> Self {
        let others = self.entries().filter(|entry| entry.file != file);
        let mut snapshot = Self::new(others.chain(added).cloned(), models);
        let served = self.by_file.iter().filter(|(other, _)| *other != file);
        for (other, served) in served {
            let served = Arc::clone(served);
            snapshot.by_file.entry(other.clone()).or_insert(served);
        }
        let mut unread = self.unread.clone();
        unread.remove(file);
        snapshot.unread = unread;
        let mut unused = self.unused.clone();
        unused.remove(file);
        snapshot
            .with_unused(unused)
            .with_names(Arc::clone(&self.names))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, snapshot};
    use super::*;
    use crate::event::event;

    fn files(snapshot: &Snapshot, model: &str) -> Vec<String> {
        let entries = snapshot.model(model).iter();
        entries.map(|entry| entry.file.clone()).collect()
    }

    #[test]
    fn one_file_comes_and_another_goes() {
        let before = snapshot(&["a_1.0.bin", "a_2.0.bin", "b_1.0.bin"])
            .with_unused([("c_1.0.bin".to_owned(), event!(IMAGE_CHANGED))])
            .with_unread([("d_1.0.bin".to_owned(), name::parse("d_1.0.bin").ok())])
            .with_served([Arc::clone(&entry("assets_1.bin").served)]);
        let with = before.with(&entry("e_1.0.bin"));
        assert_eq!(files(&with, "e"), ["e_1.0.bin"]);
        assert_eq!(files(&with, "a"), files(&before, "a"));
        assert!(with.may_have("e") && with.is_unread("d_1.0.bin"));
        assert!(with.unused("c_1.0.bin").is_some() && with.file("assets_1.bin").is_some());
        // What is replaced is gone.
        let instead = before.with(&entry("c_1.0.bin"));
        assert!(instead.unused("c_1.0.bin").is_none());
        assert_eq!(files(&instead, "c"), ["c_1.0.bin"]);
        let without = before.without("a_2.0.bin");
        assert_eq!(files(&without, "a"), ["a_1.0.bin"]);
        assert!(without.file("a_2.0.bin").is_none() && without.may_have("a"));
        let without = without.without("a_1.0.bin");
        assert!(!without.may_have("a") && without.may_have("b") && without.may_have("c"));
        assert!(without.without("c_1.0.bin").unused("c_1.0.bin").is_none());
    }
}
