//! Accepting: the permits that bound what is accepted, and the way of a connection from
//! the kernel to its task, all on one worker.

use super::connection::{self, ConnectionContext};
use super::shares::Shares;
use super::{Handler, Port, Service, Trusted};
use crate::event::tell;
use crate::util::once::Once;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time that accepting rests when there is no file descriptor left.
const REST: Duration = Duration::from_millis(100);
/// Time between two log lines about a lasting shortage.
const SAY: Duration = Duration::from_secs(60);
/// Number of clients for which the last log line is remembered.
const REMEMBERED: usize = 4096;

/// Admission of connections, which all ports share.
pub(super) struct Admission<H> {
    limit: usize,
    permits: Arc<Semaphore>,
    shares: Option<Arc<Shares>>,
    trusted: Trusted,
    connections: TaskTracker,
    context: Arc<ConnectionContext<H>>,
}

impl<H: Handler> Admission<H> {
    /// Makes the permits and shares of a service.
    pub(super) fn new(service: Service<H>) -> Self {
        let limit = service.limits.load().connections;
        let permits = Arc::new(Semaphore::new(limit));
        let shares = service
            .fair
            .then(|| Arc::new(Shares::new(limit, Arc::clone(&permits))));
        Self {
            limit,
            permits,
            shares: shares.clone(),
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
    shares: Option<Arc<Shares>>,
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
            // Who comes in whose name shows only in the PROXY header.
            shares: admission.shares.clone().filter(|_| !port.proxy_protocol),
            admission: Arc::clone(admission),
            greedy: Once::new(SAY, REMEMBERED),
            shortage: Once::new(SAY, REMEMBERED),
        }
    }

    /// Waits for the permit of a connection that has been accepted: it waits here, the
    /// others in the kernel. A permit taken before would be idle while nobody comes.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let permits = &self.admission.permits;
        let permit = match self.free_permit() {
            Some(permit) => permit,
            None => Arc::clone(permits).acquire_owned().await.ok()?,
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

    /// Starts the task of a connection, on this worker; refuses it where its address has
    /// its share already.
    fn admit(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
        stop: CancellationToken,
    ) {
        let shares = self.shares.as_ref();
        // A proxy brings many clients.
        let shares = shares.filter(|_| !self.admission.trusted.contains(peer.ip()));
        let share = shares.map(|shares| shares.take(peer.ip()));
        if let Some(None) = share {
            if self.greedy.is_due(&peer.ip(), SystemTime::now()) {
                tell!(
                    SHARE_FULL,
                    address = self.address,
                    peer = peer.ip(),
                    limit = self.admission.limit
                );
            }
            return;
        }
        let serve = connection::serve(
            stream,
            peer,
            self.port,
            Arc::clone(&self.admission.context),
            stop,
        );
        let connections = &self.admission.connections;
        tokio::spawn(connections.track_future(async move {
            // Held to the end, by a panic even.
            let _held = (permit, share);
            serve.await;
        }));
    }
}

/// Accepts on this worker until asked to stop.
pub(super) async fn accept<H: Handler>(
    listener: TcpListener,
    entrance: Arc<Entrance<H>>,
    stop: CancellationToken,
) {
    let mut stopped = pin!(stop.cancelled());
    loop {
        let accepted = async {
            let (stream, peer) = listener.accept().await?;
            Ok((stream, peer, entrance.permit().await))
        };
        let result = tokio::select! {
            biased;
            () = &mut stopped => break,
            accepted = accepted => accepted,
        };
        match result {
            Ok((stream, peer, Some(permit))) => {
                entrance.admit(stream, peer, permit, stop.clone());
            }
            Ok((_, _, None)) => return, // The semaphore is never closed.
            // The kernel's or our own table is full: without a rest this loop
            // would spin, and it would never get better.
            Err(e) if is_shortage(&e) => {
                if entrance.shortage.is_due("files", SystemTime::now()) {
                    tell!(ACCEPT_FAILS, address = entrance.address, error = &e);
                }
                tokio::time::sleep(REST).await;
            }
            // That one client went away.
            Err(_) => tokio::task::yield_now().await,
        }
    }
    take_the_last(listener, &entrance, &stop);
}

/// Takes the connections that the kernel has shaken hands with before the stop: it would
/// reset them with their listener.
fn take_the_last<H: Handler>(
    listener: TcpListener,
    entrance: &Entrance<H>,
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
            entrance.admit(stream, peer, permit, stop.clone());
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
