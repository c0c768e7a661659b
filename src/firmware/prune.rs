//! Decides which images of the folder are old enough to go. Pure: names and verdicts in, plan
//! out; [`removal`] looks at the folder, and does it.
//!
//! What is counted are ranks of versions, as a device is offered them: files of one rank, for
//! several chips or in several spellings, stay or go together. What no server offers is not
//! counted, so that a damaged file of a high version never costs its model the one below.

pub(crate) mod removal;

use super::name::ImageName;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use xiaozhi_device::checkin::DEFAULT_MODEL;
use xiaozhi_device::version::Version;

/// Wishes of the operator's configuration about models.
pub(crate) trait Models {
    /// Returns one name for all names of a model.
    fn key(&self, model: &str) -> String;

    /// Returns the version that a model is held at.
    fn pin(&self, model: &str) -> Option<Version>;
}

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its name.
    pub(crate) file: String,
    /// Model and version of an app image that a server offers, or what else it is.
    pub(crate) verdict: Result<ImageName, String>,
    /// A link in the folder that leads to it.
    pub(crate) link: Option<String>,
    /// Number of devices that are known to run it, or were offered it last.
    pub(crate) devices: u64,
}

/// Fate of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is removed.
    Goes,
    /// It stays.
    Stays(Reason),
    /// It is none of those that are counted, and stays: for this reason.
    LeftAlone(String),
}

/// Reason why an image stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its version is one of the highest.
    Highest,
    /// Its model is held at its version.
    Pinned,
    /// So many devices run it, or another one of its rank: it can be what they go back to.
    Run(u64),
    /// This link leads to it, or to another one of its rank.
    Linked(String),
}

/// Decides what becomes of each file, in the order of their names.
pub(crate) fn plan(
    candidates: &[Candidate],
    keep: NonZeroUsize,
    models: &impl Models,
) -> BTreeMap<String, Fate> {
    let mut fates = BTreeMap::new();
    let mut of_models = HashMap::<String, Vec<(&Version, &Candidate)>>::new();
    for candidate in candidates {
        let left_alone = match &candidate.verdict {
            Ok(name) if name.model == DEFAULT_MODEL => {
                "it is for the boards without files of their own".to_owned()
            }
            Ok(name) => {
                let images = of_models.entry(models.key(&name.model)).or_default();
                images.push((&name.version, candidate));
                continue;
            }
            Err(why) => why.clone(),
        };
        fates.insert(candidate.file.clone(), Fate::LeftAlone(left_alone));
    }
    for (model, mut images) in of_models {
        images.sort_by_key(|(version, _)| Reverse(*version));
        let pin = models.pin(&model);
        let ranks = images.chunk_by(|(one, _), (other, _)| one == other);
        for (above, rank) in ranks.enumerate() {
            let link = rank.iter().find_map(|(_, image)| image.link.clone());
            let is_pinned = rank
                .iter()
                .any(|(version, _)| pin.as_ref() == Some(version));
            let devices = rank.iter().map(|(_, image)| image.devices).sum();
            let fate = if above < keep.get() {
                Fate::Stays(Reason::Highest)
            } else if is_pinned {
                Fate::Stays(Reason::Pinned)
            } else if devices > 0 {
                Fate::Stays(Reason::Run(devices))
            } else {
                link.map_or(Fate::Goes, |link| Fate::Stays(Reason::Linked(link)))
            };
            let files = rank.iter().map(|(_, image)| image.file.clone());
            fates.extend(files.map(|file| (file, fate.clone())));
        }
    }
    fates
}

#[cfg(test)]
mod tests {
    use super::super::name::parse;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    /// `b` and `c` are one model.
    struct Settings(HashMap<&'static str, &'static str>);

    impl Models for Settings {
        fn key(&self, model: &str) -> String {
            if model == "c" { "b" } else { model }.to_owned()
        }

        fn pin(&self, model: &str) -> Option<Version> {
            self.0.get(model).map(|version| Version::new(version))
        }
    }

    fn image(file: &str) -> Candidate {
        Candidate {
            file: file.to_owned(),
            verdict: Ok(parse(file).unwrap()),
            link: None,
            devices: 0,
        }
    }

    fn gone(fates: &BTreeMap<String, Fate>) -> Vec<&str> {
        let gone = fates.iter().filter(|(_, fate)| **fate == Fate::Goes);
        gone.map(|(file, _)| &**file).collect()
    }

