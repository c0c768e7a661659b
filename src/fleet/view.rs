//! Views of the fleet, for people and programs. None of them holds up a check-in: the table
//! is looked through a stretch at a time.

use super::offer_end::OfferEnd;
use super::outcome::{Content, History, OfferedImage, millis};
use super::protected::image;
use super::record::Record;
use super::search::Needle;
use super::{Build, DeviceId, Fleet, Profile, wall};
use crate::firmware::name::model_key;
use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Name of a model that a device does not tell.
const NO_MODEL: &str = "default";

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

/// Counts of the devices that are known by a MAC address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of them.
    pub devices: u64,
    /// Number by model and version, most first.
    pub versions: Vec<(String, String, u64)>,
    /// Number by the file that was the newest they were offered, where it failed, most first.
    pub failing: Vec<(String, u64)>,
    /// Number by the end of their newest offers, in the order of [`OfferEnd::ALL`].
    pub ends: [u64; OfferEnd::ALL.len()],
    /// Number over plain HTTP, and over TLS.
    pub transports: [u64; 2],
    /// Number seen within an hour, a day and a week.
    pub seen: [u64; 3],
}

/// Ends of the offers of one file, by content.
pub(crate) type EndsByContent = HashMap<Content, [u64; OfferEnd::ALL.len()]>;

/// Profile and build that many devices share, by their places.
type KindKey = (*const Profile, *const Build);

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
            && self.end.is_none_or(|end| newest(record) == Some(end))
            && q.is_none_or(|q| q.is_in(id, record))
    }
}

fn newest(record: &Record) -> Option<OfferEnd> {
    let history = record.history.as_deref()?;
    history.offers.last().map(|offer| offer.end)
}

/// Counts by name: one name may have held several contents.
fn by_file(failing: HashMap<Arc<OfferedImage>, u64>) -> Vec<(String, u64)> {
    let mut files: BTreeMap<String, u64> = BTreeMap::new();
    for (image, count) in failing {
        *files.entry(image.file.to_string()).or_default() += count;
    }
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_by_key(|(_, count)| Reverse(*count));
    files
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

    /// Counts devices.
    pub fn summary(&self, now: SystemTime) -> Summary {
        const SPANS: [Duration; 3] = [
            Duration::from_secs(3600),
            Duration::from_secs(86_400),
            Duration::from_secs(7 * 86_400),
        ];
        let now = wall(now);
        let mut summary = Summary::default();
        // Of a million devices there are some hundred kinds, each of which is kept once.
        let mut kinds: HashMap<KindKey, (Arc<Profile>, Arc<Build>, u64)> = HashMap::new();
        let mut failing: HashMap<Arc<OfferedImage>, u64> = HashMap::new();
        self.table.each(|_, record| {
            summary.devices += 1;
            let key = (Arc::as_ptr(&record.profile), Arc::as_ptr(&record.build));
            let kind = kinds.entry(key).or_insert_with(|| {
                let (profile, build) = (&record.profile, &record.build);
                (Arc::clone(profile), Arc::clone(build), 0)
            });
            kind.2 += 1;
            summary.transports[usize::from(record.is_secure)] += 1;
            let history = record.history.as_deref();
            if let Some(offer) = history.and_then(|history| history.offers.last()) {
                if let Some(count) = summary.ends.get_mut(offer.end as usize) {
                    *count += 1;
                }
                if offer.end.is_failure() {
                    *failing.entry(Arc::clone(&offer.image)).or_default() += 1;
                }
            }
            let age = now.saturating_sub(record.last_seen);
            for (count, span) in summary.seen.iter_mut().zip(SPANS) {
                *count += u64::from(age < millis(span));
            }
        });
        let mut versions: HashMap<(String, String), u64> = HashMap::new();
        for (profile, build, count) in kinds.into_values() {
            let model = profile.named().unwrap_or(NO_MODEL).to_owned();
            *versions
                .entry((model, build.version().to_owned()))
                .or_default() += count;
        }
        summary.versions = versions
            .into_iter()
            .map(|((model, version), count)| (model, version, count))
            .collect();
        let order = |one: &(String, String, u64), other: &(String, String, u64)| {
            let names = || (&one.0, &one.1).cmp(&(&other.0, &other.1));
            other.2.cmp(&one.2).then_with(names)
        };
        summary.versions.sort_by(order);
        summary.failing = by_file(failing);
        summary
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
