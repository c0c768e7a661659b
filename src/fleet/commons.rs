//! Values that many devices have in common, each kept once, and no more bytes of them than there
//! is room for: strangers can say anything. All that records say of devices stands here, so
//! that what strangers say of theirs has a bound, however many they are.
//!
//! Newcomers fill half of it at most, so that a flood of them leaves room for what known
//! devices say anew. Where all is full, a device goes on as what it was known to be, and is
//! offered nothing while it runs something that cannot be kept: nobody could tell whether it
//! was rolled back to that. What it installed from here can always be kept, for there are no
//! more kinds of that than images.

use super::Fleet;
use super::about::{Build, Profile, kept};
use super::outcome::{Content, OfferedImage, is_same};
use super::record::Record;
use super::weight::Weigh;
use crate::firmware::snapshot::Entry;
use crate::ota::device_memory::OwnModel;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// Number of new values, at least, before those that nobody has any more are looked for again.
const FEWEST: usize = 1024;

/// Values of one sort.
type Shared<T> = HashSet<Arc<T>>;

/// Values that records share.
#[derive(Debug)]
pub(super) struct Commons {
    profiles: Shared<Profile>,
    builds: Shared<Build>,
    images: Shared<OfferedImage>,
    own: Shared<OwnModel>,
    /// Bytes of all of them, and the most that there is room for.
    bytes: usize,
    most: usize,
    /// Number of new ones before those that nobody has any more are looked for.
    until_sweep: usize,
    /// The description that stands for one that there is no room for.
    nothing: (Arc<Profile>, Arc<Build>),
}

/// Device that says something, by what room there is for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Newcomer,
    Settled,
}

impl Whose {
    pub(super) fn of(record: &Record) -> Self {
        if record.is_settled {
            Self::Settled
        } else {
            Self::Newcomer
        }
    }
}

/// The part of a description that is new, as it is kept.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// `None` where nothing is new, or there is no room for it.
    pub(super) profile: Option<Arc<Profile>>,
    /// As that of the profile.
    pub(super) build: Option<Arc<Build>>,
    /// Build that there was no room for.
    pub(super) lost_build: Option<Build>,
    /// True where there was no room for something.
    pub(super) is_lost: bool,
}

