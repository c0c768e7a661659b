//! The table of devices: a part of it a lock, so that no two check-ins wait for each other
//! for long, and in order of their addresses, so that a page of it is found at once.

use super::devices::Devices;
use super::haste::Haste;
use super::id::DeviceId;
use super::newcomers::Newcomers;
use super::outcome::{Change, History, Moment, OfferedImage};
use super::record::Record;
use super::settings::FleetRoom;
use crate::util::sync::{lock, take_one};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use xiaozhi_device::mac::Mac;

/// Number of parts of the table.
pub(super) const SHARDS: usize = 16;
/// Number of records that are looked at before the lock is given to others: some tens of
/// microseconds, and 200 where texts are looked for in them.
pub(super) const STRETCH: usize = 128;
/// Number of terms of one part that end at once: after a start, those of a whole fleet end
/// together.
const TERMS: usize = 64;
/// Number of looks that may be left over of devices that are gone, beside those of devices
/// that are there.
const LEFT_OVER: usize = 1024;
/// Begin of the term of a device that waits for nothing.
const NEVER: u64 = u64::MAX;

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
        let room = FleetRoom::default();
        Self {
            newcomers: room.newcomers,
            settled: room.settled,
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
    /// Counts what changed since it was taken last.
    pub(super) haste: Haste,
}

/// One part of the devices.
#[derive(Debug, Default)]
pub(super) struct Shard {
    devices: Devices<Kept>,
    /// Devices that are not settled.
    newcomers: Newcomers,
    /// Looks at devices, each with the begin of a term in served milliseconds: none is later
    /// than its device's. All terms have one length, so that their ends come in this order
    /// too, however long they are by now. A term that begins anew moves no look: what is
    /// found too early is looked at again.
    looks: BinaryHeap<Reverse<(u64, DeviceId)>>,
    /// Devices that changed since they were taken.
    pub(super) changed: HashSet<DeviceId>,
}

/// A device in its part.
#[derive(Debug)]
struct Kept {
    record: Record,
    /// Begin of the term for which a look waits, in served milliseconds, or [`NEVER`].
    look: u64,
}

impl Kept {
    /// Returns the time at which its term began.
    fn waits_since(&self) -> Option<u64> {
        let history = self.record.history.as_deref();
        history.and_then(History::waits_since)
    }
}