    fn keep(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    #[test]
    fn the_highest_stay_and_what_is_not_counted() {
        let mut candidates: Vec<_> = [
            "a_1.0.bin",
            "a_1.9.bin",
            "a_1.10.bin",
            "a_2.0-beta.bin",
            "a_2.0.bin",
            "b_1.0.bin",
            "c_1.1.bin",
            "c_1.1.0.bin",
            "c_1.2.bin",
            "default_0.1.bin",
            "default_0.2.bin",
            "default_0.3.bin",
        ]
        .map(image)
        .to_vec();
        candidates.push(Candidate {
            file: "b_9.0.bin".into(),
            verdict: Err("rejected".into()),
            link: None,
            devices: 7,
        });
        let settings = Settings(HashMap::from([("a", "1.0.0")]));
        let fates = plan(&candidates, keep(2), &settings);
        assert_eq!(gone(&fates), ["a_1.10.bin", "a_1.9.bin", "b_1.0.bin"]);
        assert_eq!(fates["a_1.0.bin"], Fate::Stays(Reason::Pinned));
        assert_eq!(fates["c_1.1.0.bin"], Fate::Stays(Reason::Highest));
        assert_eq!(fates["b_9.0.bin"], Fate::LeftAlone("rejected".into()));
        assert!(matches!(fates["default_0.1.bin"], Fate::LeftAlone(_)));
        let fates = plan(&candidates, keep(1), &settings);
        assert_eq!(
            gone(&fates),
            [
                "a_1.10.bin",
                "a_1.9.bin",
                "a_2.0-beta.bin",
                "b_1.0.bin",
                "c_1.1.0.bin",
                "c_1.1.bin"
            ]
        );
    }

    #[test]
    fn what_devices_run_stays_with_its_rank() {
        let mut candidates = ["a_1.0.bin", "a_1.0.0.bin", "a_1.1.bin", "a_1.2.bin"].map(image);
        candidates[0].devices = 2;
        candidates[1].devices = 1;
        candidates[3].devices = 5;
        let fates = plan(&candidates, keep(1), &Settings(HashMap::new()));
        assert_eq!(gone(&fates), ["a_1.1.bin"]);
        for file in ["a_1.0.bin", "a_1.0.0.bin"] {
            assert_eq!(fates[file], Fate::Stays(Reason::Run(3)));
        }
        assert_eq!(fates["a_1.2.bin"], Fate::Stays(Reason::Highest));
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let model = prop::sample::select(vec!["a", "b", "c", "é", "e\u{301}", "default"]);
        let version = prop::sample::select(vec![
            "1", "1.0", "1.0.0", "1.1-beta", "1.1-rc2", "1.1", "1.1_2", "1.9", "1.10", "2.0",
            "2.0.0",
        ]);
        let devices = prop_oneof![4 => Just(0), 1 => 1..3_u64];
        let one = (model, version, prop::bool::weighted(0.1), 0..8_u8, devices);
        prop::collection::btree_set(one, 0..24).prop_map(|set| {
            let mut files = BTreeSet::new();
            let made = set
                .into_iter()
                .map(|(model, version, is_linked, bad, devices)| {
                    let file = format!("{model}_{version}.bin");
                    let verdict = parse(&file).map_err(|_| String::new());
                    Candidate {
                        verdict: if bad == 0 {
                            Err("bad".to_owned())
                        } else {
                            verdict
                        },
                        link: is_linked.then(|| "latest.bin".to_owned()),
                        devices,
                        file,
                    }
                });
            made.filter(|c| files.insert(c.file.clone())).collect()
        })
    }

    proptest! {
        #[test]
        fn never_the_last_one_never_a_pinned_one_and_once_is_enough(
            candidates in candidates(),
            number in 1..4_usize,
            pin in prop::option::of(prop::sample::select(vec!["1.0", "1.1-beta", "2.0", "7.0"])),
        ) {
            let settings = Settings(pin.into_iter().flat_map(|pin| [("a", pin), ("b", pin)]).collect());
            let fates = plan(&candidates, keep(number), &settings);
            // Everything has a fate.
            prop_assert_eq!(fates.len(), candidates.len());
            let named = |c: &Candidate| {
                let name = c.verdict.clone().ok()?;
                (name.model != "default").then(|| (settings.key(&name.model), name.version))
            };
            let goes = |c: &&Candidate| fates[&c.file] == Fate::Goes;
            let stay: Vec<_> = candidates.iter().filter(|c| !goes(c)).collect();
            for candidate in &candidates {
                let Some((model, version)) = named(candidate) else {
                    let is_left = matches!(fates[&candidate.file], Fate::LeftAlone(_));
                    prop_assert!(is_left);
                    continue;
                };
                let of_model = || stay.iter().filter_map(|c| named(c)).filter(|(m, _)| *m == model);
                // As many ranks as are wanted, all of them above, and those of its own rank.
                let mut ranks: Vec<_> = of_model().map(|(_, version)| version).collect();
                ranks.sort();
                ranks.dedup();
                if goes(&candidate) {
                    let above = ranks.iter().filter(|rank| **rank > version).count();
                    prop_assert!(above >= number);
                    prop_assert!(!ranks.contains(&version));
                    prop_assert!(settings.pin(&model).as_ref() != Some(&version));
                    prop_assert!(candidate.link.is_none());
                    prop_assert_eq!(candidate.devices, 0);
                }
                prop_assert!(!ranks.is_empty());
            }
            // What is left is left.
            let left: Vec<_> = stay.into_iter().cloned().collect();
            let again = plan(&left, keep(number), &settings);
            prop_assert_eq!(gone(&again), [""; 0]);
        }
    }
}
