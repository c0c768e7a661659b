use super::super::line::{Hardware, Line};
use super::*;
use crate::event::text::Lang;

fn wifi(version: &str) -> Kind {
    Kind {
        line: Line::of_version(version),
        hardware: Hardware::Wifi,
    }
}

fn ml307(version: &str) -> Kind {
    Kind {
        hardware: Hardware::Ml307,
        ..wifi(version)
    }
}

/// The rules that break, with `!` where this device fails.
fn broken(text: &str, used: Use, kind: Kind) -> Vec<String> {
    match parse(text, used, kind) {
        Ok((_, findings)) => findings
            .iter()
            .map(|f| f.rule.id.to_owned() + if f.is_failure() { "!" } else { "" })
            .collect(),
        Err(finding) => vec![format!("{}!", finding.rule.id)],
    }
}

fn target(text: &str, used: Use, kind: Kind) -> Option<(bool, String, u16, String)> {
    let (target, _) = parse(text, used, kind).ok()?;
    Some((target.tls, target.host, target.port, target.path))
}

#[test]
fn addresses_come_apart_as_in_the_firmware() {
    let parsed = target("https://h.example:8443/a/ota?b=1", Use::Ota, wifi("2.0.0"));
    let expected = (true, "h.example".into(), 8443, "/a/ota?b=1".into());
    assert_eq!(parsed, Some(expected));
    for (text, expected) in [
        ("http://h.example/xiaozhi/ota", &[][..]),
        ("HTTP://h.example/xiaozhi/ota", &[]),
        ("http://h.example/XiaoZhi/OTA", &[]),
        ("http://1", &["no-address!"]),
        ("h.example/xiaozhi/ota/", &["no-scheme!"]),
        ("http:///xiaozhi/ota/", &["no-host!"]),
        ("http://[::1]:8003/xiaozhi/ota/", &["ipv6-literal!"]),
        ("http://::1/xiaozhi/ota/", &["ipv6-literal!"]),
        ("http://h.example:0/xiaozhi/ota/", &["bad-port!"]),
        ("http://h.example:80x/xiaozhi/ota/", &["bad-port!"]),
        ("http://h.example:/xiaozhi/ota/", &["bad-port!"]),
        ("http://h.example", &["not-an-ota-path"]),
        ("http://127.0.0.1/xiaozhi/ota/", &["loopback"]),
        ("http://0.0.0.0/xiaozhi/ota/", &["unspecified-address!"]),
        ("http://172.17.0.2/xiaozhi/ota/", &["container-address"]),
        ("http://server/xiaozhi/ota/", &["short-name"]),
    ] {
        for kind in Kind::all() {
            assert_eq!(broken(text, Use::Ota, kind), expected, "{kind}: {text}");
        }
    }
}

#[test]
fn each_client_reads_by_itself() {
    let esp = wifi("1.7.6");
    let own = wifi("2.0.0");
    let modem = ml307("2.0.0");
    for (text, kind, expected) in [
        ("https://u:p@h.example/ota/", esp, &["user-name"][..]),
        ("https://u:p@h.example/ota/", own, &["user-name!"]),
        ("https://u:p@h.example/ota/", modem, &["user-name!"]),
        ("HTTPS://h.example/ota/", esp, &["upper-case-scheme"]),
        ("HTTPS://h.example/ota/", own, &["upper-case-scheme"]),
        ("HTTPS://h.example/ota/", modem, &["upper-case-scheme!"]),
        ("ftp://h.example/ota/", esp, &["unknown-scheme!"]),
        ("ftp://h.example/ota/", own, &["unknown-scheme"]),
        ("ftp://h.example/ota/", modem, &["unknown-scheme!"]),
        (
            "http://h.example: 80/ota/",
            own,
            &["bad-character", "bad-port"],
        ),
        ("http://h.example: 80/ota/", modem, &["bad-port!"]),
        ("http://ota_1.example/ota/", esp, &["bad-character!"]),
        ("http://ota_1.example/ota/", own, &["bad-character"]),
        ("http://h.example/小智/ota/", esp, &["bad-character!"]),
        ("http://h.example/小智/ota/", own, &["bad-character"]),
        ("http://h.example/小智/ota/", modem, &["bad-character"]),
        ("http://h.example/a\tb/ota/", own, &["bad-character"]),
        ("http://h.example/ota/\r\nX: y", own, &["bad-character!"]),
        ("http://h.exam ple/ota/", own, &["bad-character!"]),
        ("http://小智.example/ota/", modem, &["bad-character!"]),
        ("http://h.example/ota/ ", esp, &["trailing-blank!"]),
        ("http://h.example/ota/  ", own, &["trailing-blank"]),
        ("http://h.example/ota/ ", modem, &["trailing-blank"]),
        ("http://h.example:8003 ", own, &["trailing-blank!"]),
        ("http://h.example/ota/#a", esp, &["fragment"]),
        ("http://h.example/ota/#a", own, &["fragment"]),
    ] {
        let mut found = broken(text, Use::Ota, kind);
        found.retain(|rule| rule != "not-an-ota-path");
        assert_eq!(found, expected, "{kind}: {text:?}");
    }
    let path = |text: &str, kind| target(text, Use::Ota, kind).map(|target| target.3);
    let blank = "http://h.example/ota/ ";
    assert_eq!(path(blank, own).as_deref(), Some("/ota/ "));
    let fragment = "http://h.example?a=1#b";
    assert_eq!(path(fragment, esp).as_deref(), Some("/?a=1"));
    // Who is hit is told by releases.
    let told = parse(blank, Use::Ota, own).map(|(_, findings)| findings[0].consequence(Lang::En));
    let told = told.unwrap_or_default();
    assert!(told.ends_with("These fail: Wi-Fi before 1.7.7."), "{told}");
}

