//! Check-ins: reads what a device posts, and answers it.

use super::addresses::Reached;
use super::bodies::BodyBudget;
use super::charset;
use super::counted;
use super::input::{self, Missing, NoBody};
use super::near_models;
use super::proxy::upstream::{self, Told, Upstream};
use super::reply::{self, Reply};
use super::request::{CLIENT_ID, DEVICE_ID, Head, Request, shown, text};
use super::turned_away::{self, TurnedAway};
use crate::event::{self, Event, event, tell};
use crate::firmware::catalogue::Catalogue;
use crate::fleet::{Came, Fleet};
use crate::ota::credentials::Voice;
use crate::ota::decide::{Decision, Outcome, Policy, Withheld, decide};
use crate::ota::reply::{Firmware, since_epoch, write};
use crate::server::Peer;
use crate::server::shutdown::Ending;
use hyper::StatusCode;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, USER_AGENT};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tracing::{Level, debug, enabled};
use xiaozhi_device::checkin::{CheckIn, Report};
use xiaozhi_device::guards::Reason;
use xiaozhi_device::private;

/// Number of bytes of a body that the log shows.
const BODY_SHOWN: usize = 4096;
/// Number of bytes of a query with a token.
const QUERY: usize = 25;
/// Number of withheld files that the log names for one device.
const WITHHELD_SHOWN: usize = 5;

/// Headers that name a model or a version, most important first, as
/// xiaozhi-server looks for them.
static MODEL_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("device-model"),
    HeaderName::from_static("device_model"),
    HeaderName::from_static("model"),
];
static VERSION_HEADERS: [HeaderName; 5] = [
    HeaderName::from_static("device-version"),
    HeaderName::from_static("device_version"),
    HeaderName::from_static("firmware-version"),
    HeaderName::from_static("app-version"),
    HeaderName::from_static("application-version"),
];

/// Handler of check-ins, and the parts that it needs.
#[derive(Debug)]
pub(super) struct CheckIns {
    /// Images that can be offered.
    pub(super) catalogue: Arc<Catalogue>,
    /// Memory of what each device was told.
    pub(super) fleet: Arc<Fleet>,
    /// Policy of offers: which device is offered what.
    pub(super) policy: Policy,
    /// Voice server that devices are sent to.
    pub(super) voice: Voice,
    /// `server.timezone_offset`, in minutes.
    pub(super) timezone_offset: i32,
    /// Time within which a whole body must come.
    pub(super) idle: Duration,
    /// Memory for bodies.
    pub(super) bodies: Arc<BodyBudget>,
    /// Memory of who was told why there is no answer.
    pub(super) turned_away: Arc<TurnedAway>,
    /// The server that answers all but firmware, in upstream mode.
    pub(super) upstream: Option<Arc<Upstream>>,
    /// Tells whether this server is being stopped.
    pub(super) ending: Ending,
}

impl CheckIns {
    /// Answers a `GET`: says that the interface works, in the guide's words.
    pub(super) fn show(&self, reached: &Reached<'_>) -> Reply {
        if self.upstream.is_some() {
            // Anybody may ask: where that server stands is nobody's business.
            return reply::text("OTA接口运行正常，激活和语音地址由上游服务器应答".to_owned());
        }
        let websocket = reached.websocket();
        reply::text(format!(
            "OTA接口运行正常，向设备发送的websocket地址是：{}",
            websocket
                .as_deref()
                .unwrap_or("（没有设备能用的地址，请设置 server.websocket）")
        ))
    }

    /// Answers a `POST`, the check-in itself. Whatever the device reports, the status
    /// is 200: an OTA fault must not keep it from its voice server.
    pub(super) async fn answer(
        &self,
        peer: Peer,
        head: &Head,
        reached: &Reached<'_>,
        body: Incoming,
        now: SystemTime,
    ) -> Reply {
        let request = Request { head, peer, now };
        let body = match input::read(body, self.idle, &self.bodies).await {
            Ok(body) => body,
            Err(missing) => return self.without_body(&missing, request),
        };
        let headers = &head.headers;
        let sent = body.bytes.clone();
        let body = charset::in_utf8(headers, body.bytes.clone());
        let named = CheckInHeaders::read(headers);
        let (Some(device), Some(client)) = (&named.device, &named.client) else {
            self.turned_away.unnamed(
                request,
                match (&named.device, &named.client) {
                    (Some(_), _) => "Client-Id",
                    (None, Some(_)) => "Device-Id",
                    (None, None) => "Device-Id, Client-Id",
                },
            );
            return counted::refused(reply::request_error(), peer.secure);
        };
        let check_in = CheckIn {
            device,
            client,
            model_header: named.model.as_deref(),
            version_header: named.version.as_deref(),
            report: Report::read(&body),
        };
        let say = || {
            tell!(CHECK_IN, device = shown(device), peer = peer.address);
            self.turned_away.body(request, &check_in, &body);
            if enabled!(Level::DEBUG) {
                log_report(&check_in, peer, headers, &body);
            }
        };
        let Some(upstream) = &self.upstream else {
            return event::together(peer.address.ip(), || {
                say();
                self.decided(&check_in, peer, reached, now, None)
            });
        };
        event::together(peer.address.ip(), say);
        let offset = self.timezone_offset;
        // On the heap: where nothing stands behind, a check-in's future is small.
        let told = Box::pin(upstream.check_in(&check_in, request, sent, offset)).await;
        event::together(peer.address.ip(), || {
            self.decided(&check_in, peer, reached, now, Some((upstream, told)))
        })
    }

