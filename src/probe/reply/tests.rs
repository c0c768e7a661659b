use super::super::line::Hardware;
use super::*;
use crate::probe::report::StepVerdict;
use proptest::prelude::*;
use xiaozhi_device::chip::Chip;

fn device(version: &str) -> Device {
    Device {
        kind: Kind {
            line: Line::of_version(version),
            hardware: Hardware::Wifi,
        },
        board: "esp32s3".into(),
        version: version.into(),
        chip: Chip(9),
        mac: "aa:bb:cc:dd:ee:ff".into(),
        uuid: "7b94d69a-9808-4c59-9c9b-704333b38aff".into(),
        flash: 16,
        v2_layout: false,
        elf_sha256: [7; 32],
        second_slot: false,
    }
}

fn target(tls: bool) -> Target {
    Target {
        tls,
        host: "ota.example.com".into(),
        port: if tls { 443 } else { 80 },
        path: "/xiaozhi/ota/".into(),
    }
}

const TIME: &str = r#""server_time":{"timestamp":1795305600000,"timezone_offset":480}"#;
const VOICE: &str = r#""websocket":{"url":"ws://ota.example.com:8000/xiaozhi/v1/","token":""}"#;

/// The rules that break, with `!` where this device fails.
fn broken(version: &str, tls: bool, body: &str) -> Vec<String> {
    let (_, findings) = judge(body.as_bytes(), &device(version), &target(tls));
    let name = |f: &Finding| {
        let fails = if f.verdict == StepVerdict::Fail {
            "!"
        } else {
            ""
        };
        format!("{}{fails}", f.rule.id)
    };
    findings.iter().map(name).collect()
}

