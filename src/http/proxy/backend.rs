//! Backends: servers that stand behind this one, and their state.

use super::activity::Activity;
use super::connector::{Connector, KERNEL_BUFFER};
use super::first_reply::Foreign;
use super::resolver::Resolver;
use super::upload::UploadBody;
use crate::event::{self, Event, Value, event, tell};
use crate::util::sync::lock;
use crate::util::threads::NoThread;
use hyper::http::uri::Authority;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};
use thread_local::ThreadLocal;

/// Log target of the proxy, which operators filter by.
pub(super) const LOG: &str = "xiaozhi_ota::http::proxy";
/// Time for a backend to accept a connection. It stands beside us.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// Time that an idle connection to a backend is kept for the next request. aiohttp,
/// which xiaozhi-server is made of, closes it after 75 s; to write into one that is
/// being closed would lose a request.
const KEPT: Duration = Duration::from_secs(30);
/// Number of idle connections that are kept for one backend.
const KEPT_FOR_ONE: usize = 32;

/// Number of changes of a backend's state that are logged at once, and the time that
/// earns one more after that.
const SAID_AT_ONCE: u32 = 6;
const SAID_EVERY: Duration = Duration::from_secs(60);
/// Size in bytes of what a connection to a backend holds of a body that one side is
/// slow to take, and limit of the head of a reply.
const BUFFER: usize = 64 * 1024;

type Pool = Client<Connector, UploadBody>;

/// Connections to backends that are kept, a pool for each worker: one is then never woken
/// by another thread.
#[derive(Debug)]
pub(super) struct Pools {
    resolver: Resolver,
    pools: ThreadLocal<Pool>,
}

impl Pools {
    pub(super) fn new(resolver: Resolver) -> Self {
        let pools = ThreadLocal::new();
        Self { resolver, pools }
    }

    /// Sends a request from this worker.
    pub(super) fn request(&self, request: Request<UploadBody>) -> ResponseFuture {
        let here = self.pools.get_or(|| pool(self.resolver.clone()));
        here.request(request)
    }
}

fn pool(resolver: Resolver) -> Pool {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    connector.set_send_buffer_size(Some(KERNEL_BUFFER));
    connector.set_recv_buffer_size(Some(KERNEL_BUFFER));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEPT)
        .pool_max_idle_per_host(KEPT_FOR_ONE)
        .http1_title_case_headers(true)
        .http1_max_buf_size(BUFFER)
        .build(Connector(connector))
}

/// One server behind this one.
#[derive(Debug)]
pub(super) struct Backend {
    /// Name of its setting.
    setting: String,
    pub(super) authority: Authority,
    /// Set where the log said that it is down.
    down: AtomicBool,
    allowance: Mutex<Allowance>,
    /// Outcome of the last request: one of the three below.
    last: AtomicU8,
    /// Reason why it failed, whether the log had room for it or not.
    why: Mutex<Option<Event>>,
}

const NEVER: u8 = 0;
const ANSWERED: u8 = 1;
const FAILED: u8 = 2;

/// A server behind this one, as it was seen last.
#[derive(Debug, Clone)]
pub(crate) struct SeenBackend {
    /// Name of the setting that names it.
    pub(crate) setting: String,
    /// Path whose requests go there.
    pub(crate) path: String,
    /// Its address.
    pub(crate) backend: String,
    pub(crate) state: BackendState,
}

/// State of a server behind this one.
#[derive(Debug, Clone)]
pub(crate) enum BackendState {
    /// Nobody has asked for it since the start, or since its setting changed.
    NotAsked,
    /// The last request was answered.
    Answers,
    /// The last request was not, and this is what is said of that.
    Fails(Event),
}

/// Allowance of log lines about a backend: requests of a stranger can make it fail and
/// answer in turns.
#[derive(Debug)]
pub(super) struct Allowance {
    lines: u32,
    since: Instant,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            lines: SAID_AT_ONCE,
            since: Instant::now(),
        }
    }
}

