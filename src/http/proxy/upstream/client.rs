//! Client of the server behind: a few connections that are kept, over http or https.

use super::super::backend::{CONNECT, KERNEL_BUFFER, ended_unanswered, why_none};
use super::super::connector::{BackendConnection, Connector};
use super::super::hops;
use super::super::resolver::Resolver;
use crate::event::{Event, Value, event};
use crate::http::request::Head;
use crate::ota::public_url::{Scheme, Url};
use crate::ota::upstream::Fault;
use crate::server::Peer;
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue,
    TRANSFER_ENCODING,
};
use hyper::http::uri::Authority;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::available_parallelism;
use std::time::Duration;
use thread_local::ThreadLocal;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

/// Number of connections to it, of all workers.
const CONNECTIONS: usize = 32;
/// Time that an idle one is kept: servers close theirs after a minute or so.
const KEPT: Duration = Duration::from_secs(30);
/// Longest reply, in bytes. Devices read 8 KB.
const LONGEST: usize = 64 * 1024;
/// Number of bytes of a redirect's address that are shown.
const SHOWN: usize = 200;

/// Answer of the server behind.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Reason why there is none, or none that is of use.
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

/// The client. Each worker has connections of its own, which no other thread wakes.
pub(super) struct Client {
    url: Url,
    resolver: Resolver,
    tls: Option<TlsConnector>,
    share: usize,
    pools: ThreadLocal<Pool>,
}

type Pool = legacy::Client<Ways, Full<Bytes>>;

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

    fn pool(&self) -> Pool {
        let mut connector = HttpConnector::new_with_resolver(self.resolver.clone());
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        connector.set_send_buffer_size(Some(KERNEL_BUFFER));
        connector.set_recv_buffer_size(Some(KERNEL_BUFFER));
        legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEPT)
            .pool_max_idle_per_host(self.share)
            .http1_title_case_headers(true)
            .http1_max_buf_size(LONGEST)
            .build(Ways {
                connector,
                tls: self.tls.clone(),
                free: Arc::new(Semaphore::new(self.share)),
            })
    }

    /// Sends a request on, to the address itself or to what lies below it, and returns the
    /// answer as a whole.
    pub(super) async fn ask(
        &self,
        head: &Head,
        peer: Peer,
        body: Bytes,
        below: &str,
    ) -> Result<Answer, NoReply> {
        let pool = self.pools.get_or(|| self.pool());
        let unreached = |error: String| NoReply::Unreached(error.into());
        let uri = self.uri(head, below).map_err(unreached)?;
        let headers = self.headers(head, peer, body.len());
        let request = || {
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = uri.clone();
            *request.headers_mut() = headers.clone();
            request
        };
        let mut answered = pool.request(request()).await;
        // A kept connection may end while a request is on its way: nothing was answered, and to
        // ask twice is what a device does.
        if let Err(error) = &answered
            && ended_unanswered(error)
        {
            answered = pool.request(request()).await;
        }
        let answer = answered.map_err(|error| NoReply::Unreached(why_none(&error)))?;
        let (head, body) = answer.into_parts();
        if head.status.is_redirection() {
            let to = head.headers.get("location").map(HeaderValue::as_bytes);
            return Err(NoReply::Redirect(
                head.status,
                place(to.unwrap_or_default()),
            ));
        }
        if let Some(coding) = head.headers.get(CONTENT_ENCODING)
            && !coding.as_bytes().eq_ignore_ascii_case(b"identity")
        {
            let coding = String::from_utf8_lossy(coding.as_bytes());
            return Err(NoReply::Coded(coding.chars().take(SHOWN).collect()));
        }
        let read = Limited::new(body, LONGEST).collect().await;
        let body = read.map_err(|error| {
            if error
                .downcast_ref::<http_body_util::LengthLimitError>()
                .is_some()
            {
                NoReply::TooBig
            } else {
                NoReply::Cut(super::super::backend::reason(&*error))
            }
        })?;
        Ok(Answer {
            status: head.status,
            body: body.to_bytes(),
        })
    }

    fn uri(&self, head: &Head, below: &str) -> Result<Uri, String> {
        let mut uri = self.url.to_string();
        if !below.is_empty() {
            if !uri.ends_with('/') {
                uri.push('/');
            }
            uri.push_str(below);
        }
        if let Some(query) = head.uri.query() {
            uri.push('?');
            uri.push_str(query);
        }
        uri.parse()
            .map_err(|error: hyper::http::uri::InvalidUri| error.to_string())
    }

    /// Returns the headers as they came, but for what speaks of one connection, and for what a
    /// stranger claims to be.
    fn headers(&self, head: &Head, peer: Peer, length: usize) -> HeaderMap {
        let mut headers = hops::for_backend(head, peer);
        headers.remove(TRANSFER_ENCODING);
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if headers.remove(ACCEPT_ENCODING).is_some() {
            // Nothing here takes it apart.
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        let host = headers.get(HOST);
        let is_host = host.is_none_or(|host| Authority::try_from(host.as_bytes()).is_ok());
        // A server over https looks for the site by this name, and has none of ours.
        if self.tls.is_some() || !is_host {
            headers.remove(HOST);
        }
        headers
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

/// Connects, and speaks TLS where the address says so.
#[derive(Clone)]
struct Ways {
    connector: HttpConnector<Resolver>,
    tls: Option<TlsConnector>,
    /// One for each connection of this worker: it is free again once that is closed.
    free: Arc<Semaphore>,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Service<Uri> for Ways {
    type Response = Way;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Way, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (mut connector, tls) = (self.connector.clone(), self.tls.clone());
        let free = Arc::clone(&self.free);
        Box::pin(async move {
            let permit = free.acquire_owned().await?;
            let stream = match tls {
                None => Stream::Plain(Connector(connector).call(to).await?),
                Some(tls) => {
                    let host = to.host().unwrap_or_default().trim_matches(['[', ']']);
                    let name = ServerName::try_from(host.to_owned())?;
                    let stream: TokioIo<TcpStream> = connector.call(to).await?;
                    let stream = tls.connect(name, stream.into_inner()).await?;
                    Stream::Tls(Box::new(TokioIo::new(stream)))
                }
            };
            Ok(Way {
                stream,
                _permit: permit,
            })
        })
    }
}

/// A connection.
struct Way {
    stream: Stream,
    _permit: OwnedSemaphorePermit,
}

enum Stream {
    Plain(BackendConnection),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Way {
    fn connected(&self) -> Connected {
        match &self.stream {
            Stream::Plain(stream) => stream.connected(),
            Stream::Tls(stream) => stream.inner().get_ref().0.connected(),
        }
    }
}

impl Read for Way {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl Write for Way {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
