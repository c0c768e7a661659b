//! The handshake of a WebSocket, passed on to its backend.
//!
//! A WebSocket has a connection of its own to its backend. The 101 carries the work
//! to be done in its extensions, and the connection's own task does it once HTTP is
//! over: so it keeps its permit, its share and its place in the drain.

use super::backend::{Backend, CONNECT, LOG, reason, why_none};
use super::connector::reach;
use super::first_reply::FirstReply;
use super::hops;
use super::refusals::{late, unreached};
use super::resolver::Resolver;
use super::tunnel::{self, Session};
use crate::http::body::ReplyBody;
use crate::http::reply::{self, Reply};
use crate::http::upgrade_headers::has;
use crate::server::Upgrade;
use futures_util::future::BoxFuture;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::time::timeout;
use tracing::debug;

/// Returns whether a backend begins a WebSocket.
pub(super) fn is_granted(response: &Response<Incoming>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        && has(response.headers(), UPGRADE, "websocket")
}

/// Asks the backend for a WebSocket, over a connection of its own. xiaozhi-server
/// accepts an upgrade only when `Connection` is exactly `Upgrade`.
pub(super) async fn connect(
    backend: &Backend,
    resolver: &Resolver,
    request: Request<()>,
    patience: Duration,
) -> Result<Response<Incoming>, Reply> {
    let mut request = request.map(|()| Empty::<Bytes>::new());
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    // There is no body, and what comes next must not be taken for one.
    headers.remove(CONTENT_LENGTH);
    if let (false, Ok(host)) = (
        headers.contains_key(HOST),
        HeaderValue::from_str(backend.authority.as_str()),
    ) {
        headers.insert(HOST, host);
    }
    // Hyper sends what it is given: the backend sees a path, as from any client.
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(Into::into).unwrap_or_default();
    let asked = async {
        let port = backend.authority.port_u16().unwrap_or(80);
        let stream = reach(resolver, backend.authority.host(), port, CONNECT)
            .await
            .map_err(|e| (why_none(&e), unreached(&e)))?;
        let (mut sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .handshake(FirstReply::new(TokioIo::new(stream)))
            .await
            .map_err(|e| (reason(&e).into(), unreached(&e)))?;
        tokio::spawn(async move {
            if let Err(e) = connection.with_upgrades().await {
                debug!(target: LOG, error = %e, "a backend's connection ended early");
            }
        });
        let asked = sender.send_request(request).await;
        asked.map_err(|e| (why_none(&e), unreached(&e)))
    };
    match timeout(patience, asked).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err((why, reply))) => {
            backend.failed(why);
            Err(reply)
        }
        Err(_) => {
            backend.failed(format!("no reply within {patience:?}"));
            Err(late())
        }
    }
}

/// Passes the backend's 101 on; the connection's task then carries the bytes.
pub(super) fn accept(
    mut response: Response<Incoming>,
    client: OnUpgrade,
    session: Session,
) -> Reply {
    let backend = hyper::upgrade::on(&mut response);
    let (mut head, _) = response.into_parts();
    hops::strip(&mut head.headers);
    head.headers
        .insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    head.headers
        .insert(UPGRADE, HeaderValue::from_static("websocket"));
    let mut reply = reply::relayed(head, ReplyBody::Short(Bytes::new()));
    let work = move |stop| -> BoxFuture<'static, ()> {
        Box::pin(async move {
            match tokio::try_join!(client, backend) {
                Ok((client, backend)) => {
                    tunnel::carry(TokioIo::new(client), TokioIo::new(backend), session, stop).await;
                }
                Err(e) => debug!(target: LOG, error = %e, "the WebSocket ended as it began"),
            }
        })
    };
    reply.extensions_mut().insert(Upgrade::new(work));
    reply
}
