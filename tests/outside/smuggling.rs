//! Requests that two servers in a row might read in two ways: refused, or
//! written anew so that there is one way only.

use super::proxy::{fine, start, talk};
use super::support::Reply;
use super::support::backend::Backend;

/// What a backend might take for two requests, or for another's.
#[test]
fn nothing_is_smuggled() {
    let backend = Backend::answering(fine);
    let server = start(backend.address, "");
    let line = "POST /x/a HTTP/1.1\r\nHost: h\r\n";
    let inner = "GET /x/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let refused = [
        format!("{line}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"),
        format!("{line}Content-Length: 4, 5\r\n\r\nabcde"),
        format!("{line}Content-Length: +4\r\n\r\nabcd"),
        format!("{line}Content-Length: 0x4\r\n\r\nabcd"),
        format!("{line}Content-Length: -1\r\n\r\n"),
        format!("{line}Content-Length: 99999999999999999999\r\n\r\n"),
        format!("{line}Content-Length : 4\r\n\r\nabcd"),
        format!("{line}Transfer-Encoding: identity\r\n\r\n"),
        format!("{line}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
        format!("{line}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        format!("{line}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        format!("{line}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{line}Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n"),
        format!("{line}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        "POST /x/a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        format!("{line}X-A: b\r\n folded: c\r\n\r\n"),
        format!("{line}X-A: b\r\n\tc\r\n\r\n"),
        format!("{line} X-A: b\r\n\r\n"),
        format!("{line}X-A: b\rX-B: c\r\n\r\n"),
        format!("{line}X-A: b\0c\r\n\r\n"),
        format!("{line}X A: b\r\n\r\n"),
        format!("{line}Host: other\r\n\r\n"),
        "GET /x/a HTTP/1.1\r\nHost: h/../\r\n\r\n".into(),
        "GET /x/../y HTTP/1.1\r\nHost: h\r\n\r\n".into(),
        "GET /x/%2e%2e/y HTTP/1.1\r\nHost: h\r\n\r\n".into(),
        "GET /x/%2e%2e%5cy HTTP/1.1\r\nHost: h\r\n\r\n".into(),
        "GET /x/a b HTTP/1.1\r\nHost: h\r\n\r\n".into(),
        "GET  /x/a HTTP/1.1\r\nHost: h\r\n\r\n".into(),
        "GET /x/a HTTP/1.2\r\nHost: h\r\n\r\n".into(),
        "GET /x/a\r\n\r\n".into(),
        format!("GET /x/a HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(17_000)),
        format!("GET /x/a?{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(17_000)),
        format!("GET /x/a HTTP/1.1\r\nHost: h\r\n{}\r\n", "X: y\r\n".repeat(200)),
        "GET /x/a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nabcd".into(),
    ];
    for attack in &refused {
        let attack = format!("{attack}{inner}");
        let reply = talk(&server, attack.as_bytes());
        let status = reply.get(9..12).unwrap_or_default();
        assert!(
            ["400", "431", "414", "501"].contains(&status),
            "{attack:?}: {reply}"
        );
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{attack:?}: {reply}");
        assert_eq!(backend.seen().len(), 0, "{attack:?}: {:#?}", backend.seen());
    }
    // HTTP/2 without TLS is not even answered.
    assert_eq!(talk(&server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "");
    // What is refused late, since only its body is wrong.
    for body in [
        "4\nabcd\r\n",
        "4\r\nabcdX\r\n",
        "zz\r\n",
        "-1\r\n",
        "ffffffffffffffffff\r\n",
        "4;a\nb\r\nabcd\r\n",
    ] {
        let before = backend.seen().len();
        let attack = format!("{line}Transfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n{inner}");
        let reply = talk(&server, attack.as_bytes());
        for seen in &backend.seen()[before..] {
            assert!(
                seen.line().starts_with("POST /x/a"),
                "{body:?}: {}",
                seen.head
            );
        }
        assert!(reply.starts_with("HTTP/1.1 400"), "{body:?}: {reply}");
    }
}

#[test]
fn this_is_nobodys_way_to_somewhere_else() {
    let backend = Backend::answering(fine);
    let server = start(backend.address, "");
    for target in [
        "example.com:443",
        "/x/a",
        "/xiaozhi/ota/",
        "*",
        "http://h/x/a",
    ] {
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let reply = talk(&server, request.as_bytes());
        let status = reply.get(9..12).unwrap_or_default();
        assert!(["405", "400"].contains(&status), "{target}: {reply}");
    }
    assert_eq!(backend.seen().len(), 0);
}

#[test]
fn what_can_be_read_in_one_way_only_is_written_so() {
    let backend = Backend::answering(fine);
    let server = start(backend.address, "");
    for (attack, line, host, body) in [
        (
            "POST /x/a HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
            "POST /x/a HTTP/1.1",
            "h",
            "abcd",
        ),
        (
            "POST /x/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
            "POST /x/a HTTP/1.1",
            "h",
            "abcd",
        ),
        (
            "POST /x/a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd",
            "POST /x/a HTTP/1.1",
            "h",
            "abcd",
        ),
        (
            "POST /x/a HTTP/1.1\nHost: h\nContent-Length: 4\nConnection: close\n\nabcd",
            "POST /x/a HTTP/1.1",
            "h",
            "abcd",
        ),
        (
            "POST /x/a HTTP/1.1\r\nHost: h\r\nConnection: close, content-length\r\nContent-Length: 4\r\n\r\nabcd",
            "POST /x/a HTTP/1.1",
            "h",
            "abcd",
        ),
        (
            "GET http://evil.example:1/x/a?b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "GET /x/a?b HTTP/1.1",
            "evil.example:1",
            "",
        ),
        (
            "GET /x/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n4\r\nabcd\r\n0\r\nX-Real-IP: 1.1.1.1\r\n\r\n",
            "GET /x/a HTTP/1.1",
            "h",
            "abcd",
        ),
        ("GET /x/a HTTP/1.0\r\n\r\n", "GET /x/a HTTP/1.1", "", ""),
        (
            "GET /x/a HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\r\n",
            "GET /x/a HTTP/1.1",
            "h",
            "",
        ),
    ] {
        let before = backend.seen().len();
        let reply = talk(&server, attack.as_bytes());
        assert!(reply.contains(" 200 OK\r\n"), "{attack:?}: {reply}");
        let seen = backend.seen();
        assert_eq!(seen.len(), before + 1, "{attack:?}");
        let seen = &seen[before];
        assert_eq!(seen.line(), line, "{attack:?}");
        let own = backend.address.to_string();
        assert_eq!(
            seen.headers("host"),
            [if host.is_empty() { own.as_str() } else { host }]
        );
        assert_eq!(seen.body, body.as_bytes(), "{attack:?}");
        let framings = [
            seen.headers("content-length"),
            seen.headers("transfer-encoding"),
        ]
        .concat();
        assert_eq!(
            framings.len(),
            usize::from(!body.is_empty()),
            "{attack:?}: {}",
            seen.head
        );
        assert!(seen.headers("upgrade").is_empty() && seen.headers("connection").is_empty());
        assert!(
            !seen.head.replace("\r\n", "").contains(['\r', '\n']),
            "{}",
            seen.head
        );
    }
}

/// Where one server in a row goes by the length and the other by the chunks, what stands
/// behind the body is a request to one of them alone: it gets no answer.
#[test]
fn behind_a_body_of_two_lengths_nothing_is_answered() {
    let backend = Backend::answering(fine);
    let server = start(backend.address, "");
    let chunks = "2\r\n{}\r\n0\r\n\r\n";
    let second = "GET /x/smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    let upgrade = "GET /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n";
    for path in ["/xiaozhi/ota/", "/xiaozhi/ota/activate", "/nothing", "/x/a"] {
        for framing in [
            "Content-Length: 12\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 12\r\n",
            "Content-Length: 0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n",
        ] {
            // Behind one after which nobody follows where requests end, too.
            for before in ["", upgrade] {
                let device = "Host: h\r\nDevice-Id: aa:bb\r\nClient-Id: c\r\n";
                let first = format!("POST {path} HTTP/1.1\r\n{device}{framing}\r\n{chunks}");
                let reply = talk(&server, format!("{before}{first}{second}").as_bytes());
                let count = 1 + usize::from(!before.is_empty());
                assert_eq!(
                    reply.matches("HTTP/1.1 ").count(),
                    count,
                    "{first}: {reply}"
                );
                assert_eq!(reply.matches("Connection: close").count(), 1, "{reply}");
            }
        }
    }
    for seen in backend.seen() {
        assert_eq!(seen.line(), "POST /x/a HTTP/1.1");
        assert_eq!(seen.body, b"{}");
    }
}

/// The same on every path, whoever is to answer it: what stands in front may read it
/// otherwise, too.
#[test]
fn no_path_takes_what_can_be_read_in_two_ways() {
    let backend = Backend::answering(fine);
    let server = start(backend.address, "");
    let inner = "GET /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\n\r\n";
    let heads = [
        ("", "400"),
        ("Host: a\r\nHost: b\r\n", "400"),
        ("Host: a\r\nhost: A\r\n", "400"),
        ("Host: a\r\nHost:\r\n", "400"),
        ("Host: a, b\r\n", "400"),
        ("Host: a,b\r\n", "400"),
        ("Host: a b\r\n", "400"),
        ("Host: a\tb\r\n", "400"),
        ("Host: u@a\r\n", "400"),
        ("Host: a/b\r\n", "400"),
        ("Host: http://a\r\n", "400"),
        ("Host : a\r\n", "400"),
        ("Host: a\r\n b\r\n", "400"),
        ("Host: a\r\nTransfer-Encoding: identity, chunked\r\n", "501"),
        ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", "501"),
        ("Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", "501"),
        (
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "501",
        ),
        (
            "Host: a\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
            "501",
        ),
        ("Host: a\r\nTransfer-Encoding: chunked, identity\r\n", "400"),
        (
            "Host: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
            "400",
        ),
    ];
    for line in [
        "POST /xiaozhi/ota/",
        "POST /xiaozhi/ota",
        "GET /xiaozhi/ota/",
        "POST /xiaozhi/ota/activate",
        "GET /xiaozhi/ota/download/a_1.0.bin",
        "OPTIONS /xiaozhi/ota/",
        "GET /.well-known/acme-challenge/t",
        "GET /nothing",
        "POST http://h/xiaozhi/ota/",
        "POST /x/a",
        "GET /mcp/vision/explain",
    ] {
        for (head, status) in heads {
            let device = "Device-Id: aa:bb\r\nClient-Id: c\r\n";
            let attack = format!("{line} HTTP/1.1\r\n{device}{head}\r\n0\r\n\r\n{inner}");
            let reply = talk(&server, attack.as_bytes());
            assert!(
                reply.starts_with(&format!("HTTP/1.1 {status} ")),
                "{attack:?}: {reply}"
            );
            assert_eq!(reply.matches("HTTP/1.").count(), 1, "{attack:?}: {reply}");
            // What hyper itself refuses has no body.
            let said = Reply::parse(reply.as_bytes(), false);
            if !said.body.is_empty() {
                said.hold_to_contract(&attack);
                assert_eq!(said.header("Connection"), Some("close"), "{attack:?}");
            }
        }
    }
    assert_eq!(backend.seen().len(), 0);
    let error = ("error", "there is no Host header");
    server.event("request.refused", &[error, ("device", "aa:bb")]);
    // What devices and old clients send stays served.
    for (head, version) in [
        ("", "1.0"),
        ("Host:\r\n", "1.1"),
        ("Host:\r\n", "1.0"),
        ("Host: [2001:db8::1]:8003\r\n", "1.1"),
        ("Host: a_b.lan:8003\r\n", "1.1"),
        ("Host: \u{5c0f}\u{667a}.lan\r\n", "1.1"),
        ("hOsT:\t h \r\n", "1.1"),
        (
            "Host: h\r\nContent-Length: 2\r\nContent-Length: 2\r\n",
            "1.1",
        ),
    ] {
        let head = format!("{head}Device-Id: d\r\nClient-Id: c\r\nConnection: close\r\n");
        let length = if head.contains("Content-Length") {
            ""
        } else {
            "Content-Length: 2\r\n"
        };
        let request = format!("POST /xiaozhi/ota/ HTTP/{version}\r\n{head}{length}\r\n{{}}");
        let reply = talk(&server, request.as_bytes());
        assert!(reply.contains(" 200 OK\r\n"), "{request:?}: {reply}");
    }
}
