//! Fleet: the last check-in of each device, what it was told, what was forced on it, and as
//! which model it had files of its own. In memory, and bounded: anybody can invent devices.
//! Who stays away is forgotten first, but for what protects a device. It does
//! not outlive the process: after a restart an image may be forced in vain three times more.

mod about;
mod database;
mod id;
mod journal;
mod outcome;
mod protected;
mod record;
mod token;

use crate::event::text::{Lang, Text};
use crate::event::{Event, Kind, tell};
use crate::ota::decide::{Decision, DeviceMemory, NoRoom, Outcome, OwnModel, Withheld};
use crate::util::once::{HOUR, Once};
use crate::util::sync::lock;
use protected::{Id, OwnRecord, Protected};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

/// Number of devices that one generation remembers; there are two of them.
const GENERATION: usize = 16_384;
/// Number of bytes of a device's texts that are kept.
const KEPT: usize = 128;
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
    memory: Mutex<Memory>,
    hasher: RandomState,
    said: Once,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            memory: Mutex::default(),
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
    now: SystemTime,
}

impl DeviceMemory for RememberedDevice<'_> {
    fn forced(&self, sha256: &[u8; 32]) -> Result<u32, NoRoom> {
        let fleet = self.fleet;
        let id = fleet.id(kept(self.device), self.version);
        let memory = fleet.memory();
        let forced = memory.protected.forced(id, image(sha256));
        let limit = memory.protected.room().forced;
        drop(memory);
        forced.inspect_err(|NoRoom| {
            fleet.tell_full(self.device, FORCED_IN_VAIN, limit, self.now);
        })
    }

    fn own_model(&self, named: Option<&str>) -> Result<Option<OwnModel>, NoRoom> {
        let fleet = self.fleet;
        let device = fleet.hash(kept(self.device));
        let memory = fleet.memory();
        let own = memory.protected.own(device)?;
        let own = own.filter(|own| !fleet.is_back(own, named));
        Ok(own.map(|own| OwnModel::clone(&own.model)))
    }
}

/// Words of a place that is full: for what it remembers devices, and what follows for new
/// ones.
type Full = (Text, Text);

const FORCED_IN_VAIN: Full = (
    Text::new("强制升级的次数", "what was forced on them"),
    Text::new(
        "该设备和其他新设备不会被强制升级，否则可能陷入无尽的循环",
        "nothing is forced on this one and others that are new, for that might be a loop without end",
    ),
);
const FILES_OF_THEIR_OWN: Full = (
    Text::new("自己的固件型号", "files of their own"),
    Text::new(
        "没有自己固件的新设备不会得到 default_*.bin，因为它们可能是改了名的型号",
        "others that are new and have no files of their own get no default_*.bin, for they may be boards that were renamed",
    ),
);

