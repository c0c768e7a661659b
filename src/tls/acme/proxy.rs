//! The HTTP proxy through which a CA is reached: what `HTTPS_PROXY` and its like say, as
//! curl reads them, and the tunnel that it opens (RFC 9110, section 9.3.6).

use super::unreachable::{ProxyFault, Unreachable};
use crate::event::text::Text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use std::env;
use std::fmt;
use std::io;
use std::net::IpAddr;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Variables that name a proxy for https, the first that says something first.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// Variables that list hosts which are reached without one.
const EXCEPT: [&str; 2] = ["no_proxy", "NO_PROXY"];
/// Port of a proxy that names none.
const PORT: u16 = 80;
/// Length of the longest answer of a proxy, in bytes.
const LONGEST: usize = 16 * 1024;

/// Proxies that the environment names.
#[derive(Debug, Clone, Default)]
pub(super) struct ProxyRules {
    /// The variable, and the proxy or what keeps it from being one.
    proxy: Option<(&'static str, Result<Proxy, Text>)>,
    /// Hosts that are reached without it.
    except: Vec<String>,
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// Value of the header that says who asks.
    authorization: Option<String>,
}

/// Without what is secret.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl ProxyRules {
    /// Reads the environment of this process.
    pub(super) fn of_environment() -> Self {
        Self::of(|name| env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let said = |name: &&'static str| {
            let text = variable(name)?;
            let text = text.trim();
            (!text.is_empty()).then(|| (*name, text.to_owned()))
        };
        let proxy = VARIABLES.iter().find_map(said);
        let except = EXCEPT.iter().find_map(said);
        let except = except.map_or_else(String::new, |(_, list)| list);
        let ends = |c: char| c == ',' || c.is_whitespace();
        Self {
            proxy: proxy.map(|(name, text)| (name, parse(&text))),
            except: except
                .split(ends)
                .filter(|item| !item.is_empty())
                .map(str::to_ascii_lowercase)
                .collect(),
        }
    }

    /// Returns the proxy on the way to a host, and the variable that names it.
    pub(super) fn on_the_way(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Option<(&'static str, &Proxy)>, Unreachable> {
        let Some((variable, proxy)) = &self.proxy else {
            return Ok(None);
        };
        if self.except.iter().any(|item| holds(item, host, port)) {
            return Ok(None);
        }
        match proxy {
            Ok(proxy) => Ok(Some((variable, proxy))),
            Err(why) => Err(Unreachable::ProxyValue {
                variable,
                why: *why,
            }),
        }
    }
}

/// Reads a proxy's address: `http://user:password@host:port`, or less of it.
fn parse(text: &str) -> Result<Proxy, Text> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(if scheme.to_ascii_lowercase().starts_with("socks") {
            SOCKS
        } else {
            SCHEME
        });
    }
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A password may hold the sign, too.
    let (user, place) = rest
        .rsplit_once('@')
        .map_or((None, rest), |(user, place)| (Some(user), place));
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or(ADDRESS)?;
            (host, behind.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or(ADDRESS)?,
        None => PORT,
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(is_host) {
        return Err(ADDRESS);
    }
    let authorization = user.map(|user| {
        let plain: Vec<u8> = percent_decode_str(user).collect();
        let plain = if user.contains(':') {
            plain
        } else {
            [&plain[..], b":"].concat()
        };
        format!("Basic {}", STANDARD.encode(plain))
    });
    Ok(Proxy {
        host: host.to_owned(),
        port,
        authorization,
    })
}

const SOCKS: Text = Text::new(
    "不支持 SOCKS 代理：请使用 HTTP 代理的地址",
    "SOCKS proxies are not spoken: name an HTTP proxy",
);
const SCHEME: Text = Text::new(
    "只支持 http:// 的代理地址，例如 http://proxy.lan:3128",
    "only http:// addresses of proxies are spoken, such as http://proxy.lan:3128",
);
const ADDRESS: Text = Text::new(
    "它不是代理的地址，例如 http://proxy.lan:3128",
    "it is no address of a proxy, such as http://proxy.lan:3128",
);

