//! Whoever holds connections without asking makes room for those who ask.

use super::support::kernel::held;
use super::support::server::{Setup, check_in, exchange, post, read_reply, request};
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

/// Waits until the server has taken in all that came to it.
fn has_read(server: &Server) {
    until("all of it to be read", || {
        let mut sockets = held(server.address()).into_iter();
        sockets.all(|socket| socket.unread == 0).then_some(())
    });
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

/// Ways in which a connection is held.
const BEGINS: [&[u8]; 5] = [b"", HALF, BODY, CHUNKS, HELLO];

#[test]
fn half_requests_of_five_addresses_lock_out_nobody() {
    let server = server(40);
    let begins = BEGINS.iter().cycle();
    let holds = |(n, begin): (u8, &&[u8])| holds(&server, 2 + n / 5 % 5, begin);
    let held: Vec<_> = (0..100).zip(begins).map(holds).collect();
    server.event("limit.connections", &[]);
    newcomers_are_answered(&server, "half requests");
    drop(held);
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
                for begin in BEGINS.iter().cycle() {
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
    let server = server(8);
    let begins = [&b""[..], HALF, BODY, CHUNKS];
    let plain = begins.map(|begin| holds(&server, 2, begin));
    let over_tls = begins.map(|begin| {
        let mut stream = tls(&server, connect(&server, 2));
        // The end of the handshake goes out at once, too.
        stream.write_all(begin).unwrap();
        while stream.conn.is_handshaking() || stream.conn.wants_write() {
            stream.conn.complete_io(&mut stream.sock).unwrap();
        }
        stream
    });
    has_read(&server);
    // As many more as there are places, of the same owner: its oldest go first.
    let newcomers: Vec<_> = (0..8).map(|_| connect(&server, 2)).collect();
    let is_answered = |stream: &mut dyn Read, what: &str| {
        let mut stream = stream;
        let reply = read_reply(&mut stream, false);
        reply.hold_to_contract(what);
        assert_eq!((reply.status, reply.whole), (503, true), "{what}");
        assert_eq!(reply.header("Connection"), Some("close"));
        assert_eq!(reply.header("Retry-After"), Some("2"));
        // The end is an end, and no reset.
        let end = stream.read_to_end(&mut Vec::new());
        assert_eq!(end.map_err(|e| e.kind()), Ok(0), "{what}");
    };
    for (mut stream, begin) in plain.into_iter().zip(begins) {
        is_answered(&mut stream, &String::from_utf8_lossy(begin));
    }
    for (mut stream, begin) in over_tls.into_iter().zip(begins) {
        is_answered(
            &mut stream,
            &format!("TLS: {}", String::from_utf8_lossy(begin)),
        );
    }
    drop(newcomers);
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
    let server = server(4);
    let path = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";
    let mut downloads: Vec<_> = (0..2)
        .map(|_| {
            let mut stream = server.tcp();
            stream.write_all(&request("GET", path, &[], b"")).unwrap();
            stream.read_exact(&mut [0; 1000]).unwrap();
            stream
        })
        .collect();
    let held = [holds(&server, 2, HALF), holds(&server, 2, BODY)];
    server.event("limit.connections", &[]);
    newcomers_are_answered(&server, "beside downloads");
    // Which of the two came first, no worker knows of another.
    assert!(held.iter().any(is_closed));
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
    // One of them is closed, and the other one asks again.
    let closed = until("an end", || resting.iter().position(is_closed));
    let other = &mut resting[1 - closed];
    other.set_nonblocking(false).unwrap();
    assert_eq!(exchange(other, &check_in("x", "1.0")).status, 200);
}

#[test]
fn what_comes_in_pieces_after_an_answer_waits_again() {
    let server = server(2);
    let mut held = [server.tcp(), server.tcp()];
    for stream in &mut held {
        assert_eq!(exchange(stream, &check_in("x", "1.0")).status, 200);
        stream.write_all(BODY).unwrap();
        has_read(&server);
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
    let server = server(1500);
    let request = post("/xiaozhi/ota/", b"{}");
    let mut devices: Vec<_> = (0..1000).map(|_| holds(&server, 2, &request)).collect();
    for stream in &mut devices {
        assert_eq!(read_reply(stream, false).status, 200);
    }
    assert!(server.events("limit.share", &[]).is_empty());
    assert!(server.events("limit.let-go", &[]).is_empty());
}

#[test]
fn a_full_router_of_devices_may_shake_hands_at_once() {
    let server = server(400);
    let greeting = |_| {
        let mut device = tls(&server, connect(&server, 2));
        device.conn.write_tls(&mut device.sock).unwrap();
        device
    };
    let devices: Vec<_> = (0..160).map(greeting).collect();
    for mut device in devices {
        assert_eq!(exchange(&mut device, &check_in("x", "1.0")).status, 200);
    }
    assert!(server.events("limit.share", &[]).is_empty());
    assert!(server.events("limit.let-go", &[]).is_empty());
}
