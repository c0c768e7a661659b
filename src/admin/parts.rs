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
/// Number of requests that may look into the firmware folder at once: it may lie on another
/// machine, and hang.
const LOOKS: usize = 2;
/// Number of look-ups of a device, and of orders about one, at once. They wait for nobody who
/// looks through the fleet, or into the folder.
const SINGLE: usize = 8;

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
    places: Places,
}

/// Places for what may block, of several kinds: what hangs holds up its own kind and no other.
#[derive(Clone)]
struct Places {
    scans: Arc<Semaphore>,
    looks: Arc<Semaphore>,
    single: Arc<Semaphore>,
    /// One reads images, publishes or deletes at a time: an archive is read into memory.
    turn: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        let [scans, looks, single, turn] =
            [SCANS, LOOKS, SINGLE, 1].map(|places| Arc::new(Semaphore::new(places)));
        Self {
            scans,
            looks,
            single,
            turn,
        }
    }
}

/// Does what may block on a thread for that, once there is a place.
async fn within<T: Send + 'static>(
    places: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Refusal> {
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.map_err(|_| Refusal::Late)?;
    let work = tokio::task::spawn_blocking(move || {
        // It is given back by a panic, too, and not by a client that goes away.
        let _held = place;
        work()
    });
    // This server ends.
    work.await.map_err(|_| Refusal::Late)
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
            places: Places::default(),
        }
    }

    /// Looks through the fleet on a thread that may block, a few at a time.
    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn FleetSource) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let fleet = Arc::clone(&self.fleet);
        within(&self.places.scans, move || work(&*fleet)).await
    }

    /// Looks one thing up, or orders one, on a thread that may block.
    pub(super) async fn single<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn FleetSource) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let fleet = Arc::clone(&self.fleet);
        within(&self.places.single, move || work(&*fleet)).await
    }

    /// Looks into the firmware folder on a thread that may block, a few at a time.
    pub(super) async fn looking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn FleetSource, &dyn ReleaseSource) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (fleet, releases) = (Arc::clone(&self.fleet), Arc::clone(&self.releases));
        within(&self.places.looks, move || work(&*fleet, &*releases)).await
    }

    /// Does what reads or changes releases on a thread that may block, one at a time.
    pub(super) async fn releasing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn ReleaseSource) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let releases = Arc::clone(&self.releases);
        within(&self.places.turn, move || work(&*releases)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[tokio::test]
    async fn a_folder_that_hangs_holds_up_no_order() {
        let places = Places::default();
        let mut hanging = Vec::new();
        for _ in 0..2 * LOOKS {
            let (end, hangs) = channel::<()>();
            let looks = Arc::clone(&places.looks);
            let look = async move { within(&looks, move || hangs.recv().is_ok()).await };
            hanging.push((end, tokio::spawn(look)));
        }
        for other in [&places.single, &places.scans, &places.turn] {
            assert_eq!(within(other, || 7).await.ok(), Some(7));
        }
        assert!(hanging.iter().all(|(_, look)| !look.is_finished()));
        for (end, look) in hanging {
            end.send(()).unwrap();
            assert_eq!(look.await.unwrap().ok(), Some(true));
        }
    }
}
