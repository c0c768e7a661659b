//! Listeners: binding, accepting, and the permits that bound what is accepted.

use super::connection::ConnectionContext;
use super::shares::Shares;
use super::shutdown::Stop;
use super::workers::{Accepted, Workers};
use super::{Bind, Handler, Port, Service, Trusted};
use crate::event::{Event, event, tell};
use crate::util::nofile;
use crate::util::once::Once;
use crate::util::supervise::End;
use futures_util::future::join_all;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Number of connections that wait in the kernel while all permits are out.
const BACKLOG: i32 = 4096;
/// Time that accepting rests when there is no file descriptor left.
const REST: Duration = Duration::from_millis(100);
/// Size in bytes of the kernel's buffer for a connection in each direction; it doubles
/// that, and counts its own overhead in. Enough for 10 Mbit/s over a round trip of 100
/// ms; a device draws 0.5.
const BUFFER: usize = 128 * 1024;
/// Time between two log lines about a lasting shortage.
const SAY: Duration = Duration::from_secs(60);
/// Number of clients for which the last log line is remembered.
const REMEMBERED: usize = 4096;

/// Error that keeps a port from being listened on; its event has the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{}", Event::from(self))]
pub(crate) enum ListenError {
    /// Another process has the port.
    InUse { address: SocketAddr },
    /// The port is below 1024, and the right to it is missing.
    Denied { address: SocketAddr },
    /// The address is not this machine's.
    NotOurs { address: SocketAddr },
    /// The system has another reason.
    Other {
        address: SocketAddr,
        error: io::Error,
    },
    /// A thread that serves connections cannot be started.
    Worker(io::Error),
}

impl From<&ListenError> for Event {
    fn from(error: &ListenError) -> Self {
        match error {
            ListenError::InUse { address } => event!(LISTEN_IN_USE, address = *address),
            ListenError::Denied { address } => event!(LISTEN_DENIED, address = *address),
            ListenError::NotOurs { address } => event!(LISTEN_NOT_OURS, ip = address.ip()),
            ListenError::Other { address, error } => {
                event!(LISTEN_FAILS, address = *address, error = error)
            }
            ListenError::Worker(error) => event!(LISTEN_WORKER, error = error),
        }
    }
}

/// Tells whether an address can be listened on here: one that this machine does not have
/// cannot, whatever the port.
pub(crate) fn check_address(ip: IpAddr) -> Result<(), ListenError> {
    match listen(SocketAddr::new(ip, 0)) {
        Err(error @ ListenError::NotOurs { .. }) => Err(error),
        _ => Ok(()),
    }
}

/// Bound sockets, on which nothing is accepted yet.
#[derive(Debug)]
pub(crate) struct Listeners {
    sockets: Vec<(net::TcpListener, Port, SocketAddr)>,
}

impl Listeners {
    /// Binds every port, or none.
    pub(crate) fn bind(bind: &Bind) -> Result<Self, ListenError> {
        let mut sockets = Vec::new();
        for &port in &bind.ports {
            let number = port.number;
            let (socket, address) = match bind.ip {
                Some(ip) => listen(SocketAddr::new(ip, number)),
                // A kernel without IPv6 has only the one.
                None => listen((Ipv6Addr::UNSPECIFIED, number).into()).or_else(|e| match e {
                    ListenError::Other { .. } | ListenError::NotOurs { .. } => {
                        listen((Ipv4Addr::UNSPECIFIED, number).into())
                    }
                    e => Err(e),
                }),
            }?;
            sockets.push((socket, port, address));
        }
        Ok(Self { sockets })
    }

    /// Returns the ports, as bound.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.sockets
            .iter()
            .map(|(_, _, address)| address.port())
            .collect()
    }

    /// Returns the addresses, as bound, each with whether a PROXY header is asked for
    /// there.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        let sockets = self.sockets.iter();
        sockets.map(|(_, port, address)| (*address, port.proxy_protocol))
    }

    /// Accepts until asked to stop, then waits for open connections, but no longer than
    /// the drain time or a second signal. `broken` hears of a worker that ended.
    pub(crate) async fn serve<H: Handler>(
        self,
        service: Service<H>,
        stop: &Stop,
        broken: &End,
    ) -> Result<(), ListenError> {
        let limits = Arc::clone(&service.limits);
        let limit = limits.load().connections;
        let permits = Arc::new(Semaphore::new(limit));
        let trusted = service.trusted.clone();
        let shares = service
            .fair
            .then(|| Arc::new(Shares::new(limit, Arc::clone(&permits))));
        let service = Arc::new(ConnectionContext::new(service, shares.clone()));
        let workers = Workers::start(&service, &stop.asked, broken)?;
        let listeners = self.sockets.into_iter().map(|(listener, port, address)| {
            let listener = TcpListener::from_std(listener)
                .map_err(|error| ListenError::Other { address, error })?;
            let number = address.port();
            Ok((listener, Port { number, ..port }, address))
        });
        let listeners: Vec<_> = listeners.collect::<Result<_, _>>()?;
        let accepting = listeners.into_iter().map(|(listener, port, address)| {
            let admission = Admission {
                address,
                port,
                permits: &permits,
                limit,
                // Who comes in whose name shows only in the PROXY header.
                shares: shares.as_ref().filter(|_| !port.proxy_protocol),
                trusted: &trusted,
            };
            accept(listener, admission, &workers, &stop.asked)
        });
        join_all(accepting).await;
        let drain = limits.load().drain;
        let open = workers.connections();
        if open > 0 {
            tell!(
                STOP_DRAINING,
                connections = open,
                drain = format!("{drain:?}")
            );
        }
        tokio::select! {
            () = workers.drained() => {}
            () = stop.forced.cancelled() => {}
            () = tokio::time::sleep(drain) => {
                let connections = workers.connections();
                tell!(STOP_CUT, connections = connections);
            }
        }
        workers.end();
        Ok(())
    }
}

