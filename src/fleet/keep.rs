//! Devices that the store reads and writes: those that changed, and those of earlier runs.

use super::outcome::{History, Moment, OFFERS};
use super::protected::BOOT;
use super::record::Record;
use super::{DeviceId, Fleet, Knowledge};
use crate::util::sync::lock;
use std::time::SystemTime;

impl Fleet {
    /// Takes up to so many devices that changed, each as it is now; `None` says that it is
    /// gone.
    pub(crate) fn take_changed(&self, most: usize) -> Vec<(DeviceId, Option<Record>)> {
        let mut taken = Vec::new();
        for part in self.table.parts() {
            let left = most.saturating_sub(taken.len());
            if left == 0 {
                break;
            }
            taken.extend(lock(part).take_changed(left));
        }
        taken
    }

    /// Takes that devices could not be written.
    pub(crate) fn changed_again(&self, devices: Vec<(DeviceId, Option<Record>)>) {
        for (id, _) in devices {
            let mut shard = self.table.shard(&id);
            self.table.note_change(&mut shard, &id);
        }
    }

    /// Takes that every device is to be written: the store is a new one.
    pub(crate) fn all_changed(&self) {
        for part in self.table.parts() {
            lock(part).all_changed();
        }
    }

    /// Returns the number of devices that changed.
    pub(crate) fn waiting(&self) -> usize {
        let parts = self.table.parts();
        parts.map(|part| lock(part).changed.len()).sum()
    }

    /// Returns the time served, over all runs, in milliseconds.
    pub(crate) fn served(&self) -> u64 {
        self.clock.served()
    }

    /// Goes on behind what earlier runs served, in milliseconds.
    pub(crate) fn read_served(&self, served: u64) {
        self.clock.go_on_behind(served);
    }

    /// Takes that what failed on devices was read, all of it.
    pub(crate) fn failures_known(&self) {
        self.know(Knowledge::Failures);
    }

    /// Takes that all devices were read.
    pub(crate) fn all_read(&self) {
        self.know(Knowledge::Everything);
    }

    /// Takes that the store, or the orders, are a newer program's.
    pub(crate) fn is_newer(&self) {
        self.know(Knowledge::Newer);
    }

    /// Takes devices of earlier runs. Some of them may have checked in meanwhile.
    pub(crate) fn read(&self, devices: Vec<(DeviceId, Record)>, now: SystemTime) {
        let now = self.moment(now);
        for (id, mut old) in devices {
            old.is_stored = true;
            self.share(&mut old);
            if let Some(history) = &mut old.history {
                history.restarted(now);
                for (_, content, until) in self.retries.iter().filter(|(of, ..)| *of == id) {
                    history.retry(*content, *until);
                }
            }
            let mut shard = self.table.shard(&id);
            if shard.get(&id).is_none() {
                self.table.admit(&mut shard, id.clone(), old);
                // It is as it was read.
                shard.changed.remove(&id);
                continue;
            }
            let settles = self.table.change(&mut shard, &id, |record| {
                merge(record, old, now);
                record.boots >= 2
            });
            if settles == Some(true)
                && let Some(record) = shard.get_mut(&id)
            {
                self.table.settle(record);
            }
        }
    }

    /// Puts what many devices have in common in place of what was read.
    fn share(&self, record: &mut Record) {
        let mut commons = self.commons();
        record.profile = commons.profiles.take((*record.profile).clone());
        record.build = commons.builds.take((*record.build).clone());
        if let Some(own) = record.own.take() {
            record.own = commons.own.try_take((*own).clone());
            record.has_lost_own |= record.own.is_none();
        }
        let offers = record
            .history
            .iter_mut()
            .flat_map(|history| &mut history.offers);
        for offer in offers {
            offer.image = commons.images.take((*offer.image).clone());
            offer.before = commons.builds.take((*offer.before).clone());
        }
    }
}

/// Puts what was known of a device behind what it said since the start.
fn merge(record: &mut Record, old: Record, now: Moment) {
    let apart = record.first_seen.saturating_sub(old.last_seen);
    let same_boot = u32::from(u128::from(apart) < BOOT.as_millis());
    let boots = record.boots.saturating_sub(same_boot);
    record.boots = old.boots.saturating_add(boots);
    record.first_seen = old.first_seen.min(record.first_seen);
    record.is_stored = true;
    record.own = record.own.take().or(old.own);
    record.at_first = old.at_first.or(record.at_first.take());
    record.has_lost_own |= old.has_lost_own;
    let Some(mut history) = old.history else {
        return;
    };
    // It came meanwhile, and said what it runs.
    history.checked(&record.build, now);
    let since = record.history.take();
    for offer in since.map(|since| since.offers).unwrap_or_default() {
        append(&mut history, offer);
    }
    record.history = Some(history);
}

fn append(history: &mut History, offer: super::Offer) {
    if let Some(last) = history.offers.last_mut()
        && last.end.goes_on()
        && last.image.content == offer.image.content
    {
        // Its token has the new number.
        *last = offer;
        return;
    }
    history.offers.push(offer);
    if history.offers.len() > OFFERS {
        history.offers.remove(0);
    }
}
