//! Views of the fleet, for people and programs. None of them holds up a check-in: the table
//! is looked through a stretch at a time.

use super::offer_end::OfferEnd;
use super::outcome::{Content, History, Offer};
use super::overview::NO_MODEL;
use super::protected::image;
use super::record::Record;
use super::search::Needle;
use super::{DeviceId, Fleet, wall};
use crate::firmware::name::model_key;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

/// Devices that are wanted. What is `None` is not asked.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Model that the device names, by which [`Fleet::summary`] counts it: the most precise of
    /// its names; `default` is for those that name none.
    pub model: Option<String>,
    /// Version that it runs.
    pub version: Option<String>,
    /// `board.name` or `board.type`.
    pub board: Option<String>,
    /// End of its newest offer.
    pub end: Option<OfferEnd>,
    /// File of its newest offer.
    pub file: Option<String>,
    /// True for devices that came over TLS last, false for the others.
    pub is_secure: Option<bool>,
    /// Earliest time of its last check-in.
    pub seen_since: Option<SystemTime>,
    /// Part of its id, board, version, address or client id, whatever the case; a MAC address
    /// in whichever spelling.
    pub q: Option<String>,
}

/// A page of devices, in order of their ids.
#[derive(Debug)]
pub struct Page {
    /// Devices, no more than were asked for.
    pub devices: Vec<(DeviceId, Record)>,
    /// Id behind which the next page begins, if there is one.
    pub next: Option<DeviceId>,
}

/// Ends of the offers of one file, by content.
pub(crate) type EndsByContent = HashMap<Content, [Ended; OfferEnd::ALL.len()]>;

/// Offers that ended in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ended {
    /// Number of them.
    pub(crate) offers: u64,
    /// Number of devices that they were made to.
    pub(crate) devices: u64,
}

impl Filter {
    fn wants(
        &self,
        id: &DeviceId,
        record: &Record,
        since: Option<u64>,
        q: Option<&Needle>,
    ) -> bool {
        let is_name = |name: &str, wanted: &str| model_key(name) == model_key(wanted);
        let is = |name: &Option<Box<str>>, wanted: &str| {
            name.as_deref().is_some_and(|name| is_name(name, wanted))
        };
        let profile = &record.profile;
        since.is_none_or(|since| record.last_seen >= since)
            && self
                .version
                .as_deref()
                .is_none_or(|version| record.build.version() == version)
            && self.board.as_deref().is_none_or(|board| {
                is(&profile.board_name, board) || is(&profile.board_type, board)
            })
            && self
                .model
                .as_deref()
                .is_none_or(|model| is_name(record.named().unwrap_or(NO_MODEL), model))
            && self
                .end
                .is_none_or(|end| newest(record).is_some_and(|offer| offer.end == end))
            && self
                .file
                .as_deref()
                .is_none_or(|file| newest(record).is_some_and(|offer| *offer.image.file == *file))
            && self
                .is_secure
                .is_none_or(|is_secure| record.is_secure == is_secure)
            && q.is_none_or(|q| q.is_in(id, record))
    }
}

fn newest(record: &Record) -> Option<&Offer> {
    record.history.as_deref()?.offers.last()
}

impl Fleet {
    /// Returns a page of the devices that are wanted, behind `after`.
    pub fn devices(&self, filter: &Filter, after: Option<&DeviceId>, most: usize) -> Page {
        let since = filter.seen_since.map(wall);
        let q = filter.q.as_deref().map(Needle::new);
        let wanted = |id: &DeviceId, record: &Record| filter.wants(id, record, since, q.as_ref());
        let mut devices = self.table.page(after, most.saturating_add(1), wanted);
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
        // Of a newcomer it is known apart which image was forced in vain.
        let was_forced = |device| self.protected().was_forced(device, content.map(image));
        let forced = usize::from(was_forced(self.hash(id)));
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
    pub(crate) fn ends_by_content(&self) -> EndsByContent {
        let mut ends = EndsByContent::new();
        self.table.each(|_, record| {
            let offers = record.history.as_deref().map(|history| &*history.offers);
            let offers = offers.unwrap_or_default();
            for (at, offer) in offers.iter().enumerate() {
                let of_content = ends.entry(offer.image.content).or_default();
                let is_same =
                    |one: &Offer| one.image.content == offer.image.content && one.end == offer.end;
                if let Some(count) = of_content.get_mut(offer.end as usize) {
                    count.offers += 1;
                    count.devices += u64::from(!offers.iter().take(at).any(is_same));
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
