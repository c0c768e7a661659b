//! The public address: the one place that says under which scheme, host, port
//! and path devices reach this server. Download addresses, the start-up lines
//! and the names in a certificate all come from it.

use crate::event::{Event, event};
use std::fmt;
use std::net::IpAddr;
use xiaozhi_device::endpoint::{self, AddressKind};
use xiaozhi_device::image::Home;

/// Path of the OTA interface below an origin.
pub(crate) const OTA_PATH: &str = "/xiaozhi/ota";
/// Path of xiaozhi-server's WebSocket below an origin.
pub(crate) const WEBSOCKET_PATH: &str = "/xiaozhi/v1/";
/// Path of xiaozhi-server's vision interface below an origin.
pub(crate) const VISION_PATH: &str = "/mcp/vision/explain";

/// HTTP or HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The port that a URL of this scheme means when it names none.
    pub(crate) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// Reason why a text is no address that a device could use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum UrlError {
    /// No scheme, or one that devices don't speak.
    Scheme,
    /// No host.
    Host,
    /// A bracket of an IPv6 address without the other one.
    Bracket,
    /// The port is no number from 1 to 65535.
    Port,
    /// A user name, a query or a fragment, none of which can be kept.
    Extra,
    /// White space, a control character or the like.
    Character(char),
    /// Letters that the device's resolver and parser do not know.
    NotAscii(char),
}

impl From<&UrlError> for Event {
    fn from(error: &UrlError) -> Self {
        match error {
            UrlError::Host => event!(URL_HOST),
            UrlError::Bracket => event!(URL_BRACKET),
            UrlError::Port => event!(URL_PORT),
            UrlError::Scheme | UrlError::Extra => event!(URL_EXTRA),
            UrlError::Character(c) => event!(URL_SIGN, sign = format!("{c:?}")),
            UrlError::NotAscii(c) => event!(URL_NOT_ASCII, sign = format!("{c:?}")),
        }
    }
}

/// An `http(s)://host[:port]/path` address, taken apart the way the device's
/// own parser does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// The scheme.
    pub(crate) scheme: Scheme,
    /// The host as written; an IPv6 literal keeps its brackets.
    pub(crate) host: String,
    /// The port, if one is written.
    pub(crate) port: Option<u16>,
    /// The path, empty or with a leading slash.
    pub(crate) path: String,
}

impl Url {
    /// Reads an address.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(c) = text
            .chars()
            .find(|c| c.is_control() || c.is_whitespace() || "\"<>\\^`{|}".contains(*c))
        {
            return Err(UrlError::Character(c));
        }
        if let Some(c) = text.chars().find(|c| !c.is_ascii()) {
            return Err(UrlError::NotAscii(c));
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(UrlError::Scheme),
        };
        if rest.contains(['?', '#', '@']) {
            return Err(UrlError::Extra);
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = if authority.starts_with('[') {
            let end = authority.find(']').ok_or(UrlError::Bracket)? + 1;
            let port = match &authority[end..] {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or(UrlError::Host)?),
            };
            (&authority[..end], port)
        } else {
            match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            }
        };
        if !host.starts_with('[') && host.contains(['[', ']']) {
            return Err(UrlError::Bracket);
        }
        if host.is_empty() || host == "[]" {
            return Err(UrlError::Host);
        }
        let port = match port {
            None => None,
            Some(p) if p.bytes().all(|b| b.is_ascii_digit()) => {
                Some(p.parse().ok().filter(|p| *p > 0).ok_or(UrlError::Port)?)
            }
            Some(_) => return Err(UrlError::Port),
        };
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }

    /// The port that is written, or the scheme's own.
    pub(crate) fn effective_port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// The host as an IP address, if it is one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()
    }

    /// Scheme, host and port, as written.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority())
    }

    /// Host and port, as written.
    pub(crate) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

/// Address of the OTA interface without its last slash: `https://host/edge/xiaozhi/ota`.
/// It is shown with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtaUrl(Url);

impl OtaUrl {
    /// Takes an address whose path has no last slash.
    pub(crate) fn new(url: Url) -> Self {
        Self(url)
    }

    /// The address itself.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }

    /// The WebSocket at `path` of this very address, in the scheme that goes with
    /// its own.
    pub(crate) fn websocket_url(&self, path: &str) -> String {
        let origin = self.0.origin();
        let rest = origin.strip_prefix("http").unwrap_or(&origin);
        format!("ws{rest}{path}")
    }

