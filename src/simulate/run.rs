//! Runs a whole fleet, from the first device that is switched on to the last that
//! has nothing more to do.

use super::failure::{Failure, FailureKind};
use super::life::{SimulatedFleet, live};
use super::network::{Connect as _, Sockets, at_once};
use super::plan::Plan;
use super::summary::{End, Summary};
use super::tally::Tally;
use super::view::View;
use crate::event::text::Lang;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep_until};
use xiaozhi_device::redact;

/// Time between two looks at whether this program is late itself.
const PULSE: Duration = Duration::from_millis(100);
/// Limit of the first connection, to any of the server's addresses: more than each
/// step's own limit, so that the step that took too long is named.
const FIRST: Duration = Duration::from_secs(25);

/// Reason for which nothing can be simulated.
#[derive(Debug)]
pub(crate) enum Impossible {
    /// The first connection failed: no other one would succeed.
    Unreachable {
        url: String,
        kind: FailureKind,
        /// More words, if there are any.
        detail: Option<String>,
    },
    /// TLS or signals cannot be set up.
    Setup(String),
}

impl Impossible {
    /// Says what is wrong, and what to do.
    pub(crate) fn describe(&self, lang: Lang) -> String {
        match self {
            Self::Unreachable { url, kind, detail } => {
                let name = kind.name(lang);
                let detail = detail
                    .as_ref()
                    .map_or_else(String::new, |detail| format!(" ({detail})"));
                let (remedy, url) = (kind.remedy(lang), redact::shown(url));
                match lang {
                    Lang::Zh => format!("无法连接 {url}：{name}{detail}；{remedy}"),
                    Lang::En => format!("cannot reach {url}: {name}{detail}; {remedy}"),
                }
            }
            Self::Setup(why) => match lang {
                Lang::Zh => format!("无法开始：{why}"),
                Lang::En => format!("it cannot begin: {why}"),
            },
        }
    }
}

/// Plays a plan to its end, on the thread that calls, and shows its progress on
/// stderr. Connects once by itself first: where that fails, nothing else is tried.
pub(crate) async fn run(plan: Plan, lang: Lang) -> Result<Summary, Impossible> {
    let at_once = at_once(&plan);
    let network = Sockets::new(&plan, at_once).map_err(Impossible::Setup)?;
    let unreachable = |failure: Failure| Impossible::Unreachable {
        url: plan.url.clone(),
        kind: failure.kind,
        detail: failure.detail,
    };
    match tokio::time::timeout(FIRST, network.open(&plan.target, false)).await {
        Ok(Ok(stream)) => drop(stream),
        Ok(Err(failure)) => return Err(unreachable(failure)),
        Err(_) => return Err(unreachable(Failure::new(FailureKind::ConnectTimeout))),
    }
    let addresses = network.resolve(&plan.target).await.map_err(unreachable)?;
    // Before anything is said: who reads it may press Ctrl-C.
    let mut stops = Stops::new().map_err(|e| Impossible::Setup(e.to_string()))?;
    let mut view = View::new(lang);
    view.begin(&plan, &addresses, at_once);

    let fleet = Rc::new(SimulatedFleet::new(plan, network, at_once));
    let devices = LocalSet::new();
    let begun = Instant::now();
    let end = devices
        .run_until(async {
            spawn_local(feel_pulse(Rc::clone(&fleet)));
            for number in 0..fleet.plan.devices {
                spawn_local(live(Rc::clone(&fleet), number));
            }
            watch(&fleet, &mut view, &mut stops, begun).await
        })
        .await;
    let time = begun.elapsed();
    view.end();
    // What is still open is cut: it would end in no other state.
    drop(devices);
    let tally: Tally = fleet.tally.borrow().clone();
    let book = fleet.book.take();
    Ok(Summary::new(&fleet.plan, (tally, book), end, time, at_once))
}

/// Signals that end a simulation.
struct Stops {
    interrupt: Signal,
    terminate: Signal,
}

impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }
}

/// Shows the progress until the simulation is over.
async fn watch(
    fleet: &SimulatedFleet<Sockets>,
    view: &mut View,
    stops: &mut Stops,
    begun: Instant,
) -> End {
    // Far enough.
    let never = Duration::from_secs(365 * 86_400);
    let latest = begun + fleet.plan.time.unwrap_or(never).min(never);
    let mut look = tokio::time::interval(PULSE);
    loop {
        tokio::select! {
            () = fleet.done.notified() => return End::Done,
            () = sleep_until(latest) => return End::Time,
            _ = stops.interrupt.recv() => return End::Interrupted,
            _ = stops.terminate.recv() => return End::Interrupted,
            _ = look.tick() => view.show(&fleet.tally.borrow(), fleet.plan.devices, begun.elapsed()),
        }
    }
}

/// Measures how late this program is. It waits in the same queue as all devices,
/// and so is as late as they are when there is more to do than its core can: what
/// they measure then is the simulator, not the server.
async fn feel_pulse(fleet: Rc<SimulatedFleet<Sockets>>) {
    loop {
        let due = Instant::now() + PULSE;
        sleep_until(due).await;
        let mut tally = fleet.tally.borrow_mut();
        tally.lag = tally.lag.max(due.elapsed());
    }
}
