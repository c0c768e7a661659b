//! Bad clients, full tables, and the end: nobody else notices.

use super::support::event::field;
use super::support::kernel::held;
use super::support::server::{BINARY, Setup, check_in, read_reply, request};
use super::support::stall::unless_stalled;
use super::support::{PATIENCE, Server, noise, until};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

pub(super) const PATH: &str = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";

pub(super) fn server(config: &str) -> Server {
    Setup::new()
        .file("esp32s3_1.6.6.bin", noise(48 << 20, 1))
        .start(config)
}

/// A server of which one limit is short, and the others are none.
pub(super) fn with_short(limit: &str) -> Server {
    let mut limits = vec!["handshake: 1h", "headers: 1h", "idle: 1h", "drain: 1h"];
    let (name, _) = limit.split_once(':').unwrap();
    limits.retain(|long| !long.starts_with(name));
    limits.push(limit);
    server(&format!("gateway:\n  limits: {{{}}}\n", limits.join(", ")))
}

/// Waits until the server closes the connection.
pub(super) fn closed(mut stream: TcpStream) {
    let begun = Instant::now();
    let mut sink = [0; 4096];
    while matches!(stream.read(&mut sink), Ok(n) if n > 0) {}
    assert!(begun.elapsed() < PATIENCE, "it was never closed");
}

