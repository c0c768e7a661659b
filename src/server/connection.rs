//! One connection, told apart by its first byte: 0x16 begins a TLS handshake, anything
//! else is HTTP.

use super::common_ground;
use super::first_line::{FirstLine, Requests};
use super::handshake::{Door, Failure};
use super::hello::CHALLENGE;
use super::leftover;
use super::proxy_header::{self, Origin, Unread};
use super::shares::{Share, Shares};
use super::unreadable::Ended;
use super::write_timeout::WriteTimeout;
use super::{Handler, Limits, Peer, Port, Service, Spaced, Upgrade};
use crate::event::{Event, event};
use crate::util::sync::lock;
use crate::util::teller::Teller;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Content type of a TLS handshake record (RFC 8446, section 5.1). No HTTP method
/// begins with it.
const HANDSHAKE: u8 = 0x16;
/// Alert for a client that is too old: fatal, `protocol_version`.
const TOO_OLD: [u8; 7] = [0x15, 3, 1, 0, 2, 2, 70];
/// Longest time of a handshake that can be counted.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
/// Size limit of a request's head: a longer one is refused with 431, and a device's is
/// a tenth of it. It also bounds what an idle connection holds.
const HEAD: usize = 16 * 1024;
/// Time that a client which came before the stop has for its handshake and its request.
const LATE: Duration = Duration::from_millis(500);
/// Number of clients for which the last log line is remembered.
const REMEMBERED: usize = 4096;

/// Parts that all connections share.
pub(super) struct ConnectionContext<H> {
    service: Service<H>,
    tls: Option<Door>,
    http: http1::Builder,
    teller: Teller,
    shares: Option<Arc<Shares>>,
}

impl<H: Handler> ConnectionContext<H> {
    pub(super) fn new(service: Service<H>, shares: Option<Arc<Shares>>) -> Self {
        let mut http = http1::Builder::new();
        // The modem firmware and one line of the Wi-Fi firmware match header
        // names by case. Without the timer hyper's deadlines are silently off.
        http.title_case_headers(true)
            .timer(TokioTimer::new())
            .max_buf_size(HEAD)
            // A blank behind the address that was typed into a device is sent as it
            // is, and Nginx and aiohttp take it: a 400 would strand the device.
            .allow_multiple_spaces_in_request_line_delimiters(true)
            // Some clients shut their side once they have asked.
            .half_close(true);
        Self {
            tls: service.tls.clone().map(Door::new),
            service,
            http,
            teller: Teller::new(REMEMBERED),
            shares,
        }
    }

    fn limits(&self) -> Arc<Limits> {
        self.service.limits.load_full()
    }
}

/// Serves one connection to its end.
pub(super) async fn serve<H: Handler>(
    mut stream: TcpStream,
    address: SocketAddr,
    port: Port,
    shared: Arc<ConnectionContext<H>>,
    stop: CancellationToken,
) {
    let mut address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let proxied = port.proxy_protocol;
    let local = stream.local_addr().ok().filter(|_| !proxied);
    let limits = shared.limits();
    let mut named = !proxied;
    // The client's own, held to the end.
    let mut share = None;
    let mut unknown = false;
    let begin = async {
        if proxied {
            let origin = shared.origin(&mut stream, address).await?;
            unknown = origin == Origin::Unknown;
            (address, share) = shared.share(origin, address)?;
            named = true;
        }
        opening(&stream).await.ok()?
    };
    let Some(first) = or_late(&stop, timeout(limits.headers, begin)).await else {
        return;
    };
    if first.is_err() && !named {
        shared.say(address, &event!(PROXY_HEADER_LATE, peer = address));
    } else if first.is_err() {
        let limit = format!("{:?}", limits.headers);
        shared.say(
            address,
            &event!(REQUEST_SILENT, peer = address, limit = limit),
        );
    }
    let Ok(Some(first)) = first else { return };
    let _share = share;
    let left = Arc::default();
    let mut stream = WriteTimeout::new(stream, limits.idle, Arc::clone(&left));
    let peer = |secure| Peer {
        address,
        secure,
        relayed: proxied,
        unknown,
        local,
    };
    let idle = limits.idle;
    match first {
        // On the heap from here on: what a task holds in itself is copied with it, and a
        // connection that says nothing holds it too.
        Opening::Tls => Box::pin(secure(stream, peer(true), port, shared, &limits, stop)).await,
        Opening::Ssl2(version) if shared.tls.is_some() => {
            // A client that is gone needs no alert.
            let _ = stream.write_all(&TOO_OLD).await;
            shared.say(address, &common_ground::ssl2(address, version));
        }
        Opening::Ssl2(_) | Opening::Http => {
            Box::pin(http(stream, peer(false), port, shared, &limits, stop)).await;
        }
    }
    if let Some(stream) = left.take() {
        leftover::finish(stream, idle).await;
    }
}

/// Shakes hands, and serves what comes over TLS.
async fn secure<H: Handler>(
    stream: WriteTimeout<TcpStream>,
    peer: Peer,
    port: Port,
    shared: Arc<ConnectionContext<H>>,
    limits: &Limits,
    stop: CancellationToken,
) {
    let address = peer.address;
    let Some(door) = &shared.tls else {
        return shared.say(address, &event!(TLS_OFF, peer = address));
    };
    let now = Instant::now();
    let end = now
        .checked_add(limits.handshake.min(FOREVER))
        .unwrap_or(now);
    match or_late(&stop, door.shake(stream, end)).await {
        // A CA that looks for its answer wants the handshake alone (RFC 8737).
        Some(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(CHALLENGE) => {}
        Some(Ok(stream)) => Box::pin(http(stream, peer, port, shared, limits, stop)).await,
        Some(Err(failure)) => shared.handshake_failed(address, &failure),
        None => {}
    }
}

/// Beginning of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opening {
    Tls,
    /// A hello as SSL 2.0 has it: two bytes of length, the first bit set, type 1, and the
    /// highest version that the client speaks, which may be a younger one.
    Ssl2(Option<u16>),
    /// Anything else.
    Http,
}

