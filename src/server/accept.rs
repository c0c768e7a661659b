//! Accepting: the permits that bound what is accepted, and the way of a connection from
//! the kernel to its task, all on one worker.
//!
//! The kernel hands connections over in the order in which they came, a thousand of one
//! address before the next address's first. To take one costs a tenth of what its first
//! message does, so all are taken, and where there are many their tasks begin a few at a
//! time, one of each owner in turn: whoever is new waits for a few of the crowd's, and
//! each pass of the worker is short.

use super::connection::{self, Accepted, ConnectionContext};
use super::ending::Underway;
use super::shares::{Client, Room, Shares, Wait};
use super::shutdown::Ending;
use super::turns::{Queue, Step, Turns};
use super::{Handler, Port, Service, Trusted, turn_away};
use crate::event::tell;
use crate::util::counts::{Counts, OpenConnection, TurnedAway};
use crate::util::network::customer;
use crate::util::once::Once;
use futures_util::FutureExt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Time that accepting rests when there is no file descriptor left.
const REST: Duration = Duration::from_millis(100);
/// Time between two looks for somebody who may go, while there is no permit.
const LOOK: Duration = Duration::from_millis(20);
/// Time that somebody who goes has for it before another one does.
const LEAVES: Duration = Duration::from_secs(1);
/// Time between two log lines about a lasting shortage.
const SAY: Duration = Duration::from_secs(60);
/// Number of connections whose tasks begin in one pass of the worker, where more have come:
/// about 1 ms of work.
const AT_ONCE: usize = 16;
/// Number of connections of a worker that may wait for that. The rest waits in the kernel, without
/// permits.
const MOST: usize = 4096;
/// Number of clients for which the last log line is remembered.
const REMEMBERED: usize = 4096;

/// Admission of connections, which all ports share.
pub(super) struct Admission<H> {
    limit: usize,
    permits: Arc<Semaphore>,
    shares: Arc<Shares>,
    trusted: Trusted,
    underway: Underway,
    context: Arc<ConnectionContext<H>>,
}

impl<H: Handler> Admission<H> {
    /// Makes the permits and shares of a service.
    pub(super) fn new(service: Service<H>, underway: Underway) -> Self {
        let limit = service.limits.load().connections;
        let permits = Arc::new(Semaphore::new(limit));
        let shares = Shares::new(limit, Arc::clone(&permits), service.fair);
        let shares = Arc::new(
            shares
                .measured(H::is_for_devices())
                .knowing(H::knows_clients()),
        );
        if let Some(meter) = shares.meter() {
            meter.set_permits(limit);
        }
        Self {
            limit,
            permits,
            shares: Arc::clone(&shares),
            trusted: service.trusted.clone(),
            context: Arc::new(ConnectionContext::new(
                service,
                shares,
                underway.downloads.clone(),
            )),
            underway,
        }
    }
}

/// One port, with what was said of it: its workers say a thing once.
pub(super) struct Entrance<H> {
    port: Port,
    address: SocketAddr,
    admission: Arc<Admission<H>>,
    greedy: Once,
    shortage: Once,
}

impl<H: Handler> Entrance<H> {
    /// Makes the entrance of a port.
    pub(super) fn new(port: Port, address: SocketAddr, admission: &Arc<Admission<H>>) -> Self {
        Self {
            port,
            address,
            admission: Arc::clone(admission),
            greedy: Once::new(SAY, REMEMBERED),
            shortage: Once::new(SAY, REMEMBERED),
        }
    }

    /// Returns the client that a connection is of, as far as its address tells.
    fn client(&self, peer: SocketAddr) -> Client {
        // A proxy brings many clients, and in whose name shows only in the PROXY header.
        let is_one = !self.port.proxy_protocol && !self.admission.trusted.contains(peer.ip());
        self.admission.shares.client(peer.ip(), is_one)
    }

