//! Plain HTTP while a fleet migrates: until when it is served, and who still
//! comes over it.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// `gateway.http_fallback`: whether devices may come over plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainHttp {
    /// For ever.
    Allowed,
    /// To the end of a day.
    Until {
        /// The first moment after it.
        end: SystemTime,
        /// The day as it was written.
        day: String,
    },
    /// Not at all.
    Refused,
}

impl PlainHttp {
    /// Whether it is served at `now`.
    pub fn allowed(&self, now: SystemTime) -> bool {
        match self {
            Self::Allowed => true,
            Self::Until { end, .. } => now < *end,
            Self::Refused => false,
        }
    }

    /// Whether it will end, or has.
    pub fn ends(&self) -> bool {
        *self != Self::Allowed
    }
}

const DAY: Duration = Duration::from_secs(86_400);
/// How many devices are remembered; beyond that the memory starts anew.
const REMEMBERED: usize = 1 << 18;

/// Remembers which devices came over plain HTTP within a day, so that each is
/// named once a day.
#[derive(Debug, Default)]
pub(super) struct OnceADay {
    hasher: RandomState,
    /// By hash, for a stranger can send any number of ids of any length. Two
    /// devices of one hash cost one of them its line for a day.
    named: Mutex<HashMap<u64, SystemTime, BuildHasherDefault<AsItIs>>>,
}

/// Hashes are hashed no further.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

impl OnceADay {
    /// Whether `device` is to be named now.
    pub(super) fn is_due(&self, device: &str, now: SystemTime) -> bool {
        let hash = self.hasher.hash_one(device);
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not silence a device for years.
        let recent = |last: &SystemTime| now.duration_since(*last).is_ok_and(|age| age < DAY);
        if named.get(&hash).is_some_and(recent) {
            return false;
        }
        if named.len() >= REMEMBERED {
            named.clear();
        }
        named.insert(hash, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_day_for_each_device() {
        let once = OnceADay::default();
        let start = SystemTime::UNIX_EPOCH + 20_000 * DAY;
        assert!(once.is_due("a", start) && once.is_due("b", start));
        assert!(!once.is_due("a", start + DAY / 2));
        assert!(once.is_due("a", start + DAY));
        assert!(once.is_due("a", start - DAY));
    }

    #[test]
    fn to_the_end_of_the_day() {
        let end = SystemTime::UNIX_EPOCH + DAY;
        let until = PlainHttp::Until {
            end,
            day: "1970-01-01".into(),
        };
        assert!(until.allowed(end - Duration::from_millis(1)) && !until.allowed(end));
        assert!(until.ends() && !PlainHttp::Allowed.ends());
    }
}