#[test]
fn the_voice_servers_address_has_readers_of_its_own() {
    let voice = |text: &str, kind| broken(text, Use::Websocket, kind);
    for (text, version, expected) in [
        (
            "wss://h.example/v1/?id=aa:bb",
            "2.0.0",
            &["websocket-aborts!"][..],
        ),
        ("wss://h.example:443/v1/?id=aa:bb", "2.0.0", &[]),
        (
            "ws://192.168.1.4:端口号/v1/",
            "1.6.2",
            &["websocket-aborts!"],
        ),
        (
            "ws://h.example:99999999999/",
            "2.0.0",
            &["websocket-aborts!"],
        ),
        ("ws://192.168.1:4:8015/v1/", "2.0.0", &["websocket-mute!"]),
        ("ws://h.example:8000x/v1/", "2.0.0", &["websocket-mute"]),
        ("ws://[fd00::7]:8000/", "2.0.0", &["websocket-aborts!"]),
        ("h.example:8000/v1/", "2.0.0", &["websocket-mute!"]),
        ("WSS://h.example/v1/", "2.0.0", &["websocket-mute!"]),
        ("https://h.example/v1/", "2.0.0", &["websocket-mute!"]),
        ("https://h.example:443/v1/", "1.7.6", &["websocket-mute!"]),
        (
            "https://h.example:443/v1/",
            "1.7.7",
            &["websocket-mute", "unknown-scheme"],
        ),
        ("http://h.example:8000/v1/", "2.0.0", &["unknown-scheme"]),
        ("ws://h.example/小智/", "2.0.0", &["bad-character"]),
    ] {
        assert_eq!(voice(text, wifi(version)), expected, "{version}: {text}");
    }
    let (aborts, huge) = ("ws://h.example:x/", "ws://h.example:99999999999/");
    for (text, words) in [(aborts, "invalid_argument"), (huge, "out_of_range")] {
        let finding = parse(text, Use::Websocket, wifi("2.0.0")).err();
        let serial = finding.and_then(|f| f.serial).unwrap_or_default();
        assert!(serial.contains(words), "{text}: {serial}");
    }
    let secret = "wss://h.example/v1/?token=hush:x";
    let told = parse(secret, Use::Websocket, wifi("2.0.0")).err();
    let told = told.map(|f| f.evidence.to_string()).unwrap_or_default();
    assert!(
        told.contains("h.example") && !told.contains("hush"),
        "{told}"
    );
}

#[test]
fn an_ml307_goes_by_the_port_in_some_releases() {
    let voice = |text: &str, kind| broken(text, Use::Websocket, kind);
    for (text, tls) in [
        ("wss://h.example/v1/", true),
        ("ws://h.example:8000/v1/", false),
    ] {
        for kind in Kind::all().filter(|kind| kind.reads_websocket()) {
            assert_eq!(voice(text, kind), [""; 0], "{kind}: {text}");
            let target = target(text, Use::Websocket, kind);
            assert_eq!(target.map(|target| target.0), Some(tls), "{kind}: {text}");
        }
    }
    for (text, tls) in [
        ("wss://h.example:8443/v1/", false),
        ("ws://h.example:443/v1/", true),
    ] {
        for (kind, expected) in [
            (ml307("1.6.2"), "ml307-port!"),
            (ml307("1.7.6"), "ml307-port!"),
            (ml307("1.7.7"), "ml307-port"),
            (ml307("2.0.0"), "ml307-port"),
            (wifi("1.7.6"), "ml307-port"),
        ] {
            assert_eq!(voice(text, kind), [expected], "{kind}: {text}");
        }
        let played = target(text, Use::Websocket, ml307("1.7.6"));
        assert_eq!(played.map(|target| target.0), Some(tls), "{text}");
    }
    // Checks and downloads were never bound to a port.
    for used in [Use::Ota, Use::Firmware] {
        for kind in Kind::all() {
            let found = broken("https://h.example:8443/xiaozhi/ota/", used, kind);
            assert_eq!(found, [""; 0], "{kind}");
        }
    }
}