/// Tells whether an item of `NO_PROXY` means a host: `*`, a domain with all below it, an
/// address or a network, each with a port where only that is meant.
fn holds(item: &str, host: &str, port: u16) -> bool {
    if item == "*" {
        return true;
    }
    let ip: Option<IpAddr> = host.parse().ok();
    if let Some(ip) = ip {
        let network = item.parse::<IpNet>();
        if network.is_ok_and(|network| network.contains(&ip)) {
            return true;
        }
    }
    let (name, only) = match item.rsplit_once(':') {
        Some((name, only)) if !name.contains(':') || name.ends_with(']') => (name, Some(only)),
        _ => (item, None),
    };
    if only.is_some_and(|only| only.parse() != Ok(port)) {
        return false;
    }
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if let (Some(ip), Ok(named)) = (ip, name.parse::<IpAddr>()) {
        return ip == named;
    }
    let name = name.strip_prefix("*.").unwrap_or(name);
    let name = name.trim_start_matches('.').trim_end_matches('.');
    let host = host.to_ascii_lowercase();
    let below = host.strip_suffix(name);
    ip.is_none() && below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

impl Proxy {
    /// Has the proxy open a way to `to`, a host and its port.
    pub(super) async fn tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        to: &str,
    ) -> Result<(), ProxyFault> {
        let who = self.authorization.as_ref();
        let who = who.map_or_else(String::new, |who| format!("Proxy-Authorization: {who}\r\n"));
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{who}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        // Behind the head the tunnel begins, of which nothing may be taken.
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > LONGEST {
                return Err(io::Error::from(io::ErrorKind::InvalidData).into());
            }
            head.push(stream.read_u8().await?);
        }
        let line = head.split(|b| *b == b'\r').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
        let status = words.next().and_then(|word| word.parse::<u16>().ok());
        match status.filter(|_| is_http) {
            Some(200..=299) => Ok(()),
            Some(407) => Err(ProxyFault::WantsUser),
            _ => Err(ProxyFault::Refuses(line.chars().take(200).collect())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules(variables: &str) -> ProxyRules {
        ProxyRules::of(|name| {
            let mut pairs = variables.split(' ').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.replace('_', " "))
        })
    }

    #[test]
    fn which_proxy() {
        for (variables, proxy) in [
            ("", None),
            ("HTTPS_PROXY=", None),
            ("HTTPS_PROXY=http://p:3128", Some("HTTPS_PROXY p:3128")),
            ("https_proxy=a:1 HTTPS_PROXY=b:2", Some("https_proxy a:1")),
            ("https_proxy= ALL_PROXY=b:2/", Some("ALL_PROXY b:2")),
            ("HTTP_PROXY=b:2", None),
            (
                "all_proxy=HTTP://[fd00::7]:8080",
                Some("all_proxy [fd00::7]:8080"),
            ),
            ("HTTPS_PROXY=p", Some("HTTPS_PROXY p:80")),
        ] {
            let rules = rules(variables);
            let found = rules.on_the_way("ca.example.com", 443).unwrap();
            let found = found.map(|(variable, proxy)| format!("{variable} {proxy}"));
            assert_eq!(found.as_deref(), proxy, "{variables}");
        }
        for text in [
            "socks5://p:1080",
            "socks5h://p",
            "https://p:3128",
            "ftp://p",
            "http://",
            "p:x",
            "p:0",
            "p:99999",
            "[fd00::7",
            "http://小:1",
        ] {
            assert!(parse(text).is_err(), "{text}");
            let variables = format!("HTTPS_PROXY={text}");
            assert!(rules(&variables).on_the_way("h", 443).is_err(), "{text}");
        }
    }

    #[test]
    fn who_asks_is_told_to_the_proxy_alone() {
        let proxy = parse("http://me:h%40sh@x:y@p:1").unwrap();
        let expected = format!("Basic {}", STANDARD.encode("me:h@sh@x:y"));
        assert_eq!(proxy.authorization, Some(expected));
        assert_eq!(format!("{proxy:?} {proxy}"), "p:1 p:1");
        let nameless = parse("me@p").unwrap().authorization;
        assert_eq!(nameless, Some(format!("Basic {}", STANDARD.encode("me:"))));
    }

    #[test]
    fn who_is_reached_without_one() {
        for (list, host, is_out) in [
            ("*", "ca.lan", true),
            ("ca.lan", "ca.lan", true),
            ("CA.LAN", "ca.lan", true),
            ("lan", "ca.lan", true),
            (".lan", "ca.lan", true),
            ("*.lan", "ca.lan", true),
            ("an", "ca.lan", false),
            ("a.lan,,ca.lan", "ca.lan", true),
            ("ca.lan:443", "ca.lan", true),
            ("ca.lan:14000", "ca.lan", false),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.1.2.3", "10.1.2.3", true),
            ("1.2.3", "10.1.2.3", false),
            ("2.3", "10.1.2.3", false),
            ("fd00::/8", "fd00::7", true),
            ("[fd00::7]:443", "fd00::7", true),
            ("fd00::7", "fd00::7", true),
            ("", "ca.lan", false),
        ] {
            let rules = ProxyRules {
                except: list
                    .split(',')
                    .map(str::to_ascii_lowercase)
                    .filter(|i| !i.is_empty())
                    .collect(),
                ..rules("HTTPS_PROXY=p:1")
            };
            let found = rules.on_the_way(host, 443).unwrap();
            assert_eq!(found.is_none(), is_out, "{list} {host}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_proxy_or_none(text in any::<String>(), item in any::<String>()) {
            let _ = parse(&text);
            let _ = holds(&item, "ca.lan", 443);
            let _ = holds(&item, "fd00::7", 443);
        }
    }
}
