//! Parts of the admin address.

use super::auth::{AdminToken, Hosts};
use super::fleet_source::FleetSource;
use super::readiness::Readiness;
use arc_swap::ArcSwap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::Semaphore;

/// Number of requests that may look through the fleet at once: more would take the threads
/// that read images from disk.
const SCANS: usize = 2;

/// Source of the text of `/metrics`, in Prometheus' format. It is asked on a thread that
/// may block.
pub(crate) type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Parts of the admin address.
pub(crate) struct AdminParts {
    /// Hosts by which it may be asked for.
    pub(crate) hosts: Hosts,
    /// True where no token may come over plain HTTP.
    pub(crate) tls_only: bool,
    /// Tokens, which may change.
    pub(crate) tokens: Arc<ArcSwap<Vec<AdminToken>>>,
    pub(crate) readiness: Arc<dyn Readiness>,
    pub(crate) fleet: Arc<dyn FleetSource>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: fn() -> SystemTime,
}

impl fmt::Debug for AdminParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("AdminParts");
        shown
            .field("hosts", &self.hosts)
            .field("tls_only", &self.tls_only);
        shown.finish_non_exhaustive()
    }
}

/// Sources from which endpoints answer.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) readiness: Arc<dyn Readiness>,
    pub(super) fleet: Arc<dyn FleetSource>,
    pub(super) metrics: Metrics,
    pub(super) clock: fn() -> SystemTime,
    pub(super) scans: Arc<Semaphore>,
}

impl Sources {
    /// Takes what endpoints need of the parts.
    pub(super) fn of(parts: &AdminParts) -> Self {
        Self {
            readiness: Arc::clone(&parts.readiness),
            fleet: Arc::clone(&parts.fleet),
            metrics: Arc::clone(&parts.metrics),
            clock: parts.clock,
            scans: Arc::new(Semaphore::new(SCANS)),
        }
    }
}
