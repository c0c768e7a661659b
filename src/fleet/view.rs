//! Views of the fleet, for people and programs. None of them holds up a check-in: the table
//! is looked through a stretch at a time.

use super::filter::{Filter, Wanted};
use super::offer_end::OfferEnd;
use super::outcome::{Content, History};
use super::record::Record;
use super::{DeviceId, Fleet, wall};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};

/// A page of devices, in order of their ids.
#[derive(Debug)]
pub struct Page {
    /// Devices, no more than were asked for.
    pub devices: Vec<(DeviceId, Record)>,
    /// Id behind which the next page begins, if there is one.
    pub next: Option<DeviceId>,
}

/// Ends of the offers of one file, by content.
pub(crate) type EndsByContent = HashMap<Content, [u64; OfferEnd::ALL.len()]>;

impl Fleet {
    /// Returns a page of the devices that are wanted, behind `after`.
    pub fn devices(&self, filter: &Filter, after: Option<&DeviceId>, most: usize) -> Page {
        let wanted = Wanted::new(filter, filter.seen_since.map(wall));
        let wants = |id: &DeviceId, record: &Record| wanted.wants(id, record);
        let mut devices = self.table.page(after, most.saturating_add(1), wants);
        let has_more = devices.len() > most;
        devices.truncate(most);
        let next = devices
            .last()
            .filter(|_| has_more)
            .map(|(id, _)| id.clone());
        Page { devices, next }
    }

    /// Returns what is known of a device, under any spelling of its id.
    pub fn find(&self, id: &DeviceId) -> Option<Record> {
        self.table.shard(id).get(id).cloned()
    }

    /// Counts the devices whose id is no MAC address.
    pub fn others(&self) -> u64 {
        // It comes behind every address.
        let last = DeviceId::Other(Box::default());
        let count = Cell::new(0);
        self.table.page(Some(&last), 1, |_, _| {
            count.set(count.get() + 1);
            false
        });
        count.get()
    }

    /// Returns the number of images whose failures on a device an order of this moment would
    /// forget: of one content, or of all.
    pub fn failed_before(&self, id: &DeviceId, content: Option<Content>) -> usize {
        // What is known by its id alone was forced in vain, and nobody knows which image it was.
        let forced = usize::from(self.protected().was_forced(self.hash(id)));
        let history = self.find(id).and_then(|record| record.history);
        let Some(mut history) = history else {
            return forced;
        };
        let counted = |history: &History| {
            let failed = history.failed.iter().map(|failed| failed.content);
            let offers = history.offers.iter().filter(|offer| offer.forced > 0);
            let forced = offers.map(|offer| offer.image.content);
            failed.chain(forced).collect::<HashSet<_>>()
        };
        let before = counted(&history);
        history.retry(content, u64::MAX);
        let after = counted(&history);
        before.difference(&after).count().max(forced)
    }

    /// Counts how the offers that are kept ended, by content.
    pub fn ends_by_content(&self) -> EndsByContent {
        let mut ends = EndsByContent::new();
        self.table.each(|_, record| {
            let offers = record.history.iter().flat_map(|history| &history.offers);
            for offer in offers {
                let of_content = ends.entry(offer.image.content).or_default();
                if let Some(count) = of_content.get_mut(offer.end as usize) {
                    *count += 1;
                }
            }
        });
        ends
    }

    /// Looks at every device that is known by a MAC address.
    pub fn each(&self, look: impl FnMut(&DeviceId, &Record)) {
        self.table.each(look);
    }
}
