//! Headers by which a request asks for a WebSocket.

use super::request::{self, Head};
use crate::event::{Event, event};
use hyper::header::{CONNECTION, HeaderMap, HeaderName, UPGRADE};
use hyper::{Method, Version};

/// Returns whether a request asks for a WebSocket (RFC 6455, section 4.1).
pub(super) fn is_asked_for(head: &Head) -> bool {
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && has(&head.headers, UPGRADE, "websocket")
        && has(&head.headers, CONNECTION, "upgrade")
}

/// Returns the reason why a request can become no WebSocket, if there is one.
pub(super) fn no_upgrade(head: &Head) -> Option<Event> {
    if is_asked_for(head) {
        None
    } else if head.version < Version::HTTP_11 {
        Some(event!(UPGRADE_OVER_HTTP_1_0))
    } else if !has(&head.headers, UPGRADE, "websocket") {
        Some(event!(NO_UPGRADE_HEADER))
    } else {
        let connection = head.headers.get(CONNECTION).and_then(request::text);
        let connection = connection.as_deref().map(request::shown);
        Some(event!(NO_CONNECTION_UPGRADE, connection = connection))
    }
}

/// Returns whether a request has one of the two headers that ask for a WebSocket.
pub(super) fn has_upgrade(head: &Head) -> bool {
    has(&head.headers, UPGRADE, "websocket") || has(&head.headers, CONNECTION, "upgrade")
}

/// Returns whether a header that lists words, and may come more than once, has this one.
pub(super) fn has(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let values = headers.get_all(name).iter();
    let mut words = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    words.any(|w| w.trim().eq_ignore_ascii_case(word))
}
