//! Client of the server behind: a few connections that are kept, over http or https.

use super::super::backend::{CONNECT, reason, why_none};
use super::super::connector::reach;
use super::super::first_reply::{Foreign, is_complaint};
use super::super::hops;
use super::super::resolver::Resolver;
use crate::event::{Event, Value, event};
use crate::http::request::Head;
use crate::ota::public_url::{Scheme, Url};
use crate::ota::upstream::Fault;
use crate::server::Peer;
use crate::util::http_answer::{Answer, AnswerReader, Odd};
use crate::util::sync::lock;
use hyper::StatusCode;
use hyper::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST};
use hyper::http::uri::Authority;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use socket2::SockRef;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};
use thread_local::ThreadLocal;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Number of connections to it, of all workers.
const CONNECTIONS: usize = 32;
/// Time that an idle one is kept: servers close theirs after a minute or so.
const KEPT: Duration = Duration::from_secs(30);
/// Longest reply, in bytes. Devices read 8 KB.
const LONGEST: usize = 64 * 1024;
/// Number of bytes that are read at once, and that most heads have at most.
const READ: usize = 4096;
const HEAD: usize = 1024;
/// Number of bytes of a redirect's address that are shown.
const SHOWN: usize = 200;

/// Reason why there is no answer, or none that is of use.
#[derive(Debug)]
pub(super) enum NoReply {
    Late(Duration),
    Unreached(Value),
    Cut(String),
    Status(StatusCode),
    Redirect(StatusCode, String),
    Coded(String),
    TooBig,
    Reply(Fault),
    /// So many wait already.
    Crowded(usize),
    /// One tries just now whether it is back.
    Tried,
}

impl NoReply {
    /// Tells whether the way there failed, and not the reply.
    pub(super) fn is_of_transport(&self) -> bool {
        matches!(self, Self::Late(_) | Self::Unreached(_) | Self::Cut(_))
    }

    /// Tells whether it says nothing of the device that asked.
    pub(super) fn is_of_all(&self) -> bool {
        self.is_of_transport() || matches!(self, Self::Crowded(_) | Self::Tried)
    }

    /// Returns it in words.
    pub(super) fn event(&self) -> Event {
        match self {
            Self::Late(limit) => event!(UPSTREAM_LATE, limit = format!("{limit:?}")),
            Self::Unreached(error) => event!(UPSTREAM_UNREACHED, error = error.clone()),
            Self::Cut(error) => event!(UPSTREAM_CUT, error = error),
            Self::Status(StatusCode::NOT_FOUND) => event!(UPSTREAM_NOT_FOUND),
            Self::Status(status) => event!(UPSTREAM_STATUS, status = status.as_u16()),
            Self::Redirect(status, to) => {
                event!(UPSTREAM_REDIRECT, status = status.as_u16(), to = to)
            }
            Self::Coded(coding) => event!(UPSTREAM_CODED, coding = coding),
            Self::TooBig => event!(UPSTREAM_TOO_BIG, limit = LONGEST),
            Self::Reply(fault) => fault.event(),
            Self::Crowded(limit) => event!(UPSTREAM_CROWDED, limit = *limit),
            Self::Tried => event!(UPSTREAM_TRIED),
        }
    }
}

/// The client. Each worker has connections of its own, which no other thread wakes; a
/// request is written and its answer read by whoever asks, without a task between.
pub(super) struct Client {
    url: Url,
    resolver: Resolver,
    tls: Option<TlsConnector>,
    share: usize,
    pools: ThreadLocal<Pool>,
}

/// Connections of one worker. Whoever asks holds a permit, so there are never more than
/// permits: a new one is made where none is idle.
struct Pool {
    free: Semaphore,
    idle: Mutex<Vec<Kept>>,
}

/// Connection that waits for the next request.
struct Kept {
    connection: Connection,
    since: Instant,
}

impl Pool {
    fn new(share: usize) -> Self {
        Self {
            free: Semaphore::new(share),
            idle: Mutex::default(),
        }
    }

    /// Takes the connection that was used last, of those that are good still.
    fn take(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        while let Some(kept) = idle.pop() {
            if kept.since.elapsed() < KEPT && is_quiet(&kept.connection) {
                return Some(kept.connection);
            }
        }
        None
    }

    fn keep(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        let since = Instant::now();
        // The first are those that were idle longest.
        let old = idle.partition_point(|kept| since.duration_since(kept.since) >= KEPT);
        idle.drain(..old);
        idle.push(Kept { connection, since });
    }
}

impl Client {
    pub(super) fn new(url: &Url, roots: fn() -> Vec<CertificateDer<'static>>) -> Self {
        let workers = available_parallelism().map_or(1, usize::from);
        Self {
            tls: (url.scheme == Scheme::Https).then(|| connector(roots())),
            url: url.clone(),
            resolver: Resolver::default(),
            share: (CONNECTIONS / workers).max(1),
            pools: ThreadLocal::new(),
        }
    }

    /// Sends a request on, to the address itself or to what lies below it, and returns the
    /// answer as a whole.
    pub(super) async fn ask(
        &self,
        head: &Head,
        peer: Peer,
        body: &[u8],
        below: &str,
    ) -> Result<Answer, NoReply> {
        let request = self.request(head, peer, body, below);
        let pool = self.pools.get_or(|| Pool::new(self.share));
        let free = pool.free.acquire().await;
        let _free = free.map_err(|error| NoReply::Unreached(error.to_string().into()))?;
        if let Some(mut connection) = pool.take() {
            match exchange(&mut connection, &request, false).await {
                // It ended while nobody used it, or just now: nothing was answered, and to
                // ask twice is what a device does. Those that were idle longer go, too.
                Err(Broken::Unanswered(_)) => lock(&pool.idle).clear(),
                answered => return finish(pool, connection, answered),
            }
        }
        let connecting = timeout(CONNECT, self.connect()).await;
        let connected = connecting.unwrap_or_else(|_| Err(late_connection()));
        let mut connection = connected.map_err(|error| NoReply::Unreached(why_none(&error)))?;
        let answered = exchange(&mut connection, &request, true).await;
        finish(pool, connection, answered)
    }

