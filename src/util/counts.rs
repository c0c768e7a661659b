//! Counts of what happens, which `/metrics` shows. They live as long as the process, and
//! only grow, but for those that say how much there is of something.
//!
//! A check-in must not feel them: a count is one relaxed addition to a number that no
//! other thread writes, for each has a lane of its own (with more threads than lanes some
//! share one). Whoever reads adds the lanes up, and may see one of two counts that belong
//! together before the other.

use crate::event::{Kind, kinds};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Declares values that are told apart by one label, which never grow in number.
macro_rules! labelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $value:ident = $label:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $value,)* }

        impl $name {
            /// Every value, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$value),*];

            /// Returns the name that Prometheus shows.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$value => $label),* }
            }
        }
    };
}

labelled! {
    /// Outcome of a check-in.
    CheckIn {
        /// A file was offered.
        Offered = "offered",
        /// A file was offered, to be installed whatever the device's own comparison says.
        Forced = "forced",
        /// Nothing above the device's version is here.
        UpToDate = "up_to_date",
        /// Something above its version is here, and must not go to it.
        Withheld = "withheld",
        /// A file that might be for it was not read yet.
        StillReading = "still_reading",
        /// Nothing was said of firmware, which would crash the device's parser.
        Silent = "silent",
        /// It was answered with an error.
        Refused = "refused",
    }
}

labelled! {
    /// Way of a check-in, from the client to the first server that it met.
    Transport {
        /// Plain HTTP, or a proxy in front did not say.
        Http = "http",
        /// TLS.
        Https = "https",
    }
}

impl Transport {
    /// Returns the way of a client that came over TLS, or not.
    pub const fn of(secure: bool) -> Self {
        if secure { Self::Https } else { Self::Http }
    }
}

labelled! {
    /// End of a download.
    Download {
        /// All that was asked for went to the connection.
        Whole = "whole",
        /// The client left, or the file could not be read on.
        Cut = "cut",
    }
}

labelled! {
    /// Reason why a connection could not stay.
    TurnedAway {
        /// Its network had its share, and none was free.
        Share = "share",
        /// It had not asked, and had to make room for others.
        MadeRoom = "made_room",
    }
}

