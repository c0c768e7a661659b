//! Counts of what happened, by the hour, until they are in the store.

use super::kept::Kept;
use crate::fleet::database::{Database, Fault, VERSIONS};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Time after which counts, and the time served, are written where nothing else is.
const MINUTE: Duration = Duration::from_secs(60);
/// Number of counts that wait to be written.
const MOST: usize = 10_000;

/// Counts that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Hours {
    /// Time at which they were written last.
    written: Option<Instant>,
    /// The counts, by hour, kind and label.
    counts: BTreeMap<(u64, &'static str, String), u64>,
}

impl Hours {
    /// Tells whether they are to be written.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.written
            .is_none_or(|last| now.duration_since(last) >= MINUTE)
    }

    /// Takes that they are to be written now.
    pub(super) fn are_due(&mut self) {
        self.written = None;
    }

    /// Takes what was counted in an hour since it was asked last.
    pub(super) fn take(&mut self, kept: &dyn Kept, hour: u64) {
        for (kind, label, count) in kept.take_hour() {
            let key = (hour, kind, label);
            if self.counts.len() < MOST || self.counts.contains_key(&key) {
                let sum = self.counts.entry(key).or_default();
                let before = if kind == VERSIONS { 0 } else { *sum };
                *sum = before.saturating_add(count);
            }
        }
    }

    /// Writes them.
    pub(super) fn write(&mut self, database: &mut Database, now: Instant) -> Result<(), Fault> {
        while let Some(&(hour, ..)) = self.counts.keys().next() {
            let of_hour = self.counts.iter();
            let of_hour = of_hour.take_while(|((of, ..), _)| *of == hour);
            let counts: Vec<_> = of_hour
                .map(|((_, kind, label), count)| (*kind, label.clone(), *count))
                .collect();
            database.count(hour, &counts)?;
            self.counts.retain(|(of, ..), _| *of != hour);
        }
        self.written = Some(now);
        Ok(())
    }
}
