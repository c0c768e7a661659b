//! Resolver for the host names of backends: looks each up once for all who ask.
//!
//! A look-up blocks a thread for as long as the name server pleases, and goes on when
//! whoever asked has given up. On the threads that read files a crowd of requests would
//! stop downloads; so each name has one look-up at a time, on a thread of its own, and
//! its result is kept for a moment.

use crate::event::text::Text;
use crate::util::sync::lock;
use crate::util::threads::NoThread;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};
use std::vec;
use tokio::sync::watch;
use tower_service::Service;

/// Time that a result is kept. A container that is started anew may come back with
/// another address.
const KEPT: Duration = Duration::from_secs(5);

/// Resolver shared by all connections: results by host, their ports 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolver(Arc<Mutex<HashMap<Box<str>, Arc<HostEntry>>>>);

#[derive(Debug, Default)]
struct HostEntry {
    known: watch::Sender<Option<Resolved>>,
    /// Set while a look-up is under way.
    asking: AtomicBool,
}

#[derive(Debug)]
struct Resolved {
    since: Instant,
    /// Addresses, or the reason why there are none.
    addresses: Result<Vec<IpAddr>, String>,
}

impl Resolved {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() <= KEPT
    }

    fn with(&self, port: u16) -> io::Result<Vec<SocketAddr>> {
        match &self.addresses {
            Ok(ips) => Ok(ips.iter().map(|ip| (*ip, port).into()).collect()),
            Err(why) => Err(io::Error::other(why.clone())),
        }
    }
}

impl Resolver {
    /// Returns the addresses of a host, which may be one itself. Known ones serve while
    /// they are looked up again.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.trim_matches(['[', ']']);
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![(ip, port).into()]);
        }
        let slot = {
            // Only the configuration names hosts, so this stays small.
            let mut names = lock(&self.0);
            Arc::clone(names.entry(host.into()).or_default())
        };
        // Before the look-up begins, so that its end is not missed.
        let mut news = slot.known.subscribe();
        let (is_fresh, known) = {
            let known = news.borrow_and_update();
            let is_fresh = known.as_ref().is_some_and(Resolved::is_fresh);
            let known = known.as_ref();
            let known = known.filter(|known| is_fresh || known.addresses.is_ok());
            (is_fresh, known.map(|known| known.with(port)))
        };
        // Not while it is borrowed: where there is no thread, this writes to it.
        let asked = if is_fresh { Ok(()) } else { ask(&slot, host) };
        if let Some(known) = known {
            return known;
        }
        asked.map_err(NoThread::into_io)?;
        news.changed().await.map_err(io::Error::other)?;
        let known = news.borrow();
        match &*known {
            Some(known) => known.with(port),
            // Whoever asked for all of us had no thread for it.
            None => Err(no_thread(io::ErrorKind::WouldBlock.into()).into_io()),
        }
    }
}

/// Begins a look-up, if none is under way.
fn ask(slot: &Arc<HostEntry>, host: &str) -> Result<(), NoThread> {
    if slot.asking.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    let (asked, host) = (Arc::clone(slot), host.to_owned());
    let look_up = move || {
        let found = (&*host, 0).to_socket_addrs();
        let addresses = found
            .map(|found| found.map(|address| address.ip()).collect())
            .map_err(|e| format!("the name {host} leads nowhere: {e}"));
        let since = Instant::now();
        asked.asking.store(false, Ordering::Release);
        asked
            .known
            .send_replace(Some(Resolved { since, addresses }));
    };
    let begun = thread::Builder::new().name("names".into()).spawn(look_up);
    begun.map(drop).map_err(|error| {
        slot.asking.store(false, Ordering::Release);
        // Others may have come to wait for it meanwhile.
        slot.known.send_modify(|_| ());
        no_thread(error)
    })
}

fn no_thread(error: io::Error) -> NoThread {
    let part = Text::new("查询后端的主机名", "the look-up of a backend's name");
    NoThread { part, error }
}

/// Resolves names for hyper's own connections, which put in the port themselves.
impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let names = self.clone();
        Box::pin(async move {
            let addresses = names.addresses(name.as_str(), 0).await?;
            Ok(addresses.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_and_addresses() {
        let names = Resolver::default();
        for (host, first) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("[::1]", "[::1]:80"),
            ("::1", "[::1]:80"),
        ] {
            let found = names.addresses(host, 80).await.unwrap();
            assert_eq!(
                found.first().map(ToString::to_string).as_deref(),
                Some(first)
            );
        }
        let local = names.addresses("localhost", 80).await.unwrap();
        assert!(!local.is_empty() && local.iter().all(|a| a.ip().is_loopback()));
        for _ in 0..2 {
            let found = names.addresses("no-such-host.invalid", 80).await;
            assert!(found.is_err_and(|e| e.to_string().contains("no-such-host.invalid")));
        }
    }
}
