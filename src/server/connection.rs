//! One connection, told apart by its first byte: 0x16 begins a TLS handshake, anything
//! else is HTTP.

use super::common_ground;
use super::delivery::Delivery;
use super::farewell;
use super::first_line::Requests;
use super::handshake::Door;
use super::hello::CHALLENGE;
use super::leftover::{self, Left};
use super::opening::{self, Opening};
use super::proxy_header::{self, Origin, Unread};
use super::reset_watch::ResetWatch;
use super::shares::{Client, Going, OLD, Place, Shares};
use super::turn_away;
use super::turns::Turns;
use super::unreadable::Ended;
use super::watched::Watched;
use super::write_timeout::{Sends, WriteTimeout};
use super::{Handler, Lasting, Limits, Peer, Port, Service, Spaced, Upgrade};
use crate::event::{Event, event};
use crate::util::counts::TurnedAway;
use crate::util::network::customer;
use crate::util::sync::lock;
use crate::util::teller::Teller;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

/// Alert for a client that is too old: fatal, `protocol_version`.
const TOO_OLD: [u8; 7] = [0x15, 3, 1, 0, 2, 2, 70];
/// Longest time that can be counted.
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
    shares: Arc<Shares>,
    downloads: TaskTracker,
}

impl<H: Handler> ConnectionContext<H> {
    pub(super) fn new(service: Service<H>, shares: Arc<Shares>, downloads: TaskTracker) -> Self {
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
            tls: service.tls.as_deref().map(Door::new),
            service,
            http,
            teller: Teller::new(REMEMBERED),
            shares,
            downloads,
        }
    }

    fn limits(&self) -> Arc<Limits> {
        self.service.limits.load_full()
    }
}

/// Connection that was accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    /// Address at its other end.
    pub(super) address: SocketAddr,
    pub(super) port: Port,
    /// Its place among all.
    pub(super) place: Place,
    /// Time of its coming.
    pub(super) since: Instant,
    /// Turns of its worker's handshakes.
    pub(super) turns: Arc<Turns>,
}

/// Serves one connection to its end; one that `is_late`, which came during a stop, for one
/// request.
pub(super) async fn serve<H: Handler>(
    accepted: Accepted,
    shared: Arc<ConnectionContext<H>>,
    stop: CancellationToken,
    is_late: bool,
) {
    let Accepted {
        mut stream,
        address,
        port,
        mut place,
        since,
        turns,
    } = accepted;
    let mut address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let proxied = port.proxy_protocol;
    // Asked where it counts: that is a system call.
    let is_asked = !proxied && shared.service.handler.wants_local();
    let local = is_asked.then(|| stream.local_addr().ok()).flatten();
    let limits = shared.limits();
    let end = after(since, limits.headers);
    let mut unknown = false;
    if proxied {
        // Rare, and on the heap: its room would be every connection's.
        let origin = Box::pin(timeout_at(end, shared.origin(&mut stream, address)));
        let origin = match place
            .unless_going(pin!(or_late(&stop, origin)))
            .await
            .flatten()
        {
            Some(Ok(Some(origin))) => origin,
            Some(Err(_)) => return shared.say(address, &event!(PROXY_HEADER_LATE, peer = address)),
            Some(Ok(None)) | None => return,
        };
        unknown = origin == Origin::Unknown;
        let proxy = address;
        let client;
        (address, client) = shared.client(origin, proxy);
        if let Some(client) = client {
            // The client's own, in place of the proxy's.
            let Some(own) = shared.shares.enter(client, Instant::now()) else {
                if let Some(meter) = shared.shares.meter() {
                    meter.turned_away(TurnedAway::Share);
                }
                let event = event!(SHARE_FULL, peer = address.ip(), proxy = proxy);
                shared.say(address, &event);
                return turn_away::at_once(stream, &H::turned_away());
            };
            place = own;
        }
    }
    let first = {
        let first = pin!(timeout_at(end, opening::read(&mut stream)));
        place.unless_going(pin!(or_late(&stop, first))).await
    };
    let first = match first {
        Some(Some(Ok(first))) => first.ok().flatten(),
        Some(Some(Err(_))) => {
            let limit = format!("{:?}", limits.headers);
            let event = event!(REQUEST_SILENT, peer = address, limit = limit);
            return shared.say(address, &event);
        }
        Some(None) => None,
        None => return turn_away::at_once(stream, &H::turned_away()),
    };
    let Some((first, bytes)) = first else { return };
    let left: Arc<Left<TcpStream>> = Arc::default();
    let begins = (first == Opening::Tls).then(|| Arc::clone(place.wait()));
    let watch = ResetWatch::default();
    let mut stream = WriteTimeout::new(
        stream,
        limits.idle,
        Arc::clone(&left),
        begins,
        watch.clone(),
    )
    .with_opening(bytes);
    let came = |secure| Came {
        peer: Peer {
            address,
            secure,
            relayed: proxied,
            unknown,
            local,
        },
        port,
        watch,
        left: Arc::clone(&left),
        is_late,
    };
    let idle = limits.idle;
    match first {
        // On the heap from here on: what a task holds in itself is copied with it, and a
        // connection that says nothing holds it too.
        Opening::Tls => {
            let (came, place) = (came(true), (&mut place, &*turns));
            Box::pin(secure(stream, came, place, shared, &limits, &stop)).await;
        }
        Opening::Ssl2(version) if shared.tls.is_some() => {
            // A client that is gone needs no alert.
            let _ = stream.write_all(&TOO_OLD).await;
            shared.handshake_failed(address, &common_ground::ssl2(address, version));
        }
        Opening::Ssl2(_) | Opening::Http => {
            let came = came(false);
            Box::pin(http(stream, came, &mut place, shared, &limits, &stop)).await;
        }
    }
    leave(&left, idle, stop, &mut place).await;
}

