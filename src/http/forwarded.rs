//! Client of a proxy, by its `X-Forwarded-For` and `X-Forwarded-Proto` headers.
//!
//! Anybody can write these headers, so they count only in a request that comes from a
//! proxy that the operator listed, and only as far to the left as proxies on that list
//! wrote them.

use super::request::{Head, shown};
use super::upgrade_headers::has;
use crate::server::{Peer, Trusted};
use hyper::Version;
use hyper::header::{CONNECTION, HeaderMap, HeaderName, UPGRADE};
use std::net::{IpAddr, SocketAddr};

/// Headers that proxies add and no device sends; all that begin so, where one ends in `-`.
const SIGNS: [&str; 16] = [
    "x-forwarded",
    "x-forwarded-",
    "forwarded",
    "via",
    "x-real-",
    "x-original-",
    "cf-",
    "ali-",
    "cdn-loop",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    // As the panels of Chinese hosters write it for Nginx.
    "remote-host",
    "x-scheme",
    "x-url-scheme",
    "front-end-https",
];

/// Returns the sign that something in front passed a request on. Whoever it passes on may
/// have come by another host and scheme than stand here.
pub(super) fn sign(head: &Head) -> Option<&str> {
    let is_sign = |name: &&str| {
        let mut signs = SIGNS.iter();
        signs.any(|sign| name == sign || (sign.ends_with('-') && name.starts_with(sign)))
    };
    let mut names = head.headers.keys().map(HeaderName::as_str);
    if let Some(name) = names.find(is_sign) {
        Some(shown(name))
    } else if head.version < Version::HTTP_11 {
        // No device speaks it, and Nginx does unless it is told otherwise.
        Some("HTTP/1.0")
    } else {
        // Nginx again, set up for WebSockets: it has no Upgrade to hand on.
        let promises = has(&head.headers, CONNECTION, "upgrade");
        (promises && !head.headers.contains_key(UPGRADE)).then_some("Connection: upgrade")
    }
}

/// Returns the client of a request: `peer` itself, or the one that it asks for.
pub(super) fn resolve(peer: Peer, headers: &HeaderMap, trusted: &Trusted) -> Peer {
    if peer.unknown || trusted.is_empty() || !trusted.contains(peer.address.ip()) {
        return peer;
    }
    let secure = over_tls(headers);
    Peer {
        address: client(headers, trusted).unwrap_or(peer.address),
        secure: secure.unwrap_or(peer.secure),
        relayed: secure.is_none(),
        unknown: false,
        local: None,
    }
}

/// Returns the right-most address that is not a trusted proxy's; the left-most one
/// where all are. Left of a value that is no address nothing is believed: nobody knows
/// who wrote it.
fn client(headers: &HeaderMap, trusted: &Trusted) -> Option<SocketAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let items = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut last = None;
    for item in items {
        let Some(address) = address(item) else { break };
        last = Some(address);
        if !trusted.contains(address.ip()) {
            break;
        }
    }
    last
}