    /// Tells whether devices read host and port from it as they are meant. One
    /// that is configured always is; one that is made up may be an IPv6 literal.
    pub(crate) fn is_readable(&self) -> bool {
        endpoint::read(&self.0.to_string(), AddressKind::Http).is_ok()
    }

    /// Returns the part of a download address in front of the percent-encoded file name.
    pub(crate) fn download_base(&self) -> String {
        format!("{}/download/", self.0)
    }
}

impl fmt::Display for OtaUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.0)
    }
}

/// Setting that the public address was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `server.ota`.
    Ota,
    /// `server.vision_explain`.
    VisionExplain,
    /// Neither is set: this machine's address and our first port.
    Derived,
}

impl Source {
    /// Returns the setting that gives the public address, or would.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Ota => "server.ota",
            Self::VisionExplain | Self::Derived => "server.vision_explain",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ota => "server.ota",
            Self::VisionExplain => "server.vision_explain",
            Self::Derived => "this machine's own address",
        })
    }
}

/// The public address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress {
    ota: OtaUrl,
    vision: String,
    vision_is_set: bool,
    served: Vec<String>,
    source: Source,
}

impl PublicAddress {
    /// Host of the address, as a certificate names it: in small letters, an IPv6
    /// address without its brackets.
    pub(crate) fn host(&self) -> String {
        let host = &self.url().host;
        host.trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase()
    }

    /// From `server.ota`, the OTA address whole; `vision_explain` is printed
    /// beside it if it is set.
    pub(crate) fn from_ota(mut ota: Url, vision_explain: Option<&Url>) -> Self {
        let trimmed = ota.path.trim_end_matches('/').len();
        ota.path.truncate(trimmed);
        if ota.path.is_empty() {
            OTA_PATH.clone_into(&mut ota.path);
        }
        let prefix = ota.path.strip_suffix(OTA_PATH).unwrap_or("");
        let vision = vision_explain.map_or_else(
            || format!("{}{prefix}{VISION_PATH}", ota.origin()),
            ToString::to_string,
        );
        let beside_vision = vision_explain.map(ota_beside);
        Self {
            served: served([Some(ota.path.clone()), beside_vision]),
            ota: OtaUrl(ota),
            vision,
            vision_is_set: vision_explain.is_some(),
            source: Source::Ota,
        }
    }

    /// From `server.vision_explain`: its scheme, host, port and path prefix.
    pub(crate) fn from_vision_explain(vision: &Url) -> Self {
        let path = ota_beside(vision);
        Self {
            served: served([Some(path.clone()), None]),
            ota: OtaUrl(Url {
                path,
                ..vision.clone()
            }),
            vision: vision.to_string(),
            vision_is_set: true,
            source: Source::VisionExplain,
        }
    }

    /// From an address of this machine.
    pub(crate) fn derived(scheme: Scheme, ip: IpAddr, port: u16) -> Self {
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let ota = Url {
            scheme,
            host,
            port: Some(port),
            path: OTA_PATH.to_owned(),
        };
        let vision = format!("{}{VISION_PATH}", ota.origin());
        Self {
            served: served([None, None]),
            ota: OtaUrl(ota),
            vision,
            vision_is_set: false,
            source: Source::Derived,
        }
    }

    /// The OTA address that is typed into devices.
    pub(crate) fn ota(&self) -> &OtaUrl {
        &self.ota
    }

    /// The same as a text.
    pub(crate) fn ota_url(&self) -> String {
        self.ota.to_string()
    }

    /// The vision address.
    pub(crate) fn vision_url(&self) -> &str {
        &self.vision
    }

    /// Tells whether the vision address is `server.vision_explain`, which xiaozhi-server
    /// hands out too.
    pub(crate) fn vision_is_set(&self) -> bool {
        self.vision_is_set
    }

    /// The address itself.
    pub(crate) fn url(&self) -> &Url {
        self.ota.url()
    }

    /// The setting that it came from.
    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// Returns the address that images are held against; `None` where nobody configured one,
    /// for each device may come by another one then, or one that would not be found in them.
    pub(crate) fn home(&self) -> Option<Home> {
        let is_configured = self.source != Source::Derived;
        Home::parse(&self.ota_url()).filter(|home| is_configured && home.is_ota())
    }

    /// Every path, without a last slash, under which the OTA interface is
    /// served: the usual one, the public one, and the one beside the vision
    /// interface.
    pub(crate) fn served_paths(&self) -> &[String] {
        &self.served
    }
}

