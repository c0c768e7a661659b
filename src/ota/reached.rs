//! Address that a device has just reached, which it is handed where none is
//! configured. By that one it comes back, through Docker's ports, a router's, or a
//! network that gave this machine another address a moment ago.
//!
//! Anybody can write a `Host` header, so only what is a host's name to every reader of
//! the reply is taken from one. Who lies in it is handed the lie, and nobody else is:
//! nothing of it is kept.

use super::public_url::{OTA_PATH, OtaUrl, Scheme, Url};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use xiaozhi_device::endpoint;
use xiaozhi_device::host::{HostFault, Nowhere, judge};

/// Facts about the way by which a request came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way<'a> {
    /// `Host` of the request, as it stands there.
    pub(crate) host: Option<&'a [u8]>,
    /// True where it came over TLS.
    pub(crate) secure: bool,
    /// Address and port of ours to which the client connected; `None` where a proxy did.
    pub(crate) local: Option<SocketAddr>,
    /// True where the client is on this machine.
    pub(crate) from_here: bool,
}

/// Returns the OTA address by which a request came; else that of this machine, at
/// `port`. `None` where there is none that a device reads.
pub(crate) fn reached(
    way: Way<'_>,
    own: impl FnOnce() -> Option<Ipv4Addr>,
    port: u16,
) -> Option<OtaUrl> {
    let (host, port) = way
        .host
        .and_then(asked)
        .or_else(|| {
            let local = way.local?;
            Some((v4(local.ip(), way)?.to_string(), Some(local.port())))
        })
        .or_else(|| {
            let port = way.local.map_or(port, |local| local.port());
            let own = own().filter(|ip| way.from_here || !ip.is_loopback())?;
            Some((own.to_string(), Some(port)))
        })?;
    let scheme = if way.secure {
        Scheme::Https
    } else {
        Scheme::Http
    };
    Some(OtaUrl::new(Url {
        scheme,
        host,
        port,
        path: OTA_PATH.to_owned(),
    }))
}

/// Returns an IPv4 address that means this machine to the client.
fn v4(ip: IpAddr, way: Way<'_>) -> Option<Ipv4Addr> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            Some(ip).filter(|ip| !ip.is_unspecified() && (way.from_here || !ip.is_loopback()))
        }
        IpAddr::V6(_) => None,
    }
}

