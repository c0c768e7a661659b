//! The end: what was begun is finished, and whoever comes meanwhile is answered.
//!
//! A download may take four minutes, and a device whose check-in is refused waits for its
//! next try, ten seconds at first: so a stop goes on accepting until the downloads are over.
//! Nothing is offered any more, so no new ones begin. Only then the ports close, for as long
//! as it takes to start the next process.

use super::Limits;
use super::shutdown::Stop;
use crate::event::tell;
use arc_swap::ArcSwap;
use futures_util::future::{join_all, try_join_all};
use std::panic;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time that whoever came last has for his answer once the ports are closed.
const LAST: Duration = Duration::from_secs(3);

/// Work that a listener waits for.
#[derive(Debug, Clone, Default)]
pub(super) struct Underway {
    /// Connections that came before the stop.
    pub(super) early: TaskTracker,
    /// Connections that came since.
    pub(super) late: TaskTracker,
    /// Bodies that last, of any connection, to the client's own end.
    pub(super) downloads: TaskTracker,
    /// Cancelled when the ports close.
    pub(super) closing: CancellationToken,
}

/// Listener that accepts.
#[derive(Debug)]
pub(crate) struct Open {
    pub(super) accepting: Vec<JoinHandle<()>>,
    pub(super) underway: Underway,
}

/// Serves until asked to stop, and to the end of what was begun, but no longer than the
/// drain time and a moment, or a second signal.
///
/// # Panics
///
/// A port that breaks breaks all: one less would strand a share of the devices, and nobody
/// would see it.
pub(crate) async fn serve(open: Vec<Open>, limits: &ArcSwap<Limits>, stop: &Stop) {
    let (accepting, underway): (Vec<_>, Vec<_>) = open
        .into_iter()
        .map(|open| (open.accepting, open.underway))
        .unzip();
    let mut accepting = try_join_all(accepting.into_iter().flatten());
    tokio::select! {
        ended = &mut accepting => match ended {
            Err(broken) if broken.is_panic() => panic::resume_unwind(broken.into_panic()),
            // Its worker ended, and whoever waits for that ends the process.
            _ => stop.asked.cancelled().await,
        },
        () = stop.asked.cancelled() => {}
    }
    let drain = limits.load().drain;
    let end = Instant::now() + drain;
    let early = underway.iter().map(|underway| &underway.early);
    let count = early.clone().map(TaskTracker::len).sum::<usize>();
    if count > 0 {
        tell!(
            STOP_DRAINING,
            connections = count,
            drain = format!("{drain:?}")
        );
    }
    tokio::select! {
        () = async {
            all(early).await;
            // Whoever was offered something just before fetches it now.
            all(underway.iter().map(|underway| &underway.downloads)).await;
        } => {}
        () = stop.forced.cancelled() => {}
        () = sleep_until(end) => {}
    }
    for underway in &underway {
        underway.closing.cancel();
    }
    tokio::select! {
        () = async {
            // They hand over who came last. One that broke has been told of.
            let _ = accepting.await;
            all(underway.iter().flat_map(|u| [&u.early, &u.late])).await;
        } => {}
        () = stop.forced.cancelled() => {}
        () = sleep(LAST) => {
            let left = underway.iter().map(|u| u.early.len() + u.late.len()).sum::<usize>();
            tell!(STOP_CUT, connections = left);
        }
    }
}

async fn all<'a>(trackers: impl Iterator<Item = &'a TaskTracker>) {
    let each = trackers.map(|tracker| {
        tracker.close();
        tracker.wait()
    });
    join_all(each).await;
}