/// The OTA path below the path prefix of a vision address.
fn ota_beside(vision: &Url) -> String {
    let path = vision.path.trim_end_matches('/');
    let prefix = path.strip_suffix(VISION_PATH).unwrap_or("");
    format!("{prefix}{OTA_PATH}")
}

fn served(more: [Option<String>; 2]) -> Vec<String> {
    let mut paths = vec![OTA_PATH.to_owned()];
    for path in more.into_iter().flatten() {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap_or_else(|e| panic!("{text}: {e:?}"))
    }

    #[test]
    fn addresses_are_taken_apart() {
        let u = url("HTTPS://ota.example.com:8003/edge/mcp/vision/explain");
        assert_eq!(
            (u.scheme, u.host.as_str(), u.port),
            (Scheme::Https, "ota.example.com", Some(8003))
        );
        assert_eq!(url("http://h").effective_port(), 80);
        assert_eq!(url("https://h/").effective_port(), 443);
        assert_eq!(url("http://[fe80::1]:80/x").ip(), "fe80::1".parse().ok());
        for (text, error) in [
            ("ftp://h/", UrlError::Scheme),
            ("h:8003", UrlError::Scheme),
            ("http:///x", UrlError::Host),
            ("http://[::1/x", UrlError::Bracket),
            ("http://h]:5", UrlError::Bracket),
            ("http://h:0/", UrlError::Port),
            ("http://h:65536/", UrlError::Port),
            ("http://h:/", UrlError::Port),
            ("http://::1/", UrlError::Host),
            ("http://h:+80/", UrlError::Port),
            ("http://u@h/", UrlError::Extra),
            ("http://h/?a", UrlError::Extra),
            ("http://h /", UrlError::Character(' ')),
            ("http://例子.com/", UrlError::NotAscii('例')),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn the_public_address_of_each_source() {
        let p = PublicAddress::from_vision_explain(&url("https://d.com:8003/mcp/vision/explain"));
        assert_eq!(p.ota_url(), "https://d.com:8003/xiaozhi/ota/");
        assert_eq!(
            p.ota().download_base(),
            "https://d.com:8003/xiaozhi/ota/download/"
        );
        assert_eq!(p.served_paths(), ["/xiaozhi/ota"]);
        let p = PublicAddress::from_vision_explain(&url("https://d.com/edge/mcp/vision/explain"));
        assert_eq!(
            p.ota().download_base(),
            "https://d.com/edge/xiaozhi/ota/download/"
        );
        assert_eq!(p.served_paths(), ["/xiaozhi/ota", "/edge/xiaozhi/ota"]);
        let p = PublicAddress::from_ota(url("https://d.com/my/firmware/"), None);
        assert_eq!(p.ota_url(), "https://d.com/my/firmware/");
        assert_eq!(
            p.ota().download_base(),
            "https://d.com/my/firmware/download/"
        );
        assert_eq!(p.vision_url(), "https://d.com/mcp/vision/explain");
        let p = PublicAddress::from_ota(
            url("https://d.com"),
            Some(&url("http://v/edge/mcp/vision/explain")),
        );
        assert_eq!(p.served_paths(), ["/xiaozhi/ota", "/edge/xiaozhi/ota"]);
        assert_eq!(p.ota_url(), "https://d.com/xiaozhi/ota/");
        assert_eq!(p.vision_url(), "http://v/edge/mcp/vision/explain");
        let p = PublicAddress::derived(Scheme::Http, IpAddr::from([192, 168, 1, 100]), 8003);
        assert_eq!(p.ota_url(), "http://192.168.1.100:8003/xiaozhi/ota/");
        assert_eq!(
            p.vision_url(),
            "http://192.168.1.100:8003/mcp/vision/explain"
        );
    }

    proptest! {
        #[test]
        fn scheme_host_port_and_prefix_are_never_lost(
            https in any::<bool>(), host in "[a-z]{1,9}(\\.[a-z]{2,3})?",
            port in prop::option::of(1u16..), prefix in "(/[a-z0-9]{1,5}){0,2}",
        ) {
            let scheme = if https { "https" } else { "http" };
            let port = port.map(|p| format!(":{p}")).unwrap_or_default();
            let base = format!("{scheme}://{host}{port}{prefix}");
            let p = PublicAddress::from_vision_explain(&url(&format!("{base}{VISION_PATH}")));
            prop_assert_eq!(p.ota().download_base(), format!("{base}/xiaozhi/ota/download/"));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            if let Ok(u) = Url::parse(&text) {
                prop_assert!(!u.host.is_empty());
                prop_assert_eq!(Url::parse(&u.to_string()), Ok(u));
            }
        }
    }
}