    async fn connect(&self) -> io::Result<Connection> {
        let (host, port) = (&*self.url.host, self.url.effective_port());
        let stream = reach(&self.resolver, host, port).await?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
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
        for (name, value) in hops::passing(head) {
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
    let mut begins = true;
    head.extend(name.bytes().map(|byte| {
        let byte = if begins {
            byte.to_ascii_uppercase()
        } else {
            byte
        };
        begins = byte == b'-';
        byte
    }));
    head.extend(b": ");
    head.extend(value);
    head.extend(b"\r\n");
}

fn late_connection() -> io::Error {
    io::Error::other(format!("no connection within {CONNECT:?}"))
}

/// Reason why a connection brought no answer.
enum Broken {
    /// It ended, or could not be written to, before anything came.
    Unanswered(io::Error),
    Other(NoReply),
}

/// Keeps a connection for the next request where it is good for one, and returns the answer.
fn finish(
    pool: &Pool,
    connection: Connection,
    answered: Result<Answer, Broken>,
) -> Result<Answer, NoReply> {
    let answer = answered.map_err(|broken| match broken {
        Broken::Unanswered(error) => NoReply::Unreached(why_none(&error)),
        Broken::Other(none) => none,
    })?;
    if answer.is_kept {
        pool.keep(connection);
    }
    if answer.status.is_redirection() {
        let to = place(answer.location.as_deref().unwrap_or_default());
        return Err(NoReply::Redirect(answer.status, to));
    }
    Ok(answer)
}

/// Sends a request, and reads its answer, which may come before the request has gone.
async fn exchange(
    connection: &mut Connection,
    request: &[u8],
    is_new: bool,
) -> Result<Answer, Broken> {
    let mut reader = AnswerReader::new(LONGEST);
    let (mut sent, mut unsent) = (0, None);
    let answered = poll_fn(|cx| {
        while sent < request.len() && unsent.is_none() {
            let rest = request.get(sent..).unwrap_or_default();
            match Pin::new(&mut *connection).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => unsent = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => sent += written,
                // Who reads no more may have answered before.
                Poll::Ready(Err(error)) => unsent = Some(error),
                Poll::Pending => break,
            }
        }
        if unsent.is_none()
            && let Poll::Ready(Err(error)) = Pin::new(&mut *connection).poll_flush(cx)
        {
            unsent = Some(error);
        }
        loop {
            let mut space = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut space);
            let read = ready!(Pin::new(&mut *connection).poll_read(cx, &mut buffer));
            if let Err(error) = read {
                return Poll::Ready(Err(if reader.is_empty() {
                    Broken::Unanswered(unsent.take().unwrap_or(error))
                } else {
                    Broken::Other(NoReply::Cut(reason(&error)))
                }));
            }
            let came = buffer.filled();
            if came.is_empty() {
                return Poll::Ready(reader.end().map_err(|odd| match odd {
                    Odd::Nothing => Broken::Unanswered(unsent.take().unwrap_or_else(|| {
                        io::Error::new(io::ErrorKind::ConnectionReset, Odd::Nothing)
                    })),
                    odd => Broken::Other(broken(odd)),
                }));
            }
            if is_new
                && reader.is_empty()
                && let Some(foreign) = Foreign::judge(came)
            {
                let foreign = io::Error::new(io::ErrorKind::InvalidData, foreign);
                return Poll::Ready(Err(Broken::Other(NoReply::Unreached(why_none(&foreign)))));
            }
            match reader.take(came) {
                Ok(None) => {}
                Ok(Some(answer)) => return Poll::Ready(Ok(answer)),
                Err(odd) => return Poll::Ready(Err(Broken::Other(broken(odd)))),
            }
        }
    });
    let mut answer = answered.await?;
    answer.is_kept &= sent == request.len() && unsent.is_none();
    if is_new && answer.status == StatusCode::BAD_REQUEST && is_complaint(&answer.body) {
        return Err(Broken::Other(NoReply::Unreached(
            event!(BACKEND_TLS).into(),
        )));
    }
    Ok(answer)
}

fn broken(odd: Odd) -> NoReply {
    match odd {
        Odd::NoHttp(error) => NoReply::Unreached(event!(BACKEND_NO_HTTP, error = error).into()),
        Odd::Coded(coding) => NoReply::Coded(coding.chars().take(SHOWN).collect()),
        Odd::TooBig => NoReply::TooBig,
        Odd::Nothing | Odd::Cut => NoReply::Cut(odd.to_string()),
    }
}

/// Returns the place that a redirect leads to, without what may be secret.
fn place(to: &[u8]) -> String {
    let to = String::from_utf8_lossy(to);
    let to = to.split(['?', '#']).next().unwrap_or_default();
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

/// A connection, over TLS or not.
type Connection = Box<dyn Stream>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Returns what lies below TLS, if that is there.
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// Tells whether nothing came while a connection was idle, as the kernel knows now: neither
/// its end, nor what would be taken for the answer to the next request.
fn is_quiet(connection: &Connection) -> bool {
    let mut next = [MaybeUninit::uninit()];
    let peeked = SockRef::from(connection.socket()).peek(&mut next);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
