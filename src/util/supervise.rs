//! Supervision of what must run for ever: what breaks begins again, and is logged in
//! one line; what cannot begin again ends the process with its reason.
//!
//! A task is a [`Supervisor::task`], a thread a [`thread()`], and work of theirs on
//! another thread a [`blocking`]. A thread that holds what nobody could make anew goes
//! through [`End::unless_done`]. Whoever starts the process starts it again.

use super::sync::lock;
use crate::event::text::Text;
use crate::event::{Event, Value, event, tell};
use futures_util::FutureExt;
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// First rest after a failure; each one that follows is twice as long.
const FIRST_REST: Duration = Duration::from_secs(1);
/// Longest rest.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// Running time after which the next failure counts as the first.
const STEADY: Duration = Duration::from_secs(600);

thread_local! {
    /// True while the supervisor logs the panics of this thread.
    static SUPERVISED: Cell<bool> = const { Cell::new(false) };
    /// Message and place of the last panic under supervision.
    static SAID: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Failure of something that broke: message and place of its panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Broken {
    /// Reads what a panic left behind.
    fn of(payload: &(dyn Any + Send)) -> Self {
        if let Some(broken) = payload.downcast_ref::<Self>() {
            return broken.clone();
        }
        let said = SAID.take().or_else(|| {
            let text = payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned());
            text.or_else(|| payload.downcast_ref::<String>().cloned())
        });
        Self(said.unwrap_or_else(|| "it panicked".to_owned()))
    }
}

/// Hands every panic to `say`, but for those that a supervisor tells of.
pub(crate) fn on_panic(say: impl Fn(&PanicHookInfo<'_>) + Send + Sync + 'static) {
    panic::set_hook(Box::new(move |info| {
        if SUPERVISED.get() {
            // Nothing is borrowed where a panic begins in this very module, either.
            SAID.with(|said| {
                if let Ok(mut said) = said.try_borrow_mut() {
                    *said = Some(info.to_string().replace('\n', " "));
                }
            });
        } else {
            say(info);
        }
    }));
}

/// Marks this thread as supervised until it is dropped.
struct Mark(bool);

impl Mark {
    fn new() -> Self {
        Self(SUPERVISED.replace(true))
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        SUPERVISED.set(self.0);
    }
}

/// Runs `work` on this thread, and catches its panic.
///
/// # Errors
///
/// Message and place of the panic.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Broken> {
    let _mark = Mark::new();
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|payload| Broken::of(&*payload))
}

/// Polls `work` to its end, and catches its panic.
async fn caught_task<T>(work: impl Future<Output = T>) -> Result<T, Broken> {
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    poll_fn(|context| {
        // Other tasks have this thread between two polls.
        let _mark = Mark::new();
        work.as_mut().poll(context)
    })
    .await
    .map_err(|payload| Broken::of(&*payload))
}

/// Runs `work` of a supervised task on a thread where it may block; a panic there is
/// one of the task's own. Returns `None` while the runtime ends.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    match tokio::task::spawn_blocking(|| caught(work)).await.ok()? {
        Ok(value) => Some(value),
        Err(broken) => panic::resume_unwind(Box::new(broken)),
    }
}

/// Rests after failures.
#[derive(Debug)]
struct Rests {
    first: Duration,
    failures: u32,
}

impl Rests {
    fn new(first: Duration) -> Self {
        Self { first, failures: 0 }
    }

    /// Returns the rest after another failure of something that had run for so long.
    fn after(&mut self, ran: Duration) -> Duration {
        if ran >= STEADY.max(self.first) {
            self.failures = 0;
        }
        let rest = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        rest.min(LONGEST_REST.max(self.first))
    }
}

/// Word for a part that returned where it may not.
const ENDED: Text = Text::new("它自行结束了", "it ended by itself");

fn say(part: Text, why: impl Into<Value>, rest: Duration) {
    let (error, again): (Value, _) = (why.into(), format!("{rest:?}"));
    tell!(PART_BROKE, part = part, error = error, again = again);
}

/// Keeps tasks running until the process is asked to stop.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor {
    stop: CancellationToken,
    first_rest: Duration,
}

impl Supervisor {
    /// Supervises until `stop` is cancelled.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            first_rest: FIRST_REST,
        }
    }

    /// Lengthens the first rest, for work that bothers others with each try.
    #[must_use]
    pub(crate) fn resting(self, first_rest: Duration) -> Self {
        Self { first_rest, ..self }
    }

    /// Runs what `make` makes, and what it makes anew whenever that breaks, or ends
    /// before it was asked to.
    pub(crate) async fn task<F: Future<Output = ()>>(
        self,
        part: Text,
        mut make: impl FnMut() -> F,
    ) {
        let mut rests = Rests::new(self.first_rest);
        loop {
            let begun = tokio::time::Instant::now();
            let ended = caught_task(async { make().await }).await;
            if self.stop.is_cancelled() {
                return;
            }
            let rest = rests.after(begun.elapsed());
            match ended {
                Ok(()) => say(part, ENDED, rest),
                Err(broken) => say(part, broken.0, rest),
            }
            tokio::select! {
                () = sleep(rest) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }
}

/// Runs `run` on this thread until it returns, and anew whenever it panics.
pub(crate) fn thread(part: Text, mut run: impl FnMut()) {
    let mut rests = Rests::new(FIRST_REST);
    loop {
        let begun = Instant::now();
        let Err(broken) = caught(&mut run) else {
            return;
        };
        let rest = rests.after(begun.elapsed());
        say(part, broken.0, rest);
        std::thread::sleep(rest);
    }
}

/// Ends the process for a reason, once.
#[derive(Debug, Clone, Default)]
pub(crate) struct End {
    reason: Arc<Mutex<Option<Event>>>,
    told: CancellationToken,
}

impl End {
    /// Asks for the end; the first reason counts.
    fn ask(&self, reason: Event) {
        lock(&self.reason).get_or_insert(reason);
        self.told.cancel();
    }

    /// Runs `work` on this thread. If it panics, or returns where `is_done` does not
    /// say that it may, the process ends.
    pub(crate) fn unless_done(
        &self,
        part: &str,
        is_done: impl FnOnce() -> bool,
        work: impl FnOnce(),
    ) {
        // Not as supervised work: tasks of others run on this thread, whose panics
        // nobody but the hook tells of.
        let ended = panic::catch_unwind(AssertUnwindSafe(work));
        match ended.map_err(|payload| Broken::of(&*payload)) {
            Ok(()) if is_done() => {}
            Ok(()) => self.ask(event!(PART_LOST, part = part, error = ENDED)),
            Err(broken) => self.ask(event!(PART_LOST, part = part, error = broken.0)),
        }
    }

    /// Waits until somebody asks for the end, and returns the reason.
    pub(crate) async fn asked(&self) -> Option<Event> {
        self.told.cancelled().await;
        lock(&self.reason).clone()
    }
}

#[cfg(test)]
mod tests;
