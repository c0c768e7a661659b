//! The clock of terms: it counts the time in which devices can reach this server, and stands
//! still while the process does not run, or the machine has no network.

use super::outcome::millis;
use crate::util::sync::lock;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longest time between two ticks that counts: the process was stopped meanwhile, or the
/// machine slept.
const LONGEST: Duration = Duration::from_secs(5);
/// Longest time that can have been served, in milliseconds: a thousand years. More than that
/// was never written here, and is no number to count on from.
const POSSIBLE: u64 = 1000 * 366 * 86_400_000;

/// Time served, over all runs.
#[derive(Debug)]
pub(super) struct ServedClock(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Time served up to the last tick, in milliseconds.
    served: u64,
    /// Time of the last tick.
    ticked: Instant,
    /// Tells whether it goes on since then.
    goes: bool,
    /// True once this machine had an address of a network.
    has_had_network: bool,
    /// True once a device came from this very machine: through a proxy, or in play.
    is_local: bool,
}

impl Default for ServedClock {
    fn default() -> Self {
        Self(Mutex::new(State {
            served: 0,
            ticked: Instant::now(),
            goes: true,
            has_had_network: false,
            is_local: false,
        }))
    }
}

impl State {
    fn at(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.ticked).min(LONGEST);
        let served = if self.goes { millis(since) } else { 0 };
        self.served.saturating_add(served)
    }
}

impl ServedClock {
    /// Returns the time served, in milliseconds.
    pub(super) fn served(&self) -> u64 {
        lock(&self.0).at(Instant::now())
    }

    /// Takes that a moment has passed, and whether this machine has an address of a network
    /// now. One that never had any serves devices that are on it.
    pub(super) fn tick(&self, has_network: bool) {
        let now = Instant::now();
        let mut state = lock(&self.0);
        state.served = state.at(now);
        state.ticked = now;
        state.has_had_network |= has_network;
        state.goes = has_network || !state.has_had_network && state.is_local;
    }

    /// Takes that a device came from this very machine.
    pub(super) fn came_from_here(&self) {
        lock(&self.0).is_local = true;
    }

    /// Goes on behind what earlier runs served, in milliseconds. From a number that cannot be
    /// it counts on from its own: it has to come to the end of every term.
    pub(super) fn go_on_behind(&self, served: u64) {
        let before = if served <= POSSIBLE { served } else { 0 };
        let mut state = lock(&self.0);
        state.served = state.served.saturating_add(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(goes: bool, ago: Duration) -> State {
        State {
            served: 1000,
            ticked: Instant::now().checked_sub(ago).unwrap(),
            goes,
            has_had_network: false,
            is_local: false,
        }
    }

    #[test]
    fn it_counts_while_devices_can_come_and_no_gap() {
        let second = Duration::from_secs(1);
        let at = |state: &State, later| state.at(state.ticked + later);
        assert_eq!(at(&state(true, second), second), 2000);
        assert_eq!(at(&state(false, second), second), 1000);
        assert_eq!(at(&state(true, second), 3600 * second), 6000);
        let clock = ServedClock(Mutex::new(state(true, Duration::ZERO)));
        clock.go_on_behind(50_000);
        clock.tick(false);
        let served = clock.served();
        assert!((51_000..52_000).contains(&served), "{served}");
        assert_eq!(clock.served(), served);
        let goes = || lock(&clock.0).goes;
        clock.came_from_here();
        clock.tick(false);
        assert!(goes());
        // One that has a network is of no use without.
        clock.tick(true);
        assert!(goes());
        clock.tick(false);
        assert!(!goes());
    }

    /// As a damaged store has it.
    #[test]
    fn from_a_number_that_cannot_be_it_goes_on() {
        let damaged = [POSSIBLE + 1, i64::MAX.cast_unsigned(), 1 << 63, u64::MAX];
        for served in damaged {
            let clock = ServedClock(Mutex::new(state(false, Duration::ZERO)));
            clock.go_on_behind(served);
            assert_eq!(clock.served(), 1000, "{served}");
        }
        let clock = ServedClock(Mutex::new(state(true, Duration::ZERO)));
        clock.go_on_behind(POSSIBLE);
        let begun = lock(&clock.0).ticked;
        let later = lock(&clock.0).at(begun + Duration::from_secs(2));
        assert_eq!(later, POSSIBLE + 3000);
    }
}
