//! Workers: threads that serve connections, one for each core, each with a runtime of
//! its own. Listeners accept on them, and a connection lives and dies on the worker
//! that accepted it, so that no task is ever woken across threads: for a check-in that
//! would cost more than the decision.

use super::ListenError;
use super::turns::Turns;
use crate::util::supervise::End;
use crate::util::threads;
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

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

/// One thread with its runtime.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) runtime: Handle,
    /// Turns of the handshakes that are made on it.
    pub(super) turns: Arc<Turns>,
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
            let (end, broken) = (end.clone(), broken.clone());
            let name = format!("worker-{number}");
            let (tell, told) = mpsc::sync_channel(1);
            let thread = thread::Builder::new()
                .name(name.clone())
                .spawn(move || {
                    // Here, for one that is not begun must not be dropped among tasks.
                    let runtime = threads::runtime(&format!("disk-{number}"));
                    let runtime = match runtime {
                        Ok(runtime) => runtime,
                        Err(error) => return drop(tell.send(Err(error))),
                    };
                    let turns = Arc::<Turns>::default();
                    let known = (runtime.handle().clone(), Arc::clone(&turns));
                    if tell.send(Ok(known)).is_ok() {
                        work(runtime, turns, &name, &end, &broken);
                    }
                })
                .map_err(ListenError::Worker)?;
            let known = told.recv().map_err(io::Error::other).flatten();
            let (runtime, turns) = known.map_err(ListenError::Worker)?;
            Ok(Worker {
                runtime,
                turns,
                thread,
            })
        });
        let workers: Result<_, _> = workers.collect();
        match workers {
            Ok(workers) => Ok(Self { workers, end }),
            Err(error) => {
                end.cancel();
                Err(error)
            }
        }
    }

    /// Returns the number of workers.
    pub(super) fn count(&self) -> usize {
        self.workers.len()
    }

    /// Returns the workers, in their order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Worker> {
        self.workers.iter()
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

/// Runs a worker to its end. Its connections die with its runtime, and the kernel goes on
/// giving it others: nothing but a new process mends one that breaks.
fn work(runtime: Runtime, turns: Arc<Turns>, name: &str, end: &CancellationToken, broken: &End) {
    let work = || {
        runtime.block_on(async {
            tokio::select! {
                () = beat() => {}
                // Only by a panic.
                _ = tokio::spawn(turns.usher()) => {}
                () = end.cancelled() => {}
            }
        });
        // What is left on it is cut here; a read that hangs on a dead disk is not waited
        // for.
        runtime.shutdown_background();
    };
    broken.unless_done(name, || end.is_cancelled(), work);
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
        assert_eq!(workers.all().count(), workers.count());
        workers.end();
        assert!(broken.asked().now_or_never().is_none());
    }
}
