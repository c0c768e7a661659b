//! Workers: threads that serve connections, one for each core, each with a runtime of
//! its own. A connection lives and dies on its worker, so that no task is ever woken
//! across threads: for a check-in that would cost more than the decision.

use super::connection::{self, ConnectionContext};
use super::shares::Share;
use super::{Handler, ListenError, Port};
use crate::util::supervise::End;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use tokio::runtime;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Number of threads of one worker that read files. A dead disk blocks so many and no
/// more.
const DISK_THREADS: usize = 32;

/// Accepted connection, with the permit that it holds to its end.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    /// Port that it came to.
    pub(super) port: Port,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) share: Option<Share>,
}

/// Connection on its way to its task, which the drain waits for.
type Queued = (Accepted, TaskTrackerToken);

/// All workers.
pub(super) struct Workers {
    workers: Vec<Worker>,
    connections: TaskTracker,
    end: CancellationToken,
}

struct Worker {
    inbox: UnboundedSender<Queued>,
    /// Number of its connections.
    load: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Workers {
    /// Starts a worker for each core.
    pub(super) fn start<H: Handler>(
        shared: &Arc<ConnectionContext<H>>,
        stop: &CancellationToken,
        broken: &End,
    ) -> Result<Self, ListenError> {
        let (connections, end) = (TaskTracker::new(), CancellationToken::new());
        let count = thread::available_parallelism().map_or(1, usize::from);
        let workers = (0..count).map(|number| {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(DISK_THREADS)
                .thread_name(format!("disk-{number}"))
                .build()
                .map_err(ListenError::Worker)?;
            let (inbox, accepted) = mpsc::unbounded_channel();
            let load = Arc::new(AtomicUsize::new(0));
            let serve = serve(
                accepted,
                Arc::clone(shared),
                Arc::clone(&load),
                // A child of its own: its lock is then never shared by threads.
                stop.child_token(),
            );
            let end = end.clone();
            let (asked, broken) = (end.clone(), broken.clone());
            let name = format!("worker-{number}");
            let work = move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve => {}
                        () = end.cancelled() => {}
                    }
                });
                // What is left on it is cut here; a read that hangs on a dead disk is
                // not waited for.
                runtime.shutdown_background();
            };
            let thread = thread::Builder::new()
                .name(name.clone())
                // Its connections die with its runtime, and others are still given to
                // it: nothing but a new process mends that.
                .spawn(move || broken.unless_done(&name, || asked.is_cancelled(), work))
                .map_err(ListenError::Worker)?;
            Ok(Worker {
                inbox,
                load,
                thread,
            })
        });
        let workers = workers.collect::<Result<_, _>>()?;
        Ok(Self {
            workers,
            connections,
            end,
        })
    }

    /// Hands a connection to the worker that has the fewest.
    pub(super) fn take(&self, accepted: Accepted) {
        let alive = self
            .workers
            .iter()
            .filter(|worker| !worker.inbox.is_closed());
        let load = |worker: &&Worker| worker.load.load(Ordering::Relaxed);
        if let Some(worker) = alive.min_by_key(load) {
            worker.load.fetch_add(1, Ordering::Relaxed);
            if worker
                .inbox
                .send((accepted, self.connections.token()))
                .is_err()
            {
                worker.load.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns the number of connections.
    pub(super) fn connections(&self) -> usize {
        self.workers
            .iter()
            .map(|worker| worker.load.load(Ordering::Relaxed))
            .sum()
    }

    /// Waits until every connection has ended; nothing may be taken any more.
    pub(super) async fn drained(&self) {
        self.connections.close();
        self.connections.wait().await;
    }

    /// Ends the workers, cutting what is left.
    pub(super) fn end(self) {
        self.end.cancel();
        for worker in self.workers {
            // A panic of it has been told of.
            let _ = worker.thread.join();
        }
    }
}

async fn serve<H: Handler>(
    mut accepted: UnboundedReceiver<Queued>,
    shared: Arc<ConnectionContext<H>>,
    load: Arc<AtomicUsize>,
    stop: CancellationToken,
) {
    while let Some((accepted, token)) = accepted.recv().await {
        let Accepted {
            stream,
            peer,
            port,
            permit,
            share,
        } = accepted;
        let guard = Leaving {
            load: Arc::clone(&load),
            _permit: permit,
            _share: share,
            _token: token,
        };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tokio::spawn(async move {
            let _guard = guard;
            // Registering it can fail where the kernel is out of memory.
            if let Ok(stream) = tokio::net::TcpStream::from_std(stream) {
                connection::serve(stream, peer, port, shared, stop).await;
            }
        });
    }
}

/// Takes a connection off the count when its task ends, by a panic even.
struct Leaving {
    load: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
    _share: Option<Share>,
    _token: TaskTrackerToken,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Peer, Service, Trusted};
    use super::*;
    use arc_swap::ArcSwap;
    use futures_util::FutureExt;
    use http_body_util::Empty;
    use hyper::body::{Bytes, Incoming};
    use hyper::{Request, Response};

    struct Nobody;

    impl Handler for Nobody {
        type Body = Empty<Bytes>;

        async fn handle(self: Arc<Self>, _: Peer, _: Request<Incoming>) -> Response<Self::Body> {
            Response::new(Empty::new())
        }
    }

    fn workers(broken: &End) -> Workers {
        let service = Service {
            handler: Arc::new(Nobody),
            tls: None,
            limits: Arc::new(ArcSwap::from_pointee(Limits::default())),
            fair: false,
            trusted: Trusted::default(),
        };
        let shared = Arc::new(ConnectionContext::new(service, None));
        Workers::start(&shared, &CancellationToken::new(), broken).unwrap()
    }

    #[tokio::test]
    async fn a_worker_that_ends_unasked_ends_the_process() {
        let broken = End::default();
        let Workers { workers, .. } = workers(&broken);
        // Nobody could give it a connection any more.
        drop(workers);
        let reason = broken.asked().await.unwrap().to_string();
        assert!(
            reason.starts_with("worker-") && reason.contains("ended by itself"),
            "{reason}"
        );
    }

    #[test]
    fn workers_that_are_asked_to_end_do_so_quietly() {
        let broken = End::default();
        workers(&broken).end();
        assert!(broken.asked().now_or_never().is_none());
    }
}
