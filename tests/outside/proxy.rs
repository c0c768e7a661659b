//! HTTP that goes on to a server behind this one: what that sees, what comes
//! back, and what happens when either side does not do as it should.

use super::support::backend::{Backend, Request};
use super::support::server::{BINARY, Setup, exchange, read_reply, request};
use super::support::{Reserved, Server, noise, until};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

pub(super) const VISION: &str = "/mcp/vision/explain";

/// With vision and `/x/` at `backend`, and further lines of `gateway.proxy`.
pub(super) fn start(backend: SocketAddr, more: &str) -> Server {
    start_with(backend, more, "")
}

fn start_with(backend: SocketAddr, proxy: &str, gateway: &str) -> Server {
    Setup::new().start(&format!(
        "server: {{ota: 'http://127.0.0.1:8003/xiaozhi/ota/'}}\ngateway:\n  {gateway}\n  proxy:\n    \
         vision: http://{backend}\n    routes: {{/x/: 'http://{backend}'}}\n    {proxy}\n"
    ))
}

/// All that comes in answer to a request, to the connection's end.
pub(super) fn talk(server: &Server, request: &[u8]) -> String {
    let mut stream = server.tcp();
    stream.write_all(request).unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8(reply).unwrap()
}

pub(super) fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[("Connection", "close")], b"")
}

pub(super) fn fine(_: &Request) -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n".to_vec()
}

