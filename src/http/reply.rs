//! The one door out. Every reply to a device is made here and keeps its rules:
//!
//! * a status that it knows: 200, or an error; never a redirect (its client
//!   follows none), 206 and 304 only to those who asked with `Range` or a
//!   condition, which devices never do;
//! * `Content-Length` always, chunks and compression never (bodies know their
//!   lengths, and hyper then writes the one header);
//! * header names in Title-Case (the connection's setting; the modem firmware
//!   looks for `Content-Length` by case);
//! * errors are short ASCII text: old firmware flashes whatever body comes, and
//!   must fail at its first byte, which is no 0xE9;
//! * no cache on the way hands out what was, nor changes what is: an image is asked
//!   for anew each time, everything else is stored by none.

use super::body::{Image, ReplyBody};
use crate::firmware::snapshot::ServedFile;
use crate::ota::reply::REQUEST_ERROR;
use crate::ota::upstream::LONGEST_REPLY;
use crate::server::Lasting;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONNECTION,
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED,
    RETRY_AFTER, VARY,
};
use hyper::http::response::Parts;
use hyper::{Response, StatusCode, Version};
use std::sync::LazyLock;

/// A reply.
pub(super) type Reply = Response<ReplyBody>;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// Forbids to store the reply (RFC 9111, section 5.2.2.5).
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Has a stored reply asked for anew before each use, and never compressed: a device
/// reads a compressed image as an empty one (RFC 9111, sections 5.2.2.4 and 5.2.2.6). A
/// CDN in front would else hand out the old bytes under a new name's length.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache, no-transform");
/// Seconds until it is worth asking again.
const A_MOMENT: HeaderValue = HeaderValue::from_static("2");
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, OPTIONS");

fn reply(status: StatusCode, content_type: HeaderValue, body: ReplyBody) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.reserve(10);
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("client-id, content-type, device-id, authorization"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_CREDENTIALS,
        HeaderValue::from_static("true"),
    );
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    reply
}

fn short(status: StatusCode, content_type: HeaderValue, body: impl Into<Bytes>) -> Reply {
    reply(status, content_type, ReplyBody::Short(body.into()))
}

/// Builds the answer to a check-in.
pub(super) fn json(body: Vec<u8>) -> Reply {
    short(StatusCode::OK, JSON, body)
}

/// Builds the answer to an activation, where nothing needs one.
pub(super) fn activated() -> Reply {
    activation(StatusCode::OK, Bytes::new())
}

