//! Rate limit of log lines: says a thing once in a while, however often it happens. A
//! log must not drown in what one bad client does.

use super::sync::lock;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// Time between two log lines that say the same of one client.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

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
    said: Mutex<Halves<SystemTime>>,
}

#[derive(Debug)]
struct Halves<T> {
    new: HashMap<u64, T>,
    old: HashMap<u64, T>,
}

impl<T> Default for Halves<T> {
    fn default() -> Self {
        Self {
            new: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<T> Halves<T> {
    fn find(&self, hash: u64) -> Option<&T> {
        self.new.get(&hash).or_else(|| self.old.get(&hash))
    }

    /// Remembers `value`, and no more than `most` in all.
    fn insert(&mut self, hash: u64, value: T, most: usize) {
        if self.new.len() >= (most / 2).max(1) && !self.new.contains_key(&hash) {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(hash, value);
    }
}

/// Time by which one thread may have read the clock before another, and come here after it.
const BESIDE: Duration = Duration::from_secs(10);

/// Returns how long ago something was; `None` where the clock was set back since. Who read the
/// clock a moment before another, and comes here after it, has set no clock back.
pub(crate) fn age(last: SystemTime, now: SystemTime) -> Option<Duration> {
    match now.duration_since(last) {
        Ok(age) => Some(age),
        Err(ahead) => (ahead.duration() < BESIDE).then_some(Duration::ZERO),
    }
}

/// Returns whether it is less than `every` ago. A clock that was set back must not silence
/// a thing for years.
fn is_recent(last: SystemTime, every: Duration, now: SystemTime) -> bool {
    age(last, now).is_some_and(|age| age < every)
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
        self.is_due_if(thing, now, || true)
    }

    /// Returns the same of a thing that is to be said only if it `may` be: that is asked
    /// where it is due.
    pub(crate) fn is_due_if<T: Hash + ?Sized>(
        &self,
        thing: &T,
        now: SystemTime,
        may: impl FnOnce() -> bool,
    ) -> bool {
        let hash = self.hasher.hash_one(thing);
        // Without the lock: what is asked there takes others.
        if !self.is_open(&mut lock(&self.said), hash, now) || !may() {
            return false;
        }
        let mut said = lock(&self.said);
        let is_due = self.is_open(&mut said, hash, now);
        if is_due {
            said.insert(hash, now, self.most);
        }
        is_due
    }

    fn is_open(&self, said: &mut Halves<SystemTime>, hash: u64, now: SystemTime) -> bool {
        let last = said.find(hash);
        !last.is_some_and(|last| is_recent(*last, self.every, now))
    }
}

/// Number of things that each client may have said of it in a while, whatever it calls
/// them: names cost a stranger nothing.
#[derive(Debug)]
pub(crate) struct Allowance {
    every: Duration,
    /// Number of things for each client.
    each: u32,
    /// Number of clients that are remembered at most.
    most: usize,
    hasher: RandomState,
    used: Mutex<Halves<(SystemTime, u32)>>,
}

/// Remainder of an [`Allowance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// There was some.
    Some,
    /// This is the first time that there is none.
    NoMore,
    /// There is none.
    None,
}

impl Allowance {
    /// Makes one of `each` things in `every` for `most` clients.
    pub(crate) fn new(every: Duration, each: u32, most: usize) -> Self {
        Self {
            every,
            each,
            most,
            hasher: RandomState::default(),
            used: Mutex::default(),
        }
    }

    /// Takes one thing off what is left to a client.
    pub(crate) fn take<T: Hash + ?Sized>(&self, client: &T, now: SystemTime) -> Left {
        let hash = self.hasher.hash_one(client);
        let mut used = lock(&self.used);
        let known = used.find(hash).copied();
        let (since, count) = known
            .filter(|(since, _)| is_recent(*since, self.every, now))
            .unwrap_or((now, 0));
        let count = count.saturating_add(1);
        used.insert(hash, (since, count), self.most);
        match count.checked_sub(self.each) {
            None | Some(0) => Left::Some,
            Some(1) => Left::NoMore,
            Some(_) => Left::None,
        }
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
        // Another thread read the clock a little earlier.
        assert!(!once.is_due("a", start - DAY - Duration::from_millis(1)));
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

    #[test]
    fn each_client_has_so_many_things_said_of_it_in_a_while() {
        let allowance = Allowance::new(DAY, 2, 10);
        let start = SystemTime::UNIX_EPOCH + DAY;
        let take = |client: &str, at| allowance.take(client, at);
        let first = [take("a", start), take("a", start), take("a", start)];
        assert_eq!(first, [Left::Some, Left::Some, Left::NoMore]);
        assert_eq!(take("a", start + DAY / 2), Left::None);
        assert_eq!(take("b", start), Left::Some);
        assert_eq!(take("a", start + DAY), Left::Some);
        for client in 0..1000 {
            allowance.take(&client, start);
            let used = lock(&allowance.used);
            assert!(used.new.len() + used.old.len() <= 10);
        }
    }
}
