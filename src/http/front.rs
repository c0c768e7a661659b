//! The handler behind every port: routes a request, refuses plain HTTP where it
//! has ended, and leaves the rest to the rooms beside it.

use super::body::ReplyBody;
use super::plain::{OnceADay, PlainHttp};
use super::proxy::{Proxy, ProxySettings};
use super::reply::{self, Reply};
use super::router::{Route, Router};
use super::{checkin, download, forwarded, input};
use crate::firmware::catalogue::Catalogue;
use crate::firmware::store::Store;
use crate::fleet::Fleet;
use crate::ota::credentials::Voice;
use crate::ota::decide::Policy;
use crate::ota::public_url::PublicAddress;
use crate::server::{Handler, Peer, Spaced, Trusted};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tracing::info;

/// The room that an operator looks for.
const LOG: &str = "xiaozhi_ota::http::checkin";

/// A request without its body.
pub(super) type Head = hyper::http::request::Parts;

/// What the front door is made of.
#[derive(Debug)]
pub struct Parts {
    /// What can be offered.
    pub catalogue: Arc<Catalogue>,
    /// The bytes of it.
    pub store: Arc<Store>,
    /// What each device was told.
    pub fleet: Arc<Fleet>,
    /// The public address.
    pub public: PublicAddress,
    /// Who is offered what.
    pub policy: Policy,
    /// How devices reach their voice server.
    pub voice: Voice,
    /// The WebSocket address that a `GET` shows; `None` where devices could read
    /// none.
    pub websocket: Option<String>,
    /// `server.timezone_offset`, in minutes.
    pub timezone_offset: i32,
    /// Until when devices may come over plain HTTP.
    pub plain_http: PlainHttp,
    /// `gateway.behind_proxy`.
    pub behind_proxy: bool,
    /// The addresses in it: whose `X-Forwarded-*` headers are believed.
    pub trusted: Trusted,
    /// What goes to servers behind this one.
    pub proxy: ProxySettings,
    /// How long a body may take to come.
    pub idle: Duration,
    /// How long what was begun may go on when the server stops.
    pub drain: Duration,
    /// Answers a CA; `None` where no certificate is ordered here.
    pub challenges: Option<Arc<dyn AnswersChallenges>>,
    /// Tells the time.
    pub clock: fn() -> SystemTime,
}

/// Knows what a CA looks for while it checks that a name is ours (http-01).
pub trait AnswersChallenges: fmt::Debug + Send + Sync {
    /// The answer to this token, while one is wanted.
    fn answer(&self, token: &str) -> Option<String>;
}

/// The front door.
#[derive(Debug)]
pub struct Front {
    pub(super) parts: Parts,
    /// What stands in front of a file's name; `None` where devices could not read
    /// it.
    pub(super) download_base: Option<String>,
    router: Router,
    proxy: Proxy,
    plain_devices: OnceADay,
}

