//! Finds what in the public address would keep a device from its update. Each finding says
//! what would happen to the device and what to change.

use super::public_url::{PublicAddress, Scheme, Source, Url, VISION_PATH};
use crate::event::{Event, event};
use std::net::IpAddr;
use xiaozhi_device::endpoint::{self, AddressKind};
use xiaozhi_device::redact;

/// Facts that the audit holds the address against.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings<'a> {
    /// The address on which this process listens; `None` is every one.
    pub(crate) bound: Option<IpAddr>,
    /// The ports on which this process listens.
    pub(crate) ports: &'a [u16],
    /// True where those ports answer TLS.
    pub(crate) tls: bool,
    /// `gateway.behind_proxy`: somebody else answers the public address.
    pub(crate) behind_proxy: bool,
    /// True where plain HTTP is, or will be, refused on device paths.
    pub(crate) http_ends: bool,
    /// The WebSocket address handed to devices, if one is.
    pub(crate) websocket: Option<&'a str>,
    /// The paths of voice and vision that go to a server behind this one.
    pub(crate) passed_on: PassedOn,
}

/// The paths of xiaozhi-server's that are passed on to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassedOn {
    /// The WebSocket.
    pub(crate) voice: bool,
    /// Pictures.
    pub(crate) vision: bool,
}

/// Judges the public address.
pub(crate) fn audit(address: &PublicAddress, around: &Surroundings<'_>) -> Vec<Event> {
    let url = address.url();
    let setting = address.source().setting();
    let mut found = Vec::new();
    found.extend(host(url, address, setting));
    found.extend(vision_path(address));
    if !around.behind_proxy {
        found.extend(bound(url, around));
        found.extend(port(url, setting, around));
        found.extend(scheme(url, setting, around));
        found.extend(voice_unserved(url, around));
        found.extend(vision_unserved(address, around));
    }
    if url.scheme == Scheme::Http && around.http_ends {
        let url = url.to_string();
        found.push(event!(ADDRESS_HTTP_ENDS, url = url, setting = setting));
    }
    if let Some(handed_out) = around.websocket {
        found.extend(websocket(url, handed_out));
        found.extend(modem(url, handed_out, around));
    }
    found
}

fn host(url: &Url, address: &PublicAddress, setting: &str) -> Option<Event> {
    let path = if address.source() == Source::Ota {
        "/xiaozhi/ota/"
    } else {
        VISION_PATH
    };
    let host = url.host.as_str();
    let shown = url.to_string();
    let is_localhost = |host: &str| {
        let host = host.to_ascii_lowercase();
        host == "localhost" || host.ends_with(".localhost")
    };
    Some(match url.ip() {
        Some(IpAddr::V6(_)) => {
            event!(ADDRESS_IPV6, host = host, url = shown, setting = setting)
        }
        Some(ip) if ip.is_unspecified() => {
            event!(
                ADDRESS_UNSPECIFIED,
                host = host,
                url = shown,
                setting = setting,
                path = path
            )
        }
        Some(ip) if ip.is_loopback() => {
            event!(
                ADDRESS_LOOPBACK,
                host = host,
                url = shown,
                setting = setting,
                path = path
            )
        }
        // Docker's own bridge, and what its networks are numbered from.
        Some(IpAddr::V4(ip)) if ip.octets()[0] == 172 && ip.octets()[1] == 17 => {
            event!(
                ADDRESS_DOCKER,
                host = host,
                url = shown,
                setting = setting,
                path = path
            )
        }
        None if is_localhost(host) => {
            event!(
                ADDRESS_LOOPBACK,
                host = host,
                url = shown,
                setting = setting,
                path = path
            )
        }
        None if !host.contains('.') => {
            event!(
                ADDRESS_NO_DOT,
                host = host,
                url = shown,
                setting = setting,
                path = path
            )
        }
        _ => return None,
    })
}

fn vision_path(address: &PublicAddress) -> Option<Event> {
    let vision = address.vision_url();
    let is_whole = vision.trim_end_matches('/').ends_with(VISION_PATH);
    (address.source() == Source::VisionExplain && !is_whole).then(|| {
        event!(
            ADDRESS_VISION_PATH,
            setting = "server.vision_explain",
            vision = vision,
            path = VISION_PATH,
            downloads = address.download_base()
        )
    })
}

fn bound(url: &Url, around: &Surroundings<'_>) -> Option<Event> {
    let bound = around.bound.filter(|ip| !ip.is_unspecified())?;
    // A public address may be forwarded to a private one; between two private
    // ones nobody forwards.
    let elsewhere = matches!(url.ip(), Some(IpAddr::V4(ip)) if ip.is_private() && ip != bound);
    let unreached = elsewhere || (bound.is_loopback() && url.ip() != Some(bound));
    unreached.then(|| {
        event!(
            ADDRESS_NOT_BOUND,
            setting = "gateway.ip",
            url = url.to_string(),
            bound = bound
        )
    })
}

