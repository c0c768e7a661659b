//! Workers: threads that serve connections, one for each core, each with a runtime of
//! its own. Listeners accept on them, and a connection lives and dies on the worker
//! that accepted it, so that no task is ever woken across threads: for a check-in that
//! would cost more than the decision.

use super::ListenError;
use crate::util::supervise::End;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{self, Handle};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Number of threads of one worker that read files. A dead disk blocks so many and no
/// more.
const DISK_THREADS: usize = 32;
/// Period of a timer that every worker always has. A timer that is due before all others
/// makes tokio write to the thread that waits for them, its own even; the deadline of a
/// connection never is where this one is due before it.
const BEAT: Duration = Duration::from_secs(1);

/// All workers. Whoever serves connections is handed them; a second listener starts no
/// second set.
#[derive(Debug)]
pub(crate) struct Workers {
    workers: Vec<Worker>,
    end: CancellationToken,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    thread: JoinHandle<()>,
}

impl Workers {
    /// Starts a worker for each core. `broken` hears of one that ends unasked.
    ///
    /// # Errors
    ///
    /// [`ListenError::Worker`] where there is no thread to be had.
    pub(crate) fn start(broken: &End) -> Result<Self, ListenError> {
        let end = CancellationToken::new();
        let count = thread::available_parallelism().map_or(1, usize::from);
        let workers = (0..count).map(|number| {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(DISK_THREADS)
                .thread_name(format!("disk-{number}"))
                .build()
                .map_err(ListenError::Worker)?;
            let handle = runtime.handle().clone();
            let (asked, end, broken) = (end.clone(), end.clone(), broken.clone());
            let name = format!("worker-{number}");
            let work = move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = beat() => {}
                        () = end.cancelled() => {}
                    }
                });
                // What is left on it is cut here; a read that hangs on a dead disk is
                // not waited for.
                runtime.shutdown_background();
            };
            let thread = thread::Builder::new()
                .name(name.clone())
                // Its connections die with its runtime, and the kernel goes on giving
                // it others: nothing but a new process mends that.
                .spawn(move || broken.unless_done(&name, || asked.is_cancelled(), work))
                .map_err(ListenError::Worker)?;
            Ok(Worker {
                runtime: handle,
                thread,
            })
        });
        let workers = workers.collect::<Result<_, _>>()?;
        Ok(Self { workers, end })
    }

    /// Returns the number of workers.
    pub(super) fn count(&self) -> usize {
        self.workers.len()
    }

    /// Returns the runtimes of the workers, in their order.
    pub(super) fn runtimes(&self) -> impl Iterator<Item = &Handle> {
        self.workers.iter().map(|worker| &worker.runtime)
    }

    /// Ends the workers, cutting what is left.
    pub(crate) fn end(self) {
        self.end.cancel();
        for worker in self.workers {
            // A panic of it has been told of.
            let _ = worker.thread.join();
        }
    }
}

async fn beat() {
    let mut every = interval(BEAT);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn workers_that_are_asked_to_end_do_so_quietly() {
        let broken = End::default();
        let workers = Workers::start(&broken).unwrap();
        assert_eq!(workers.runtimes().count(), workers.count());
        workers.end();
        assert!(broken.asked().now_or_never().is_none());
    }
}