/// Writes bytes one by one for as long as nothing comes back.
fn drips(stream: &mut TcpStream, byte: u8) {
    let begun = Instant::now();
    let pause = Some(Duration::from_millis(50));
    stream.set_read_timeout(pause).unwrap();
    while matches!(stream.peek(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock) {
        // Who closes it may be quicker than this.
        let _ = stream.write_all(&[byte]);
        assert!(begun.elapsed() < PATIENCE, "a drip holds a connection");
    }
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

/// Connections that do not go on: in silence, within a head, and behind a reply.
fn standing(server: &Server) -> [TcpStream; 3] {
    let begun = |with: &[u8]| {
        let mut stream = server.tcp();
        // It may have been let go already.
        let _ = stream.write_all(with);
        stream
    };
    [
        begun(b""),
        begun(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\n"),
        begun(&check_in("x", "1.0")),
    ]
}

/// One that does not go on within TLS's greeting.
fn greeting(server: &Server) -> TcpStream {
    let mut stream = server.tcp();
    let _ = stream.write_all(&[0x16, 3, 1]);
    stream
}

#[test]
fn silent_and_dripping_clients_are_let_go() {
    let handshake = with_short("handshake: 300ms");
    let headers = with_short("headers: 300ms");
    let idle = with_short("idle: 300ms");
    // Who is let go is so by the limit that is meant: where it is long, those that
    // came earlier are still there.
    let patient = [standing(&handshake), standing(&idle)];
    let greeted = greeting(&idle);
    for stream in standing(&headers) {
        closed(stream);
    }
    closed(greeting(&handshake));
    for mut stream in patient.into_iter().flatten().chain([greeted]) {
        stream.set_nonblocking(true).unwrap();
        let mut reply = [0; 4096];
        let end = loop {
            match stream.read(&mut reply) {
                Ok(n @ 1..) => assert!(n < reply.len()),
                end => break end.map_err(|e| e.kind()),
            }
        };
        assert_eq!(end, Err(ErrorKind::WouldBlock), "it was let go");
    }
    // A header a byte at a time: the deadline is for the whole head.
    let mut dripping = headers.tcp();
    drips(&mut dripping, b'G');
    closed(dripping);
    assert_eq!(handshake.check_in("x", "1.0").status, 200);
}

#[test]
fn a_body_that_stands_still_gets_an_answer_and_an_end() {
    let server = with_short("idle: 500ms");
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    let reply = read_reply(&mut stream, false);
    assert_eq!(reply.status, 408);
    reply.hold_to_contract("a slow body");
    closed(stream);
}

#[test]
fn a_body_that_drips_is_not_waited_for() {
    let server = with_short("idle: 500ms");
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{")
        .unwrap();
    // Never still for as long as the idle limit, and yet ended by it.
    drips(&mut stream, b' ');
    assert_eq!(read_reply(&mut stream, false).status, 408);
}

#[test]
fn a_reader_that_stands_still_is_cut_and_a_slow_one_is_not() {
    unless_stalled(|limit, steps| {
        let server = with_short(&format!("idle: {}s", limit.as_secs()));
        let asking = |window: usize| {
            let mut stream = server.tcp();
            // What the kernel takes for a reader is not read yet.
            SockRef::from(&stream).set_recv_buffer_size(window).unwrap();
            stream.write_all(&request("GET", PATH, &[], b"")).unwrap();
            stream
        };
        let stalled = asking(64 << 10);
        // Slow, for several times the idle limit, but never still for so long.
        let mut slow = asking(256 << 10);
        steps.begin();
        let mut block = vec![0; 2 << 20];
        let mut read = 0;
        for _ in 0..15 {
            std::thread::sleep(limit / 5);
            let reading = slow.read_exact(&mut block);
            reading.map_err(|e| format!("the slow one was cut behind {read} bytes: {e}"))?;
            read += block.len();
            steps.step();
        }
        let line = server.event("download.unfinished", &[]);
        let peer = stalled.local_addr().unwrap().to_string();
        if field(&line, "peer").as_ref() != Some(&peer) {
            return Err(format!("the slow one was cut: {line}"));
        }
        // And goes on to its end.
        while read < 48 << 20 {
            match slow.read(&mut block) {
                Ok(n @ 1..) => read += n,
                end => return Err(format!("the slow one was cut behind {read} bytes: {end:?}")),
            }
            steps.step();
        }
        Ok(())
    });
}

/// Bytes that the kernel holds for the other side of each connection to an address
/// of ours.
fn send_queues(address: SocketAddr) -> Vec<u64> {
    let sockets = held(address).into_iter();
    let connections = sockets.filter(|socket| !socket.listens);
    connections.map(|socket| socket.unsent).collect()
}

/// Clients that ask for the image, read so much of it, and no more.
fn stalled(server: &Server, read: usize) -> Vec<TcpStream> {
    let ask = |_| {
        let mut stream = server.tcp();
        stream.write_all(&request("GET", PATH, &[], b"")).unwrap();
        stream.read_exact(&mut vec![0; read]).unwrap();
        stream
    };
    (0..30).map(ask).collect()
}

#[test]
fn what_readers_leave_unread_is_bounded() {
    let server = server("");
    // Enough to open their windows wide.
    let stalled = stalled(&server, 2 << 20);
    let queues = || send_queues(server.address());
    until("full queues", || {
        (queues().iter().filter(|bytes| **bytes > 10_000).count() == stalled.len()).then_some(())
    });
    for bytes in queues() {
        // Twice the setting, and a segment above it.
        assert!(
            bytes <= 400 << 10,
            "{bytes} bytes for one who does not read"
        );
    }
}

#[test]
fn what_readers_leave_unread_goes_with_them() {
    let server = with_short("idle: 1s");
    let stalled = stalled(&server, 0);
    // They are given up, and the kernel keeps nothing of them.
    until("the end of them all", || {
        (server.events("download.unfinished", &[]).len() == stalled.len()).then_some(())
    });
    until("nothing is held", || {
        let mut queues = send_queues(server.address()).into_iter();
        queues.all(|bytes| bytes == 0).then_some(())
    });
    // Each hears that it was cut off, and not that it has everything.
    for mut stream in stalled {
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest).map_err(|e| e.kind());
        assert_eq!(end, Err(ErrorKind::ConnectionReset));
        assert!(rest.len() < 40 << 20);
    }
}

/// A client that takes as little at once as a device does: ESP-IDF's window and
/// segment (`CONFIG_LWIP_TCP_WND_DEFAULT`, `CONFIG_LWIP_TCP_MSS`).
fn small(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_tcp_mss(1440).unwrap();
    socket.set_recv_buffer_size(5760).unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], server.ports[0]));
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

#[test]
fn who_has_not_been_sent_all_of_it_keeps_its_permit() {
    let path = "/xiaozhi/ota/download/small_1.0.bin";
    let close = &[("Connection", "close")][..];
    for (how, headers, shuts, moment) in [
        ("it asks for the end", close, false, 500),
        ("it shuts its side", &[], true, 500),
        // The time for a next request is over.
        ("it keeps the connection", &[], false, 4000),
    ] {
        let server = Setup::new()
            .file("small_1.0.bin", noise(100_000, 1))
            .start("gateway:\n  limits: {connections: 1, headers: 3s}\n");
        let mut stream = small(&server);
        stream
            .write_all(&request("GET", path, headers, b""))
            .unwrap();
        if shuts {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        server.event("download.sent", &[]);
        let mut next = server.tcp();
        next.write_all(&check_in("x", "1.0")).unwrap();
        // It is not even accepted while the first one reads.
        next.set_read_timeout(Some(Duration::from_millis(moment)))
            .unwrap();
        assert!(next.read(&mut [0]).is_err(), "{how}");
        let reply = read_reply(&mut stream, false);
        assert_eq!((reply.status, reply.whole), (200, true), "{how}");
        // And here its end has come.
        let end = stream.read(&mut [0]).map_err(|e| e.kind());
        assert_eq!(end, Ok(0), "{how}");
        next.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(read_reply(&mut next, false).status, 200, "{how}");
    }
}

#[test]
fn what_stands_still_at_the_end_is_reset() {
    let server = Setup::new()
        .file("small_1.0.bin", noise(100_000, 1))
        .start("gateway:\n  limits: {connections: 1, idle: 1s}\n");
    let path = "/xiaozhi/ota/download/small_1.0.bin";
    let mut stalled = small(&server);
    stalled
        .write_all(&request("GET", path, &[("Connection", "close")], b""))
        .unwrap();
    server.event("download.sent", &[]);
    // The next one is let in, and nothing is held for the first.
    assert_eq!(server.check_in("x", "1.0").status, 200);
    let held = send_queues(server.address());
    assert!(held.iter().all(|bytes| *bytes < 10_000), "{held:?}");
    let end = stalled.read_to_end(&mut Vec::new()).map_err(|e| e.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
}

#[test]
fn a_slow_reader_with_a_small_window_gets_all_of_it() {
    unless_stalled(|limit, steps| {
        // At 64 KB/s, as a device reads that writes to its flash between two reads,
        // it takes longer than anything may stand still.
        let length = 200_000 * usize::try_from(limit.as_secs()).unwrap();
        let server = Setup::new()
            .file("small_1.0.bin", noise(length, 1))
            .start(&format!(
                "gateway:\n  limits: {{idle: {}s}}\n",
                limit.as_secs()
            ));
        for headers in [&[("Connection", "close")][..], &[]] {
            let mut stream = small(&server);
            let path = "/xiaozhi/ota/download/small_1.0.bin";
            stream
                .write_all(&request("GET", path, headers, b""))
                .unwrap();
            steps.begin();
            let (mut read, mut block) = (0, [0; 4096]);
            while read < length {
                std::thread::sleep(Duration::from_millis(64));
                match stream.read(&mut block) {
                    Ok(n @ 1..) => read += n,
                    end => return Err(format!("cut behind {read} of {length} bytes: {end:?}")),
                }
                steps.step();
            }
        }
        Ok(())
    });
}

#[test]
fn permits_bound_connections_and_the_next_one_waits() {
    let server = server("gateway:\n  limits: {connections: 3, headers: 1h, idle: 1h}\n");
    // They have asked, and are answered as slowly as they read.
    let mut held: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = server.tcp();
            stream.write_all(&request("GET", PATH, &[], b"")).unwrap();
            stream.read_exact(&mut [0; 1000]).unwrap();
            stream
        })
        .collect();
    server.event("limit.connections", &[("limit", "3")]);
    let mut next = server.tcp();
    next.write_all(&check_in("x", "1.0")).unwrap();
    let moment = Some(Duration::from_millis(300));
    next.set_read_timeout(moment).unwrap();
    assert!(next.read(&mut [0]).is_err());
    // It is accepted when one of them goes.
    held.pop();
    next.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(read_reply(&mut next, false).status, 200);
    drop(held);
}

#[test]
fn who_is_let_go_leaves_its_permit_to_the_next_one() {
    let server = server("gateway:\n  limits: {connections: 3, headers: 300ms}\n");
    let held: Vec<_> = (0..3).map(|_| server.tcp()).collect();
    server.event("limit.connections", &[("limit", "3")]);
    // It may be let go itself, where this thread stands still before it asks.
    until("an answer", || {
        let mut next = server.tcp();
        let _ = next.write_all(&check_in("x", "1.0"));
        (next.read(&mut [0]).ok()? == 1).then_some(())
    });
    drop(held);
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    let server = server("");
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .count();
    let limit = |files: usize| {
        let status = Command::new("prlimit")
            .args([
                "--pid",
                &server.pid().to_string(),
                &format!("--nofile={files}:"),
            ])
            .status();
        assert!(status.unwrap().success());
    };
    limit(open + 5);
    let many: Vec<_> = (0..20).map(|_| server.tcp()).collect();
    server.event("accept.fails", &[]);
    drop(many);
    // It recovers by itself, at the same limit.
    assert_eq!(server.check_in("x", "1.0").status, 200);
    assert!(server.events("accept.fails", &[]).len() < 3);
}

#[test]
fn the_soft_limit_is_raised_and_a_low_one_is_told() {
    let setup = Setup::new();
    let server = setup.start_by(
        "",
        Command::new("sh")
            .arg("-c")
            .arg(format!("ulimit -Sn 64; exec {BINARY}")),
    );
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits
        .lines()
        .find(|l| l.starts_with("Max open files"))
        .unwrap();
    let numbers: Vec<_> = line
        .split_whitespace()
        .filter_map(|w| w.parse::<u64>().ok())
        .collect();
    assert_eq!(numbers[0], numbers[1], "{line}");
    let server = Setup::new().start_by(
        "",
        Command::new("sh")
            .arg("-c")
            .arg(format!("ulimit -n 64; exec {BINARY}")),
    );
    server.event("limit.open-files", &[("connections", "16")]);
}

#[test]
fn a_crowd_of_bad_clients_costs_nobody_else_anything() {
    let server = server("");
    let bad: Vec<_> = (0..200)
        .map(|i| {
            let mut stream = server.tcp();
            let begin: &[u8] = match i % 4 {
                0 => b"",
                1 => &[0x16, 3, 1, 2, 0, 1],
                2 => b"POST /xiaozhi/ota/ HTTP/1.1\r\nContent-Length: 60000\r\n\r\n{",
                _ => b"GET /xiaozhi/ota/download/esp32s3_1.6.6.bin HTTP/1.1\r\nHost: x\r\n\r\n",
            };
            stream.write_all(begin).unwrap();
            stream
        })
        .collect();
    for _ in 0..50 {
        assert_eq!(server.check_in("x", "1.0").status, 200);
    }
    drop(bad);
}
