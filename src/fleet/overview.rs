//! Overview of the fleet: all that one look through every device counts. A million of them
//! take some tenths of a second, most of which the processor waits for memory.

use super::offer_end::OfferEnd;
use super::outcome::{Content, ENOUGH, History, Offer, OfferedImage, millis};
use super::record::Record;
use super::{Build, DeviceId, Fleet, Profile, wall};
use crate::ota::upstream::Hold;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Name of a model that a device does not tell.
pub(super) const NO_MODEL: &str = "default";
/// Number of devices on which an image failed that are named, the latest ones.
const LATEST: usize = 5;
/// Times within which devices were seen: an hour, a day, a week.
const SPANS: [Duration; 3] = [
    Duration::from_secs(3600),
    Duration::from_secs(86_400),
    Duration::from_secs(7 * 86_400),
];

/// Answers by which the server behind holds a device.
const HELD: [Hold; 2] = [Hold::Unbound, Hold::UpdatesOff];

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
    /// Number of those that are not activated, and of those with automatic updates off: in
    /// upstream mode they were offered nothing at their last check-in.
    pub held: [u64; 2],
}

/// Summary, and what became of each image that is a device's newest offer.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The summary.
    pub summary: Summary,
    /// Images, those first that failed on most devices.
    pub images: Vec<ImageEnds>,
    /// Number of devices by what they say they are. Two may be alike.
    pub profiles: Vec<(Arc<Profile>, u64)>,
}

/// Newest offers of one image.
#[derive(Debug, Clone)]
pub struct ImageEnds {
    /// The image.
    pub image: Arc<OfferedImage>,
    /// Number of devices by the end of the offer, in the order of [`OfferEnd::ALL`].
    pub ends: [u64; OfferEnd::ALL.len()],
    /// Number of those whose failure stands: nobody has ordered another try since.
    pub standing: [u64; OfferEnd::ALL.len()],
    /// Devices on which it failed so that it stands, the latest first; of many, a few.
    pub latest: Vec<FailedDevice>,
}

/// Device on which its newest offer failed.
#[derive(Debug, Clone)]
pub struct FailedDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its description.
    pub profile: Arc<Profile>,
    /// End of the offer.
    pub end: OfferEnd,
    /// Number of times that the image failed on it.
    pub times: u32,
    /// Time of that end, in milliseconds since 1970.
    pub at: u64,
}

impl FailedDevice {
    /// Tells whether it gets the image no more.
    pub fn is_given_up(&self) -> bool {
        self.times >= ENOUGH
    }
}

impl ImageEnds {
    fn new(image: Arc<OfferedImage>) -> Self {
        Self {
            image,
            ends: Default::default(),
            standing: Default::default(),
            latest: Vec::new(),
        }
    }

    /// Returns the number of devices that are in this state.
    pub fn count(&self, end: OfferEnd) -> u64 {
        self.ends.get(end as usize).copied().unwrap_or(0)
    }

    /// Returns the number of devices on which it failed.
    pub fn failed(&self) -> u64 {
        let failures = OfferEnd::ALL.into_iter().filter(|end| end.is_failure());
        failures.map(|end| self.count(end)).sum()
    }

    /// Returns the number of devices on which it failed in this way, and nobody has ordered
    /// another try since.
    pub fn stands(&self, end: OfferEnd) -> u64 {
        self.standing.get(end as usize).copied().unwrap_or(0)
    }

    fn add(&mut self, id: &DeviceId, record: &Record, history: &History, offer: &Offer) {
        count(&mut self.ends, offer.end);
        if !offer.end.is_failure() {
            return;
        }
        let times = history.times_failed(offer.image.content).unwrap_or(ENOUGH);
        if times == 0 {
            return;
        }
        count(&mut self.standing, offer.end);
        if self.latest.len() >= LATEST && self.latest.last().is_some_and(|last| last.at >= offer.at)
        {
            return;
        }
        self.take(FailedDevice {
            id: id.clone(),
            profile: Arc::clone(&record.profile),
            end: offer.end,
            times,
            at: offer.at,
        });
    }

    fn take(&mut self, device: FailedDevice) {
        let behind = self.latest.partition_point(|known| known.at >= device.at);
        self.latest.insert(behind, device);
        self.latest.truncate(LATEST);
    }

    fn join(&mut self, other: Self) {
        let counts = self.ends.iter_mut().chain(&mut self.standing);
        for (count, more) in counts.zip(other.ends.into_iter().chain(other.standing)) {
            *count += more;
        }
        other
            .latest
            .into_iter()
            .for_each(|device| self.take(device));
    }
}

fn count(ends: &mut [u64; OfferEnd::ALL.len()], end: OfferEnd) {
    if let Some(count) = ends.get_mut(end as usize) {
        *count += 1;
    }
}

