//! Errors for the client where a server behind this one gave no reply.

use super::ProxySettings;
use super::backend::{Backend, LOG, no_thread};
use super::upload::UploadError;
use crate::event::text::Text;
use crate::event::{Kind, tell};
use crate::http::reply::{self, NO_THREAD, Reply};
use crate::http::request::Request;
use crate::http::turned_away::TurnedAway;
use crate::http::upgrade_headers;
use hyper::StatusCode;
use std::error::Error;
use tracing::debug;

/// Returns an error behind which the connection ends: what is left of the request's
/// body is not read.
pub(super) fn refused(status: StatusCode, text: &str) -> Reply {
    reply::closing(reply::error(status, text))
}

/// Returns the error for a client whose body did not come through, and says why.
pub(super) fn given_up(
    error: &UploadError,
    settings: &ProxySettings,
    request: Request<'_>,
    turned_away: &TurnedAway,
) -> Reply {
    let due = |kind: &Kind| turned_away.is_due(kind, request);
    let peer = request.peer.address;
    let ended_early = (StatusCode::BAD_REQUEST, "the body ended early\n");
    let (status, text) = match error {
        UploadError::TooBig => {
            tell!(
                UPLOAD_TOO_BIG if due,
                device = request.device(),
                peer = peer,
                path = request.path(),
                limit = settings.body_limit,
            );
            (StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n")
        }
        UploadError::Stalled => {
            tell!(
                UPLOAD_TOO_SLOW if due,
                device = request.device(),
                peer = peer,
                path = request.path(),
                limit = format!("{:?}", settings.timeout),
            );
            let text = "the body did not come in time\n";
            (StatusCode::REQUEST_TIMEOUT, text)
        }
        UploadError::Broken(cut) => {
            tell!(
                UPLOAD_CUT if due,
                device = request.device(),
                peer = peer,
                path = request.path(),
                error = super::backend::reason(cut),
            );
            ended_early
        }
        UploadError::Abandoned => {
            debug!(target: LOG, peer = %peer, error = %error, "the client went away while it sent");
            ended_early
        }
    };
    refused(status, text)
}

/// Says that a backend answered, and not as was asked: whoever waits for voice or for an
/// answer to a picture gets none, and all is well for every monitor.
pub(super) fn answered_otherwise(
    backend: &Backend,
    status: StatusCode,
    request: Request<'_>,
    turned_away: &TurnedAway,
) {
    let due = |kind: &Kind| turned_away.is_due(kind, request);
    let (peer, code) = (request.peer.address, status.as_u16());
    let why = match code {
        300..=399 => Text::new(
            "它要转到别处（重定向），而设备不会跟随：请把该设置改为重定向所指的服务器，并使用 http",
            "it sends on to elsewhere (a redirect), which no device follows: set the server that it points to, over http",
        ),
        401 | 403 | 407 => Text::new(
            "它不接受该设备或其令牌：两边的 server.auth 和 server.auth_key 必须相同",
            "it does not accept the device or its token: server.auth and server.auth_key must be the same on both sides",
        ),
        404 | 405 | 410 => Text::new(
            "它没有这个路径：该设置中的端口多半属于别的程序",
            "it has no such path: the port in that setting belongs to another program, most likely",
        ),
        500.. => Text::new(
            "它自己或它后面的服务出了错：请查看它的日志",
            "it has failed, or what stands behind it has: look into its log",
        ),
        _ if upgrade_headers::is_asked_for(request.head) => Text::new(
            "它没有建立 WebSocket：该设置应指向 xiaozhi-server 的 WebSocket 端口（默认 8000），或它前面的代理去掉了 Upgrade",
            "it begins no WebSocket: the setting should be xiaozhi-server's port for WebSockets (8000 by default); or a proxy in \
             front of it takes the header Upgrade away",
        ),
        _ => Text::new(
            "它拒绝了请求：请查看它的日志",
            "it refuses the request: look into its log",
        ),
    };
    if upgrade_headers::is_asked_for(request.head) {
        tell!(
            BACKEND_NO_UPGRADE if due,
            device = request.device(),
            peer = peer,
            path = request.path(),
            status = code,
            backend = backend.to_string(),
            setting = backend.setting(),
            why = why,
        );
    } else {
        tell!(
            BACKEND_REFUSES if due,
            device = request.device(),
            peer = peer,
            path = request.path(),
            status = code,
            backend = backend.to_string(),
            setting = backend.setting(),
            why = why,
        );
    }
}

/// Returns the error for a client whose request did not reach the backend.
pub(super) fn unreached(error: &(dyn Error + 'static)) -> Reply {
    if no_thread(error).is_some() {
        return reply::closing(reply::not_yet(NO_THREAD));
    }
    refused(
        StatusCode::BAD_GATEWAY,
        "the server behind this one cannot be reached\n",
    )
}

pub(super) fn late() -> Reply {
    refused(
        StatusCode::GATEWAY_TIMEOUT,
        "the server behind this one does not answer in time\n",
    )
}

pub(super) fn broken_off() -> Reply {
    refused(
        StatusCode::BAD_GATEWAY,
        "the server behind this one broke off\n",
    )
}
