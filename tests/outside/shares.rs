//! Whoever holds connections without asking makes room for those who ask.

use super::support::server::{Setup, check_in, exchange, post, read_reply, request};
use super::support::stall::unless_stalled;
use super::support::{PATIENCE, Server, event, noise, until};
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Half a check-in's head.
const HALF: &[u8] = b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nDevice-Id: aa:";
/// Half of its body.
const BODY: &[u8] = b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"a\":";
/// The same in chunks.
const CHUNKS: &[u8] =
    b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n";
/// Half of a TLS client's first message.
const HELLO: &[u8] = &[0x16, 3, 1, 2, 0, 1];

fn server(connections: usize) -> Server {
    Setup::new()
        .file("esp32s3_1.6.6.bin", noise(24 << 20, 1))
        .start(&format!(
            "gateway:\n  limits: {{connections: {connections}, handshake: 1h, headers: 1h, idle: 1h}}\n"
        ))
}

/// Connects from another address of this machine.
fn connect(server: &Server, number: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, number), 0));
    socket.bind(&from.into()).unwrap();
    socket.connect(&server.address().into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// Connects from there, and sends no more than this.
fn holds(server: &Server, number: u8, begin: &[u8]) -> TcpStream {
    let mut stream = connect(server, number);
    // It may have been let go already.
    let _ = stream.write_all(begin);
    stream
}

/// Shakes hands.
fn tls(server: &Server, stream: TcpStream) -> StreamOwned<ClientConnection, TcpStream> {
    server.tls_over(stream, "localhost", None)
}

/// Asks whether a connection was closed.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut reader = stream;
    loop {
        match reader.read(&mut [0; 1024]) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(e) => return e.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// Has newcomers ask, each on a connection of its own, over both schemes.
fn newcomers_are_answered(server: &Server, what: &str) {
    for round in 0..3 {
        for scheme in ["http", "https"] {
            let reply = server.send(scheme, &check_in("x", "1.0"));
            assert_eq!(reply.status, 200, "{what}, {scheme}, {round}");
        }
    }
}

#[test]
fn half_requests_of_five_addresses_lock_out_nobody() {
    for (what, begin) in [
        ("silence", &b""[..]),
        ("half a head", HALF),
        ("half a body", BODY),
        ("half a body in chunks", CHUNKS),
        ("half a first message of TLS", HELLO),
    ] {
        let server = server(40);
        let held: Vec<_> = (0..100).map(|n| holds(&server, 2 + n % 5, begin)).collect();
        server.event("limit.connections", &[]);
        newcomers_are_answered(&server, what);
        drop(held);
    }
}

#[test]
fn those_that_come_again_at_once_lock_out_nobody_even_where_there_are_few() {
    let server = server(3);
    let (is_over, came) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for number in 2..7 {
            let (server, is_over, came) = (&server, &is_over, &came);
            scope.spawn(move || {
                let mut held = Vec::new();
                let begins = [&b""[..], HALF, BODY, HELLO];
                for begin in begins.iter().cycle() {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    held.push(holds(server, number, begin));
                    came.fetch_add(1, Ordering::Relaxed);
                    if held.len() == 20 {
                        held.retain(|stream| !is_closed(stream));
                        thread::sleep(Duration::from_millis(1));
                    }
                    held.truncate(19);
                }
            });
        }
        until("a crowd", || {
            (came.load(Ordering::Relaxed) > 50).then_some(())
        });
        let outcome = std::panic::catch_unwind(|| newcomers_are_answered(&server, "a crowd"));
        is_over.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    server.event("limit.let-go", &[]);
}

#[test]
fn who_is_let_go_gets_a_whole_answer() {
    for (what, begin) in [
        ("silence", &b""[..]),
        ("half a head", HALF),
        ("half a body", BODY),
        ("half a body in chunks", CHUNKS),
    ] {
        let server = server(2);
        let mut plain = holds(&server, 2, begin);
        let mut over_tls = tls(&server, connect(&server, 2));
        // The end of the handshake goes out with what is written.
        while over_tls.conn.is_handshaking() {
            over_tls.conn.complete_io(&mut over_tls.sock).unwrap();
        }
        over_tls.write_all(begin).unwrap();
        over_tls.flush().unwrap();
        server.event("limit.connections", &[]);
        // As many more as there are places.
        let newcomers = [server.tcp(), server.tcp()];
        let (mut rest, mut tls_rest) = (Vec::new(), Vec::new());
        for (scheme, reply, end) in [
            (
                "http",
                read_reply(&mut plain, false),
                plain.read_to_end(&mut rest),
            ),
            (
                "https",
                read_reply(&mut over_tls, false),
                over_tls.read_to_end(&mut tls_rest),
            ),
        ] {
            reply.hold_to_contract(what);
            assert_eq!((reply.status, reply.whole), (503, true), "{what}, {scheme}");
            assert_eq!(reply.header("Connection"), Some("close"));
            assert_eq!(reply.header("Retry-After"), Some("2"));
            // The end is an end, and no reset.
            assert_eq!(end.map_err(|e| e.kind()), Ok(0), "{what}, {scheme}");
        }
        drop(newcomers);
    }
}

#[test]
fn a_handshake_that_stands_still_is_closed() {
    let server = server(1);
    let mut begun = holds(&server, 2, HELLO);
    server.event("limit.connections", &[]);
    newcomers_are_answered(&server, "half a handshake");
    assert!(matches!(begun.read(&mut [0]), Ok(0) | Err(_)));
    // One that was answered, and does not go on.
    let mut answered = tls(&server, connect(&server, 2));
    answered.conn.write_tls(&mut answered.sock).unwrap();
    assert!(answered.sock.peek(&mut [0]).is_ok_and(|n| n > 0));
    newcomers_are_answered(&server, "half a handshake");
    answered
        .sock
        .read_to_end(&mut Vec::new())
        .unwrap_or_default();
}

#[test]
fn a_download_is_never_cut_for_a_newcomer() {
    let server = server(3);
    let path = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";
    let mut downloads: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = server.tcp();
            stream.write_all(&request("GET", path, &[], b"")).unwrap();
            stream.read_exact(&mut [0; 1000]).unwrap();
            stream
        })
        .collect();
    let held = holds(&server, 2, HALF);
    server.event("limit.connections", &[]);
    // The half request is the one of three that may go, and it is no half of all: only
    // once it is old.
    assert_eq!(server.check_in("x", "1.0").status, 200);
    assert!(is_closed(&held));
    for stream in &mut downloads {
        let mut rest = vec![0; 24 << 20];
        let mut read = 0;
        while read < rest.len() - 1000 {
            match stream.read(&mut rest[read..]) {
                Ok(n @ 1..) => read += n,
                end => panic!("cut behind {read} bytes: {end:?}"),
            }
        }
    }
}

