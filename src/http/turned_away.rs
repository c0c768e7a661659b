//! Whoever is turned away is told why, in the log: once an hour for each device, or for
//! each address where it names no device.

use super::addresses::Reached;
use super::bodies::BodyBudget;
use super::cors::Origin;
use super::input::{self, Missing, NoBody};
use super::no_json;
use super::reply::{self, Reply};
use super::request::{Request, device_id, names_device, shown, text};
use super::router::Router;
use super::spelling;
use super::upgrade_headers;
use super::wanted;
use crate::event::{self, Kind, event, kinds, tell};
use crate::fleet::Fleet;
use crate::ota::public_url::{VISION_PATH, WEBSOCKET_PATH};
use crate::util::network::customer;
use crate::util::once::{Allowance, HOUR, Left};
use crate::util::teller::Teller;
use hyper::Method;
use hyper::header::{CONTENT_ENCODING, HeaderValue};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use xiaozhi_device::checkin::CheckIn;
use xiaozhi_device::redact;

/// Number of clients for which the last log line is remembered.
const REMEMBERED: usize = 1 << 14;

/// Number of names that each address may have said within an hour: of devices that were
/// never served, and of files that are not here. A name costs a stranger nothing, and must
/// not make a line of its own for ever; 300 devices behind one router are each named, for
/// one reason and some of them for another, and 500 lines an hour fill no disk. A device
/// that has checked in is named however many others come from where it is.
const NAMES: u32 = 500;

/// Memory of who was told what.
#[derive(Debug)]
pub(super) struct TurnedAway {
    teller: Teller,
    names: Allowance,
    /// Memory of who was served.
    fleet: Arc<Fleet>,
}

