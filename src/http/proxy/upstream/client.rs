//! Client of the server behind: a few connections that are kept, over http or https.

use super::super::backend::{CONNECT, why_none};
use super::super::connector::reach;
use super::super::hops;
use super::super::resolver::Resolver;
use super::exchange::{Broken, exchange};
use super::no_reply::{NoReply, SHOWN};
use super::pool::{Connection, Counted, Pool, Quiet, Stream, quiet};
use crate::http::reply;
use crate::http::request::{self, CLIENT_ID, DEVICE_ID, Head};
use crate::ota::public_url::{Scheme, Url};
use crate::server::Peer;
use crate::util::http_answer::Answer;
use crate::util::sync::lock;
use hyper::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST};
use hyper::http::uri::Authority;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use thread_local::ThreadLocal;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Number of connections to it, of all workers.
const CONNECTIONS: usize = 32;
/// Time for which no connection is kept after something came that nobody asked for.
const DISTRUST: Duration = Duration::from_secs(600);
/// Number of bytes that most heads have at most.
const HEAD: usize = 1024;

/// The client. Each worker keeps connections of its own, which no other thread wakes; a
/// request is written and its answer read by whoever asks, without a task between.
pub(super) struct Client {
    url: Url,
    resolver: Resolver,
    tls: Option<TlsConnector>,
    /// Permits of those who ask.
    asking: Semaphore,
    /// Number of connections, idle ones too: never more than permits, for whoever finds
    /// neither an idle one of its own nor room for a new one takes another worker's.
    count: Arc<AtomicUsize>,
    pools: ThreadLocal<Arc<Pool>>,
    /// Time until which no connection is kept: something came on one that nobody asked for,
    /// and could be taken for the answer to another device.
    distrusted: Mutex<Option<Instant>>,
}

impl Client {
    pub(super) fn new(url: &Url, roots: fn() -> Vec<CertificateDer<'static>>) -> Self {
        Self {
            tls: (url.scheme == Scheme::Https).then(|| connector(roots())),
            url: url.clone(),
            resolver: Resolver::default(),
            asking: Semaphore::new(CONNECTIONS),
            count: Arc::default(),
            pools: ThreadLocal::new(),
            distrusted: Mutex::default(),
        }
    }

    /// Sends a request on, to the address itself or to what lies below it, and returns the
    /// answer as a whole, within `limit`.
    pub(super) async fn ask(
        &self,
        head: &Head,
        peer: Peer,
        body: &[u8],
        below: &str,
        limit: Duration,
    ) -> Result<Answer, NoReply> {
        let request = self.request(head, peer, body, below);
        let begun = Instant::now();
        let turn = timeout(limit, self.asking.acquire()).await;
        // It is nobody's fault but the crowd's, and says nothing of the server behind.
        let Ok(Ok(_turn)) = turn else {
            return Err(NoReply::Queued(limit));
        };
        let left = limit.saturating_sub(begun.elapsed());
        match timeout(left, self.ask_by_some(&request, left)).await {
            Ok(answered) => answered,
            Err(_) if left < limit / 2 => Err(NoReply::Queued(limit)),
            Err(_) => {
                // Others may be dead in the same way: something between forgot them.
                self.pools.iter().for_each(|pool| pool.clear());
                Err(NoReply::Late(limit))
            }
        }
    }

    async fn ask_by_some(&self, request: &[u8], limit: Duration) -> Result<Answer, NoReply> {
        let pool = self.pools.get_or_default();
        if let Some(mut connection) = self.take(pool) {
            match exchange(&mut *connection.stream, request, false).await {
                // It ended while nobody used it, or just now: nothing was answered, and to
                // ask twice is what a device does. Those that were idle longer go, too.
                Err(Broken::Unanswered(_)) => pool.clear(),
                answered => return self.finish(connection, answered),
            }
        }
        let patience = CONNECT.min(limit);
        let connecting = self.connect(Arc::clone(pool), patience);
        let mut connection = connecting
            .await
            .map_err(|error| NoReply::Unreached(why_none(&error)))?;
        let answered = exchange(&mut *connection.stream, request, true).await;
        self.finish(connection, answered)
    }

    /// Takes an idle connection that is good still: one of this worker, or any where there
    /// is no room for another.
    fn take(&self, own: &Pool) -> Option<Connection> {
        loop {
            let own = own.pop();
            let others = || {
                let is_full = self.count.load(Ordering::Acquire) >= CONNECTIONS;
                let mut pools = self.pools.iter().filter(|_| is_full);
                pools.find_map(|pool| pool.pop())
            };
            let mut connection = own.or_else(others)?;
            match quiet(&mut *connection.stream) {
                Quiet::Yes => return Some(connection),
                Quiet::Ended => {}
                Quiet::Stray => self.distrust(),
            }
        }
    }

