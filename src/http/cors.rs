//! Web pages that check in: a browser sends whatever a page asks it to, to servers of a LAN
//! too, and names the page's origin. With `server.auth.enabled` a page of another origin gets
//! no token, nor an answer to its preflight, unless `gateway.cors` lists it. No device sends
//! an `Origin`.
//!
//! That the origin is the `Host` which was asked for proves nothing where that is a name over
//! plain HTTP: an attacker's name can lead here once his page is loaded (DNS rebinding). It
//! does with an address, which leads nowhere else, and over TLS, whose certificate has the
//! name. Other names of ours are listed, or are the public address.

use super::reply::{self, Reply};
use super::request::Head;
use crate::ota::public_url::{Scheme, Url};
use crate::server::Peer;
use hyper::header::{HOST, HeaderValue, ORIGIN};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// Origin of web pages: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    /// Host in lower case; an IPv6 literal keeps its brackets.
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an origin as a browser sends it, and with one slash at its end at most.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        matches!(&*url.path, "" | "/").then(|| Self::of(&url))?
    }

    /// Returns the origin of an address; `None` where its host is none.
    fn of(url: &Url) -> Option<Self> {
        let host = match url.host.strip_prefix('[') {
            Some(ip) => {
                let ip: Ipv6Addr = ip.strip_suffix(']')?.parse().ok()?;
                format!("[{ip}]")
            }
            None => url.host.to_ascii_lowercase(),
        };
        let is_host = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if !host.starts_with('[') && !host.bytes().all(is_host) {
            return None;
        }
        Some(Self {
            scheme: url.scheme,
            host,
            port: url.effective_port(),
        })
    }

    /// Returns whether nobody's DNS can make its host lead to another machine.
    fn is_address(&self) -> bool {
        let host = self.host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// `gateway.cors`, and whether it counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    /// `server.auth.enabled`: without it any page may ask, as in xiaozhi-server.
    pub guards: bool,
    /// Origins whose pages may have a token.
    pub origins: Vec<Origin>,
}

/// Pages that may have a token.
#[derive(Debug)]
pub(super) struct Pages {
    guards: bool,
    origins: Vec<Origin>,
}

/// Page that a request comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// None, or any does.
    Open,
    /// Page of this origin, which may have a token.
    Admitted(HeaderValue),
    /// Page of this origin, which may not.
    Foreign(HeaderValue),
}

impl Pages {
    pub(super) fn new(cors: Cors, public: &Url) -> Self {
        let mut origins = cors.origins;
        origins.extend(Origin::of(public));
        Self {
            guards: cors.guards,
            origins,
        }
    }

    /// Returns the page that a request comes from.
    pub(super) fn of(&self, peer: Peer, head: &Head) -> Page {
        if !self.guards {
            return Page::Open;
        }
        let mut named = head.headers.get_all(ORIGIN).iter();
        let Some(origin) = named.next() else {
            return Page::Open;
        };
        let page = origin.to_str().ok().filter(|_| named.next().is_none());
        let page = page.and_then(Origin::parse);
        if page.is_some_and(|page| self.origins.contains(&page) || is_own(&page, peer, head)) {
            Page::Admitted(origin.clone())
        } else {
            Page::Foreign(origin.clone())
        }
    }
}

impl Page {
    /// Lets the page read a reply, where it is one that may.
    pub(super) fn admit(&self, reply: Reply) -> Reply {
        match self {
            Self::Admitted(origin) => reply::for_page(reply, origin.clone()),
            Self::Open | Self::Foreign(_) => reply,
        }
    }
}

