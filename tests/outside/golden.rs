//! What xiaozhi-server's own handler answered, recorded by running it, asked
//! again here: over plain HTTP and over TLS, byte for byte but for the time.

use super::support::server::{SCHEMES, Setup, request};
use super::support::{Reply, Server};
use serde_json::Value;
use std::time::SystemTime;

const RECORDED: &str = include_str!("golden/upstream-replies.json");
/// Values of other types than are expected, in bodies and in the configuration.
const VALUES: &str = include_str!("golden/upstream-values.json");

/// Where we answer otherwise, on purpose.
fn differs_on_purpose(name: &str) -> Option<(&'static str, &'static str)> {
    Some(match name {
        // The guide gives default_*.bin to unknown models.
        "unknown model has no candidates upstream" => ("1.0.0", "default_1.0.0.bin"),
        // What stood before the fault names the board.
        "malformed JSON is treated as an empty object" => ("1.7.0-beta", "esp32s3_1.7.0-beta.bin"),
        // A body that was lost could be any board's.
        "empty body" => ("0.0.0", ""),
        _ => return None,
    })
}

/// Tells whether a device is offered what is for models without files.
fn gets_default(name: &str, case: &Value) -> bool {
    let recorded = case["reply"]["json"]["firmware"]["url"].as_str();
    let is_default = |url: &str| url.contains("default_");
    recorded.is_some_and(is_default)
        || differs_on_purpose(name).is_some_and(|(_, file)| is_default(file))
}

#[test]
fn every_recorded_request_gets_its_recorded_reply() {
    assert_eq!(
        answer_again(RECORDED, 32),
        6,
        "a difference that no recorded request shows"
    );
}

#[test]
fn values_of_other_types_mean_what_they_mean_to_python() {
    assert_eq!(answer_again(VALUES, 32), 0);
}

/// Asks again what was recorded, and returns how many replies differ on purpose.
fn answer_again(recorded: &str, count: usize) -> usize {
    let recorded: Vec<Value> = serde_json::from_str(recorded).unwrap();
    assert_eq!(recorded.len(), count);
    let mut differing = 0;
    let mut server: Option<(Value, Server)> = None;
    for case in &recorded {
        let name = case["name"].as_str().unwrap();
        if server
            .as_ref()
            .is_none_or(|(config, _)| *config != case["config"])
            // All cases are of one device, which had files of its own before.
            || gets_default(name, case)
        {
            server = Some((case["config"].clone(), start(case)));
        }
        let (_, server) = server.as_ref().unwrap();
        for scheme in SCHEMES {
            let before = now();
            let reply = server.send(scheme, &of_case(case));
            reply.hold_to_contract(name);
            let mut expected = case["reply"].clone();
            if let Some((version, file)) = differs_on_purpose(name) {
                differing += 1;
                let firmware = &mut expected["json"]["firmware"];
                firmware["version"] = version.into();
                let base = "http://yourdomain.com:8003/xiaozhi/ota/download/";
                let url = (!file.is_empty()).then(|| format!("{base}{file}"));
                firmware["url"] = url.unwrap_or_default().into();
            }
            compare(name, &reply, &expected, before);
        }
    }
    differing
}

fn start(case: &Value) -> Server {
    let mut setup = Setup::new();
    for file in case["files"].as_array().unwrap() {
        let file = file.as_str().unwrap();
        setup = setup.file(file, format!("firmware {file}"));
    }
    let mut config = case["config"].clone();
    // Ours, so that tests can run side by side.
    config["gateway"] = serde_json::json!({
        "ip": "127.0.0.1",
        "ports": [0, 0],
        "limits": { "handshake": "1h", "headers": "1h", "idle": "1h" },
        // Byte for byte what xiaozhi-server says.
        "fleet": { "track": false },
    });
    setup.start(&config.to_string())
}

fn of_case(case: &Value) -> Vec<u8> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let headers: Vec<_> = case["headers"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(k, v)| (k.clone(), text(v)))
        .collect();
    let headers: Vec<_> = headers
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    request(
        &text(&case["method"]),
        &text(&case["path"]),
        &headers,
        text(&case["body"]).as_bytes(),
    )
}

/// Milliseconds since 1970.
fn now() -> u128 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_millis()
}

fn compare(name: &str, reply: &Reply, expected: &Value, before: u128) {
    assert_eq!(
        u64::from(reply.status),
        expected["status"].as_u64().unwrap(),
        "{name}"
    );
    for (header, value) in expected["headers"].as_object().unwrap() {
        assert_eq!(reply.header(header), value.as_str(), "{name}: {header}");
    }
    if let Some(text) = expected["text"].as_str() {
        assert_eq!(reply.text(), text, "{name}");
        return;
    }
    let mut expected = expected["json"].clone();
    let got = reply.json();
    if let Some(timestamp) = expected
        .get_mut("server_time")
        .and_then(|t| t.get_mut("timestamp"))
    {
        *timestamp = got["server_time"]["timestamp"].clone();
        let millis = timestamp.as_u64().expect("a number");
        assert!(
            (before..=now()).contains(&u128::from(millis)),
            "{name}: {millis}"
        );
    }
    if let Some(token) = expected
        .pointer_mut("/websocket/token")
        .filter(|t| *t == "<token>")
    {
        *token = got["websocket"]["token"].clone();
        let token = token.as_str().unwrap();
        let (signature, seconds) = token.split_once('.').expect("signature.time");
        assert_eq!(
            (signature.len(), seconds.len()),
            (43, 10),
            "{name}: {token}"
        );
    }
    // Compact, and the keys in their recorded order.
    assert_eq!(reply.text(), expected.to_string(), "{name}");
}
