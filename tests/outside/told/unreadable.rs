//! What comes on a connection and is no request that can be read.

use super::connections::{DEBUG, answered, sent};
use crate::behind_proxy::connect;
use crate::support::server::exchange;
use crate::support::{Server, event};
use std::io::Write;

/// Addresses that hyper does not take.
const ADDRESSES: [&str; 8] = [
    "/xiaozhi/\x01ota/",
    "xiaozhi/ota/",
    "\\xiaozhi\\ota",
    "http:///xiaozhi/ota/",
    "/xiaozhi/ota/>",
    "/xiaozhi/ota/`",
    "http://",
    "／xiaozhi／ota／",
];

/// How clients of other protocols begin.
fn foreign() -> Vec<(&'static [u8], &'static str)> {
    vec![
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "request.http2"),
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0",
            "request.http2",
        ),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "request.foreign"),
        (b"*1\r\n$4\r\nPING\r\n", "request.foreign"),
        (b"PING\r\n", "request.foreign"),
        (
            b"\x10\x1a\0\x04MQTT\x04\x02\0\x3c\0\x0eclient",
            "request.mqtt",
        ),
        (b"\x05\x01\0", "request.foreign"),
        (
            b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
            "request.foreign",
        ),
        (
            b"OPTIONS rtsp://h/x RTSP/1.0\r\nCSeq: 1\r\n\r\n",
            "request.foreign",
        ),
        (
            b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm\r\n\r\n",
            "request.foreign",
        ),
        (b"EHLO h\r\n", "request.foreign"),
        (b"ehlo h\r\n", "request.foreign"),
        (b"MAIL FROM:<a@b>\r\n", "request.foreign"),
        (b"USER root\r\n", "request.foreign"),
        (b"PASS hush\r\n", "request.foreign"),
        (b"NICK foo\r\n", "request.foreign"),
        (b"AUTH hush\r\n", "request.foreign"),
        (b"a1 LOGIN me hush\r\n", "request.foreign"),
        (b"RFB 003.008\n", "request.foreign"),
        (b"ICY 200 OK\r\n\r\n", "request.foreign"),
        (b"<stream:stream>\r\n", "request.foreign"),
        (b"\xff\xfb\x18\xff\xfb\x1f\r\n", "request.foreign"),
        (
            b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0",
            "request.foreign",
        ),
        (b"\0\0\0\x08\x04\xd2\x16\x2f", "request.foreign"),
        (b"\0\0\0\x29\0\x03\0\0user\0root\0\0", "request.foreign"),
        (b"\xc0\0", "request.mqtt"),
        (
            b"{\"application\":{\"version\":\"1.0\"}}",
            "request.foreign",
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n", "request.foreign"),
    ]
}

/// What no parser takes, and why.
fn unreadable() -> Vec<(Vec<u8>, &'static str)> {
    let many = "X: y\r\n".repeat(150);
    let long = "y".repeat(17_000);
    let own: Vec<(&[u8], &str)> = vec![
        (b"\0\x01\x02\x03\xff\xfe\r\n\r\n", "request.no-http"),
        (b"hello\r\n\r\n", "request.no-http"),
        ("你好\r\n\r\n".as_bytes(), "request.no-http"),
        (b"GET /x\r\n\r\n", "request.no-version"),
        (b"GET /x HTTP/1.2\r\nHost: h\r\n\r\n", "request.version"),
        (b"GET /x HTTP/3\r\n\r\n", "request.version"),
        (b"GET /x http/1.1\r\n\r\n", "request.version"),
        (b"GET /x HTP/1.1\r\n\r\n", "request.version"),
        (
            b" POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\n\r\n",
            "request.indented",
        ),
        (
            b"POST /xiaozhi /ota/ HTTP/1.1\r\nHost: h\r\n\r\n",
            "request.blank",
        ),
        (
            b"POST /xiaozhi/ota/ /activate HTTP/1.1\r\nHost: h\r\n\r\n",
            "request.blank",
        ),
        (
            b"POST /xiaozhi/ota/\xa1\xa3 HTTP/1.1\r\nHost: h\r\n\r\n",
            "request.line",
        ),
        (b"GET /x HTTP/1.1\r\nHost : h\r\n\r\n", "request.header"),
        (
            b"GET /x HTTP/1.1\r\nX: a\r\n folded\r\n\r\n",
            "request.header",
        ),
        (b"GET /x HTTP/1.1\r\nX: a\rY: b\r\n\r\n", "request.header"),
        (b"GET /x HTTP/1.1\r\nX: a\0b\r\n\r\n", "request.header"),
        (
            b"POST /x HTTP/1.1\r\nContent-Length: abc\r\n\r\n",
            "request.header",
        ),
        (
            b"POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "request.header",
        ),
        (
            b"POST /x HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            "request.header",
        ),
        (
            b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "request.header",
        ),
        (b"GET /x HTTP/1.1\r\nHost: h\r\n", "request.cut"),
        (b"POST /xiaozhi/o", "request.cut"),
        (b"G", "request.cut"),
    ];
    let rows = own.into_iter().chain(foreign());
    let mut rows: Vec<_> = rows.map(|(bytes, why)| (bytes.to_vec(), why)).collect();
    for address in ADDRESSES {
        let head = format!("POST {address} HTTP/1.1\r\nHost: h\r\n\r\n");
        rows.push((head.into_bytes(), "request.line"));
    }
    for (head, why) in [
        (
            format!("GET /x HTTP/1.1\r\nCookie: {long}\r\n\r\n"),
            "request.too-long",
        ),
        (format!("GET /{long} HTTP/1.1\r\n\r\n"), "request.too-long"),
        (format!("GET /x HTTP/1.1\r\n{many}\r\n"), "request.too-many"),
    ] {
        rows.push((head.into_bytes(), why));
    }
    rows
}

