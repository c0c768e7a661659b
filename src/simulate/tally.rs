//! Counters of the whole fleet.

use super::failure::{Failure, FailureKind};
use super::histogram::Histogram;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// State of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DeviceState {
    /// Not switched on yet.
    Off,
    /// Waiting for a connection, for as many as may be are open.
    Waiting,
    /// Connecting for a check, or waiting for its answer.
    Checking,
    /// Pausing between two tries of a check.
    BackingOff,
    /// Fetching an image.
    Downloading,
    /// Restarting, or switched off until its next boot.
    Rebooting,
    /// Ended: it runs what it is to run.
    UpToDate,
    /// Ended: it was to update and could not.
    Failed,
    /// Ended: it checked ten times in vain, and runs on without an answer.
    GivenUp,
    /// Ended: its boot loader refused the new image, and it runs the old one.
    BadVerify,
    /// Ended: the new image crashed, and it runs the old one.
    BadCrash,
    /// Ended: it never came again after the new image.
    BadDead,
}

impl DeviceState {
    /// Every state, in the order in which a device meets them.
    pub(super) const ALL: [Self; 12] = [
        Self::Off,
        Self::Waiting,
        Self::Checking,
        Self::BackingOff,
        Self::Downloading,
        Self::Rebooting,
        Self::UpToDate,
        Self::Failed,
        Self::GivenUp,
        Self::BadVerify,
        Self::BadCrash,
        Self::BadDead,
    ];

    /// Returns whether a device stays in this state.
    pub(super) fn is_end(self) -> bool {
        matches!(self, Self::UpToDate | Self::Failed | Self::GivenUp) || self.is_bad()
    }

    /// Returns whether it is the end of a device that met a bad release.
    pub(super) fn is_bad(self) -> bool {
        matches!(self, Self::BadVerify | Self::BadCrash | Self::BadDead)
    }
}

/// Number and example of one kind of error.
#[derive(Debug, Clone, Default)]
pub(super) struct Noted {
    pub(super) count: u64,
    /// Details of the first one, if there are any.
    pub(super) example: Option<String>,
}

/// Failures that were injected (`--fail`, `--power-loss`).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Injected {
    /// Checks that were cut in the middle of the request.
    pub(super) checks_cut: u64,
    /// Downloads that were cut.
    pub(super) downloads_cut: u64,
    /// Devices that lost their power in a download.
    pub(super) power_cuts: u64,
    /// Devices that lost their power once the last byte had left the server.
    pub(super) power_losses: u64,
}

impl Injected {
    /// Returns the number of all injected failures.
    pub(super) fn total(self) -> u64 {
        self.checks_cut + self.downloads_cut + self.power_cuts + self.power_losses
    }
}

/// Counters of a fleet.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    states: [u32; DeviceState::ALL.len()],
    /// Devices by the version that they run.
    pub(super) versions: BTreeMap<Rc<str>, u32>,
    /// Checks that were answered.
    pub(super) checks: u64,
    /// Checks that failed, without those that were made to.
    pub(super) checks_failed: u64,
    /// Answered checks that offered an image.
    pub(super) offered: u64,
    /// Images that came whole and would boot.
    pub(super) downloads: u64,
    /// Downloads that failed, without those that were made to.
    pub(super) downloads_failed: u64,
    /// Bytes of images.
    pub(super) bytes: u64,
    /// Images that were booted.
    pub(super) updates: u64,
    /// Boots that went back to the version before, for the new one was never
    /// confirmed by a check.
    pub(super) rolled_back: u64,
    /// Devices that run a new version which no check has confirmed.
    pub(super) unconfirmed: u64,
    pub(super) injected: Injected,
    /// Errors by their kind.
    pub(super) errors: BTreeMap<FailureKind, Noted>,
    /// Times from the first packet to the end of the handshake.
    pub(super) connect: Histogram,
    /// Times from the request for a check to the last byte of its answer.
    pub(super) check: Histogram,
    /// Times from the request for an image to its last byte.
    pub(super) download: Histogram,
    /// Longest time by which this program was late itself.
    pub(super) lag: Duration,
}

impl Tally {
    /// Counts all devices as off, with the version that they begin with.
    pub(super) fn new(devices: u32, version: &Rc<str>) -> Self {
        let mut tally = Self::default();
        tally.states[DeviceState::Off as usize] = devices;
        tally.versions.insert(Rc::clone(version), devices);
        tally
    }

    /// Returns how many devices are in this state.
    pub(super) fn count(&self, state: DeviceState) -> u32 {
        self.states[state as usize]
    }

    /// Returns how many devices have come to their end.
    pub(super) fn ended(&self) -> u32 {
        let ends = DeviceState::ALL.into_iter().filter(|state| state.is_end());
        ends.map(|state| self.count(state)).sum()
    }

    pub(super) fn moved(&mut self, from: DeviceState, to: DeviceState) {
        self.states[from as usize] -= 1;
        self.states[to as usize] += 1;
    }

    pub(super) fn now_runs(&mut self, from: &Rc<str>, to: &Rc<str>) {
        if let Some(count) = self.versions.get_mut(from) {
            *count -= 1;
            if *count == 0 {
                self.versions.remove(from);
            }
        }
        *self.versions.entry(Rc::clone(to)).or_default() += 1;
    }

    pub(super) fn note(&mut self, failure: Failure) {
        let noted = self.errors.entry(failure.kind).or_default();
        noted.count += 1;
        if noted.example.is_none() {
            noted.example = failure.detail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_never_lost() {
        let (old, new): (Rc<str>, Rc<str>) = ("1".into(), "2".into());
        let mut tally = Tally::new(2, &old);
        tally.moved(DeviceState::Off, DeviceState::Checking);
        tally.moved(DeviceState::Checking, DeviceState::UpToDate);
        tally.now_runs(&old, &new);
        assert_eq!((tally.count(DeviceState::Off), tally.ended()), (1, 1));
        assert_eq!(tally.versions.len(), 2);
        tally.now_runs(&old, &new);
        assert_eq!(tally.versions.get("2"), Some(&2));
        assert_eq!(tally.versions.len(), 1);
    }

    #[test]
    fn the_first_example_is_kept() {
        let mut tally = Tally::default();
        tally.note(Failure::new(FailureKind::Tls));
        tally.note(Failure::with(FailureKind::Tls, "a"));
        tally.note(Failure::with(FailureKind::Tls, "b"));
        let noted = &tally.errors[&FailureKind::Tls];
        assert_eq!((noted.count, noted.example.as_deref()), (3, Some("a")));
    }
}