/// Profile and build that many devices share, by their places.
type KindKey = (*const Profile, *const Build);

/// Counts while they are made. Of a million devices there are some hundred kinds, and as many
/// images, each of which is kept once: what lies at one place is one.
#[derive(Default)]
struct Tally {
    summary: Summary,
    kinds: HashMap<KindKey, (Arc<Profile>, Arc<Build>, u64)>,
    images: HashMap<*const OfferedImage, ImageEnds>,
}

impl Tally {
    fn add(&mut self, id: &DeviceId, record: &Record, now: u64) {
        let summary = &mut self.summary;
        summary.devices += 1;
        let key = (Arc::as_ptr(&record.profile), Arc::as_ptr(&record.build));
        let kind = self.kinds.entry(key).or_insert_with(|| {
            let (profile, build) = (&record.profile, &record.build);
            (Arc::clone(profile), Arc::clone(build), 0)
        });
        kind.2 += 1;
        summary.transports[usize::from(record.is_secure)] += 1;
        let history = record.history.as_deref();
        if let Some((history, offer)) = history.and_then(|all| Some((all, all.offers.last()?))) {
            count(&mut summary.ends, offer.end);
            let image = self.images.entry(Arc::as_ptr(&offer.image));
            let image = image.or_insert_with(|| ImageEnds::new(Arc::clone(&offer.image)));
            image.add(id, record, history, offer);
        }
        for (count, hold) in summary.held.iter_mut().zip(HELD) {
            *count += u64::from(record.hold() == Some(hold));
        }
        let age = now.saturating_sub(record.last_seen);
        for (count, span) in summary.seen.iter_mut().zip(SPANS) {
            *count += u64::from(age < millis(span));
        }
    }

    fn finish(self) -> Overview {
        let mut summary = self.summary;
        let mut versions: HashMap<(String, String), u64> = HashMap::new();
        let mut profiles: HashMap<*const Profile, (Arc<Profile>, u64)> = HashMap::new();
        for (profile, build, count) in self.kinds.into_values() {
            let same = profiles.entry(Arc::as_ptr(&profile));
            same.or_insert_with(|| (Arc::clone(&profile), 0)).1 += count;
            let model = profile.named().unwrap_or(NO_MODEL).to_owned();
            let key = (model, build.version().to_owned());
            *versions.entry(key).or_default() += count;
        }
        summary.versions = versions
            .into_iter()
            .map(|((model, version), count)| (model, version, count))
            .collect();
        summary.versions.sort_by(|one, other| {
            let names = || (&one.0, &one.1).cmp(&(&other.0, &other.1));
            other.2.cmp(&one.2).then_with(names)
        });
        // Where too many are known, one image lies at several places.
        let mut images: BTreeMap<(Box<str>, Content), ImageEnds> = BTreeMap::new();
        for ends in self.images.into_values() {
            let key = (ends.image.file.clone(), ends.image.content);
            match images.get_mut(&key) {
                Some(known) => known.join(ends),
                None => drop(images.insert(key, ends)),
            }
        }
        let mut images: Vec<_> = images.into_values().collect();
        images.sort_by_key(|image| {
            let all: u64 = image.ends.iter().sum();
            (std::cmp::Reverse(image.failed()), std::cmp::Reverse(all))
        });
        summary.failing = by_file(&images);
        Overview {
            summary,
            images,
            profiles: profiles.into_values().collect(),
        }
    }
}

/// Counts by name: one name may have held several contents.
fn by_file(images: &[ImageEnds]) -> Vec<(String, u64)> {
    let mut files: BTreeMap<String, u64> = BTreeMap::new();
    for image in images.iter().filter(|image| image.failed() > 0) {
        *files.entry(image.image.file.to_string()).or_default() += image.failed();
    }
    let mut files: Vec<_> = files.into_iter().collect();
    files.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    files
}

impl Fleet {
    /// Counts devices, and what became of their newest offers.
    pub fn overview(&self, now: SystemTime) -> Overview {
        let (mut tally, now) = (Tally::default(), wall(now));
        self.each(|id, record| tally.add(id, record, now));
        tally.finish()
    }

    /// Counts the devices that the server behind has offered nothing, as [`Summary::held`]
    /// does.
    pub fn held(&self) -> [u64; 2] {
        let mut held = [0; 2];
        self.each(|_, record| {
            if let Some(hold) = record.hold() {
                let places = held.iter_mut().zip(HELD);
                places.for_each(|(count, kind)| *count += u64::from(kind == hold));
            }
        });
        held
    }

    /// Counts devices.
    pub fn summary(&self, now: SystemTime) -> Summary {
        self.overview(now).summary
    }
}
