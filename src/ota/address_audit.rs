//! What in the public address would keep a device from its update. Each finding
//! says what would happen to the device and what to change.

use super::public_url::{PublicAddress, Scheme, Source, Url, VISION_PATH};
use crate::finding::Finding;
use std::net::IpAddr;
use xiaozhi_device::endpoint::{self, AddressKind};
use xiaozhi_device::redact;

/// What the audit holds the address against.
#[derive(Debug, Clone)]
pub struct Surroundings<'a> {
    /// The address on which this process listens; `None` is every one.
    pub bound: Option<IpAddr>,
    /// The ports on which this process listens.
    pub ports: &'a [u16],
    /// Whether those ports answer TLS.
    pub tls: bool,
    /// `gateway.behind_proxy`: somebody else answers the public address.
    pub behind_proxy: bool,
    /// Whether plain HTTP is, or will be, refused on device paths.
    pub http_ends: bool,
    /// The WebSocket address handed to devices, if one is.
    pub websocket: Option<&'a str>,
    /// What of voice and vision goes to a server behind this one.
    pub passed_on: PassedOn,
}

/// The paths of xiaozhi-server's that are passed on to it.
#[derive(Debug, Clone, Copy)]
pub struct PassedOn {
    /// The WebSocket.
    pub voice: bool,
    /// Pictures.
    pub vision: bool,
}

/// Judges the public address.
pub fn audit(address: &PublicAddress, around: &Surroundings<'_>) -> Vec<Finding> {
    let url = address.url();
    let setting = address.source().setting();
    let mut findings = Vec::new();
    let mut say = |setting: &str, consequence: String, remedy: String| {
        findings.push(Finding::new(setting, consequence, remedy));
    };

    host(url, address, setting, &mut say);
    if !around.behind_proxy {
        bound(url, around, &mut say);
        port(url, setting, around, &mut say);
        nobody_behind(address, around, &mut say);
    }
    if url.scheme == Scheme::Http && around.http_ends {
        say(
            setting,
            format!(
                "Devices are handed {url}, and plain HTTP ends on the day that gateway.http_fallback names: from then on their downloads get a 403."
            ),
            format!("give {setting} an https address before that day."),
        );
    }
    if let Some(handed_out) = around.websocket {
        websocket(url, handed_out, &mut say);
        modem(url, handed_out, around, &mut say);
    }
    findings
}

fn host(
    url: &Url,
    address: &PublicAddress,
    setting: &str,
    say: &mut impl FnMut(&str, String, String),
) {
    let path = if address.source() == Source::Ota {
        "/xiaozhi/ota/"
    } else {
        VISION_PATH
    };
    let remedy = || {
        format!(
            "set {setting} to an address that devices can reach \
             (http://192.168.1.100:8003{path}, https://ota.example.com{path})."
        )
    };
    let host = url.host.as_str();
    match url.ip() {
        Some(IpAddr::V6(_)) => say(
            setting,
            format!(
                "{host} in {url} is an IPv6 literal: the device's URL parser splits it at its first ':' and fails. So that nobody tries for ever, no firmware is offered."
            ),
            format!("set {setting} to a host name or an IPv4 address."),
        ),
        Some(ip) if ip.is_unspecified() => say(
            setting,
            format!(
                "{host} in {url} is no address: a device cannot connect to it and stays on its firmware."
            ),
            remedy(),
        ),
        Some(ip) if ip.is_loopback() => say(
            setting,
            format!(
                "{host} in {url} is the device itself: it will look for its firmware there and fail."
            ),
            remedy(),
        ),
        // Docker's own bridge, and what its networks are numbered from.
        Some(IpAddr::V4(ip)) if ip.octets()[0] == 172 && ip.octets()[1] == 17 => say(
            setting,
            format!(
                "{host} in {url} is an address inside of Docker: no device can reach it from outside of this machine."
            ),
            remedy(),
        ),
        None if host.eq_ignore_ascii_case("localhost")
            || host.to_ascii_lowercase().ends_with(".localhost") =>
        {
            say(
                setting,
                format!(
                    "{host} in {url} is the device itself: it will look for its firmware there and fail."
                ),
                remedy(),
            );
        }
        None if !host.contains('.') => say(
            setting,
            format!(
                "{host} in {url} is a name without a dot: a device resolves it only where its router knows that name (a container's or a host's short name mostly is not)."
            ),
            remedy(),
        ),
        _ => {}
    }
    if address.source() == Source::VisionExplain
        && !address
            .vision_url()
            .trim_end_matches('/')
            .ends_with(VISION_PATH)
    {
        say(
            "server.vision_explain",
            format!(
                "server.vision_explain ({}) does not end with {}: download addresses start at its host ({}).",
                address.vision_url(),
                VISION_PATH,
                address.download_base()
            ),
            "write the whole vision address, or give the OTA address in server.ota.".to_owned(),
        );
    }
}

fn bound(url: &Url, around: &Surroundings<'_>, say: &mut impl FnMut(&str, String, String)) {
    let Some(bound) = around.bound.filter(|ip| !ip.is_unspecified()) else {
        return;
    };
    // A public address may be forwarded to a private one; between two private
    // ones nobody forwards.
    let elsewhere = matches!(url.ip(), Some(IpAddr::V4(ip)) if ip.is_private() && ip != bound);
    if elsewhere || (bound.is_loopback() && url.ip() != Some(bound)) {
        say(
            "gateway.ip",
            format!(
                "{url} is handed out, but only {bound} is listened on: devices cannot connect to it."
            ),
            "set gateway.ip to the address that devices use, or to 0.0.0.0 for all.".to_owned(),
        );
    }
}

