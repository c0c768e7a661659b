//! The door: who may come in, and what every reply looks like. Requests come from `server`,
//! which bounds connections and times as it does for devices.

use super::auth::{AdminToken, Caller, bearer};
use super::endpoints::{endpoints, is_open, patience, router};
use super::page;
use super::parts::{AdminParts, Sources};
use super::reply::{self, Refusal};
use super::route::{Endpoint, PATIENCE};
use crate::event::event;
use crate::server::{Handler, Peer, ResetWatch};
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response};
use std::fmt;
use std::sync::Arc;
use tokio::time::timeout;
use tower_service::Service as _;
use xiaozhi_device::redact;

/// Longest name of a host that the log shows, in characters.
const LONGEST: usize = 100;
/// Number of bytes that are taken in vain of somebody who is not signed in: a file, and the form
/// around it.
const STRANGERS: u64 = 65 << 20;

/// Answers what comes to the admin address.
pub(crate) struct Admin {
    parts: AdminParts,
    endpoints: Vec<Endpoint>,
    router: Router,
    sources: Sources,
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
        let sources = Sources::of(&parts);
        Self {
            router: router(sources.clone()),
            endpoints: endpoints(),
            parts,
            sources,
        }
    }

    async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        // Nobody but the door says who it is.
        parts.extensions.clear();
        if let Err(refusal) = self.let_in(peer, &mut parts) {
            return match refusal {
                refusal if !wants_page(&parts) => refusal.into_response(),
                Refusal::NoToken => {
                    // Whoever was signed out meanwhile may be sending a file.
                    let drained = page::drain(Body::new(body), STRANGERS);
                    let _ = timeout(PATIENCE, drained).await;
                    page::instead(&parts)
                }
                refusal => page::refuse(&refusal, &self.sources, parts).await,
            };
        }
        parts.extensions.insert(peer);
        let seen = wants_page(&parts).then(|| parts.clone());
        let patience = patience(&self.endpoints, &parts.method, parts.uri.path());
        let mut router = self.router.clone();
        let request = Request::from_parts(parts, body);
        match timeout(patience, router.call(request)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(never)) => match never {},
            Err(_) => match seen {
                Some(seen) => page::refuse(&Refusal::Late, &self.sources, seen).await,
                None => Refusal::Late.into_response(),
            },
        }
    }

    /// Lets a request in, with who sent it; or says why not, the host first.
    fn let_in(&self, peer: Peer, request: &mut Parts) -> Result<(), Refusal> {
        self.look_at_host(peer, request)?;
        if self.parts.tls_only && !peer.secure {
            return Err(Refusal::PlainHttp);
        }
        let is_open = is_open(&self.endpoints, &request.method, request.uri.path());
        let mut values = request.headers.get_all(AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => Some(value.as_bytes()),
            (None, _) if is_open => return Ok(()),
            (None, _) => return self.signed_in(peer, request),
            // Of several nobody knows which counts.
            (Some(_), Some(_)) => None,
        };
        let shown = bearer(value).ok_or(Refusal::NoToken);
        let token = shown.and_then(|token| self.sources.gate.token(token, peer.address.ip()));
        match token {
            Ok(AdminToken { name, role, .. }) => {
                request.extensions.insert(Caller { name, role });
                Ok(())
            }
            // It is told less there than who shows a right one: a guess is a guess.
            Err(_) if is_open => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Lets in who has signed in on the page.
    fn signed_in(&self, peer: Peer, request: &mut Parts) -> Result<(), Refusal> {
        let mut cookies = page::cookies(&request.headers, page::session_cookie(peer.secure));
        let tokens = self.sources.gate.tokens();
        let now = (self.parts.clock)();
        let session = cookies.find_map(|cookie| self.sources.sessions.find(cookie, &tokens, now));
        request.extensions.insert(session.ok_or(Refusal::NoToken)?);
        Ok(())
    }

    /// Looks whether it was this server that was asked for. The host in the target counts
    /// beside the header (RFC 9112, section 3.2.2): neither may be another's.
    fn look_at_host(&self, peer: Peer, request: &Parts) -> Result<(), Refusal> {
        let mut hosts = request.headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().map_err(|_| Refusal::BadHost)?,
            (None, _) => return Err(Refusal::Misdirected),
            (Some(_), Some(_)) => return Err(Refusal::BadHost),
        };
        let target = request.uri.authority().map(Authority::as_str);
        let local = peer.local.map(|local| local.ip());
        let hosts = [Some(host), target];
        for host in hosts.into_iter().flatten() {
            if !self.parts.hosts.is_ours(host, local) {
                self.sources.gate.say(&("host", host), || {
                    let host: String = redact::shown(host).chars().take(LONGEST).collect();
                    event!(ADMIN_MISDIRECTED, peer = peer.address, host = host)
                });
                return Err(Refusal::Misdirected);
            }
        }
        Ok(())
    }
}

/// Tells whether a browser asks for a page, and not a program for an answer.
fn wants_page(request: &Parts) -> bool {
    let accepts = request.headers.get_all(ACCEPT).iter();
    let mut accepts = accepts.filter_map(|value| value.to_str().ok());
    let path = request.uri.path();
    [Method::GET, Method::HEAD, Method::POST].contains(&request.method)
        && !["/api/", "/metrics", "/openapi.json"]
            .iter()
            .any(|program| path.starts_with(program))
        && accepts.any(|value| value.contains("text/html"))
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
        reply::finish(&mut answered);
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
