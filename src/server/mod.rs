//! Server: listeners and connections. One port takes plain HTTP and TLS, and no client
//! can hold what others need. Handler and certificates are given from outside.

mod accept;
mod cipher_suites;
mod common_ground;
mod connection;
mod delivery;
mod ending;
mod farewell;
mod first_line;
mod handshake;
mod hello;
mod leftover;
mod listener;
mod opening;
mod proxy_header;
mod reset_watch;
mod server_name;
mod shares;
mod shown;
pub mod shutdown;
mod trusted;
mod turn_away;
mod turns;
mod unreadable;
mod upgrade;
mod watched;
mod workers;
mod write_timeout;

pub(crate) use delivery::{Delivery, DeliveryEnd};
pub(crate) use ending::serve;
pub(crate) use listener::{ListenError, Listeners, check_address, raise_file_limit};
pub(crate) use reset_watch::{LOOK, ResetWatch};
pub(crate) use shares::Acquaintance;
pub use trusted::Trusted;
pub(crate) use upgrade::Upgrade;
pub(crate) use workers::Workers;

use arc_swap::ArcSwap;
use hyper::body::{Body, Bytes, Incoming};
use hyper::{Request, Response};
use rustls::ServerConfig;
use std::error::Error;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Addresses and ports to listen on: `gateway.ip` and `gateway.ports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Address; `None` is every one, IPv6 included.
    pub ip: Option<IpAddr>,
    /// Ports to listen on.
    pub ports: Vec<Port>,
}

impl Bind {
    /// Returns the numbers of the ports.
    pub(crate) fn numbers(&self) -> Vec<u16> {
        self.ports.iter().map(|port| port.number).collect()
    }
}

/// One port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Number; 0 lets the kernel choose.
    pub number: u16,
    /// True where each connection begins with a PROXY header, in which a proxy names
    /// its client.
    pub proxy_protocol: bool,
}

impl From<u16> for Port {
    fn from(number: u16) -> Self {
        Self {
            number,
            proxy_protocol: false,
        }
    }
}

/// Deadlines and bounds: `gateway.limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Number of connections at once.
    pub connections: usize,
    /// Time from the first TLS byte to the end of the handshake.
    pub handshake: Duration,
    /// Time from accept to the first byte, and from there, or from the end of the last
    /// reply, to a complete request head.
    pub headers: Duration,
    /// Time for the whole body of a request; and without a byte moved of a reply.
    pub idle: Duration,
    /// Time from the signal to stop to the end of what was begun. A device takes four minutes
    /// for a large image.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_000,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(300),
        }
    }
}

/// Client at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Address; an IPv4 one is never written as IPv6. The port is 0 where a proxy does
    /// not tell it.
    pub address: SocketAddr,
    /// True where it came over TLS.
    pub secure: bool,
    /// True where a proxy stands between that does not tell how the client came to it:
    /// one that is not `secure` here may have been so there.
    pub relayed: bool,
    /// True where the address is that of a proxy that does not know its client: what
    /// this client says of itself is no proxy's word.
    pub unknown: bool,
    /// Address and port of ours to which it connected; `None` where a proxy did, and where
    /// that does not count (`Handler::wants_local`).
    pub local: Option<SocketAddr>,
}

/// Marks a reply, in its extensions, whose body lasts: a stop waits for it, and keeps the
/// ports open meanwhile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lasting;

/// Marks a request, in its extensions, where a request line on its connection had more
/// than one blank in front of the path, which no device sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spaced;

/// Handler of requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Body of its replies.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;

    /// Answers one request. Whatever goes wrong has an answer. Who lets the client wait
    /// for somebody else looks for its reset by `watch`.
    fn handle(
        self: Arc<Self>,
        peer: Peer,
        watch: &ResetWatch,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Returns the reply, as bytes, to whoever cannot stay: it ends the connection.
    fn turned_away() -> Bytes;

    /// Returns the address that whoever came is told to type, if there is one.
    fn address(&self, _peer: Peer) -> Option<String> {
        None
    }

    /// Returns whether the address of ours counts to which a client connected.
    fn wants_local(&self) -> bool {
        true
    }

    /// Returns whether its connections are those of devices: `/metrics` counts no others.
    fn is_for_devices() -> bool {
        true
    }

    /// Returns whether clients can be known: until one is, by its [`Acquaintance`], which
    /// stands among the extensions of a request, its connection may be let go for others.
    fn knows_clients() -> bool {
        false
    }

    /// Returns whether the log may name a device beside others that came from where it is.
    fn may_name(&self, _device: &str, _peer: Peer) -> bool {
        true
    }
}

/// Service that every connection shares.
#[derive(Debug)]
pub(crate) struct Service<H> {
    pub handler: Arc<H>,
    /// TLS settings; `None` where no TLS is spoken.
    pub tls: Option<Arc<ServerConfig>>,
    /// Deadlines and bounds, which may change; a connection keeps those that it began
    /// with.
    pub limits: Arc<ArcSwap<Limits>>,
    /// True where one address may be held to its share of connections.
    pub fair: bool,
    /// Proxies in front: they have no share, and if there are any, a PROXY header is
    /// taken from nobody else.
    pub trusted: Trusted,
}
