//! The door: who may come in, and what every reply looks like. Requests come from `server`,
//! which bounds connections and times as it does for devices.

use super::api::From;
use super::auth::{GUESSES, Guess, Guesses, Shown, bearer};
use super::endpoints::{Endpoint, endpoints, is_open, router};
use super::parts::{AdminParts, Sources};
use super::reply::{self, Refusal};
use crate::event::{Event, event};
use crate::server::{Handler, Peer, ResetWatch};
use crate::util::network::customer;
use crate::util::once::{HOUR, Once};
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HOST};
use hyper::http::uri::Authority;
use hyper::{Request, Response};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use tower_service::Service as _;
use xiaozhi_device::redact;

/// Time for a request from its head to the head of its reply.
const PATIENCE: Duration = Duration::from_secs(60);
/// Number of clients and names of which it is remembered that they were told of.
const REMEMBERED: usize = 1024;
/// Longest name of a host that the log shows, in characters.
const LONGEST: usize = 100;

/// Answers what comes to the admin address.
pub(crate) struct Admin {
    parts: AdminParts,
    endpoints: Vec<Endpoint>,
    router: Router,
    guesses: Guesses,
    said: Once,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Admin");
        shown.field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Admin {
    /// Puts the parts together.
    pub(crate) fn new(parts: AdminParts) -> Self {
        Self {
            router: router(Sources::of(&parts)),
            endpoints: endpoints(),
            parts,
            guesses: Guesses::default(),
            said: Once::new(HOUR, REMEMBERED),
        }
    }

    async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Response<Body> {
        let mut request = match self.let_in(peer, request) {
            Ok(request) => request,
            Err(refusal) => return refusal.into_response(),
        };
        request.extensions_mut().insert(From(peer.address));
        let mut router = self.router.clone();
        match timeout(PATIENCE, router.call(request)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(never)) => match never {},
            Err(_) => Refusal::Late.into_response(),
        }
    }

    /// Lets a request in, with who sent it; or says why not, the host first.
    fn let_in(
        &self,
        peer: Peer,
        mut request: Request<Incoming>,
    ) -> Result<Request<Incoming>, Refusal> {
        self.look_at_host(peer, &request)?;
        if self.parts.tls_only && !peer.secure {
            return Err(Refusal::PlainHttp);
        }
        // Nobody but the door says who it is.
        request.extensions_mut().clear();
        let is_open = is_open(&self.endpoints, request.method(), request.uri().path());
        let mut values = request.headers().get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => Some(value.as_bytes()),
            // Of several nobody knows which counts.
            _ => None,
        };
        match bearer(value, &self.parts.tokens.load()) {
            Shown::Right(caller) => {
                request.extensions_mut().insert(caller);
                Ok(request)
            }
            // It is told less there than who shows a right one: a guess is a guess.
            Shown::Wrong if is_open => {
                self.wrong(peer.address.ip());
                Ok(request)
            }
            Shown::Nothing if is_open => Ok(request),
            Shown::Nothing => Err(Refusal::NoToken),
            Shown::Wrong => Err(self.wrong(peer.address.ip())),
        }
    }

    /// Counts a wrong token.
    fn wrong(&self, address: IpAddr) -> Refusal {
        let guess = self.guesses.count(address, (self.parts.clock)());
        let client = customer(address);
        match guess {
            Guess::Counted => {
                let event = || event!(ADMIN_WRONG_TOKEN, peer = address);
                self.say(&("wrong", client), event);
                Refusal::WrongToken
            }
            Guess::TooMany { left, is_first } => {
                let event = || event!(ADMIN_GUESSING, peer = address, count = GUESSES);
                if is_first {
                    self.say(&("guessing", client), event);
                }
                Refusal::TooManyGuesses(left)
            }
        }
    }

    /// Looks whether it was this server that was asked for. The host in the target counts
    /// beside the header (RFC 9112, section 3.2.2): neither may be another's.
    fn look_at_host(&self, peer: Peer, request: &Request<Incoming>) -> Result<(), Refusal> {
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().map_err(|_| Refusal::BadHost)?,
            (None, _) => return Err(Refusal::Misdirected),
            (Some(_), Some(_)) => return Err(Refusal::BadHost),
        };
        let target = request.uri().authority().map(Authority::as_str);
        let local = peer.local.map(|local| local.ip());
        let hosts = [Some(host), target];
        for host in hosts.into_iter().flatten() {
            if !self.parts.hosts.is_ours(host, local) {
                self.say(&("host", host), || {
                    let host: String = redact::shown(host).chars().take(LONGEST).collect();
                    event!(ADMIN_MISDIRECTED, peer = peer.address, host = host)
                });
                return Err(Refusal::Misdirected);
            }
        }
        Ok(())
    }

    /// Says an event of a thing once an hour.
    fn say(&self, thing: &impl std::hash::Hash, event: impl FnOnce() -> Event) {
        if self.said.is_due(thing, (self.parts.clock)()) {
            crate::event::say(&event());
        }
    }
}

impl Handler for Admin {
    type Body = Body;

    async fn handle(
        self: Arc<Self>,
        peer: Peer,
        _watch: &ResetWatch,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let mut answered = self.answer(peer, request).await;
        reply::finish(answered.headers_mut());
        answered
    }

    fn is_for_devices() -> bool {
        false
    }

    fn turned_away() -> Bytes {
        Bytes::from_static(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 36\r\n\
              Connection: close\r\n\r\nToo many connections are open here.\n",
        )
    }
}