/// Memory of devices.
#[derive(Debug, Default)]
struct Memory {
    devices: Generations,
    protected: Protected,
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
    /// The model that it named first.
    named: Option<Box<str>>,
    /// Hash of the name under which it came first, where that had no files.
    at_first: Option<u64>,
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
        let (told, forced) = match decision.outcome {
            Outcome::Offer { entry, force } => (
                Some((&*entry.file, force)),
                force.then(|| image(&entry.sha256)),
            ),
            Outcome::UpToDate | Outcome::Silent => (None, None),
        };
        let names = (decision.model, decision.named, decision.own_files);
        let hash = self.hasher.hash_one((names, version, told, withheld));
        let device = kept(device);
        let mut memory = self.memory();
        if let Some(known) = memory.devices.find(device)
            && known.decision == hash
        {
            known.last.at = now;
            known.last.checks += 1;
            if let Some(forced) = forced {
                let id = self.id(device, version);
                memory.protected.count(id, forced, now);
            }
            return false;
        }
        drop(memory);
        // Made without the lock: others check in meanwhile.
        let at_first = decision.named.filter(|_| decision.own_files.is_none());
        let mut known = DeviceRecord {
            last: last_check(version, decision, now),
            decision: hash,
            withheld,
            named: decision.named.map(|named| kept(named).into()),
            at_first: at_first.map(|named| self.hash(kept(named))),
            former: None,
        };
        let own = decision.own_files.map(|files| own(decision.model, files));
        let id = self.id(device, version);
        let mut memory = self.memory();
        let Memory { devices, protected } = &mut *memory;
        let mut is_news = !decision.withheld.is_empty();
        let before = devices.find(device);
        if let Some(before) = &before {
            is_news &= before.withheld != withheld;
            known.last.checks += before.last.checks;
        }
        self.remember_names(
            &mut known,
            before.as_deref(),
            protected.own(id.device).ok().flatten(),
            decision,
        );
        let kept = own.map_or(Ok(()), |own| {
            protected.keep_own(id.device, own, known.at_first)
        });
        match forced {
            Some(forced) => protected.count(id, forced, now),
            None => protected.got_on(id),
        }
        let limit = protected.room().own;
        let forgotten = devices.insert(device, known);
        drop(memory);
        drop(forgotten);
        if kept.is_err() {
            self.tell_full(device, FILES_OF_THEIR_OWN, limit, now);
        }
        is_news
    }

    /// Says that a place is full, once an hour.
    fn tell_full(&self, device: &str, (what, follows): Full, limit: usize, now: SystemTime) {
        let due = |_: &Kind| self.said.is_due(&("full", what.to(Lang::En)), now);
        tell!(
            FLEET_FULL if due,
            device = kept(device),
            limit = limit,
            what = what,
            follows = follows,
        );
    }

    /// Returns the memory of `device`, which reports `version`.
    pub fn device<'a>(
        &'a self,
        device: &'a str,
        version: &'a str,
        now: SystemTime,
    ) -> RememberedDevice<'a> {
        RememberedDevice {
            fleet: self,
            device,
            version,
            now,
        }
    }

    /// Returns the model as which `device` came before, if it has none with files now.
    pub fn former(&self, device: &str) -> Option<OwnModel> {
        self.memory().devices.find(kept(device))?.former.clone()
    }

    /// Returns whether something may be said of `device` now, once an hour, and takes
    /// that it is.
    pub(crate) fn is_due(&self, device: &str, what: &impl Hash, now: SystemTime) -> bool {
        self.said.is_due(&(device, what), now)
    }

    /// Returns the last check-in of `device`, if it is still remembered.
    pub fn last(&self, device: &str) -> Option<LastCheck> {
        let mut memory = self.memory();
        let known = memory.devices.find(kept(device));
        known.map(|known| known.last.clone())
    }

    /// Returns whether `device` has checked in, and is still remembered.
    pub(crate) fn knows(&self, device: &str) -> bool {
        self.memory().devices.find(kept(device)).is_some()
    }

    /// Returns the number of devices that are remembered.
    pub fn len(&self) -> usize {
        let memory = self.memory();
        memory.devices.young.len() + memory.devices.old.len()
    }

    /// Returns whether none has checked in.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.memory)
    }

    fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// Returns the hashes of a device and its version.
    fn id(&self, device: &str, version: &str) -> Id {
        Id {
            device: self.hash(device),
            version: self.hash(kept(version)),
        }
    }

    /// Tells whether a device that comes as `named` is back under the name that it had before
    /// it had files of its `own`, which were another name's.
    fn is_back(&self, own: &OwnRecord, named: Option<&str>) -> bool {
        named.map(kept).is_some_and(|named| {
            own.at_first == Some(self.hash(named)) && *own.model.named != *named
        })
    }

    /// Takes over what is remembered of the names of a device.
    fn remember_names(
        &self,
        known: &mut DeviceRecord,
        before: Option<&DeviceRecord>,
        own: Option<&OwnRecord>,
        decision: &Decision<'_>,
    ) {
        let at_first = match (own, before) {
            (Some(own), _) => own.at_first,
            (None, Some(before)) => before.at_first.or(known.at_first),
            (None, None) => known.at_first,
        };
        known.at_first = at_first;
        if !decision.is_unmatched() {
            return;
        }
        let is_own_still = |own: &OwnModel| {
            let named = known.named.as_deref();
            named.is_some_and(|named| own.has_files_of(named))
        };
        let former = || before?.former.clone();
        known.former = match (own, before.and_then(|before| before.named.as_deref())) {
            (Some(own), _) if self.is_back(own, decision.named) => None,
            (Some(own), _) if !is_own_still(&own.model) => Some(OwnModel::clone(&own.model)),
            (_, named) if named == known.named.as_deref() => former(),
            (_, Some(named)) => Some(self::own(named, named)),
            (_, None) => former(),
        };
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

/// Returns the number by which an image is known.
fn image(sha256: &[u8; 32]) -> u64 {
    sha256
        .first_chunk()
        .map_or(0, |begin| u64::from_ne_bytes(*begin))
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
