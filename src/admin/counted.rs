//! Things that the first page counts. They are kept for some seconds, for all who look.

use super::fleet_source::{FleetSource, Start};
use super::shared::Shared;
use crate::event::Event;
use crate::fleet::{Content, Hours, Overview, Step};
use std::collections::HashSet;
use std::time::SystemTime;

/// Counts of this moment.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) overview: Overview,
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
            overview,
            others,
            offered: source.offered(),
            start: is_empty.then(|| source.start()),
        }
    }
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

/// Everything that is counted, once it was asked for.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) counts: Shared<Counts>,
    /// By how far they go back: days, weeks, a year.
    pub(super) past: [Shared<Past>; 3],
}
