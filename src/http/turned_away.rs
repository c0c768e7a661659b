//! Whoever is turned away is told why, in the log: once an hour for each device, or for
//! each address where it names no device.

use super::handed::Reached;
use super::input::{self, Missing, NoBody};
use super::request::{Head, device_id, names_device, shown, text};
use super::router::Router;
use super::sought;
use super::spelling;
use super::upgrade_headers;
use crate::event::{self, Event, Kind, event, is_told, kinds, tell};
use crate::fleet::Fleet;
use crate::ota::public_url::{VISION_PATH, WEBSOCKET_PATH};
use crate::server::{Peer, owner};
use crate::util::once::{Allowance, Left, Once};
use hyper::Method;
use hyper::header::CONTENT_ENCODING;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use xiaozhi_device::redact;

/// Time between two log lines of one kind about one client.
const SAY: Duration = Duration::from_secs(3600);
/// Number of clients for which the last log line is remembered.
const REMEMBERED: usize = 1 << 14;

/// Number of names that each address may have said within [`SAY`]: of devices that were
/// never served, and of files that are not here. A name costs a stranger nothing, and must
/// not make a line of its own for ever; 300 devices behind one router are each named, for
/// one reason and some of them for another, and 500 lines an hour fill no disk. A device
/// that has checked in is named however many others come from where it is.
const NAMES: u32 = 500;

/// Memory of who was told what.
#[derive(Debug)]
pub(super) struct TurnedAway {
    told: Once,
    names: Allowance,
    /// Memory of who was served.
    fleet: Arc<Fleet>,
}

/// Request that is turned away.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) head: &'a Head,
    pub(super) peer: Peer,
    pub(super) now: SystemTime,
}

impl TurnedAway {
    pub(super) fn new(fleet: Arc<Fleet>) -> Self {
        Self {
            told: Once::new(SAY, REMEMBERED),
            names: Allowance::new(SAY, NAMES, REMEMBERED),
            fleet,
        }
    }

    /// Returns whether the log takes this kind, and it is time to tell it of a device,
    /// or of an address that names none.
    pub(super) fn is_due(
        &self,
        kind: &Kind,
        device: Option<&str>,
        peer: IpAddr,
        now: SystemTime,
    ) -> bool {
        is_told(kind)
            && match device {
                Some(device) => self
                    .told
                    .is_due_if(&(kind.id, device), now, || self.may_name(device, peer, now)),
                None => self.told.is_due(&(kind.id, peer), now),
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
        let thing = (kind.id, owner(peer), file);
        is_told(kind)
            && self
                .told
                .is_due_if(&thing, now, || self.may_say_name(peer, now))
    }

    /// Returns whether a device may be named: it was served before, or its address has not
    /// named too many.
    pub(super) fn may_name(&self, device: &str, peer: IpAddr, now: SystemTime) -> bool {
        self.fleet.knows(device) || self.may_say_name(peer, now)
    }

    fn may_say_name(&self, peer: IpAddr, now: SystemTime) -> bool {
        let left = self.names.take(&owner(peer), now);
        if left == Left::NoMore {
            tell!(NAMES_MORE, peer = peer, limit = NAMES);
        }
        left == Left::Some
    }

    /// Says an event about a request, if it is time to.
    pub(super) fn say(&self, request: Request<'_>, event: &Event) {
        let device = device_id(&request.head.headers);
        let peer = request.peer.address.ip();
        if self.is_due(event.kind, device.as_deref(), peer, request.now) {
            event::say(event);
        }
    }

    /// Names a request for a path where nothing is, if anybody looked for this service:
    /// scanners ask for whatever may be anywhere.
    pub(super) fn nothing(
        &self,
        request: Request<'_>,
        router: &Router,
        url: Option<&str>,
        passes: Passes,
        near: impl FnOnce(&str) -> Near,
    ) {
        let (head, peer) = (request.head, request.peer.address);
        let device = device_id(&head.headers);
        let device = device.as_deref().map(shown);
        let (method, path) = (shown(head.method.as_str()), path(head));
        let plain = spelling::plain(head.uri.path()).unwrap_or_default();
        let beside = |right: &'static str, setting: &'static str| {
            event!(
                PATH_BESIDE,
                device = device,
                peer = peer,
                method = method,
                path = &path,
                right = right,
                setting = setting,
            )
        };
        let unserved = |setting: &'static str| {
            event!(
                PATH_UNSERVED,
                device = device,
                peer = peer,
                method = method,
                path = &path,
                setting = setting,
            )
        };
        let checks_in = head.method == Method::POST && names_device(&head.headers);
        let event = if checks_in && sought::is_voice(&plain) {
            event!(
                PATH_VOICE,
                device = device,
                peer = peer,
                path = path,
                url = url
            )
        } else if !checks_in && sought::wants_voice(head, &plain) {
            match upgrade_headers::no_upgrade(head) {
                _ if passes.voice => beside(WEBSOCKET_PATH, "server.websocket"),
                Some(why) if sought::is_voice(&plain) && sought::asks_for_voice(head) => event!(
                    WEBSOCKET_NO_UPGRADE,
                    device = device,
                    peer = peer,
                    path = path,
                    why = why,
                    setting = sought::VOICE,
                ),
                _ => unserved(sought::VOICE),
            }
        } else if !(checks_in && sought::is_json(head)) && sought::wants_vision(&plain) {
            if passes.vision {
                beside(VISION_PATH, "server.vision_explain")
            } else {
                unserved(sought::VISION)
            }
        } else if let Some(setting) = sought::companion(&plain) {
            unserved(setting)
        } else if let Some(file) = sought::image(head) {
            let id = device_id(&head.headers);
            // Only what is said is looked for.
            if self.is_due(&kinds::PATH_IMAGE, id.as_deref(), peer.ip(), request.now) {
                let Near { near, right } = near(file);
                event::say(&event!(
                    PATH_IMAGE,
                    device = device,
                    peer = peer,
                    method = method,
                    path = path,
                    near = near,
                    right = right,
                ));
            }
            return;
        } else if sought::is_device(head) || router.is_near(&plain) {
            event!(
                PATH_UNKNOWN,
                device = device,
                peer = peer,
                method = method,
                path = path,
                url = url,
            )
        } else {
            return;
        };
        self.say(request, &event);
    }