/// Waits for what is left of a connection in the kernel, and for the client of a delivery. What
/// a stranger does not take is nobody's once others need its place.
async fn leave(left: &Left<TcpStream>, idle: Duration, stop: CancellationToken, place: &mut Place) {
    let is_stranger = place.wait().is_stranger();
    let delivery = left.delivery.take();
    match (left.take(), delivery) {
        (Some(stream), Some(delivery)) => {
            let in_haste = left.delivery.is_in_haste();
            Box::pin(farewell::wait(stream, delivery, idle, in_haste, stop)).await;
        }
        (Some(stream), None) if is_stranger => {
            let finish = Box::pin(leftover::finish(stream, idle));
            place.unless_going(pin!(finish)).await;
        }
        (Some(stream), None) => leftover::finish(stream, idle).await,
        // Without its stream it is cut.
        (None, _) => {}
    }
}

/// Returns the time of `limit` after `since`.
fn after(since: Instant, limit: Duration) -> Instant {
    since.checked_add(limit.min(FOREVER)).unwrap_or(since)
}

/// Client of a connection, and the port to which it came.
struct Came {
    peer: Peer,
    port: Port,
    watch: ResetWatch,
    left: Arc<Left<TcpStream>>,
    is_late: bool,
}

/// Shakes hands, and serves what comes over TLS.
async fn secure<H: Handler>(
    stream: WriteTimeout<TcpStream>,
    came: Came,
    (place, turns): (&mut Place, &Turns),
    shared: Arc<ConnectionContext<H>>,
    limits: &Limits,
    stop: &CancellationToken,
) {
    let address = came.peer.address;
    let Some(door) = &shared.tls else {
        return shared.say(address, &event!(TLS_OFF, peer = address));
    };
    let end = after(Instant::now(), limits.handshake);
    // One that is to go meanwhile is closed: nothing can be said to it.
    let spot = turns.spot(place.wait().owner());
    // Its room goes with it, before that for requests comes.
    let shaken = Box::pin(door.shake(stream, end, spot));
    let shaken = or_late(stop, shaken);
    let shaken = place.unless_going(pin!(shaken)).await.flatten();
    match shaken {
        // A CA that looks for its answer wants the handshake alone (RFC 8737).
        Some(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(CHALLENGE) => {}
        Some(Ok(stream)) => {
            if let Some(meter) = shared.shares.meter() {
                meter.shaken();
            }
            place.wait().goes_on();
            Box::pin(http(stream, came, place, shared, limits, stop)).await;
        }
        Some(Err(failure)) => {
            let reason = common_ground::reason(&failure, address, door.config());
            shared.handshake_failed(address, &reason);
        }
        None => {}
    }
}

/// Does the work of a client that has asked nothing yet until the stop, and a moment
/// longer: its request may be on its way.
///
/// The work is pinned already: what it took by value it would hold twice.
async fn or_late<T>(stop: &CancellationToken, work: impl Future<Output = T> + Unpin) -> Option<T> {
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
    stream: impl AsyncRead + AsyncWrite + Sends + Unpin + Send + 'static,
    came: Came,
    place: &mut Place,
    shared: Arc<ConnectionContext<H>>,
    limits: &Limits,
    stop: &CancellationToken,
) {
    let (peer, port, left, is_late) = (came.peer, came.port, came.left, came.is_late);
    let (watch, delivery) = (&came.watch, &left.delivery);
    let (download, downloads) = (&left.download, &shared.downloads);
    let handler = &shared.service.handler;
    let upgrade = Arc::new(OnceLock::new());
    let requests = Arc::new(Mutex::new(Requests::default()));
    let wait = Arc::clone(place.wait());
    let client = wait.acquaintance();
    let stream = Watched::new(stream, Arc::clone(&requests), wait, Arc::clone(&left));
    let service = service_fn(|mut request: Request<Incoming>| {
        let (handler, upgrade) = (Arc::clone(handler), Arc::clone(&upgrade));
        if lock(&requests).note_read() {
            request.extensions_mut().insert(Spaced);
        }
        if let Some(client) = &client {
            request.extensions_mut().insert(client.clone());
        }
        *lock(download) = None;
        async move {
            let mut reply = handler.handle(peer, watch, request).await;
            if reply.extensions_mut().remove::<Lasting>().is_some() {
                *lock(download) = Some(downloads.token());
            }
            if reply.status() == StatusCode::SWITCHING_PROTOCOLS
                && let Some(wanted) = reply.extensions_mut().remove::<Upgrade>()
            {
                // One connection is upgraded once.
                let _ = upgrade.set(wanted);
            }
            if let Some(tracked) = reply.extensions_mut().remove::<Delivery>() {
                delivery.put(tracked);
            }
            Ok::<_, Infallible>(reply)
        }
    });
    let mut http = shared.http.clone();
    http.header_read_timeout(limits.headers)
        .keep_alive(!is_late);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = connection.with_upgrades();
    let mut stopped = pin!(stop.cancelled());
    let mut is_ending = false;
    // Time at which one that comes before the stop, or during it, must have asked.
    let mut end: Option<Pin<Box<Sleep>>> = is_late.then(|| Box::pin(sleep(OLD)));
    let result = loop {
        tokio::select! {
            // What has come already is still served.
            biased;
            result = &mut connection => break result,
            () = &mut stopped, if !is_ending => end = Some(Box::pin(sleep(OLD))),
            going = poll_fn(|cx| {
                if let Some(time) = &mut end && time.as_mut().poll(cx).is_ready() {
                    end = None;
                    // Half a head would hold up the end as long as a download may.
                    if !lock(&requests).is_in_use() {
                        return Poll::Ready(Going::Now);
                    }
                }
                place.poll_going(cx)
            }) => {
                if going == Going::Now {
                    delivery.make_haste();
                    let stream = connection.into_parts().map(|parts| parts.io.into_inner());
                    if let Some(stream) = stream.and_then(Watched::unanswered) {
                        turn_away::answer(stream, &H::turned_away()).await;
                    }
                    return;
                }
            }
        }
        is_ending = true;
        Pin::new(&mut connection).graceful_shutdown();
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
        let client = customer(client.ip());
        self.teller.say(event, &client, SystemTime::now());
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

    /// Returns the address that counts, and the client whose connection it is, for a proxy
    /// brings many; `None` where that is not told.
    fn client(&self, origin: Origin, proxy: SocketAddr) -> (SocketAddr, Option<Client>) {
        let address = match origin {
            Origin::Client(client) => client,
            // Anybody may write such a header where nobody is listed.
            Origin::Proxy | Origin::Unknown if self.service.trusted.is_empty() => proxy,
            Origin::Proxy | Origin::Unknown => return (proxy, None),
        };
        (address, Some(self.shares.client(address.ip(), true)))
    }

    /// Counts a handshake that failed, and says why.
    fn handshake_failed(&self, peer: SocketAddr, reason: &Event) {
        if let Some(meter) = self.shares.meter() {
            meter.handshake_failed(reason.kind);
        }
        self.say(peer, reason);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_look_of_a_ca_is_the_same_here_and_where_it_is_answered() {
        assert_eq!(super::super::hello::CHALLENGE, crate::tls::acme::PROTOCOL);
    }
}
