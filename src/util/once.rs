//! Rate limit of log lines: says a thing once in a while, however often it happens. A
//! log must not drown in what one bad client does.

use super::sync::lock;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// Memory of when each thing was last said, by its hash: a stranger can send any number
/// of any length. Two things of one hash cost one of them its line.
///
/// What was said longest ago is forgotten first, half of it at a time, so that a flood
/// of invented things makes the true ones be said again at most.
#[derive(Debug)]
pub(crate) struct Once {
    every: Duration,
    /// Number of things that are remembered at most.
    most: usize,
    hasher: RandomState,
    said: Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    new: HashMap<u64, SystemTime>,
    old: HashMap<u64, SystemTime>,
}

impl Once {
    /// Makes a memory of `most` things, each of which may be said once in `every`.
    pub(crate) fn new(every: Duration, most: usize) -> Self {
        Self {
            every,
            most,
            hasher: RandomState::default(),
            said: Mutex::default(),
        }
    }

    /// Returns whether `thing` may be said now, and takes that it is.
    pub(crate) fn is_due<T: Hash + ?Sized>(&self, thing: &T, now: SystemTime) -> bool {
        let hash = self.hasher.hash_one(thing);
        let mut said = lock(&self.said);
        let said = &mut *said;
        let last = said.new.get(&hash).or_else(|| said.old.get(&hash));
        // A clock that was set back must not silence a thing for years.
        let is_recent =
            |last: &SystemTime| now.duration_since(*last).is_ok_and(|age| age < self.every);
        if last.is_some_and(is_recent) {
            return false;
        }
        if said.new.len() >= (self.most / 2).max(1) {
            said.old = std::mem::take(&mut said.new);
        }
        said.new.insert(hash, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn each_thing_once_in_a_while() {
        let once = Once::new(DAY, 1000);
        let start = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        assert!(once.is_due("a", start) && once.is_due("b", start));
        assert!(!once.is_due("a", start + DAY / 2));
        assert!(once.is_due("a", start + DAY));
        assert!(once.is_due("a", start - DAY));
    }

    #[test]
    fn a_flood_forgets_the_oldest_and_stays_bounded() {
        let once = Once::new(DAY, 100);
        let start = SystemTime::UNIX_EPOCH + DAY;
        for thing in 0..1000 {
            assert!(once.is_due(&thing, start), "{thing}");
            // What was said just now is remembered, whatever comes besides.
            assert!(!once.is_due(&thing, start), "{thing}");
            let held = lock(&once.said);
            assert!(held.new.len() + held.old.len() <= 100);
        }
        assert!(!once.is_due(&960, start) && once.is_due(&0, start));
    }
}