fn port(
    url: &Url,
    setting: &str,
    around: &Surroundings<'_>,
    say: &mut impl FnMut(&str, String, String),
) {
    let port = url.effective_port();
    if !around.ports.contains(&port) {
        say(
            setting,
            format!(
                "{url} means port {port}, and nobody here listens on it (ports: {:?}): every download will fail to connect.",
                around.ports
            ),
            format!(
                "add {port} to gateway.ports, or put one of those ports into {setting}, or set gateway.behind_proxy: true if something in front forwards it."
            ),
        );
    }
    if url.scheme == Scheme::Https && !around.tls {
        say(
            setting,
            format!(
                "{url} is https, and gateway.tls.mode is off: devices will try a handshake that nobody answers."
            ),
            format!("set gateway.tls.mode to self-signed or files, or use http in {setting}."),
        );
    }
}

/// What is handed out as an address of this server, which answers there only
/// what it passes on.
fn nobody_behind(
    address: &PublicAddress,
    around: &Surroundings<'_>,
    say: &mut impl FnMut(&str, String, String),
) {
    let url = address.url();
    let is_here = |other: &Url| {
        other.host.eq_ignore_ascii_case(&url.host) && around.ports.contains(&other.effective_port())
    };
    let voice = around.websocket.filter(|_| !around.passed_on.voice);
    if let Some(voice) = voice
        && endpoint::read(voice, AddressKind::WebSocket).is_ok_and(|voice| {
            voice.host.eq_ignore_ascii_case(&url.host) && around.ports.contains(&voice.port)
        })
    {
        say(
            "server.websocket",
            format!(
                "Devices are handed {}, which is this server, and nobody here passes it on: they will have no voice.",
                redact::shown(voice)
            ),
            "set gateway.proxy.websocket to xiaozhi-server (http://127.0.0.1:8000), or server.websocket to where devices reach it."
                .to_owned(),
        );
    }
    let missed = address.vision_is_set() && !around.passed_on.vision;
    if missed && Url::parse(address.vision_url()).is_ok_and(|vision| is_here(&vision)) {
        say(
            "server.vision_explain",
            format!(
                "xiaozhi-server hands devices {}, which is this server, and nobody here passes it on: their pictures get a 404.",
                address.vision_url()
            ),
            "pass it on (gateway.proxy.vision: http://127.0.0.1:8004, with server.http_port: 8004 for xiaozhi-server and \
             gateway.ports: [8003, 8443] for this server), or give the OTA address in server.ota and xiaozhi-server's own in \
             server.vision_explain."
                .to_owned(),
        );
    }
}

fn websocket(url: &Url, websocket: &str, say: &mut impl FnMut(&str, String, String)) {
    let shown = redact::shown(websocket);
    let secure = websocket.starts_with("wss://");
    if url.scheme == Scheme::Https && !secure {
        say(
            "server.websocket",
            format!(
                "Devices are handed {shown} beside an https OTA address: whoever sits on the way hears the voice and reads the token."
            ),
            "set server.websocket to a wss:// address.".to_owned(),
        );
    } else if url.scheme == Scheme::Http && secure {
        say(
            "server.websocket",
            format!(
                "Devices are handed {shown} beside a plain http OTA address: what protects the voice does not protect the firmware."
            ),
            "give server.vision_explain (or server.ota) an https address.".to_owned(),
        );
    }
}

/// Between 1.6.2 and 1.7.6 the firmware of ML307 boards spoke TLS to a WebSocket
/// on port 443, and nowhere else, whatever the scheme said
/// (`Ml307SslTransport::Connect` in esp-ml307 1.9.1 to 2.2; from 3.0 on the scheme
/// counts, and check-ins and downloads always went by it).
fn modem(
    url: &Url,
    websocket: &str,
    around: &Surroundings<'_>,
    say: &mut impl FnMut(&str, String, String),
) {
    let Ok(voice) = endpoint::read(websocket, AddressKind::WebSocket) else {
        return;
    };
    let secure = websocket.starts_with("wss://");
    if secure == (voice.port == 443) {
        return;
    }
    // Our own ports answer both, whichever the device speaks.
    let is_here = voice.host.eq_ignore_ascii_case(&url.host) && around.ports.contains(&voice.port);
    let answers_both = around.tls && !around.http_ends;
    if is_here && around.passed_on.voice && answers_both && !around.behind_proxy {
        return;
    }
    let (shown, port) = (redact::shown(websocket), voice.port);
    let (speaks, wanted) = if secure {
        (format!("plain text to any port but 443, {port} too"), "443")
    } else {
        ("TLS to port 443".to_owned(), "another than 443")
    };
    say(
        "server.websocket",
        format!(
            "Devices are handed {shown}: 4G devices (ML307) with firmware 1.6.2 to 1.7.6 speak {speaks}, whatever the scheme says, and will have no voice. Wi-Fi devices and later firmware do as the scheme says."
        ),
        format!(
            "if you have such devices, give the WebSocket port {wanted}, or update them first."
        ),
    );
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
