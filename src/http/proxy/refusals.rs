//! Errors for the client where a server behind this one gave no reply.

use super::ProxySettings;
use super::backend::LOG;
use super::upload::UploadError;
use crate::event::event;
use crate::http::reply::{self, Reply};
use crate::http::request::{device_id, shown};
use crate::http::turned_away::{self, Request, TurnedAway};
use hyper::StatusCode;
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
    let device = device_id(&request.head.headers);
    let device = device.as_deref().map(shown);
    let (peer, path) = (request.peer.address, turned_away::path(request.head));
    let (status, text, event) = match error {
        UploadError::TooBig => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large\n",
            event!(
                UPLOAD_TOO_BIG,
                device = device,
                peer = peer,
                path = path,
                limit = settings.body_limit,
            ),
        ),
        UploadError::Stalled => (
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come in time\n",
            event!(
                UPLOAD_TOO_SLOW,
                device = device,
                peer = peer,
                path = path,
                limit = format!("{:?}", settings.timeout),
            ),
        ),
        UploadError::Broken(cut) => (
            StatusCode::BAD_REQUEST,
            "the body ended early\n",
            event!(
                UPLOAD_CUT,
                device = device,
                peer = peer,
                path = path,
                error = super::backend::reason(cut),
            ),
        ),
        UploadError::Abandoned => {
            debug!(target: LOG, peer = %peer, error = %error, "the client went away while it sent");
            return refused(StatusCode::BAD_REQUEST, "the body ended early\n");
        }
    };
    turned_away.say(request, &event);
    refused(status, text)
}

pub(super) fn unreachable_now() -> Reply {
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
