//! Says a thing once in a while, however often it happens: a log must not drown
//! in what one bad client does.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many things are remembered; beyond that the memory starts anew.
const REMEMBERED: usize = 4096;

/// Remembers when each thing was last said.
#[derive(Debug)]
pub(super) struct Quiet<K> {
    every: Duration,
    said: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq> Quiet<K> {
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            said: Mutex::default(),
        }
    }

    /// Whether `thing` may be said now.
    pub(super) fn may_say(&self, thing: K) -> bool {
        let now = Instant::now();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said
            .get(&thing)
            .is_some_and(|last| now.duration_since(*last) < self.every)
        {
            return false;
        }
        if said.len() >= REMEMBERED {
            said.clear();
        }
        said.insert(thing, now);
        true
    }
}
