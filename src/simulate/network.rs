//! Connections to the server.

use super::failure::{Failure, FailureKind};
use super::plan::Plan;
use super::ports::Ports;
use super::tls::FleetTls;
use crate::probe::address::Target;
use crate::probe::dial::{self, Place};
use crate::util::nofile;
use socket2::SockRef;
use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

/// Most hosts that images may come from. Each is resolved once, for the whole
/// fleet.
const MOST_HOSTS: usize = 16;
/// Time after which a name that was not found is resolved again.
const ASK_AGAIN: Duration = Duration::from_secs(20);
/// Bytes that the kernel may hold for a device that reads slowly: without a bound
/// it takes a whole image for it, and the server sees a fast reader.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// An open connection, plain or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// Has the kernel end the connection with a reset, whatever was read: that of a
    /// device which is on again knows nothing of it.
    fn reset_at_end(&self);
}

impl Stream for TcpStream {
    fn reset_at_end(&self) {
        // Without it, it resets only where something is left unread.
        let _ = SockRef::from(self).set_linger(Some(Duration::ZERO));
    }
}

impl Stream for TlsStream<TcpStream> {
    fn reset_at_end(&self) {
        self.get_ref().0.reset_at_end();
    }
}

/// Future of an open connection.
pub(super) type Opening<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Stream>, Failure>> + 'a>>;

/// Opens connections. Tests have their own.
pub(super) trait Connect {
    /// Connects, and shakes hands where that is asked for.
    fn open<'a>(&'a self, target: &'a Target, slow: bool) -> Opening<'a>;
}

/// Connections over real sockets.
pub(super) struct Sockets {
    tls: FleetTls,
    ports: Ports,
    places: Vec<Place>,
    hosts: RefCell<HashMap<(String, u16), Rc<HostAddresses>>>,
}

/// Addresses of a host, once a device has asked for them.
struct HostAddresses {
    addresses: OnceCell<Result<Rc<[SocketAddr]>, Failure>>,
    asked: Instant,
}

impl HostAddresses {
    fn new() -> Self {
        Self {
            addresses: OnceCell::new(),
            asked: Instant::now(),
        }
    }

    fn is_old_failure(&self) -> bool {
        self.addresses.get().is_some_and(Result::is_err) && self.asked.elapsed() > ASK_AGAIN
    }
}

impl Sockets {
    /// Makes a network that knows no host yet.
    pub(super) fn new(plan: &Plan, at_once: usize) -> Result<Self, String> {
        Ok(Self {
            tls: FleetTls::new(&plan.trust)?,
            ports: Ports::new(at_once, plan.seed),
            places: plan.places.clone(),
            hosts: RefCell::default(),
        })
    }

    /// Returns the addresses of a host. A fleet asks its name server once, and
    /// again only some time after there was no answer.
    pub(super) async fn resolve(&self, target: &Target) -> Result<Rc<[SocketAddr]>, Failure> {
        let key = (target.host.to_ascii_lowercase(), target.port);
        let found = {
            let mut hosts = self.hosts.borrow_mut();
            if hosts.get(&key).is_some_and(|found| found.is_old_failure()) {
                hosts.remove(&key);
            }
            if hosts.len() >= MOST_HOSTS && !hosts.contains_key(&key) {
                let many = format!("images come from more than {MOST_HOSTS} hosts");
                return Err(Failure::with(FailureKind::Name, many));
            }
            Rc::clone(
                hosts
                    .entry(key)
                    .or_insert_with(|| Rc::new(HostAddresses::new())),
            )
        };
        let asking = self.ask(target);
        found.addresses.get_or_init(|| asking).await.clone()
    }

    async fn ask(&self, target: &Target) -> Result<Rc<[SocketAddr]>, Failure> {
        let unknown =
            |why: &str| Failure::with(FailureKind::Name, format!("{}: {why}", target.host));
        let found = dial::resolve(&target.host, target.port, &self.places)
            .await
            .map_err(|e| unknown(&e.to_string()))?;
        // Devices speak IPv4 wherever there is some.
        let (v4, v6): (Vec<_>, Vec<_>) = found.into_iter().partition(SocketAddr::is_ipv4);
        match if v4.is_empty() { v6 } else { v4 } {
            none if none.is_empty() => Err(unknown("it has no address")),
            addresses => Ok(addresses.into()),
        }
    }

    async fn connect(&self, target: &Target, slow: bool) -> Result<Box<dyn Stream>, Failure> {
        let addresses = self.resolve(target).await?;
        let mut failure = None;
        for address in addresses.iter() {
            match self.ports.connect(*address).await {
                Ok(stream) => {
                    if slow {
                        // Without it the figures are a little too good.
                        let _ = SockRef::from(&stream).set_recv_buffer_size(RECEIVE_BUFFER);
                    }
                    if target.tls {
                        let stream = self.tls.secure(stream, &target.host).await?;
                        return Ok(Box::new(stream) as Box<dyn Stream>);
                    }
                    return Ok(Box::new(stream));
                }
                Err(e) => failure = Some(Failure::connecting(&e)),
            }
        }
        Err(failure.unwrap_or_else(|| Failure::new(FailureKind::Name)))
    }
}

impl Connect for Sockets {
    fn open<'a>(&'a self, target: &'a Target, slow: bool) -> Opening<'a> {
        Box::pin(self.connect(target, slow))
    }
}

/// Returns how many connections may be open at once: one for each device, or as
/// many as the limit of open files allows. Raises the limit as far as possible.
pub(super) fn at_once(plan: &Plan) -> usize {
    let wanted = usize::try_from(plan.devices).unwrap_or(usize::MAX);
    nofile::raise(1).map_or(wanted, |room| wanted.min(room.connections))
}
