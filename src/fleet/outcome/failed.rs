//! Images that failed on one device.

use crate::ota::decide;

/// Number of images that are remembered to have failed on a device. Where more did, it is
/// offered nothing that did not fail yet either.
pub(in crate::fleet) const FAILED: usize = 16;
/// Number of times that one image may fail on a device: the decision's.
pub(in crate::fleet) const ENOUGH: u32 = decide::FAILED;

/// Content of an image: the first 16 bytes of its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Content(pub [u8; 16]);

impl Content {
    /// Content that no file has. It stands among what failed for images that nobody can name,
    /// because what the store said of them is damaged: any may be one of them.
    pub(crate) const UNKNOWN: Self = Self([0xff; 16]);

    /// Takes it from the SHA-256 of the whole file.
    pub fn of(sha256: &[u8; 32]) -> Self {
        Self(sha256.first_chunk().copied().unwrap_or_default())
    }
}

/// Image that failed on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// Its content.
    pub content: Content,
    /// Number of offers that ended so.
    pub times: u32,
    /// Time of the last, in milliseconds since 1970.
    pub at: u64,
}

impl Failure {
    /// Image that nobody can name, and that failed, at a time that nobody knows.
    pub(crate) const UNKNOWN: Self = Self {
        content: Content::UNKNOWN,
        times: ENOUGH,
        at: u64::MAX,
    };

    /// Tells whether the device gets it no more.
    pub fn is_given_up(&self) -> bool {
        self.times >= ENOUGH
    }
}

/// Returns how often an image failed, by all that did, each with the number of times. `None`
/// says that it may have, and nobody knows.
pub(in crate::fleet) fn times_failed(
    mut failed: impl ExactSizeIterator<Item = (Content, u32)> + Clone,
    content: Content,
) -> Option<u32> {
    if let Some((_, times)) = failed.clone().find(|(known, _)| *known == content) {
        return Some(times);
    }
    let is_full = failed.len() >= FAILED && failed.clone().all(|(_, times)| times >= ENOUGH);
    let may_have = is_full || failed.any(|(known, _)| known == Content::UNKNOWN);
    (!may_have).then_some(0)
}

/// Takes that an image failed so many times more, last at `at`, in milliseconds since 1970.
pub(super) fn add(failed: &mut Vec<Failure>, content: Content, times: u32, at: u64) {
    if let Some(known) = failed.iter_mut().find(|known| known.content == content) {
        known.times = known.times.saturating_add(times);
        known.at = known.at.max(at);
        return;
    }
    // What failed once is offered again in any case.
    if failed.len() >= FAILED
        && let Some(place) = failed.iter().position(|known| known.times < ENOUGH)
    {
        failed.remove(place);
    }
    if failed.len() < FAILED {
        failed.reserve_exact(1);
        failed.push(Failure { content, times, at });
    }
}

/// Dates what nobody can name among what failed, where nobody knows when it did: an order from
/// before `now`, in milliseconds since 1970, frees nothing of it. Returns whether there was any.
pub(in crate::fleet) fn date_unknown(failed: &mut [Failure], now: u64) -> bool {
    let unknown = Failure::UNKNOWN;
    let found = failed.iter_mut().find(|known| **known == unknown);
    found.map(|found| found.at = now).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_once_makes_room_for_what_fails_next() {
        let mut failed = Vec::new();
        for n in 0..40u8 {
            add(&mut failed, Content([n; 16]), 1, n.into());
            if n < 3 {
                add(&mut failed, Content([n; 16]), 1, n.into());
            }
        }
        assert_eq!(failed.len(), FAILED);
        let times = |n: u8| {
            let failed = failed.iter();
            let failed = failed.map(|failed| (failed.content, failed.times));
            times_failed(failed, Content([n; 16]))
        };
        for n in 0..3 {
            assert_eq!(times(n), Some(2));
        }
        assert_eq!((times(39), times(99)), (Some(1), Some(0)));
    }
}