#[test]
fn who_rests_between_two_requests_makes_room() {
    let server = server(2);
    let mut resting = [server.tcp(), server.tcp()];
    for stream in &mut resting {
        assert_eq!(exchange(stream, &check_in("x", "1.0")).status, 200);
    }
    let mut next = server.tcp();
    assert_eq!(exchange(&mut next, &check_in("x", "1.0")).status, 200);
    // The one that has rested longer is closed, and the other one asks again.
    assert_eq!(resting[0].read(&mut [0]).unwrap(), 0);
    assert_eq!(exchange(&mut resting[1], &check_in("x", "1.0")).status, 200);
}

#[test]
fn what_comes_in_pieces_after_an_answer_waits_again() {
    let server = server(2);
    let mut held = [server.tcp(), server.tcp()];
    for stream in &mut held {
        assert_eq!(exchange(stream, &check_in("x", "1.0")).status, 200);
        stream.write_all(BODY).unwrap();
    }
    newcomers_are_answered(&server, "half of a second request");
    let reply = read_reply(&mut held[0], false);
    assert_eq!((reply.status, reply.whole), (503, true));
}

#[test]
fn one_proxy_that_names_nobody_is_not_refused() {
    let server = Setup::new().start(
        "gateway:\n  behind_proxy: true\n  limits: {connections: 70, handshake: 1h, headers: 1h, idle: 1h}\n",
    );
    let held: Vec<_> = (0..100).map(|_| holds(&server, 1, HALF)).collect();
    newcomers_are_answered(&server, "behind a proxy");
    assert!(server.events("limit.share", &[]).is_empty());
    let line = server.event("limit.let-go", &[]);
    assert_eq!(event::field(&line, "peer"), None, "{line}");
    drop(held);
}

#[test]
fn a_full_router_of_devices_meets_no_limit() {
    let server = server(3000);
    let request = [&post("/xiaozhi/ota/", b"{}")[..]].concat();
    let mut devices: Vec<_> = (0..2000).map(|_| holds(&server, 2, &request)).collect();
    for stream in &mut devices {
        assert_eq!(read_reply(stream, false).status, 200);
    }
    assert!(server.events("limit.share", &[]).is_empty());
    assert!(server.events("limit.let-go", &[]).is_empty());
}

#[test]
fn a_full_router_of_devices_may_shake_hands_at_once() {
    // A quarter of what is free is 100 here.
    let server = server(500);
    unless_stalled(|_, steps| {
        steps.begin();
        let greeting = |_| {
            let mut device = tls(&server, connect(&server, 2));
            device.conn.write_tls(&mut device.sock).unwrap();
            steps.step();
            device
        };
        let devices: Vec<_> = (0..160).map(greeting).collect();
        for (number, mut device) in devices.into_iter().enumerate() {
            let asked = device.write_all(&check_in("x", "1.0"));
            asked.map_err(|e| format!("{number}: {e}"))?;
            if read_reply(&mut device, false).status != 200 {
                return Err(format!("{number} was not answered"));
            }
            steps.step();
        }
        Ok(())
    });
    assert!(server.events("limit.share", &[]).is_empty());
}
