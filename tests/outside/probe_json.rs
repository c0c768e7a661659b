//! Answers to a check whose JSON is wrong on purpose, one rule each.

use super::probe_wrong::check;
use super::support::probed::{Case, hold};
use super::support::wrong::{HOST, right};
use serde_json::{Value, json};

/// Firmware of a line on Wi-Fi, where another than 1.6 is asked.
const V1_5: [&str; 2] = ["--firmware-line", "v1.5"];
const V1_6: [&str; 0] = [];
const V1_6_2: [&str; 2] = ["--firmware-line", "v1.6.2"];
const V1_6_6: [&str; 2] = ["--firmware-line", "v1.6.6"];
const V2: [&str; 2] = ["--firmware-line", "v2"];

/// JSON that is spoiled while an update is offered.
fn offer(
    name: &'static str,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
    with: &[&str],
    finds: &[&'static str],
) -> Case {
    Case::new(name, right().offer(change), with, finds)
}

/// JSON that is spoiled always.
fn says(
    name: &'static str,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
    with: &[&str],
    finds: &[&'static str],
) -> Case {
    Case::new(name, right().json(change), with, finds)
}

fn remove(json: &mut Value, key: &str) {
    json.as_object_mut().unwrap().remove(key);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
fn values() {
    let null = |json: &mut Value| json["firmware"]["url"] = Value::Null;
    let null_token = |json: &mut Value| json["websocket"]["token"] = Value::Null;
    let number = |json: &mut Value| json["firmware"]["version"] = json!(161);
    let long_key = |json: &mut Value| json["websocket"]["a_key_too_long_for_nvs"] = json!("x");
    let long_value = |json: &mut Value| json["websocket"]["token"] = json!("x".repeat(4001));
    hold(vec![
        check(
            "a page",
            |p| p.set_body("<html>Sign in</html>"),
            &V1_6,
            &["check fail not-json"],
        ),
        check(
            "a list",
            |p| p.set_body("[]"),
            &V2,
            &["check fail not-json"],
        ),
        says("null", null, &V1_6, &["check fail null-field"]),
        says("null, in 1.6.2", null, &V1_6_2, &["check fail null-field"]),
        says(
            "null, since 1.6.6",
            null,
            &V1_6_6,
            &["check warn null-field"],
        ),
        says(
            "null where it is not read",
            null_token,
            &V1_6,
            &["check warn null-field"],
        ),
        offer(
            "a number for a version",
            number,
            &V1_6,
            &["check fail wrong-type"],
        ),
        says("a long key", long_key, &V1_6_2, &["check fail long-key"]),
        says(
            "a long key that nobody reads",
            long_key,
            &V1_6,
            &["check warn long-key"],
        ),
        says(
            "a long key, since 2.0",
            long_key,
            &V2,
            &["check fail long-key"],
        ),
        says("a long value", long_value, &V2, &["check fail long-value"]),
        says(
            "refused",
            |json| *json = json!({"success": false, "message": "Invalid device ID"}),
            &V1_6,
            &["check fail request-error"],
        ),
        says(
            "no firmware",
            |j| remove(j, "firmware"),
            &V1_5,
            &["check fail no-firmware"],
        ),
        says(
            "no firmware, since 1.6",
            |j| remove(j, "firmware"),
            &V1_6,
            &["check warn no-firmware"],
        ),
        says(
            "no protocol",
            |j| remove(j, "websocket"),
            &V1_6,
            &["check warn no-protocol"],
        ),
        says(
            "no time",
            |j| remove(j, "server_time"),
            &V1_6,
            &["check warn no-server-time"],
        ),
        says(
            "seconds",
            |j| j["server_time"]["timestamp"] = json!(1_750_000_000),
            &V1_6,
            &["check warn server-time"],
        ),
        says(
            "a time zone in hours",
            |j| j["server_time"]["timezone_offset"] = json!(8),
            &V1_6,
            &["check warn server-time"],
        ),
        says(
            "an empty mqtt",
            |j| {
                remove(j, "websocket");
                j["mqtt"] = json!({});
            },
            &V1_6_2,
            &["check fail empty-mqtt"],
        ),
        says(
            "both protocols",
            |j| {
                j["mqtt"] =
                    json!({"endpoint": "mqtt.example.com", "client_id": "a", "publish_topic": "b"});
            },
            &V1_6,
            &["check warn mqtt-and-websocket"],
        ),
        says(
            "activation",
            |j| {
                j["activation"] =
                    json!({"code": "123456", "message": "xiaozhi.me\n123456", "challenge": "c"});
            },
            &V1_6,
            &["check warn activation"],
        ),
    ]);
}

#[test]
fn offers() {
    let url = |port: &str, scheme: &str| {
        format!("{scheme}://{HOST}{port}/xiaozhi/ota/download/esp32s3_1.6.1.bin")
    };
    let (http, to_tls) = (url("", "http"), url(":443", "http"));
    hold(vec![
        offer(
            "a version that is none",
            |j| j["firmware"]["version"] = json!("v1.6.1"),
            &V1_6,
            &["check fail crash-version"],
        ),
        offer(
            "a date",
            |j| j["firmware"]["version"] = json!("1.202611221200"),
            &V2,
            &["check fail crash-version"],
        ),
        offer(
            "to a device whose own is none",
            |_| {},
            &["--version", "2.0.x", "--firmware-line", "v2"],
            &["check fail own-version-crashes"],
        ),
        offer(
            "an older one",
            |j| j["firmware"]["version"] = json!("1.5.9"),
            &V1_6,
            &["check warn not-newer"],
        ),
        offer(
            "a suffix",
            |j| j["firmware"]["version"] = json!("1.6.0-beta"),
            &V1_6,
            &["check warn not-newer"],
        ),
        offer(
            "nowhere",
            |j| j["firmware"]["url"] = json!(""),
            &V1_6,
            &["check fail empty-url"],
        ),
        offer(
            "force in words",
            |j| j["firmware"]["force"] = json!(true),
            &V1_6,
            &["check warn force-not-a-number"],
        ),
        offer(
            "http behind https",
            move |j| j["firmware"]["url"] = json!(http),
            &V1_6,
            &["check warn http-behind-https"],
        ),
        offer(
            "http to a TLS port",
            move |j| j["firmware"]["url"] = json!(to_tls),
            &V1_6,
            &["check warn http-behind-https", "download fail wrong-scheme"],
        ),
        says(
            "ws behind https",
            |j| j["websocket"]["url"] = json!(format!("ws://{HOST}/xiaozhi/v1/")),
            &V1_6,
            &["check warn ws-behind-https"],
        ),
        Case::new(
            "forced again and again",
            right().version("1.6.0").json(|j| {
                let url = format!("https://{HOST}/xiaozhi/ota/download/esp32s3_1.6.0.bin");
                j["firmware"] = json!({"version": "1.6.0", "url": url, "force": 1});
            }),
            &V1_6,
            &["check fail force-loop", "image fail same-version"],
        ),
        Case::new(
            "forced again and again, since 2.0",
            right().version("2.0.0").json(|j| {
                let url = format!("https://{HOST}/xiaozhi/ota/download/esp32s3_2.0.0.bin");
                j["firmware"] = json!({"version": "2.0.0", "url": url, "force": 1});
            }),
            &["--version", "2.0.0"],
            &["check fail force-loop", "reboot fail loop"],
        ),
    ]);
}
