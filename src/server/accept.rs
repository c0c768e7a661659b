//! Accepting: the permits that bound what is accepted, and the way of a connection from
//! the kernel to its task, all on one worker.

use super::connection::{self, Accepted, ConnectionContext};
use super::shares::{Client, Room, Shares, Wait};
use super::turns::Turns;
use super::{Handler, Port, Service, Trusted, turn_away};
use crate::event::tell;
use crate::util::network::customer;
use crate::util::once::Once;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time that accepting rests when there is no file descriptor left.
const REST: Duration = Duration::from_millis(100);
/// Time between two looks for somebody who may go, while there is no permit.
const LOOK: Duration = Duration::from_millis(20);
/// Time that somebody who goes has for it before another one does.
const LEAVES: Duration = Duration::from_secs(1);
/// Time between two log lines about a lasting shortage.
const SAY: Duration = Duration::from_secs(60);
/// Number of clients for which the last log line is remembered.
const REMEMBERED: usize = 4096;

/// Admission of connections, which all ports share.
pub(super) struct Admission<H> {
    limit: usize,
    permits: Arc<Semaphore>,
    shares: Arc<Shares>,
    trusted: Trusted,
    connections: TaskTracker,
    context: Arc<ConnectionContext<H>>,
}

impl<H: Handler> Admission<H> {
    /// Makes the permits and shares of a service.
    pub(super) fn new(service: Service<H>) -> Self {
        let limit = service.limits.load().connections;
        let permits = Arc::new(Semaphore::new(limit));
        let shares = Arc::new(Shares::new(limit, Arc::clone(&permits), service.fair));
        Self {
            limit,
            permits,
            shares: Arc::clone(&shares),
            trusted: service.trusted.clone(),
            connections: TaskTracker::new(),
            context: Arc::new(ConnectionContext::new(service, shares)),
        }
    }

    /// Returns the tasks of the connections.
    pub(super) fn connections(&self) -> &TaskTracker {
        &self.connections
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

    /// Starts the task of a connection, on this worker, or refuses it.
    fn admit(
        &self,
        (stream, address): (TcpStream, SocketAddr),
        client: Client,
        permit: Option<OwnedSemaphorePermit>,
        turns: &Arc<Turns>,
        stop: CancellationToken,
    ) {
        let since = Instant::now();
        let shares = &self.admission.shares;
        let place = permit.as_ref().and_then(|_| shares.enter(client, since));
        let Some(place) = place else {
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
            return turn_away::at_once(stream, &H::turned_away());
        };
        let accepted = Accepted {
            stream,
            address,
            port: self.port,
            place,
            since,
            turns: Arc::clone(turns),
        };
        // On the heap at once: a task is copied eight times on its way from here to its end.
        let serve = connection::serve(accepted, Arc::clone(&self.admission.context), stop);
        let serve = Box::pin(serve);
        let connections = &self.admission.connections;
        tokio::spawn(connections.track_future(async move {
            // Held to the end, by a panic even.
            let _held = permit;
            serve.await;
        }));
    }
}

/// Accepts on this worker, of which the turns are, until asked to stop.
pub(super) async fn accept<H: Handler>(
    listener: TcpListener,
    entrance: Arc<Entrance<H>>,
    turns: Arc<Turns>,
    stop: CancellationToken,
) {
    let mut stopped = pin!(stop.cancelled());
    loop {
        let accepted = async {
            let (stream, peer) = listener.accept().await?;
            let client = entrance.client(peer);
            let permit = entrance.permit(client).await;
            Ok(((stream, peer), client, permit))
        };
        let result = tokio::select! {
            biased;
            () = &mut stopped => break,
            accepted = accepted => accepted,
        };
        match result {
            Ok((accepted, client, permit)) => {
                entrance.admit(accepted, client, permit, &turns, stop.clone());
            }
            // The kernel's or our own table is full: without a rest this loop
            // would spin, and it would never get better.
            Err(e) if is_shortage(&e) => {
                if entrance.shortage.is_due("files", SystemTime::now()) {
                    tell!(ACCEPT_FAILS, address = entrance.address, error = &e);
                }
                sleep(REST).await;
            }
            // That one client went away.
            Err(_) => tokio::task::yield_now().await,
        }
    }
    take_the_last(listener, &entrance, &turns, &stop);
}

/// Takes the connections that the kernel has shaken hands with before the stop: it would
/// reset them with their listener.
fn take_the_last<H: Handler>(
    listener: TcpListener,
    entrance: &Entrance<H>,
    turns: &Arc<Turns>,
    stop: &CancellationToken,
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
            entrance.admit((stream, peer), client, Some(permit), turns, stop.clone());
        }
    }
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
