//! Origin of a request that changes something: a page of ours, or not. Pure.

use hyper::HeaderMap;
use hyper::header::{HOST, ORIGIN};

/// Header by which a browser says whose page sends a request (Fetch Metadata, section 2.4).
const SITE: &str = "sec-fetch-site";

/// Tells whether a page of this very origin sent a request, by what the browser says:
/// `Origin`, which names this host, or `Sec-Fetch-Site: same-origin`. Who says neither is
/// refused. `null` is said by a page that hides where it is from, and by a sandbox: it counts
/// only beside the other one.
pub(super) fn is_ours(head: &HeaderMap, is_secure: bool) -> bool {
    let value = |name: &str| {
        let mut values = head.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
            // Of several nobody knows which counts.
            (Some(_), Some(_)) => Err(()),
        }
    };
    let (Ok(site), Ok(origin)) = (value(SITE), value(ORIGIN.as_str())) else {
        return false;
    };
    let is_same = site == Some("same-origin");
    if site.is_some() && !is_same {
        return false;
    }
    match origin {
        None | Some("null") => is_same,
        Some(origin) => {
            let Ok(Some(host)) = value(HOST.as_str()) else {
                return false;
            };
            // A proxy on this host may have spoken TLS to the browser.
            let secure = origin.strip_prefix("https://");
            let plain = origin.strip_prefix("http://").filter(|_| !is_secure);
            secure.or(plain).is_some_and(|origin| {
                let is_secure = secure.is_some();
                without_default_port(origin, is_secure)
                    .eq_ignore_ascii_case(without_default_port(host, is_secure))
            })
        }
    }
}

/// A browser leaves the port out that the scheme has anyway; a `Host` may have it.
fn without_default_port(host: &str, is_secure: bool) -> &str {
    let port = if is_secure { ":443" } else { ":80" };
    host.strip_suffix(port).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderName, HeaderValue};

    fn ours(is_secure: bool, head: &[(&str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in head {
            let name = HeaderName::try_from(*name).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        is_ours(&map, is_secure)
    }

    #[test]
    fn who_may_change_something() {
        let host = ("host", "localhost:8009");
        let site = |site| ("sec-fetch-site", site);
        let origin = |origin| ("origin", origin);
        for good in [
            &[host, site("same-origin")][..],
            &[host, origin("http://localhost:8009")],
            &[host, origin("http://localhost:8009"), site("same-origin")],
            &[host, origin("null"), site("same-origin")],
            &[host, origin("https://localhost:8009")],
            &[("host", "a.example"), origin("http://a.example")],
            &[("host", "a.example:443"), origin("https://a.example")],
            &[("host", "A.example"), origin("http://a.example")],
        ] {
            assert!(ours(false, good), "{good:?}");
        }
        for bad in [
            &[host][..],
            &[host, site("same-site")],
            &[host, site("cross-site")],
            &[host, site("none")],
            &[host, origin("null")],
            &[host, origin("null"), site("cross-site")],
            &[host, origin("http://localhost:8009"), site("cross-site")],
            &[host, origin("http://localhost:8010")],
            &[host, origin("http://localhost")],
            &[host, origin("http://evil.example")],
            &[host, origin("http://localhost:8009.evil.example")],
            &[host, origin("ftp://localhost:8009")],
            &[host, origin("localhost:8009")],
            &[host, origin("http://localhost:8009"), origin("http://b")],
            &[host, site("same-origin"), site("cross-site")],
            &[host, host, origin("http://localhost:8009")],
            &[("host", "a.example:443"), origin("http://a.example")],
        ] {
            assert!(!ours(false, bad), "{bad:?}");
        }
        // Where TLS is spoken here, a plain page of the same name is another's.
        assert!(!ours(true, &[host, origin("http://localhost:8009")]));
        assert!(ours(true, &[host, origin("https://localhost:8009")]));
    }
}
