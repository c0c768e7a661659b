//! What is known of each device: what it was told at its last check-in, and why.
//! In memory, and bounded: anybody can invent devices.

use crate::ota::decide::{Decision, Outcome};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How many devices one generation remembers; there are two of them.
const GENERATION: usize = 16_384;
/// How many characters of what a device said are kept.
const KEPT: usize = 128;
/// How many of the files that were withheld from it.
const WITHHELD_KEPT: usize = 8;

/// The last check-in of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCheck {
    /// When it was.
    pub at: SystemTime,
    /// How many there were, since the device was last forgotten.
    pub checks: u64,
    /// The model whose files were looked through.
    pub model: Box<str>,
    /// The version that the device reported.
    pub version: Box<str>,
    /// What it was told.
    pub told: Told,
    /// The highest files above its version that it was not offered, each with
    /// the reason.
    pub withheld: Vec<(Box<str>, Box<str>)>,
}

/// What a device was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// To install this file.
    Offered {
        /// Its name.
        file: Box<str>,
        /// Whatever its own comparison says.
        force: bool,
    },
    /// That there is nothing newer.
    UpToDate,
    /// Nothing about firmware.
    Silent,
}

/// All devices that checked in lately.
#[derive(Debug, Default)]
pub struct Fleet {
    devices: Mutex<Generations>,
    hasher: RandomState,
}

/// Devices are forgotten by generations: those that did not check in while as
/// many others did as one generation holds.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<str>, Known>,
    old: HashMap<Box<str>, Known>,
}

#[derive(Debug)]
struct Known {
    last: LastCheck,
    /// Hashes of the decision and of what it withheld: most check-ins repeat
    /// the one before, and cost no allocation.
    decision: u64,
    withheld: u64,
}

impl Fleet {
    /// Notes what `device`, which runs `version`, is told. Whether what is
    /// withheld from it is news.
    pub fn note(
        &self,
        device: &str,
        version: &str,
        decision: &Decision<'_>,
        now: SystemTime,
    ) -> bool {
        let withheld = self.hasher.hash_one(&decision.withheld);
        let told = match decision.outcome {
            Outcome::Offer { entry, force } => Some((&*entry.file, force)),
            Outcome::UpToDate | Outcome::Silent => None,
        };
        let hash = self
            .hasher
            .hash_one((decision.model, version, told, withheld));
        let device = kept(device);
        let mut devices = self.devices();
        let known = devices.find(device);
        if let Some(known) = known.filter(|known| known.decision == hash) {
            known.last.at = now;
            known.last.checks += 1;
            return false;
        }
        let before = devices.young.get(device);
        let is_news = before.is_none_or(|known| known.withheld != withheld);
        let last = LastCheck {
            at: now,
            checks: before.map_or(0, |known| known.last.checks) + 1,
            model: kept(decision.model).into(),
            version: kept(version).into(),
            told: match decision.outcome {
                Outcome::Offer { entry, force } => Told::Offered {
                    file: entry.file.as_str().into(),
                    force,
                },
                Outcome::UpToDate => Told::UpToDate,
                Outcome::Silent => Told::Silent,
            },
            withheld: decision
                .withheld
                .iter()
                .take(WITHHELD_KEPT)
                .map(|w| (w.what.into(), w.reason.to_string().into()))
                .collect(),
        };
        let known = Known {
            last,
            decision: hash,
            withheld,
        };
        devices.insert(device, known);
        is_news && !decision.withheld.is_empty()
    }

    /// The last check-in of `device`, if it is still remembered.
    pub fn last(&self, device: &str) -> Option<LastCheck> {
        let mut devices = self.devices();
        devices.find(kept(device)).map(|known| known.last.clone())
    }

    /// How many devices are remembered.
    pub fn len(&self) -> usize {
        let devices = self.devices();
        devices.young.len() + devices.old.len()
    }

    /// Whether none has checked in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn devices(&self) -> MutexGuard<'_, Generations> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    /// Finds a device, which makes it young again.
    fn find(&mut self, device: &str) -> Option<&mut Known> {
        if let Some((device, known)) = self.old.remove_entry(device) {
            self.make_room();
            self.young.insert(device, known);
        }
        self.young.get_mut(device)
    }

    fn insert(&mut self, device: &str, known: Known) {
        if let Some(before) = self.young.get_mut(device) {
            *before = known;
        } else {
            self.make_room();
            self.young.insert(device.into(), known);
        }
    }

    fn make_room(&mut self) {
        if self.young.len() >= GENERATION {
            self.old = mem::take(&mut self.young);
        }
    }
}

fn kept(text: &str) -> &str {
    &text[..text.floor_char_boundary(KEPT)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ota::decide::Withheld;
    use crate::ota::guards::Reason;
    use std::time::{Duration, UNIX_EPOCH};

    fn decision(withheld: &'static [&'static str]) -> Decision<'static> {
        let reason = Reason::NoSlot;
        let held = |what: &&'static str| Withheld {
            what,
            reason: reason.clone(),
        };
        Decision {
            model: "a",
            candidates: 1,
            outcome: Outcome::UpToDate,
            withheld: withheld.iter().map(held).collect(),
        }
    }

    #[test]
    fn what_is_withheld_is_news_once_until_it_changes() {
        let fleet = Fleet::default();
        let note = |version: &str, files, second| {
            let now = UNIX_EPOCH + Duration::from_secs(second);
            fleet.note("d", version, &decision(files), now)
        };
        assert!(!note("1.0", &[], 1));
        assert!(note("1.0", &["x"], 2) && !note("1.0", &["x"], 3));
        // The device has changed, what is withheld has not.
        assert!(!note("1.1", &["x"], 4));
        assert!(note("1.1", &["x", "y"], 5) && !note("1.1", &[], 6));
        assert!(note("1.1", &["x", "y"], 7));
        let last = fleet.last("d");
        let seen = last.as_ref().map(|last| (last.checks, &*last.version));
        assert_eq!(seen, Some((7, "1.1")));
        assert_eq!(last.map(|last| last.withheld.len()), Some(2));
    }

    #[test]
    fn invented_devices_push_out_only_those_that_stay_away() {
        let fleet = Fleet::default();
        let note = |device: &str| fleet.note(device, "1.0", &decision(&["x"]), UNIX_EPOCH);
        assert!(note("real") && note("gone"));
        for n in 0..4 * GENERATION {
            note(&format!("invented {n}"));
            if n % 1000 == 0 {
                assert!(!note("real"));
            }
        }
        assert!(fleet.len() <= 2 * GENERATION);
        assert!(!note("real") && fleet.last("gone").is_none());
    }

    #[test]
    fn what_is_kept_of_one_device_is_bounded() {
        let fleet = Fleet::default();
        let long = "é".repeat(10_000);
        fleet.note(&long, &long, &decision(&[]), UNIX_EPOCH);
        let kept = fleet.last(&long).map(|last| last.version.len());
        assert_eq!(kept, Some(KEPT));
    }
}