/// The lines that tell of what came from an address.
fn told(server: &Server, address: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = address;
    let peer = format!(" peer={a}.{b}.{c}.{d}:");
    let mut lines = server.events("request.unreadable", &[]);
    lines.retain(|line| line.contains(&peer));
    lines
}

#[test]
fn what_is_no_request_is_named_with_its_peer_and_why() {
    let server = Server::start(DEBUG, &[]);
    for (number, (bytes, why)) in unreadable().into_iter().enumerate() {
        // Each from an address of its own, for it is told once an hour for each client.
        let from = [127, 0, 6, u8::try_from(number + 1).unwrap()];
        let send = || answered(&server, connect(from, server.address()), &bytes);
        let own = send();
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let line = told(&server, from).pop();
        let line = line.unwrap_or_else(|| panic!("{why}: {shown:?}"));
        assert_eq!(
            event::field(&line, "why").as_deref(),
            Some(why),
            "{shown:?}: {line}"
        );
        assert_eq!(event::field(&line, "peer"), Some(own), "{shown:?}: {line}");
        assert!(!line.contains("hush"), "{line}");
        send();
        assert_eq!(told(&server, from).len(), 1, "{shown:?}");
    }
    // TLS inside TLS, and on a connection that had a request before.
    let server = Server::start("", &[]);
    let mut tls = server.tls("localhost", None);
    tls.write_all(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03")
        .unwrap();
    server.event("request.unreadable", &[("why", "request.tls")]);
    let mut stream = server.tcp();
    exchange(
        &mut stream,
        b"GET /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    exchange(&mut stream, b"GET /secret?token=hush HTTP/7\r\n\r\n");
    let line = server.event("request.unreadable", &[("why", "request.version")]);
    assert!(line.contains("/secret") && !line.contains("hush"), "{line}");
}

/// Behind one router there are many.
#[test]
fn each_device_is_named_with_what_to_type() {
    let url = "https://ota.example.com/xiaozhi/ota/";
    let server = Server::start(&format!("server: {{ota: '{url}'}}\n"), &[]);
    for (device, address, header, why) in [
        ("d1", "/xiaozhi/ota/<x>", "A: b", "request.line"),
        ("d2", "/xiaozhi/ota/<x>", "A: b", "request.line"),
        ("d3", "\\xiaozhi\\ota", "A: b", "request.line"),
        ("d4", "/xiaozhi/ota/ x", "A: b", "request.blank"),
        ("d5", " /xiaozhi/ota/", "A: b", "request.spaced"),
        ("d6", "/xiaozhi/ota/", "A : b", "request.header"),
        (
            "d7",
            "/xiaozhi/ota/",
            &format!("A: {}", "b".repeat(20_000)),
            "request.too-long",
        ),
    ] {
        let head = format!(
            "POST {address} HTTP/1.1\r\nHost: h\r\nDevice-Id: {device}\r\n{header}\r\n\r\n"
        );
        for _ in 0..2 {
            sent(server.tcp(), head.as_bytes());
        }
        let fields = [("device", device), ("why", why), ("url", url)];
        server.event("request.unreadable", &fields);
        server.settle();
        assert_eq!(
            server
                .events("request.unreadable", &[("device", device)])
                .len(),
            1
        );
    }
}

/// A header of a proxy that was cut off is one all the same.
#[test]
fn a_proxy_header_that_is_cut_is_none_of_http() {
    let server = Server::start(DEBUG, &[]);
    for (number, (bytes, version)) in [
        (&b"PROX"[..], "1"),
        (b"PROXY TC", "1"),
        (b"\r\n\r\n\0\r\nQU", "2"),
    ]
    .into_iter()
    .enumerate()
    {
        let from = [127, 0, 7, u8::try_from(number + 1).unwrap()];
        let own = answered(&server, connect(from, server.address()), bytes);
        let fields = [("peer", &*own), ("version", version)];
        server.event("proxy-header.unexpected", &fields);
    }
}
