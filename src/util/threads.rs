//! Threads that may not be had: a limit of processes (`ulimit -u`, `TasksMax=`, that of
//! a container) is met at any time, and must be an answer or an end with a reason.
//!
//! tokio panics where work that blocks finds no thread, and none can be started. So each
//! runtime here begins with one, which stays: while no other can be had, all of that work
//! goes through it, later and not never.

use super::supervise::{self, Broken};
use crate::event::text::Text;
use crate::event::{Event, event};
use std::error::Error;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// Error that there is no thread to be had.
#[derive(Debug, thiserror::Error)]
#[error("{}", Event::from(self))]
pub(crate) struct NoThread {
    /// Part of the program that wanted it.
    pub(crate) part: Text,
    /// Reason of the system.
    pub(crate) error: io::Error,
}

impl From<&NoThread> for Event {
    fn from(NoThread { part, error }: &NoThread) -> Self {
        event!(THREAD_NONE, part = *part, error = error)
    }
}

impl NoThread {
    /// Makes a failure of input or output of it.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }

    /// Returns it where it is what failed.
    pub(crate) fn of(error: &io::Error) -> Option<&Self> {
        let inner: &(dyn Error + 'static) = error.get_ref()?;
        inner.downcast_ref()
    }
}

/// Number of threads of one runtime for work that blocks. A dead disk blocks so many and no
/// more.
const MOST: usize = 32;

/// Makes a runtime for the thread that runs it, with threads of this name for work that
/// blocks. The first of them is there when this returns.
pub(crate) fn runtime(name: &str) -> io::Result<Runtime> {
    // tokio panics where it has no files for its signals: a few more than it takes are seen
    // to be there first.
    let files: io::Result<Vec<_>> = (0..4).map(|_| UnixStream::pair()).collect();
    drop(files?);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(MOST)
        .thread_name(name)
        .thread_keep_alive(Duration::MAX)
        .build()?;
    let first = supervise::caught(|| runtime.spawn_blocking(|| ()));
    first.map_err(|broken| reason(&broken))?;
    Ok(runtime)
}

/// Runs `work`, which blocks, beside this worker.
///
/// # Errors
///
/// [`NoThread`] where there is none for it; a panic of it.
pub(crate) fn beside<T: Send + 'static>(
    part: Text,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, NoThread> {
    supervise::caught(|| tokio::task::spawn_blocking(work)).map_err(|broken| NoThread {
        part,
        error: reason(&broken),
    })
}

/// Returns the system's own words, without those of tokio's panic in front.
fn reason(broken: &Broken) -> io::Error {
    let text = broken.to_string();
    let words = text.rsplit_once("worker thread: ");
    io::Error::other(words.map_or(&*text, |(_, words)| words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::text::Lang;

    #[test]
    fn work_is_done_beside_a_runtime() {
        let two = runtime("first").unwrap().block_on(async {
            let work = beside(Text::new("二", "two"), || 2).unwrap();
            work.await.unwrap()
        });
        assert_eq!(two, 2);
    }

    #[test]
    fn it_is_told_from_other_failures() {
        let error = NoThread {
            part: Text::new("一", "one"),
            error: io::ErrorKind::WouldBlock.into(),
        };
        let error = error.into_io();
        let found = NoThread::of(&error).map(|none| none.part.to(Lang::En));
        assert_eq!(found, Some("one"));
        assert!(NoThread::of(&io::ErrorKind::WouldBlock.into()).is_none());
    }
}
