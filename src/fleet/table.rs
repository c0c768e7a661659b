//! The table of devices: a part of it a lock, so that no two check-ins wait for each other
//! for long, and in order of their addresses, so that a page of it is found at once.

use super::id::DeviceId;
use super::outcome::{Change, History, Moment, OfferedImage};
use super::record::Record;
use crate::util::sync::lock;
use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use xiaozhi_device::mac::Mac;

/// Number of parts of the table.
pub(super) const SHARDS: usize = 16;
/// Number of records that are looked at before the lock is given to others: some tens of
/// microseconds.
const STRETCH: usize = 512;

/// Number of devices that are kept, of each sort.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Newcomers, the first of which goes for the next.
    pub(super) newcomers: usize,
    /// Settled ones, which never go.
    pub(super) settled: usize,
    /// Others, whose id is no MAC address.
    pub(super) others: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            newcomers: 65_536,
            settled: 1 << 20,
            others: 4096,
        }
    }
}

/// End of an offer.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) id: DeviceId,
    pub(super) change: Change,
    pub(super) image: Arc<OfferedImage>,
    /// Number of times that the content failed on the device.
    pub(super) failed: u32,
}

/// All devices.
#[derive(Debug)]
pub(super) struct Table {
    shards: [Mutex<Shard>; SHARDS],
    room: Room,
    settled: AtomicUsize,
    others: Mutex<Shard>,
    /// True where somebody takes what changed.
    is_kept: bool,
}

/// One part of the devices.
#[derive(Debug, Default)]
pub(super) struct Shard {
    devices: BTreeMap<DeviceKey, Box<Record>>,
    /// Newcomers in the order of their coming; those that have settled or are gone are
    /// passed over.
    newcomers: VecDeque<DeviceKey>,
    /// Ends of terms, in served milliseconds, and whose.
    due: BTreeSet<(u64, DeviceKey)>,
    /// Devices that changed since they were taken.
    pub(super) changed: HashSet<DeviceKey>,
}

/// Key of a device in its part: its MAC address, or a text.
type DeviceKey = DeviceId;

impl Table {
    pub(super) fn new(room: Room, is_kept: bool) -> Self {
        Self {
            shards: Default::default(),
            room,
            settled: AtomicUsize::new(0),
            others: Mutex::default(),
            is_kept,
        }
    }

    /// Locks the part of a device.
    pub(super) fn shard(&self, id: &DeviceId) -> MutexGuard<'_, Shard> {
        lock(self.part(id))
    }

    fn part(&self, id: &DeviceId) -> &Mutex<Shard> {
        match id {
            // Addresses of one maker follow each other.
            DeviceId::Mac(mac) => &self.shards[spread(*mac)],
            DeviceId::Other(_) => &self.others,
        }
    }

    /// Returns every part.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Mutex<Shard>> {
        self.shards.iter().chain([&self.others])
    }

    /// Returns what there is room for.
    pub(super) fn room(&self) -> Room {
        self.room
    }

    /// Takes a newcomer into its part, and forgets another for it, where there are too
    /// many.
    pub(super) fn admit(&self, shard: &mut Shard, id: DeviceId, record: Record) {
        let most = match id {
            DeviceId::Mac(_) => self.room.newcomers / SHARDS,
            DeviceId::Other(_) => self.room.others,
        };
        if record.is_settled {
            self.settled.fetch_add(1, Ordering::Relaxed);
        } else {
            while shard.newcomers.len() >= most.max(1) {
                let Some(first) = shard.newcomers.pop_front() else {
                    break;
                };
                if shard.get(&first).is_some_and(|first| !first.is_settled) {
                    self.remove(shard, &first);
                }
            }
            shard.newcomers.push_back(id.clone());
        }
        if let Some(due) = record.history.as_deref().and_then(History::due) {
            shard.due.insert((due, id.clone()));
        }
        self.note_change(shard, &id);
        shard.devices.insert(id, Box::new(record));
    }

    /// Takes that a device is to be written to the store.
    pub(super) fn note_change(&self, shard: &mut Shard, id: &DeviceId) {
        if self.is_kept && !shard.changed.contains(id) {
            shard.changed.insert(id.clone());
        }
    }

    /// Removes a device, from the store too.
    pub(super) fn remove(&self, shard: &mut Shard, id: &DeviceId) -> Option<Box<Record>> {
        let record = shard.devices.remove(id)?;
        if let Some(due) = record.history.as_deref().and_then(History::due) {
            shard.due.remove(&(due, id.clone()));
        }
        if record.is_settled {
            self.settled.fetch_sub(1, Ordering::Relaxed);
        }
        if record.is_stored {
            self.note_change(shard, id);
        } else {
            shard.changed.remove(id);
        }
        Some(record)
    }

    /// Settles a device, if there is room. Returns whether it is settled now.
    pub(super) fn settle(&self, record: &mut Record) -> bool {
        if record.is_settled {
            return true;
        }
        let most = self.room.settled;
        let took = self
            .settled
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                (n < most).then_some(n + 1)
            });
        record.is_settled = took.is_ok();
        record.is_settled
    }

    /// Returns the number of devices with a MAC address.
    pub(super) fn len(&self) -> usize {
        let parts = self.shards.iter();
        parts.map(|part| lock(part).devices.len()).sum()
    }

    /// Looks at every device with a MAC address, in no order that counts.
    pub(super) fn each(&self, mut look: impl FnMut(&DeviceId, &Record)) {
        for part in &self.shards {
            let mut from = Bound::Unbounded;
            loop {
                let shard = lock(part);
                let mut last = None;
                for (id, record) in shard.devices.range((from, Bound::Unbounded)).take(STRETCH) {
                    look(id, record);
                    last = Some(id.clone());
                }
                drop(shard);
                match last {
                    Some(last) => from = Bound::Excluded(last),
                    None => break,
                }
            }
        }
    }

    /// Returns the first devices behind `after` that are wanted, in order, and no more than
    /// so many.
    pub(super) fn page(
        &self,
        after: Option<&DeviceId>,
        most: usize,
        wanted: impl Fn(&DeviceId, &Record) -> bool,
    ) -> Vec<(DeviceId, Record)> {
        let mut found = Vec::new();
        for part in self.parts() {
            let mut from = after.map_or(Bound::Unbounded, |id| Bound::Excluded(id.clone()));
            let mut left = most;
            while left > 0 {
                let shard = lock(part);
                let mut last = None;
                for (id, record) in shard.devices.range((from, Bound::Unbounded)).take(STRETCH) {
                    last = Some(id.clone());
                    if wanted(id, record) {
                        found.push((id.clone(), Record::clone(record)));
                        left -= 1;
                        if left == 0 {
                            break;
                        }
                    }
                }
                drop(shard);
                match last {
                    Some(last) => from = Bound::Excluded(last),
                    None => break,
                }
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.truncate(most);
        found
    }

    /// Ends the terms that are over.
    pub(super) fn expire(&self, now: Moment) -> Vec<Ended> {
        let mut ended = Vec::new();
        for part in self.parts() {
            let mut shard = lock(part);
            while let Some((due, id)) = shard.due.first().cloned() {
                if due > now.served {
                    break;
                }
                let waited = self.change(&mut shard, &id, |record| {
                    let change = record.history.as_mut()?.waited(now)?;
                    Some(change)
                });
                ended.extend(waited.flatten().and_then(|change| shard.ended(&id, change)));
                // Whatever became of it, it is looked at once.
                shard.due.remove(&(due, id));
            }
        }
        ended
    }

    /// Changes a device, and keeps what depends on it.
    pub(super) fn change<T>(
        &self,
        shard: &mut Shard,
        id: &DeviceId,
        change: impl FnOnce(&mut Record) -> T,
    ) -> Option<T> {
        let record = shard.devices.get_mut(id)?;
        let before = record.history.as_deref().and_then(History::due);
        let result = change(record);
        let after = record.history.as_deref().and_then(History::due);
        if before != after {
            if let Some(due) = before {
                shard.due.remove(&(due, id.clone()));
            }
            if let Some(due) = after {
                shard.due.insert((due, id.clone()));
            }
        }
        self.note_change(shard, id);
        Some(result)
    }
}

/// Returns the part of an address.
fn spread(mac: Mac) -> usize {
    let mixed = mac.bits().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> 60).unwrap_or(0) % SHARDS
}

