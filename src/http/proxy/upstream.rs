//! Upstream mode: check-ins and activations go on to the xiaozhi server that people run, and
//! of its reply only `firmware` is ours.
//!
//! What it answers is read by [`ota::upstream`](crate::ota::upstream). While it does not
//! answer, a device that was bound is told again what it was told last; any other gets a 503,
//! and tries again. No queue builds up: so many may wait and no more, and what fails for
//! everybody is tried by one at a time.

mod breaker;
mod client;
mod exchange;
mod no_reply;
mod pool;

use super::backend::{Allowance, BackendState, SeenBackend};
use crate::event::{self, Event, event, tell};
use crate::fleet::{DeviceId, LastReplies, LastReply};
use crate::http::reply::{self, Reply as HttpReply};
use crate::http::request::{Request, shown};
use crate::ota::public_url::Url;
use crate::ota::reply::{Firmware, since_epoch};
use crate::ota::upstream::{self, Fault, Kind, Reply};
use crate::util::http_answer::Answer;
use crate::util::once::Once;
use crate::util::sync::lock;
use aws_lc_rs::digest::{Context, SHA256};
use breaker::{Breaker, Outcome};
use client::Client;
use hyper::StatusCode;
use hyper::body::Bytes;
use jiff::SignedDuration;
use no_reply::NoReply;
use rustls::pki_types::CertificateDer;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use xiaozhi_device::checkin::CheckIn;

/// Number of requests that may wait for the server behind.
const WAITING: usize = 128;
/// Time for a look at what is kept.
const LOOK: Duration = Duration::from_millis(400);
/// Time between two lines about one device, and number of devices that are remembered.
const SAID: Duration = Duration::from_secs(86_400);
const REMEMBERED: usize = 1 << 14;
/// Setting by which it is named.
const SETTING: &str = "gateway.upstream";

/// Source of the authorities that this machine trusts.
pub(crate) type Roots = fn() -> Vec<CertificateDer<'static>>;

/// `gateway.upstream`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// Address of its OTA interface.
    pub url: Url,
    /// Meaning of a reply without `firmware`.
    pub kind: Kind,
    /// Longest time that a check-in waits for it.
    pub timeout: Duration,
    /// Age up to which a reply is told again while it is away.
    pub keep: Duration,
}

impl UpstreamSettings {
    /// Time that it has where nothing else is set.
    pub const TIMEOUT: Duration = Duration::from_secs(2);
    /// Age of replies that are told again where nothing else is set.
    pub const KEEP: Duration = Duration::from_secs(86_400);
}

/// The server behind, in upstream mode.
pub(in crate::http) struct Upstream {
    settings: UpstreamSettings,
    /// Its address, as it is shown.
    address: String,
    client: Client,
    replies: Arc<LastReplies>,
    breaker: Mutex<Breaker>,
    waiting: AtomicUsize,
    state: Mutex<State>,
    said: Once,
    hasher: RandomState,
}

/// State of it, as it was said.
struct State {
    allowance: Allowance,
    is_down: bool,
    seen: BackendState,
}

/// Answer for a device.
pub(in crate::http) enum Told {
    /// Its reply.
    Now(Reply),
    /// The reply that it was told last.
    Again(Reply),
    /// Nothing: it is to try again.
    Nothing,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// Returns the one of these settings: the one `before`, where they are the same.
    pub(in crate::http) fn of(
        settings: UpstreamSettings,
        before: Option<&Arc<Self>>,
        replies: &Arc<LastReplies>,
        roots: Roots,
    ) -> Arc<Self> {
        match before.filter(|before| before.settings == settings) {
            Some(before) => Arc::clone(before),
            None => Arc::new(Self::new(settings, Arc::clone(replies), roots)),
        }
    }

    fn new(settings: UpstreamSettings, replies: Arc<LastReplies>, roots: Roots) -> Self {
        if let Err(none) = replies.keep_for(settings.keep) {
            // Answers go on; there is nothing to tell again while it is away.
            event::say(&Event::from(&none));
        }
        Self {
            address: settings.url.to_string(),
            client: Client::new(&settings.url, roots),
            settings,
            replies,
            breaker: Mutex::default(),
            waiting: AtomicUsize::new(0),
            state: Mutex::new(State {
                allowance: Allowance::default(),
                is_down: false,
                seen: BackendState::NotAsked,
            }),
            said: Once::new(SAID, REMEMBERED),
            hasher: RandomState::new(),
        }
    }