impl Allowance {
    /// Takes one line, if there is one.
    pub(super) fn take(&mut self) -> bool {
        let earned = self.since.elapsed().as_secs() / SAID_EVERY.as_secs();
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(SAID_AT_ONCE);
            self.lines = self.lines.saturating_add(earned).min(SAID_AT_ONCE);
            self.since = Instant::now();
        }
        let may = self.lines > 0;
        self.lines = self.lines.saturating_sub(1);
        may
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl Backend {
    pub(super) fn new(setting: String, authority: Authority) -> Self {
        Self {
            setting,
            authority,
            down: AtomicBool::new(false),
            allowance: Mutex::default(),
            last: AtomicU8::new(NEVER),
            why: Mutex::new(None),
        }
    }

    /// Returns what became of the last request.
    pub(super) fn state(&self) -> BackendState {
        match (self.last.load(Ordering::Relaxed), lock(&self.why).clone()) {
            (FAILED, Some(why)) => BackendState::Fails(why),
            (ANSWERED, _) => BackendState::Answers,
            _ => BackendState::NotAsked,
        }
    }

    /// Returns the name of its setting.
    pub(super) fn setting(&self) -> &str {
        &self.setting
    }

    /// Notes that the backend answered, and logs that if it did not before.
    pub(super) fn answered(&self) {
        // Most requests find it so.
        if self.last.load(Ordering::Relaxed) != ANSWERED {
            self.last.store(ANSWERED, Ordering::Relaxed);
        }
        if self.changes_to(false) {
            tell!(
                BACKEND_BACK,
                backend = self.to_string(),
                setting = &self.setting
            );
        }
    }

    /// Notes the same, unless the status may be the complaint of a server that wants
    /// TLS: its page tells.
    pub(super) fn answered_with(&self, status: StatusCode) {
        if status != StatusCode::BAD_REQUEST {
            self.answered();
        }
    }

    /// Notes that the backend did not answer, and logs why if it did before.
    pub(super) fn failed(&self, why: impl Into<Value>) {
        let why: Value = why.into();
        let down = event!(
            BACKEND_DOWN,
            backend = self.to_string(),
            setting = &self.setting,
            why = why
        );
        *lock(&self.why) = Some(down.clone());
        self.last.store(FAILED, Ordering::Relaxed);
        if self.changes_to(true) {
            event::say(&down);
        }
    }

    /// Returns whether the state that was logged last is to be taken back.
    fn changes_to(&self, down: bool) -> bool {
        if self.down.load(Ordering::Relaxed) == down {
            return false;
        }
        let mut allowance = lock(&self.allowance);
        self.down.load(Ordering::Relaxed) != down && allowance.take() && {
            self.down.store(down, Ordering::Relaxed);
            true
        }
    }
}

/// Waits until nothing has moved for `limit`.
pub(super) async fn quiet(activity: &Activity, limit: Duration) {
    while let Some(left) = activity.left(limit) {
        tokio::time::sleep(left).await;
    }
}

/// Returns the reason why a request to a backend got no reply.
pub(super) fn why_none(error: &(dyn Error + 'static)) -> Value {
    let foreign = find::<io::Error>(error)
        .and_then(io::Error::get_ref)
        .and_then(|inner| inner.downcast_ref::<Foreign>());
    if let Some(none) = no_thread(error) {
        return Event::from(none).into();
    }
    match foreign {
        Some(Foreign::Tls) => event!(BACKEND_TLS).into(),
        Some(other) => event!(BACKEND_NO_HTTP, error = other.to_string()).into(),
        None if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) => {
            event!(BACKEND_NO_HTTP, error = reason(error)).into()
        }
        None if ended_unanswered(error) => event!(BACKEND_CLOSED, error = reason(error)).into(),
        None => reason(error).into(),
    }
}

/// Returns what tells that there was no thread to look up the backend's name.
pub(super) fn no_thread<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e NoThread> {
    find::<io::Error>(error).and_then(NoThread::of)
}

/// Returns whether a connection ended instead of bringing a reply.
pub(super) fn ended_unanswered(error: &(dyn Error + 'static)) -> bool {
    find::<hyper::Error>(error).is_some_and(|e| e.is_incomplete_message() || e.is_canceled())
        || find::<io::Error>(error).is_some_and(|e| {
            matches!(
                e.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            )
        })
}

/// Returns the first error of this type in the chain of causes.
pub(super) fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Returns the innermost cause of an error, which is the one that tells.
pub(super) fn reason(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_the_last_request_is_known() {
        let backend = Backend::new("s".into(), Authority::from_static("h:1"));
        assert!(matches!(backend.state(), BackendState::NotAsked));
        for n in 0..20 {
            backend.failed(n.to_string());
            let BackendState::Fails(why) = backend.state() else {
                panic!("{:?}", backend.state());
            };
            assert_eq!(why.field("why"), Some(&n.to_string().into()));
            backend.answered();
            assert!(matches!(backend.state(), BackendState::Answers));
        }
    }

    #[test]
    fn a_backend_that_fails_and_answers_in_turns_does_not_fill_the_log() {
        let backend = Backend::new("s".into(), Authority::from_static("h:1"));
        let said = (0..1000).filter(|n| backend.changes_to(n % 2 == 0)).count();
        assert_eq!(said, 6);
        assert!(!backend.changes_to(false));
    }
}