/// Parses an address, with or without a port: some proxies write one.
fn address(item: &[u8]) -> Option<SocketAddr> {
    let text = str::from_utf8(item).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let ip = bare.unwrap_or(text).parse::<IpAddr>();
    let address = match ip {
        Ok(ip) => SocketAddr::new(ip, 0),
        Err(_) => text.parse().ok()?,
    };
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// Returns whether the client came to the last proxy over TLS, if that proxy says so:
/// the last value counts.
fn over_tls(headers: &HeaderMap) -> Option<bool> {
    let line = headers.get_all("x-forwarded-proto").iter().next_back()?;
    let last = line.as_bytes().rsplit(|byte| *byte == b',').next()?;
    let last = last.trim_ascii();
    if last.eq_ignore_ascii_case(b"https") {
        Some(true)
    } else {
        last.eq_ignore_ascii_case(b"http").then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    const PROXY: [u8; 4] = [10, 0, 0, 1];
    const STRANGER: [u8; 4] = [203, 0, 113, 9];

    fn trusted() -> Trusted {
        let nets = ["10.0.0.0/8", "fd00::/8"];
        nets.iter().map(|net| net.parse().unwrap()).collect()
    }

    fn peer(ip: [u8; 4], secure: bool) -> Peer {
        Peer {
            address: (ip, 4711).into(),
            secure,
            relayed: false,
            unknown: false,
            local: None,
        }
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let lines = lines.iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
            Some((HeaderName::from_static(name), value))
        });
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(name, value);
        }
        map
    }

    /// Returns the client of a request from the proxy with these header lines.
    fn found(lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|l| ("x-forwarded-for", *l)).collect();
        let peer = resolve(peer(PROXY, false), &headers(&lines), &trusted());
        peer.address.to_string()
    }

    #[test]
    fn the_right_most_address_that_is_no_proxys() {
        for (lines, client) in [
            (&[][..], "10.0.0.1:4711"),
            (&["203.0.113.7"], "203.0.113.7:0"),
            (&["192.0.2.1, 203.0.113.7"], "203.0.113.7:0"),
            (&["192.0.2.1,203.0.113.7 ,\t10.0.0.2"], "203.0.113.7:0"),
            (
                &["192.0.2.1", "203.0.113.7", "10.0.0.3, fd00::1"],
                "203.0.113.7:0",
            ),
            (&["10.0.0.9, 10.0.0.2"], "10.0.0.9:0"),
            (&["203.0.113.7:1234"], "203.0.113.7:1234"),
            (&["2001:db8::1"], "[2001:db8::1]:0"),
            (&["[2001:db8::1]"], "[2001:db8::1]:0"),
            (&["[2001:db8::1]:99"], "[2001:db8::1]:99"),
            (&["::ffff:203.0.113.7"], "203.0.113.7:0"),
            (&["192.0.2.1, ::ffff:10.0.0.2"], "192.0.2.1:0"),
            // What no proxy of ours can have understood ends the walk.
            (&["203.0.113.7, unknown"], "10.0.0.1:4711"),
            (&["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2:0"),
            (&[""], "10.0.0.1:4711"),
            (&["203.0.113.7,"], "10.0.0.1:4711"),
            (&["1.2.3"], "10.0.0.1:4711"),
        ] {
            assert_eq!(found(lines), client, "{lines:?}");
        }
    }

    #[test]
    fn the_last_word_on_the_scheme() {
        let ask = |secure, lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|l| ("x-forwarded-proto", *l)).collect();
            let peer = resolve(peer(PROXY, secure), &headers(&lines), &trusted());
            (peer.secure, peer.relayed)
        };
        assert_eq!(ask(false, &["https"]), (true, false));
        assert_eq!(ask(true, &["http"]), (false, false));
        assert_eq!(ask(false, &["http, HTTPS"]), (true, false));
        assert_eq!(ask(false, &["https", "http"]), (false, false));
        assert_eq!(ask(false, &["https", "ftp"]), (false, true));
        assert_eq!(
            (ask(false, &[]), ask(true, &[])),
            ((false, true), (true, true))
        );
    }

    #[test]
    fn nobody_else_is_believed() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
        ];
        let headers = headers(&lines);
        for (ip, trusted) in [(STRANGER, trusted()), (PROXY, Trusted::default())] {
            let asked = resolve(peer(ip, false), &headers, &trusted);
            assert_eq!(asked.address, (ip, 4711).into());
            assert!(!asked.secure && !asked.relayed);
        }
    }

    #[test]
    fn nobody_is_believed_because_a_proxy_does_not_know_him() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
        ];
        let unknown = Peer {
            unknown: true,
            ..peer(PROXY, false)
        };
        let asked = resolve(unknown, &headers(&lines), &trusted());
        assert_eq!(asked.address, (PROXY, 4711).into());
        assert!(!asked.secure && asked.unknown);
    }

    #[test]
    fn a_proxy_is_known_by_what_it_adds() {
        let found = |version, line: (&'static str, &str)| {
            let (mut head, ()) = hyper::Request::new(()).into_parts();
            head.headers = headers(&[("device-id", "a"), ("accept-language", "zh-CN"), line]);
            head.version = version;
            sign(&head).map(str::to_owned)
        };
        for name in [
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-anything",
            "x-real-ip",
            "forwarded",
            "via",
            "x-original-host",
            "cf-connecting-ip",
            "ali-cdn-real-ip",
            "remote-host",
        ] {
            let sign = found(Version::HTTP_11, (name, "203.0.113.7"));
            assert_eq!(sign.as_deref(), Some(name));
        }
        let device = ("user-agent", "esp-box-3/2.0.1");
        assert_eq!(found(Version::HTTP_11, device), None);
        assert_eq!(found(Version::HTTP_10, device).as_deref(), Some("HTTP/1.0"));
        for (value, is) in [
            ("upgrade", true),
            ("keep-alive, Upgrade", true),
            ("close", false),
        ] {
            let sign = found(Version::HTTP_11, ("connection", value));
            assert_eq!(sign.is_some(), is, "{value}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_writes_in_front_changes_nothing(spoofed in "[ -~]{0,80}", further in any::<bool>()) {
            let behind = if further { ", 10.0.0.2" } else { "" };
            let one_line = format!("{spoofed}, 203.0.113.7{behind}");
            prop_assert_eq!(found(&[&one_line]), "203.0.113.7:0");
            let own = format!("203.0.113.7{behind}");
            prop_assert_eq!(found(&[&spoofed, &own]), "203.0.113.7:0");
        }
    }
}