    /// Answers an activation: here nothing needs one, and behind this server one may.
    pub(super) async fn activate(
        &self,
        peer: Peer,
        head: &Head,
        body: Incoming,
        now: SystemTime,
    ) -> Reply {
        let request = Request { head, peer, now };
        let Some(upstream) = &self.upstream else {
            let reply = reply::activated();
            return if input::discard_beside(body, self.idle) {
                reply
            } else {
                reply::closing(reply)
            };
        };
        match input::read(body, self.idle, &self.bodies).await {
            Ok(body) => Box::pin(upstream.activate(request, body.bytes.clone())).await,
            Err(missing) => self.without_body(&missing, request),
        }
    }

    /// Answers a check-in whose body did not come whole, and says why.
    fn without_body(&self, missing: &Missing, request: Request<'_>) -> Reply {
        if matches!(missing.why, NoBody::Crowded) {
            return turned_away::crowded(missing, request, &self.bodies);
        }
        self.turned_away.without_body(missing, request, self.idle);
        let (status, text) = match missing.why {
            NoBody::TooBig => (
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {} bytes\n", input::LIMIT),
            ),
            NoBody::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "the body did not come in time\n".to_owned(),
            ),
            NoBody::Cut | NoBody::Crowded | NoBody::Chunks(_) => {
                (StatusCode::BAD_REQUEST, "the body ended early\n".to_owned())
            }
        };
        reply::closing(reply::error(status, text))
    }

    /// Decides what a device is told, notes it, and writes the reply: our own, or that of the
    /// server behind with `firmware` from here.
    fn decided(
        &self,
        check_in: &CheckIn<'_>,
        peer: Peer,
        reached: &Reached<'_>,
        now: SystemTime,
        behind: Option<(&Arc<Upstream>, Told)>,
    ) -> Reply {
        let came = Came {
            address: peer.address.ip(),
            is_secure: peer.secure,
            at: now,
        };
        // What it runs is learned, whatever it is answered.
        let visit = self.fleet.visit(check_in, came);
        let mut behind = match behind {
            None => None,
            Some((upstream, Told::Now(reply) | Told::Again(reply))) => Some((upstream, reply)),
            Some((_, Told::Nothing)) => return upstream::unanswered(),
        };
        let snapshot = self.catalogue.snapshot();
        let own = check_in.version();
        let mut decision = decide(check_in, &snapshot, &self.policy, &visit);
        let base = reached.download_base().unwrap_or_default();
        if base.is_empty() {
            decision.withdraw(Reason::NoAddress);
        }
        if self.ending.is_asked() {
            decision.withdraw(Reason::Stopping);
        }
        let hold = behind.as_ref().and_then(|(_, reply)| reply.hold);
        if let Some(hold) = hold {
            decision.withdraw(hold.reason());
        }
        let mut url = String::new();
        if let Outcome::Offer { entry, .. } = decision.outcome {
            url.reserve(base.len() + entry.url_name.len() + QUERY);
            url.push_str(&base);
            url.push_str(&entry.url_name);
        }
        if let Some((upstream, reply)) = &mut behind {
            let query = if url.is_empty() { 0 } else { QUERY };
            let firmware = Firmware::of(&decision, own, &url);
            if reply.make_room(firmware.as_ref(), query).is_err() {
                // Its voice goes first. There is room where nothing is offered.
                decision.withdraw(Reason::LongReply);
                url.clear();
            }
            upstream.say_left_out(check_in.device, reply, now);
        }
        counted::decision(&decision, peer.secure);
        say_decision(check_in, &decision, peer, reached, &url);
        let noted = visit.told(&decision);
        // The log has it without: whoever tries the address from there is not the device.
        if let Some(token) = noted.token {
            url.push_str("?t=");
            url.push_str(&token);
        }
        // The same again at every boot would hide what is new.
        if noted.is_news {
            log_withheld(shown(check_in.device), own, &decision.withheld);
        }
        near_models::tell_why(&self.fleet, &decision, check_in, now);
        if let Some((_, reply)) = &behind {
            return reply::json(reply.write(Firmware::of(&decision, own, &url).as_ref()));
        }
        let websocket = match self.voice {
            Voice::WebSocket { .. } => reached.websocket(),
            Voice::Mqtt { .. } => None,
        };
        let seconds = since_epoch(now).as_secs();
        let voice = self.voice.block(check_in, websocket.as_deref(), seconds);
        reply::json(write(
            &decision,
            own,
            &url,
            voice,
            now,
            self.timezone_offset,
        ))
    }
}

