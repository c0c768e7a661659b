//! HTTP client for the CA: HTTP/1.1 over TLS, one connection kept for an order,
//! everything bounded in time and size.

use super::AcmeSettings;
use super::eab::EabFault;
use super::proxy::ProxyRules;
use super::unreachable::{PATIENCE, ProxyFault, Unreachable};
use crate::event::text::Text;
use crate::event::{Event, event};
use crate::tls::pem::{self, PairError};
use crate::util::sync::lock;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue, LOCATION, RETRY_AFTER};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Time for a connection to one of its addresses.
const REACH: Duration = Duration::from_secs(8);
/// Length limit of an answer, in bytes: a chain is a few KiB.
const LENGTH: usize = 1 << 20;

/// Error in what is configured for the CA: its root, or the key of a contract.
#[derive(Debug)]
pub(crate) enum RootError {
    /// The file cannot be used.
    File(PairError),
    /// A certificate in the file cannot be a root.
    Root { path: PathBuf },
    /// rustls refuses the settings.
    Rustls(rustls::Error),
    /// The key of the account binding cannot be used.
    Eab(EabFault),
}

impl From<EabFault> for RootError {
    fn from(fault: EabFault) -> Self {
        Self::Eab(fault)
    }
}

impl From<PairError> for RootError {
    fn from(error: PairError) -> Self {
        Self::File(error)
    }
}

impl From<rustls::Error> for RootError {
    fn from(error: rustls::Error) -> Self {
        Self::Rustls(error)
    }
}

impl From<&RootError> for Event {
    fn from(error: &RootError) -> Self {
        match error {
            RootError::File(error) => error.into(),
            RootError::Root { path } => event!(PAIR_NO_ROOT, file = path),
            RootError::Rustls(error) => event!(TLS_SETUP, error = error.to_string()),
            RootError::Eab(fault) => fault.event(),
        }
    }
}

impl RootError {
    /// Returns the setting that it comes from.
    pub(crate) fn setting(&self) -> &'static str {
        match self {
            Self::File(_) | Self::Root { .. } => "gateway.tls.acme.root",
            Self::Rustls(_) => "gateway.tls.acme",
            Self::Eab(_) => "gateway.tls.acme.eab.hmac_file",
        }
    }
}

/// Returns the TLS settings for the CA's directory: it is trusted if the public
/// authorities vouch for it, or the private one that is configured.
pub(super) fn trust(settings: &AcmeSettings) -> Result<Arc<ClientConfig>, RootError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = &settings.root {
        for der in pem::roots(path)? {
            roots
                .add(der)
                .map_err(|_| RootError::Root { path: path.clone() })?;
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Demands of a CA that its directory tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Directory {
    /// True where the CA makes no account without a contract.
    pub(super) wants_binding: bool,
}

/// HTTP client for one order.
#[derive(Clone)]
pub(super) struct CaClient {
    tls: TlsConnector,
    rules: Arc<ProxyRules>,
    proxied: Arc<AtomicBool>,
    kept: Arc<Mutex<Option<IdleConnection>>>,
    retry_after: Arc<Mutex<Option<SystemTime>>>,
}

/// Idle connection that can take another request, and the host that it leads to.
type IdleConnection = (String, SendRequest<BodyWrapper<Bytes>>);

impl CaClient {
    pub(super) fn new(trust: Arc<ClientConfig>, rules: ProxyRules) -> Self {
        Self {
            tls: trust.into(),
            rules: Arc::new(rules),
            proxied: Arc::default(),
            kept: Arc::default(),
            retry_after: Arc::default(),
        }
    }

    /// Returns the `Retry-After` of the last refusal.
    pub(super) fn retry_after(&self) -> Option<SystemTime> {
        *lock(&self.retry_after)
    }

    /// Tells whether a proxy was on the way.
    pub(super) fn is_proxied(&self) -> bool {
        self.proxied.load(Ordering::Relaxed)
    }

    /// Returns the directory, if it is one.
    pub(super) async fn directory(&self, address: &str) -> Result<Directory, Unreachable> {
        let uri: Uri = address
            .parse()
            .map_err(|_| Unreachable::Address(address.to_owned()))?;
        let host = uri.authority().map(ToString::to_string);
        let mut request = Request::new(BodyWrapper::default());
        *request.uri_mut() = uri;
        let answer = timeout(PATIENCE, self.clone().ask(request)).await;
        let answer = answer.unwrap_or_else(|_| {
            Err(Unreachable::Late {
                host: host.unwrap_or_default(),
            })
        })?;
        judged(answer.body()).map_err(|what| Unreachable::NotDirectory {
            directory: address.to_owned(),
            what,
        })
    }

    async fn ask(
        self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<Response<Bytes>, Unreachable> {
        let uri = request.uri().clone();
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(Unreachable::Address(without_secrets(&uri.to_string())));
        };
        let host = authority.as_str().to_owned();
        let fault = |error: hyper::Error| Unreachable::Broke {
            host: host.clone(),
            error: error.into(),
        };
        let mut sender = match self.kept(&host).await {
            Some(sender) => sender,
            None => self.connect(&host, &uri).await?,
        };
        // An address that was parsed is a header value.
        if let Ok(value) = HeaderValue::from_str(&host) {
            request.headers_mut().insert(HOST, value);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().unwrap_or_default();
        let response = sender.send_request(request).await.map_err(fault)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LENGTH).collect().await;
        let body = body.map_err(|error| Unreachable::Body {
            host: host.clone(),
            error,
        })?;
        if !parts.status.is_success() {
            let after = parts.headers.get(RETRY_AFTER).and_then(moment);
            *lock(&self.retry_after) = after;
        }
        let body = body.to_bytes();
        *lock(&self.kept) = Some((host.clone(), sender));
        if !parts.status.is_success() && !is_problem(&body) {
            let to = parts.headers.get(LOCATION);
            let to = to.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            let to = to.map(|to| without_secrets(&to));
            let status = parts.status;
            return Err(Unreachable::Status { host, status, to });
        }
        Ok(Response::from_parts(parts, body))
    }

    /// Connects to a host, through a proxy where one is on the way.
    async fn way(&self, name: &str, port: u16) -> Result<TcpStream, Unreachable> {
        let is_v6 = name.contains(':');
        let host = if is_v6 {
            format!("[{name}]:{port}")
        } else {
            format!("{name}:{port}")
        };
        let Some((variable, proxy)) = self.rules.on_the_way(name, port)? else {
            return reach(name, port)
                .await
                .map_err(|error| Unreachable::Connect { host, error });
        };
        self.proxied.store(true, Ordering::Relaxed);
        let opened = async {
            let mut stream = reach(&proxy.host, proxy.port).await?;
            proxy.tunnel(&mut stream, &host).await?;
            Ok::<_, ProxyFault>(stream)
        };
        opened.await.map_err(|fault| Unreachable::Proxy {
            proxy: proxy.to_string(),
            variable,
            host,
            fault,
        })
    }

    async fn kept(&self, host: &str) -> Option<SendRequest<BodyWrapper<Bytes>>> {
        let kept = lock(&self.kept).take();
        let (to, mut sender) = kept?;
        (to == host && sender.ready().await.is_ok()).then_some(sender)
    }

    async fn connect(
        &self,
        host: &str,
        uri: &Uri,
    ) -> Result<SendRequest<BodyWrapper<Bytes>>, Unreachable> {
        let connect = |error| Unreachable::Connect {
            host: host.to_owned(),
            error,
        };
        let name = uri.host().unwrap_or_default();
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(443);
        let stream = self.way(name, port).await?;
        let _ = stream.set_nodelay(true);
        let server =
            ServerName::try_from(name.to_owned()).map_err(|e| connect(io::Error::other(e)))?;
        let stream = self.tls.connect(server, stream).await;
        let stream = stream.map_err(|error| {
            let host = host.to_owned();
            let no_tls = rustls::InvalidMessage::InvalidContentType;
            match error.get_ref().and_then(|e| e.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_)) => Unreachable::Trust { host, error },
                Some(rustls::Error::InvalidMessage(fault)) if *fault == no_tls => {
                    Unreachable::NoTls { host }
                }
                _ => Unreachable::Broke {
                    host,
                    error: error.into(),
                },
            }
        })?;
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream))
                .await
                .map_err(|error| Unreachable::Broke {
                    host: host.to_owned(),
                    error: error.into(),
                })?;
        // It ends with the last of its senders.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Returns the host and path of an address: what stands beside them may be secret.