impl Table {
    pub(super) fn new(room: Room, is_kept: bool) -> Self {
        Self {
            shards: Default::default(),
            room,
            settled: AtomicUsize::new(0),
            others: Mutex::default(),
            is_kept,
            haste: Haste::default(),
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

    /// Forgets addresses that were kept long enough, of some devices of each part: those
    /// behind the ones that were `swept` last.
    pub(super) fn drop_addresses(&self, swept: &mut [Option<DeviceId>], most: usize, now: u64) {
        for (part, at) in self.parts().zip(swept) {
            *at = lock(part).drop_addresses(at.as_ref(), most, (now, self.is_kept));
        }
    }

    /// Returns what there is room for.
    pub(super) fn room(&self) -> Room {
        self.room
    }

    /// Takes a newcomer into its part, and forgets another for it, where there are too
    /// many.
    pub(super) fn admit(&self, shard: &mut Shard, id: &DeviceId, record: Record) {
        let most = match id {
            DeviceId::Mac(_) => self.room.newcomers / SHARDS,
            DeviceId::Other(_) => self.room.others,
        };
        if record.is_settled {
            self.settled.fetch_add(1, Ordering::Relaxed);
        } else {
            while shard.newcomers.len() >= most.max(1)
                && let Some(first) = shard.newcomers.take_first()
            {
                self.remove(shard, &first);
            }
            shard.newcomers.join(id);
        }
        self.note_change(shard, id);
        let look = NEVER;
        shard.devices.insert(id, Kept { record, look });
        shard.await_term(id);
    }

    /// Takes that a device is to be written to the store.
    pub(super) fn note_change(&self, shard: &mut Shard, id: &DeviceId) {
        if !self.is_kept || shard.changed.contains(id) {
            return;
        }
        shard.changed.insert(id.clone());
        self.haste.changed();
    }

    /// Removes a device, from the store too.
    pub(super) fn remove(&self, shard: &mut Shard, id: &DeviceId) -> Option<Record> {
        let record = shard.devices.remove(id)?.record;
        shard.newcomers.leave(id);
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

    /// Settles a newcomer, if there is room. Returns whether it is settled now.
    pub(super) fn settle(&self, shard: &mut Shard, id: &DeviceId) -> bool {
        let took = take_one(&self.settled, self.room.settled);
        if took {
            shard.settle(id);
        }
        took
    }

    /// Takes that a newcomer was settled before, whatever there is room for.
    pub(super) fn settle_again(&self, shard: &mut Shard, id: &DeviceId) {
        self.settled.fetch_add(1, Ordering::Relaxed);
        shard.settle(id);
    }

    /// Returns the number of devices with a MAC address.
    pub(super) fn len(&self) -> usize {
        let parts = self.shards.iter();
        parts.map(|part| lock(part).devices.len()).sum()
    }

    /// Looks at every device with a MAC address, in no order that counts.
    pub(super) fn each(&self, mut look: impl FnMut(&DeviceId, &Record)) {
        for part in &self.shards {
            let mut after = None;
            loop {
                let shard = lock(part);
                let mut last = None;
                for (id, kept) in shard.devices.behind(after.as_ref()).take(STRETCH) {
                    look(&id, &kept.record);
                    last = Some(id);
                }
                drop(shard);
                if last.is_none() {
                    break;
                }
                after = last;
            }
        }
    }

    /// Takes that every device changed, a stretch at a time: check-ins go on meanwhile. One that
    /// comes behind a stretch that was looked at has changed in any case.
    pub(super) fn all_changed(&self) {
        for part in self.parts() {
            let mut after = None;
            loop {
                after = lock(part).some_changed(after.as_ref(), STRETCH);
                if after.is_none() {
                    break;
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
        let mut found: BTreeMap<DeviceId, Record> = BTreeMap::new();
        for part in self.parts() {
            let mut after = after.cloned();
            loop {
                let shard = lock(part);
                let mut last = None;
                for (id, kept) in shard.devices.behind(after.as_ref()).take(STRETCH) {
                    let is_full = found.len() >= most;
                    if is_full && found.last_key_value().is_none_or(|(last, _)| id > *last) {
                        // All that follow in this part lie behind the page.
                        last = None;
                        break;
                    }
                    if wanted(&id, &kept.record) {
                        found.insert(id.clone(), kept.record.clone());
                        if is_full {
                            found.pop_last();
                        }
                    }
                    last = Some(id);
                }
                drop(shard);
                if last.is_none() {
                    break;
                }
                after = last;
            }
        }
        found.into_iter().collect()
    }

    /// Ends terms that are over: no more than some of each part, so that nobody waits for
    /// long. Returns true where there may be more.
    pub(super) fn expire(&self, now: Moment) -> (Vec<Ended>, bool) {
        let mut ended = Vec::new();
        let mut has_more = false;
        for part in self.parts() {
            let mut shard = lock(part);
            for _ in 0..TERMS {
                let Some(id) = shard.take_look(now) else {
                    break;
                };
                let waited = self.change(&mut shard, &id, |record| {
                    record.history.as_mut()?.waited(now)
                });
                ended.extend(waited.flatten().and_then(|change| shard.ended(&id, change)));
            }
            has_more |= shard.has_look(now);
        }
        (ended, has_more)
    }

    /// Changes a device, and keeps what depends on it.
    pub(super) fn change<T>(
        &self,
        shard: &mut Shard,
        id: &DeviceId,
        change: impl FnOnce(&mut Record) -> T,
    ) -> Option<T> {
        let kept = shard.devices.get_mut(id)?;
        let before = kept.waits_since();
        let result = change(&mut kept.record);
        let after = kept.waits_since();
        if after != before && after.is_some_and(|since| since < kept.look) {
            shard.await_term(id);
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
        self.devices.get(id).map(|kept| &kept.record)
    }

    /// Returns a device, to change what neither a term nor the store depends on.
    pub(super) fn get_mut(&mut self, id: &DeviceId) -> Option<&mut Record> {
        self.devices.get_mut(id).map(|kept| &mut kept.record)
    }

    /// Takes a newcomer, which is there, out of their line.
    fn settle(&mut self, id: &DeviceId) {
        self.newcomers.leave(id);
        if let Some(record) = self.get_mut(id) {
            record.is_settled = true;
        }
    }

    /// Sees to it that a device is looked at once its term is over.
    fn await_term(&mut self, id: &DeviceId) {
        let Some(kept) = self.devices.get_mut(id) else {
            return;
        };
        let since = kept.waits_since();
        if let Some(since) = since.filter(|since| *since < kept.look) {
            kept.look = since;
            self.looks.push(Reverse((since, id.clone())));
        }
        // Devices that go leave their looks behind.
        if self.looks.len() > 2 * self.devices.len() + LEFT_OVER {
            let devices = &self.devices;
            self.looks.retain(|Reverse((at, id))| {
                let kept = devices.get(id);
                kept.is_some_and(|kept| kept.look == *at)
            });
        }
    }

    /// Returns the number of looks that wait.
    #[cfg(test)]
    pub(super) fn looks(&self) -> usize {
        self.looks.len()
    }

    fn has_look(&self, now: Moment) -> bool {
        let first = self.looks.peek();
        first.is_some_and(|Reverse((since, _))| now.is_over(*since))
    }

    /// Takes a device whose term is over. Each is taken once, whatever becomes of it then.
    fn take_look(&mut self, now: Moment) -> Option<DeviceId> {
        while self.has_look(now) {
            let Reverse((at, id)) = self.looks.pop()?;
            let Some(kept) = self.devices.get_mut(&id) else {
                continue;
            };
            if kept.look != at {
                continue;
            }
            kept.look = NEVER;
            match kept.waits_since() {
                Some(since) if now.is_over(since) => return Some(id),
                Some(_) => self.await_term(&id),
                None => {}
            }
        }
        None
    }

    /// Tells whether an offer waits for the end of its term.
    pub(super) fn has_terms(&self) -> bool {
        !self.looks.is_empty()
    }

    /// Returns what is said of a change of a device's newest offer, or of that which
    /// succeeded.
    pub(super) fn ended(&self, id: &DeviceId, change: Change) -> Option<Ended> {
        let history = self.get(id)?.history.as_deref()?;
        let mut offers = history.offers.iter().rev();
        let offer = offers.find(|offer| offer.end == change.to)?;
        Some(Ended {
            id: id.clone(),
            change,
            image: Arc::clone(&offer.image),
            failed: history.times_failed(offer.image.content).unwrap_or(0),
        })
    }

    /// Takes that devices changed: so many behind `after`. Returns the last one of them.
    pub(super) fn some_changed(
        &mut self,
        after: Option<&DeviceId>,
        most: usize,
    ) -> Option<DeviceId> {
        let mut last = None;
        for (id, _) in self.devices.behind(after).take(most) {
            self.changed.insert(id.clone());
            last = Some(id);
        }
        last
    }

    /// Takes up to so many devices that changed.
    pub(super) fn take_changed(&mut self, most: usize) -> Vec<(DeviceId, Option<Record>)> {
        let ids: Vec<DeviceId> = if self.changed.len() <= most {
            let ids = self.changed.drain().collect();
            // After a whole fleet's there is room for it.
            self.changed.shrink_to(most);
            ids
        } else {
            let ids: Vec<_> = self.changed.iter().take(most).cloned().collect();
            for id in &ids {
                self.changed.remove(id);
            }
            ids
        };
        let with = |id: DeviceId| {
            let record = self.get_mut(&id).map(|record| {
                let taken = record.clone();
                record.is_stored = true;
                taken
            });
            (id, record)
        };
        ids.into_iter().map(with).collect()
    }

    /// Forgets the addresses of those that were not seen for long, `most` devices behind
    /// `after`. Returns the last one that it looked at.
    fn drop_addresses(
        &mut self,
        after: Option<&DeviceId>,
        most: usize,
        (now, is_kept): (u64, bool),
    ) -> Option<DeviceId> {
        let mut last = None;
        let behind = self.devices.behind_mut(after);
        for (id, kept) in behind.take(most) {
            let record = &mut kept.record;
            if !record.address.is_unspecified() && record.address(now).is_none() {
                record.address = std::net::Ipv6Addr::UNSPECIFIED;
                if is_kept {
                    self.changed.insert(id.clone());
                }
            }
            last = Some(id);
        }
        last
    }
}
