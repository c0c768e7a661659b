//! What is not ours to answer goes to a server behind this one: voice, vision,
//! and whatever else is configured. Bodies stream both ways, each side held to
//! the pace of the other.

use super::backend::{Backend, LOG, Pool, pool, quiet};
use super::body::ReplyBody;
use super::front::Head;
use super::paced::{Cut, Flow, Paced};
use super::relayed::Relayed;
use super::reply::{self, Reply};
use super::tunnel::{Open, Session};
use super::{checkin, upgrade};
use crate::ota::public_url::{OTA_PATH, PublicAddress, Url, VISION_PATH};
use crate::server::Peer;
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    CONNECTION, CONTENT_TYPE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;
use tracing::debug;

/// Where xiaozhi-server's WebSocket lies.
pub const WEBSOCKET_PATH: &str = "/xiaozhi/v1/";
/// How much of a reply without a length is gathered, so that it gets one: the
/// device's clients read no chunks.
const GATHERED: usize = 64 * 1024;

/// Headers that speak of one connection only (RFC 9110, section 7.6.1), besides
/// those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// `gateway.proxy`.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    /// Paths and the servers behind them, each with the setting that names it.
    pub routes: Vec<ProxyRoute>,
    /// What the body of one request may hold, in bytes.
    pub body_limit: u64,
    /// How long a backend may let a request wait: to its reply, and between two
    /// parts of it.
    pub timeout: Duration,
    /// How long a WebSocket may be still in both directions.
    pub idle: Duration,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            routes: Vec::new(),
            body_limit: 16 << 20,
            timeout: Duration::from_secs(60),
            idle: Duration::from_secs(600),
        }
    }
}

/// One path that goes elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRoute {
    /// The setting: `gateway.proxy.websocket`.
    pub setting: String,
    /// The path, and all below it.
    pub path: String,
    /// The server: scheme, host and port.
    pub to: Url,
}

/// Sends requests on.
#[derive(Debug)]
pub(super) struct Proxy {
    routes: Vec<Route>,
    settings: ProxySettings,
    pool: Pool,
    /// How many WebSockets are open.
    open: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Route {
    /// Without a last slash.
    path: String,
    /// How much of it is our own public prefix, which the backend does not know.
    prefix: usize,
    backend: Arc<Backend>,
}

/// A request that is to go elsewhere.
pub(super) struct Onward<'a> {
    route: &'a Route,
    proxy: &'a Proxy,
}

