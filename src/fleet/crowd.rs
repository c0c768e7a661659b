//! Groups of devices that would be told the same: of a million of them there are some hundred.
//! Pure.

use super::about::{Build, Profile, check_in};
use super::id::DeviceId;
use super::offer_end::OfferEnd;
use super::outcome::{Content, History, times_failed};
use super::record::Record;
use crate::firmware::name::model_key;
use crate::ota::device_memory::{DeviceMemory, OwnModel, Unknown};
use crate::ota::upstream::Hold;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use xiaozhi_device::checkin::CheckIn;
use xiaozhi_device::version;

/// Devices that are known by a MAC address, counted by all that decides what they are told.
#[derive(Debug, Default)]
pub struct Crowd {
    groups: HashMap<Group, u64>,
    /// Number of devices to which a content was offered last, and which may run it soon.
    under_way: HashMap<Content, u64>,
    devices: u64,
    heeds: Heeds,
}

/// Voice of the server behind in what devices are offered: in upstream mode it counts what it
/// answered them last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Heeds {
    /// It counts: as long as nothing else is heard, it will have them offered nothing again.
    Upstream,
    /// There is no such server now.
    #[default]
    Nobody,
}

impl Heeds {
    /// Tells whether there `is` a server behind.
    pub fn of(is: bool) -> Self {
        if is { Self::Upstream } else { Self::Nobody }
    }
}

/// One of several values that are kept once each: two that lie at one place are one.
#[derive(Debug, Clone)]
struct Place<T>(Arc<T>);

impl<T> PartialEq for Place<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Place<T> {}

impl<T> Hash for Place<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// Kind of devices: all that decides what they are told.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    profile: Place<Profile>,
    build: Place<Build>,
    own: Own,
    /// Images that were tried on them in vain, if any were.
    tried: Option<Box<Tried>>,
    /// Reason why the server behind has them offered nothing.
    hold: Option<Hold>,
}

/// Model under which devices had files of their own.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Own {
    None,
    Model(Place<OwnModel>),
    /// They may have had one, and there was no room to remember it.
    Lost,
}

/// Images that failed on devices, or were forced on them, with the number of times.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
struct Tried {
    failed: Vec<(Content, u32)>,
    forced: Vec<(Content, u32)>,
}

impl Own {
    /// Reads what the record of a device says. What a newcomer had under another name, only
    /// the running server knows.
    fn of(record: &Record) -> Self {
        let Some(own) = &record.own else {
            let is_lost = record.has_lost_own && record.is_settled;
            return if is_lost { Self::Lost } else { Self::None };
        };
        let named = record.named();
        let is_back = named.is_some() && record.at_first() == named && named != Some(&*own.named);
        if is_back {
            Self::None
        } else {
            Self::Model(Place(Arc::clone(own)))
        }
    }
}

impl Tried {
    fn of(history: &History, build: &Build) -> Option<Box<Self>> {
        let mut tried = Self::default();
        let failed = history.failed.iter();
        tried
            .failed
            .extend(failed.map(|failed| (failed.content, failed.times)));
        for offer in history.offers.iter().filter(|offer| offer.forced > 0) {
            let content = offer.image.content;
            let times = history.times_forced(content, build);
            if times > 0 && tried.forced.iter().all(|(known, _)| *known != content) {
                tried.forced.push((content, times));
            }
        }
        let is_empty = tried.failed.is_empty() && tried.forced.is_empty();
        (!is_empty).then(|| {
            // In whatever order it happened.
            tried.failed.sort_unstable();
            tried.forced.sort_unstable();
            Box::new(tried)
        })
    }
}

fn times(of: &[(Content, u32)], content: Content) -> Option<u32> {
    let found = of.iter().find(|(known, _)| *known == content);
    found.map(|(_, times)| *times)
}

/// The memory that a server has of such a device, once it has read all that it knew.
impl DeviceMemory for Group {
    fn forced(&self, sha256: &[u8; 32]) -> Result<u32, Unknown> {
        let tried = self.tried.as_deref();
        let times = tried.and_then(|tried| times(&tried.forced, Content::of(sha256)));
        Ok(times.unwrap_or(0))
    }

    fn failed(&self, sha256: &[u8; 32]) -> Result<u32, Unknown> {
        let Some(tried) = self.tried.as_deref() else {
            return Ok(0);
        };
        let times = times_failed(tried.failed.iter().copied(), Content::of(sha256));
        times.ok_or(Unknown::TooMuch)
    }