    /// Names a request at the voice's path that goes on, and will not become a WebSocket.
    pub(super) fn voice(&self, request: Request<'_>, url: impl FnOnce() -> Option<String>) {
        let (head, peer) = (request.head, request.peer.address);
        let Some(why) = upgrade_headers::no_upgrade(head) else {
            return;
        };
        if !spelling::plain(head.uri.path()).is_some_and(|plain| sought::is_voice(&plain)) {
            return;
        }
        let path = path(head);
        let device = device_id(&head.headers);
        let device = device.as_deref().map(shown);
        let event = if head.method != Method::GET {
            if !names_device(&head.headers) {
                return;
            }
            event!(
                PATH_VOICE,
                device = device,
                peer = peer,
                path = path,
                url = url()
            )
        } else if sought::asks_for_voice(head) {
            event!(
                WEBSOCKET_NO_UPGRADE,
                device = device,
                peer = peer,
                path = path,
                why = why
            )
        } else {
            event!(WEBSOCKET_PLAIN, peer = peer, path = path, why = why)
        };
        self.say(request, &event);
    }

    /// Names a request for a WebSocket where check-ins are.
    pub(super) fn at_ota(&self, request: Request<'_>) {
        if upgrade_headers::no_upgrade(request.head).is_some() {
            return;
        }
        let device = device_id(&request.head.headers);
        let event = event!(
            WEBSOCKET_AT_OTA,
            device = device.as_deref().map(shown),
            peer = request.peer.address,
            path = path(request.head),
            right = WEBSOCKET_PATH,
        );
        self.say(request, &event);
    }

    /// Names what stands in front and is not configured. It is the client, whoever comes
    /// through it.
    pub(super) fn in_front(&self, request: Request<'_>, reached: &Reached<'_>) {
        let peer = request.peer.address.ip();
        if let Some(sign) = reached.sign()
            && self.is_due(&kinds::ADDRESS_IN_FRONT, None, peer, request.now)
        {
            let url = reached.ota().map(ToString::to_string);
            event::say(&event!(ADDRESS_IN_FRONT, peer = peer, sign = sign, url = url));
        }
    }