impl TurnedAway {
    pub(super) fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            teller: Teller::new(REMEMBERED),
            names: Allowance::new(HOUR, NAMES, REMEMBERED),
            fleet,
        }
    }

    /// Returns whether the log takes this kind, and it is time to tell it of a request's
    /// device, or of its address where it names none.
    pub(super) fn is_due(&self, kind: &Kind, request: Request<'_>) -> bool {
        let (peer, now) = (request.peer.address.ip(), request.now);
        match device_id(&request.head.headers) {
            Some(device) => {
                let may = || self.may_name(&device, peer, now);
                self.teller.is_due_if(kind, &*device, now, may)
            }
            None => self.teller.is_due_if(kind, &customer(peer), now, || true),
        }
    }

    /// Returns the same of a name of a file that an address asked for.
    pub(super) fn is_due_of_file(
        &self,
        kind: &Kind,
        file: &str,
        peer: IpAddr,
        now: SystemTime,
    ) -> bool {
        let may = || self.may_say_name(peer, now);
        self.teller
            .is_due_if(kind, &(customer(peer), file), now, may)
    }

    /// Returns whether a device may be named: it was served before, or its address has not
    /// named too many.
    pub(super) fn may_name(&self, device: &str, peer: IpAddr, now: SystemTime) -> bool {
        self.fleet.knows(device) || self.may_say_name(peer, now)
    }

    fn may_say_name(&self, peer: IpAddr, now: SystemTime) -> bool {
        let left = self.names.take(&customer(peer), now);
        if left == Left::NoMore {
            tell!(NAMES_MORE, peer = peer, limit = NAMES);
        }
        left == Left::Some
    }

    /// Names a request for a path where nothing is, if anybody looked for this service:
    /// scanners ask for whatever may be anywhere. `is_report` says that its body is one of a
    /// device's.
    pub(super) fn nothing(
        &self,
        request: Request<'_>,
        router: &Router,
        url: Option<&str>,
        passes: Passes,
        is_report: bool,
        near: impl FnOnce(&str) -> Near,
    ) {
        let head = request.head;
        let due = |kind: &Kind| self.is_due(kind, request);
        let plain = spelling::plain(spelling::beginning(head.uri.path())).unwrap_or_default();
        let plain = &*plain;
        let beside = |right: &'static str, setting: &'static str, passed: Option<&str>| {
            tell!(
                PATH_BESIDE if due,
                device = request.device(),
                peer = request.peer.address,
                method = request.method(),
                path = request.path(),
                right = right,
                setting = setting,
                besides = passed,
            );
        };
        let unserved = |setting: &'static str| {
            tell!(
                PATH_UNSERVED if due,
                device = request.device(),
                peer = request.peer.address,
                method = request.method(),
                path = request.path(),
                setting = setting,
            );
        };
        let checks_in = head.method == Method::POST && names_device(&head.headers);
        if checks_in && wanted::is_voice(plain) {
            tell!(
                PATH_VOICE if due,
                device = request.device(),
                peer = request.peer.address,
                path = request.path(),
                url = url
            );
        } else if !checks_in && wanted::wants_voice(head, plain) {
            match upgrade_headers::no_upgrade(head) {
                _ if passes.voice => beside(WEBSOCKET_PATH, "server.websocket", None),
                _ if !wanted::is_voice(plain) => {
                    beside(WEBSOCKET_PATH, "server.websocket", Some(wanted::VOICE));
                }
                Some(why) if wanted::asks_for_voice(head) => tell!(
                    WEBSOCKET_NO_UPGRADE if due,
                    device = request.device(),
                    peer = request.peer.address,
                    path = request.path(),
                    why = why,
                    setting = wanted::VOICE,
                ),
                _ => unserved(wanted::VOICE),
            }
        } else if !(checks_in && wanted::is_json(head)) && wanted::wants_vision(plain) {
            if passes.vision {
                beside(VISION_PATH, "server.vision_explain", None);
            } else if plain.ends_with(VISION_PATH) {
                unserved(wanted::VISION);
            } else {
                beside(VISION_PATH, "server.vision_explain", Some(wanted::VISION));
            }
        } else if let Some(setting) = wanted::companion(plain) {
            unserved(setting);
        } else if let Some(file) = wanted::image(head) {
            // Only what is said is looked for.
            if due(&kinds::PATH_IMAGE) {
                let Near { near, right } = near(file);
                event::say(&event!(
                    PATH_IMAGE,
                    device = request.device(),
                    peer = request.peer.address,
                    method = request.method(),
                    path = request.path(),
                    near = near,
                    right = right,
                ));
            }
        } else if wanted::is_device(head) || is_report || router.is_near(plain) {
            let missing = is_report.then_some("Device-Id");
            tell!(
                PATH_UNKNOWN if due,
                device = request.device(),
                peer = request.peer.address,
                method = request.method(),
                path = request.path(),
                url = url,
                missing = missing,
            );
        } else if let Some(agent) = wanted::agent(head) {
            tell!(
                PATH_AGENT if due,
                peer = request.peer.address,
                method = request.method(),
                path = request.path(),
                agent = agent,
                url = url,
            );
        }
    }

    /// Names a request at the voice's path that goes on, and will not become a WebSocket.
    pub(super) fn voice(&self, request: Request<'_>, url: impl FnOnce() -> Option<String>) {
        let head = request.head;
        let due = |kind: &Kind| self.is_due(kind, request);
        if !spelling::plain(head.uri.path()).is_some_and(|plain| wanted::is_voice(&plain)) {
            return;
        }
        let Some(why) = upgrade_headers::no_upgrade(head) else {
            return;
        };
        if head.method != Method::GET {
            if names_device(&head.headers) {
                tell!(
                    PATH_VOICE if due,
                    device = request.device(),
                    peer = request.peer.address,
                    path = request.path(),
                    url = url()
                );
            }
        } else if wanted::asks_for_voice(head) {
            tell!(
                WEBSOCKET_NO_UPGRADE if due,
                device = request.device(),
                peer = request.peer.address,
                path = request.path(),
                why = why
            );
        } else {
            tell!(
                WEBSOCKET_PLAIN if due,
                peer = request.peer.address,
                path = request.path(),
                why = why
            );
        }
    }

    /// Names a request for a WebSocket where check-ins are.
    pub(super) fn at_ota(&self, request: Request<'_>) {
        let due = |kind: &Kind| self.is_due(kind, request);
        if upgrade_headers::no_upgrade(request.head).is_none() {
            tell!(
                WEBSOCKET_AT_OTA if due,
                device = request.device(),
                peer = request.peer.address,
                path = request.path(),
                right = WEBSOCKET_PATH,
            );
        }
    }

    /// Names what stands in front and is not configured. It is the client, whoever comes
    /// through it.
    pub(super) fn in_front(&self, request: Request<'_>, reached: &Reached<'_>) {
        let peer = request.peer.address.ip();
        let due = |kind: &Kind| {
            let client = customer(peer);
            self.teller.is_due_if(kind, &client, request.now, || true)
        };
        if let Some(sign) = reached.sign() {
            let url = || reached.ota().map(ToString::to_string);
            tell!(
                ADDRESS_IN_FRONT if due,
                peer = peer,
                sign = sign,
                url = url()
            );
        }
    }

    /// Names a device that checks in at a part of the address.
    pub(super) fn part(&self, request: Request<'_>, url: impl FnOnce() -> Option<String>) {
        let due = |kind: &Kind| self.is_due(kind, request);
        tell!(
            PATH_PART if due,
            device = request.device(),
            peer = request.peer.address,
            path = request.path(),
            url = url(),
        );
    }

    /// Names a method that is not allowed.
    pub(super) fn method(&self, request: Request<'_>, allowed: &'static str) {
        let due = |kind: &Kind| self.is_due(kind, request);
        tell!(
            METHOD_NOT_ALLOWED if due,
            device = request.device(),
            peer = request.peer.address,
            method = request.method(),
            path = request.path(),
            allowed = allowed,
        );
    }

    /// Names a web page that asked for a token, and may not have one.
    pub(super) fn page(&self, request: Request<'_>, origin: &HeaderValue) {
        let due = |kind: &Kind| self.is_due(kind, request);
        let page = String::from_utf8_lossy(origin.as_bytes());
        let page = redact::shown(shown(&page));
        let listed = Origin::parse(&page).map(|_| format!("gateway.cors: [\"{page}\"]"));
        tell!(
            PAGE_FOREIGN if due,
            device = request.device(),
            peer = request.peer.address,
            path = request.path(),
            origin = &*page,
            setting = listed,
        );
    }

    /// Names a request that two servers in a row might read in two ways.
    pub(super) fn refused(&self, request: Request<'_>, status: u16, error: &'static str) {
        let due = |kind: &Kind| self.is_due(kind, request);
        tell!(
            REQUEST_REFUSED if due,
            device = request.device(),
            peer = request.peer.address,
            path = request.path(),
            status = status,
            error = error,
        );
    }

    /// Names a request that has more than one blank in front of its path.
    pub(super) fn spaced(&self, request: Request<'_>, url: impl FnOnce() -> Option<String>) {
        let due = |kind: &Kind| self.is_due(kind, request);
        tell!(
            REQUEST_UNREADABLE if due,
            device = request.device(),
            peer = request.peer.address,
            why = event!(REQUEST_SPACED),
            url = url(),
            begins = format!("{}  {}", request.method(), request.path()),
        );
    }
}

