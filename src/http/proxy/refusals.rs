//! Errors for the client where a server behind this one gave no reply.

use crate::http::reply::{self, Reply};
use hyper::StatusCode;

/// Returns an error behind which the connection ends: what is left of the request's
/// body is not read.
pub(super) fn refused(status: StatusCode, text: &str) -> Reply {
    reply::closing(reply::error(status, text))
}

pub(super) fn too_large() -> Reply {
    refused(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large\n")
}

pub(super) fn stalled() -> Reply {
    refused(
        StatusCode::REQUEST_TIMEOUT,
        "the body did not come in time\n",
    )
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
