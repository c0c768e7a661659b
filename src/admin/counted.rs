//! Things that the first page counts. They are kept for some seconds, for all who look.

use super::fleet_source::{FleetSource, Start};
use super::shared::Shared;
use crate::event::Event;
use crate::fleet::{
    Content, EndsByContent, FailedDevice, Fate, Hours, ImageEnds, OfferEnd, Overview, Step, Summary,
};
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;
use xiaozhi_device::version;

/// Number of versions that are named where they are counted over time. All others are one.
pub(super) const NAMED: usize = 5;
/// Number of images that failed which are shown each by itself.
pub(super) const SHOWN_IMAGES: usize = 5;

/// Counts of this moment.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) overview: Overview,
    pub(super) versions: Versions,
    /// Number of devices without a MAC address, which count for nothing else.
    pub(super) others: u64,
    /// Files that are offered, by their contents.
    pub(super) offered: HashMap<Content, String>,
    /// Number of models without a file here, and of their devices.
    pub(super) without: (u64, u64),
    /// Files that devices get next, by the content which failed on them and is gone: of those
    /// that failed on most devices, where the latest of these all get the same.
    pub(super) next: HashMap<Content, String>,
    /// Place to begin at.
    pub(super) start: Start,
    /// True until a device is known.
    pub(super) is_empty: bool,
}

impl Counts {
    /// Counts what there is.
    pub(super) fn of(source: &dyn FleetSource, now: SystemTime) -> Self {
        let mut overview = source.fleet().overview(now);
        if source.upstream().is_none() {
            // What one answered once says nothing any more.
            overview.summary.held = [0; 2];
        }
        let others = source.fleet().others();
        let is_empty = overview.summary.devices == 0 && others == 0;
        let offered = source.offered();
        Self {
            versions: Versions::of(&overview.summary),
            without: without(source, &overview),
            next: next(source, &overview, &offered),
            overview,
            others,
            offered,
            start: source.start(),
            is_empty,
        }
    }
}

/// Counts the models for which there is no file, and their devices.
fn without(source: &dyn FleetSource, overview: &Overview) -> (u64, u64) {
    let profiles: Vec<_> = overview.profiles.iter().map(|(each, _)| &**each).collect();
    let has_files = source.has_files(&profiles).into_iter();
    let all = overview.profiles.iter().zip(has_files);
    let bare = all.filter(|(_, has_files)| !has_files);
    let mut models = HashSet::new();
    let devices = bare.map(|((profile, count), _)| {
        models.insert(profile.named());
        count
    });
    let devices = devices.sum();
    (models.len() as u64, devices)
}

/// Finds what devices get in the place of files that failed on them and are gone.
fn next(
    source: &dyn FleetSource,
    overview: &Overview,
    offered: &HashMap<Content, String>,
) -> HashMap<Content, String> {
    let is_gone = |image: &&ImageEnds| {
        image.stands(OfferEnd::Silent) > 0 && !offered.contains_key(&image.image.content)
    };
    let of_device = |failed: &FailedDevice| {
        let prospects = source.prospects(&source.fleet().find(&failed.id)?);
        let mut prospects = prospects.into_iter();
        let gets = prospects.find(|one| matches!(one.fate, Fate::Gets(_)));
        Some(gets?.file)
    };
    let of_image = |image: &ImageEnds| {
        let mut files = image.latest.iter().map(of_device);
        let first = files.next()??;
        files
            .all(|file| file.as_deref() == Some(&*first))
            .then_some((image.image.content, first))
    };
    let gone = overview.images.iter().filter(is_gone).take(SHOWN_IMAGES);
    gone.filter_map(of_image).collect()
}

/// Devices of this moment by version, of whatever model. Strangers can make these many: they
/// are counted once, and whoever shows them looks a few up.
#[derive(Debug, Default)]
pub(super) struct Versions {
    counts: HashMap<String, u64>,
    /// The first few of them, by [`most`].
    pub(super) most: Vec<(String, u64)>,
    /// Number of devices.
    all: u64,
}

impl Versions {
    /// Counts them.
    pub(super) fn of(summary: &Summary) -> Self {
        let mut counts = HashMap::<String, u64>::new();
        for (_, version, count) in &summary.versions {
            *counts.entry(version.clone()).or_default() += count;
        }
        let named = counts.iter().map(|(version, count)| (&**version, *count));
        Self {
            most: most(named.collect()),
            all: counts.values().sum(),
            counts,
        }
    }

    /// Returns the number of devices of each of these versions, and of all others.
    pub(super) fn row(&self, names: &[String]) -> Vec<u64> {
        let count = |name| self.counts.get(name).copied().unwrap_or(0);
        let mut row: Vec<_> = names.iter().map(count).collect();
        row.push(self.all.saturating_sub(row.iter().sum()));
        row
    }
}

/// Returns the [`NAMED`] versions with the highest counts.
pub(super) fn most(counts: HashMap<&str, u64>) -> Vec<(String, u64)> {
    let mut most: Vec<_> = counts.into_iter().collect();
    most.sort_by(|one, other| {
        let counts = other.1.cmp(&one.1);
        let versions = || version::compare(other.0, one.0);
        counts.then_with(versions).then_with(|| one.0.cmp(other.0))
    });
    most.truncate(NAMED);
    let most = most.into_iter();
    most.map(|(version, count)| (version.to_owned(), count))
        .collect()
}

/// Counts of stretches of time.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) hours: Vec<Hours>,
    /// Counts of each; `None` where nothing keeps them.
    pub(super) read: Result<Option<Vec<Step>>, Event>,
}

impl Past {
    /// Reads what was counted.
    pub(super) fn of(source: &dyn FleetSource, hours: Vec<Hours>) -> Self {
        let read = source.past(&hours);
        Self { hours, read }
    }
}

/// Counts of each file, for which the whole fleet is looked through.
#[derive(Debug)]
pub(super) struct FileCounts {
    /// Number of known devices that could get each that is offered, by its name.
    pub(super) could_get: HashMap<String, u64>,
    pub(super) ends: EndsByContent,
}

impl FileCounts {
    /// Counts what there is.
    pub(super) fn of(source: &dyn FleetSource) -> Self {
        Self {
            could_get: source.could_get(),
            ends: source.fleet().ends_by_content(),
        }
    }
}

/// Everything that is counted, once it was asked for.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) counts: Shared<Counts>,
    /// By how far they go back: days, weeks, a year.
    pub(super) past: [Shared<Past>; 3],
    pub(super) files: Shared<FileCounts>,
}

impl Counted {
    /// Takes that somebody changed something, and wants to see it.
    pub(super) fn spoil(&self) {
        self.counts.spoil();
        self.files.spoil();
    }
}
