//! Parts of a request that several handlers read.

use crate::server::Peer;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::{PathAndQuery, Uri};
use std::borrow::Cow;
use std::time::SystemTime;
use xiaozhi_device::redact;

/// Number of bytes of a device's value that the log shows.
const SHOWN: usize = 128;

/// Header that names the device: its MAC address.
pub(super) static DEVICE_ID: HeaderName = HeaderName::from_static("device-id");
/// Header that names the device's installation: a UUID.
pub(super) static CLIENT_ID: HeaderName = HeaderName::from_static("client-id");

/// A request without its body.
pub(super) type Head = hyper::http::request::Parts;

/// Returns the `Device-Id` of a request, if it has one.
pub(super) fn device_id(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    headers.get_all(&DEVICE_ID).iter().find_map(text)
}

/// Returns whether a request names device and client, as check-ins do.
pub(super) fn names_device(headers: &HeaderMap) -> bool {
    let names = |header: &HeaderName| {
        let mut values = headers.get_all(header).iter();
        values.any(|value| text(value).is_some())
    };
    names(&DEVICE_ID) && names(&CLIENT_ID)
}

/// Returns the value of a header that counts, as it was sent: the first that has a text.
pub(super) fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let values = headers.get_all(name).into_iter();
    values
        .map(|value| value.as_bytes().trim_ascii())
        .find(|value| !value.is_empty())
}

/// Returns a header's text, if it is not empty. Invalid UTF-8 in it is replaced.
pub(super) fn text(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let value = value.as_bytes().trim_ascii();
    (!value.is_empty()).then(|| String::from_utf8_lossy(value))
}

/// Returns the part of a device's value that goes into the log: strangers must not fill
/// it.
pub(super) fn shown(value: &str) -> &str {
    &value[..value.floor_char_boundary(SHOWN)]
}

/// Request, who sent it, and when.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) head: &'a Head,
    pub(super) peer: Peer,
    pub(super) now: SystemTime,
}

impl Request<'_> {
    /// Returns the device that it names, as the log shows it.
    pub(super) fn device(&self) -> Option<String> {
        let device = device_id(&self.head.headers)?;
        Some(shown(&device).to_owned())
    }

    /// Returns its method, as the log shows it.
    pub(super) fn method(&self) -> &str {
        shown(self.head.method.as_str())
    }

    /// Returns its path as the log may show it; a query may hold a token.
    pub(super) fn path(&self) -> String {
        let uri = &self.head.uri;
        let path = match uri.path() {
            // `CONNECT` has none.
            "" => uri.authority().map_or("", |authority| authority.as_str()),
            path => path,
        };
        redact::shown(shown(path)).into_owned()
    }
}

/// Returns `uri` with another path.
pub(super) fn at_path(uri: &Uri, mut path: String) -> Option<Uri> {
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}