impl Shard {
    /// Returns a device.
    pub(super) fn get(&self, id: &DeviceId) -> Option<&Record> {
        self.devices.get(id).map(|record| &**record)
    }

    /// Returns a device, to change what neither a term nor the store depends on.
    pub(super) fn get_mut(&mut self, id: &DeviceId) -> Option<&mut Record> {
        self.devices.get_mut(id).map(|record| &mut **record)
    }

    /// Returns what is said of a change of a device's newest offer, or of that which
    /// succeeded.
    pub(super) fn ended(&self, id: &DeviceId, change: Change) -> Option<Ended> {
        let history = self.devices.get(id)?.history.as_deref()?;
        let mut offers = history.offers.iter().rev();
        let offer = offers.find(|offer| offer.end == change.to)?;
        Some(Ended {
            id: id.clone(),
            change,
            image: Arc::clone(&offer.image),
            failed: history.times_failed(offer.image.content).unwrap_or(0),
        })
    }

    /// Takes that every device changed.
    pub(super) fn all_changed(&mut self) {
        self.changed.extend(self.devices.keys().cloned());
    }

    /// Takes up to so many devices that changed.
    pub(super) fn take_changed(&mut self, most: usize) -> Vec<(DeviceId, Option<Record>)> {
        let ids: Vec<DeviceId> = if self.changed.len() <= most {
            self.changed.drain().collect()
        } else {
            let ids: Vec<_> = self.changed.iter().take(most).cloned().collect();
            for id in &ids {
                self.changed.remove(id);
            }
            ids
        };
        let with = |id: DeviceId| {
            let record = self.devices.get_mut(&id).map(|record| {
                let taken = Record::clone(record);
                record.is_stored = true;
                taken
            });
            (id, record)
        };
        ids.into_iter().map(with).collect()
    }

    /// Forgets the addresses of those that were not seen for long, `most` devices behind
    /// `after`. Returns the last one that it looked at.
    pub(super) fn drop_addresses(
        &mut self,
        after: Option<DeviceId>,
        most: usize,
        now: u64,
    ) -> Option<DeviceId> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        let range = self.devices.range_mut((from, Bound::Unbounded)).take(most);
        for (id, record) in range {
            if !record.address.is_unspecified() && record.address(now).is_none() {
                record.address = std::net::Ipv6Addr::UNSPECIFIED;
                self.changed.insert(id.clone());
            }
            last = Some(id.clone());
        }
        last
    }
}
