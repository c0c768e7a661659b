//! Writes what is known of devices to the store, behind the check-ins: memory is the source,
//! and the journal pulls what changed from it, each device once however often it changed.
//! Nobody waits for it, and what cannot be written stays in memory.
//!
//! One thread, `store`, wakes every half second, or at once where much waits, and writes in
//! transactions of 2,000 devices until none waits. Whatever is wrong with the store is tried
//! again, more and more seldom, at last every ten seconds, and said once.
//!
//! While the store is being read, which is a second or two for a million devices, nothing is
//! written: a device that was not read yet would lose its history.

mod health;
mod hours;
mod kept;
mod trouble;
mod wiper;
mod writer;

pub(crate) use health::StoreHealth;
pub(crate) use kept::{Call, Kept};

use super::database::{Options, Place, traces};
use super::id::DeviceId;
use super::record::ClientId;
use super::state_folder::StateFolder;
use crate::event::tell;
use crate::event::text::Text;
use crate::util::supervise;
use crate::util::sync::lock;
use crate::util::threads::NoThread;
use health::State;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};
use writer::{BATCH, Now, Writer};

/// Name of the thread, and of the part in messages.
const THREAD: &str = "store";
const PART: Text = Text::new("设备记录的写入", "the writer of what is known of devices");
/// Longest time that the end waits for what is not written yet.
const END: Duration = Duration::from_secs(5);

/// The journal of the fleet's memory.
pub(crate) struct Journal {
    kept: Arc<dyn Kept>,
    state: Arc<State>,
    /// None without a store.
    thread: Option<Running>,
}

struct Running {
    place: Place,
    thread: Thread,
    /// Ends with the thread.
    ended: Mutex<Receiver<()>>,
}

impl Journal {
    /// Begins to read the store in the state folder, and then to write it. Without a
    /// folder all is kept in memory only, and there is nothing to wait for.
    ///
    /// # Errors
    ///
    /// There is no thread for it.
    pub(crate) fn start(
        folder: Option<&StateFolder>,
        kept: Arc<dyn Kept>,
    ) -> Result<Self, NoThread> {
        let state = Arc::new(State::new(Instant::now()));
        let Some(folder) = folder.cloned() else {
            state.read(None);
            kept.failures_known();
            kept.all_read();
            let thread = None;
            return Ok(Self {
                kept,
                state,
                thread,
            });
        };
        let place = Place::new(folder.path().to_owned());
        let (end, ended) = channel();
        let (of_thread, of_writer) = (Arc::clone(&state), (place.clone(), Arc::clone(&kept)));
        let run = move || {
            // Dropped once this thread ends, however it does.
            let _end = end;
            supervise::thread(PART, || {
                let (place, kept) = of_writer.clone();
                let state = Arc::clone(&of_thread);
                let writer = Writer::new(place, kept, state, Options::default());
                run(&mut writer.held_by(folder.clone()));
            });
        };
        let spawned = thread::Builder::new().name(THREAD.to_owned()).spawn(run);
        let thread = spawned.map_err(|error| NoThread { part: PART, error })?;
        let thread = thread.thread().clone();
        let (of_fleet, to_wake) = (Arc::clone(&state), thread.clone());
        let nudge = move || wake(&of_fleet, &to_wake);
        kept.call_at(BATCH, Box::new(nudge));
        Ok(Self {
            kept,
            state,
            thread: Some(Running {
                place,
                thread,
                ended: Mutex::new(ended),
            }),
        })
    }

    /// Asks for a write at once: much waits. It costs nothing where one was asked for already,
    /// or the store is in trouble, and never blocks.
    pub(crate) fn nudge(&self) {
        if let Some(running) = &self.thread {
            wake(&self.state, &running.thread);
        }
    }

    /// Takes that a device was forgotten in memory, which has marked it as changed before: it
    /// leaves no trace in the store's files. Copies from before a migration, and stores that
    /// were moved aside, are [`Journal::older`].
    pub(crate) fn forget(&self, id: &DeviceId, client: &ClientId) {
        if let Some(running) = &self.thread {
            self.state.forget(traces(id, client));
            wake(&self.state, &running.thread);
        }
    }

    /// Returns the copies and broken stores beside the store: they may know devices that were
    /// forgotten in it.
    pub(crate) fn older(&self) -> Vec<PathBuf> {
        let running = self.thread.as_ref();
        running.map_or_else(Vec::new, |running| running.place.older())
    }

    /// Returns the size of the store's files, in bytes; `None` where there are none. Asks the
    /// disk.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let place = &self.thread.as_ref()?.place;
        // To look at a file's size opens nothing, and drops no lock.
        let size = |file: &Path| fs::metadata(file).ok().map(|about| about.len());
        let beside = size(&place.with("-wal")).unwrap_or(0);
        size(place.file())?.checked_add(beside)
    }

    /// Returns how the store is.
    pub(crate) fn health(&self) -> StoreHealth {
        let waiting = if self.thread.is_some() {
            self.kept.waiting()
        } else {
            0
        };
        self.state.health(waiting, Instant::now())
    }

    /// Writes what is not written yet, and ends. It waits for no more than a few seconds; what
    /// is not written then is told of. Nothing is written after it, unless it took too long.
    pub(crate) fn end(&self) {
        let Some(running) = &self.thread else {
            return;
        };
        self.state.stop();
        running.thread.unpark();
        // The other side is dropped, and never sends.
        let _ = lock(&running.ended).recv_timeout(END);
        let devices = self.kept.waiting();
        if devices > 0 {
            let file = running.place.file();
            tell!(STORE_UNWRITTEN, file = file, devices = devices);
        }
    }
}

/// Wakes the writer's thread, where it is of use.
fn wake(state: &State, thread: &Thread) {
    if state.nudge() {
        thread.unpark();
    }
}

/// Runs the writer on this thread until the end is asked for.
fn run(writer: &mut Writer) {
    let state = Arc::clone(writer.state());
    while !state.is_stopped() {
        let rest = writer.turn(now());
        if !state.is_nudged() {
            thread::park_timeout(rest);
        }
    }
    writer.finish(now());
}

fn now() -> Now {
    Now {
        at: Instant::now(),
        wall: SystemTime::now(),
    }
}

#[cfg(test)]
mod tests;
