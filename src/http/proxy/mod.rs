//! Reverse proxy: passes on requests that are not ours to answer to a server behind
//! this one: voice, vision, and whatever else is configured. Bodies stream both ways,
//! each side held to the pace of the other.
//!
//! The router knows the OTA interface; whatever else has a path in `gateway.proxy`
//! goes on. Its target is the same path and query, less our own public prefix; its
//! headers lose what speaks of one hop and what the client claims to be. The head of
//! the reply is the backend's, its framing ours. A deadline runs while nothing moves,
//! and whose turn it was says whether it is a 408 or a 504. A body that a backend does
//! not want is read away beside its reply, so that the client sees the reply; the
//! connection then closes.

mod activity;
mod backend;
mod connector;
pub(super) mod download;
mod first_reply;
mod hops;
mod refusals;
mod resolver;
mod tunnel;
mod upgrade;
mod upload;
pub(crate) mod upstream;

use crate::http::body::ReplyBody;
use crate::http::reply::{self, Reply};
use crate::http::request::{self, Head};
use crate::http::router::below;
use crate::http::spelling;
use crate::http::turned_away::TurnedAway;
use crate::http::upgrade_headers;
use crate::ota::public_url::{OTA_PATH, PublicAddress, Url, VISION_PATH, WEBSOCKET_PATH};
use crate::server::{Peer, ResetWatch};
pub(crate) use backend::{BackendState, SeenBackend};

use backend::{Backend, Pools, ended_unanswered, find, quiet, why_none};
use download::{Gathered, Relayed, gather};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy;
use refusals::{broken_off, late, refused, unreached};
use resolver::Resolver;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tunnel::{Session, TunnelCount};
use upload::{Upload, UploadBody, UploadError};

/// `gateway.proxy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxySettings {
    /// Paths and the servers behind them, each with the setting that names it.
    pub routes: Vec<ProxyRoute>,
    /// Size limit of the body of one request, in bytes.
    pub body_limit: u64,
    /// Time that a backend may let a request wait: to its reply, and between two parts
    /// of it.
    pub timeout: Duration,
    /// Time that a WebSocket may be still in both directions.
    pub idle: Duration,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            body_limit: 16 << 20,
            timeout: Duration::from_secs(60),
            idle: Duration::from_secs(600),
        }
    }
}

impl ProxySettings {
    /// Returns whether requests for `path` are passed on.
    pub(crate) fn passes_on(&self, path: &str) -> bool {
        let mut routes = self.routes.iter();
        routes.any(|route| below(path, route.path.trim_end_matches('/')).is_some())
    }
}

/// One path that is passed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRoute {
    /// Name of the setting: `gateway.proxy.websocket`.
    pub setting: String,
    /// Path, with all below it.
    pub path: String,
    /// Backend: scheme, host and port.
    pub to: Url,
}

/// The reverse proxy: its routes and connections.
#[derive(Debug)]
pub(super) struct Proxy {
    routes: Vec<BackendRoute>,
    settings: ProxySettings,
    resolver: Resolver,
    pools: Pools,
    /// Number of open tunnels.
    open: Arc<AtomicUsize>,
    /// Time for open tunnels to finish when the server stops.
    drain: Duration,
}

#[derive(Debug)]
struct BackendRoute {
    /// Path without a last slash.
    path: String,
    /// Length of our own public prefix in the path, which the backend does not know.
    prefix: usize,
    /// Path that the backend knows, for voice and vision, which people type.
    known: Option<&'static str>,
    /// The whole path of one that is known, as [`spelling::plain`] has it.
    plain: Option<String>,
    backend: Arc<Backend>,
}

/// Route of a request that is passed on.
pub(super) struct MatchedRoute<'a> {
    route: &'a BackendRoute,
    proxy: &'a Proxy,
}

impl Proxy {
    pub(super) fn new(settings: ProxySettings, public: &PublicAddress, drain: Duration) -> Self {
        let prefixes: Vec<&str> = public
            .served_paths()
            .iter()
            .filter_map(|path| path.strip_suffix(OTA_PATH))
            .collect();
        let mut routes = Vec::new();
        for ProxyRoute { setting, path, to } in &settings.routes {
            let Ok(authority) = format!("{}:{}", to.host, to.effective_port()).parse::<Authority>()
            else {
                continue; // Url has let nothing through that is no authority.
            };
            let backend = Arc::new(Backend::new(setting.clone(), authority));
            let path = path.trim_end_matches('/');
            // Voice and vision lie below the public prefix, too, as the OTA
            // interface does.
            let known = [VISION_PATH, WEBSOCKET_PATH];
            let known = known
                .into_iter()
                .find(|known| path == known.trim_end_matches('/'));
            let prefixes = if known.is_some() {
                &prefixes[..]
            } else {
                &[""]
            };
            for prefix in prefixes {
                let path = format!("{prefix}{path}");
                let plain = known.and_then(|_| spelling::plain(&path));
                routes.push(BackendRoute {
                    plain: plain.map(Into::into),
                    path,
                    prefix: prefix.len(),
                    known,
                    backend: Arc::clone(&backend),
                });
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
        let resolver = Resolver::default();
        Self {
            routes,
            settings,
            pools: Pools::new(resolver.clone()),
            resolver,
            open: Arc::default(),
            drain,
        }
    }

    /// Returns the servers behind this one, each by its path, as they were seen last.
    pub(super) fn backends(&self) -> Vec<SeenBackend> {
        let all = self.settings.routes.iter().filter_map(|route| {
            let mut known = self.routes.iter().map(|known| &known.backend);
            let backend = known.find(|known| known.setting() == route.setting)?;
            Some(SeenBackend {
                setting: route.setting.clone(),
                path: route.path.clone(),
                backend: backend.to_string(),
                state: backend.state(),
            })
        });
        all.collect()
    }

    /// Returns whether `other` would send the same requests to the same places.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let paths = |proxy: &Self| -> Vec<_> {
            let routes = proxy.routes.iter();
            routes
                .map(|route| (route.path.clone(), route.prefix))
                .collect()
        };
        self.settings == other.settings && self.drain == other.drain && paths(self) == paths(other)
    }

