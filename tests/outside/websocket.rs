//! Voice that goes on to its server by WebSocket: bytes as they are, and both ends
//! as they end.

use super::support::backend::{Backend, Connection};
use super::support::server::{Setup, exchange, request};
use super::support::stall::unless_stalled;
use super::support::{PATIENCE, Reserved, Server, event, noise, until};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

pub(super) const PATH: &str = "/xiaozhi/v1/";
const OPENING: &str = "GET /xiaozhi/v1/?a HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nDevice-Id: aa:bb\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// 1001, "going away", as a server says it and as a client does.
const GOODBYE: &[u8] = &[0x88, 2, 3, 0xE9];
const GOODBYE_MASKED: &[u8] = &[0x88, 0x82, 0, 0, 0, 0, 3, 0xE9];
/// "hi", unmasked.
const HI: &[u8] = &[0x81, 2, b'h', b'i'];

pub(super) fn start(backend: SocketAddr, proxy: &str, gateway: &str) -> Server {
    Setup::new().start(&format!(
        "gateway:\n  {gateway}\n  proxy:\n    websocket: http://{backend}\n    {proxy}\n"
    ))
}

/// A backend that accepts, and hands its end of each connection to the test.
fn accepting() -> (Backend, Receiver<TcpStream>) {
    let (give, take) = channel();
    let give = Mutex::new(give);
    let backend = Backend::start(move |connection| {
        // This end closes when the test lets go of its own.
        if accept(connection) {
            let end = connection.stream.try_clone().unwrap();
            give.lock().unwrap().send(end).unwrap();
        }
    });
    (backend, take)
}

fn accept(connection: &mut Connection) -> bool {
    let accepted = connection.head().is_some();
    connection.send(ACCEPTED);
    accepted
}

/// The head of the reply, byte by byte, for behind it the frames begin.
fn head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    String::from_utf8(head).unwrap()
}

/// Both ends of an open WebSocket.
fn open(server: &Server, ends: &Receiver<TcpStream>) -> (TcpStream, TcpStream) {
    let mut device = server.tcp();
    device.write_all(OPENING.as_bytes()).unwrap();
    assert!(head(&mut device).starts_with("HTTP/1.1 101 "));
    (device, ends.recv_timeout(PATIENCE).unwrap())
}

