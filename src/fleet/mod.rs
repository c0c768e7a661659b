//! Fleet: the last check-in of each device, what it was told, and as which model it had
//! files of its own. In memory, and bounded: anybody can invent devices. It does not
//! outlive the process.

use crate::event::Event;
use crate::ota::decide::{Decision, DeviceMemory, Forced, Outcome, OwnModel, Withheld};
use crate::util::once::{HOUR, Once};
use crate::util::sync::lock;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
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

/// Number of lines about one device that are remembered.
const SAID: usize = 1 << 16;

/// All devices that checked in lately.
#[derive(Debug)]
pub struct Fleet {
    devices: Mutex<Generations>,
    hasher: RandomState,
    said: Once,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            devices: Mutex::default(),
            hasher: RandomState::default(),
            said: Once::new(HOUR, SAID),
        }
    }
}

/// Memory of one device, at its check-in.
#[derive(Debug, Clone, Copy)]
pub struct RememberedDevice<'a> {
    fleet: &'a Fleet,
    device: &'a str,
    version: &'a str,
}

impl DeviceMemory for RememberedDevice<'_> {
    fn forced(&self) -> Option<Forced> {
        self.fleet.forced(self.device, self.version)
    }

    fn own_model(&self, named: Option<&str>) -> Option<OwnModel> {
        let mut devices = self.fleet.devices();
        let known = devices.find(kept(self.device))?;
        let own = known.own.as_ref();
        own.filter(|own| !known.is_back(own, named)).cloned()
    }
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
    /// The model that it named first.
    named: Option<Box<str>>,
    /// The name under which it came first, where that had no files. Who comes under it again
    /// was never another board: somebody else gave its id.
    at_first: Option<Box<str>>,
    /// Model of its own that had files last. A board that is renamed keeps it, and so gets
    /// no other board's files.
    own: Option<OwnModel>,
    /// The model as which it came before, while it has none with files.
    former: Option<OwnModel>,
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
        let names = (decision.model, decision.named, decision.own_files);
        let hash = self.hasher.hash_one((names, version, told, withheld));
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
            named: decision.named.map(|named| kept(named).into()),
            at_first: (decision.named)
                .filter(|_| decision.own_files.is_none())
                .map(|named| kept(named).into()),
            own: decision.own_files.map(|files| own(decision.model, files)),
            former: None,
        };
        let mut devices = self.devices();
        let mut is_news = !decision.withheld.is_empty();
        if let Some(before) = devices.find(device) {
            is_news &= before.withheld != withheld;
            known.last.checks += before.last.checks;
            known.remember_names(before, decision);
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

    /// Returns the memory of `device`, which reports `version`.
    pub fn device<'a>(&'a self, device: &'a str, version: &'a str) -> RememberedDevice<'a> {
        RememberedDevice {
            fleet: self,
            device,
            version,
        }
    }

    /// Returns the model as which `device` came before, if it has none with files now.
    pub fn former(&self, device: &str) -> Option<OwnModel> {
        let mut devices = self.devices();
        devices.find(kept(device))?.former.clone()
    }

    /// Returns whether something may be said of `device` now, once an hour, and takes
    /// that it is.
    pub(crate) fn is_due(&self, device: &str, what: &impl Hash, now: SystemTime) -> bool {
        self.said.is_due(&(device, what), now)
    }

    /// Returns what was forced on `device` while it reported `version`.
    fn forced(&self, device: &str, version: &str) -> Option<Forced> {
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

    /// Returns whether `device` has checked in, and is still remembered.
    pub(crate) fn knows(&self, device: &str) -> bool {
        self.devices().find(kept(device)).is_some()
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
    /// Tells whether a device that comes as `named` is back under the name that it had before
    /// it had files of its `own`, which were another name's.
    fn is_back(&self, own: &OwnModel, named: Option<&str>) -> bool {
        let is_first = |named: &str| self.at_first.as_deref() == Some(named);
        named
            .map(kept)
            .is_some_and(|named| is_first(named) && *own.named != *named)
    }

    /// Takes over what is remembered of the names of a device.
    fn remember_names(&mut self, before: &Self, decision: &Decision<'_>) {
        if before.at_first.is_some() || before.own.is_some() {
            self.at_first.clone_from(&before.at_first);
        }
        if self.own.is_none() {
            self.own.clone_from(&before.own);
        }
        if !decision.is_unmatched() {
            return;
        }
        let is_own_still = |own: &OwnModel| {
            let named = self.named.as_deref();
            named.is_some_and(|named| own.has_files_of(named))
        };
        let former = || before.former.clone();
        let is_back = |own: &OwnModel| before.is_back(own, decision.named);
        self.former = match (&before.own, &before.named) {
            (Some(own), _) if is_back(own) => None,
            (Some(before), _) if !is_own_still(before) => Some(before.clone()),
            (_, named) if *named == self.named => former(),
            (_, Some(named)) => Some(own(named, named)),
            (_, None) => former(),
        };
    }

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

fn own(named: &str, files: &str) -> OwnModel {
    let [named, files] = [named, files].map(|name| kept(name).into());
    OwnModel { named, files }
}

fn kept(text: &str) -> &str {
    &text[..text.floor_char_boundary(KEPT)]
}

#[cfg(test)]
mod tests;
