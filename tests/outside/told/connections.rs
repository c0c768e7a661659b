//! Connections on which no request came that could be answered.

use crate::proxy::talk;
use crate::support::server::exchange;
use crate::support::{Server, event, until};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

/// One limit short, the others long.
fn with_short(limit: &str) -> Server {
    let mut limits = vec!["handshake: 1h", "headers: 1h", "idle: 1h", "drain: 1h"];
    let (name, _) = limit.split_once(':').unwrap();
    limits.retain(|long| !long.starts_with(name));
    limits.push(limit);
    Server::start(
        &format!("gateway:\n  limits: {{{}}}\n", limits.join(", ")),
        &[],
    )
}

/// Sends bytes, no more of them, and reads all that comes.
pub(super) fn sent(mut stream: TcpStream, bytes: &[u8]) -> String {
    // It may be closed before all is sent.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8_lossy(&reply).into_owned()
}

/// Sends bytes to a server that logs for developers, and waits until it is done with them:
/// what it says of a connection stands in front of that line.
pub(super) fn answered(server: &Server, stream: TcpStream, bytes: &[u8]) -> String {
    let own = stream.local_addr().unwrap().to_string();
    sent(stream, bytes);
    let is_own = |line: &String| {
        line.contains("connection ended early")
            && event::field(line, "peer").as_deref() == Some(&*own)
    };
    until("the end of a connection", || {
        server.log().into_iter().find(is_own)
    });
    own
}

pub(super) const DEBUG: &str = "log: {log_level: DEBUG}\n";
const V1: &[u8] = b"PROXY TCP4 203.0.113.7 127.0.0.1 56324 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x7f\0\0\x01\xdc\x04\x01\xbb";
const ASK: &[u8] = b"GET /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

#[test]
fn a_proxy_header_where_none_is_awaited_is_named_with_the_setting() {
    for (header, version) in [
        (V1, "1"),
        (V2, "2"),
        (b"PROXY UNKNOWN\r\n", "1"),
        (b"proxy tcp4 203.0.113.7 127.0.0.1 56324 443\r\n", "1"),
        (b"PROXY TCP6 2001:db8::7 ::1 56324 443\r\n", "1"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "2"),
    ] {
        // With a request, with TLS, and with nothing behind it.
        for behind in [ASK, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b""] {
            let server = Server::start(DEBUG, &[]);
            let (port, setting) = (server.ports[0].to_string(), "proxy_protocol: true}]");
            answered(&server, server.tcp(), &[header, behind].concat());
            answered(&server, server.tcp(), &[header, behind].concat());
            let fields = [("version", version), ("port", &*port)];
            let line = server.event("proxy-header.unexpected", &fields);
            assert!(
                line.contains(&format!("gateway.ports: [{{port: {port}, {setting}")),
                "{line}"
            );
            assert_eq!(server.events("request.unreadable", &[]), [""; 0]);
            assert_eq!(server.events("proxy-header.unexpected", &[]).len(), 1);
        }
    }
    // In pieces that never become whole.
    let server = with_short("headers: 300ms");
    until("a header in pieces", || {
        let mut stream = server.tcp();
        stream.write_all(b"PROXY TCP4 203.0").ok()?;
        let _ = stream.read(&mut [0]);
        let fields = [("version", "1")];
        server.events("proxy-header.unexpected", &fields).pop()
    });
    // Two proxies in a row.
    let config = "gateway:\n  ip: 127.0.0.1\n  ports: [{port: 0, proxy_protocol: true}]\n";
    for (second, version) in [(V1, "1"), (V2, "2")] {
        let server = Server::start(config, &[]);
        let port = server.ports[0].to_string();
        sent(server.tcp(), &[V1, second, ASK].concat());
        server.event(
            "proxy-header.twice",
            &[("version", version), ("port", &port)],
        );
    }
    // The other way round each reason is said, whatever was said of that address before: a
    // health check is silent, and must not hide the fault of what stands there.
    let server = Server::start(&format!("{config}  limits: {{headers: 300ms}}\n"), &[]);
    let silent = server.tcp();
    server.event("proxy-header.late", &[]);
    drop(silent);
    for (bytes, why) in [
        (ASK, "proxy-header.missing"),
        (b"PROXY TCP4 x\r\n", "proxy-header.line"),
    ] {
        until(why, || {
            sent(server.tcp(), bytes);
            server.events("proxy-header.faulty", &[("why", why)]).pop()
        });
    }
}

#[test]
fn lines_that_end_with_lf_alone_are_read() {
    let server = Server::start("", &[]);
    let reply = talk(
        &server,
        b"GET /xiaozhi/ota/ HTTP/1.1\nHost: h\nConnection: close\n\n",
    );
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    server.settle();
    assert!(server.events_of("request.", &[]).is_empty());
}

