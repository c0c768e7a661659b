//! Upgrades: connections that speak HTTP no more.

use crate::util::sync::lock;
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Work on a connection after a 101; the token says that the server stops.
type Work = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// Upgrade of a connection, in the extensions of a reply of 101. The connection's own
/// task does the work, so that it keeps its permit, its share and its place in the
/// drain.
#[derive(Clone)]
pub(crate) struct Upgrade(Arc<Mutex<Option<Work>>>);

impl Upgrade {
    /// Wraps the work.
    pub(crate) fn new(
        work: impl FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(work)))))
    }

    pub(super) fn take(&self) -> Option<Work> {
        lock(&self.0).take()
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upgrade")
    }
}
