//! Fleet: the last check-in of each device, and what it was told. In memory, and
//! bounded: anybody can invent devices.

use crate::event::Event;
use crate::ota::decide::{Decision, Forced, Outcome, Withheld};
use crate::util::sync::lock;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

/// Number of devices that one generation remembers; there are two of them.
const GENERATION: usize = 16_384;
/// Number of bytes of a device's texts that are kept.
const KEPT: usize = 128;
/// Time within which check-ins belong to one boot: a device that failed has tried to
/// download first.
const BOOT: Duration = Duration::from_secs(10);
/// Number of withheld files that are kept for one device.
const WITHHELD_KEPT: usize = 8;

/// The last check-in of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastCheck {
    /// Time of the check-in.
    pub at: SystemTime,
    /// Number of check-ins, since the device was last forgotten.
    pub checks: u64,
    /// Model whose files were looked through.
    pub model: Box<str>,
    /// Version that the device reported.
    pub version: Box<str>,
    /// Answer that it got.
    pub told: Told,
    /// Reasons why the highest files above its version were not offered, with their
    /// names.
    pub withheld: Vec<Event>,
}

/// Answer to a device about its firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Install this file.
    Offered {
        /// Name of the file.
        file: Box<str>,
        /// True where it is to install it whatever its own comparison says.
        force: bool,
    },
    /// There is nothing newer.
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

/// Devices in two generations: forgotten are those that did not check in while as many
/// others did as one generation holds.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<str>, DeviceRecord>,
    old: HashMap<Box<str>, DeviceRecord>,
}

#[derive(Debug)]
struct DeviceRecord {
    last: LastCheck,
    /// Hashes of the decision and of what it withheld: most check-ins repeat
    /// the one before, and cost no allocation.
    decision: u64,
    withheld: u64,
    /// Image that was forced on it last, and when that was counted.
    forced: Option<(Forced, SystemTime)>,
}

impl Fleet {
    /// Notes what `device`, which runs `version`, is told. Returns whether what is
    /// withheld from it is news.
    pub fn note(
        &self,
        device: &str,
        version: &str,
        decision: &Decision<'_>,
        now: SystemTime,
    ) -> bool {
        let withheld = self.hasher.hash_one(&decision.withheld);
        let (told, sha256) = match decision.outcome {
            Outcome::Offer { entry, force } => (
                Some((&*entry.file, force)),
                Some(entry.sha256).filter(|_| force),
            ),
            Outcome::UpToDate | Outcome::Silent => (None, None),
        };
        let hash = self
            .hasher
            .hash_one((decision.model, version, told, withheld));
        let device = kept(device);
        if let Some(known) = self.devices().find(device)
            && known.decision == hash
        {
            known.last.at = now;
            known.last.checks += 1;
            known.count_forced(sha256, now);
            return false;
        }
        // Made without the lock: others check in meanwhile.
        let mut known = DeviceRecord {
            last: last_check(version, decision, now),
            decision: hash,
            withheld,
            forced: None,
        };
        let mut devices = self.devices();
        let mut is_news = !decision.withheld.is_empty();
        if let Some(before) = devices.find(device) {
            is_news &= before.withheld != withheld;
            known.last.checks += before.last.checks;
            // A device that reports another version has got on.
            if before.last.version == known.last.version {
                known.forced = before.forced;
            }
        }
        known.count_forced(sha256, now);
        let forgotten = devices.insert(device, known);
        drop(devices);
        drop(forgotten);
        is_news
    }

    /// Returns what was forced on `device` while it reported `version`.
    pub fn forced(&self, device: &str, version: &str) -> Option<Forced> {
        let mut devices = self.devices();
        let known = devices.find(kept(device))?;
        let (forced, _) = known.forced?;
        (*known.last.version == *kept(version)).then_some(forced)
    }

    /// Returns the last check-in of `device`, if it is still remembered.
    pub fn last(&self, device: &str) -> Option<LastCheck> {
        let mut devices = self.devices();
        devices.find(kept(device)).map(|known| known.last.clone())
    }

    /// Returns the number of devices that are remembered.
    pub fn len(&self) -> usize {
        let devices = self.devices();
        devices.young.len() + devices.old.len()
    }