impl Front {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self {
            router: Router::new(parts.public.served_paths().to_vec()),
            download_base: parts
                .public
                .is_readable()
                .then(|| parts.public.download_base()),
            proxy: Proxy::new(parts.proxy.clone(), &parts.public, parts.drain),
            plain_devices: OnceADay::default(),
            parts,
        }
    }

    async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        let route = self.router.route(head.uri.path());
        let now = (self.parts.clock)();
        if head.extensions.get::<Spaced>().is_some() {
            let text = "more than one blank in front of the path\n";
            return reply::closing(reply::error(StatusCode::BAD_REQUEST, text));
        }
        if head.method == Method::CONNECT {
            // This is nobody's way to somewhere else, whatever a server behind says.
            return reply::closing(reply::method_not_allowed("GET, HEAD, POST, OPTIONS"));
        }
        if route == Route::CheckIn && head.method == Method::POST && self.may_come(peer, now) {
            self.name_plain_device(&head, peer, now);
            return checkin::answer(self, peer, &head, body, now).await;
        }
        let onward = match route {
            Route::Other => self.proxy.find(head.uri.path()),
            // A CA may be answered by somebody else behind us.
            Route::Challenge(token) if self.challenge(token).is_none() => {
                self.proxy.find(head.uri.path())
            }
            _ => None,
        };
        let reply = if let Some(onward) = onward {
            self.name_plain_device(&head, peer, now);
            if self.may_come(peer, now) {
                return onward.answer(peer, head, body).await;
            }
            self.plain_http_has_ended()
        } else {
            self.answer_bodiless(peer, route, &head, now).await
        };
        if input::discard_beside(body, self.parts.idle) {
            reply
        } else {
            reply::closing(reply)
        }
    }

    /// Answers what needs no body.
    async fn answer_bodiless(
        &self,
        peer: Peer,
        route: Route<'_>,
        head: &Head,
        now: SystemTime,
    ) -> Reply {
        if let Route::Challenge(token) = route
            && matches!(head.method, Method::GET | Method::HEAD)
            && let Some(answer) = self.challenge(token)
        {
            // Over plain HTTP, ended or not: the CA comes that way only.
            return reply::text(answer);
        }
        if matches!(route, Route::Nothing | Route::Other | Route::Challenge(_)) {
            let ota = self.parts.public.ota_url();
            let text = format!("nothing here: the OTA address is {ota}\n");
            return reply::error(StatusCode::NOT_FOUND, text);
        }
        self.name_plain_device(head, peer, now);
        if !self.may_come(peer, now) {
            return self.plain_http_has_ended();
        }
        if head.method == Method::OPTIONS {
            return reply::options();
        }
        let post = head.method == Method::POST;
        let get = matches!(head.method, Method::GET | Method::HEAD);
        match route {
            Route::CheckIn if get => checkin::show(self),
            Route::Activate if get || post => checkin::activate(),
            Route::CheckIn | Route::Activate => {
                reply::method_not_allowed("GET, HEAD, POST, OPTIONS")
            }
            Route::Download(name) if get => download::answer(self, peer, name, head).await,
            Route::Download(_) | Route::Challenge(_) | Route::Nothing | Route::Other => {
                reply::method_not_allowed("GET, HEAD, OPTIONS")
            }
        }
    }

    /// What a CA is told that asks for `token`, if it is told anything.
    fn challenge(&self, token: &str) -> Option<String> {
        self.parts.challenges.as_ref()?.answer(token)
    }

    fn plain_http_has_ended(&self) -> Reply {
        let ota = self.parts.public.ota_url();
        let text = format!("plain HTTP has ended here: use {ota}\n");
        reply::error(StatusCode::FORBIDDEN, text)
    }

    fn may_come(&self, peer: Peer, now: SystemTime) -> bool {
        peer.secure || self.parts.plain_http.allowed(now)
    }

    /// Names a device that comes over plain HTTP, so that an operator knows when
    /// the migration is over. Behind a proxy that says nothing of it nobody here
    /// sees how it came.
    fn name_plain_device(&self, head: &Head, peer: Peer, now: SystemTime) {
        let parts = &self.parts;
        let untold = peer.relayed || (parts.behind_proxy && parts.trusted.is_empty());
        // A proxy that is known to be one can be told to say it, and that it does
        // not shows nowhere else.
        let remedy = peer.relayed && !parts.plain_http.allowed(now);
        if peer.secure || (untold && !remedy) {
            return;
        }
        let Some(device) = checkin::device_id(&head.headers) else {
            return;
        };
        if !self.plain_devices.is_due(&device, now) {
            return;
        }
        let (device, peer) = (checkin::shown(&device), peer.address.ip());
        if untold {
            info!(target: LOG, device, %peer, "refused: plain HTTP has ended, and the proxy does not say that the device came over https: let it send X-Forwarded-Proto from an address in gateway.behind_proxy, or pass TLS on to here (named once a day)");
        } else if !self.parts.plain_http.allowed(now) {
            info!(target: LOG, device, %peer, "refused: the device still comes over plain HTTP, which has ended (named once a day)");
        } else if let PlainHttp::Until { day, .. } = &self.parts.plain_http {
            info!(target: LOG, device, %peer, last_day = %day, "the device still comes over plain HTTP (named once a day)");
        } else {
            info!(target: LOG, device, %peer, "the device comes over plain HTTP (named once a day)");
        }
    }
}

impl Handler for Front {
    type Body = ReplyBody;

    async fn handle(
        self: Arc<Self>,
        peer: Peer,
        request: Request<Incoming>,
    ) -> Response<ReplyBody> {
        let peer = forwarded::resolve(peer, request.headers(), &self.parts.trusted);
        self.answer(peer, request).await
    }
}