impl Commons {
    /// Makes one with room for so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            profiles: Shared::default(),
            builds: Shared::default(),
            images: Shared::default(),
            own: Shared::default(),
            bytes: 0,
            most,
            until_sweep: 0,
            nothing: Default::default(),
        }
    }

    /// Returns the bytes of all that is kept, and the most that there is room for.
    pub(super) fn fill(&self) -> (usize, usize) {
        (self.bytes, self.most)
    }

    /// Takes what a device says anew.
    pub(super) fn describe(
        &mut self,
        (profile, build): (Option<Profile>, Option<Build>),
        whose: Whose,
    ) -> Described {
        let mut described = Described::default();
        if let Some(profile) = profile {
            described.profile = self.profile(profile, whose);
            described.is_lost |= described.profile.is_none();
        }
        match build.map(|build| self.build(build, whose)) {
            None => {}
            Some(Ok(build)) => described.build = Some(build),
            Some(Err(build)) => {
                described.lost_build = Some(build);
                described.is_lost = true;
            }
        }
        described
    }

    /// Returns what stands for a description that there is no room for.
    pub(super) fn nothing(&self) -> (Arc<Profile>, Arc<Build>) {
        self.nothing.clone()
    }

    pub(super) fn profile(&mut self, profile: Profile, whose: Whose) -> Option<Arc<Profile>> {
        self.take(|all| &mut all.profiles, profile, whose).ok()
    }

    pub(super) fn build(&mut self, build: Build, whose: Whose) -> Result<Arc<Build>, Build> {
        self.take(|all| &mut all.builds, build, whose)
    }

    /// Returns what a device runs that installed this image.
    pub(super) fn build_of(&mut self, image: &OfferedImage) -> Arc<Build> {
        self.ours(|all| &mut all.builds, image.build())
    }

    pub(super) fn image(&mut self, image: OfferedImage) -> Arc<OfferedImage> {
        self.ours(|all| &mut all.images, image)
    }

    /// Returns a model of a device's own. Where there is no room for its name, it is known by
    /// that of its files, of which there are no more than the folder has.
    pub(super) fn own(&mut self, own: OwnModel, whose: Whose) -> Arc<OwnModel> {
        let taken = self.take(|all| &mut all.own, own, whose);
        taken.unwrap_or_else(|OwnModel { files, .. }| {
            let named = files.clone();
            self.ours(|all| &mut all.own, OwnModel { named, files })
        })
    }

    /// Returns a model as which a device came before, if there is room for it: it is told of,
    /// and decides nothing.
    pub(super) fn former(&mut self, former: OwnModel, whose: Whose) -> Option<Arc<OwnModel>> {
        self.take(|all| &mut all.own, former, whose).ok()
    }

    /// Returns the one that is like `value`; or that itself, where there is no room for it.
    fn take<T: Eq + Hash + Weigh>(
        &mut self,
        of: fn(&mut Self) -> &mut Shared<T>,
        value: T,
        whose: Whose,
    ) -> Result<Arc<T>, T> {
        if let Some(known) = of(self).get(&value) {
            return Ok(Arc::clone(known));
        }
        if self.has_room(value.weigh(), whose) {
            Ok(self.ours(of, value))
        } else {
            Err(value)
        }
    }

    /// Returns the one that is like `value`, which this server made: there are no more of these
    /// than images, and always room for them.
    fn ours<T: Eq + Hash + Weigh>(
        &mut self,
        of: fn(&mut Self) -> &mut Shared<T>,
        value: T,
    ) -> Arc<T> {
        if let Some(known) = of(self).get(&value) {
            return Arc::clone(known);
        }
        self.bytes = self.bytes.saturating_add(value.weigh());
        let value = Arc::new(value);
        of(self).insert(Arc::clone(&value));
        value
    }

    fn has_room(&mut self, weight: usize, whose: Whose) -> bool {
        let most = match whose {
            Whose::Newcomer => self.most / 2,
            Whose::Settled => self.most,
        };
        self.until_sweep = self.until_sweep.saturating_sub(1);
        let fits = |all: &Self| all.bytes.saturating_add(weight) <= most;
        if !fits(self) && self.until_sweep == 0 {
            self.sweep();
        }
        fits(self)
    }

    /// Lets go of what nobody has any more.
    fn sweep(&mut self) {
        fn swept<T: Eq + Hash + Weigh>(shared: &mut Shared<T>) -> (usize, usize) {
            shared.retain(|value| Arc::strong_count(value) > 1);
            let bytes = shared.iter().map(|value| value.weigh()).sum();
            (shared.len(), bytes)
        }
        let all = [
            swept(&mut self.profiles),
            swept(&mut self.builds),
            swept(&mut self.images),
            swept(&mut self.own),
        ];
        self.bytes = all.iter().map(|(_, bytes)| bytes).sum();
        let number: usize = all.iter().map(|(number, _)| number).sum();
        // It costs as much as so many new ones.
        self.until_sweep = (number / 8).max(FEWEST);
    }
}

impl Fleet {
    /// Returns an image as it is kept beside offers: mostly it is the one that the device was
    /// offered before.
    pub(super) fn image(&self, record: &Record, entry: &Entry) -> Arc<OfferedImage> {
        let content = Content::of(&entry.sha256);
        let mut offers = record.history.iter().flat_map(|history| &history.offers);
        let known = offers.find(|offer| {
            offer.image.content == content && *offer.image.file == *entry.file.as_str()
        });
        if let Some(known) = known {
            return Arc::clone(&known.image);
        }
        let app = entry.app.as_deref();
        self.commons().image(OfferedImage {
            file: entry.file.as_str().into(),
            version: entry.version.as_str().into(),
            inside: app.map(|app| kept(&app.version).into()),
            elf_sha256: app.and_then(|app| app.elf_sha256),
            content,
        })
    }

    /// Has a device that says that it runs `build`, for which there is no room, run what it was
    /// offered and installed, if that is it. Returns whether its record says now what it runs.
    pub(super) fn stand_in(&self, record: &mut Record, build: &Build) -> bool {
        let history = record.history.as_deref();
        if let Some(image) = history.and_then(|history| history.installed(build)) {
            record.build = self.commons().build_of(image);
        }
        is_same(&record.build, build) == Some(true)
    }
}
