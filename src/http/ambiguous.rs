//! Requests that two servers in a row might read in two ways: what the HTTP library
//! leaves open of a head. No path is answered to one, whoever is to answer it: what stands
//! in front of this server may have taken it for another's.
//!
//! A body that is chunked, and has a length besides, is read in chunks; hyper forgets the
//! length, and closes the connection behind the answer (RFC 9112, section 6.3).
//!
//! A Host that is empty is one (RFC 9112, section 3.2), and HTTP/1.0 knows none.

use super::request::Head;
use hyper::header::{HOST, TRANSFER_ENCODING};
use hyper::{StatusCode, Version};

/// Returns the reason why nobody may answer a request, if there is one.
pub(super) fn fault(head: &Head) -> Option<(StatusCode, &'static str)> {
    let bad = |text| Some((StatusCode::BAD_REQUEST, text));
    let mut hosts = head.headers.get_all(HOST).iter();
    match hosts.next() {
        None if head.version > Version::HTTP_10 => return bad("there is no Host header\n"),
        Some(host) if hosts.next().is_some() || !is_one(host.as_bytes()) => {
            return bad("the Host header is not one host\n");
        }
        None | Some(_) => {}
    }
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if codings.next().is_some()
        || coding.is_some_and(|c| !c.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Some((
            StatusCode::NOT_IMPLEMENTED,
            "no transfer coding but chunked is known here\n",
        ));
    }
    None
}

/// Returns whether a value is one host, with or without a port, or nothing. Bytes that are
/// no ASCII are left to it: a name may be written so, and lead here by a LAN's own DNS.
fn is_one(host: &[u8]) -> bool {
    host.iter().all(|byte| match byte {
        0..=b' ' | 0x7F => false,
        // The zone of an IPv6 address.
        b'%' => host.starts_with(b"["),
        other => !b"\"#,/<>?@\\^`{|}".contains(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;
    use hyper::header::{HeaderName, HeaderValue};

    fn status(version: Version, lines: &[(&'static str, &'static str)]) -> Option<u16> {
        let (mut head, ()) = Request::new(()).into_parts();
        head.version = version;
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            head.headers.append(HeaderName::from_static(name), value);
        }
        fault(&head).map(|(status, _)| status.as_u16())
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        const CODING: &str = "transfer-encoding";
        for (lines, refused) in [
            (&[][..], 400),
            (&[("host", "a"), ("host", "b")], 400),
            (&[("host", "a"), ("host", "a")], 400),
            (&[("host", "a"), ("host", "A")], 400),
            (&[("host", ""), ("host", "a")], 400),
            (&[("host", "a b")], 400),
            (&[("host", "a\tb")], 400),
            (&[("host", "a,b")], 400),
            (&[("host", "a, b")], 400),
            (&[("host", "a@b")], 400),
            (&[("host", "a/b")], 400),
            (&[("host", "http://a")], 400),
            (&[("host", "a?b")], 400),
            (&[("host", "a%00b")], 400),
            (&[("host", "h"), (CODING, "gzip, chunked")], 501),
            (&[("host", "h"), (CODING, "identity, chunked")], 501),
            (&[("host", "h"), (CODING, "chunked, chunked")], 501),
            (&[("host", "h"), (CODING, "identity")], 501),
            (&[("host", "h"), (CODING, "xchunked")], 501),
            (
                &[("host", "h"), (CODING, "chunked"), (CODING, "chunked")],
                501,
            ),
        ] {
            assert_eq!(status(Version::HTTP_11, lines), Some(refused), "{lines:?}");
        }
        for lines in [
            &[("host", "")][..],
            &[("host", "[2001:db8::1]:8003")],
            &[("host", "[fe80::1%25eth0]")],
            &[("host", "a_b.local:8003a")],
            &[("host", "\u{5c0f}\u{667a}.lan")],
            &[("host", "h:80"), (CODING, "Chunked")],
        ] {
            assert_eq!(status(Version::HTTP_11, lines), None, "{lines:?}");
            assert_eq!(status(Version::HTTP_10, lines), None, "{lines:?}");
        }
        assert_eq!(status(Version::HTTP_10, &[]), None);
        assert_eq!(
            status(Version::HTTP_10, &[("host", "a"), ("host", "b")]),
            Some(400)
        );
    }
}
