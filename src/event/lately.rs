//! Events of late: the last that were said, for whoever looks at this server. Each severity
//! has a place of its own, so that what is common pushes out nothing that is rare.
//!
//! It lies behind every line of the log, so it copies nothing and waits for nobody: an event
//! is moved into a slot, and where somebody looks at that slot just then it is left out.

use super::{Event, Severity};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use std::time::SystemTime;

/// Number of events of each severity that are kept.
const INFOS: usize = 60;
const WARNINGS: usize = 80;
const ERRORS: usize = 60;
/// Most events that are kept in all.
pub(crate) const MOST: usize = INFOS + WARNINGS + ERRORS;
/// Longest text of a field that is kept, in bytes: a stranger may write long ones.
const LONGEST: usize = 1024;

/// An event, and when it was said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) at: SystemTime,
    pub(crate) event: Event,
    /// Number of it among all: clocks are set back.
    number: usize,
}

/// The last events of this process.
pub(crate) static LATELY: Lately = Lately::new();

/// The last events that were said.
#[derive(Debug)]
pub(crate) struct Lately {
    number: AtomicUsize,
    infos: Lane<INFOS>,
    warnings: Lane<WARNINGS>,
    errors: Lane<ERRORS>,
}

#[derive(Debug)]
struct Lane<const N: usize> {
    next: AtomicUsize,
    slots: [Mutex<Option<Said>>; N],
}

impl Lately {
    const fn new() -> Self {
        Self {
            number: AtomicUsize::new(0),
            infos: Lane::new(),
            warnings: Lane::new(),
            errors: Lane::new(),
        }
    }

    /// Takes an event that is said now.
    pub(crate) fn take(&self, mut event: Event, at: SystemTime) {
        event.shorten(LONGEST);
        let severity = event.kind.severity;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let said = Said { at, event, number };
        match severity {
            Severity::Info => self.infos.take(said),
            Severity::Warning => self.warnings.take(said),
            Severity::Error => self.errors.take(said),
        }
    }

    /// Returns the events that are kept, the newest first.
    pub(crate) fn all(&self) -> Vec<Said> {
        let mut all = Vec::with_capacity(MOST);
        self.infos.add_to(&mut all);
        self.warnings.add_to(&mut all);
        self.errors.add_to(&mut all);
        all.sort_unstable_by_key(|said| std::cmp::Reverse(said.number));
        all
    }
}

impl<const N: usize> Lane<N> {
    const fn new() -> Self {
        Self {
            next: AtomicUsize::new(0),
            slots: [const { Mutex::new(None) }; N],
        }
    }

    fn take(&self, said: Said) {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % N;
        let slot = self.slots.get(at).map(Mutex::try_lock);
        let mut slot = match slot {
            Some(Ok(slot)) => slot,
            Some(Err(TryLockError::Poisoned(poisoned))) => poisoned.into_inner(),
            Some(Err(TryLockError::WouldBlock)) | None => return,
        };
        let before = slot.replace(said);
        drop(slot);
        // What it held is given back without the lock.
        drop(before);
    }

    fn add_to(&self, all: &mut Vec<Said>) {
        let slots = self.slots.iter();
        all.extend(slots.filter_map(|slot| {
            let slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
            slot.clone()
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::text::Lang;
    use crate::event::{Value, event};

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn info(number: usize) -> Event {
        event!(FILES_READ, files = number, seconds = 1u64)
    }

    fn warning(lines: usize) -> Event {
        event!(LOG_DROPPED, lines = lines)
    }

    fn texts(lately: &Lately) -> Vec<String> {
        let all = lately.all().into_iter();
        all.map(|said| format!("{:?}", said.event.fields()[0].1))
            .collect()
    }

    #[test]
    fn what_is_common_pushes_out_nothing_that_is_rare() {
        let lately = Lately::new();
        lately.take(event!(CONFIG_REFUSED, what = "x"), START);
        lately.take(warning(7), START);
        for number in 0..10 * MOST {
            lately.take(info(number), START);
        }
        let all = texts(&lately);
        assert_eq!(all.len(), INFOS + 2);
        let newest = format!("{:?}", Value::from(10 * MOST - 1));
        assert_eq!(all.first(), Some(&newest));
        let oldest = &all[all.len() - 2..];
        assert_eq!(oldest[0], format!("{:?}", Value::from(7usize)));
        assert!(oldest[1].contains('x'), "{oldest:?}");
        for number in 0..10 * MOST {
            lately.take(warning(number), START);
            lately.take(event!(CONFIG_REFUSED, what = number.to_string()), START);
        }
        assert_eq!(lately.all().len(), MOST);
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let lately = Lately::new();
        let why = event!(CONFIG_REFUSED, what = "智".repeat(100_000));
        lately.take(event!(ENDED, why = why), START);
        let said = lately.all().remove(0).event.message(Lang::En);
        assert!(
            said.len() < LONGEST + 200 && said.contains('…'),
            "{}",
            said.len()
        );
    }

    #[test]
    fn nobody_waits_for_whoever_looks() {
        let lately = Lately::new();
        let held = lately.infos.slots[0].lock().unwrap();
        lately.take(info(1), START);
        lately.take(info(2), START);
        drop(held);
        assert_eq!(texts(&lately), [format!("{:?}", Value::from(2usize))]);
    }
}
