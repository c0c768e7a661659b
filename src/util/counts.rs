//! Counts of what happens, which `/metrics` shows. They live as long as the process, and
//! only grow, but for those that say how much there is of something.
//!
//! A check-in must not feel them: a count is one relaxed addition to a number that no
//! other thread writes, for each has a lane of its own (with more threads than lanes some
//! share one). Whoever reads adds the lanes up, and may see one of two counts that belong
//! together before the other.

mod labels;

pub use labels::*;

use crate::event::{Kind, kinds};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Number of ends of an offer for which there is room.
pub const ENDS: usize = 16;
/// Number of kinds of failed handshakes for which there is room.
const HANDSHAKES: usize = 40;
/// Number of lanes.
const LANES: usize = 16;

// Places of the counts in a lane, each group behind the one before.
const CHECK_INS: usize = 0;
const DOWNLOADS: usize = CHECK_INS + CheckIn::ALL.len() * Transport::ALL.len();
const TURNED_AWAY: usize = DOWNLOADS + Download::ALL.len();
const LEFT_OUT: usize = TURNED_AWAY + TurnedAway::ALL.len();
const OFFERS: usize = LEFT_OUT + LeftOut::ALL.len();
const FAILED: usize = OFFERS + ENDS;
const BEGUN: usize = FAILED + HANDSHAKES;
const BYTES: usize = BEGUN + 1;
const OPENED: usize = BYTES + 1;
const CLOSED: usize = OPENED + 1;
const ACCEPT_FAILED: usize = CLOSED + 1;
const SHAKEN: usize = ACCEPT_FAILED + 1;
const STORE_ERRORS: usize = SHAKEN + 1;
const STORE_ROWS: usize = STORE_ERRORS + 1;
const PLACES: usize = STORE_ROWS + 1;

/// Counts of one thread. Processors fetch lines of 64 bytes in pairs: what another thread
/// writes lies in none of them.
#[derive(Debug)]
#[repr(align(128))]
struct Lane([AtomicU64; PLACES]);

static NEXT: AtomicUsize = AtomicUsize::new(0);
thread_local!(static LANE: usize = NEXT.fetch_add(1, Relaxed) % LANES);

/// Counts of this process.
pub static COUNTS: Counts = Counts::new();

/// All counts.
#[derive(Debug)]
pub struct Counts {
    lanes: [Lane; LANES],
    permits: AtomicU64,
    store_lag: AtomicU64,
    held: [AtomicU64; 2],
}

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}

impl Counts {
    /// Makes counts that are all 0.
    pub const fn new() -> Self {
        Self {
            lanes: [const { Lane([const { AtomicU64::new(0) }; PLACES]) }; LANES],
            permits: AtomicU64::new(0),
            store_lag: AtomicU64::new(0),
            held: [const { AtomicU64::new(0) }; 2],
        }
    }

    fn add(&self, place: usize, number: u64) {
        let lane = LANE.with(|lane| *lane);
        let count = self.lanes.get(lane).and_then(|lane| lane.0.get(place));
        if let Some(count) = count {
            count.fetch_add(number, Relaxed);
        }
    }

    fn sum(&self, place: usize) -> u64 {
        let counts = self.lanes.iter().filter_map(|lane| lane.0.get(place));
        counts.fold(0, |sum, count| sum.wrapping_add(count.load(Relaxed)))
    }

    /// Counts a check-in that was answered.
    pub fn check_in(&self, outcome: CheckIn, transport: Transport) {
        self.add(check_in(outcome, transport), 1);
    }

    /// Returns the number of check-ins of one outcome and one way.
    pub fn check_ins(&self, outcome: CheckIn, transport: Transport) -> u64 {
        self.sum(check_in(outcome, transport))
    }

    /// Counts a TLS handshake that came to its end.
    pub fn shaken(&self) {
        self.add(SHAKEN, 1);
    }

    /// Returns the number of those.
    pub fn handshakes(&self) -> u64 {
        self.sum(SHAKEN)
    }

    /// Counts a TLS handshake that failed, by the kind of the event that is told of it.
    pub fn handshake_failed(&self, kind: &Kind) {
        let number = kinds::handshakes().position(|known| known.id == kind.id);
        if let Some(number) = number.filter(|number| *number < HANDSHAKES) {
            self.add(FAILED + number, 1);
        }
    }