    /// Waits for the permit of a connection that has been accepted: it waits here, the
    /// others in the kernel. A permit taken before would be idle while nobody comes.
    /// `None` where the client is refused.
    async fn permit(&self, client: Client) -> Option<OwnedSemaphorePermit> {
        let permits = &self.admission.permits;
        let permit = match self.free_permit() {
            Some(permit) => permit,
            None => self.next_permit(client).await?,
        };
        if permits.available_permits() == 0 && self.shortage.is_due("permits", SystemTime::now()) {
            let limit = self.admission.limit;
            tell!(CONNECTIONS_FULL, address = self.address, limit = limit);
        }
        Some(permit)
    }

    /// Returns a permit if there is one.
    fn free_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.admission.permits).try_acquire_owned().ok()
    }

    /// Waits for the next permit, and has somebody go for it who only waits. One at a
    /// time: the next one goes when this one has gone, or does not.
    async fn next_permit(&self, client: Client) -> Option<OwnedSemaphorePermit> {
        let mut permit = pin!(Arc::clone(&self.admission.permits).acquire_owned());
        let mut leaving: Option<(Arc<Wait>, Instant)> = None;
        loop {
            let now = Instant::now();
            let is_made = |(wait, since): &(Arc<Wait>, Instant)| {
                wait.is_leaving() && now.duration_since(*since) < LEAVES
            };
            if !leaving.as_ref().is_some_and(is_made) {
                leaving = match self.admission.shares.make_room(client, now) {
                    Room::Made(wait) => Some((wait, now)),
                    Room::None => None,
                    Room::Refused => return None,
                };
            }
            tokio::select! {
                biased;
                permit = &mut permit => return permit.ok(),
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Lets a connection in, or refuses it.
    fn enter(
        &self,
        (stream, address): (TcpStream, SocketAddr),
        client: Client,
        permit: Option<OwnedSemaphorePermit>,
        turns: &Arc<Turns>,
    ) -> Option<Entered> {
        let since = Instant::now();
        let shares = &self.admission.shares;
        let entered = permit.and_then(|permit| Some((shares.enter(client, since)?, permit)));
        let Some((place, permit)) = entered else {
            if let Some(meter) = shares.meter() {
                meter.turned_away(TurnedAway::Share);
            }
            if self
                .greedy
                .is_due(&customer(address.ip()), SystemTime::now())
            {
                tell!(
                    SHARE_FULL,
                    address = self.address,
                    peer = address.ip(),
                    limit = self.admission.limit
                );
            }
            turn_away::at_once(stream, &H::turned_away());
            return None;
        };
        let accepted = Accepted {
            stream,
            address,
            port: self.port,
            place,
            since,
            turns: Arc::clone(turns),
        };
        Some(Entered {
            accepted,
            permit: (permit, shares.meter().map(Counts::connection)),
        })
    }

    /// Starts the task of a connection, on this worker.
    fn begin(&self, entered: Entered, phases: &Phases) {
        let Entered { accepted, permit } = entered;
        let context = Arc::clone(&self.admission.context);
        let underway = &self.admission.underway;
        let is_late = phases.ending.is_asked();
        let (stop, connections) = if is_late {
            (&phases.closing, &underway.late)
        } else {
            (&phases.asked, &underway.early)
        };
        // On the heap at once: a task is copied eight times on its way from here to its end.
        let serve = connection::serve(accepted, context, stop.clone(), is_late);
        let serve = Box::pin(serve);
        tokio::spawn(connections.track_future(async move {
            // Held to the end, by a panic even.
            let _held = permit;
            serve.await;
        }));
    }

    /// Starts the tasks of so many connections that wait for that. Those that were reset
    /// meanwhile cost next to nothing.
    fn begin_some(&self, line: &mut Line, most: usize, phases: &Phases) {
        let mut begun = 0;
        while begun < most
            && let Some((_, entered)) = line.take()
        {
            if !is_reset(&entered.accepted.stream) {
                self.begin(entered, phases);
                begun += 1;
            }
        }
    }
}

/// Connection that has been let in, whose task has not begun.
struct Entered {
    accepted: Accepted,
    permit: (OwnedSemaphorePermit, Option<OpenConnection>),
}

/// Connections that have been let in, in the lines of their owners.
type Line = Queue<IpAddr, Entered>;

/// Stages of a stop, as one worker sees them.
pub(super) struct Phases {
    /// Tells whether the stop was asked for.
    pub(super) ending: Ending,
    /// Cancelled when it is: connections end as soon as they may.
    pub(super) asked: CancellationToken,
    /// Cancelled when the ports close.
    pub(super) closing: CancellationToken,
}

/// Accepts on this worker, of which the turns are, until the ports close.
pub(super) async fn accept<H: Handler>(
    listener: TcpListener,
    entrance: Arc<Entrance<H>>,
    turns: Arc<Turns>,
    phases: Phases,
) {
    let mut closed = pin!(phases.closing.cancelled());
    let mut line = Line::default();
    // Number of tasks begun in this pass.
    let mut begun = 0;
    loop {
        let accepted = async {
            let (has_begun, is_full) = (begun > 0 || !line.is_empty(), line.len() >= MOST);
            let next = poll_fn(|cx| match listener.poll_accept(cx) {
                Poll::Pending if has_begun => Poll::Ready(None),
                next => next.map(Some),
            });
            let next = if is_full { None } else { next.await };
            let Some(next) = next else {
                return Ok(None);
            };
            let (stream, peer) = next?;
            let client = entrance.client(peer);
            if entrance.admission.permits.available_permits() == 0 {
                // Nobody waits for a permit in front of those who have theirs.
                entrance.begin_some(&mut line, usize::MAX, &phases);
            }
            let permit = entrance.permit(client).await;
            Ok(Some(((stream, peer), client, permit)))
        };
        let result = tokio::select! {
            biased;
            () = &mut closed => break,
            accepted = accepted => accepted,
        };
        match result {
            Ok(Some((accepted, client, permit))) => {
                let Some(entered) = entrance.enter(accepted, client, permit, &turns) else {
                    continue;
                };
                if line.is_empty() && begun < AT_ONCE {
                    begun += 1;
                    entrance.begin(entered, &phases);
                } else {
                    let owner = entered.accepted.place.wait().owner();
                    line.join(owner, Step::First, entered);
                }
            }
            // That was all for now.
            Ok(None) => {
                begun = 0;
                if !line.is_empty() {
                    entrance.begin_some(&mut line, AT_ONCE, &phases);
                    // Behind all that is ready, and what the kernel has for us.
                    yield_now().await;
                }
            }
            // The kernel's or our own table is full: without a rest this loop
            // would spin, and it would never get better.
            Err(e) if is_shortage(&e) => {
                if let Some(meter) = entrance.admission.shares.meter() {
                    meter.accept_failed();
                }
                entrance.begin_some(&mut line, usize::MAX, &phases);
                if entrance.shortage.is_due("files", SystemTime::now()) {
                    tell!(ACCEPT_FAILS, address = entrance.address, error = &e);
                }
                sleep(REST).await;
            }
            // That one client went away.
            Err(_) => yield_now().await,
        }
    }
    entrance.begin_some(&mut line, usize::MAX, &phases);
    take_the_last(listener, &entrance, &turns, &phases);
}

/// Takes the connections that the kernel has shaken hands with before the end: it would
/// reset them with their listener.
fn take_the_last<H: Handler>(
    listener: TcpListener,
    entrance: &Entrance<H>,
    turns: &Arc<Turns>,
    phases: &Phases,
) {
    let Ok(listener) = listener.into_std() else {
        return;
    };
    while let Ok((stream, peer)) = listener.accept() {
        let stream = stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(stream));
        if let (Ok(stream), Some(permit)) = (stream, entrance.free_permit()) {
            let client = entrance.client(peer);
            let entered = entrance.enter((stream, peer), client, Some(permit), turns);
            if let Some(entered) = entered {
                entrance.begin(entered, phases);
            }
        }
    }
}

/// Tells whether a client has reset its connection, as far as the kernel has said so
/// already: it is not asked. Who has shut his side alone waits for an answer.
fn is_reset(stream: &TcpStream) -> bool {
    let ready = stream.ready(Interest::READABLE | Interest::WRITABLE);
    matches!(ready.now_or_never(), Some(Ok(ready)) if ready.is_write_closed())
}

fn is_shortage(e: &io::Error) -> bool {
    use nix::errno::Errno;
    e.raw_os_error().is_some_and(|code| {
        matches!(
            Errno::from_raw(code),
            Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM
        )
    })
}