    /// Returns its state, as it was seen last.
    pub(in crate::http) fn seen(&self) -> SeenBackend {
        SeenBackend {
            setting: SETTING.to_owned(),
            path: crate::ota::public_url::OTA_PATH.to_owned(),
            backend: self.address().to_owned(),
            state: lock(&self.state).seen.clone(),
        }
    }

    fn address(&self) -> &str {
        &self.address
    }

    /// Returns what is to be told to the device that makes this check-in: there is room in it
    /// for `firmware` where nothing is offered. `timezone_offset` is ours, in minutes, for where
    /// the server behind named none.
    pub(in crate::http) async fn check_in(
        &self,
        check_in: &CheckIn<'_>,
        request: Request<'_>,
        body: Bytes,
        timezone_offset: i32,
    ) -> Told {
        let device = check_in.device;
        let id = DeviceId::new(device);
        let answered = match self.ask(request, &body, "").await {
            Ok(answer) if answer.status == StatusCode::OK => {
                let read = upstream::read(&answer.body, self.settings.kind);
                let roomy = read.and_then(|reply| with_room(reply, check_in));
                roomy.map_err(NoReply::Reply)
            }
            Ok(answer) => Err(NoReply::Status(answer.status)),
            Err(none) => Err(none),
        };
        let none = match answered {
            Ok(reply) => {
                self.note(Some(Outcome::Answered), None);
                self.keep(&id, self.origin(check_in), &reply, request.now);
                return Told::Now(reply);
            }
            Err(none) => none,
        };
        self.note(self.outcome(&none, &id), Some(&none));
        let is_of_it = !none.is_of_transport() && !none.is_unasked();
        if is_of_it && self.said.is_due(&(device, 0), request.now) {
            let (upstream, why) = (self.address(), none.event());
            tell!(
                UPSTREAM_BAD_REPLY,
                device = shown(device),
                upstream = upstream,
                why = why
            );
        }
        if none.is_of_unbound() {
            // What it was told while it had an owner holds no more.
            self.replies.forget(&id, millis(request.now));
        }
        self.again(check_in, &id, &none, request.now, timezone_offset)
            .await
    }

    /// Passes on an activation, and its answer.
    pub(in crate::http) async fn activate(&self, request: Request<'_>, body: Bytes) -> HttpReply {
        match self.ask(request, &body, "activate").await {
            Ok(answer) => {
                // Of an error it is known only that something answers.
                let outcome = if answer.status.is_success() {
                    Outcome::Answered
                } else {
                    Outcome::Reached
                };
                self.note(Some(outcome), None);
                reply::activation(answer.status, answer.body.into())
            }
            Err(none) => {
                let device = request.device().unwrap_or_default();
                self.note(self.outcome(&none, &DeviceId::new(&device)), Some(&none));
                unanswered()
            }
        }
    }

    /// Asks the server behind, unless it would be of no use now.
    async fn ask(&self, request: Request<'_>, body: &[u8], below: &str) -> Result<Answer, NoReply> {
        let _waits = Waits::begin(&self.waiting).ok_or(NoReply::Crowded(WAITING))?;
        let Some(trial) = Breaker::admit(&self.breaker) else {
            return Err(NoReply::Tried);
        };
        let (head, peer, limit) = (request.head, request.peer, self.settings.timeout);
        let asked = self.client.ask(head, peer, body, below, limit).await;
        drop(trial);
        asked
    }

    /// Returns what a failure says of the server behind, if it says anything. What it answers
    /// to an id that no device has is nobody's, and strangers may make up many.
    fn outcome(&self, none: &NoReply, device: &DeviceId) -> Option<Outcome> {
        let hash = || device.mac().map(|mac| self.hasher.hash_one(mac));
        match none {
            none if none.is_unasked() => None,
            none if none.is_of_all() => Some(Outcome::Unreached),
            none if none.is_of_transport() => hash().map(Outcome::Failed),
            _ => Some(hash().map_or(Outcome::Reached, Outcome::Unfit)),
        }
    }