/// Returns whether a page is of the very place that it asks.
fn is_own(page: &Origin, peer: Peer, head: &Head) -> bool {
    let scheme = if peer.secure { "https" } else { "http" };
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let asked = host.and_then(|host| Origin::parse(&format!("{scheme}://{host}")));
    asked.is_some_and(|asked| asked == *page) && (peer.secure || page.is_address())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        for (text, same) in [
            ("http://h", "http://h:80"),
            ("HTTPS://H.Example/", "https://h.example:443"),
            ("http://[2001:DB8:0::1]:8003", "http://[2001:db8::1]:8003"),
        ] {
            assert!(Origin::parse(text).is_some(), "{text}");
            assert_eq!(Origin::parse(text), Origin::parse(same), "{text}");
        }
        for text in [
            "",
            "*",
            "null",
            "h",
            "h:80",
            "//h",
            "http://",
            "http://*",
            "http://*.h",
            "http://h/x",
            "http://h//",
            "http://u@h",
            "http://h?x",
            "http://h:0",
            "http://h:x",
            "file://",
            "ws://h",
            "http://h,http://i",
            "http://h http://i",
            "http://[::1",
            "http://\u{5c0f}.h",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
        let parse = |text| Origin::parse(text);
        assert_ne!(parse("http://h"), parse("https://h"));
        assert_ne!(parse("http://h"), parse("http://h:8003"));
        assert_ne!(parse("http://h"), parse("http://h.example"));
    }

    /// Pages that may have a token: two origins that are listed, and the public address's.
    fn pages(guards: bool) -> Pages {
        let listed = ["http://page.lan:8006", "https://tools.example"];
        let origins = listed.iter().filter_map(|text| Origin::parse(text));
        let cors = Cors {
            guards,
            origins: origins.collect(),
        };
        let public = Url::parse("https://ota.example.com:8443/x").unwrap();
        Pages::new(cors, &public)
    }

    #[test]
    fn whose_page_it_is() {
        let (guarded, open) = (pages(true), pages(false));
        let peer = |secure| Peer {
            address: ([203, 0, 113, 7], 1).into(),
            secure,
            relayed: false,
            unknown: false,
            local: None,
        };
        for (secure, host, origins, admitted) in [
            (
                false,
                "192.168.1.5:8003",
                &["http://192.168.1.5:8003"][..],
                true,
            ),
            (false, "192.168.1.5", &["http://192.168.1.5"], true),
            (false, "[fd00::1]:8003", &["http://[fd00::1]:8003"], true),
            (false, "localhost:8003", &["http://localhost:8003"], true),
            (false, "h", &["http://page.lan:8006"], true),
            (true, "h", &["https://tools.example"], true),
            (false, "h", &["https://tools.example:443"], true),
            (false, "h", &["https://ota.example.com:8443"], true),
            (
                true,
                "any.example:8443",
                &["https://any.example:8443"],
                true,
            ),
            // An attacker's name may lead here.
            (
                false,
                "evil.example:8003",
                &["http://evil.example:8003"],
                false,
            ),
            (
                false,
                "192.168.1.5:8003",
                &["https://192.168.1.5:8003"],
                false,
            ),
            (
                true,
                "192.168.1.5:8003",
                &["http://192.168.1.5:8003"],
                false,
            ),
            (false, "192.168.1.5:8003", &["http://192.168.1.5"], false),
            (
                false,
                "192.168.1.5:8003",
                &["http://192.168.1.6:8003"],
                false,
            ),
            (false, "h", &["null"], false),
            (false, "h", &[""], false),
            (false, "h", &["http://page.lan"], false),
            (false, "h", &["https://page.lan:8006"], false),
            (false, "h", &["http://page.lan:8006.evil.example"], false),
            (false, "h", &["http://xpage.lan:8006"], false),
            (
                false,
                "h",
                &["http://page.lan:8006", "http://evil.example"],
                false,
            ),
            (
                false,
                "h",
                &["http://page.lan:8006, http://evil.example"],
                false,
            ),
        ] {
            let (mut head, ()) = Request::new(()).into_parts();
            head.headers.append(HOST, HeaderValue::from_static(host));
            for origin in origins {
                head.headers
                    .append(ORIGIN, HeaderValue::from_static(origin));
            }
            let first = HeaderValue::from_static(origins[0]);
            let expected = if admitted {
                Page::Admitted(first)
            } else {
                Page::Foreign(first)
            };
            assert_eq!(
                guarded.of(peer(secure), &head),
                expected,
                "{host} {origins:?}"
            );
            assert_eq!(open.of(peer(secure), &head), Page::Open);
            head.headers.remove(ORIGIN);
            assert_eq!(guarded.of(peer(secure), &head), Page::Open);
        }
    }
}
