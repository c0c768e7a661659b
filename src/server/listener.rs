//! Listeners: each port bound once for every worker.

use super::accept::{Admission, Entrance, Phases, accept};
use super::ending::{Open, Underway};
use super::shutdown::Stop;
use super::workers::Workers;
use super::{Bind, Handler, Port, Service};
use crate::event::{Event, event, tell};
use crate::util::nofile;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Number of connections that wait in the kernel while all permits are out.
const BACKLOG: i32 = 4096;
/// Size in bytes of the kernel's buffer for a connection in each direction; it doubles
/// that, and counts its own overhead in. Enough for 10 Mbit/s over a round trip of 100
/// ms; a device draws 0.5.
const BUFFER: usize = 128 * 1024;
/// Number of bytes in the send buffer that the network has not taken yet, from which on
/// nothing more is written. What a slow device has not asked for stays in the image, which
/// all share, and the buffer is left to what is on its way: with it a paced download holds
/// three fifths of the kernel's memory, and a fast one is as fast. From 32 KiB down it
/// costs more wake-ups.
const UNSENT: u32 = 64 * 1024;

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
    match listen(SocketAddr::new(ip, 0), 1) {
        Err(error @ ListenError::NotOurs { .. }) => Err(error),
        _ => Ok(()),
    }
}

/// Bound ports, on which nothing is accepted yet.
#[derive(Debug)]
pub(crate) struct Listeners {
    ports: Vec<BoundPort>,
}

/// One port, as bound.
#[derive(Debug)]
struct BoundPort {
    port: Port,
    address: SocketAddr,
    /// A socket for each worker, among which the kernel divides who comes.
    sockets: Vec<net::TcpListener>,
}

impl Listeners {
    /// Binds every port for each of `workers`, or none.
    pub(crate) fn bind(bind: &Bind, workers: &Workers) -> Result<Self, ListenError> {
        let listen = |address| listen(address, workers.count());
        let mut ports = Vec::new();
        for &port in &bind.ports {
            let number = port.number;
            let (sockets, address) = match bind.ip {
                Some(ip) => listen(SocketAddr::new(ip, number)),
                // A kernel without IPv6 has only the one.
                None => listen((Ipv6Addr::UNSPECIFIED, number).into()).or_else(|e| match e {
                    ListenError::Other { .. } | ListenError::NotOurs { .. } => {
                        listen((Ipv4Addr::UNSPECIFIED, number).into())
                    }
                    e => Err(e),
                }),
            }?;
            ports.push(BoundPort {
                port: Port {
                    number: address.port(),
                    ..port
                },
                address,
                sockets,
            });
        }
        Ok(Self { ports })
    }

    /// Returns the ports, as bound.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.ports.iter().map(|bound| bound.port.number).collect()
    }

    /// Returns the addresses, as bound, each with whether a PROXY header is asked for
    /// there.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (SocketAddr, bool)> {
        let ports = self.ports.iter();
        ports.map(|bound| (bound.address, bound.port.proxy_protocol))
    }

    /// Accepts on the workers, until the end closes it: `ending::serve`.
    ///
    /// # Errors
    ///
    /// A worker cannot take a socket.
    pub(crate) fn open<H: Handler>(
        self,
        service: Service<H>,
        workers: &Workers,
        stop: &Stop,
    ) -> Result<Open, ListenError> {
        let underway = Underway::default();
        let admission = Arc::new(Admission::new(service, underway.clone()));
        let mut accepting = Vec::new();
        for bound in self.ports {
            let (port, address) = (bound.port, bound.address);
            let entrance = Arc::new(Entrance::new(port, address, &admission));
            for (worker, socket) in workers.all().zip(bound.sockets) {
                let _on_the_worker = worker.runtime.enter();
                let listener = TcpListener::from_std(socket)
                    .map_err(|error| ListenError::Other { address, error })?;
                let phases = Phases {
                    ending: stop.ending.clone(),
                    // Children of their own: their locks are then never shared by threads.
                    asked: stop.asked.child_token(),
                    closing: underway.closing.child_token(),
                };
                let turns = Arc::clone(&worker.turns);
                let accept = accept(listener, Arc::clone(&entrance), turns, phases);
                accepting.push(worker.runtime.spawn(accept));
            }
        }
        Ok(Open {
            accepting,
            underway,
        })
    }
}

/// Binds an address once for each of `workers`.
///
/// The first socket has it alone at first, so that a second process that asks for it in
/// the same way is refused; only then others of this process may join it.
fn listen(
    address: SocketAddr,
    workers: usize,
) -> Result<(Vec<net::TcpListener>, SocketAddr), ListenError> {
    let open = || -> io::Result<_> {
        let first = socket(address, false)?;
        // Where the kernel chose the port, the others need its number.
        let address = first.local_addr()?;
        let mut sockets = vec![first];
        if workers > 1 {
            SockRef::from(&sockets[0]).set_reuse_port(true)?;
        }
        for _ in 1..workers {
            sockets.push(socket(address, true)?);
        }
        Ok((sockets, address))
    };
    open().map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => ListenError::InUse { address },
        io::ErrorKind::PermissionDenied => ListenError::Denied { address },
        io::ErrorKind::AddrNotAvailable => ListenError::NotOurs { address },
        _ => ListenError::Other { address, error },
    })
}

fn socket(address: SocketAddr, joins: bool) -> io::Result<net::TcpListener> {
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
    socket.set_reuse_port(joins)?;
    // What is accepted has these, too. Left to itself the kernel gives a connection
    // some megabytes for a client that does not read.
    socket.set_send_buffer_size(BUFFER)?;
    socket.set_recv_buffer_size(BUFFER)?;
    // From Linux 3.12 on: a NAS with an older kernel keeps more there, and serves.
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
    // A reply must not wait for an acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
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