#[test]
fn what_never_comes_is_named_with_how_much_came() {
    let server = with_short("headers: 300ms");
    let silent = server.tcp();
    let own = silent.local_addr().unwrap().to_string();
    server.event("request.silent", &[("peer", &own), ("limit", "300ms")]);
    let begun = b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\n";
    assert_eq!(begun.len(), 38);
    // Where this thread is kept waiting it is silent for too long, and tries again.
    let mut tried = Vec::new();
    let line = until("a head that is late", || {
        let mut stream = server.tcp();
        tried.push(stream.local_addr().unwrap().to_string());
        stream.write_all(begun).ok()?;
        let _ = stream.read(&mut [0]);
        let fields = [("limit", "300ms"), ("bytes", "38")];
        server.events("request.late", &fields).pop()
    });
    assert!(tried.contains(&event::field(&line, "peer").unwrap()));
    assert!(line.contains("POST /xiaozhi/ota/"), "{line}");
    // TLS, and nothing in it.
    let server = with_short("headers: 300ms");
    let _tls = until("a handshake", || {
        let mut tls = server.tls("localhost", None);
        tls.conn.complete_io(&mut tls.sock).ok()?;
        Some(tls)
    });
    server.event("request.silent", &[("limit", "300ms")]);
    // Who is idle between two requests is not told of.
    let server = with_short("headers: 3s");
    let mut stream = server.tcp();
    exchange(
        &mut stream,
        b"GET /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    // Nor who only looks whether the port is open.
    drop(server.tcp());
    server.settle();
    assert!(
        server.events_of("request.", &[]).is_empty(),
        "{:#?}",
        server.log()
    );
}

/// The head of a check-in.
fn head(device: &str, more: &str) -> String {
    format!(
        "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nDevice-Id: {device}\r\nClient-Id: c\r\n{more}\r\n\r\n"
    )
}

#[test]
fn a_body_that_never_comes_is_named_with_its_device() {
    let server = with_short("idle: 500ms");
    let mut streams = Vec::new();
    for (device, more, body, bytes, of) in [
        ("a1", "Content-Length: 100", "{", "1", Some("100")),
        ("a2", "Content-Length: 100", "", "0", Some("100")),
        (
            "a3",
            "Content-Length: 100\r\nExpect: 100-continue",
            "",
            "0",
            Some("100"),
        ),
        (
            "a4",
            "Transfer-Encoding: chunked",
            "3\r\nabc\r\n",
            "3",
            None,
        ),
    ] {
        let mut stream = server.tcp();
        stream
            .write_all(format!("{}{body}", head(device, more)).as_bytes())
            .unwrap();
        let mut fields = vec![("device", device), ("limit", "500ms"), ("bytes", bytes)];
        fields.extend(of.map(|of| ("of", of)));
        server.event("check-in.too-slow", &fields);
        streams.push(stream);
    }
}

#[test]
fn a_body_that_breaks_or_cannot_be_read_is_named_with_its_device() {
    let server = Server::start("", &[]);
    for (device, more, body, kind, fields) in [
        (
            "b1",
            "Content-Length: 100",
            "{}",
            "check-in.cut",
            [("bytes", "2"), ("of", "100")],
        ),
        (
            "b2",
            "Transfer-Encoding: chunked",
            "3\r\nabc\r\n",
            "check-in.cut",
            [("bytes", "3"); 2],
        ),
        (
            "b3",
            "Transfer-Encoding: chunked",
            "3\r\nabcX\r\n0\r\n\r\n",
            "check-in.chunks",
            [("bytes", "3"); 2],
        ),
        (
            "b4",
            "Transfer-Encoding: chunked",
            "zz\r\n",
            "check-in.chunks",
            [("bytes", "0"); 2],
        ),
        (
            "b5",
            "Content-Length: 100000",
            "",
            "check-in.too-big",
            [("of", "100000"), ("limit", "65536")],
        ),
        (
            "b6",
            "Content-Encoding: gzip\r\nContent-Length: 10",
            "\x1f\u{8b}\x08aaaaaa",
            "check-in.encoded",
            [("coding", "gzip"); 2],
        ),
        (
            "b7",
            "Content-Encoding: deflate\r\nContent-Length: 3",
            "x\u{1}b",
            "check-in.encoded",
            [("coding", "deflate"); 2],
        ),
    ] {
        for _ in 0..2 {
            let reply = sent(
                server.tcp(),
                format!("{}{body}", head(device, more)).as_bytes(),
            );
            assert!(!reply.is_empty(), "{device}");
        }
        server.event(kind, &[[("device", device)].as_slice(), &fields].concat());
        server.settle();
        assert_eq!(
            server.events(kind, &[("device", device)]).len(),
            1,
            "{device}"
        );
    }
    // What is announced as it is needs no word.
    let plain = format!(
        "{}{{}}",
        head("b8", "Content-Encoding: identity\r\nContent-Length: 2")
    );
    sent(server.tcp(), plain.as_bytes());
    server.event("check-in", &[("device", "b8")]);
    server.settle();
    assert!(
        server
            .events("check-in.encoded", &[("device", "b8")])
            .is_empty()
    );
}
