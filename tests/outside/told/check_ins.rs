//! Check-ins whose body is lost or is none, and those that come as they no longer may.

use super::connections::sent;
use crate::behind_proxy::connect;
use crate::support::server::{check_in, exchange, request};
use crate::support::{Reply, Server};

const REPORT: &str = r#"{"application":{"version":"1.0"},"board":{"type":"x"}}"#;

/// A check-in with these lines at the end of its head.
fn checks_in(device: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nDevice-Id: {device}\r\nClient-Id: c\r\n{lines}\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn a_device_whose_body_is_lost_gets_no_other_boards_firmware() {
    let server = Server::start("", &["default_9.0.bin"]);
    for (device, lines, body) in [
        ("n1", "", &b""[..]),
        ("n2", "Content-Length: 0\r\n", b""),
        ("n3", "Content-Length: 3\r\n", b" \r\n"),
        ("n4", "Content-Length: 3\r\n", "\u{feff}".as_bytes()),
        ("n5", "Transfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        ("n6", "", REPORT.as_bytes()),
    ] {
        for _ in 0..2 {
            let reply = sent(server.tcp(), &checks_in(device, lines, body));
            assert!(reply.starts_with("HTTP/1.1 200"), "{device}: {reply}");
            assert!(reply.contains(r#""url":"""#), "{device}: {reply}");
        }
        server.event("check-in.no-body", &[("device", device)]);
        server.settle();
        let lines = server.events("check-in.no-body", &[("device", device)]);
        assert_eq!(lines.len(), 1, "{device}");
    }
    // What was taken for the next request is named as what it is, by its device.
    let unannounced = [("why", "request.unannounced-body"), ("device", "n6")];
    server.event("request.unreadable", &unannounced);
    assert_eq!(server.events("request.unreadable", &[]).len(), 1);
    // Also where it comes a moment later.
    let mut stream = server.tcp();
    exchange(&mut stream, &checks_in("n7", "", b""));
    sent(stream, REPORT.as_bytes());
    let unannounced = [("why", "request.unannounced-body"), ("device", "n7")];
    server.event("request.unreadable", &unannounced);
    // A board that a header names keeps its own.
    let server = Server::start("", &["x_9.0.bin", "default_9.0.bin"]);
    let reply = sent(server.tcp(), &checks_in("n8", "Device-Model: x\r\n", b""));
    assert!(reply.contains("/x_9.0.bin"), "{reply}");
    server.event("check-in.no-body", &[("device", "n8")]);
}

#[test]
fn a_body_that_is_no_json_is_named_once_as_what_it_is() {
    let server = Server::start("", &["default_9.0.bin"]);
    let utf16: Vec<u8> = REPORT.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (device, lines, body, kind, field) in [
        (
            "j1",
            "",
            &b"\x1f\x8b\x08\0\0"[..],
            "check-in.no-json",
            ("why", "compressed"),
        ),
        (
            "j2",
            "",
            b"version=1.0&board=x",
            "check-in.no-json",
            ("why", "a form"),
        ),
        ("j3", "", b"[1, 2]", "check-in.no-json", ("why", "a list")),
        ("j4", "", &utf16, "check-in.no-json", ("why", "UTF-16")),
        (
            "j5",
            "",
            b"<html></html>",
            "check-in.no-json",
            ("why", "a web page"),
        ),
        ("j6", "", b"x", "check-in.no-json", ("why", "begin with {")),
        (
            "j7",
            "",
            &REPORT.as_bytes()[..20],
            "check-in.no-json",
            ("why", "before it is whole"),
        ),
        (
            "j8",
            "Content-Encoding: gzip\r\n",
            b"\x1f\x8b\x08\0\0",
            "check-in.encoded",
            ("coding", "gzip"),
        ),
        (
            "j9",
            "Content-Encoding: gzip\r\n",
            br#"{"board":{"type":"x","ssid":"a"b"}}"#,
            "check-in.no-json",
            ("why", "the Wi-Fi's name"),
        ),
    ] {
        let lines = format!("{lines}Content-Length: {}\r\n", body.len());
        for _ in 0..3 {
            sent(server.tcp(), &checks_in(device, &lines, body));
        }
        server.event(kind, &[("device", device), field]);
        server.settle();
        let said = server.events_of("check-in.", &[("device", device)]);
        assert_eq!(said.len(), 1, "{said:#?}");
    }
}

#[test]
fn who_is_refused_over_plain_http_is_named_with_the_address() {
    const HTTPS: &str = "server: {ota: 'https://ota.example.com/xiaozhi/ota/', websocket: 'wss://ota.example.com/xiaozhi/v1/'}\n";
    let file = "/xiaozhi/ota/download/x_9.0.bin";
    for end in ["false", "2020-01-01"] {
        // A device's download names none.
        let config = format!("{HTTPS}gateway:\n  http_fallback: {end}\n");
        let server = Server::start(&config, &["x_9.0.bin"]);
        for _ in 0..2 {
            assert_eq!(
                server.send("http", &request("GET", file, &[], b"")).status,
                403
            );
        }
        let fields = [
            ("path", file),
            ("url", "https://ota.example.com/xiaozhi/ota/"),
        ];
        server.event("plain-http.refused", &fields);
        assert_eq!(server.send("http", &check_in("x", "1.0")).status, 403);
        let device = [("device", "aa:bb:cc:dd:ee:ff"), fields[1]];
        server.event("plain-http.refused", &device);
        assert_eq!(server.events_of("plain-http.", &[]).len(), 2);
    }
    // Of a proxy that is believed in nothing, nobody sees how who comes by it came.
    let config = format!("{HTTPS}gateway:\n  behind_proxy: true\n  http_fallback: false\n");
    let server = Server::start(&config, &["x_9.0.bin"]);
    for (from, bytes) in [
        ([127, 0, 0, 1], check_in("x", "1.0")),
        ([127, 0, 0, 2], request("GET", file, &[], b"")),
    ] {
        let reply: Reply = exchange(&mut connect(from, server.address()), &bytes);
        assert_eq!(reply.status, 403);
        let [a, b, c, d] = from;
        let peer = format!("{a}.{b}.{c}.{d}");
        let setting = format!("gateway.behind_proxy: [{peer}]");
        let fields = [("peer", &*peer), ("setting", &*setting)];
        server.event("plain-http.untold", &fields);
    }
}

#[test]
fn a_download_names_its_device_where_it_says_who_it_is() {
    let server = Server::start(
        "server: {ota: 'http://h.example/xiaozhi/ota/'}\n",
        &["x_9.0.bin"],
    );
    let ask = request(
        "GET",
        "/xiaozhi/ota/download/x_9.0.bin",
        &[("Device-Id", "dd:01")],
        b"",
    );
    assert_eq!(server.send("http", &ask).status, 200);
    server.event(
        "download.sent",
        &[("device", "dd:01"), ("file", "x_9.0.bin")],
    );
    // And an offer the setting that gives its address, where the guide's words name another.
    assert!(server.offered("x", "1.0").is_some());
    server.event("offer", &[("setting", "server.ota")]);
}

/// Its headers may be what a proxy takes away.
#[test]
fn a_report_at_a_wrong_path_is_known_by_itself() {
    let server = Server::start("server: {ota: 'http://h.example/xiaozhi/ota/'}\n", &[]);
    let json = [("Content-Type", "application/json")];
    // The report comes last: what is told once an hour is not used up.
    for body in ["{}", r#"{"query":"x"}"#, REPORT] {
        let sent = request("POST", "/wrong", &json, body.as_bytes());
        assert_eq!(server.send("http", &sent).status, 404);
    }
    let fields = [
        ("path", "/wrong"),
        ("missing", "Device-Id"),
        ("url", "http://h.example/xiaozhi/ota/"),
    ];
    server.event("path.unknown", &fields);
    let agent = [("User-Agent", "ESP32HTTPClient")];
    server.send("http", &request("POST", "/wrong", &agent, b"x"));
    server.event("path.agent", &[("agent", "ESP32HTTPClient")]);
    assert_eq!(server.events_of("path.", &[]).len(), 2);
}
