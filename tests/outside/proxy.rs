//! HTTP that goes on to a server behind this one: what that sees, what comes
//! back, and what happens when either side does not do as it should.

use super::support::backend::{Backend, Connection, Request};
use super::support::server::{Setup, exchange, read_reply, request};
use super::support::{PATIENCE, Server, noise, until};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

const VISION: &str = "/mcp/vision/explain";

/// With vision and `/x/` at `backend`, and further lines of `gateway.proxy`.
fn start(backend: SocketAddr, more: &str) -> Server {
    start_with(backend, more, "")
}

fn start_with(backend: SocketAddr, proxy: &str, gateway: &str) -> Server {
    Setup::new().start(&format!(
        "server: {{ota: 'http://127.0.0.1:8003/xiaozhi/ota/'}}\ngateway:\n  {gateway}\n  proxy:\n    \
         vision: http://{backend}\n    routes: {{/x/: 'http://{backend}'}}\n    {proxy}\n"
    ))
}

/// All that comes in answer to a request, to the connection's end.
fn talk(server: &Server, request: &[u8]) -> String {
    let mut stream = server.tcp();
    stream.write_all(request).unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    String::from_utf8(reply).unwrap()
}

fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[("Connection", "close")], b"")
}

fn fine(_: &Request) -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n".to_vec()
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(size) {
        out.extend(format!("{:x}\r\n", chunk.len()).bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

const POST_CHUNKS: &str = "POST /mcp/vision/explain?a=%2F&b HTTP/1.1\r\nHost: d.example:8003\r\n\
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
    // A port that nobody has: this socket holds it and does not listen.
    let reserved = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    reserved.set_reuse_address(true).unwrap();
    reserved
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    let address = reserved.local_addr().unwrap().as_socket().unwrap();
    let server = start(address, "");
    for _ in 0..3 {
        let reply = server.get(VISION);
        reply.hold_to_contract("a backend that is down");
        assert_eq!(reply.status, 502);
        assert_eq!(server.check_in("x", "1.0").status, 200);
    }
    let down = server.line("the backend does not answer");
    assert!(
        down.contains(&format!("backend=http://{address}"))
            && down.contains("gateway.proxy.vision"),
        "{down}"
    );
    assert_eq!(server.count_lines("the backend does not answer"), 1);
    reserved.listen(16).unwrap();
    let backend = Backend::on(TcpListener::from(reserved), |connection| {
        while connection.request().is_some() {
            connection.reply("back");
        }
    });
    assert_eq!(backend.address, address);
    for _ in 0..2 {
        assert_eq!(server.get(VISION).text(), "back");
    }
    server.line("the backend answers again");
    assert_eq!(server.count_lines("the backend answers again"), 1);
    assert_eq!(server.count_lines("the backend does not answer"), 1);
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
                connection.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n")
            }
            "/x/coding" => connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"),
            "/x/lengths" => connection
                .send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"),
            "/x/chunks" => {
                connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
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
    let server = start(backend.address, "timeout: 700ms");
    for (path, status) in [
        ("/x/garbage", 502),
        ("/x/end", 502),
        ("/x/half", 502),
        ("/x/upgrade", 502),
        ("/x/coding", 502),
        ("/x/lengths", 502),
        ("/x/chunks", 502),
        ("/x/size", 502),
        ("/x/head", 502),
        ("/x/sleep", 504),
        ("/x/doze", 504),
    ] {
        let reply = server.get(path);
        assert_eq!(reply.status, status, "{path}");
        reply.hold_to_contract(path);
    }
    // What was promised cannot be made up: the connection ends in front of it.
    let reply = server.get("/x/short");
    assert!(reply.status == 200 && !reply.whole);
    let lines = server.count_lines("the backend does not answer");
    let back = server.count_lines("the backend answers again");
    assert!(lines - back <= 1, "{lines} {back}");
}

#[test]
fn a_name_that_leads_nowhere_is_a_502() {
    let server = Setup::new().start(
        "gateway:\n  proxy: {vision: 'http://no-such-host.invalid:8004', websocket: 'http://no-such-host.invalid:8000', timeout: 20s}\n",
    );
    let reply = server.get(VISION);
    assert!(matches!(reply.status, 502 | 504), "{}", reply.status);
    server.line("the backend does not answer");
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
    assert_eq!(server.get("/x/1").text(), "first");
    assert_eq!(
        server
            .send("http", &request("POST", "/x/2", &[], b"body"))
            .status,
        502
    );
    assert_eq!((count("GET /x/1"), count("POST /x/2")), (1, 1));
    // What changes nothing is asked anew, on a connection of its own.
    assert_eq!(server.get("/x/3").text(), "first");
    assert_eq!(server.get("/x/4").text(), "first");
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

/// Peak of the memory that a process had, in KiB.
fn peak(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn multipart(length: usize) -> Vec<u8> {
    let mut body = b"--B\r\nContent-Disposition: form-data; name=\"question\"\r\n\r\nwhat is it?\r\n\
        --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"camera.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
        .to_vec();
    body.extend(noise(length, 7));
    body.extend(b"\r\n--B--\r\n");
    body
}

#[test]
fn a_picture_streams_through_tls_at_the_pace_of_its_sender() {
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&arrived);
    let backend = Backend::start(move |connection| {
        while let Some(request) = connection.head() {
            assert_eq!(request.headers("transfer-encoding"), ["chunked"]);
            let mut body = Vec::new();
            while let Some(chunk) = connection.chunk().filter(|c| !c.is_empty()) {
                body.extend(chunk);
                count.store(body.len(), Ordering::SeqCst);
            }
            let same = body == multipart(5 << 20);
            connection.reply(if same { "seen" } else { "another" });
        }
    });
    let server = start(backend.address, "timeout: 2s");
    assert_eq!(server.get("/xiaozhi/ota/").status, 200);
    let before = peak(&server);
    let mut stream = server.tls("localhost", None);
    stream.write_all(POST_CHUNKS.as_bytes()).unwrap();
    let body = multipart(5 << 20);
    let mut sent = 0;
    for (n, chunk) in body.chunks(4096).enumerate() {
        stream
            .write_all(format!("{:x}\r\n", chunk.len()).as_bytes())
            .unwrap();
        stream.write_all(chunk).unwrap();
        stream.write_all(b"\r\n").unwrap();
        sent += chunk.len();
        // A slow writer: it goes on when what it sent has arrived.
        if n % 100 == 0 {
            stream.flush().unwrap();
            until("what was sent so far", || {
                (arrived.load(Ordering::SeqCst) == sent).then_some(())
            });
        }
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let reply = read_reply(&mut stream, false);
    assert_eq!((reply.status, reply.text()), (200, "seen"));
    let grown = peak(&server) - before;
    assert!(grown < 4 * 1024, "{grown} KiB more");
}

#[test]
fn a_backend_that_reads_slowly_holds_up_the_sender_and_no_memory() {
    const LENGTH: usize = 48 << 20;
    let (go, may_go) = channel::<()>();
    let may_go = Mutex::new(may_go);
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.set_recv_buffer_size(64 * 1024).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(4).unwrap();
    let backend = Backend::on(TcpListener::from(listener), move |connection| {
        if connection.head().is_some() {
            may_go.lock().unwrap().recv().unwrap();
            let same = connection.bytes(LENGTH) == noise(LENGTH, 9);
            connection.reply(if same { "same" } else { "another" });
        }
    });
    let server = start(backend.address, "body_limit: 64MiB");
    let before = peak(&server);
    let head = format!("POST {VISION} HTTP/1.1\r\nHost: h\r\nContent-Length: {LENGTH}\r\n\r\n");
    let mut stream = server.tcp();
    let sent = Arc::new(AtomicUsize::new(0));
    let writer = std::thread::spawn({
        let (mut stream, sent) = (stream.try_clone().unwrap(), Arc::clone(&sent));
        move || {
            stream.write_all(head.as_bytes()).unwrap();
            for block in noise(LENGTH, 9).chunks(64 * 1024) {
                stream.write_all(block).unwrap();
                sent.fetch_add(block.len(), Ordering::SeqCst);
            }
        }
    });
    backend.saw(1);
    // Nothing moves any more once every buffer on the way is full.
    let mut still = (0, 0);
    until("the sender to stand still", || {
        let now = sent.load(Ordering::SeqCst);
        still = if now == still.0 {
            (now, still.1 + 1)
        } else {
            (now, 0)
        };
        (now > 0 && still.1 == 30).then_some(())
    });
    // The kernel's own buffers of both connections, and little of ours.
    assert!(still.0 < 32 << 20, "{} were taken", still.0);
    go.send(()).unwrap();
    writer.join().unwrap();
    let reply = read_reply(&mut stream, false);
    assert_eq!(reply.text(), "same");
    let grown = peak(&server) - before;
    assert!(grown < 4 * 1024, "{grown} KiB more");
}

#[test]
fn a_large_reply_waits_for_its_reader() {
    const LENGTH: usize = 64 << 20;
    let backend = Backend::start(|connection| {
        if connection.request().is_some() {
            connection.send(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"
            ));
            connection.send(noise(LENGTH, 3));
        }
    });
    let server = start(backend.address, "");
    let before = peak(&server);
    let mut stream = server.tcp();
    stream.write_all(&get("/x/")).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert!(all.ends_with(&noise(LENGTH, 3)));
    let grown = peak(&server) - before;
    assert!(grown < 4 * 1024, "{grown} KiB more");
}

#[test]
fn a_body_may_take_its_time_but_not_stand_still() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.reply("whole");
        }
    });
    let server = start(backend.address, "timeout: 1s");
    // All in all it takes longer than the time between two parts.
    let mut stream = server.tcp();
    let begun = std::time::Instant::now();
    stream
        .write_all(b"POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\n")
        .unwrap();
    for _ in 0..15 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        stream.write_all(b"x").unwrap();
    }
    let reply = read_reply(&mut stream, false);
    assert_eq!(reply.text(), "whole");
    assert!(begun.elapsed() > std::time::Duration::from_secs(1));
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\nx")
        .unwrap();
    let reply = read_reply(&mut stream, false);
    reply.hold_to_contract("a body that stands still");
    assert_eq!(reply.status, 408);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    // Nor is that the backend's fault.
    assert_eq!(server.count_lines("the backend does not answer"), 0);
}

