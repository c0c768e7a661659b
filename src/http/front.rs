//! The handler behind every port: routes a request, refuses plain HTTP where it
//! has ended, and leaves the rest to the rooms beside it.

use super::addresses::{Addresses, MadeUp, Reached};
use super::bodies::BodyBudget;
use super::body::ReplyBody;
use super::checkin::CheckIns;
use super::cors::{Cors, Page, Pages};
use super::download::Downloads;
use super::gate::PlainHttpGate;
use super::input::NoBody;
use super::plain::PlainHttp;
use super::proxy::upstream::{Roots, Upstream, UpstreamSettings};
use super::proxy::{MatchedRoute, Proxy, ProxySettings, SeenBackend};
use super::reply::{self, Reply};
use super::request::{self, Head};
use super::router::{Route, Router};
use super::turned_away::{self, Passes, TurnedAway};
use super::{AnswersChallenges, ambiguous, counted, forwarded, input, wanted};
use crate::firmware::catalogue::Catalogue;
use crate::firmware::store::Store;
use crate::fleet::{Fleet, LastReplies};
use crate::ota::credentials::Voice;
use crate::ota::decide::Policy;
use crate::ota::public_url::{PublicAddress, VISION_PATH, WEBSOCKET_PATH};
use crate::ota::websocket_url::WebSocketUrl;
use crate::server::shutdown::Ending;
use crate::server::{Handler, Peer, ResetWatch, Spaced, Trusted};
use crate::util::once::Once;
use arc_swap::ArcSwap;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Methods that the OTA interface takes.
const METHODS: &str = "GET, HEAD, POST, OPTIONS";
/// Time between two log lines about one device that comes over plain HTTP.
const NAMED: Duration = Duration::from_secs(86_400);
/// Number of such devices that are remembered.
const REMEMBERED: usize = 1 << 18;

/// Parts of the front door, for its whole life.
#[derive(Debug)]
pub(crate) struct FrontParts {
    /// Images that can be offered.
    pub catalogue: Arc<Catalogue>,
    pub store: Arc<Store>,
    /// Memory of what each device was told.
    pub fleet: Arc<Fleet>,
    /// Last replies of the server behind, in upstream mode.
    pub replies: Arc<LastReplies>,
    /// Authorities that this machine trusts, for an upstream over https.
    pub roots: Roots,
    /// Memory for bodies of requests.
    pub bodies: Arc<BodyBudget>,
    /// `gateway.behind_proxy`.
    pub behind_proxy: bool,
    /// Addresses in `gateway.behind_proxy`, whose `X-Forwarded-*` headers are believed.
    pub trusted: Trusted,
    /// Answers to a CA's challenges; `None` where no certificate is ordered here.
    pub challenges: Option<Arc<dyn AnswersChallenges>>,
    /// Clock: returns the current time.
    pub clock: fn() -> SystemTime,
    /// Returns this machine's IPv4 address, as it is now.
    pub own_address: fn() -> Option<Ipv4Addr>,
    /// Tells whether the server is being stopped.
    pub ending: Ending,
}

/// Settings of the front door: one value, replaced whole. A request keeps the one that it
/// began with.
#[derive(Debug)]
pub(crate) struct FrontSettings {
    pub public: PublicAddress,
    /// The way in which it is made up, where nobody configured it.
    pub made_up: Option<MadeUp>,
    /// Policy of offers: which device is offered what.
    pub policy: Policy,
    /// Voice server that devices are sent to.
    pub voice: Voice,
    /// WebSocket address that a `GET` shows, and of devices without MQTT.
    pub websocket: WebSocketUrl,
    /// `server.timezone_offset`, in minutes.
    pub timezone_offset: i32,
    /// Time until which devices may come over plain HTTP.
    pub plain_http: PlainHttp,
    /// Web pages that may have a token.
    pub cors: Cors,
    /// Paths that are passed on to servers behind this one.
    pub proxy: ProxySettings,
    /// The server that answers all but firmware, in upstream mode.
    pub upstream: Option<UpstreamSettings>,
    /// Time within which a whole body must come.
    pub idle: Duration,
    /// Time for open connections to finish when the server stops.
    pub drain: Duration,
}

/// The front door.
#[derive(Debug)]
pub(crate) struct Front {
    parts: FrontParts,
    memory: Memory,
    answers: ArcSwap<Answers>,
}

/// Memory of who was told what, which outlives the settings.
#[derive(Debug, Clone)]
struct Memory {
    plain_http: Arc<Once>,
    turned_away: Arc<TurnedAway>,
}

