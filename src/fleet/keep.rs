//! Devices that the store reads and writes: those that changed, and those of earlier runs.

use super::about::{Build, Profile};
use super::journal::Kept;
use super::outcome::{History, Moment, OFFERS, OfferedImage};
use super::protected::BOOT;
use super::record::Record;
use super::table::STRETCH;
use super::{DeviceId, Fleet, Knowledge};
use crate::util::sync::lock;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

impl Kept for Fleet {
    fn take_changed(&self, most: usize) -> Vec<(DeviceId, Option<Record>)> {
        let mut taken = Vec::new();
        for part in self.table.parts() {
            loop {
                let left = most.saturating_sub(taken.len()).min(STRETCH);
                let before = taken.len();
                taken.extend(lock(part).take_changed(left));
                if taken.len() - before < left || left == 0 {
                    break;
                }
            }
        }
        taken
    }

    fn changed_again(&self, devices: Vec<(DeviceId, Option<Record>)>) {
        for (id, _) in devices {
            let mut shard = self.table.shard(&id);
            self.table.note_change(&mut shard, &id);
        }
    }

    fn all_changed(&self) {
        for part in self.table.parts() {
            lock(part).all_changed();
        }
    }

    fn waiting(&self) -> usize {
        let parts = self.table.parts();
        parts.map(|part| lock(part).changed.len()).sum()
    }

    fn served(&self) -> u64 {
        self.clock.served()
    }

    fn read_served(&self, served: u64) {
        self.clock.go_on_behind(served);
    }

    fn failures_known(&self) {
        self.know(Knowledge::Failures);
    }

    fn all_read(&self) {
        self.know(Knowledge::Everything);
    }

    fn is_newer(&self) {
        self.know(Knowledge::Newer);
    }

    fn read(&self, devices: Vec<(DeviceId, Record)>) {
        let now = self.moment(SystemTime::now());
        let mut known = Known::default();
        for (id, mut old) in devices {
            old.is_stored = true;
            self.share(&mut old, &mut known);
            if let Some(history) = &mut old.history {
                history.restarted(now);
                for (content, until) in self.retries.get(&id).into_iter().flatten() {
                    history.retry(*content, *until);
                }
            }
            let mut shard = self.table.shard(&id);
            if shard.get(&id).is_none() {
                // What was forgotten meanwhile is to be removed there, too.
                if !shard.changed.contains(&id) {
                    self.table.admit(&mut shard, &id, old);
                    // It is as it was read.
                    shard.changed.remove(&id);
                }
                continue;
            }
            if shard.get(&id).is_some_and(|known| known.is_stored) {
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

    fn take_hour(&self) -> Vec<(&'static str, String, u64)> {
        self.take_counts(SystemTime::now())
    }
}

/// Values of one batch, and what is kept in their place: each is looked for once.
#[derive(Default)]
struct Known {
    profiles: HashMap<*const Profile, Arc<Profile>>,
    builds: HashMap<*const Build, Arc<Build>>,
    images: HashMap<*const OfferedImage, Arc<OfferedImage>>,
}

/// Returns what is kept in the place of `value`.
fn shared<T: Clone>(
    known: &mut HashMap<*const T, Arc<T>>,
    value: &Arc<T>,
    take: impl FnOnce(T) -> Arc<T>,
) -> Arc<T> {
    let of = known
        .entry(Arc::as_ptr(value))
        .or_insert_with(|| take((**value).clone()));
    Arc::clone(of)
}

impl Fleet {
    /// Puts what many devices have in common in place of what was read.
    fn share(&self, record: &mut Record, known: &mut Known) {
        let mut commons = self.commons();
        record.profile = shared(&mut known.profiles, &record.profile, |profile| {
            commons.profiles.take(profile)
        });
        record.build = shared(&mut known.builds, &record.build, |build| {
            commons.builds.take(build)
        });
        if let Some(own) = record.own.take() {
            record.own = commons.own.try_take((*own).clone());
            record.has_lost_own |= record.own.is_none();
        }
        let offers = record.history.iter_mut();
        for offer in offers.flat_map(|history| &mut history.offers) {
            offer.image = shared(&mut known.images, &offer.image, |image| {
                commons.images.take(image)
            });
            offer.before = shared(&mut known.builds, &offer.before, |build| {
                commons.builds.take(build)
            });
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
    if let Some(at_first) = old.at_first() {
        record.set_at_first(Some(at_first.into()));
    }
    record.own = record.own.take().or(old.own);
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
    history.offers.reserve_exact(1);
    history.offers.push(offer);
    if history.offers.len() > OFFERS {
        history.offers.remove(0);
    }
}