#[test]
fn a_backend_that_takes_nothing_is_late_and_not_its_client() {
    let backend = Backend::start(|connection| {
        connection.head();
        let (_forever, wait) = channel::<()>();
        let _ = wait.recv_timeout(PATIENCE);
    });
    let server = start(backend.address, "timeout: 1s\n    body_limit: 64MiB");
    let mut stream = server.tcp();
    let mut writer = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        let head = format!(
            "POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n",
            48 << 20
        );
        let _ = writer.write_all(head.as_bytes());
        let _ = writer.write_all(&vec![7; 48 << 20]);
    });
    let reply = read_reply(&mut stream, false);
    assert_eq!(reply.status, 504);
}

#[test]
fn too_much_is_refused_and_the_sender_hears_of_it() {
    let backend = Backend::answering(fine);
    let server = start(backend.address, "body_limit: 100KiB");
    let body = noise(3 << 20, 4);
    for all in [
        request("POST", "/x/", &[], &body),
        [
            b"POST /x/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(),
            &chunked(&body, 50_000),
        ]
        .concat(),
    ] {
        for scheme in ["http", "https"] {
            let reply = server.send(scheme, &all);
            reply.hold_to_contract("too much");
            assert_eq!(reply.status, 413);
        }
    }
    let within = server.send("http", &request("POST", "/x/", &[], &body[..100 << 10]));
    assert_eq!(within.status, 200);
    // Who asks first is told before it sends.
    let mut stream = server.tcp();
    stream.write_all(b"POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\nExpect: 100-continue\r\n\r\n").unwrap();
    assert_eq!(read_reply(&mut stream, false).status, 413);
    let mut stream = server.tcp();
    stream
        .write_all(
            b"POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        )
        .unwrap();
    let mut go = [0; 25];
    stream.read_exact(&mut go).unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    assert_eq!(read_reply(&mut stream, false).status, 200);
    assert_eq!(backend.last().body, b"ok");
    assert!(backend.last().headers("expect").is_empty());
}

#[test]
fn an_answer_that_comes_before_the_body_is_seen() {
    let refuse = |connection: &mut Connection| {
        if connection.head().is_some() {
            connection.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno\n");
        }
    };
    let backends = [
        // One that closes what it does not read, and one that goes on to wait.
        Backend::start(move |connection| {
            refuse(connection);
            connection
                .stream
                .shutdown(std::net::Shutdown::Write)
                .unwrap();
            connection.ended();
        }),
        Backend::start(move |connection| {
            refuse(connection);
            let (_forever, wait) = channel::<()>();
            let _ = wait.recv_timeout(PATIENCE);
        }),
    ];
    for backend in backends {
        let server = start(backend.address, "timeout: 20s");
        let mut stream = server.tcp();
        stream
            .write_all(b"POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n")
            .unwrap();
        stream.write_all(&noise(4_000_000, 5)).unwrap();
        let reply = read_reply(&mut stream, false);
        assert_eq!((reply.status, reply.text()), (401, "no\n"));
        assert_eq!(reply.header("Connection"), Some("close"));
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        assert_eq!(server.count_lines("the backend does not answer"), 0);
    }
}

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
    server.line("asked to stop");
    go.send(()).unwrap();
    assert_eq!(read_reply(&mut stream, false).text(), "done");
    assert!(server.end().success());
}