labelled! {
    /// Reason why a line is not in the log.
    LeftOut {
        /// More came than a second brings (`gateway.log.rate`).
        Rate = "rate",
        /// An output took none: its disk is full, or nobody reads it.
        Output = "output",
    }
}

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
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::thread;

    #[test]
    fn what_many_threads_count_is_all_there() {
        let counts = Counts::new();
        thread::scope(|scope| {
            for _ in 0..2 * LANES {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counts.check_in(CheckIn::Offered, Transport::Https);
                        counts.handed_over(3);
                    }
                });
            }
        });
        let threads = 2 * LANES as u64;
        let found = counts.check_ins(CheckIn::Offered, Transport::Https);
        assert_eq!(found, threads * 1000);
        assert_eq!(counts.download_bytes(), threads * 3000);
    }

    #[test]
    fn two_threads_write_to_two_lanes() {
        let lane = || LANE.with(|lane| *lane);
        let here = lane();
        assert_eq!(lane(), here);
        // Others may have begun between any two of them.
        let others = (0..4).map(|_| thread::spawn(move || LANE.with(|lane| *lane)));
        let others: HashSet<_> = others.map(|other| other.join().unwrap()).collect();
        assert!(others.len() > 1, "{others:?}");
        assert_eq!(align_of::<Lane>(), 128);
    }

    /// Counts one of everything, and returns what each counter says.
    fn one_of_each(counts: &'static Counts) -> Vec<u64> {
        for outcome in CheckIn::ALL {
            for transport in Transport::ALL {
                counts.check_in(*outcome, *transport);
            }
        }
        kinds::handshakes().for_each(|kind| counts.handshake_failed(kind));
        for end in Download::ALL {
            counts.download_ended(*end);
        }
        for reason in TurnedAway::ALL {
            counts.turned_away(*reason);
        }
        for reason in LeftOut::ALL {
            counts.left_out(*reason, 1);
        }
        (0..ENDS).for_each(|end| counts.offer_ended(end));
        counts.download_begun();
        counts.handed_over(1);
        counts.accept_failed();
        counts.shaken();
        counts.store_failed();
        counts.store_wrote(1);
        drop(counts.connection());
        let mut found = vec![
            counts.downloads_begun(),
            counts.download_bytes(),
            counts.failed_accepts(),
            counts.handshakes(),
            counts.store_errors(),
            counts.store_rows(),
            counts.connections_accepted(),
        ];
        let ways = |outcome: &CheckIn| {
            let (outcome, ways) = (*outcome, Transport::ALL.iter());
            ways.map(move |way| (outcome, *way))
        };
        let check_ins = CheckIn::ALL.iter().flat_map(ways);
        found.extend(check_ins.map(|(outcome, way)| counts.check_ins(outcome, way)));
        found.extend(counts.failed_handshakes().map(|(_, number)| number));
        found.extend(Download::ALL.iter().map(|end| counts.downloads(*end)));
        let reasons = TurnedAway::ALL.iter();
        found.extend(reasons.map(|reason| counts.connections_turned_away(*reason)));
        let reasons = LeftOut::ALL.iter();
        found.extend(reasons.map(|reason| counts.lines_left_out(*reason)));
        found.extend((0..ENDS).map(|end| counts.offers(end)));
        found
    }

    #[test]
    fn everything_has_a_place_of_its_own() {
        static OWN: Counts = Counts::new();
        let found = one_of_each(&OWN);
        assert!(found.iter().all(|number| *number == 1), "{found:?}");
        // One place is that of connections which closed.
        let spare = HANDSHAKES - kinds::handshakes().count();
        assert_eq!(found.len(), PLACES - 1 - spare);
    }

    #[test]
    fn no_kind_of_a_failed_handshake_is_without_a_place() {
        let ids: Vec<_> = kinds::handshakes().map(|kind| kind.id).collect();
        assert!(ids.len() <= HANDSHAKES);
        assert!(ids.contains(&kinds::CERTIFICATE_DISTRUSTED.id), "{ids:?}");
        // A reason within an event is no kind of its own.
        assert!(!ids.contains(&kinds::DISTRUST_TIME.id), "{ids:?}");
        // What is none of them counts as none of them.
        let counts = Counts::new();
        counts.handshake_failed(&kinds::STOPPED);
        assert!(counts.failed_handshakes().all(|(_, number)| number == 0));
    }

    #[test]
    fn a_connection_is_open_until_it_goes() {
        static OWN: Counts = Counts::new();
        let (one, two) = (OWN.connection(), OWN.connection());
        assert_eq!(OWN.connections_open(), 2);
        // On whatever thread that is.
        thread::spawn(move || drop(one)).join().unwrap();
        assert_eq!(OWN.connections_open(), 1);
        drop(two);
        assert_eq!((OWN.connections_open(), OWN.connections_accepted()), (0, 2));
    }

    #[test]
    fn an_end_beyond_the_last_is_nobody_elses() {
        let counts = Counts::new();
        counts.offer_ended(ENDS);
        assert!(counts.failed_handshakes().all(|(_, number)| number == 0));
        assert_eq!(counts.offers(ENDS), 0);
        counts.set_store_lag(Duration::MAX);
        assert_eq!(counts.store_lag(), Duration::from_millis(u64::MAX));
    }

    #[test]
    fn labels_are_told_apart() {
        let labels: HashSet<_> = CheckIn::ALL.iter().map(|value| value.label()).collect();
        assert_eq!(labels.len(), CheckIn::ALL.len());
        assert_eq!(Transport::of(true).label(), "https");
        assert_eq!(Transport::of(false).label(), "http");
    }
}