/// Reads host and port of a `Host` header that a device may be handed.
fn asked(header: &[u8]) -> Option<(String, Option<u16>)> {
    let text = str::from_utf8(header).ok()?;
    let (host, port) = match text.split_once(':') {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let is_plain = |port: &str| port.len() < 6 && port.bytes().all(|b| b.is_ascii_digit());
    let port = match port {
        Some(port) if is_plain(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        Some(_) => return None,
        None => None,
    };
    let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if host.is_empty() || !host.bytes().all(in_name) || !endpoint::is_short_enough(host) {
        return None;
    }
    match judge(host) {
        // No device has come by one of these.
        Some(
            HostFault::Nowhere(
                Nowhere::Unspecified | Nowhere::Loopback | Nowhere::Multicast | Nowhere::Reserved,
            )
            | HostFault::Numbers(_)
            | HostFault::Dots,
        ) => None,
        // Spelt otherwise than four numbers, each reader makes of it what it likes.
        _ if !host.bytes().any(|b| b.is_ascii_alphabetic())
            && host.parse::<Ipv4Addr>().is_err() =>
        {
            None
        }
        _ => Some((host.to_ascii_lowercase(), port)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use xiaozhi_device::endpoint::AddressKind;

    const LOCAL: ([u8; 4], u16) = ([192, 168, 1, 5], 8003);

    fn way(host: &str) -> Way<'_> {
        Way {
            host: (!host.is_empty()).then_some(host.as_bytes()),
            secure: false,
            local: Some(LOCAL.into()),
            from_here: false,
        }
    }

    fn url(way: Way<'_>) -> Option<String> {
        let own = || Some(Ipv4Addr::new(192, 168, 1, 77));
        reached(way, own, 9000).map(|ota| ota.to_string())
    }

    #[test]
    fn a_name_or_an_ipv4_address_with_its_port() {
        for (host, expected) in [
            ("192.168.1.9:18003", "http://192.168.1.9:18003/xiaozhi/ota/"),
            ("nas.lan", "http://nas.lan/xiaozhi/ota/"),
            ("NAS.lan:80", "http://nas.lan:80/xiaozhi/ota/"),
            ("ota.my.com:", "http://ota.my.com/xiaozhi/ota/"),
            ("xiaozhi_ota:8003", "http://xiaozhi_ota:8003/xiaozhi/ota/"),
            ("192.0.2.2", "http://192.0.2.2/xiaozhi/ota/"),
            ("172.17.0.2:8003", "http://172.17.0.2:8003/xiaozhi/ota/"),
            ("xn--fiq228c.cn", "http://xn--fiq228c.cn/xiaozhi/ota/"),
        ] {
            assert_eq!(url(way(host)).as_deref(), Some(expected), "{host}");
            let secure = Way {
                secure: true,
                ..way(host)
            };
            let expected = expected.replace("http:", "https:");
            assert_eq!(url(secure), Some(expected), "{host}");
        }
    }

    #[test]
    fn whatever_else_is_in_the_header_is_passed_over() {
        let long = "a".repeat(64);
        let longer = ["a"; 130].join(".");
        for host in [
            "",
            "localhost",
            "localhost:8003",
            "a.localhost",
            "127.0.0.1:8003",
            "127.1",
            "0x7f.1",
            "0.0.0.0",
            "[::1]:8003",
            "[fd00::7]",
            "fd00::7",
            "::1",
            "user@h",
            "user:p@h",
            "h:0",
            "h:65536",
            "h:+80",
            "h:80x",
            "h:8:0",
            "h/x",
            "h?x",
            "h#x",
            "h x",
            "h\\x",
            "h\"x",
            "h\",\"x",
            "h<x",
            "h%41",
            "小智.cn",
            "h;x",
            "h,g",
            "a..b",
            ".a",
            "a.",
            "192.168.1.300",
            "192.168.1",
            "192.168.01.5",
            "255.255.255.255",
            "224.0.0.1",
            "...",
            "-",
            "_._",
            &long,
            &longer,
            "*.a.com",
            "h\t",
            "h:\u{661}",
        ] {
            let expected = Some("http://192.168.1.5:8003/xiaozhi/ota/".to_owned());
            assert_eq!(url(way(host)), expected, "{host}");
        }
    }

    #[test]
    fn nobody_elsewhere_is_handed_loopback() {
        let to = |local: &str, from_here| Way {
            local: local.parse().ok(),
            from_here,
            ..way("localhost")
        };
        let found = |local, from_here| url(to(local, from_here)).unwrap_or_default();
        assert_eq!(
            found("127.0.0.1:8003", true),
            "http://127.0.0.1:8003/xiaozhi/ota/"
        );
        assert_eq!(
            found("127.0.0.1:8003", false),
            "http://192.168.1.77:8003/xiaozhi/ota/"
        );
        assert_eq!(
            found("[::ffff:192.168.1.5]:8003", false),
            "http://192.168.1.5:8003/xiaozhi/ota/"
        );
        assert_eq!(
            found("[fd00::7]:8003", false),
            "http://192.168.1.77:8003/xiaozhi/ota/"
        );
        assert_eq!(found("", false), "http://192.168.1.77:9000/xiaozhi/ota/");
        let looped = || Some(Ipv4Addr::LOCALHOST);
        assert!(reached(to("[fd00::7]:8003", false), looped, 1).is_none());
        assert!(reached(to("[::1]:8003", true), looped, 1).is_some());
        assert!(reached(to("[fd00::7]:8003", false), || None, 1).is_none());
    }

    proptest! {
        #[test]
        fn every_device_reads_what_it_is_handed(
            host in prop_oneof![any::<Vec<u8>>(), "[a-z0-9.:\\-_\\[\\]@/\"]{0,40}".prop_map(String::into_bytes)],
            secure: bool, from_here: bool,
        ) {
            let way = Way { host: Some(&host), secure, from_here, local: Some(LOCAL.into()) };
            let ota = reached(way, || None, 1).map(|ota| ota.download_base()).unwrap_or_default();
            let read = endpoint::read(&ota, AddressKind::Http);
            prop_assert!(read.is_ok(), "{:?}: {}", read, ota);
            prop_assert!(ota.ends_with("/xiaozhi/ota/download/") && !ota.contains('"'), "{}", ota);
        }
    }
}