/// Says in the guide's words what a device is told.
fn say_decision(
    check_in: &CheckIn<'_>,
    decision: &Decision<'_>,
    peer: Peer,
    reached: &Reached<'_>,
    url: &str,
) {
    let (device, own, peer) = (shown(check_in.device), check_in.version(), peer.address);
    let (model, count) = (shown(decision.model), decision.candidates);
    // The guide tells operators to compare the device's model with the files.
    let reported = check_in
        .models()
        .next()
        .filter(|named| *named != decision.model);
    tell!(
        CANDIDATES,
        model = model,
        count = count,
        peer = peer,
        reported = reported.map(shown)
    );
    match decision.outcome {
        Outcome::Offer { entry, force } => {
            let (version, force) = (entry.version.as_str(), force.then_some(1u8));
            tell!(
                OFFER,
                device = device,
                version = version,
                url = url,
                peer = peer,
                force = force,
                setting = reached.setting()
            );
        }
        Outcome::UpToDate if decision.is_early => {
            tell!(STILL_READING, device = device, version = shown(own));
        }
        Outcome::UpToDate => {
            let withheld = decision.withheld.len();
            let withheld = (withheld > 0).then_some(withheld);
            tell!(
                UP_TO_DATE,
                device = device,
                version = shown(own),
                peer = peer,
                withheld = withheld
            );
        }
        Outcome::Silent => tell!(SILENT, device = device, version = shown(own)),
    }
}

fn log_withheld(device: &str, own: &str, withheld: &[Withheld<'_>]) {
    let version = shown(own);
    let say = |event: Event| {
        let event = event.of("version", version).of("device", device);
        event::way(event.kind).say(event);
    };
    for withheld in withheld.iter().take(WITHHELD_SHOWN) {
        say(withheld.event());
    }
    if withheld.len() > WITHHELD_SHOWN {
        say(event!(
            WITHHELD_MORE,
            more = withheld.len() - WITHHELD_SHOWN
        ));
    }
}

/// Logs everything that was reported, the version above all (the guide's FAQ 3).
fn log_report(check_in: &CheckIn<'_>, peer: Peer, headers: &HeaderMap, body: &Bytes) {
    // Masked first: where it is cut, the end of a name might not be known for one.
    let body_text = String::from_utf8_lossy(body);
    let body_text = private::masked(&body_text);
    let body_shown = &body_text[..body_text.floor_char_boundary(BODY_SHOWN)];
    let user_agent = headers.get(USER_AGENT).and_then(text).unwrap_or_default();
    debug!(
        device = shown(check_in.device),
        version = shown(check_in.version()),
        model = shown(check_in.models().next().unwrap_or_default()),
        client = shown(check_in.client),
        peer = %peer.address,
        scheme = if peer.secure { "https" } else { "http" },
        user_agent = shown(&user_agent),
        bytes = body.len(),
        "check-in reported {body_shown}"
    );
}

/// Headers of a check-in that name the device, its model and its version.
struct CheckInHeaders<'a> {
    device: Option<Cow<'a, str>>,
    client: Option<Cow<'a, str>>,
    model: Option<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
}

impl<'a> CheckInHeaders<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        // Of a header that comes twice the first counts.
        let header = |name: &HeaderName| headers.get_all(name).iter().find_map(text);
        Self {
            device: header(&DEVICE_ID),
            client: header(&CLIENT_ID),
            model: MODEL_HEADERS.iter().find_map(header),
            version: VERSION_HEADERS.iter().find_map(header),
        }
    }
}
