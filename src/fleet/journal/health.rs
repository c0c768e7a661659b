//! Health of the store, for whoever asks while it is being written.

use crate::event::Event;
use crate::fleet::database::{Identity, Trace};
use crate::util::counts::COUNTS;
use crate::util::sync::lock;
use std::mem;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Health of the store.
#[derive(Debug, Clone)]
pub(crate) struct StoreHealth {
    /// True where all is well, or where there is none by choice.
    pub(crate) ok: bool,
    /// Reason why not.
    pub(crate) why: Option<Event>,
    /// Time since the oldest change that is not written, at most, in ms. 0 where none waits.
    pub(crate) lag_ms: u64,
    /// True until all of it was read.
    pub(crate) reading: bool,
}

/// State that the writer's thread and all others share.
#[derive(Debug)]
pub(super) struct State {
    nudged: AtomicBool,
    /// Nothing can be written now: to nudge is in vain.
    is_held: AtomicBool,
    stop: AtomicBool,
    is_read: AtomicBool,
    /// True once the time was taken that earlier runs served.
    has_served: AtomicBool,
    why: Mutex<Option<Event>>,
    /// File that was read last.
    known: Mutex<Option<Identity>>,
    /// Traces of devices that were forgotten.
    forgotten: Mutex<Vec<Trace>>,
    /// Time at which nothing waited last.
    clean: Mutex<Instant>,
}

impl State {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            nudged: AtomicBool::new(false),
            is_held: AtomicBool::new(true),
            stop: AtomicBool::new(false),
            is_read: AtomicBool::new(false),
            has_served: AtomicBool::new(false),
            why: Mutex::new(None),
            known: Mutex::new(None),
            forgotten: Mutex::default(),
            clean: Mutex::new(now),
        }
    }

    pub(super) fn health(&self, waiting: usize, now: Instant) -> StoreHealth {
        let why = lock(&self.why).clone();
        let lag = now.saturating_duration_since(*lock(&self.clean));
        let lag = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        StoreHealth {
            ok: why.is_none(),
            why,
            lag_ms: if waiting > 0 { lag } else { 0 },
            reading: !self.is_read(),
        }
    }

    /// Asks for a write at once. Returns true where the thread has to be woken for it.
    pub(super) fn nudge(&self) -> bool {
        !self.is_held.load(Ordering::Relaxed) && !self.nudged.swap(true, Ordering::AcqRel)
    }

    /// Tells whether a write was asked for, and takes that it is done.
    pub(super) fn is_nudged(&self) -> bool {
        self.nudged.swap(false, Ordering::AcqRel)
    }

    /// Takes traces of a device that was forgotten.
    pub(super) fn forget(&self, traces: Vec<Trace>) {
        lock(&self.forgotten).extend(traces);
    }

    /// Returns the traces of devices that were forgotten since this was asked last.
    pub(super) fn forgotten(&self) -> Vec<Trace> {
        mem::take(&mut *lock(&self.forgotten))
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Takes that all of this file was read, or that there is nothing to read.
    pub(super) fn read(&self, file: Option<Identity>) {
        *lock(&self.known) = file;
        self.is_read.store(true, Ordering::Release);
    }

    /// Tells whether this file was read, or begun here.
    pub(super) fn knows(&self, file: Option<Identity>) -> bool {
        self.is_read() && *lock(&self.known) == file
    }

    /// Tells whether another file was read, or begun here.
    pub(super) fn knows_another(&self, file: Option<Identity>) -> bool {
        let known = *lock(&self.known);
        self.is_read() && known.is_some() && known != file
    }

    /// Takes that another process may have written to the file that was read.
    pub(super) fn forget_file(&self) {
        *lock(&self.known) = None;
    }

    pub(super) fn is_read(&self) -> bool {
        self.is_read.load(Ordering::Acquire)
    }

    /// Takes that the time was read that earlier runs served. Returns true where that was not so
    /// before: a reading that breaks off begins again, and to count that time twice would end
    /// terms of devices that are on their way.
    pub(super) fn read_served(&self) -> bool {
        !self.has_served.swap(true, Ordering::Relaxed)
    }

    /// Takes that a try failed, for a reason that is worth telling if there is one.
    pub(super) fn failed(&self, why: Option<Event>) {
        COUNTS.store_failed();
        self.is_held.store(true, Ordering::Relaxed);
        if why.is_some() {
            *lock(&self.why) = why;
        }
    }

    /// Takes that the store holds all that was known at `now`.
    pub(super) fn written(&self, now: Instant) {
        self.is_held.store(false, Ordering::Relaxed);
        *lock(&self.why) = None;
        *lock(&self.clean) = now;
    }
}