    /// Returns the ids of the kinds of failed handshakes, and the number of each.
    pub fn failed_handshakes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let kinds = kinds::handshakes().take(HANDSHAKES).enumerate();
        kinds.map(|(number, kind)| (kind.id, self.sum(FAILED + number)))
    }

    /// Counts a download, or a part of one, that begins.
    pub fn download_begun(&self) {
        self.add(BEGUN, 1);
    }

    /// Returns the number of those.
    pub fn downloads_begun(&self) -> u64 {
        self.sum(BEGUN)
    }

    /// Counts bytes of images that were handed to connections.
    pub fn handed_over(&self, bytes: u64) {
        self.add(BYTES, bytes);
    }

    /// Returns the number of those.
    pub fn download_bytes(&self) -> u64 {
        self.sum(BYTES)
    }

    /// Counts a download that ended.
    pub fn download_ended(&self, end: Download) {
        self.add(DOWNLOADS + end as usize, 1);
    }

    /// Returns the number of downloads with one end.
    pub fn downloads(&self, end: Download) -> u64 {
        self.sum(DOWNLOADS + end as usize)
    }

    /// Counts a connection that was let in, until the value that this returns goes.
    pub fn connection(&'static self) -> OpenConnection {
        self.add(OPENED, 1);
        OpenConnection(self)
    }

    /// Returns the number of connections that were let in.
    pub fn connections_accepted(&self) -> u64 {
        self.sum(OPENED)
    }

    /// Returns the number of connections that are open, each with its permit.
    pub fn connections_open(&self) -> u64 {
        // In this order: what ends meanwhile was begun before.
        let closed = self.sum(CLOSED);
        self.sum(OPENED).saturating_sub(closed)
    }

    /// Notes how many connections may be open at once.
    pub fn set_permits(&self, permits: usize) {
        self.permits.store(permits as u64, Relaxed);
    }

    /// Returns how many connections may be open at once.
    pub fn permits(&self) -> u64 {
        self.permits.load(Relaxed)
    }

    /// Counts a connection that could not stay.
    pub fn turned_away(&self, reason: TurnedAway) {
        self.add(TURNED_AWAY + reason as usize, 1);
    }

    /// Returns the number of connections that could not stay for one reason.
    pub fn connections_turned_away(&self, reason: TurnedAway) -> u64 {
        self.sum(TURNED_AWAY + reason as usize)
    }

    /// Counts a connection that the kernel had and could not hand over.
    pub fn accept_failed(&self) {
        self.add(ACCEPT_FAILED, 1);
    }

    /// Returns the number of those.
    pub fn failed_accepts(&self) -> u64 {
        self.sum(ACCEPT_FAILED)
    }

    /// Counts lines that are not in the log.
    pub fn left_out(&self, reason: LeftOut, lines: u64) {
        self.add(LEFT_OUT + reason as usize, lines);
    }

    /// Returns the number of lines that are not in the log for one reason.
    pub fn lines_left_out(&self, reason: LeftOut) -> u64 {
        self.sum(LEFT_OUT + reason as usize)
    }

    /// Counts an offer that came to an end, by the end's number among those that
    /// `/metrics` is given the names of. One beyond [`ENDS`] is not counted.
    pub fn offer_ended(&self, end: usize) {
        if end < ENDS {
            self.add(OFFERS + end, 1);
        }
    }

    /// Returns the number of offers that came to an end.
    pub fn offers(&self, end: usize) -> u64 {
        if end < ENDS {
            self.sum(OFFERS + end)
        } else {
            0
        }
    }

    /// Counts an attempt of the fleet's store to write or read that failed.
    pub fn store_failed(&self) {
        self.add(STORE_ERRORS, 1);
    }

    /// Returns the number of those.
    pub fn store_errors(&self) -> u64 {
        self.sum(STORE_ERRORS)
    }

    /// Counts rows that the fleet's store has written.
    pub fn store_wrote(&self, rows: u64) {
        self.add(STORE_ROWS, rows);
    }

    /// Returns the number of those.
    pub fn store_rows(&self) -> u64 {
        self.sum(STORE_ROWS)
    }

    /// Notes how long the oldest of what is to be written has waited; zero where nothing
    /// waits. A writer that hangs notes nothing: whoever hands it something does, too.
    pub fn set_store_lag(&self, lag: Duration) {
        let lag = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        self.store_lag.store(lag, Relaxed);
    }

    /// Returns how long the oldest of what is to be written had waited, as it was noted
    /// last.
    pub fn store_lag(&self) -> Duration {
        Duration::from_millis(self.store_lag.load(Relaxed))
    }

    /// Notes how many devices the server behind has offered nothing: those that are not
    /// activated, and those with automatic updates off.
    pub fn set_held(&self, held: [u64; 2]) {
        for (place, held) in self.held.iter().zip(held) {
            place.store(held, Relaxed);
        }
    }

    /// Returns how many there were of both when they were counted last.
    pub fn held(&self) -> [u64; 2] {
        self.held.each_ref().map(|held| held.load(Relaxed))
    }
}

/// Returns the place of a check-in's count.
const fn check_in(outcome: CheckIn, transport: Transport) -> usize {
    CHECK_INS + outcome as usize * Transport::ALL.len() + transport as usize
}

/// Connection that is open as long as this value is there.
#[derive(Debug)]
pub struct OpenConnection(&'static Counts);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.add(CLOSED, 1);
    }
}

#[cfg(test)]
mod tests;