/// Handlers, as the settings of one moment have them.
#[derive(Debug)]
struct Answers {
    check_ins: CheckIns,
    downloads: Downloads,
    proxy: Arc<Proxy>,
    router: Router,
    gate: PlainHttpGate,
    pages: Pages,
    addresses: Addresses,
    challenges: Option<Arc<dyn AnswersChallenges>>,
    idle: Duration,
    turned_away: Arc<TurnedAway>,
}

/// Destination of a request.
enum Target<'front, 'head> {
    CheckIn,
    /// A check-in at a part of the OTA address.
    CheckInAtPart,
    Show,
    Activate,
    Options,
    /// `OPTIONS` where check-ins are.
    Preflight,
    Download(&'head str),
    /// A server behind this one, and the path that was meant, where it is spelt
    /// otherwise.
    Proxy(MatchedRoute<'front>, Option<String>),
    /// Answer to a CA's challenge.
    Challenge(String),
    /// A method that is not allowed here, and those that are.
    NotAllowed(&'static str),
    Nothing,
}

impl Front {
    /// Puts the parts together.
    pub(crate) fn new(parts: FrontParts, settings: FrontSettings) -> Self {
        let memory = Memory {
            plain_http: Arc::new(Once::new(NAMED, REMEMBERED)),
            turned_away: Arc::new(TurnedAway::new(Arc::clone(&parts.fleet))),
        };
        let answers = Answers::new(&parts, settings, &memory, None);
        Self {
            answers: ArcSwap::from_pointee(answers),
            parts,
            memory,
        }
    }

    /// Answers by other settings from the next request on.
    pub(crate) fn change(&self, settings: FrontSettings) {
        let before = self.answers.load();
        let answers = Answers::new(&self.parts, settings, &self.memory, Some(&before));
        self.answers.store(Arc::new(answers));
    }

    /// Returns the servers behind this one, as they were seen last.
    pub(crate) fn backends(&self) -> Vec<SeenBackend> {
        let mut backends = self.answers.load().proxy.backends();
        backends.extend(self.upstream());
        backends
    }

    /// Returns the one that answers all but firmware, as it was seen last, in upstream mode.
    pub(crate) fn upstream(&self) -> Option<SeenBackend> {
        let answers = self.answers.load();
        let upstream = answers.check_ins.upstream.as_ref();
        upstream.map(|upstream| upstream.seen())
    }
}

impl Answers {
    /// Makes the handlers for `settings`. A proxy that goes on as it was keeps its
    /// connections to servers behind.
    fn new(
        parts: &FrontParts,
        settings: FrontSettings,
        memory: &Memory,
        before: Option<&Self>,
    ) -> Self {
        let public = settings.public;
        let known = before.and_then(|before| before.check_ins.upstream.as_ref());
        let upstream = settings
            .upstream
            .map(|new| Upstream::of(new, known, &parts.replies, parts.roots));
        let before = before.map(|before| &before.proxy);
        let proxy = Proxy::new(settings.proxy, &public, settings.drain);
        Self {
            router: Router::new(public.served_paths().to_vec()),
            proxy: match before {
                Some(before) if before.is_like(&proxy) => Arc::clone(before),
                _ => Arc::new(proxy),
            },
            check_ins: CheckIns {
                catalogue: Arc::clone(&parts.catalogue),
                fleet: Arc::clone(&parts.fleet),
                policy: settings.policy,
                voice: settings.voice,
                timezone_offset: settings.timezone_offset,
                idle: settings.idle,
                bodies: Arc::clone(&parts.bodies),
                turned_away: Arc::clone(&memory.turned_away),
                upstream,
                ending: parts.ending.clone(),
            },
            downloads: Downloads {
                catalogue: Arc::clone(&parts.catalogue),
                fleet: Arc::clone(&parts.fleet),
                store: Arc::clone(&parts.store),
                turned_away: Arc::clone(&memory.turned_away),
            },
            gate: PlainHttpGate {
                plain_http: settings.plain_http,
                behind_proxy: parts.behind_proxy,
                has_trusted: !parts.trusted.is_empty(),
                named: Arc::clone(&memory.plain_http),
                turned_away: Arc::clone(&memory.turned_away),
            },
            pages: Pages::new(settings.cors, public.url()),
            addresses: Addresses::new(
                public,
                settings.made_up,
                settings.websocket,
                parts.own_address,
            ),
            challenges: parts.challenges.clone(),
            idle: settings.idle,
            turned_away: Arc::clone(&memory.turned_away),
        }
    }

    async fn answer(
        &self,
        peer: Peer,
        watch: &ResetWatch,
        request: Request<Incoming>,
        now: SystemTime,
    ) -> Reply {
        let (mut head, body) = request.into_parts();
        let turned_away = &*self.turned_away;
        let about = |head| request::Request { head, peer, now };
        if let Some(reply) = self.refused(about(&head)) {
            input::discard_beside(body, self.idle);
            return reply::closing(reply);
        }
        let target = self.target(&head);
        // A CA comes over plain HTTP only, ended or not; where nothing is, nothing has
        // ended.
        let is_gated = !matches!(target, Target::Challenge(_) | Target::Nothing);
        let is_check_in = matches!(target, Target::CheckIn | Target::CheckInAtPart);
        let over_tls = || self.over_tls(peer, &head);
        let page = match target {
            Target::CheckIn | Target::CheckInAtPart | Target::Preflight => {
                self.pages.of(peer, &head)
            }
            _ => Page::Open,
        };
        let reply = if is_gated && !self.gate.lets_in(about(&head), over_tls) {
            let ota = over_tls().map(|ota| format!(": use {ota}"));
            let text = format!("plain HTTP has ended here{}\n", ota.unwrap_or_default());
            reply::error(StatusCode::FORBIDDEN, text)
        } else if let Page::Foreign(origin) = &page {
            turned_away.page(about(&head), origin);
            reply::for_no_page()
        } else {
            match target {
                // These read the body themselves.
                Target::CheckIn | Target::CheckInAtPart => {
                    let reached = self.addresses.of(peer, &head);
                    turned_away.in_front(about(&head), &reached);
                    if matches!(target, Target::CheckInAtPart) {
                        turned_away.part(about(&head), || shown(&reached));
                    }
                    let answer = self.check_ins.answer(peer, &head, &reached, body, now);
                    return page.admit(counted::unless_refused(answer.await, peer.secure));
                }
                Target::Nothing if wanted::may_be_stripped(&head) => {
                    let bodies = &self.check_ins.bodies;
                    let read = input::read(body, self.idle, bodies).await;
                    if let Err(missing) = &read
                        && matches!(missing.why, NoBody::Crowded)
                    {
                        return turned_away::crowded(missing, about(&head), bodies);
                    }
                    let is_report = read
                        .as_ref()
                        .is_ok_and(|body| wanted::is_report(&body.bytes));
                    let reply = self.nothing(about(&head), is_report);
                    return if read.is_ok() {
                        reply
                    } else {
                        reply::closing(reply)
                    };
                }
                Target::Proxy(route, path) => {
                    turned_away.voice(about(&head), || shown(&self.addresses.of(peer, &head)));
                    if let Some(uri) = path.and_then(|path| request::at_path(&head.uri, path)) {
                        head.uri = uri;
                    }
                    let answer = route.answer(peer, head, body, watch, turned_away, now);
                    // On the heap: what a check-in's future has no use for is not in it.
                    return watch.during(Box::pin(answer)).await;
                }
                Target::Show => {
                    let reached = self.addresses.of(peer, &head);
                    turned_away.at_ota(about(&head));
                    turned_away.in_front(about(&head), &reached);
                    self.check_ins.show(&reached)
                }
                Target::Activate => return self.check_ins.activate(peer, &head, body, now).await,
                Target::Options => reply::options(),
                Target::Preflight => page.admit(reply::options()),
                Target::Download(name) => {
                    let base = || self.download_base(peer, &head);
                    self.downloads.answer(about(&head), name, base).await
                }
                Target::Challenge(answer) => reply::text(answer),
                Target::NotAllowed(allowed) => {
                    turned_away.method(about(&head), allowed);
                    reply::method_not_allowed(allowed)
                }
                Target::Nothing => self.nothing(about(&head), false),
            }
        };
        let reply = if is_check_in {
            counted::unless_refused(reply, peer.secure)
        } else {
            reply
        };
        if input::discard_beside(body, self.idle) {
            reply
        } else {
            reply::closing(reply)
        }
    }

    /// Refuses what is answered at no path, whoever is behind it.
    fn refused(&self, request: request::Request<'_>) -> Option<Reply> {
        let request::Request { head, peer, .. } = request;
        if head.extensions.get::<Spaced>().is_some() {
            let url = || shown(&self.addresses.of(peer, head));
            self.turned_away.spaced(request, url);
            let text = "more than one blank in front of the path\n";
            return Some(reply::error(StatusCode::BAD_REQUEST, text));
        }
        if let Some((status, text)) = ambiguous::fault(head) {
            let error = text.trim_end();
            self.turned_away.refused(request, status.as_u16(), error);
            return Some(reply::error(status, text));
        }
        // This is nobody's way to somewhere else, whatever a server behind says.
        (head.method == Method::CONNECT).then(|| {
            self.turned_away.method(request, METHODS);
            reply::method_not_allowed(METHODS)
        })
    }

    /// Finds the destination of a request.
    fn target<'front, 'head>(&'front self, head: &'head Head) -> Target<'front, 'head> {
        let path = head.uri.path();
        let method = &head.method;
        let post = *method == Method::POST;
        let get = matches!(*method, Method::GET | Method::HEAD);
        match self.router.route(path) {
            Route::Nothing => Target::Nothing,
            Route::Other => self.behind(path),
            Route::Part => match self.behind(path) {
                // Nobody else's device posts with both, and a 404 would strand it.
                Target::Nothing if post && request::names_device(&head.headers) => {
                    Target::CheckInAtPart
                }
                target => target,
            },
            // A CA may be answered by somebody else behind us.
            Route::Challenge(token) => match self.challenge(token) {
                Some(answer) if get => Target::Challenge(answer),
                Some(_) => Target::Nothing,
                None => self.behind(path),
            },
            Route::CheckIn if *method == Method::OPTIONS => Target::Preflight,
            _ if *method == Method::OPTIONS => Target::Options,
            Route::CheckIn if post => Target::CheckIn,
            Route::CheckIn if get => Target::Show,
            Route::Activate if get || post => Target::Activate,
            Route::CheckIn | Route::Activate => Target::NotAllowed(METHODS),
            Route::Download(name) if get => Target::Download(name),
            Route::Download(_) => Target::NotAllowed("GET, HEAD, OPTIONS"),
        }
    }

    /// Finds the server behind this one that a request is for.
    fn behind(&self, path: &str) -> Target<'_, 'static> {
        let found = || self.proxy.find(path).map(|route| (route, None));
        match self.proxy.meant(path).or_else(found) {
            Some((route, path)) => Target::Proxy(route, path),
            None => Target::Nothing,
        }
    }

    /// Answers a request for a path where nothing is, and names who looked for us.
    fn nothing(&self, request: request::Request<'_>, is_report: bool) -> Reply {
        let ota = shown(&self.addresses.of(request.peer, request.head));
        let passes = |path| self.proxy.find(path).is_some();
        let passes = Passes {
            voice: passes(WEBSOCKET_PATH),
            vision: passes(VISION_PATH),
        };
        let near = |file: &str| {
            let base = self.download_base(request.peer, request.head);
            self.downloads.near(file, base)
        };
        let (router, url) = (&self.router, ota.as_deref());
        self.turned_away
            .nothing(request, router, url, passes, is_report, near);
        let ota = ota.map(|ota| format!(": the OTA address is {ota}"));
        let text = format!("nothing here{}\n", ota.unwrap_or_default());
        reply::error(StatusCode::NOT_FOUND, text)
    }

    /// Returns the address in front of a file's name.
    fn download_base(&self, peer: Peer, head: &Head) -> Option<String> {
        let base = self.addresses.of(peer, head).download_base()?.into_owned();
        Some(base)
    }

    /// Returns the answer to the challenge `token`, if one is pending.
    fn challenge(&self, token: &str) -> Option<String> {
        self.challenges.as_ref()?.answer(token)
    }

    /// Returns the OTA address of a request over TLS: each port takes both, and the same
    /// place is there.
    fn over_tls(&self, peer: Peer, head: &Head) -> Option<String> {
        let over_tls = Peer {
            secure: true,
            ..peer
        };
        shown(&self.addresses.of(over_tls, head))
    }
}

/// Returns the OTA address that a device is told to type.
fn shown(reached: &Reached<'_>) -> Option<String> {
    reached.ota().map(ToString::to_string)
}

impl Handler for Front {
    type Body = ReplyBody;

    async fn handle(
        self: Arc<Self>,
        peer: Peer,
        watch: &ResetWatch,
        request: Request<Incoming>,
    ) -> Response<ReplyBody> {
        let peer = forwarded::resolve(peer, request.headers(), &self.parts.trusted);
        let answers = self.answers.load();
        let now = (self.parts.clock)();
        answers.answer(peer, watch, request, now).await
    }

    fn turned_away() -> Bytes {
        reply::turned_away()
    }

    fn address(&self, peer: Peer) -> Option<String> {
        // Nothing is known of a request that nobody could read.
        let (head, ()) = Request::new(()).into_parts();
        shown(&self.answers.load().addresses.of(peer, &head))
    }

    fn wants_local(&self) -> bool {
        self.answers.load().addresses.depend_on_requests()
    }

    fn may_name(&self, device: &str, peer: Peer) -> bool {
        let (peer, now) = (peer.address.ip(), (self.parts.clock)());
        self.memory.turned_away.may_name(device, peer, now)
    }
}