fn bytes(stream: &mut impl Read, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn rest(mut stream: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

#[test]
fn the_handshake_is_as_both_sides_want_it() {
    let (backend, ends) = accepting();
    let server = start(backend.address, "", "");
    let mut device = server.tcp();
    device.write_all(OPENING.as_bytes()).unwrap();
    let head = head(&mut device);
    // Device firmware looks for this, letter by letter.
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    for line in [
        "Upgrade: websocket\r\n",
        "Connection: Upgrade\r\n",
        "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert!(
        !head.contains("Content-Length") && !head.contains("Transfer-Encoding"),
        "{head}"
    );
    let seen = backend.last();
    assert_eq!(seen.line(), "GET /xiaozhi/v1/?a HTTP/1.1");
    // Nothing else is good enough for xiaozhi-server.
    assert!(
        seen.head.contains("\r\nConnection: Upgrade\r\n"),
        "{}",
        seen.head
    );
    for (name, value) in [
        ("upgrade", "websocket"),
        ("host", "h"),
        ("device-id", "aa:bb"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
    ] {
        assert_eq!(seen.headers(name), [value], "{}", seen.head);
    }
    drop((device, ends));
    until("its end", || ends_of(&server, "aa:bb").pop());
}

#[test]
fn who_is_not_let_in_sees_why() {
    let backend = Backend::start(|connection| {
        if let Some(request) = connection.request() {
            let reply = match request.line().split(['?', ' ']).nth(2) {
                Some("refused") => "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n",
                Some("chunks") => {
                    "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno\n\r\n0\r\n\r\n"
                }
                Some("lies") => "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
                Some("garbage") => "no\n",
                Some("plain") => "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno\n",
                _ => "",
            };
            connection.send(reply);
        }
    });
    let server = start(backend.address, "", "");
    let mut device = server.tcp();
    for (query, status) in [
        ("refused", 403),
        ("chunks", 400),
        ("plain", 200),
        ("lies", 502),
    ] {
        let opening = OPENING.replace("?a", &format!("?{query}"));
        let reply = exchange(&mut device, opening.as_bytes());
        assert_eq!(reply.status, status);
        if status != 502 {
            assert_eq!(reply.text(), "no\n");
        }
    }
    for query in ["garbage", "nothing"] {
        let opening = OPENING.replace("?a", &format!("?{query}"));
        assert_eq!(server.send("https", opening.as_bytes()).status, 502);
    }
    // A plain GET, as a browser sends it.
    let reply = server.send("http", &request("GET", "/xiaozhi/v1/?plain", &[], b""));
    assert_eq!((reply.status, reply.text()), (200, "no\n"));
    assert!(backend.last().headers("connection").is_empty());
}

#[test]
fn bytes_go_both_ways_as_they_are() {
    const LENGTH: usize = 3 << 20;
    let backend = Backend::start(|connection| {
        if connection.head().is_some() {
            // The first frame may come with the reply, in one packet.
            connection.send([ACCEPTED.as_bytes(), HI].concat());
            assert_eq!(connection.bytes(5), b"early");
            let mut up = connection.stream.try_clone().unwrap();
            let writer = std::thread::spawn(move || up.write_all(&noise(LENGTH, 1)).unwrap());
            let same = connection.bytes(LENGTH) == noise(LENGTH, 2);
            writer.join().unwrap();
            connection.send(if same { b"same" } else { b"diff" });
        }
    });
    let server = start(backend.address, "", "");
    // A device that does not wait for the reply before it speaks.
    let first = [OPENING.as_bytes(), b"early"].concat();
    let mut device = server.tcp();
    device.write_all(&first).unwrap();
    head(&mut device);
    assert_eq!(bytes(&mut device, HI.len()), HI);
    let mut up = device.try_clone().unwrap();
    let writer = std::thread::spawn(move || up.write_all(&noise(LENGTH, 2)).unwrap());
    assert!(bytes(&mut device, LENGTH) == noise(LENGTH, 1));
    writer.join().unwrap();
    assert_eq!(bytes(&mut device, 4), b"same");
    // And through TLS, one way after the other.
    let mut device = server.tls("localhost", None);
    device.write_all(&first).unwrap();
    head(&mut device);
    assert_eq!(bytes(&mut device, HI.len()), HI);
    assert!(bytes(&mut device, LENGTH) == noise(LENGTH, 1));
    device.write_all(&noise(LENGTH, 2)).unwrap();
    assert_eq!(bytes(&mut device, 4), b"same");
}

/// Ends a connection as a power cut and a NAT do.
fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
}

/// Returns the ends of tunnels that the log tells of, for devices whose id begins so.
fn ends_of(server: &Server, device: &str) -> Vec<String> {
    let ids = ["closed", "broke", "still", "stopped"].map(|end| format!("websocket.{end}"));
    let lines = server.log().into_iter().filter(|line| {
        let of_it = event::field(line, "device").is_some_and(|id| id.starts_with(device));
        of_it && ids.iter().any(|id| event::is(line, id, &[]))
    });
    lines.collect()
}

#[test]
fn the_end_of_one_side_is_the_others() {
    let (backend, ends) = accepting();
    let server = start(backend.address, "", "");
    let (device, voice) = open(&server, &ends);
    reset(device);
    assert_eq!(rest(voice), b"", "the device was cut off");
    let (device, voice) = open(&server, &ends);
    reset(voice);
    assert_eq!(rest(device), b"", "the voice server was cut off");
    // At once, and not once the other half has been still.
    until("both ends", || {
        (server.events("websocket.broke", &[]).len() == 2).then_some(())
    });
    // An end that is none of the connection's: what comes the other way still does.
    let (mut device, mut voice) = open(&server, &ends);
    device.write_all(HI).unwrap();
    device.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&voice), HI);
    voice.write_all(HI).unwrap();
    voice.shutdown(Shutdown::Both).unwrap();
    assert_eq!(rest(device), HI);
    let (device, mut voice) = open(&server, &ends);
    voice.write_all(HI).unwrap();
    voice.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&device), HI);
    device.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(voice), b"", "both have ended");
    // A device that goes without TLS's own goodbye.
    let mut device = server.tls("localhost", None);
    device.write_all(OPENING.as_bytes()).unwrap();
    head(&mut device);
    let voice = ends.recv_timeout(PATIENCE).unwrap();
    device.sock.shutdown(Shutdown::Both).unwrap();
    assert_eq!(rest(voice), b"", "the device went");
    until("their ends", || {
        (ends_of(&server, "").len() == 5).then_some(())
    });
    assert_eq!(server.events("websocket.opened", &[]).len(), 5);
}

#[test]
fn an_end_behind_much_that_is_not_read_yet_is_passed_on_behind_it() {
    // What this server's send buffer holds, and the device's own does not.
    const LENGTH: usize = 200_000;
    let (backend, ends) = accepting();
    let server = start(backend.address, "", "");
    let (mut device, mut voice) = open(&server, &ends);
    SockRef::from(&device).set_recv_buffer_size(4096).unwrap();
    voice.write_all(&noise(LENGTH, 1)).unwrap();
    voice.shutdown(Shutdown::Write).unwrap();
    // Meanwhile the other side speaks on.
    device.write_all(HI).unwrap();
    assert_eq!(bytes(&mut voice, HI.len()), HI);
    let all = rest(&device);
    assert!(all == noise(LENGTH, 1), "{} bytes", all.len());
    device.write_all(HI).unwrap();
    assert_eq!(bytes(&mut voice, HI.len()), HI);
    device.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(voice), b"");
}

