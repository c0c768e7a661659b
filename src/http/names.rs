//! Host names of backends, looked up once for all who ask.
//!
//! A look-up blocks one of the threads that read files too. With a name server
//! that does not answer, a crowd of requests would take all of them, and
//! downloads would stand still; so each name is looked up by one at a time, and
//! what came of it is kept for a moment.

use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::dns::Name;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::vec;
use tokio::net::lookup_host;
use tokio::sync::Mutex as Turn;
use tower_service::Service;

/// A container that is started anew may come back with another address.
const KEPT: Duration = Duration::from_secs(5);

/// Addresses of hosts, their ports 0.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<Mutex<HashMap<Box<str>, Slot>>>);

type Slot = Arc<Turn<Option<Known>>>;

#[derive(Debug)]
struct Known {
    since: Instant,
    /// Or why there are none.
    addresses: Result<Vec<IpAddr>, String>,
}

impl Names {
    /// The addresses of a host, which may be one itself.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.trim_matches(['[', ']']);
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![(ip, port).into()]);
        }
        let slot = {
            // Only the configuration names hosts, so this stays small.
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(names.entry(host.into()).or_default())
        };
        let mut known = slot.lock().await;
        if known.as_ref().is_none_or(|k| k.since.elapsed() > KEPT) {
            let found = lookup_host((host, 0)).await;
            *known = Some(Known {
                since: Instant::now(),
                addresses: found
                    .map(|found| found.map(|address| address.ip()).collect())
                    .map_err(|e| format!("the name {host} leads nowhere: {e}")),
            });
        }
        match known.as_ref().map(|known| &known.addresses) {
            Some(Ok(ips)) => Ok(ips.iter().map(|ip| (*ip, port).into()).collect()),
            Some(Err(why)) => Err(io::Error::other(why.clone())),
            None => Ok(Vec::new()),
        }
    }
}

/// For hyper's own connections, which put in the port themselves.
impl Service<Name> for Names {
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
        let names = Names::default();
        for (host, first) in [
            ("127.0.0.1", "127.0.0.1:80"),
            ("[::1]", "[::1]:80"),
            ("::1", "[::1]:80"),
        ] {
            let found = names.addresses(host, 80).await.unwrap_or_default();
            assert_eq!(
                found.first().map(ToString::to_string).as_deref(),
                Some(first)
            );
        }
        let local = names.addresses("localhost", 80).await.unwrap_or_default();
        assert!(!local.is_empty() && local.iter().all(|a| a.ip().is_loopback()));
        for _ in 0..2 {
            let found = names.addresses("no-such-host.invalid", 80).await;
            assert!(found.is_err_and(|e| e.to_string().contains("no-such-host.invalid")));
        }
    }
}
