//! Parts of the admin address.

use super::auth::{AdminToken, Hosts};
use super::counted::Counted;
use super::fleet_source::FleetSource;
use super::gate::Gate;
use super::readiness::Readiness;
use super::release_source::ReleaseSource;
use super::reply::Refusal;
use super::server_source::ServerSource;
use super::session::Sessions;
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
    pub(crate) server: Arc<dyn ServerSource>,
    pub(crate) releases: Arc<dyn ReleaseSource>,
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
    pub(super) server: Arc<dyn ServerSource>,
    pub(super) releases: Arc<dyn ReleaseSource>,
    pub(super) metrics: Metrics,
    pub(super) clock: fn() -> SystemTime,
    pub(super) gate: Arc<Gate>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) counted: Arc<Counted>,
    scans: Arc<Semaphore>,
    /// One reads images, publishes or deletes at a time: an archive is read into memory.
    turn: Arc<Semaphore>,
}

impl Sources {
    /// Takes what endpoints need of the parts.
    pub(super) fn of(parts: &AdminParts) -> Self {
        Self {
            readiness: Arc::clone(&parts.readiness),
            fleet: Arc::clone(&parts.fleet),
            server: Arc::clone(&parts.server),
            releases: Arc::clone(&parts.releases),
            metrics: Arc::clone(&parts.metrics),
            clock: parts.clock,
            gate: Arc::new(Gate::new(Arc::clone(&parts.tokens), parts.clock)),
            sessions: Arc::default(),
            counted: Arc::default(),
            scans: Arc::new(Semaphore::new(SCANS)),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// Does what may block on a thread for that, a few at a time.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn FleetSource) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let scans = Arc::clone(&self.scans);
        let permit = scans.acquire_owned().await.map_err(|_| Refusal::Late)?;
        let fleet = Arc::clone(&self.fleet);
        let work = tokio::task::spawn_blocking(move || {
            // It is given back by a panic, too, and not by a client that goes away.
            let _held = permit;
            work(&*fleet)
        });
        // This server ends.
        work.await.map_err(|_| Refusal::Late)
    }

    /// Does what reads or changes releases on a thread that may block, one at a time.
    pub(super) async fn releasing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn ReleaseSource) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let turn = Arc::clone(&self.turn);
        let permit = turn.acquire_owned().await.map_err(|_| Refusal::Late)?;
        let releases = Arc::clone(&self.releases);
        let work = tokio::task::spawn_blocking(move || {
            let _held = permit;
            work(&*releases)
        });
        work.await.map_err(|_| Refusal::Late)
    }
}
