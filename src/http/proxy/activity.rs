//! Time of the last byte that moved.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Activity on a connection, shared by those who move bytes and those who wait for it
/// to stop.
#[derive(Debug)]
pub(super) struct Activity {
    begun: Instant,
    /// Milliseconds from the start to the last activity.
    last: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            begun: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    /// Notes that a byte moved just now.
    pub(super) fn note(&self) {
        self.last.store(self.millis(), Ordering::Relaxed);
    }

    /// Returns the part of `limit` that is left before the connection counts as still;
    /// `None` if nothing is left.
    pub(super) fn left(&self, limit: Duration) -> Option<Duration> {
        let still = self
            .millis()
            .saturating_sub(self.last.load(Ordering::Relaxed));
        let left = limit.checked_sub(Duration::from_millis(still))?;
        (!left.is_zero()).then_some(left)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