    fn own_model(&self, _: Option<&str>) -> Result<Option<OwnModel>, Unknown> {
        match &self.own {
            Own::None => Ok(None),
            Own::Model(Place(own)) => Ok(Some(OwnModel::clone(own))),
            Own::Lost => Err(Unknown::NoRoom),
        }
    }
}

impl Group {
    /// Returns the kind of one device.
    pub(super) fn of(record: &Record, heeds: Heeds) -> Self {
        let history = record.history.as_deref();
        Self {
            profile: Place(Arc::clone(&record.profile)),
            build: Place(Arc::clone(&record.build)),
            own: Own::of(record),
            tried: history.and_then(|history| Tried::of(history, &record.build)),
            hold: record.hold().filter(|_| heeds == Heeds::Upstream),
        }
    }

    /// Returns the check-in that each of them would make now.
    pub(super) fn check_in(&self) -> CheckIn<'_> {
        check_in(&self.profile.0, &self.build.0, "")
    }

    /// Returns why the server behind has them offered nothing, if it has.
    pub(super) fn hold(&self) -> Option<Hold> {
        self.hold
    }

    /// Returns the version that they run.
    pub(super) fn version(&self) -> &str {
        self.build.0.version()
    }

    /// Tells whether they call their board by this name.
    fn reports(&self, name: &str) -> bool {
        let profile = &self.profile.0;
        let names = [&profile.board_name, &profile.board_type];
        let mut names = names.into_iter().flatten();
        names.any(|known| model_key(known) == name)
    }
}

/// An image, as it is looked for among what devices run.
#[derive(Debug, Clone, Copy)]
pub struct RunImage<'a> {
    /// Content of the file.
    pub content: Content,
    /// ELF hash in it, if it has one.
    pub elf_sha256: Option<[u8; 32]>,
    /// Versions that devices report that run it: the one inside, and the one in its name.
    pub versions: [&'a str; 2],
}

impl Crowd {
    /// Makes an empty one, of devices of which this counts.
    pub fn new(heeds: Heeds) -> Self {
        Self {
            heeds,
            ..Self::default()
        }
    }

    /// Takes a device. One that is not known by a MAC address counts for nothing.
    pub fn add(&mut self, id: &DeviceId, record: &Record) {
        if id.mac().is_none() {
            return;
        }
        self.devices += 1;
        *self
            .groups
            .entry(Group::of(record, self.heeds))
            .or_default() += 1;
        let history = record.history.as_deref();
        if let Some(offer) = history.and_then(|history| history.offers.last())
            && matches!(
                offer.end,
                OfferEnd::Offered | OfferEnd::Fetching | OfferEnd::Fetched
            )
        {
            *self.under_way.entry(offer.image.content).or_default() += 1;
        }
    }

    /// Returns the number of devices.
    pub fn devices(&self) -> u64 {
        self.devices
    }

    /// Returns the number of devices that report this name, as `board.name` or `board.type`.
    pub fn reports(&self, name: &str) -> u64 {
        let name = &*model_key(name);
        self.count(|group| group.reports(name))
    }

    /// Tells whether a device may look for files under one of these names.
    pub fn may_ask_for<'n>(&self, names: impl Iterator<Item = &'n str>) -> bool {
        let names: Vec<_> = names.map(model_key).collect();
        let mut groups = self.groups.keys();
        groups.any(|group| {
            let mut own = group.profile.0.names().map(model_key);
            own.any(|own| names.contains(&own))
        })
    }

    /// Returns the number of devices that run an image, or were offered it last and may run
    /// it soon. It is theirs by its ELF hash; or by its version, where they look for files
    /// under one of these `names`.
    pub fn run_by<'n>(&self, image: &RunImage<'_>, names: impl Iterator<Item = &'n str>) -> u64 {
        let names: Vec<_> = names.map(model_key).collect();
        let runs = self.count(|group| {
            let is_hash = |hash| group.build.0.elf_sha256 == Some(hash);
            let own = group.version();
            let is_version = |version: &&str| version::compare(version, own).is_eq();
            let mut called = group.profile.0.names().map(model_key);
            image.elf_sha256.is_some_and(is_hash)
                || image.versions.iter().any(is_version) && called.any(|name| names.contains(&name))
        });
        runs + self.under_way.get(&image.content).copied().unwrap_or(0)
    }

    fn count(&self, is_meant: impl Fn(&Group) -> bool) -> u64 {
        let groups = self.groups();
        let meant = groups.filter(|(group, _)| is_meant(group));
        meant.map(|(_, devices)| devices).sum()
    }

    /// Returns the groups, each with the number of its devices, in no order.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&Group, u64)> {
        self.groups.iter().map(|(group, devices)| (group, *devices))
    }
}
