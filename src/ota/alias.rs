//! Names that are one model: boards are renamed between releases of the firmware.

use crate::event::{Event, event};
use crate::firmware::name::model_key;
use crate::firmware::name::near::{NameIndex, NearFile};
use std::collections::{BTreeSet, HashMap};
use std::mem;

const SETTING: &str = "gateway.firmware.alias";

/// `gateway.firmware.alias`: the names of each model. What is a name of a name's name is one,
/// too: a board can be renamed twice.
#[derive(Debug, Clone, Default)]
pub struct Aliases {
    /// Place of each name's model.
    model_of: HashMap<String, usize>,
    /// Names of each model. Of two that became one, one is empty.
    names: Vec<Vec<String>>,
    /// As they are written: the old name, and the new one.
    written: BTreeSet<(String, String)>,
}

impl PartialEq for Aliases {
    fn eq(&self, other: &Self) -> bool {
        // All else follows from it.
        self.written == other.written
    }
}

impl Eq for Aliases {}

impl Aliases {
    /// Makes two names one model.
    pub fn add(&mut self, old: &str, new: &str) {
        let [old, new] = [old, new].map(|name| model_key(name).into_owned());
        let (mut to, mut from) = (self.place(&new), self.place(&old));
        self.written.insert((old, new));
        if to == from {
            return;
        }
        // The fewer join the more, so that a long chain takes no long time.
        if self.names[to].len() < self.names[from].len() {
            mem::swap(&mut to, &mut from);
        }
        for name in mem::take(&mut self.names[from]) {
            self.model_of.insert(name.clone(), to);
            let names = &mut self.names[to];
            let at = names.partition_point(|known| *known < name);
            names.insert(at, name);
        }
    }

    /// Returns the place of a name's model, which is made if need be.
    fn place(&mut self, name: &str) -> usize {
        if let Some(place) = self.model_of.get(name) {
            return *place;
        }
        let place = self.names.len();
        self.names.push(vec![name.to_owned()]);
        self.model_of.insert(name.to_owned(), place);
        place
    }

    /// Returns the other names of a model, in order.
    pub fn others(&self, model: &str) -> impl Iterator<Item = &str> {
        // Most have none.
        let key = (!self.names.is_empty()).then(|| model_key(model));
        let place = key.as_ref().and_then(|key| self.model_of.get(&**key));
        let names = place.map_or(&[][..], |place| &self.names[*place]);
        let names = names.iter().map(String::as_str);
        names.filter(move |name| key.as_deref() != Some(*name))
    }

    /// Returns the pairs as they are written, in order: the old name, and the new one.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&str, &str)> {
        let written = self.written.iter();
        written.map(|(old, new)| (old.as_str(), new.as_str()))
    }

    /// Returns the names of each model that has several, in order.
    pub(crate) fn models(&self) -> BTreeSet<Vec<&str>> {
        let several = self.names.iter().filter(|names| names.len() > 1);
        let several = several.map(|names| names.iter().map(String::as_str).collect());
        several.collect()
    }

    /// Returns what of them does not do what was meant, or may not: they are names to the
    /// letter, and nothing else shows that one is misspelt.
    pub(crate) fn audit(&self, files: &NameIndex) -> Vec<Event> {
        let written = self.written.iter();
        let found = written.filter_map(|(old, new)| self.judge(old, new, files));
        found.collect()
    }

    fn judge(&self, old: &str, new: &str, files: &NameIndex) -> Option<Event> {
        let place = self.model_of.get(new);
        let is_one = |model: &str| self.model_of.get(model) == place;
        // Who has found out that two spellings are one model says so by an alias.
        let near = |name: &str| {
            let near = files.nearest(&[name], &[])?;
            let is_its_own = near.says.as_deref().is_some_and(is_one);
            (!is_its_own && near.can_be_named).then_some(near)
        };
        let [has_old, has_new] = [old, new].map(|name| files.has(name));
        let unspelt = |name: &str, has: bool| near(name).filter(|_| !has);
        let misspelt = unspelt(new, has_new).map(|near| (new, near));
        if let Some((name, near)) =
            misspelt.or_else(|| Some(old).zip(unspelt(old, has_old || !has_new)))
        {
            return Some(misspelling(name, near));
        }
        Some(if has_new && has_old {
            event!(ALIAS_BOTH, setting = SETTING, old = old, new = new)
        } else if has_old {
            event!(ALIAS_NO_NEW, setting = SETTING, old = old, new = new)
        } else if has_new || self.others(new).any(|other| files.has(other)) {
            return None;
        } else {
            event!(ALIAS_NO_FILE, setting = SETTING, old = old, new = new)
        })
    }
}