    /// Keeps no connection for a while.
    fn distrust(&self) {
        *lock(&self.distrusted) = Instant::now().checked_add(DISTRUST);
        self.pools.iter().for_each(|pool| pool.clear());
    }

    fn keep(&self, connection: Connection) {
        if lock(&self.distrusted).is_some_and(|until| Instant::now() < until) {
            return;
        }
        connection.rest();
    }

    /// Keeps a connection for the next request where it is good for one, and returns the
    /// answer.
    fn finish(
        &self,
        connection: Connection,
        answered: Result<Answer, Broken>,
    ) -> Result<Answer, NoReply> {
        let answer = answered.map_err(|broken| match broken {
            Broken::Unanswered(error) => NoReply::Closed(why_none(&error)),
            Broken::Other(none) => none,
        })?;
        if answer.has_more {
            self.distrust();
        }
        if answer.is_kept {
            self.keep(connection);
        }
        if answer.status.is_redirection() {
            let to = place(answer.location.as_deref().unwrap_or_default());
            return Err(NoReply::Redirect(answer.status, to));
        }
        Ok(answer)
    }

    async fn connect(&self, home: Arc<Pool>, patience: Duration) -> io::Result<Connection> {
        let counted = Counted::new(&self.count);
        let (host, port) = (&*self.url.host, self.url.effective_port());
        let stream = reach(&self.resolver, host, port, patience).await?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = host.trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(name).map_err(io::Error::other)?;
                Box::new(tls.connect(name, stream).await?)
            }
        };
        Ok(Connection {
            stream,
            home,
            counted,
        })
    }

    /// Writes a request as it came, but for what speaks of one connection, and for what a
    /// stranger claims to be.
    fn request(&self, head: &Head, peer: Peer, body: &[u8], below: &str) -> Vec<u8> {
        let mut request = Vec::with_capacity(HEAD + body.len());
        request.extend(b"POST ");
        request.extend(self.url.path.as_bytes());
        if !self.url.path.ends_with('/') && (self.url.path.is_empty() || !below.is_empty()) {
            request.push(b'/');
        }
        request.extend(below.as_bytes());
        if let Some(query) = head.uri.query() {
            request.push(b'?');
            request.extend(query.as_bytes());
        }
        request.extend(b" HTTP/1.1\r\nHost: ");
        let host = hops::host(head);
        // A server over https looks for the site by this name, and has none of ours.
        match host.filter(|host| self.tls.is_none() && Authority::try_from(*host).is_ok()) {
            Some(host) => request.extend(host),
            None => request.extend(self.url.authority().as_bytes()),
        }
        request.extend(b"\r\n");
        // One line each, with what counts here: who reads two of them otherwise would answer
        // for another device.
        for name in [&DEVICE_ID, &CLIENT_ID] {
            if let Some(value) = request::first(&head.headers, name) {
                line(&mut request, name.as_str(), value);
            }
        }
        for (name, value) in hops::passing(head) {
            if hops::reads_as(name, &DEVICE_ID) || hops::reads_as(name, &CLIENT_ID) {
                continue;
            }
            let value = match *name {
                HOST | CONTENT_LENGTH => continue,
                // Nothing here takes it apart.
                ACCEPT_ENCODING => b"identity",
                _ => value.as_bytes(),
            };
            line(&mut request, name.as_str(), value);
        }
        for (name, value) in hops::of_client(peer) {
            line(&mut request, name.as_str(), value.as_bytes());
        }
        let length = body.len().to_string();
        line(&mut request, CONTENT_LENGTH.as_str(), length.as_bytes());
        request.extend(b"\r\n");
        request.extend(body);
        request
    }
}

/// Writes a line of a head, its name as most servers' documents have it.
fn line(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend(reply::title_case(name));
    head.extend(b": ");
    head.extend(value);
    head.extend(b"\r\n");
}

/// Returns the place that a redirect leads to, without what may be secret.
fn place(to: &[u8]) -> String {
    let to = String::from_utf8_lossy(to);
    let to = to.split(['?', '#', ';']).next().unwrap_or_default();
    let to = xiaozhi_device::redact::without_user(to).unwrap_or(to);
    to.chars().take(SHOWN).collect()
}

/// Trusts the public authorities, and those that this machine trusts.
fn connector(of_machine: Vec<CertificateDer<'static>>) -> TlsConnector {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    roots.add_parsable_certificates(of_machine);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    // The provider has every version that rustls knows.
    let builder = builder
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|_| ClientConfig::builder());
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}
