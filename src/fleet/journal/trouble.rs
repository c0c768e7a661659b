//! Trouble with the store, from the first failure to the first success.

use crate::fleet::database::Fault;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

/// First pause behind a failure, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Time for which another program may lock the store before anybody is told.
const LOCK: Duration = Duration::from_secs(5);

/// Trouble that there is now.
#[derive(Debug)]
pub(super) struct Trouble {
    since: Instant,
    /// Kinds of faults that were told of.
    told: Vec<Discriminant<Fault>>,
    /// Number of tries that failed.
    pub(super) tries: u64,
    pause: Duration,
    /// Time of the next try.
    pub(super) until: Instant,
}

/// Weight of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// It may pass by itself before anybody has to know.
    None,
    /// It was told of.
    Known,
    /// It is to be told of.
    News,
}

impl Trouble {
    /// Begins.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            told: Vec::new(),
            tries: 0,
            pause: FIRST_PAUSE,
            until: now,
        }
    }

    /// Takes that a try failed, and that all begins anew at once.
    pub(super) fn failed(&mut self, fault: &Fault, now: Instant) {
        self.tries += 1;
        self.told.push(discriminant(fault));
        self.until = now;
    }

    /// Takes that a try failed, and that it is tried again after a pause.
    pub(super) fn failed_again(&mut self, fault: &Fault, now: Instant) -> Weight {
        self.tries += 1;
        self.until = now + self.pause;
        if *fault != Fault::Away {
            // Whether the folder is there again is asked of nobody's disk.
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
        if *fault == Fault::Locked && now.duration_since(self.since) < LOCK {
            return Weight::None;
        }
        let kind = discriminant(fault);
        if self.told.contains(&kind) {
            return Weight::Known;
        }
        self.told.push(kind);
        Weight::News
    }

    /// Returns the seconds that it took, if anybody heard of it.
    pub(super) fn over(&self, now: Instant) -> Option<u64> {
        let took = now.duration_since(self.since).as_secs();
        (!self.told.is_empty()).then_some(took)
    }
}