    /// Notes what a request came to.
    fn note(&self, outcome: Option<Outcome>, failed: Option<&NoReply>) {
        let Some(outcome) = outcome else { return };
        let mut state = lock(&self.state);
        // Under both locks: what is said is what the breaker does.
        let is_open = lock(&self.breaker).note(outcome);
        match failed {
            Some(none) if none.is_of_transport() || is_open => {
                let (upstream, why) = (self.address(), none.event());
                let down = event!(UPSTREAM_DOWN, upstream = upstream, why = why);
                state.seen = BackendState::Fails(down.clone());
                if !state.is_down && state.allowance.take() {
                    state.is_down = true;
                    drop(state);
                    event::say(&down);
                }
            }
            _ if is_open => {}
            _ => {
                state.seen = BackendState::Answers;
                if state.is_down {
                    state.is_down = false;
                    drop(state);
                    tell!(UPSTREAM_BACK, upstream = self.address());
                }
            }
        }
    }

    /// Returns a digest of whose reply it is: of this server, to this client of the device.
    /// Another server's address, or another client's token, would leave the device mute.
    fn origin(&self, check_in: &CheckIn<'_>) -> i64 {
        let id = DeviceId::new(check_in.device);
        let device = if id.mac().is_some() {
            ""
        } else {
            check_in.device
        };
        let mut hash = Context::new(&SHA256);
        for part in [self.address(), device, check_in.client] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        let hash = hash.finish();
        let first = hash.as_ref().first_chunk().copied();
        i64::from_le_bytes(first.unwrap_or_default())
    }

    /// Keeps a reply for when the server behind is away, or forgets what was kept.
    fn keep(&self, id: &DeviceId, origin: i64, reply: &Reply, now: SystemTime) {
        if reply.is_bound() {
            self.replies.keep(
                id,
                LastReply {
                    body: reply.keep(),
                    is_held: reply.hold.is_some(),
                    origin,
                    at: millis(now),
                },
            );
        } else {
            self.replies.forget(id, millis(now));
        }
    }

    /// Returns what a device was told last.
    async fn again(
        &self,
        check_in: &CheckIn<'_>,
        id: &DeviceId,
        none: &NoReply,
        now: SystemTime,
        timezone_offset: i32,
    ) -> Told {
        let (device, why) = (shown(check_in.device), none.event());
        let found = tokio::time::timeout(LOOK, self.replies.find(id)).await;
        let found = found.ok().flatten();
        let again = found.and_then(|kept| {
            if kept.origin != self.origin(check_in) {
                return None;
            }
            let reply = Reply::kept(&kept.body, kept.is_held, now, timezone_offset).ok()?;
            let reply = with_room(reply, check_in).ok()?;
            Some((reply, Duration::from_millis(kept.at)))
        });
        let Some((reply, at)) = again else {
            tell!(UPSTREAM_UNANSWERED, device = device, why = why);
            return Told::Nothing;
        };
        let age = since_epoch(now).saturating_sub(at).as_secs();
        let age = SignedDuration::from_secs(i64::try_from(age).unwrap_or(i64::MAX));
        let age = format!("{age:#}");
        tell!(UPSTREAM_KEPT, device = device, age = age, why = why);
        Told::Again(reply)
    }

    /// Names the blocks that are left out.
    pub(in crate::http) fn say_left_out(&self, device: &str, reply: &Reply, now: SystemTime) {
        for left_out in &reply.left_out {
            if self.said.is_due(&(device, left_out.block.as_str()), now) {
                let event = Event::from(left_out)
                    .of("upstream", self.address())
                    .of("device", shown(device));
                event::say(&event);
            }
        }
    }
}

/// Makes room in a reply for what a device is told where nothing is offered.
fn with_room(mut reply: Reply, check_in: &CheckIn<'_>) -> Result<Reply, Fault> {
    let firmware = Firmware::up_to_date(check_in.version());
    reply.make_room(Some(&firmware), 0)?;
    Ok(reply)
}

fn millis(time: SystemTime) -> u64 {
    u64::try_from(since_epoch(time).as_millis()).unwrap_or(u64::MAX)
}

/// Answers a request that the server behind does not: a 503, which devices try again.
pub(in crate::http) fn unanswered() -> HttpReply {
    reply::error(
        StatusCode::SERVICE_UNAVAILABLE,
        "the upstream does not answer: try again\n",
    )
}

/// One that waits.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(all: &'a AtomicUsize) -> Option<Self> {
        let this = Self(all);
        (all.fetch_add(1, Ordering::Relaxed) < WAITING).then_some(this)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