fn misspelling(name: &str, near: NearFile) -> Event {
    event!(
        ALIAS_NEAR,
        setting = SETTING,
        name = name,
        near = near.file,
        rename = near.name,
        model = near.says,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn aliases(pairs: &[(&str, &str)]) -> Aliases {
        let mut aliases = Aliases::default();
        for (old, new) in pairs {
            aliases.add(old, new);
        }
        aliases
    }

    #[test]
    fn both_ways_in_chains_and_circles() {
        let aliases = aliases(&[("a", "b"), ("c", "d"), ("d", "e"), ("e", "c")]);
        let others = |name: &str| aliases.others(name).collect::<Vec<_>>();
        assert_eq!(others("a"), ["b"]);
        assert_eq!(others("b"), ["a"]);
        assert_eq!(others("c"), ["d", "e"]);
        assert_eq!(others("d"), ["c", "e"]);
        assert_eq!(others("x"), [""; 0]);
        assert_eq!(
            aliases.models(),
            [vec!["a", "b"], vec!["c", "d", "e"]].into()
        );
        assert_eq!(aliases_of_nfd(), ["x"]);
    }

    #[test]
    fn what_of_them_was_not_meant() {
        for (pairs, files, said) in [
            (&[("a", "b")][..], &["b_1.0.bin"][..], None),
            (&[("a", "b")], &["c_1.0.bin"], Some("alias.no-file")),
            (&[("a", "b")], &[], Some("alias.no-file")),
            (&[("a", "b")], &["a_1.0.bin"], Some("alias.no-new")),
            (
                &[("a", "b")],
                &["a_1.0.bin", "b_1.0.bin"],
                Some("alias.both"),
            ),
            (&[("a", "b"), ("b", "c")], &["c_1.0.bin"], None),
            (
                &[("a", "xmini-c3")],
                &["Xmini-C3_1.0.bin"],
                Some("alias.near"),
            ),
            (
                &[("a", "xmini-c3")],
                &["xmini-c3 _1.0.bin", "a_1.0.bin"],
                Some("alias.near"),
            ),
            (
                &[("a", "xmini-c3")],
                &["xmini-c3_v1.0.bin"],
                Some("alias.near"),
            ),
            (
                &[("Xmini-C3", "b")],
                &["xmini-c3_1.0.bin", "b_1.0.bin"],
                Some("alias.near"),
            ),
            // What is advised where a model and a file's name are spelt otherwise.
            (
                &[("Xmini-C3", "xmini-c3")],
                &["Xmini-C3_1.0.bin"],
                Some("alias.no-new"),
            ),
            (
                &[("x-v1-2", "x_v1_2"), ("a", "b")],
                &["x-v1-2_1.0.bin", "b_1.bin"],
                Some("alias.no-new"),
            ),
        ] {
            let found = aliases(pairs).audit(&NameIndex::new(files.iter().copied()));
            let ids: Vec<_> = found.iter().map(|event| event.kind.id).collect();
            assert_eq!(ids, Vec::from_iter(said), "{pairs:?} {files:?}");
        }
    }

    #[test]
    fn a_long_chain_is_one_model_at_once() {
        let mut aliases = Aliases::default();
        for n in 0..5_000 {
            aliases.add(&format!("n{n}"), &format!("n{}", n + 1));
        }
        assert_eq!(aliases.others("n0").count(), 5_000);
        assert_eq!(aliases.models().len(), 1);
    }

    fn aliases_of_nfd() -> Vec<String> {
        let aliases = aliases(&[("re\u{301}", "x")]);
        aliases.others("r\u{e9}").map(str::to_owned).collect()
    }

    proptest! {
        #[test]
        fn one_model_is_one_model_from_every_name(pairs in prop::collection::vec(("[a-f]", "[a-f]"), 0..8)) {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (&**a, &**b)).collect();
            let aliases = aliases(&pairs);
            for (a, b) in pairs {
                if a != b {
                    prop_assert!(aliases.others(a).any(|name| name == b));
                }
                for other in aliases.others(a) {
                    prop_assert!(other != a);
                    let names = |name: &str| -> BTreeSet<String> {
                        aliases.others(name).chain([name]).map(str::to_owned).collect()
                    };
                    prop_assert_eq!(names(a), names(other));
                }
            }
        }
    }
}
