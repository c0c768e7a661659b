//! Orders of an operator about a device. Whoever takes one writes it down first.

use super::outcome::{Content, History};
use super::protected::image;
use super::{DeviceId, Fleet, Knowledge, Retry, by_device};
use crate::util::sync::lock;
use std::sync::Arc;
use std::time::SystemTime;

impl Fleet {
    /// Takes all orders in force to try images again, where others were found than those of
    /// the start: devices that are read later get them, too.
    pub fn ordered(&self, retries: Vec<Retry>, now: SystemTime) {
        let retries = Arc::new(by_device(retries));
        self.retries.store(Arc::clone(&retries));
        let now = self.moment(now).wall;
        for (id, orders) in &*retries {
            let mut shard = self.table.shard(id);
            self.table.change(&mut shard, id, |record| {
                let Some(history) = record.history.as_deref_mut() else {
                    return;
                };
                for (content, until) in orders.iter().filter(|(_, until)| *until <= now) {
                    history.retry(*content, *until);
                }
            });
        }
    }

    /// Returns the contents that were offered to a device under this name. `None` where the
    /// device is not known.
    pub fn contents(&self, id: &DeviceId, file: &str) -> Option<Vec<Content>> {
        let shard = self.table.shard(id);
        let history = shard.get(id)?.history.as_deref();
        let mut contents: Vec<_> = history
            .iter()
            .flat_map(|history| &history.offers)
            .filter(|offer| *offer.image.file == *file)
            .map(|offer| offer.image.content)
            .collect();
        contents.sort_unstable();
        contents.dedup();
        Some(contents)
    }

    /// Lets a device have again what failed on it: these contents, or all. Returns the number
    /// of images that it may have again by this; `None` where the device is not known.
    pub fn retry(&self, id: &DeviceId, contents: Option<&[Content]>) -> Option<usize> {
        // Whatever the clock said when it failed.
        let until = u64::MAX;
        let mut shard = self.table.shard(id);
        if self.knowledge() != Knowledge::Everything {
            // What the store knows of it comes later.
            let each = match contents {
                None => vec![None],
                Some(contents) => contents.iter().copied().map(Some).collect(),
            };
            let mut given = lock(&self.given);
            let orders = given.entry(id.clone()).or_default();
            orders.extend(each);
            orders.sort_unstable();
            orders.dedup();
        }
        let device = self.hash(id);
        {
            let mut protected = self.protected();
            match contents {
                None => protected.retry(device, None),
                Some(contents) => {
                    for content in contents {
                        protected.retry(device, Some(image(*content)));
                    }
                }
            }
        }
        self.table.change(&mut shard, id, |record| {
            let Some(history) = record.history.as_deref_mut() else {
                return 0;
            };
            match contents {
                None => history.retry(None, until),
                Some(contents) => {
                    let each = contents.iter();
                    each.map(|content| history.retry(Some(*content), until))
                        .sum()
                }
            }
        })
    }

    /// Has what was ordered of a device while its row was not read yet hold for what the row
    /// says, too. It is for whoever has its part.
    pub(super) fn order_again(&self, id: &DeviceId, history: &mut History) {
        let given = lock(&self.given);
        for content in given.get(id).into_iter().flatten() {
            history.retry(*content, u64::MAX);
        }
    }

    /// Forgets a device, and all that is known of it. Returns whether it was known.
    pub fn forget(&self, id: &DeviceId) -> bool {
        let device = self.hash(id);
        self.protected().forget(device);
        let mut shard = self.table.shard(id);
        let was_known = self.table.remove(&mut shard, id).is_some();
        let is_all_known = self.knowledge() == Knowledge::Everything;
        if !is_all_known {
            lock(&self.forgotten).insert(id.clone());
        }
        if was_known || !is_all_known {
            // It may not have been read yet, and a write that failed may have been done.
            self.table.note_change(&mut shard, id);
        }
        was_known
    }
}
