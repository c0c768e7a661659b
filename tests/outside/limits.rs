//! Bad clients, full tables, and the end: nobody else notices.

use super::support::server::{BINARY, Setup, check_in, exchange, read_reply, request};
use super::support::{PATIENCE, Server, noise, until};
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

const SHORT: &str = "log: {log_level: DEBUG}\ngateway:\n  limits: {handshake: 300ms, headers: 300ms, idle: 500ms}\n";
const PATH: &str = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";

fn server(config: &str) -> Server {
    let server = Setup::new()
        .file("esp32s3_1.6.6.bin", noise(48 << 20, 1))
        .start(config);
    server.line("image ready"); // A big one is ready only after the start.
    server
}

/// Waits until the server closes the connection; how long that took.
fn closed_after(mut stream: TcpStream) -> Duration {
    let start = Instant::now();
    let mut sink = [0; 4096];
    while matches!(stream.read(&mut sink), Ok(n) if n > 0) {}
    assert!(start.elapsed() < PATIENCE, "it was never closed");
    start.elapsed()
}

#[test]
fn silent_and_dripping_clients_are_let_go() {
    let server = server(SHORT);
    let silent = server.tcp();
    let mut handshake = server.tcp();
    handshake.write_all(&[0x16, 3, 1]).unwrap();
    let mut head = server.tcp();
    head.write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\n")
        .unwrap();
    let mut dripping = server.tcp();
    let idle_after_a_reply = {
        let mut stream = server.tcp();
        assert_eq!(exchange(&mut stream, &check_in("x", "1.0")).status, 200);
        stream
    };
    for stream in [silent, handshake, head, idle_after_a_reply] {
        assert!(closed_after(stream) < Duration::from_secs(5));
    }
    // A header a byte at a time: the deadline is for the whole head.
    let start = Instant::now();
    dripping
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    while !matches!(dripping.read(&mut [0]), Ok(0)) && dripping.write_all(b"G").is_ok() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "a dripping head holds a connection"
        );
    }
    assert_eq!(server.check_in("x", "1.0").status, 200);
}

#[test]
fn a_body_that_stands_still_gets_an_answer_and_an_end() {
    let server = server(SHORT);
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    let reply = read_reply(&mut stream, false);
    assert_eq!(reply.status, 408);
    reply.hold_to_contract("a slow body");
    closed_after(stream);
}

#[test]
fn a_body_that_drips_is_not_waited_for() {
    let server = server(SHORT);
    let mut stream = server.tcp();
    stream
        .write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{")
        .unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let start = Instant::now();
    // Never still for as long as the idle limit, and yet ended by it.
    while matches!(stream.peek(&mut [0]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock) {
        let _ = stream.write_all(b" ");
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "a dripping body holds a connection"
        );
    }
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(read_reply(&mut stream, false).status, 408);
}

#[test]
fn a_reader_that_stands_still_is_cut_and_a_slow_one_is_not() {
    let server = server(SHORT);
    let mut stalled = server.tcp();
    stalled.write_all(&request("GET", PATH, &[], b"")).unwrap();
    // Slow, for several times the idle limit, but never still for so long.
    let mut slow = server.tcp();
    slow.write_all(&request("GET", PATH, &[], b"")).unwrap();
    let mut block = vec![0; 2 << 20];
    for _ in 0..15 {
        std::thread::sleep(Duration::from_millis(150));
        slow.read_exact(&mut block).unwrap();
    }
    let line = server.line("download not finished");
    assert!(
        line.contains(&stalled.local_addr().unwrap().to_string()),
        "{line}"
    );
    let reply_rest = {
        let mut rest = Vec::new();
        let mut chunk = vec![0; 1 << 20];
        while let Ok(n) = slow.read(&mut chunk) {
            if n == 0 || rest.len() + n >= 20 << 20 {
                break;
            }
            rest.extend_from_slice(&chunk[..n]);
        }
        rest
    };
    assert!(reply_rest.len() > 10 << 20);
}

/// `TCP_LISTEN` in the kernel's `tcp_states.h`.
const LISTENS: u8 = 0x0A;

/// What the kernel holds for the other side of each connection to a port of ours:
/// bytes in its send queue, and the state of the socket (`st` in
/// `/proc/net/tcp`).
fn send_queues(port: u16) -> Vec<(u64, u8)> {
    let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let sockets = table.lines().skip(1).filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let (_, local) = fields[1].split_once(':')?;
        let (queue, _) = fields[4].split_once(':')?;
        let state = u8::try_from(hex(fields[3])).ok()?;
        (hex(local) == u64::from(port)).then(|| (hex(queue), state))
    });
    sockets.filter(|(_, state)| *state != LISTENS).collect()
}