    /// Names a device that checks in at a part of the address.
    pub(super) fn part(&self, request: Request<'_>, url: Option<String>) {
        let device = device_id(&request.head.headers).unwrap_or_default();
        let event = event!(
            PATH_PART,
            device = shown(&device),
            peer = request.peer.address,
            path = path(request.head),
            url = url,
        );
        self.say(request, &event);
    }

    /// Names a method that is not allowed.
    pub(super) fn method(&self, request: Request<'_>, allowed: &'static str) {
        let device = device_id(&request.head.headers);
        let event = event!(
            METHOD_NOT_ALLOWED,
            device = device.as_deref().map(shown),
            peer = request.peer.address,
            method = shown(request.head.method.as_str()),
            path = path(request.head),
            allowed = allowed,
        );
        self.say(request, &event);
    }

    /// Names a request that two servers in a row might read in two ways.
    pub(super) fn refused(&self, request: Request<'_>, status: u16, error: &'static str) {
        let device = device_id(&request.head.headers);
        let event = event!(
            REQUEST_REFUSED,
            device = device.as_deref().map(shown),
            peer = request.peer.address,
            path = path(request.head),
            status = status,
            error = error,
        );
        self.say(request, &event);
    }

    /// Names a request that has more than one blank in front of its path.
    pub(super) fn spaced(&self, request: Request<'_>) {
        let device = device_id(&request.head.headers);
        let event = event!(
            REQUEST_UNREADABLE,
            device = device.as_deref().map(shown),
            peer = request.peer.address,
            why = event!(REQUEST_SPACED),
            begins = format!("{}  {}", request.head.method, path(request.head)),
        );
        self.say(request, &event);
    }
}

/// Bodies of check-ins.
impl TurnedAway {
    /// Names a check-in whose body did not come whole within `limit`.
    pub(super) fn without_body(&self, missing: &Missing, request: Request<'_>, limit: Duration) {
        let device = device_id(&request.head.headers);
        let device = device.as_deref().map(shown);
        let (peer, bytes, of) = (request.peer.address, missing.came, missing.of);
        let event = match &missing.why {
            NoBody::TooBig => event!(
                CHECK_IN_TOO_BIG,
                device = device,
                peer = peer,
                limit = input::LIMIT,
                of = of
            ),
            NoBody::TooSlow => event!(
                CHECK_IN_TOO_SLOW,
                device = device,
                peer = peer,
                limit = format!("{limit:?}"),
                bytes = bytes,
                of = of,
            ),
            NoBody::Cut => event!(
                CHECK_IN_CUT,
                device = device,
                peer = peer,
                bytes = bytes,
                of = of
            ),
            NoBody::Chunks(error) => event!(
                CHECK_IN_CHUNKS,
                device = device,
                peer = peer,
                bytes = bytes,
                error = error
            ),
        };
        self.say(request, &event);
    }

    /// Names a check-in without one of the headers that every device sends.
    pub(super) fn unnamed(&self, request: Request<'_>, missing: &'static str) {
        let device = device_id(&request.head.headers);
        let event = event!(
            CHECK_IN_UNNAMED,
            device = device.as_deref().map(shown),
            peer = request.peer.address,
            missing = missing,
        );
        self.say(request, &event);
    }

    /// Names a check-in whose body cannot be read for it is compressed.
    pub(super) fn encoded(&self, request: Request<'_>) {
        let codings = request.head.headers.get_all(CONTENT_ENCODING);
        let mut codings = codings.iter().filter_map(text);
        let Some(coding) = codings.find(|coding| !coding.eq_ignore_ascii_case("identity")) else {
            return;
        };
        let device = device_id(&request.head.headers).unwrap_or_default();
        let event = event!(
            CHECK_IN_ENCODED,
            device = shown(&device),
            peer = request.peer.address,
            coding = shown(&coding),
        );
        self.say(request, &event);
    }
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

/// Returns the path of a request as the log may show it; a query may hold a token.
pub(super) fn path(head: &Head) -> String {
    let path = match head.uri.path() {
        // `CONNECT` has none.
        "" => head
            .uri
            .authority()
            .map_or("", |authority| authority.as_str()),
        path => path,
    };
    redact::shown(shown(path)).into_owned()
}