/// A reply whose `firmware` is this.
fn offer(firmware: &str) -> String {
    format!(r#"{{{TIME},"firmware":{firmware},{VOICE}}}"#)
}

#[test]
fn a_good_reply_breaks_nothing() {
    for version in ["1.5.8", "1.6.0", "1.8.2", "2.0.1"] {
        let none = offer(&format!(r#"{{"version":"{version}","url":""}}"#));
        assert_eq!(broken(version, false, &none), [""; 0], "{version}");
        let some = offer(r#"{"version":"2.1.0","url":"http://ota.example.com/a.bin"}"#);
        assert_eq!(broken(version, false, &some), [""; 0], "{version}");
        let (reply, _) = judge(some.as_bytes(), &device(version), &target(false));
        let update = reply.update.unwrap();
        assert_eq!((update.version.as_str(), update.forced), ("2.1.0", false));
        assert_eq!(reply.websocket.unwrap().version, 1);
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_rule_is_found() {
    let http = r#""url":"http://ota.example.com/a.bin""#;
    let cases: &[(&str, String, &[&str])] = &[
        ("2.0.0", "<html>".into(), &["not-json!"]),
        ("2.0.0", String::new(), &["not-json!"]),
        ("2.0.0", "[]".into(), &["not-json!"]),
        (
            "2.0.0",
            r#"{"success":false,"message":"request error."}"#.into(),
            &["request-error!"],
        ),
        (
            "2.0.0",
            format!(r#"{{{TIME},"error":"Invalid device ID"}}"#),
            &["request-error!"],
        ),
        (
            "1.6.0",
            offer(r#"{"version":null,"url":""}"#),
            &["null-field!"],
        ),
        (
            "2.0.0",
            offer(r#"{"version":null,"url":""}"#),
            &["null-field"],
        ),
        (
            "1.6.2",
            offer(r#"{"version":2,"url":""}"#),
            &["wrong-type!"],
        ),
        ("1.6.6", offer(r#"{"version":2,"url":""}"#), &["wrong-type"]),
        (
            "1.8.0",
            offer(r#"{"version":"1.8.0","url":false}"#),
            &["wrong-type"],
        ),
        ("1.6.0", offer(r#""none""#), &["wrong-type", "no-firmware"]),
        ("1.5.0", format!(r"{{{TIME},{VOICE}}}"), &["no-firmware!"]),
        ("2.0.0", format!(r"{{{TIME},{VOICE}}}"), &["no-firmware"]),
        ("1.5.0", offer(r#"{"version":"1.5.0"}"#), &["no-firmware!"]),
        (
            "2.0.0",
            offer(&format!(r#"{{"version":"2.0.x",{http}}}"#)),
            &["crash-version!"],
        ),
        (
            "2.0.0",
            offer(&format!(r#"{{"version":"202611211200",{http}}}"#)),
            &["crash-version!"],
        ),
        (
            "dev",
            offer(r#"{"version":"dev","url":""}"#),
            &["own-version-crashes!"],
        ),
        (
            "2.0.0",
            offer(&format!(r#"{{"version":"1.9.9",{http}}}"#)),
            &["not-newer"],
        ),
        (
            "1.7.0",
            offer(&format!(r#"{{"version":"1.7.0-beta",{http}}}"#)),
            &["not-newer"],
        ),
        // What runs may have its address beside it; of what is not installed none
        // fails.
        (
            "2.0.0",
            offer(r#"{"version":"2.0.0","url":"http://[::1]/a.bin"}"#),
            &[],
        ),
        (
            "2.0.0",
            offer(r#"{"version":"1.9.9","url":"http://[::1]/a.bin"}"#),
            &["not-newer", "ipv6-literal"],
        ),
        // Nobody reads it.
        (
            "1.6.0",
            offer(r#"{"version":"1.6.0","url":"","note":null}"#),
            &["null-field"],
        ),
        (
            "2.0.0",
            offer(r#"{"version":"2.0.1","url":""}"#),
            &["empty-url!"],
        ),
        (
            "2.0.0",
            offer(&format!(r#"{{"version":"1.9.9",{http},"force":true}}"#)),
            &["force-not-a-number", "not-newer"],
        ),
        // A `true` was a 1 before its type was looked at.
        (
            "1.6.2",
            offer(&format!(r#"{{"version":"1.6.2",{http},"force":true}}"#)),
            &["force-not-a-number", "force-loop!"],
        ),
        (
            "2.0.0",
            offer(&format!(r#"{{"version":"2.0.0",{http},"force":1}}"#)),
            &["force-loop!"],
        ),
        (
            "1.5.0",
            offer(&format!(r#"{{"version":"1.4.0",{http},"force":1}}"#)),
            &["not-newer"],
        ),
        (
            "2.0.0",
            offer(r#"{"version":"2.0.1","url":"/a.bin"}"#),
            &["no-scheme!"],
        ),
        (
            "2.0.0",
            offer(r#"{"version":"2.0.1","url":"http://127.0.0.1:8003/a.bin"}"#),
            &["loopback!"],
        ),
        (
            "2.0.0",
            offer(r#"{"version":"2.0.1","url":"http://172.17.0.3/a.bin"}"#),
            &["container-address!"],
        ),
        (
            "2.0.0",
            offer(r#"{"version":"2.0.1","url":"http://[2001:db8::1]/a.bin"}"#),
            &["ipv6-literal!"],
        ),
        (
            "2.0.0",
            format!(r#"{{{TIME},"firmware":{{"version":"2.0.0","url":""}}}}"#),
            &["no-protocol"],
        ),
        (
            "2.0.0",
            format!(r#"{{"firmware":{{"version":"2.0.0","url":""}},{VOICE}}}"#),
            &["no-server-time"],
        ),
        (
            "2.0.0",
            format!(
                r#"{{"server_time":{{"timestamp":1795305600,"timezone_offset":8}},"firmware":{{"version":"2.0.0","url":""}},{VOICE}}}"#
            ),
            &["server-time", "server-time"],
        ),
    ];
    for (version, body, expected) in cases {
        assert_eq!(broken(version, false, body), *expected, "{version}: {body}");
    }
}

#[test]
fn voice_has_rules_too() {
    let none = r#""firmware":{"version":"2.0.0","url":""}"#;
    let long = "k".repeat(16);
    let value = "v".repeat(4000);
    for (voice, expected) in [
        (
            format!(r#""websocket":{{"url":"ws://h.example/","{long}":1}}"#),
            vec!["long-key!"],
        ),
        (
            format!(r#""websocket":{{"url":"ws://h.example/","{long}":{{}}}}"#),
            vec![],
        ),
        (
            format!(r#""websocket":{{"url":"ws://h.example/","token":"{value}"}}"#),
            vec!["long-value!"],
        ),
        (r#""mqtt":{}"#.to_owned(), vec!["empty-mqtt!"]),
        (
            format!(r#""mqtt":{{"endpoint":"m.example"}},{VOICE}"#),
            vec!["mqtt-and-websocket"],
        ),
        (
            format!(r#"{VOICE},"activation":{{"code":"123456","message":"m"}}"#),
            vec!["activation"],
        ),
    ] {
        let body = format!("{{{TIME},{none},{voice}}}");
        assert_eq!(broken("2.0.0", false, &body), expected, "{body}");
    }
    // What was not looked at before 1.6.6, and not read before 1.6.2.
    for (version, voice, expected) in [
        (
            "1.6.2",
            format!(r#""mqtt":null,{VOICE}"#),
            vec!["null-field", "empty-mqtt!"],
        ),
        (
            "1.6.0",
            format!(r#""mqtt":null,{VOICE}"#),
            vec!["null-field", "empty-mqtt"],
        ),
        ("1.6.0", r#""mqtt":{}"#.to_owned(), vec!["empty-mqtt"]),
        (
            "1.6.2",
            format!(r#"{VOICE},"activation":{{"code":123456,"message":"m"}}"#),
            vec!["wrong-type!", "activation"],
        ),
        (
            "1.6.6",
            format!(r#"{VOICE},"activation":{{"code":123456,"message":"m"}}"#),
            vec!["wrong-type", "activation"],
        ),
        (
            "1.6.0",
            format!(r#"{VOICE},"activation":{{"code":"1","challenge":null}}"#),
            vec!["null-field!", "activation"],
        ),
        (
            "1.5.9",
            format!(r#"{VOICE},"activation":{{"code":"1","challenge":null}}"#),
            vec!["null-field", "activation"],
        ),
        (
            "1.6.0",
            format!(r#""websocket":{{"url":"ws://h.example/","{long}":1}}"#),
            vec!["long-key"],
        ),
        (
            "1.6.2",
            format!(r#""websocket":{{"url":"ws://h.example/","{long}":0}}"#),
            vec!["long-key!"],
        ),
        (
            "1.7.5",
            format!(r#""websocket":{{"url":"ws://h.example/","{long}":0}}"#),
            vec!["long-key"],
        ),
        (
            "1.7.2",
            format!(r#""mqtt":{{"endpoint":"m.example","{long}":1}}"#),
            vec!["long-key"],
        ),
        (
            "1.7.5",
            format!(r#""mqtt":{{"endpoint":"m.example","{long}":1}}"#),
            vec!["long-key!"],
        ),
    ] {
        let none = none.replace("2.0.0", version);
        let body = format!("{{{TIME},{none},{voice}}}");
        assert_eq!(broken(version, false, &body), expected, "{version}: {body}");
    }
    let body = format!("{{{TIME},{none},{VOICE}}}");
    assert_eq!(broken("2.0.0", true, &body), ["ws-behind-https"]);
    let http = offer(r#"{"version":"2.0.1","url":"http://ota.example.com/a.bin"}"#);
    assert_eq!(
        broken("2.0.0", true, &http),
        ["http-behind-https", "ws-behind-https"]
    );
}

#[test]
fn what_is_long_stops_some() {
    let long = format!(
        r#"{{{TIME},"firmware":{{"version":"2.0.0","url":""}},{VOICE},"x":"{}"}}"#,
        "y".repeat(8192)
    );
    for (version, expected) in [
        ("1.6.0", "too-long"),
        ("1.7.7", "too-long"),
        ("1.8.1", "too-long!"),
        ("1.8.2", "too-long"),
        ("1.9.2", "too-long!"),
        ("2.0.0", "too-long!"),
    ] {
        let long = long.replace("2.0.0", version);
        assert_eq!(broken(version, false, &long), [expected], "{version}");
    }
}

#[test]
fn force_goes_down_since_1_6() {
    let body = offer(r#"{"version":"1.5.0","url":"http://ota.example.com/a.bin","force":1}"#);
    let (reply, findings) = judge(body.as_bytes(), &device("1.6.0"), &target(false));
    assert!(findings.is_empty() && reply.update.unwrap().forced);
}

#[test]
fn the_first_value_counts_as_in_cjson() {
    let trailing = format!(
        "\u{feff}{}  <!-- x -->",
        offer(r#"{"version":"2.0.0","url":""}"#)
    );
    assert_eq!(broken("2.0.0", false, &trailing), [""; 0]);
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in "\\PC{0,200}", version in "[0-9.a-z]{0,8}") {
        let _ = judge(body.as_bytes(), &device(&version), &target(true));
        let wrapped = offer(&body);
        let _ = judge(wrapped.as_bytes(), &device(&version), &target(true));
    }

    /// What it says is installed is what the device's own comparison installs.
    #[test]
    fn an_update_is_what_the_device_takes(own in "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}", offered in "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}") {
        let body = offer(&format!(r#"{{"version":"{offered}","url":"http://ota.example.com/a.bin"}}"#));
        let (reply, _) = judge(body.as_bytes(), &device(&own), &target(false));
        prop_assert_eq!(reply.update.is_some(), device_finds_newer(&own, &offered));
    }
}
