//! Things that the first page counts. They are kept for some seconds, for all who look.

use super::fleet_source::{FleetSource, Start};
use super::shared::Shared;
use crate::event::Event;
use crate::fleet::{Content, EndsByContent, Hours, Overview, Step, Summary};
use std::collections::{HashMap, HashSet};
use std::time::SystemTime;
use xiaozhi_device::version;

/// Number of versions that are named where they are counted over time. All others are one.
pub(super) const NAMED: usize = 5;

/// Counts of this moment.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) overview: Overview,
    pub(super) versions: Versions,
    /// Number of devices without a MAC address, which count for nothing else.
    pub(super) others: u64,
    /// Contents of the files that are offered.
    pub(super) offered: HashSet<Content>,
    /// Place to begin at; `None` once a device is known.
    pub(super) start: Option<Start>,
}

impl Counts {
    /// Counts what there is.
    pub(super) fn of(source: &dyn FleetSource, now: SystemTime) -> Self {
        let overview = source.fleet().overview(now);
        let others = source.fleet().others();
        let is_empty = overview.summary.devices == 0 && others == 0;
        Self {
            versions: Versions::of(&overview.summary),
            overview,
            others,
            offered: source.offered(),
            start: is_empty.then(|| source.start()),
        }
    }
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