fn listen(address: SocketAddr) -> Result<(net::TcpListener, SocketAddr), ListenError> {
    let open = || -> io::Result<(net::TcpListener, SocketAddr)> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
        }
        // A restart must not wait for the last run's connections to be forgotten.
        socket.set_reuse_address(true)?;
        // What is accepted has these, too. Left to itself the kernel gives a
        // connection some megabytes for a client that does not read.
        socket.set_send_buffer_size(BUFFER)?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        let listener = net::TcpListener::from(socket);
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    open().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address },
        io::ErrorKind::PermissionDenied => ListenError::Denied { address },
        io::ErrorKind::AddrNotAvailable => ListenError::NotOurs { address },
        _ => ListenError::Other { address, error },
    })
}

/// Admission of connections: the permits and the shares.
struct Admission<'a> {
    address: SocketAddr,
    port: Port,
    permits: &'a Arc<Semaphore>,
    limit: usize,
    shares: Option<&'a Arc<Shares>>,
    trusted: &'a Trusted,
}

async fn accept(
    listener: TcpListener,
    admission: Admission<'_>,
    workers: &Workers,
    stop: &CancellationToken,
) {
    let Admission {
        address,
        port,
        permits,
        limit,
        shares,
        trusted,
    } = admission;
    let greedy = Once::new(SAY, REMEMBERED);
    let shortage = Once::new(SAY, REMEMBERED);
    loop {
        if permits.available_permits() == 0 && shortage.is_due("permits", SystemTime::now()) {
            tell!(CONNECTIONS_FULL, address = address, limit = limit);
        }
        // One connection waits here for its permit, the others in the kernel. A
        // permit taken before would be idle while nobody comes to this port.
        let accepted = async {
            let (stream, peer) = accept_one(&listener).await?;
            let permit = Arc::clone(permits).acquire_owned().await;
            Ok((stream, peer, permit))
        };
        let result = tokio::select! {
            accepted = accepted => accepted,
            () = stop.cancelled() => return,
        };
        match result {
            Ok((stream, peer, Ok(permit))) => {
                let share = shares
                    // A proxy brings many clients.
                    .filter(|_| !trusted.contains(peer.ip()))
                    .map(|shares| shares.take(peer.ip()));
                if let Some(None) = share {
                    if greedy.is_due(&peer.ip(), SystemTime::now()) {
                        tell!(
                            SHARE_FULL,
                            address = address,
                            peer = peer.ip(),
                            limit = limit
                        );
                    }
                } else {
                    workers.take(Accepted {
                        stream,
                        peer,
                        port,
                        permit,
                        share: share.flatten(),
                    });
                }
            }
            Ok((_, _, Err(_))) => return, // The semaphore is never closed.
            // The kernel's or our own table is full: without a rest this loop
            // would spin, and it would never get better.
            Err(e) if is_shortage(&e) => {
                if shortage.is_due("files", SystemTime::now()) {
                    tell!(ACCEPT_FAILS, address = address, error = &e);
                }
                tokio::time::sleep(REST).await;
            }
            // That one client went away.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Accepts one connection, and lets go of the runtime's hold on it: it is for its
/// worker.
async fn accept_one(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    Ok((stream.into_std()?, peer))
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

/// Raises the soft limit of open files to the hard one and returns how many
/// connections, each of so many files, fit below it, at most `wanted`.
pub(crate) fn raise_file_limit(wanted: usize, files_each: u64) -> usize {
    let Some(room) = nofile::raise(files_each) else {
        return wanted;
    };
    let connections = wanted.min(room.connections);
    if connections < wanted {
        tell!(
            FILES_LIMITED,
            wanted = wanted,
            connections = connections,
            files = room.limit
        );
    }
    connections
}
