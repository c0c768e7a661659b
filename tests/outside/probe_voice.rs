//! Voice servers, and addresses of them, that are wrong on purpose.

use super::support::Reserved;
use super::support::probed::{Case, Probe, hold};
use super::support::wrong::{Wrong, plain, right, text_frame};
use serde_json::json;

const V1_6: [&str; 0] = [];
/// What runs the version that is usual here, by the rules of the newest.
const NEWEST: [&str; 2] = ["--firmware-line", "v2"];
/// The first that reads where its voice server is.
const V1_6_2: [&str; 2] = ["--firmware-line", "v1.6.2"];

fn voice_at(url: &'static str) -> Wrong {
    right().json(move |json| json["websocket"]["url"] = json!(url))
}

/// A text in three frames, with a ping behind the first.
fn in_parts(text: &[u8]) -> Vec<u8> {
    let frame = |first: u8, part: &[u8]| {
        let mut frame = text_frame(part);
        frame[0] = first;
        frame
    };
    [
        frame(0x01, &text[..5]),
        frame(0x89, b"ping"),
        frame(0x00, &text[5..9]),
        frame(0x80, &text[9..]),
    ]
    .concat()
}

#[test]
fn voice_servers() {
    let closed = Reserved::new();
    let ended = [0x88, 2, 3, 0xE8];
    hold(vec![
        Case::new(
            "nobody listens",
            voice_at("wss://ota.example.com:8000/xiaozhi/v1/"),
            &V1_6_2,
            &["websocket fail websocket-unreachable"],
        )
        .probed(|server| Probe::of(server).at(8000, closed.port()).with(&V1_6_2)),
        Case::new(
            "a page",
            right().websocket(|p| p.set_status("200 OK")),
            &V1_6_2,
            &["websocket fail websocket-status"],
        ),
        Case::new(
            "401",
            right().websocket(|p| p.set_status("401 Unauthorized")),
            &V1_6_2,
            &["websocket fail websocket-status"],
        ),
        Case::new(
            "401, to firmware that has its voice server built in",
            right().websocket(|p| p.set_status("401 Unauthorized")),
            &V1_6,
            &["websocket warn websocket-status"],
        ),
        Case::new(
            "a goodbye for a hello",
            right().hello(ended),
            &V1_6_2,
            &["websocket fail websocket-no-hello"],
        ),
        Case::new(
            "a hello in three parts, and a ping between",
            right().hello(in_parts(br#"{"type":"hello","transport":"websocket"}"#)),
            &V1_6_2,
            &[],
        ),
        Case::new(
            "another transport",
            right().hello(text_frame(b"{\"type\":\"hello\",\"transport\":\"udp\"}")),
            &V1_6_2,
            &["websocket fail websocket-bad-hello"],
        ),
        Case::new(
            "wss to a port without TLS",
            voice_at("wss://ota.example.com:80/xiaozhi/v1/"),
            &V1_6_2,
            &["websocket fail wrong-scheme"],
        ),
        Case::new(
            "the server's own machine",
            plain()
                .json(|json| json["websocket"]["url"] = json!("ws://127.0.0.1:8000/xiaozhi/v1/")),
            &V1_6_2,
            &["websocket fail loopback"],
        )
        .probed(|server| {
            let place = server.port_80.port();
            Probe::of(server)
                .placed("127.0.0.1:8000", place)
                .with(&V1_6_2)
        }),
        Case::new(
            "skipped",
            right().hello(ended),
            &["--skip", "websocket"],
            &[],
        ),
    ]);
}

#[test]
fn addresses_of_voice_servers() {
    let by_port = |name, url: &'static str, with: &[&str], finds: &[&'static str]| {
        let (line, mut modem) = (with.to_vec(), vec!["--client", "ml307"]);
        modem.extend(line);
        let modem: Vec<String> = modem.iter().map(ToString::to_string).collect();
        Case::new(name, voice_at(url), &[], finds).probed(move |server| {
            let modem: Vec<&str> = modem.iter().map(String::as_str).collect();
            Probe::of(server)
                .at(8443, server.port_443.port())
                .at(8000, server.port_80.port())
                .with(&modem)
        })
    };
    let old = ["--firmware-line", "v1.7.5"];
    let new = ["--firmware-line", "v1.7.7"];
    hold(vec![
        Case::new(
            "words for a port",
            voice_at("wss://ota.example.com:port/xiaozhi/v1/"),
            &V1_6_2,
            &["websocket fail websocket-aborts"],
        ),
        Case::new(
            "a colon in the query",
            voice_at("wss://ota.example.com/xiaozhi/v1/?id=aa:bb"),
            &NEWEST,
            &["websocket fail websocket-aborts"],
        ),
        Case::new(
            "words for a port, and nobody reads them",
            voice_at("wss://ota.example.com:port/xiaozhi/v1/"),
            &V1_6,
            &["websocket warn websocket-aborts"],
        ),
        Case::new(
            "two colons",
            voice_at("wss://192.168.1:4:8015/xiaozhi/v1/"),
            &NEWEST,
            &["websocket fail websocket-mute"],
        ),
        Case::new(
            "https for wss",
            voice_at("https://ota.example.com/xiaozhi/v1/"),
            &V1_6_2,
            &["websocket fail websocket-mute"],
        ),
        // It works, whatever was meant.
        Case::new(
            "http for ws",
            plain().json(|json| {
                json["websocket"]["url"] = json!("http://ota.example.com/xiaozhi/v1/");
            }),
            &V1_6_2,
            &["websocket warn unknown-scheme"],
        ),
        by_port(
            "TLS elsewhere with an ML307",
            "wss://ota.example.com:8443/xiaozhi/v1/",
            &old,
            &["websocket fail ml307-port"],
        ),
        by_port(
            "no TLS on 443 with an ML307",
            "ws://ota.example.com:443/xiaozhi/v1/",
            &old,
            // The port answers TLS.
            &["check warn ws-behind-https", "websocket warn ml307-port"],
        ),
        by_port(
            "TLS elsewhere, on a port without it",
            "wss://ota.example.com:8000/xiaozhi/v1/",
            &old,
            &["websocket warn ml307-port"],
        ),
        by_port(
            "TLS elsewhere with an ML307, since 1.7.7",
            "wss://ota.example.com:8443/xiaozhi/v1/",
            &new,
            &["websocket warn ml307-port"],
        ),
    ]);
}

#[test]
fn endpoints_of_mqtt() {
    let mqtt_at = |endpoint: &'static str| {
        right().json(move |json| {
            json["mqtt"] = json!({"endpoint": endpoint, "client_id": "a", "publish_topic": "b"});
            json.as_object_mut().unwrap().remove("websocket");
        })
    };
    let case = |endpoint: &'static str, with: &[&str], finds: &[&'static str]| {
        Case::new(endpoint, mqtt_at(endpoint), with, finds)
    };
    hold(vec![
        case("mqtt.example.com", &V1_6, &[]),
        case("mqtt.example.com:1883", &V1_6_2, &[]),
        case("192.168.1.7:1883/", &NEWEST, &["check warn mqtt-mute"]),
        // A port as it is to be written, before it was read.
        case("mqtt.example.com:1884", &V1_6, &["check fail mqtt-mute"]),
        case(
            "mqtt://192.168.1.7:1883",
            &V1_6_2,
            &["check fail mqtt-aborts"],
        ),
        case(
            "mqtt://192.168.1.8:1883",
            &V1_6,
            &["check fail mqtt-mute", "check warn mqtt-aborts"],
        ),
        case("192.168.1:7:1883", &NEWEST, &["check fail mqtt-mute"]),
        // Where they lead.
        case("0.0.0.0:1883", &NEWEST, &["check fail unspecified-address"]),
        case("198.18.3.7:1883", &V1_6_2, &["check fail fake-address"]),
        case("169.254.3.7", &V1_6, &["check fail link-local-address"]),
        case("203.0.113.7", &NEWEST, &["check fail nobodys-address"]),
        case("localhost:1883", &NEWEST, &["check fail loopback"]),
        case(
            "127.0.1.1:1883/",
            &NEWEST,
            &["check fail loopback", "check warn mqtt-mute"],
        ),
        case(
            "172.17.0.2:1883",
            &NEWEST,
            &["check fail container-address"],
        ),
        case("broker:1883", &NEWEST, &["check warn short-name"]),
        case(
            "mqtt.example.com:99999999999",
            &NEWEST,
            &["check fail mqtt-aborts"],
        ),
    ]);
}
