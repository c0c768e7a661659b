//! Bodies that go on to a server behind this one: they stream at the pace of
//! both sides, within bounds, and stall at nobody else's cost.

use super::proxy::{POST_CHUNKS, VISION, chunked, fine, get, start};
use super::support::backend::{Backend, Connection};
use super::support::server::{read_reply, request};
use super::support::stall::unless_stalled;
use super::support::{PATIENCE, Server, noise, until};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
    let server = start(backend.address, "timeout: 1h");
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

/// The most that the kernel takes of a sender for one connection.
fn most_on_its_way() -> usize {
    let sizes = fs::read_to_string("/proc/sys/net/ipv4/tcp_wmem").unwrap();
    sizes.split_whitespace().last().unwrap().parse().unwrap()
}

/// A listener that takes little of what is not read.
fn narrow() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(4).unwrap();
    socket.into()
}

#[test]
fn a_backend_that_reads_slowly_holds_up_the_sender_and_no_memory() {
    // From the sender to us, and from us to the backend; and what both take that
    // receive.
    let on_the_way = 2 * most_on_its_way() + (1 << 20);
    let length = on_the_way + (32 << 20);
    let (go, may_go) = channel::<()>();
    let may_go = Mutex::new(may_go);
    let backend = Backend::on(narrow(), move |connection| {
        if connection.head().is_some() {
            may_go.lock().unwrap().recv().unwrap();
            let same = connection.bytes(length) == noise(length, 9);
            connection.reply(if same { "same" } else { "another" });
        }
    });
    let server = start(backend.address, "timeout: 1h\n    body_limit: 1GiB");
    let before = peak(&server);
    let head = format!("POST {VISION} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
    let mut stream = server.tcp();
    let sent = Arc::new(AtomicUsize::new(0));
    let writer = std::thread::spawn({
        let (mut stream, sent) = (stream.try_clone().unwrap(), Arc::clone(&sent));
        move || {
            stream.write_all(head.as_bytes()).unwrap();
            for block in noise(length, 9).chunks(64 * 1024) {
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
    assert!(still.0 <= on_the_way, "{} were taken", still.0);
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
    let server = unless_stalled(|limit, steps| {
        let server = start(backend.address, &format!("timeout: {}s", limit.as_secs()));
        let mut stream = server.tcp();
        stream
            .write_all(b"POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\n")
            .unwrap();
        steps.begin();
        // All in all it takes longer than the time between two parts.
        for _ in 0..15 {
            std::thread::sleep(limit / 10);
            let written = stream.write_all(b"x");
            written.map_err(|e| format!("it was cut: {e}"))?;
            steps.step();
        }
        let reply = read_reply(&mut stream, false);
        if (reply.status, reply.text()) == (200, "whole") {
            Ok(server)
        } else {
            Err(format!("{reply:?}"))
        }
    });
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\nx")
        .unwrap();
    let reply = read_reply(&mut stream, false);
    reply.hold_to_contract("a body that stands still");
    assert_eq!(reply.status, 408);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    // Nor is that the backend's fault.
    server.settle();
    assert!(server.events("backend.down", &[]).is_empty());
}

#[test]
fn a_backend_that_takes_nothing_is_late_and_not_its_client() {
    let backend = Backend::on(narrow(), |connection| {
        connection.head();
        let (_forever, wait) = channel::<()>();
        let _ = wait.recv_timeout(2 * PATIENCE);
    });
    let length = 2 * most_on_its_way() + (16 << 20);
    unless_stalled(|limit, steps| {
        let settings = format!("timeout: {}s\n    body_limit: 1GiB", limit.as_secs());
        let server = start(backend.address, &settings);
        let mut stream = server.tcp();
        let head = format!("POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n");
        steps.begin();
        stream.write_all(head.as_bytes()).unwrap();
        // As much as is taken at any moment, so that nobody waits for the client.
        stream.set_nonblocking(true).unwrap();
        let (block, mut left) = (vec![7; 64 * 1024], length);
        loop {
            let came = stream.peek(&mut [0]);
            if !matches!(&came, Err(e) if e.kind() == ErrorKind::WouldBlock) {
                break;
            }
            match stream.write(&block[..left.min(block.len())]) {
                Ok(n) => left -= n,
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
            assert!(left > 0, "all of it went through");
            steps.step();
        }
        stream.set_nonblocking(false).unwrap();
        match read_reply(&mut stream, false).status {
            504 => Ok(()),
            other => Err(format!("the client was told {other}")),
        }
    });
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
            let _ = wait.recv_timeout(2 * PATIENCE);
        }),
    ];
    for backend in backends {
        let server = start(backend.address, "timeout: 1h");
        let mut stream = server.tcp();
        stream
            .write_all(b"POST /x/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n")
            .unwrap();
        // Whoever sends all that he can is not cut off while he does. Of a body that
        // is over before the reply came, nothing would have to be given up.
        let body = noise(4_000_000, 5);
        let (most, last) = body.split_at(body.len() - 1);
        stream.write_all(most).unwrap();
        let reply = read_reply(&mut stream, false);
        assert_eq!((reply.status, reply.text()), (401, "no\n"));
        assert_eq!(reply.header("Connection"), Some("close"));
        stream.write_all(last).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        server.settle();
        assert!(server.events("backend.down", &[]).is_empty());
    }
}