impl Proxy {
    pub(super) fn new(settings: ProxySettings, public: &PublicAddress) -> Self {
        let prefixes: Vec<&str> = public
            .served_paths()
            .iter()
            .filter_map(|path| path.strip_suffix(OTA_PATH))
            .collect();
        let mut routes = Vec::new();
        for ProxyRoute { setting, path, to } in &settings.routes {
            let Ok(authority) = format!("{}:{}", to.host, to.effective_port()).parse::<Authority>()
            else {
                continue; // Url has let nothing through that is no authority.
            };
            let backend = Arc::new(Backend::new(setting.clone(), authority));
            let path = path.trim_end_matches('/');
            // Voice and vision lie below the public prefix, too, as the OTA
            // interface does.
            let ours = path == VISION_PATH || path == WEBSOCKET_PATH.trim_end_matches('/');
            let prefixes = if ours { &prefixes[..] } else { &[""] };
            for prefix in prefixes {
                routes.push(Route {
                    path: format!("{prefix}{path}"),
                    prefix: prefix.len(),
                    backend: Arc::clone(&backend),
                });
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
        Self {
            routes,
            settings,
            pool: pool(),
            open: Arc::default(),
        }
    }

    /// Where `path` goes, if it goes elsewhere.
    pub(super) fn find(&self, path: &str) -> Option<Onward<'_>> {
        let below = |route: &&Route| {
            path.strip_prefix(route.path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let route = self.routes.iter().find(below)?;
        Some(Onward { route, proxy: self })
    }
}

impl Onward<'_> {
    /// Sends the request on, and brings the reply back.
    pub(super) async fn answer(self, peer: Peer, head: Head, body: Incoming) -> Reply {
        let refused = |status, text: &str| reply::closing(reply::error(status, text));
        if has_dot_segment(head.uri.path()) {
            return refused(StatusCode::BAD_REQUEST, "the path holds . or ..\n");
        }
        if head
            .headers
            .get(TRANSFER_ENCODING)
            .is_some_and(|te| !te.as_bytes().eq_ignore_ascii_case(b"chunked"))
        {
            return refused(
                StatusCode::NOT_IMPLEMENTED,
                "no transfer coding but chunked is known here\n",
            );
        }
        let limit = self.proxy.settings.body_limit;
        if body.size_hint().lower() > limit {
            return refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n");
        }
        let Some(target) = self.target(&head.uri) else {
            return refused(
                StatusCode::BAD_REQUEST,
                "no address that could be sent on\n",
            );
        };
        let wants_websocket = upgrade::is_asked_for(&head);
        let method = head.method.clone();
        let mut client = Request::from_parts(head, body);
        let mut onward = Request::new(());
        *onward.method_mut() = method.clone();
        *onward.uri_mut() = target;
        *onward.headers_mut() = self.headers(peer, &client);
        let backend = &self.route.backend;
        if wants_websocket {
            let timeout = self.proxy.settings.timeout;
            let session = Session {
                device: checkin::device_id(client.headers())
                    .map(|device| checkin::shown(&device).to_owned())
                    .unwrap_or_default(),
                peer: peer.address,
                backend: backend.to_string(),
                idle: self.proxy.settings.idle,
                open: Open::count(&self.proxy.open),
            };
            let on_upgrade = hyper::upgrade::on(&mut client);
            return match upgrade::connect(backend, onward, timeout).await {
                Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    upgrade::accept(response, on_upgrade, session)
                }
                Ok(response) => self.bring_back(&method, response).await,
                Err(reply) => reply,
            };
        }
        let flow = Flow::new();
        let body = Paced::new(client.into_body(), limit, Arc::clone(&flow));
        let request = onward.map(|()| body);
        let timeout = self.proxy.settings.timeout;
        let answered = tokio::select! {
            biased;
            answered = self.proxy.pool.request(request) => answered,
            () = quiet(&flow.activity, timeout) => {
                return if flow.waits_for_sender() {
                    refused(StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n")
                } else {
                    backend.failed(&format!("no reply within {timeout:?}"));
                    refused(StatusCode::GATEWAY_TIMEOUT, "the server behind this one does not answer in time\n")
                };
            }
        };
        match answered {
            Ok(response) => {
                backend.answered();
                self.bring_back(&method, response).await
            }
            Err(e) => match cut(&e) {
                Some(Cut::TooBig) => {
                    refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n")
                }
                Some(Cut::Broken(e)) => {
                    debug!(target: LOG, peer = %peer.address, error = %e, "the client went away while it sent");
                    refused(StatusCode::BAD_REQUEST, "the body ended early\n")
                }
                None => {
                    backend.failed(&reason(&e));
                    refused(
                        StatusCode::BAD_GATEWAY,
                        "the server behind this one cannot be reached\n",
                    )
                }
            },
        }
    }

    /// The address at the backend: the same path and query, without our prefix.
    fn target(&self, uri: &Uri) -> Option<Uri> {
        let path_and_query = uri.path_and_query()?.as_str();
        let path_and_query: PathAndQuery = path_and_query.get(self.route.prefix..)?.parse().ok()?;
        Uri::builder()
            .scheme("http")
            .authority(self.route.backend.authority.clone())
            .path_and_query(path_and_query)
            .build()
            .ok()
    }

    /// The headers for the backend. What the client claims of who it is counts
    /// for nothing: that is what `peer` says.
    fn headers(&self, peer: Peer, request: &Request<Incoming>) -> HeaderMap {
        let mut headers = request.headers().clone();
        strip_hop_by_hop(&mut headers);
        // It was answered here.
        headers.remove(EXPECT);
        headers.remove(FORWARDED);
        let claims: Vec<HeaderName> = headers
            .keys()
            .filter(|name| name.as_str().starts_with("x-forwarded-"))
            .cloned()
            .collect();
        for name in claims {
            headers.remove(name);
        }
        // RFC 9112, section 3.2.2: an absolute target goes before the header.
        let host = request
            .uri()
            .authority()
            .and_then(|host| HeaderValue::from_str(host.as_str()).ok());
        if let Some(host) = host {
            headers.insert(HOST, host);
        }
        let client = peer.address.ip().to_string();
        if let Ok(client) = HeaderValue::from_str(&client) {
            headers.insert(FORWARDED_FOR, client.clone());
            headers.insert(REAL_IP, client);
        }
        let scheme = if peer.secure { "https" } else { "http" };
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
        headers
    }

    /// A backend's reply for the client. One without a length gets one if it is
    /// short.
    async fn bring_back(&self, method: &Method, response: Response<Incoming>) -> Reply {
        let timeout = self.proxy.settings.timeout;
        let (mut head, body) = response.into_parts();
        strip_hop_by_hop(&mut head.headers);
        let is_event_stream = head
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let has_length = *method == Method::HEAD || body.size_hint().exact().is_some();
        let mut relayed = Relayed::new(body, timeout);
        if has_length || is_event_stream {
            return reply::relayed(head, ReplyBody::Relayed(Box::new(relayed)));
        }
        let mut gathered = Vec::new();
        loop {
            match relayed.frame().await {
                None => return reply::relayed(head, ReplyBody::Short(gathered.into())),
                Some(Ok(frame)) => {
                    gathered.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
                }
                Some(Err(e)) => {
                    self.route
                        .backend
                        .failed(&format!("its reply broke off: {e}"));
                    return reply::closing(reply::error(
                        StatusCode::BAD_GATEWAY,
                        "the server behind this one broke off\n",
                    ));
                }
            }
            if gathered.len() > GATHERED {
                relayed.put_in_front(gathered.into());
                return reply::relayed(head, ReplyBody::Relayed(Box::new(relayed)));
            }
        }
    }
}

/// Removes what speaks of one connection only (RFC 9110, section 7.6.1: "the
/// Connection header field MUST be removed, and any field that it names").
pub(super) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Naming these would take away what says who asks, and for what.
        .filter(|name| !matches!(*name, HOST))
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether a part of the path is `.` or `..`, however it is written: a backend
/// that resolves it would answer for a path that was not meant to go there.
fn has_dot_segment(path: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    decoded
        .split(|b| matches!(b, b'/' | b'\\'))
        .any(|segment| matches!(segment, b"." | b".."))
}

fn cut<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Cut> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(cut) = error.downcast_ref() {
            return Some(cut);
        }
        next = error.source();
    }
    None
}