async fn opening(stream: &TcpStream) -> io::Result<Option<Opening>> {
    let mut bytes = [0; 5];
    let n = stream.peek(&mut bytes).await?;
    Ok((n > 0).then_some(match bytes {
        [HANDSHAKE, ..] => Opening::Tls,
        [0x80..=0xff, _, 1, version @ ..] => {
            // The rest may come later.
            Opening::Ssl2((n == bytes.len()).then_some(u16::from_be_bytes(version)))
        }
        _ => Opening::Http,
    }))
}

async fn or_stop<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // What has come already is still served.
        biased;
        result = work => Some(result),
        () = stop.cancelled() => None,
    }
}

/// The same of a client that has asked nothing yet: its request may be on its way.
async fn or_late<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    let late = async {
        stop.cancelled().await;
        sleep(LATE).await;
    };
    tokio::select! {
        biased;
        result = work => Some(result),
        () = late => None,
    }
}

async fn http<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    port: Port,
    shared: Arc<ConnectionContext<H>>,
    limits: &Limits,
    stop: CancellationToken,
) {
    let handler = &shared.service.handler;
    let upgrade = Arc::new(OnceLock::new());
    let requests = Arc::new(Mutex::new(Requests::default()));
    let stream = FirstLine::new(stream, Arc::clone(&requests));
    let service = service_fn(|mut request: Request<Incoming>| {
        let (handler, upgrade) = (Arc::clone(handler), Arc::clone(&upgrade));
        if lock(&requests).note_read() {
            request.extensions_mut().insert(Spaced);
        }
        async move {
            let mut reply = handler.handle(peer, request).await;
            if reply.status() == StatusCode::SWITCHING_PROTOCOLS
                && let Some(wanted) = reply.extensions_mut().remove::<Upgrade>()
            {
                // One connection is upgraded once.
                let _ = upgrade.set(wanted);
            }
            Ok::<_, Infallible>(reply)
        }
    });
    let mut http = shared.http.clone();
    http.header_read_timeout(limits.headers);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection.with_upgrades());
    let ended = or_stop(&stop, connection.as_mut()).await;
    let result = if let Some(result) = ended {
        result
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(e) = result {
        let ended = Ended {
            error: &e,
            requests: &lock(&requests),
            peer: peer.address,
            port,
            patience: limits.headers,
            longest: HEAD,
            url: &|| handler.address(peer),
        };
        if let Some(event) = ended.event() {
            match ended.requests.device() {
                Some(device) => {
                    let may = || handler.may_name(device, peer);
                    let now = SystemTime::now();
                    shared.teller.say_if(&event, device, now, may);
                }
                None => shared.say(peer.address, &event),
            }
        }
        debug!(peer = %peer.address, error = %e, "connection ended early");
    } else if let Some(work) = upgrade.get().and_then(Upgrade::take) {
        work(stop.clone()).await;
    }
}

impl<H> ConnectionContext<H> {
    /// Says an event about a client, once an hour for each reason.
    fn say(&self, client: SocketAddr, event: &Event) {
        self.teller.say(event, &client.ip(), SystemTime::now());
    }

    /// Returns the origin that the PROXY header names; `None` where the connection is
    /// refused.
    async fn origin(&self, stream: &mut TcpStream, proxy: SocketAddr) -> Option<Origin> {
        let trusted = &self.service.trusted;
        if !trusted.is_empty() && !trusted.contains(proxy.ip()) {
            self.say(proxy, &event!(PROXY_UNLISTED, peer = proxy));
            return None;
        }
        match proxy_header::read(stream).await {
            Ok(origin) => Some(origin),
            Err(Unread::Nothing) => None,
            Err(Unread::Invalid(fault)) => {
                self.say(
                    proxy,
                    &event!(PROXY_HEADER_FAULTY, peer = proxy, why = Event::from(fault)),
                );
                None
            }
        }
    }

    /// Returns the address that counts, and the client's share, for a proxy brings
    /// many; `None` where the connection is refused.
    fn share(&self, origin: Origin, proxy: SocketAddr) -> Option<(SocketAddr, Option<Share>)> {
        let address = match origin {
            Origin::Client(client) => client,
            // Anybody may write such a header where nobody is listed.
            Origin::Proxy | Origin::Unknown if self.service.trusted.is_empty() => proxy,
            Origin::Proxy | Origin::Unknown => return Some((proxy, None)),
        };
        let Some(shares) = &self.shares else {
            return Some((address, None));
        };
        let share = shares.take(address.ip());
        if share.is_none() {
            let event = event!(SHARE_FULL, peer = address.ip(), proxy = proxy);
            self.say(address, &event);
        }
        Some((address, Some(share?)))
    }

    /// Says why a handshake failed.
    fn handshake_failed(&self, peer: SocketAddr, failure: &Failure) {
        if let Some(door) = &self.tls {
            self.say(peer, &common_ground::reason(failure, peer, door.config()));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_look_of_a_ca_is_the_same_here_and_where_it_is_answered() {
        assert_eq!(super::super::hello::CHALLENGE, crate::tls::acme::PROTOCOL);
    }
}
