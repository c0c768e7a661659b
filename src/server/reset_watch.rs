//! Watch for clients that reset while they are kept waiting.
//!
//! While a request is answered nothing is read behind it: a client that shuts its side once
//! it has asked still wants the reply, and its end must not look like its going. So a reset
//! is not seen either, until something is written. Whoever lets a client wait, for a server
//! behind, asks now and then for a look; the connection's own task, which polls him, then
//! asks the kernel for the socket's error. A FIN is none, with or without TLS's own goodbye:
//! devices end so.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;

/// Time between two looks at a client that waits.
pub(crate) const LOOK: Duration = Duration::from_millis(400);

/// Request for a look at a connection's client, shared with whoever lets it wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct ResetWatch(Arc<AtomicBool>);

impl ResetWatch {
    /// Asks the connection to look for a reset the next time that it is flushed, which is
    /// when whoever it polls has been polled. One that was reset ends with an error, and
    /// everything ends that is done for it.
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether a look was asked for, and takes that it is done.
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }

    /// Does work for which the client waits. It is dropped with the connection soon after
    /// the client has reset that.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            match timeout(LOOK, work.as_mut()).await {
                Ok(done) => return done,
                Err(_) => self.ask(),
            }
        }
    }
}