pub(super) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend(format!("{:x}\r\n", chunk.len()).bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

pub(super) const POST_CHUNKS: &str = "POST /mcp/vision/explain?a=%2F&b HTTP/1.1\r\nHost: d.example:8003\r\n\
    Device-Id: aa:bb\r\nClient-Id: c-1\r\nAuthorization: Bearer t\r\n\
    Content-Type: multipart/form-data; boundary=B\r\nTransfer-Encoding: chunked\r\n\
    Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\n\
    X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 203.0.113.7\r\n\
    X-Forwarded-Host: evil\r\nForwarded: for=203.0.113.7\r\n\r\n";

#[test]
fn a_request_arrives_as_it_was_and_the_truth_about_its_client_with_it() {
    let backend = Backend::answering(fine);
    let server = start(backend.address, "");
    let body = noise(3000, 1);
    let all = [POST_CHUNKS.as_bytes(), &chunked(&body, 700)].concat();
    for scheme in ["http", "https"] {
        let reply = server.send(scheme, &all);
        reply.hold_to_contract(scheme);
        assert_eq!((reply.status, reply.text()), (200, "fine\n"));
        let seen = backend.last();
        assert_eq!(
            seen.line(),
            "POST /mcp/vision/explain?a=%2F&b HTTP/1.1",
            "{}",
            seen.head
        );
        assert_eq!(seen.body, body);
        for (name, value) in [
            ("Host", "d.example:8003"),
            ("Device-Id", "aa:bb"),
            ("Client-Id", "c-1"),
            ("Authorization", "Bearer t"),
            ("Content-Type", "multipart/form-data; boundary=B"),
            ("Transfer-Encoding", "chunked"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Real-IP", "127.0.0.1"),
            ("X-Forwarded-Proto", scheme),
        ] {
            assert_eq!(seen.headers(name), [value], "{name}: {}", seen.head);
        }
        for name in [
            "Connection",
            "X-Hop",
            "Keep-Alive",
            "TE",
            "Proxy-Connection",
            "X-Forwarded-Host",
            "Forwarded",
            "Content-Length",
        ] {
            assert!(seen.headers(name).is_empty(), "{name}: {}", seen.head);
        }
    }
    // With a length, and the other methods; one connection for all of them.
    let mut stream = server.tcp();
    for method in ["POST", "GET", "OPTIONS", "PUT"] {
        let sent = if method == "POST" { &body[..] } else { b"" };
        let reply = exchange(&mut stream, &request(method, VISION, &[], sent));
        assert_eq!((reply.status, backend.last().body == sent), (200, true));
        assert!(backend.last().line().starts_with(method));
    }
}

#[test]
fn what_a_listed_proxy_says_of_its_client_is_passed_on() {
    let backend = Backend::answering(fine);
    let server = start_with(backend.address, "", "behind_proxy: 127.0.0.1");
    let all = [POST_CHUNKS.as_bytes(), &chunked(b"x", 1)].concat();
    assert_eq!(server.send("http", &all).status, 200);
    let seen = backend.last();
    assert_eq!(seen.headers("X-Forwarded-For"), ["203.0.113.7"]);
    assert_eq!(seen.headers("X-Real-IP"), ["203.0.113.7"]);
    assert_eq!(seen.headers("X-Forwarded-Proto"), ["https"]);
}

#[test]
fn replies_get_one_length_or_none() {
    let long = noise(70_000, 2).iter().map(|b| b'a' + b % 26).collect();
    let long = String::from_utf8(long).unwrap();
    let in_chunks = String::from_utf8(chunked(long.as_bytes(), 9000)).unwrap();
    let replies = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: A\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nA: b\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 900\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\n\r\nok".to_owned(),
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close, X-A\r\nX-A: 1\r\n\r\nok".to_owned(),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{in_chunks}"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"e\"\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n".to_owned(),
    ];
    let of_backend = replies.clone();
    let backend = Backend::start(move |connection| {
        if let Some(request) = connection.request() {
            let path = request.line().split(' ').nth(1).unwrap();
            let which: usize = path.rsplit('/').next().unwrap().parse().unwrap();
            connection.send(&of_backend[which]);
        }
    });
    let server = start(backend.address, "");
    for which in 0..replies.len() {
        let reply = talk(&server, &get(&format!("/x/{which}")));
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        let lengths: Vec<_> = head
            .lines()
            .filter(|l| l.to_ascii_lowercase().starts_with("content-length"))
            .collect();
        let shown = format!("{which}: {head}");
        match which {
            0..=5 => assert_eq!(
                (body, &lengths[..]),
                ("ok", &["Content-Length: 2"][..]),
                "{shown}"
            ),
            6 => {
                assert!(
                    head.contains("Transfer-Encoding: chunked") && lengths.is_empty(),
                    "{shown}"
                );
                // What was gathered comes in one chunk, the rest as it comes.
                let mut rest = body;
                let mut got = String::new();
                while let Some((length, more)) = rest.split_once("\r\n") {
                    let length = usize::from_str_radix(length, 16).unwrap();
                    got += &more[..length];
                    rest = &more[length + 2..];
                }
                assert!(got == long, "{shown}");
            }
            7 => assert!(
                body.starts_with("2\r\nok\r\n") && lengths.is_empty(),
                "{shown}"
            ),
            8 | 9 => assert!(body.is_empty() && lengths.is_empty(), "{shown}"),
            _ => assert!(head.contains("Location: /y"), "{shown}"),
        }
        assert!(
            !head.contains("X-A") && !head.contains("Trailer"),
            "{shown}"
        );
        assert!(head.starts_with("HTTP/1.1 "), "{shown}");
    }
}

#[test]
fn a_head_tells_what_a_get_would() {
    let backend = Backend::answering(|request| {
        let length = if request.line().contains("/x/a") {
            "Content-Length: 1234\r\n"
        } else {
            ""
        };
        format!("HTTP/1.1 200 OK\r\n{length}\r\n").into_bytes()
    });
    let server = start(backend.address, "");
    let mut stream = server.tcp();
    for (path, length) in [
        ("/x/a", Some("1234")),
        ("/x/b", None),
        ("/x/a", Some("1234")),
    ] {
        let reply = exchange(&mut stream, &request("HEAD", path, &[], b""));
        assert_eq!(
            (reply.status, reply.header("Content-Length")),
            (200, length)
        );
        assert!(reply.body.is_empty());
    }
}

#[test]
fn a_backend_that_fails_is_named_once_until_it_is_back() {
    let reserved = Reserved::new();
    let address = reserved.address();
    let server = start(address, "");
    for _ in 0..3 {
        let reply = server.get(VISION);
        reply.hold_to_contract("a backend that is down");
        assert_eq!(reply.status, 502);
        assert_eq!(server.check_in("x", "1.0").status, 200);
    }
    let backend = format!("http://{address}");
    let fields = [("backend", &*backend), ("setting", "gateway.proxy.vision")];
    server.event("backend.down", &fields);
    assert_eq!(server.events("backend.down", &[]).len(), 1);
    let backend = Backend::on(reserved.listen(), |connection| {
        while connection.request().is_some() {
            connection.reply("back");
        }
    });
    assert_eq!(backend.address, address);
    for _ in 0..2 {
        assert_eq!(server.get(VISION).text(), "back");
    }
    server.event("backend.back", &fields);
    assert_eq!(server.events("backend.back", &[]).len(), 1);
    assert_eq!(server.events("backend.down", &[]).len(), 1);
}

#[test]
fn a_backend_that_lies_or_sleeps_gets_an_error_in_its_place() {
    let backend = Backend::start(|connection| {
        let Some(request) = connection.request() else {
            return;
        };
        let path = request.line().split(' ').nth(1).unwrap().to_owned();
        match path.as_str() {
            "/x/garbage" => connection.send("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
            "/x/end" => {}
            "/x/half" => connection.send("HTTP/1.1 200 OK\r\nContent-Le"),
            "/x/upgrade" => {
                connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
            }
            "/x/coding" => connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"),
            "/x/lengths" => connection
                .send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
            "/x/chunks" => {
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
            }
            "/x/size" => connection
                .send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n"),
            "/x/head" => connection.send(format!(
                "HTTP/1.1 200 OK\r\nX: {}\r\n\r\n",
                "x".repeat(300_000)
            )),
            "/x/sleep" => connection.ended(),
            "/x/doze" => {
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                connection.ended();
            }
            "/x/short" => connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"),
            other => panic!("{other}"),
        }
    });
    let [patient, hasty] = ["timeout: 1h", "timeout: 700ms"].map(|t| start(backend.address, t));
    for (server, path, status) in [
        (&patient, "/x/garbage", 502),
        (&patient, "/x/end", 502),
        (&patient, "/x/half", 502),
        (&patient, "/x/upgrade", 502),
        (&patient, "/x/coding", 502),
        (&patient, "/x/lengths", 502),
        (&patient, "/x/chunks", 502),
        (&patient, "/x/size", 502),
        (&patient, "/x/head", 502),
        (&hasty, "/x/sleep", 504),
        (&hasty, "/x/doze", 504),
    ] {
        let reply = server.get(path);
        assert_eq!(reply.status, status, "{path}");
        reply.hold_to_contract(path);
    }
    // What was promised cannot be made up: the connection ends in front of it.
    let reply = patient.get("/x/short");
    assert!(reply.status == 200 && !reply.whole);
    for server in [patient, hasty] {
        let lines = server.events("backend.down", &[]).len();
        let back = server.events("backend.back", &[]).len();
        assert!(lines - back <= 1, "{lines} {back}");
    }
}

#[test]
fn a_name_that_leads_nowhere_is_a_502() {
    let server = Setup::new().start(
        "gateway:\n  proxy: {vision: 'http://no-such-host.invalid:8004', websocket: 'http://no-such-host.invalid:8000', timeout: 20s}\n",
    );
    let reply = server.get(VISION);
    assert!(matches!(reply.status, 502 | 504), "{}", reply.status);
    server.event("backend.down", &[]);
    assert_eq!(server.check_in("x", "1.0").status, 200);
}

#[test]
fn connections_are_kept_and_no_request_is_sent_twice_that_changes_something() {
    let backend = Backend::start(|connection| {
        connection.request().unwrap();
        connection.reply("first");
        // The second on a kept connection gets no answer.
        connection.request();
    });
    let server = start(backend.address, "");
    let count = |line: &str| {
        backend
            .seen()
            .iter()
            .filter(|r| r.line().starts_with(line))
            .count()
    };
    // On one connection, whose worker has what is kept before it reads on.
    let ask = |stream: &mut TcpStream, method: &str, path: &str, body: &[u8]| {
        exchange(stream, &request(method, path, &[], body))
    };
    let mut stream = server.tcp();
    assert_eq!(ask(&mut stream, "GET", "/x/1", b"").text(), "first");
    assert_eq!(ask(&mut stream, "POST", "/x/2", b"body").status, 502);
    assert_eq!((count("GET /x/1"), count("POST /x/2")), (1, 1));
    // What changes nothing is asked anew, on a connection of its own.
    let mut stream = server.tcp();
    assert_eq!(ask(&mut stream, "GET", "/x/3", b"").text(), "first");
    assert_eq!(ask(&mut stream, "GET", "/x/4", b"").text(), "first");
    assert_eq!((count("GET /x/3"), count("GET /x/4")), (1, 2));
    assert_eq!(backend.seen().len(), 5);
}

#[test]
fn a_kept_connection_that_has_ended_costs_no_request() {
    let ended = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ended);
    let backend = Backend::start(move |connection| {
        connection.request().unwrap();
        connection.reply("once");
        connection
            .stream
            .shutdown(std::net::Shutdown::Both)
            .unwrap();
        count.fetch_add(1, Ordering::SeqCst);
    });
    let server = start(backend.address, "");
    for n in 1..=20 {
        let reply = server.send("http", &request("POST", "/x/", &[], b"b"));
        assert_eq!((reply.status, reply.text()), (200, "once"), "{n}");
        until("its end", || {
            (ended.load(Ordering::SeqCst) == n).then_some(())
        });
    }
    assert_eq!(backend.seen().len(), 20);
}

#[test]
fn what_is_not_passed_on_is_not_there_and_the_ota_interface_stays_ours() {
    let backend = Backend::answering(fine);
    let server = start(backend.address, "");
    for path in ["/xiaozhi/v1/", "/xx/", "/mcp/vision/explainer", "/x%2F"] {
        assert_eq!(server.get(path).status, 404, "{path}");
    }
    assert_eq!(server.check_in("x", "1.0").status, 200);
    assert_eq!(backend.seen().len(), 0);
    for path in ["/x", "/x/", "/x/%2F?q=/../", VISION] {
        assert_eq!(server.get(path).status, 200, "{path}");
        assert_eq!(backend.last().line(), format!("GET {path} HTTP/1.1"));
    }
}

#[test]
fn what_was_begun_is_finished_when_the_server_stops() {
    let (go, may_go) = channel::<()>();
    let may_go = Mutex::new(may_go);
    let backend = Backend::start(move |connection| {
        if connection.request().is_some() {
            may_go.lock().unwrap().recv().unwrap();
            connection.reply("done");
        }
    });
    let mut server = start(backend.address, "");
    let mut stream = server.tcp();
    stream.write_all(&request("GET", "/x/", &[], b"")).unwrap();
    backend.saw(1);
    server.signal("TERM");
    server.event("stop.asked", &[]);
    go.send(()).unwrap();
    assert_eq!(read_reply(&mut stream, false).text(), "done");
    assert!(server.end().success());
}

#[test]
fn validate_shows_what_goes_where_and_what_does_not() {
    let setup = Setup::new();
    let config = setup.path().join("c.yaml");
    let shown = |text: &str| {
        fs::write(&config, text).unwrap();
        let mut validate = Command::new(BINARY);
        let output = validate
            .arg("validate")
            .arg(&config)
            .current_dir(setup.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{text}");
        String::from_utf8(output.stdout).unwrap()
    };
    let public = "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\ngateway:\n  ports: [8003, 443]\n";
    let text = shown(public);
    assert!(
        text.contains("WebSocket at wss://ota.example.com/xiaozhi/v1/"),
        "{text}"
    );
    assert!(
        text.contains("they will have no voice") && text.contains("pictures get a 404"),
        "{text}"
    );
    let text = shown(&format!(
        "{public}  proxy: {{websocket: 'http://127.0.0.1:8000', vision: 'http://127.0.0.1:8004', routes: {{/mcp_endpoint/: 'http://10.0.0.2:8005'}}}}\n"
    ));
    for line in [
        "/xiaozhi/v1/ to http://127.0.0.1:8000 (gateway.proxy.websocket)",
        "/mcp/vision/explain to http://127.0.0.1:8004 (gateway.proxy.vision)",
        "/mcp_endpoint/ to http://10.0.0.2:8005 (gateway.proxy.routes./mcp_endpoint/)",
        "bodies up to 16 MiB, replies within 60s, WebSockets that are still for up to 600s",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(
        !text.contains("no voice") && !text.contains("404"),
        "{text}"
    );
}
