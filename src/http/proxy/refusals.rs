//! Errors for the client where a server behind this one gave no reply.

use super::ProxySettings;
use super::backend::LOG;
use super::upload::UploadError;
use crate::event::{Kind, tell};
use crate::http::reply::{self, Reply};
use crate::http::turned_away::{Request, TurnedAway};
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
