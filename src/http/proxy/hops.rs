//! Headers that go on from one connection to the next, and those that stay behind:
//! headers of one hop (RFC 9110, section 7.6), claims of who asks, and whatever two
//! servers in a row might read in two ways.

use crate::http::request::Head;
use crate::server::Peer;
use hyper::StatusCode;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::uri::Authority;
use percent_encoding::percent_decode_str;

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
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");

/// Returns the reason why a request cannot go on, if there is one: something besides what
/// nobody answers that a backend might understand otherwise than this server does.
pub(super) fn fault(head: &Head) -> Option<(StatusCode, &'static str)> {
    let bad = |text| Some((StatusCode::BAD_REQUEST, text));
    if has_dot_segment(head.uri.path()) {
        return bad("the path holds . or ..\n");
    }
    let host = head.headers.get(HOST).map(HeaderValue::as_bytes);
    if host.is_some_and(|host| !host.is_empty() && Authority::try_from(host).is_err()) {
        return bad("the Host header is not one host\n");
    }
    None
}

/// Returns the headers for the backend. The client's own claims of who it is count for
/// nothing: `peer` says it.
pub(super) fn for_backend(head: &Head, peer: Peer) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(head.headers.len() + CLAIMS);
    for (name, value) in passing(head) {
        headers.append(name.clone(), value.clone());
    }
    if head.headers.contains_key(TRANSFER_ENCODING) {
        // Said expressly, for hyper takes a GET without it to have no body.
        headers.insert(TRANSFER_ENCODING, CHUNKED);
    }
    // Without one, the backend's own stands in.
    headers.remove(HOST);
    let host = host(head).and_then(|host| HeaderValue::from_bytes(host).ok());
    headers.extend(host.map(|host| (HOST, host)));
    headers.extend(of_client(peer));
    headers
}

/// Returns the headers that go on as they came.
pub(super) fn passing(head: &Head) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    let named = named(&head.headers);
    head.headers.iter().filter(move |(name, _)| {
        let stays = named.contains(name) || HOP_BY_HOP.contains(name) || is_claim(name);
        // What is expected was answered here.
        !stays && **name != EXPECT
    })
}

/// Returns the host that a request is for, if it says one.
pub(super) fn host(head: &Head) -> Option<&[u8]> {
    // RFC 9112, section 3.2.2: an absolute target goes before the header.
    let target = head.uri.authority().map(Authority::as_str);
    let target = target.and_then(|host| host.rsplit('@').next());
    let header = || head.headers.get(HOST).map(HeaderValue::as_bytes);
    let host = target.map(str::as_bytes).or_else(header);
    host.filter(|host| !host.is_empty())
}

/// Number of headers that say who the client is.
const CLAIMS: usize = 3;

/// Returns the headers that say who the client is, and how it came.
pub(super) fn of_client(peer: Peer) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let client = HeaderValue::from_str(&peer.address.ip().to_string()).ok();
    let scheme = if peer.secure { "https" } else { "http" };
    let claims: [_; CLAIMS] = [
        client.clone().map(|client| (FORWARDED_FOR, client)),
        client.map(|client| (REAL_IP, client)),
        Some((FORWARDED_PROTO, HeaderValue::from_static(scheme))),
    ];
    claims.into_iter().flatten()
}

/// Tells whether a header is this one, or would be to a server that takes `_` for `-`.
pub(super) fn reads_as(name: &HeaderName, other: &HeaderName) -> bool {
    let (name, other) = (name.as_str().as_bytes(), other.as_str().as_bytes());
    name.len() == other.len() && begins(name, other)
}

/// Tells whether a name begins so, `_` for `-`.
fn begins(name: &[u8], with: &[u8]) -> bool {
    let same = |(byte, other): (&u8, &u8)| byte == other || (*byte == b'_' && *other == b'-');
    name.len() >= with.len() && name.iter().zip(with).all(same)
}

/// Returns whether a header says who the client is or how it came, or would to a
/// backend that takes `_` for `-`, as those do that make variables of headers.
fn is_claim(name: &HeaderName) -> bool {
    let is_disguised = || name.as_str().contains('_');
    begins(name.as_str().as_bytes(), b"x-forwarded-")
        || reads_as(name, &REAL_IP)
        || reads_as(name, &FORWARDED)
        || (is_disguised()
            && (reads_as(name, &CONTENT_LENGTH) || reads_as(name, &TRANSFER_ENCODING)))
}

/// Removes headers that speak of one connection only ("the Connection header field MUST
/// be removed, and any field that it names").
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in named(headers).iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Returns the headers that speak of one connection only because `Connection` names them.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all(CONNECTION).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // Without it nobody knows whom the request is for.
        .filter(|name| *name != HOST)
        .collect()
}

/// Returns whether a part of the path is `.` or `..`, however it is written: a backend
/// that resolves it would answer for a path that was not meant to go there. Some
/// servers cut a part at `;` first.
fn has_dot_segment(path: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    decoded
        .split(|b| matches!(b, b'/' | b'\\'))
        .filter_map(|segment| segment.split(|b| *b == b';').next())
        .any(|segment| matches!(segment, b"." | b".."))
}

/// Returns whether a reply has a coding that was not asked for.
pub(super) fn has_foreign_coding(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.any(|coding: &HeaderValue| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn head(target: &str, lines: &[(&'static str, &'static str)]) -> Head {
        let (mut head, ()) = Request::new(()).into_parts();
        head.uri = target.parse().unwrap();
        for (name, value) in lines {
            let value = HeaderValue::from_static(value);
            head.headers.append(HeaderName::from_static(name), value);
        }
        head
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
            "/a/..;x/b",
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
    fn what_a_backend_might_read_otherwise_does_not_go_on() {
        for (target, host) in [("/x/../y", "h"), ("/x", "[::1"), ("/x", "a:b:c")] {
            let fault = fault(&head(target, &[("host", host)]));
            let status = fault.map(|(status, _)| status.as_u16());
            assert_eq!(status, Some(400), "{target} {host}");
        }
        for lines in [&[][..], &[("host", "")], &[("host", "[2001:db8::1]:8003")]] {
            assert_eq!(fault(&head("/x", lines)), None, "{lines:?}");
        }
    }

    #[test]
    fn the_backend_hears_who_asks_from_us_alone() {
        let claimed = [
            ("host", "claimed"),
            ("forwarded", "for=1.1.1.1"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-proto", "ftp"),
            ("x-forwarded-host", "evil"),
            ("x_forwarded_for", "1.1.1.1"),
            ("x-real_ip", "1.1.1.1"),
            ("content_length", "7"),
            ("expect", "100-continue"),
            ("authorization", "Bearer t"),
            ("x_own", "kept"),
        ];
        let peer = Peer {
            address: ([203, 0, 113, 7], 1).into(),
            secure: true,
            relayed: false,
            unknown: false,
            local: None,
        };
        let headers = for_backend(&head("http://u:p@h:1/x", &claimed), peer);
        let mut lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default()))
            .collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "authorization: Bearer t",
                "host: h:1",
                "x-forwarded-for: 203.0.113.7",
                "x-forwarded-proto: https",
                "x-real-ip: 203.0.113.7",
                "x_own: kept",
            ]
        );
    }

    #[test]
    fn what_speaks_of_one_connection_is_stripped() {
        let lines = [
            ("connection", "close, X-Secret"),
            ("connection", "host"),
            ("x-secret", "1"),
            ("keep-alive", "5"),
            ("te", "trailers"),
            ("host", "h"),
            ("device-id", "d"),
        ];
        let mut headers = head("/", &lines).headers;
        strip(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["device-id", "host"]);
    }
}