/// The innermost reason, which is the one that tells.
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

    fn proxy(public: &PublicAddress) -> Proxy {
        let to = Url::parse("http://127.0.0.1:8000");
        let to = to.unwrap_or_else(|e| unreachable!("{e}"));
        let route = |path: &str| ProxyRoute {
            setting: path.to_owned(),
            path: path.to_owned(),
            to: to.clone(),
        };
        let routes = [
            WEBSOCKET_PATH,
            VISION_PATH,
            "/mcp_endpoint/",
            "/mcp_endpoint/call",
        ];
        let settings = ProxySettings {
            routes: routes.map(route).into(),
            ..ProxySettings::default()
        };
        Proxy::new(settings, public)
    }

    #[test]
    fn the_longest_path_wins_and_our_own_prefix_is_taken_off() {
        let vision = Url::parse("https://h/edge/mcp/vision/explain");
        let vision = vision.unwrap_or_else(|e| unreachable!("{e}"));
        let proxy = proxy(&PublicAddress::from_vision_explain(&vision));
        for (path, to) in [
            ("/xiaozhi/v1/", Some("/xiaozhi/v1/")),
            ("/xiaozhi/v1", Some("/xiaozhi/v1")),
            ("/xiaozhi/v1/x?a=%2F&b", Some("/xiaozhi/v1/x?a=%2F&b")),
            ("/edge/xiaozhi/v1/", Some("/xiaozhi/v1/")),
            ("/edge/mcp/vision/explain", Some("/mcp/vision/explain")),
            ("/mcp_endpoint/x", Some("/mcp_endpoint/x")),
            ("/mcp_endpoint/call?x", Some("/mcp_endpoint/call?x")),
            ("/xiaozhi/v10/", None),
            ("/edge/mcp_endpoint/x", None),
            ("/", None),
        ] {
            let uri: Uri = path.parse().unwrap_or_default();
            let onward = proxy.find(uri.path());
            let target = onward.and_then(|onward| onward.target(&uri));
            let expected = to.map(|to| format!("http://127.0.0.1:8000{to}"));
            assert_eq!(target.map(|t| t.to_string()), expected, "{path}");
        }
        let most_precise = proxy
            .find("/mcp_endpoint/call")
            .map(|o| o.route.path.clone());
        assert_eq!(most_precise.as_deref(), Some("/mcp_endpoint/call"));
    }

    #[test]
    fn dot_segments_are_seen_however_they_are_written() {
        for path in [
            "/a/../b",
            "/a/%2e%2E/b",
            "/a/%2e%2e%2fb",
            "/a/.",
            "/a\\..\\b",
            "/a/.%2E",
        ] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in [
            "/a/b",
            "/a/..b/",
            "/a/%252e%252e/",
            "/.well-known/x",
            "/a/...",
        ] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }

    #[test]
    fn what_speaks_of_one_connection_is_stripped() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("connection", "host"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("host", "h"),
            ("device-id", "d"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["device-id", "host"]);
    }
}