fn without_secrets(address: &str) -> String {
    let uri: Uri = address.parse().unwrap_or_default();
    let scheme = uri
        .scheme_str()
        .map_or_else(String::new, |scheme| format!("{scheme}://"));
    format!("{scheme}{}{}", uri.host().unwrap_or_default(), uri.path())
}

/// Reads a directory, or says what it is instead.
fn judged(body: &[u8]) -> Result<Directory, Text> {
    let text = body.trim_ascii_start();
    if text.is_empty() {
        return Err(EMPTY);
    }
    if text.starts_with(b"<") {
        return Err(PAGE);
    }
    let json: serde_json::Value = serde_json::from_slice(body).map_err(|_| NO_JSON)?;
    let is_address = |name: &str| json.get(name).is_some_and(serde_json::Value::is_string);
    if !["newNonce", "newAccount", "newOrder"]
        .into_iter()
        .all(is_address)
    {
        return Err(NO_DIRECTORY);
    }
    let wants = json.pointer("/meta/externalAccountRequired");
    Ok(Directory {
        wants_binding: wants.and_then(serde_json::Value::as_bool).unwrap_or(false),
    })
}

const EMPTY: Text = Text::new("空的应答", "an empty answer");
const PAGE: Text = Text::new("一个网页", "a web page");
const NO_JSON: Text = Text::new("不是 JSON 的内容", "something that is no JSON");
const NO_DIRECTORY: Text = Text::new(
    "没有 newNonce、newAccount 和 newOrder 的 JSON",
    "JSON without newNonce, newAccount and newOrder",
);

/// Connects to the first address that answers: of two families one may lead nowhere.
async fn reach(name: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in lookup_host((name, port)).await? {
        match timeout(REACH, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Returns whether a body is a problem document of a CA (RFC 7807).
fn is_problem(body: &[u8]) -> bool {
    serde_json::from_slice::<Problem>(body)
        .is_ok_and(|problem| problem.r#type.is_some() || problem.detail.is_some())
}

/// Parses a `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn moment(value: &HeaderValue) -> Option<SystemTime> {
    let text = value.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => SystemTime::now().checked_add(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok(),
    }
}

impl HttpClient for CaClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = self.clone();
        Box::pin(async move {
            let host = request.uri().authority().map(ToString::to_string);
            let answer = timeout(PATIENCE, client.ask(request)).await;
            let answer = answer.unwrap_or_else(|_| {
                Err(Unreachable::Late {
                    host: host.unwrap_or_default(),
                })
            });
            match answer {
                Ok(response) => Ok(response.map(Full::new).into()),
                Err(e) => Err(Error::Other(Box::new(e))),
            }
        })
    }
}
