//! Devices that the store reads and writes: those that changed, and those of earlier runs.

use super::about::{Build, Profile};
use super::commons::Whose;
use super::journal::{Call, Kept};
use super::news::say_end;
use super::outcome::{Change, Moment, OfferedImage, date_unknown};
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
        self.table.haste.begin_anew();
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

    fn call_at(&self, changes: usize, call: Call) {
        self.table.haste.call_at(changes, call);
    }

    fn changed_again(&self, devices: Vec<(DeviceId, Option<Record>)>) {
        for (id, taken) in devices {
            let mut shard = self.table.shard(&id);
            // Who was not in the store is not in it now: where nothing can be written for
            // days, invented devices that are gone must not wait to be removed from it.
            if let Some(taken) = taken
                && let Some(record) = shard.get_mut(&id)
            {
                record.is_stored = taken.is_stored;
            }
            self.table.note_change(&mut shard, &id);
        }
    }

    fn all_changed(&self) {
        self.table.all_changed();
    }

    fn waiting(&self) -> usize {
        let parts = self.table.parts();
        parts.map(|part| lock(part).changed.len()).sum()
    }

    fn served(&self) -> u64 {
        self.clock.served()
    }

    fn has_terms(&self) -> bool {
        self.table.parts().any(|part| lock(part).has_terms())
    }

    fn read_served(&self, served: u64) {
        self.clock.go_on_behind(served);
    }

    fn failures_known(&self) {
        self.know(Knowledge::Failures);
    }

    fn all_read(&self) {
        self.know(Knowledge::Everything);
        lock(&self.forgotten).clear();
        lock(&self.given).clear();
    }

    fn is_newer(&self) {
        self.know(Knowledge::Newer);
    }

    fn read(&self, devices: Vec<(DeviceId, Record)>) {
        let now = self.moment(SystemTime::now());
        let mut known = Known::default();
        let retries = self.retries.load_full();
        for (id, mut old) in devices {
            if lock(&self.forgotten).contains(&id) {
                continue;
            }
            old.is_stored = true;
            self.share(&mut old, &mut known);
            let mut is_damaged = false;
            if let Some(history) = &mut old.history {
                is_damaged = date_unknown(&mut history.failed, now.wall);
                history.restarted(now);
                // An order from a time that has not come yet, by a clock that was ahead, would
                // overrule what fails from now on at each start.
                let orders = retries.get(&id).into_iter().flatten();
                for (content, until) in orders.filter(|(_, until)| *until <= now.wall) {
                    history.retry(*content, *until);
                }
            }
            let mut shard = self.table.shard(&id);
            if let Some(history) = &mut old.history {
                self.order_again(&id, history);
            }
            if shard.get(&id).is_none() {
                // What was forgotten meanwhile is to be removed there, too.
                if !shard.changed.contains(&id) {
                    self.table.admit(&mut shard, &id, old);
                    // It is as it was read, but for what could not be.
                    if !is_damaged {
                        shard.changed.remove(&id);
                    }
                }
                continue;
            }
            if shard.get(&id).is_some_and(|known| known.is_stored) {
                continue;
            }
            let was_settled = old.is_settled;
            let changes = self
                .table
                .change(&mut shard, &id, |record| merge(record, old, now));
            let known = shard.get(&id);
            let (is_settled, boots) =
                known.map_or((true, 0), |known| (known.is_settled, known.boots));
            if was_settled && !is_settled {
                self.table.settle_again(&mut shard, &id);
                self.take_over(&mut shard, &id);
            } else if boots >= 2 {
                // Where there is no room it stays a newcomer.
                self.settle(&mut shard, &id);
            }
            let changes = changes.unwrap_or_default().into_iter();
            let ended: Vec<_> = changes
                .filter_map(|change| shard.ended(&id, change))
                .collect();
            drop(shard);
            for ended in &ended {
                say_end(ended);
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
        let whose = Whose::of(record);
        let nothing = commons.nothing();
        record.profile = shared(&mut known.profiles, &record.profile, |profile| {
            let taken = commons.profile(profile, whose);
            taken.unwrap_or_else(|| Arc::clone(&nothing.0))
        });
        record.build = shared(&mut known.builds, &record.build, |build| {
            let taken = commons.build(build, whose);
            taken.unwrap_or_else(|_| Arc::clone(&nothing.1))
        });
        if let Some(own) = record.own.take() {
            record.own = Some(commons.own((*own).clone(), whose));
        }
        if let Some(former) = record.former().cloned() {
            record.set_former(commons.former((*former).clone(), whose));
        }
        let offers = record.history.iter_mut();
        for offer in offers.flat_map(|history| &mut history.offers) {
            offer.image = shared(&mut known.images, &offer.image, |image| {
                commons.image(image)
            });
            offer.before = shared(&mut known.builds, &offer.before, |build| {
                let taken = commons.build(build, whose);
                taken.unwrap_or_else(|_| Arc::clone(&nothing.1))
            });
        }
    }
}

/// Puts what was known of a device behind what it said since the start. Returns how that
/// ended offers.
fn merge(record: &mut Record, old: Record, now: Moment) -> Vec<Change> {
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
    // It came meanwhile, and may have said what it runs.
    let is_said = record.build.is_said();
    if !is_said && old.build.is_said() {
        (record.build, record.profile) = (old.build, old.profile);
    } else if *record.profile == Profile::default() {
        record.profile = old.profile;
    }
    let Some(mut history) = old.history else {
        return Vec::new();
    };
    let since = record.history.take().map(|since| *since);
    let said = is_said.then_some(&*record.build);
    let changes = history.join(since, said, now);
    record.history = Some(history);
    changes
}