    /// Returns whether none has checked in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn devices(&self) -> MutexGuard<'_, Generations> {
        lock(&self.devices)
    }
}

impl DeviceRecord {
    /// Counts an image that is forced, once a boot.
    fn count_forced(&mut self, sha256: Option<[u8; 32]>, now: SystemTime) {
        let Some(sha256) = sha256 else { return };
        match &mut self.forced {
            Some((forced, counted)) if forced.sha256 == sha256 => {
                if now.duration_since(*counted).is_ok_and(|age| age >= BOOT) {
                    forced.times += 1;
                    *counted = now;
                }
            }
            other => *other = Some((Forced { sha256, times: 1 }, now)),
        }
    }
}

impl Generations {
    fn find(&mut self, device: &str) -> Option<&mut DeviceRecord> {
        // Whoever is old is made young when it changes, or here.
        if self.young.len() < GENERATION
            && let Some((device, known)) = self.old.remove_entry(device)
        {
            self.young.insert(device, known);
        }
        self.young
            .get_mut(device)
            .or_else(|| self.old.get_mut(device))
    }

    /// Puts a device among the young. Returns what is forgotten for it, for the caller
    /// to drop: that takes time.
    fn insert(&mut self, device: &str, known: DeviceRecord) -> Forgotten {
        self.old.remove(device);
        let mut forgotten = Forgotten::new();
        if self.young.len() >= GENERATION && !self.young.contains_key(device) {
            forgotten = mem::replace(&mut self.old, mem::take(&mut self.young));
        }
        self.young.insert(device.into(), known);
        forgotten
    }
}

type Forgotten = HashMap<Box<str>, DeviceRecord>;

fn last_check(version: &str, decision: &Decision<'_>, now: SystemTime) -> LastCheck {
    LastCheck {
        at: now,
        checks: 1,
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
            .map(Withheld::event)
            .collect(),
    }
}

fn kept(text: &str) -> &str {
    &text[..text.floor_char_boundary(KEPT)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firmware::snapshot::Snapshot;
    use crate::firmware::snapshot::tests::image_entry;
    use crate::ota::decide::{Policy, decide};
    use std::time::UNIX_EPOCH;
    use xiaozhi_device::checkin::{CheckIn, Report};
    use xiaozhi_device::guards::Reason;
    use xiaozhi_device::version::Version;
    use xiaozhi_image_builder::Image;

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
            is_early: false,
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
        fleet.note(&long, &long, &decision(&["x"; 100]), UNIX_EPOCH);
        let kept = fleet
            .last(&long)
            .map(|last| (last.version.len(), last.withheld.len()));
        assert_eq!(kept, Some((KEPT, WITHHELD_KEPT)));
    }

    #[test]
    fn what_was_forced_in_vain_is_not_forced_for_ever() {
        let image = Image::new("1.7.0");
        // A second one of the same rank would have to be forced, too.
        let twin = Image::new("1.7");
        let snapshot = Snapshot::new(
            [
                image_entry("a_1.7.0.bin", &image, 2048),
                image_entry("a_1.7.bin", &twin, 2048),
            ],
            ["a".to_owned()].into(),
        );
        let pins = HashMap::from([("a".to_owned(), Version::new("1.7.0"))]);
        let policy = Policy {
            pins,
            ..Policy::default()
        };
        let fleet = Fleet::default();
        let forces = |version: &str, second: u64| {
            let body =
                format!(r#"{{"application":{{"version":"{version}"}},"board":{{"type":"a"}}}}"#);
            let check_in = CheckIn {
                report: Report::read(body.as_bytes()),
                ..CheckIn::default()
            };
            let forced = || fleet.forced("d", version);
            let decision = decide(&check_in, &snapshot, &policy, forced);
            fleet.note(
                "d",
                version,
                &decision,
                UNIX_EPOCH + Duration::from_secs(second),
            );
            matches!(decision.outcome, Outcome::Offer { force: true, .. })
        };
        // Retries within one boot are one try.
        assert!((0..10).all(|second| forces("1.8.0", second)));
        assert!(forces("1.8.0", 60) && forces("1.8.0", 120));
        assert!(!forces("1.8.0", 180) && !forces("1.8.0", 86_400));
        // A device that has got on is another matter.
        assert!(forces("1.9.0", 90_000));
    }
}