fn port(url: &Url, setting: &str, around: &Surroundings<'_>) -> Option<Event> {
    let port = url.effective_port();
    (!around.ports.contains(&port)).then(|| {
        event!(
            ADDRESS_PORT,
            url = url.to_string(),
            port = port,
            ports = around.ports,
            setting = setting
        )
    })
}

fn scheme(url: &Url, setting: &str, around: &Surroundings<'_>) -> Option<Event> {
    let unanswered = url.scheme == Scheme::Https && !around.tls;
    unanswered.then(|| event!(ADDRESS_TLS_OFF, url = url.to_string(), setting = setting))
}

/// A voice address that is this server's, which answers there only what it passes on.
fn voice_unserved(url: &Url, around: &Surroundings<'_>) -> Option<Event> {
    let voice = around.websocket.filter(|_| !around.passed_on.voice)?;
    let read = endpoint::read(voice, AddressKind::WebSocket).ok()?;
    let is_here = read.host.eq_ignore_ascii_case(&url.host) && around.ports.contains(&read.port);
    is_here.then(|| {
        event!(
            ADDRESS_VOICE_UNSERVED,
            setting = "server.websocket",
            voice = redact::shown(voice)
        )
    })
}

/// The same of the vision address.
fn vision_unserved(address: &PublicAddress, around: &Surroundings<'_>) -> Option<Event> {
    let missed = address.vision_is_set() && !around.passed_on.vision;
    let vision = Url::parse(address.vision_url()).ok().filter(|_| missed)?;
    let is_here = vision.host.eq_ignore_ascii_case(&address.url().host)
        && around.ports.contains(&vision.effective_port());
    is_here.then(|| {
        event!(
            ADDRESS_VISION_UNSERVED,
            setting = "server.vision_explain",
            vision = address.vision_url()
        )
    })
}

fn websocket(url: &Url, websocket: &str) -> Option<Event> {
    let shown = redact::shown(websocket);
    match (url.scheme, websocket.starts_with("wss://")) {
        (Scheme::Https, false) => Some(event!(
            ADDRESS_VOICE_PLAIN,
            setting = "server.websocket",
            voice = shown
        )),
        (Scheme::Http, true) => Some(event!(
            ADDRESS_FIRMWARE_PLAIN,
            setting = "server.websocket",
            voice = shown
        )),
        _ => None,
    }
}