/// Bodies of check-ins.
impl TurnedAway {
    /// Names a check-in whose body did not come whole within `limit`.
    pub(super) fn without_body(&self, missing: &Missing, request: Request<'_>, limit: Duration) {
        let due = |kind: &Kind| self.is_due(kind, request);
        let (peer, bytes, of) = (request.peer.address, missing.came, missing.of);
        match &missing.why {
            NoBody::TooBig => tell!(
                CHECK_IN_TOO_BIG if due,
                device = request.device(),
                peer = peer,
                limit = input::LIMIT,
                of = of
            ),
            NoBody::TooSlow => tell!(
                CHECK_IN_TOO_SLOW if due,
                device = request.device(),
                peer = peer,
                limit = format!("{limit:?}"),
                bytes = bytes,
                of = of,
            ),
            // It is told of with how much all of them hold.
            NoBody::Crowded => {}
            NoBody::Cut => tell!(
                CHECK_IN_CUT if due,
                device = request.device(),
                peer = peer,
                bytes = bytes,
                of = of
            ),
            NoBody::Chunks(error) => tell!(
                CHECK_IN_CHUNKS if due,
                device = request.device(),
                peer = peer,
                bytes = bytes,
                error = error
            ),
        }
    }

    /// Names a check-in without one of the headers that every device sends.
    pub(super) fn unnamed(&self, request: Request<'_>, missing: &'static str) {
        let due = |kind: &Kind| self.is_due(kind, request);
        tell!(
            CHECK_IN_UNNAMED if due,
            device = request.device(),
            peer = request.peer.address,
            missing = missing,
        );
    }

    /// Names a check-in whose body is lost, or cannot be read.
    pub(super) fn body(&self, request: Request<'_>, check_in: &CheckIn<'_>, body: &[u8]) {
        let due = |kind: &Kind| self.is_due(kind, request);
        let report = &check_in.report;
        if report.is_empty {
            tell!(
                CHECK_IN_NO_BODY if due,
                device = request.device(),
                peer = request.peer.address,
            );
        }
        let Some(fault) = &report.fault else {
            return;
        };
        let codings = request.head.headers.get_all(CONTENT_ENCODING);
        let mut codings = codings.iter().filter_map(text);
        let coding = codings.find(|coding| !coding.eq_ignore_ascii_case("identity"));
        // One that was unpacked on the way, and kept the header, has a fault of its own.
        if let Some(coding) = coding.filter(|_| !no_json::is_object(body)) {
            tell!(
                CHECK_IN_ENCODED if due,
                device = request.device(),
                peer = request.peer.address,
                coding = shown(&coding),
            );
        } else {
            let identified = !check_in.is_unidentified();
            tell!(
                CHECK_IN_NO_JSON if due,
                device = request.device(),
                peer = request.peer.address,
                why = no_json::why(body, fault.offset, identified),
                offset = fault.offset,
                fault = fault.what,
                identified = identified,
            );
        }
    }
}

/// Refuses a request whose large body had to go, for others had no room, and says so once
/// a minute, whoever it is.
pub(super) fn crowded(missing: &Missing, request: Request<'_>, budget: &BodyBudget) -> Reply {
    if let Some(others) = budget.note_gone(request.now) {
        tell!(
            BODIES_FULL,
            device = request.device(),
            peer = request.peer.address,
            path = request.path(),
            bytes = missing.came,
            limit = budget.bytes(),
            others = (others > 0).then_some(others),
        );
    }
    reply::closing(reply::not_yet("too many large bodies at once: try again"))
}

/// File that is meant by a name, as far as there is one.
#[derive(Debug, Default)]
pub(super) struct Near {
    /// Its name, where it is another one.
    pub(super) near: Option<String>,
    /// Its address, where it can be fetched.
    pub(super) right: Option<String>,
}

/// Tells what is passed on to xiaozhi-server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passes {
    pub(super) voice: bool,
    pub(super) vision: bool,
}