/// Builds the answer to an activation that the server behind answered so. Firmware v1.6 wants a
/// body in either answer that it knows, 200 and 202; of others it takes any error for one
/// (`Ota::Activate` in `main/ota.cc`).
pub(super) fn activation(status: StatusCode, body: Bytes) -> Reply {
    let empty = match status {
        StatusCode::OK => &br#"{"success":true}"#[..],
        StatusCode::ACCEPTED => b"{}",
        status => {
            let is_error = status.is_client_error() || status.is_server_error();
            let told = if is_error {
                status
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            return error(told, format!("the upstream answers {}\n", status.as_u16()));
        }
    };
    // A longer one would have the device hang for good.
    let is_fit = (1..=LONGEST_REPLY).contains(&body.len());
    short(
        status,
        JSON,
        if is_fit {
            body
        } else {
            Bytes::from_static(empty)
        },
    )
}

/// Builds the answer to a check-in without its identifying headers: 200, as
/// xiaozhi-server has it.
pub(super) fn request_error() -> Reply {
    short(StatusCode::OK, JSON, REQUEST_ERROR)
}

/// Builds a text for people.
pub(super) fn text(body: String) -> Reply {
    short(StatusCode::OK, TEXT, body)
}

/// Builds the answer to `OPTIONS`, a browser's CORS preflight.
pub(super) fn options() -> Reply {
    let mut reply = short(
        StatusCode::OK,
        HeaderValue::from_static("text/plain"),
        Bytes::new(),
    );
    reply
        .headers_mut()
        .insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    reply
}

/// Lets pages of one origin alone read a reply.
pub(super) fn for_page(mut reply: Reply, origin: HeaderValue) -> Reply {
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    reply
}

/// Builds the 403 for a page that gets no token, and lets it read not even that.
pub(super) fn for_no_page() -> Reply {
    let text = "pages of other origins get no token here: gateway.cors lists those that do\n";
    let mut reply = error(StatusCode::FORBIDDEN, text);
    let headers = reply.headers_mut();
    headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
    headers.remove(ACCESS_CONTROL_ALLOW_HEADERS);
    headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    reply
}

/// Length limit of an error's text, in bytes.
const ERROR_LENGTH: usize = 300;

/// Builds an error: ASCII, and short, whatever is put into it.
pub(super) fn error(status: StatusCode, body: impl Into<String>) -> Reply {
    let mut body = body.into();
    body.retain(|c| c.is_ascii());
    body.truncate(ERROR_LENGTH);
    short(status, TEXT, body)
}

/// Text of a 503 where there is no thread to be had.
pub(super) const NO_THREAD: &str = "this server has no thread left: try again";

/// Builds a 503 for what is there in a moment.
pub(super) fn not_yet(body: &'static str) -> Reply {
    let mut reply = error(StatusCode::SERVICE_UNAVAILABLE, body);
    reply.headers_mut().insert(RETRY_AFTER, A_MOMENT);
    reply
}

/// Returns the 503 of a connection that must go before all of its request has come, as
/// bytes: there is no request that hyper could answer.
pub(super) fn turned_away() -> Bytes {
    static BYTES: LazyLock<Bytes> = LazyLock::new(|| {
        const BODY: &str =
            "the server is full or stopping: send the whole request at once, or try again\n";
        let mut reply = closing(not_yet(BODY));
        set(&mut reply, CONTENT_LENGTH, &BODY.len().to_string());
        let mut bytes = format!("HTTP/1.1 {}\r\n", reply.status()).into_bytes();
        for (name, value) in reply.headers() {
            bytes.extend(title_case(name.as_str()).chain(*b": "));
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(BODY.as_bytes());
        bytes.into()
    });
    BYTES.clone()
}

/// Returns a header's name as the modem firmware reads it, and as hyper writes it.
pub(super) fn title_case(name: &str) -> impl Iterator<Item = u8> {
    let mut before = b'-';
    name.bytes().map(move |byte| {
        let is_first = std::mem::replace(&mut before, byte) == b'-';
        if is_first {
            byte.to_ascii_uppercase()
        } else {
            byte
        }
    })
}

/// Builds a 405 with the methods that are allowed.
pub(super) fn method_not_allowed(allowed: &'static str) -> Reply {
    let mut reply = error(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// Marks the last reply on its connection.
pub(super) fn closing(mut reply: Reply) -> Reply {
    reply
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// Builds the headers of an image, its length included; `body` is the image, or nothing
/// in answer to `HEAD`. Whether it arrives is told to whoever counts it.
pub(super) fn image(entry: &ServedFile, body: Option<Image>) -> Reply {
    let delivery = body.as_ref().and_then(Image::delivery).cloned();
    let mut reply = of_image(StatusCode::OK, entry, body);
    set(&mut reply, CONTENT_LENGTH, &entry.size().to_string());
    if let Some(delivery) = delivery {
        reply.extensions_mut().insert(delivery);
    }
    reply
}

/// Builds a 206 with `start..end`.
pub(super) fn part(entry: &ServedFile, start: u64, end: u64, body: Option<Image>) -> Reply {
    let mut reply = of_image(StatusCode::PARTIAL_CONTENT, entry, body);
    set(&mut reply, CONTENT_LENGTH, &(end - start).to_string());
    set(
        &mut reply,
        CONTENT_RANGE,
        &format!("bytes {start}-{}/{}", end - 1, entry.size()),
    );
    reply
}

/// Builds a 304: the client has the image.
pub(super) fn not_modified(entry: &ServedFile) -> Reply {
    of_image(StatusCode::NOT_MODIFIED, entry, None)
}

/// Builds a 416: no byte of the range lies within the image.
pub(super) fn unsatisfiable(entry: &ServedFile) -> Reply {
    let mut reply = error(StatusCode::RANGE_NOT_SATISFIABLE, "range not satisfiable");
    set(
        &mut reply,
        CONTENT_RANGE,
        &format!("bytes */{}", entry.size()),
    );
    reply
}

/// Passes on a reply that was made elsewhere: a backend's, or the 101 before a
/// WebSocket. Its content is its maker's; how it is framed is ours, the version too: a
/// device looks for `HTTP/1.1 101`, letter by letter.
pub(super) fn relayed(mut head: Parts, body: ReplyBody) -> Reply {
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Response::from_parts(head, body)
}

fn of_image(status: StatusCode, entry: &ServedFile, body: Option<Image>) -> Reply {
    let lasts = body.is_some();
    let body = body.map_or(ReplyBody::Short(Bytes::new()), |image| {
        ReplyBody::Image(Box::new(image))
    });
    let mut reply = reply(
        status,
        HeaderValue::from_static("application/octet-stream"),
        body,
    );
    let headers = reply.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, ASK_AGAIN);
    set(&mut reply, ETAG, &entry.etag);
    set(&mut reply, LAST_MODIFIED, &entry.last_modified);
    if lasts {
        reply.extensions_mut().insert(Lasting);
    }
    reply
}

fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    // Numbers, dates and hexadecimal: always a header value.
    if let Ok(value) = HeaderValue::from_str(value) {
        reply.headers_mut().insert(name, value);
    }
}