#[test]
fn what_readers_leave_unread_is_bounded_and_goes_with_them() {
    let server = server("gateway:\n  limits: {idle: 2s}\n");
    let stalled: Vec<_> = (0..30)
        .map(|_| {
            let mut stream = server.tcp();
            stream.write_all(&request("GET", PATH, &[], b"")).unwrap();
            stream.read_exact(&mut vec![0; 2 << 20]).unwrap();
            stream
        })
        .collect();
    let held = || send_queues(server.ports[0]);
    until("full queues", || {
        (held().iter().filter(|(bytes, _)| *bytes > 10_000).count() == stalled.len()).then_some(())
    });
    for (bytes, _) in held() {
        // Twice the setting, and a segment above it.
        assert!(
            bytes <= 400 << 10,
            "{bytes} bytes for one who does not read"
        );
    }
    // They are given up, and the kernel keeps nothing of them.
    until("the end of them all", || {
        (server.count_lines("download not finished") == stalled.len()).then_some(())
    });
    until("nothing is held", || {
        held().iter().all(|(bytes, _)| *bytes == 0).then_some(())
    });
    // Each hears that it was cut off, and not that it has everything.
    for mut stream in stalled {
        let mut rest = Vec::new();
        let end = stream.read_to_end(&mut rest).map_err(|e| e.kind());
        assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
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

/// Reads as a device does that writes to its flash between two reads: 64 KB/s.
struct Flashing(TcpStream);

impl Read for Flashing {
    fn read(&mut self, block: &mut [u8]) -> std::io::Result<usize> {
        std::thread::sleep(Duration::from_millis(64));
        let length = block.len().min(4096);
        self.0.read(&mut block[..length])
    }
}

#[test]
fn who_has_not_been_sent_all_of_it_keeps_its_permit() {
    let path = "/xiaozhi/ota/download/small_1.0.bin";
    for (how, headers, shuts) in [
        ("it asks for the end", &[("Connection", "close")][..], false),
        ("it shuts its side", &[], true),
        ("it keeps the connection", &[], false),
    ] {
        let server = Setup::new()
            .file("small_1.0.bin", noise(100_000, 1))
            .start("gateway:\n  limits: {connections: 1, headers: 500ms}\n");
        let mut stream = small(&server);
        stream
            .write_all(&request("GET", path, headers, b""))
            .unwrap();
        if shuts {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        server.line("download handed to the network");
        let mut next = server.tcp();
        next.write_all(&check_in("x", "1.0")).unwrap();
        // It is not even accepted while the first one reads, nor once the time for a
        // next request is over.
        next.set_read_timeout(Some(Duration::from_millis(1500)))
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
    server.line("download handed to the network");
    // The next one is let in, and nothing is held for the first.
    assert_eq!(server.check_in("x", "1.0").status, 200);
    let held = send_queues(server.ports[0]);
    assert!(held.iter().all(|(bytes, _)| *bytes < 10_000), "{held:?}");
    let end = stalled.read_to_end(&mut Vec::new()).map_err(|e| e.kind());
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
}

#[test]
fn a_slow_reader_with_a_small_window_gets_all_of_it() {
    const LENGTH: usize = 400_000;
    let server = Setup::new()
        .file("small_1.0.bin", noise(LENGTH, 1))
        .start("gateway:\n  limits: {idle: 4s}\n");
    let path = "/xiaozhi/ota/download/small_1.0.bin";
    for headers in [&[("Connection", "close")][..], &[]] {
        let mut stream = small(&server);
        stream
            .write_all(&request("GET", path, headers, b""))
            .unwrap();
        let begun = Instant::now();
        let reply = read_reply(&mut Flashing(stream), false);
        assert_eq!((reply.status, reply.whole), (200, true));
        assert_eq!(reply.body.len(), LENGTH);
        // It took longer than anything may stand still.
        assert!(begun.elapsed() > Duration::from_secs(5));
    }
}

#[test]
fn permits_bound_connections_and_the_next_one_waits() {
    let server = server("gateway:\n  limits: {connections: 3, headers: 1s}\n");
    let held: Vec<_> = (0..3).map(|_| server.tcp()).collect();
    let start = Instant::now();
    // It is accepted when the silent ones are let go.
    assert_eq!(server.check_in("x", "1.0").status, 200);
    assert!(start.elapsed() > Duration::from_millis(500));
    server.line("connection limit reached");
    drop(held);
}

#[test]
fn running_out_of_file_descriptors_is_survived() {
    let server = server("gateway:\n  limits: {headers: 2s}\n");
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
    server.line("no connection can be accepted for now");
    drop(many);
    // It recovers by itself, at the same limit.
    assert_eq!(server.check_in("x", "1.0").status, 200);
    assert!(server.count_lines("no connection can be accepted for now") < 3);
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
    assert!(
        server
            .line("the limit of open files allows fewer connections")
            .contains("connections=32")
    );
}

#[test]
fn asked_to_stop_it_finishes_what_was_begun() {
    let mut server = server("");
    let mut download = server.tcp();
    download.write_all(&request("GET", PATH, &[], b"")).unwrap();
    let mut block = vec![0; 1 << 20];
    download.read_exact(&mut block).unwrap();
    let mut idle = server.tcp();
    assert_eq!(exchange(&mut idle, &check_in("x", "1.0")).status, 200);
    server.signal("TERM");
    server.line("asked to stop");
    until("no new connections", || {
        TcpStream::connect(server.address()).is_err().then_some(())
    });
    closed_after(idle);
    let mut rest = block.len();
    while let Ok(n) = download.read(&mut block) {
        if n == 0 {
            break;
        }
        rest += n;
    }
    assert!(rest > 48 << 20, "only {rest} bytes came");
    assert!(server.end().success());
    server.line("stopped");
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = server("");
    let mut download = server.tcp();
    download.write_all(&request("GET", PATH, &[], b"")).unwrap();
    download.read_exact(&mut [0; 1000]).unwrap();
    server.signal("TERM");
    server.line("asked to stop");
    let start = Instant::now();
    server.signal("TERM");
    server.end();
    assert!(start.elapsed() < Duration::from_secs(10));
    server.line("ended at once by a second signal");
}

#[test]
fn the_drain_time_is_the_end() {
    let mut server = server("gateway:\n  limits: {drain: 300ms}\n");
    let mut download = server.tcp();
    download.write_all(&request("GET", PATH, &[], b"")).unwrap();
    download.read_exact(&mut [0; 1000]).unwrap();
    server.signal("INT");
    assert!(server.end().success());
    server.line("the drain time is over");
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
