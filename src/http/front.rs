//! The handler behind every port: routes a request, refuses plain HTTP where it
//! has ended, and leaves the rest to the rooms beside it.

use super::body::ReplyBody;
use super::plain::{OnceADay, PlainHttp};
use super::reply::{self, Reply};
use super::router::{Route, Router};
use super::{checkin, download};
use crate::firmware::catalogue::Catalogue;
use crate::firmware::store::Store;
use crate::ota::credentials::Voice;
use crate::ota::decide::Policy;
use crate::ota::public_url::PublicAddress;
use crate::server::{Handler, Peer};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tracing::info;

/// What the front door is made of.
#[derive(Debug)]
pub struct Parts {
    /// What can be offered.
    pub catalogue: Arc<Catalogue>,
    /// The bytes of it.
    pub store: Arc<Store>,
    /// The public address.
    pub public: PublicAddress,
    /// Who is offered what.
    pub policy: Policy,
    /// How devices reach their voice server.
    pub voice: Voice,
    /// The WebSocket address that a `GET` shows.
    pub websocket: String,
    /// `server.timezone_offset`, in minutes.
    pub timezone_offset: i32,
    /// Until when devices may come over plain HTTP.
    pub plain_http: PlainHttp,
    /// How long a body may stand still.
    pub idle: Duration,
    /// Tells the time.
    pub clock: fn() -> SystemTime,
}

/// The front door.
#[derive(Debug)]
pub struct Front {
    pub(super) parts: Parts,
    pub(super) download_base: String,
    router: Router,
    plain_devices: OnceADay,
}

impl Front {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self {
            router: Router::new(parts.public.served_paths()),
            download_base: parts.public.download_base(),
            plain_devices: OnceADay::default(),
            parts,
        }
    }

    async fn answer(&self, peer: Peer, request: Request<Incoming>) -> Reply {
        // A handle on the path, so that the request can be handed on.
        let uri = request.uri().clone();
        let route = self.router.route(uri.path());
        let now = (self.parts.clock)();
        if route == Route::Other {
            return reply::error(
                StatusCode::NOT_FOUND,
                ascii(format!(
                    "nothing here: the OTA address is {}\n",
                    self.parts.public.ota_url()
                )),
            );
        }
        if !peer.secure {
            let allowed = self.parts.plain_http.allowed(now);
            if let Some(device) = checkin::device_id(&request) {
                self.name_plain_device(&device, peer, allowed, now);
            }
            if !allowed {
                return reply::error(
                    StatusCode::FORBIDDEN,
                    ascii(format!(
                        "plain HTTP has ended here: use {}\n",
                        self.parts.public.ota_url()
                    )),
                );
            }
        }
        if request.method() == Method::OPTIONS {
            return reply::options();
        }
        let post = request.method() == Method::POST;
        let get = matches!(*request.method(), Method::GET | Method::HEAD);
        match route {
            Route::CheckIn if post => checkin::answer(self, peer, request, now).await,
            Route::CheckIn if get => checkin::show(self),
            Route::Activate if get || post => checkin::activate(),
            Route::CheckIn | Route::Activate => {
                reply::method_not_allowed("GET, HEAD, POST, OPTIONS")
            }
            Route::Download(name) if get => download::answer(self, peer, name, &request).await,
            Route::Download(_) | Route::Other => reply::method_not_allowed("GET, HEAD, OPTIONS"),
        }
    }

    /// So that an operator knows when the migration is over.
    fn name_plain_device(&self, device: &str, peer: Peer, allowed: bool, now: SystemTime) {
        if !self.plain_devices.is_due(device, now) {
            return;
        }
        let peer = peer.address.ip();
        if !allowed {
            info!(%device, %peer, "refused: the device still comes over plain HTTP, which has ended (named once a day)");
        } else if let PlainHttp::Until { day, .. } = &self.parts.plain_http {
            info!(%device, %peer, last_day = %day, "the device still comes over plain HTTP (named once a day)");
        } else {
            info!(%device, %peer, "the device comes over plain HTTP (named once a day)");
        }
    }
}

/// Keeps what an error text may hold.
fn ascii(mut text: String) -> String {
    text.retain(|c| c.is_ascii());
    text.truncate(300);
    text
}

impl Handler for Front {
    type Body = ReplyBody;

    async fn handle(
        self: Arc<Self>,
        peer: Peer,
        request: Request<Incoming>,
    ) -> Response<ReplyBody> {
        self.answer(peer, request).await
    }
}