#[test]
fn one_that_stands_still_is_ended_and_one_that_moves_is_not() {
    let (backend, ends) = accepting();
    unless_stalled(|limit, steps| {
        let idle = format!("idle: {}s", limit.as_secs());
        let server = start(backend.address, &idle, "");
        let (still, voice_of_still) = open(&server, &ends);
        steps.begin();
        let (mut moves, mut voice) = open(&server, &ends);
        let until_then = Instant::now() + 2 * limit;
        let mut from_device = true;
        while Instant::now() < until_then {
            // A byte either way is enough.
            let (one, other) = if from_device {
                (&mut moves, &mut voice)
            } else {
                (&mut voice, &mut moves)
            };
            goes_through(one, other)?;
            steps.step();
            from_device = !from_device;
            std::thread::sleep(limit / 10);
        }
        goes_through(&mut moves, &mut voice)?;
        assert_eq!(rest(still), GOODBYE);
        assert_eq!(rest(voice_of_still), GOODBYE_MASKED);
        let ended = until("its end", || ends_of(&server, "").pop());
        let idle = format!("{limit:?}");
        assert!(
            event::is(&ended, "websocket.still", &[("idle", &idle)]),
            "{ended}"
        );
        Ok(())
    });
}

/// Sends a frame, which comes as it is.
fn goes_through(one: &mut TcpStream, other: &mut TcpStream) -> Result<(), String> {
    let mut came = [0; HI.len()];
    one.write_all(HI)
        .and_then(|()| other.read_exact(&mut came))
        .map_err(|e| format!("it was ended: {e}"))?;
    if came == HI {
        Ok(())
    } else {
        Err(format!("{came:?} came"))
    }
}

#[test]
fn a_goodbye_stands_between_two_frames_when_the_server_stops() {
    let (backend, ends) = accepting();
    let mut server = start(backend.address, "", "");
    let (mut device, mut voice) = open(&server, &ends);
    // One that is cut within a frame gets nothing that would be taken for its end.
    let (cut, mut voice_of_cut) = open(&server, &ends);
    let moved = Instant::now();
    voice.write_all(HI).unwrap();
    assert_eq!(bytes(&mut device, HI.len()), HI);
    voice_of_cut.write_all(&[0x82, 5, 1]).unwrap();
    let mut cut_reader = cut.try_clone().unwrap();
    assert_eq!(bytes(&mut cut_reader, 3), [0x82, 5, 1]);
    server.signal("TERM");
    server.event("stop.asked", &[]);
    // It still carries what comes in the meantime: for two seconds, which may be
    // over where this thread stood still.
    let _ = device.write_all(HI);
    let in_time = moved.elapsed() < Duration::from_secs(2);
    assert_eq!(rest(device), GOODBYE);
    let came = rest(voice);
    if in_time || came != GOODBYE_MASKED {
        assert_eq!(came, [HI, GOODBYE_MASKED].concat());
    }
    assert_eq!(rest(cut), b"");
    assert_eq!(rest(voice_of_cut), GOODBYE_MASKED);
    assert!(server.end().success());
    server.event("stopped", &[]);
    assert_eq!(server.events("websocket.stopped", &[]).len(), 2);
    // Nor was the drain time spent.
    assert!(server.events("stop.cut", &[]).is_empty());
}

#[test]
fn an_open_one_keeps_its_permit() {
    let (backend, ends) = accepting();
    let server = start(
        backend.address,
        "",
        "limits: {connections: 2, headers: 1h, idle: 1h}",
    );
    let first = open(&server, &ends);
    let second = open(&server, &ends);
    server.event("websocket.opened", &[("open", "2")]);
    let mut waiting = server.tcp();
    waiting
        .write_all(&request("GET", PATH, &[("Connection", "close")], b""))
        .unwrap();
    server.event("limit.connections", &[("limit", "2")]);
    assert_eq!(backend.seen().len(), 2);
    drop(first);
    backend.saw(3);
    drop((second, waiting));
}

#[test]
fn a_voice_server_that_is_down_is_a_502_and_nobody_else_notices() {
    let nobody = Reserved::new();
    let server = start(nobody.address(), "", "");
    for _ in 0..3 {
        let reply = server.send("https", OPENING.as_bytes());
        reply.hold_to_contract("a voice server that is down");
        assert_eq!(reply.status, 502);
        assert_eq!(server.check_in("x", "1.0").status, 200);
    }
    let setting = [("setting", "gateway.proxy.websocket")];
    server.event("backend.down", &setting);
    assert_eq!(server.events("backend.down", &[]).len(), 1);
}

#[test]
fn a_voice_server_that_does_not_answer_is_a_504() {
    let backend = Backend::start(Connection::ended);
    let server = start(backend.address, "timeout: 300ms", "");
    assert_eq!(server.send("http", OPENING.as_bytes()).status, 504);
}
