//! Names that are one model: boards are renamed between releases of the firmware.

use crate::firmware::name::model_key;
use std::collections::{BTreeSet, HashMap};

/// `gateway.firmware.alias`: each name, and the others of its model. What is a name of a
/// name's name is one, too: a board can be renamed twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases(HashMap<String, Vec<String>>);

impl Aliases {
    /// Makes two names one model.
    pub fn add(&mut self, one: &str, other: &str) {
        let mut all = BTreeSet::new();
        for name in [one, other] {
            let name = model_key(name).into_owned();
            all.extend(self.others(&name).iter().cloned());
            all.insert(name);
        }
        for name in &all {
            let others = all.iter().filter(|other| *other != name).cloned();
            self.0.insert(name.clone(), others.collect());
        }
    }

    /// Returns the other names of a model.
    pub fn others(&self, model: &str) -> &[String] {
        // Most have none.
        if self.0.is_empty() {
            return &[];
        }
        self.0.get(&*model_key(model)).map_or(&[], Vec::as_slice)
    }

    /// Returns the names of each model that has several, in order.
    pub(crate) fn models(&self) -> BTreeSet<Vec<&str>> {
        let models = self.0.iter().map(|(name, others)| {
            let mut names: Vec<_> = others.iter().map(String::as_str).collect();
            names.push(name);
            names.sort_unstable();
            names
        });
        models.collect()
    }
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
        assert_eq!(aliases.others("a"), ["b"]);
        assert_eq!(aliases.others("b"), ["a"]);
        assert_eq!(aliases.others("c"), ["d", "e"]);
        assert_eq!(aliases.others("d"), ["c", "e"]);
        assert_eq!(aliases.others("x"), [""; 0]);
        assert_eq!(
            aliases.models(),
            [vec!["a", "b"], vec!["c", "d", "e"]].into()
        );
        assert_eq!(aliases_of_nfd(), ["x"]);
    }

    fn aliases_of_nfd() -> Vec<String> {
        aliases(&[("re\u{301}", "x")]).others("r\u{e9}").to_vec()
    }

    proptest! {
        #[test]
        fn one_model_is_one_model_from_every_name(pairs in prop::collection::vec(("[a-f]", "[a-f]"), 0..8)) {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|(a, b)| (&**a, &**b)).collect();
            let aliases = aliases(&pairs);
            for (a, b) in pairs {
                if a != b {
                    prop_assert!(aliases.others(a).iter().any(|name| name == b));
                }
                for other in aliases.others(a) {
                    prop_assert!(other != a);
                    let names = |name: &str| -> BTreeSet<String> {
                        aliases.others(name).iter().cloned().chain([name.to_owned()]).collect()
                    };
                    prop_assert_eq!(names(a), names(other));
                }
            }
        }
    }
}