/// Between 1.6.2 and 1.7.6 the firmware of ML307 boards spoke TLS to a WebSocket
/// on port 443, and nowhere else, whatever the scheme said
/// (`Ml307SslTransport::Connect` in esp-ml307 1.9.1 to 2.2; from 3.0 on the scheme
/// counts, and check-ins and downloads always went by it).
fn modem(url: &Url, websocket: &str, around: &Surroundings<'_>) -> Option<Event> {
    let voice = endpoint::read(websocket, AddressKind::WebSocket).ok()?;
    let secure = websocket.starts_with("wss://");
    if secure == (voice.port == 443) {
        return None;
    }
    // Our own ports answer both, whichever the device speaks.
    let is_here = voice.host.eq_ignore_ascii_case(&url.host) && around.ports.contains(&voice.port);
    let answers_both = around.tls && !around.http_ends;
    if is_here && around.passed_on.voice && answers_both && !around.behind_proxy {
        return None;
    }
    let shown = redact::shown(websocket);
    Some(if secure {
        event!(
            ADDRESS_MODEM_PLAIN,
            setting = "server.websocket",
            voice = shown,
            port = voice.port
        )
    } else {
        event!(
            ADDRESS_MODEM_TLS,
            setting = "server.websocket",
            voice = shown
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(vision: &str, change: impl FnOnce(&mut Surroundings<'_>)) -> Vec<String> {
        let url = Url::parse(vision).unwrap();
        let secure = url.scheme == Scheme::Https;
        let mut around = Surroundings {
            bound: None,
            ports: &[8003, 443],
            tls: true,
            behind_proxy: false,
            http_ends: false,
            websocket: Some(if secure {
                "wss://h/xiaozhi/v1/"
            } else {
                "ws://h:8000/xiaozhi/v1/"
            }),
            passed_on: PassedOn {
                voice: false,
                vision: true,
            },
        };
        change(&mut around);
        audit(&PublicAddress::from_vision_explain(&url), &around)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn one(vision: &str, words: &str) {
        let all = findings(vision, |_| {});
        assert!(
            all.len() == 1 && all[0].contains(words) && all[0].contains("Remedy: "),
            "{vision}: {all:?}"
        );
    }

    #[test]
    fn a_good_address_has_no_finding() {
        for good in [
            "https://ota.example.com/mcp/vision/explain",
            "http://192.168.1.100:8003/mcp/vision/explain",
        ] {
            assert_eq!(findings(good, |_| {}), [""; 0], "{good}");
        }
    }

    #[test]
    fn each_fault_is_found_by_its_name() {
        one(
            "http://127.0.0.1:8003/mcp/vision/explain",
            "the device itself",
        );
        one(
            "http://localhost:8003/mcp/vision/explain",
            "the device itself",
        );
        one("http://0.0.0.0:8003/mcp/vision/explain", "no address");
        one(
            "http://172.17.0.2:8003/mcp/vision/explain",
            "inside of Docker",
        );
        one(
            "http://xiaozhi-server:8003/mcp/vision/explain",
            "without a dot",
        );
        one(
            "http://ota.example.com:8004/mcp/vision/explain",
            "nobody here listens",
        );
        one("http://ota.example.com:8003/vision", "does not end with");
    }

    #[test]
    fn a_proxy_in_front_answers_for_the_port() {
        assert_eq!(
            findings("http://ota.example.com:8004/mcp/vision/explain", |a| a
                .behind_proxy =
                true),
            [""; 0]
        );
    }

    #[test]
    fn an_address_that_is_not_listened_on() {
        let lan = "http://192.168.1.100:8003/mcp/vision/explain";
        let bound = |ip: [u8; 4]| findings(lan, |a| a.bound = Some(ip.into()));
        assert!(bound([127, 0, 0, 1])[0].contains("only 127.0.0.1 is listened on"));
        assert!(bound([10, 0, 0, 1])[0].contains("only 10.0.0.1 is listened on"));
        assert_eq!(bound([192, 168, 1, 100]), [""; 0]);
        assert_eq!(bound([0, 0, 0, 0]), [""; 0]);
    }

    #[test]
    fn schemes_that_do_not_fit_together() {
        let found = findings("https://ota.example.com/mcp/vision/explain", |a| {
            a.tls = false;
        });
        assert!(found[0].contains("gateway.tls.mode is off"), "{found:?}");
        let found = findings("https://ota.example.com/mcp/vision/explain", |a| {
            a.websocket = Some("ws://h/");
        });
        assert!(found[0].contains("hears the voice"), "{found:?}");
        let found = findings("http://ota.example.com:8003/mcp/vision/explain", |a| {
            a.websocket = Some("wss://h/");
        });
        assert!(found[0].contains("plain http"), "{found:?}");
        let found = findings("http://ota.example.com:8003/mcp/vision/explain", |a| {
            a.http_ends = true;
        });
        assert!(found[0].contains("403"), "{found:?}");
    }

    #[test]
    fn one_line_of_4g_firmware_goes_by_the_port() {
        let here = "https://ota.example.com/mcp/vision/explain";
        let found = |url: &'static str, passed_on, http_ends| {
            let all = findings(here, |a| {
                a.websocket = Some(url);
                a.passed_on.voice = passed_on;
                a.http_ends = http_ends;
            });
            let modem = all.into_iter().find(|f| f.contains("ML307"));
            modem.unwrap_or_default()
        };
        assert_eq!(found("wss://voice.example.com/v1/", false, false), "");
        assert_eq!(found("ws://voice.example.com:8000/v1/", false, false), "");
        let tls = found("wss://voice.example.com:8443/v1/", false, false);
        assert!(tls.contains("plain text to any port but 443"), "{tls}");
        let plain = found("ws://voice.example.com:443/v1/", false, false);
        assert!(plain.contains("TLS to port 443"), "{plain}");
        // Our own ports take both.
        assert_eq!(found("wss://ota.example.com:8003/v1/", true, false), "");
        assert!(found("wss://ota.example.com:8003/v1/", true, true).contains("8003 too"));
    }

    #[test]
    fn an_address_that_is_made_up_may_be_one_that_devices_misread() {
        let around = Surroundings {
            bound: Some(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 7])),
            ports: &[8003],
            tls: true,
            behind_proxy: false,
            http_ends: false,
            websocket: None,
            passed_on: PassedOn {
                voice: false,
                vision: false,
            },
        };
        let address = PublicAddress::derived(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 7]), 8003);
        assert!(!address.is_readable());
        let found = audit(&address, &around);
        assert!(
            found.len() == 1 && found[0].to_string().contains("IPv6 literal"),
            "{found:?}"
        );
    }

    #[test]
    fn what_nobody_here_passes_on_is_missed() {
        let here = "https://ota.example.com/mcp/vision/explain";
        let voice = |url: &'static str, passed_on| {
            findings(here, |a| {
                a.websocket = Some(url);
                a.passed_on.voice = passed_on;
            })
        };
        for (url, missed) in [
            ("wss://ota.example.com/xiaozhi/v1/", true),
            ("wss://OTA.example.com:8003/xiaozhi/v1/", true),
            ("ws://ota.example.com:8003/xiaozhi/v1/", true),
            ("wss://ota.example.com:8000/xiaozhi/v1/", false),
            ("wss://voice.example.com/xiaozhi/v1/", false),
        ] {
            let found = voice(url, false);
            let missing = |found: &[String]| found.iter().any(|f| f.contains("passes it on"));
            assert_eq!(missing(&found), missed, "{url}: {found:?}");
            assert!(!missing(&voice(url, true)), "{url}");
        }
        let vision = |behind_proxy| {
            findings(here, |a| {
                a.passed_on.vision = false;
                a.behind_proxy = behind_proxy;
            })
        };
        assert!(vision(false)[0].contains("pictures get a 404"));
        assert_eq!(vision(true), [""; 0]);
    }
}