    /// Returns the route of `path`, if it is passed on.
    pub(super) fn find(&self, path: &str) -> Option<MatchedRoute<'_>> {
        let route = self
            .routes
            .iter()
            .find(|r| below(path, &r.path).is_some())?;
        Some(MatchedRoute { route, proxy: self })
    }

    /// Returns the route of voice or vision, if `path` is plainly the one or the other,
    /// and the path that was meant where it is spelt otherwise.
    pub(super) fn meant(&self, path: &str) -> Option<(MatchedRoute<'_>, Option<String>)> {
        if self.routes.is_empty() {
            return None;
        }
        let plain = spelling::plain(path)?;
        self.routes.iter().find_map(|route| {
            let known = route.known?;
            if route.plain.as_deref() != Some(&*plain) {
                return None;
            }
            let prefix = &route.path[..route.prefix];
            let is_right = path.strip_prefix(prefix) == Some(known);
            let right = (!is_right).then(|| format!("{prefix}{known}"));
            Some((MatchedRoute { route, proxy: self }, right))
        })
    }
}

impl MatchedRoute<'_> {
    /// Passes the request on, and brings the reply back.
    pub(super) async fn answer(
        self,
        peer: Peer,
        mut head: Head,
        body: Incoming,
        watch: &ResetWatch,
        turned_away: &TurnedAway,
        now: SystemTime,
    ) -> Reply {
        let settings = &self.proxy.settings;
        let (body_limit, timeout) = (settings.body_limit, settings.timeout);
        let given_up = |error: &UploadError, head: &Head| {
            let request = request::Request { head, peer, now };
            refusals::given_up(error, settings, request, turned_away)
        };
        // From here on it is read away, whatever becomes of the request.
        let upload = Upload::new(body, timeout);
        let body = UploadBody::new(Arc::clone(&upload), body_limit);
        let refuse = |status: StatusCode, text: &'static str, head: &Head| {
            let request = request::Request { head, peer, now };
            turned_away.refused(request, status.as_u16(), text.trim_end());
            refused(status, text)
        };
        if let Some((status, text)) = hops::fault(&head) {
            return refuse(status, text, &head);
        }
        if upload.size_hint().lower() > body_limit {
            return given_up(&UploadError::TooBig, &head);
        }
        let Some(target) = self.target(&head.uri) else {
            let text = "no address that could be sent on\n";
            return refuse(StatusCode::BAD_REQUEST, text, &head);
        };
        let mut passed = Request::new(());
        *passed.method_mut() = head.method.clone();
        *passed.uri_mut() = target;
        *passed.headers_mut() = hops::for_backend(&head, peer);
        if upgrade_headers::is_asked_for(&head) {
            if !upload.is_over() {
                // What follows is a WebSocket's, and no backend must take a part
                // of it for a body.
                let text = "a WebSocket begins without a body\n";
                return refuse(StatusCode::BAD_REQUEST, text, &head);
            }
            let told = |head: &Head, status| {
                let request = request::Request { head, peer, now };
                self.told_of(status, request, turned_away);
            };
            return self.upgrade(peer, &mut head, passed, watch, told).await;
        }
        let answered = tokio::select! {
            biased;
            answered = self.send(passed, body, &upload) => answered,
            () = quiet(&upload.activity, timeout) => {
                return if upload.waits_for_sender() {
                    given_up(&UploadError::Stalled, &head)
                } else {
                    let why = format!("no reply within {timeout:?}");
                    self.route.backend.failed(why);
                    late()
                };
            }
        };
        let response = match answered {
            Ok(response) => response,
            Err(e) => {
                if let Some(error) = find::<UploadError>(&e) {
                    return given_up(error, &head);
                }
                self.route.backend.failed(why_none(&e));
                return unreached(&e);
            }
        };
        if self.route.known == Some(VISION_PATH) && !response.status().is_success() {
            let request = request::Request {
                head: &head,
                peer,
                now,
            };
            self.told_of(response.status(), request, turned_away);
        }
        let over = upload.is_over();
        let reply = self.bring_back(&head.method, response, Some(upload), watch);
        let reply = reply.await;
        if over { reply } else { reply::closing(reply) }
    }

    /// Sends the request over a connection that may have been kept. One without a body
    /// that changes nothing is sent again where that connection ended as it came:
    /// backends close those that they are tired of, and cannot say when.
    async fn send(
        &self,
        request: Request<()>,
        body: UploadBody,
        upload: &Arc<Upload>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        let safe = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS
        );
        let again = (safe && upload.is_over()).then(|| request.clone());
        let answered = self.proxy.pools.request(request.map(|()| body)).await;
        match (answered, again) {
            (Err(e), Some(request)) if !e.is_connect() && ended_unanswered(&e) => {
                let body = UploadBody::new(Arc::clone(upload), 0);
                self.proxy.pools.request(request.map(|()| body)).await
            }
            (answered, _) => answered,
        }
    }

    /// Says that the backend answered, and not as was asked.
    fn told_of(&self, status: StatusCode, request: request::Request<'_>, turned_away: &TurnedAway) {
        // What is no HTTP at all is told of the backend.
        if status != StatusCode::SWITCHING_PROTOCOLS {
            refusals::answered_otherwise(&self.route.backend, status, request, turned_away);
        }
    }

    /// Asks the backend for a WebSocket.
    async fn upgrade(
        &self,
        peer: Peer,
        head: &mut Head,
        request: Request<()>,
        watch: &ResetWatch,
        told: impl Fn(&Head, StatusCode),
    ) -> Reply {
        let (backend, settings) = (&self.route.backend, &self.proxy.settings);
        // It stays with the request's extensions, which are all that it needs.
        let mut client = Request::new(());
        *client.extensions_mut() = std::mem::take(&mut head.extensions);
        let client = hyper::upgrade::on(client);
        let asked =
            upgrade::connect(backend, &self.proxy.resolver, request, settings.timeout).await;
        let response = match asked {
            Ok(response) => response,
            Err(reply) => return reply,
        };
        if !upgrade::is_granted(&response) {
            told(head, response.status());
            return self.bring_back(&head.method, response, None, watch).await;
        }
        backend.answered();
        let session = Session {
            device: request::device_id(&head.headers)
                .map(|device| request::shown(&device).to_owned())
                .unwrap_or_default(),
            peer: peer.address,
            backend: backend.to_string(),
            idle: settings.idle,
            drain: self.proxy.drain,
            open: TunnelCount::count(&self.proxy.open),
            watch: watch.clone(),
        };
        upgrade::accept(response, client, session)
    }

    /// Returns the address at the backend: the same path and query, without our prefix.
    fn target(&self, uri: &Uri) -> Option<Uri> {
        let path_and_query = uri.path_and_query()?.as_str();
        let path_and_query: PathAndQuery = path_and_query.get(self.route.prefix..)?.parse().ok()?;
        Uri::builder()
            .scheme("http")
            .authority(self.route.backend.authority.clone())
            .path_and_query(path_and_query)
            .build()
            .ok()
    }

    /// Makes the client's reply of a backend's. One without a length gets one if it is
    /// short.
    async fn bring_back(
        &self,
        method: &Method,
        response: Response<Incoming>,
        upload: Option<Arc<Upload>>,
        watch: &ResetWatch,
    ) -> Reply {
        let (timeout, backend) = (self.proxy.settings.timeout, &self.route.backend);
        let (mut head, body) = response.into_parts();
        // A coding that nobody asked for (we send no TE), or the end of HTTP on a
        // connection that we did not offer.
        if head.status == StatusCode::SWITCHING_PROTOCOLS || hops::has_foreign_coding(&head.headers)
        {
            backend.failed("its reply is not HTTP as it was asked for");
            return broken_off();
        }
        backend.answered_with(head.status);
        hops::strip(&mut head.headers);
        let is_head = *method == Method::HEAD;
        let length = body.size_hint().exact();
        // Said once, and by whoever counted: a backend may say it twice, or beside
        // chunks.
        let said = head.headers.remove(CONTENT_LENGTH);
        let said = match length {
            _ if is_head => said,
            Some(length) if head.status != StatusCode::NOT_MODIFIED => Some(length.into()),
            _ => None,
        };
        let has_content = !matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        if let Some(said) = said.filter(|_| has_content) {
            head.headers.insert(CONTENT_LENGTH, said);
        }
        let is_event_stream = head
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let mut relayed = Relayed::new(
            body,
            timeout,
            Arc::clone(backend),
            upload,
            head.status,
            watch.clone(),
        );
        if is_head || length.is_some() || is_event_stream {
            return reply::relayed(head, ReplyBody::Relayed(Box::new(relayed)));
        }
        match gather(&mut relayed, Instant::now() + timeout).await {
            Ok(Gathered::Whole(body)) => reply::relayed(head, ReplyBody::Short(body)),
            Ok(Gathered::Begun(first)) => {
                relayed.put_in_front(first);
                reply::relayed(head, ReplyBody::Relayed(Box::new(relayed)))
            }
            Err(e) if e.kind() == io::ErrorKind::TimedOut => late(),
            Err(_) => broken_off(),
        }
    }
}

#[cfg(test)]
mod tests;
