//! Clients that reset while a server behind thinks: what was done for them ends at once, on
//! both sides. Every deadline is an hour, so that nothing else ends it.

use super::proxy::VISION;
use super::support::backend::{Backend, Connection};
use super::support::server::{Setup, read_reply};
use super::support::{PATIENCE, Server};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
    sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const OPENING: &str = "GET /xiaozhi/v1/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nDevice-Id: aa:bb\r\n\r\n";

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";
const GATHERED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";

/// A backend that begins the reply that a path asks for, or none, and then thinks. It says
/// what was asked for, and again when that connection has ended.
fn thinking() -> (Backend, Receiver<String>) {
    let (say, said) = channel();
    let say = Mutex::new(say);
    let backend = Backend::start(move |connection: &mut Connection| {
        let say = say.lock().unwrap().clone();
        let Some(request) = connection.head() else {
            return;
        };
        let begins = [
            ("/x/events", EVENTS),
            ("/x/half", HALF),
            ("/x/gathered", GATHERED),
        ];
        for (path, begin) in begins {
            if request.line().contains(path) {
                connection.send(begin);
            }
        }
        say.send(format!("asked: {}", request.line())).unwrap();
        connection.ended();
        say.send(format!("ended: {}", request.line())).unwrap();
    });
    (backend, said)
}

fn start(backend: &Backend) -> Server {
    let to = backend.address;
    Setup::new().start(&format!(
        "gateway:\n  limits: {{headers: 1h, idle: 1h}}\n  proxy:\n    websocket: http://{to}\n    \
         vision: http://{to}\n    routes: {{/x/: 'http://{to}'}}\n    timeout: 1h\n    idle: 1h\n"
    ))
}

/// Has the close that follows be a reset.
fn resets(stream: &TcpStream) {
    let linger = Some(Duration::ZERO);
    SockRef::from(stream).set_linger(linger).unwrap();
}

/// Waits until this was said of so many requests.
#[track_caller]
fn hears(said: &Receiver<String>, what: &str, count: usize) {
    let mut heard = Vec::new();
    while heard.len() < count {
        match said.recv_timeout(PATIENCE) {
            Ok(said) => heard.push(said),
            Err(e) => panic!("{e} after {heard:#?}"),
        }
    }
    assert!(
        heard.iter().all(|said| said.starts_with(what)),
        "{heard:#?}"
    );
}

#[test]
fn a_client_that_resets_is_let_go_whatever_it_waits_for() {
    let (backend, said) = thinking();
    let server = start(&backend);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
    let post = |length: usize| {
        format!("POST {VISION} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\nabcd")
    };
    let requests = [
        get("/x/a"),
        get("/x/events"),
        get("/x/half"),
        get("/x/gathered"),
        get("/x/a").repeat(2),
        post(4),
        post(400),
        OPENING.to_owned(),
    ];
    let (mut plain, mut tls) = (Vec::new(), Vec::new());
    for request in &requests {
        for _ in [false, true] {
            let mut stream = server.tcp();
            stream.write_all(request.as_bytes()).unwrap();
            plain.push(stream);
            let mut stream = server.tls("localhost", None);
            stream.write_all(request.as_bytes()).unwrap();
            stream.flush().unwrap();
            tls.push(stream);
        }
    }
    let sockets: Vec<_> = plain
        .iter()
        .chain(tls.iter().map(|tls| &tls.sock))
        .collect();
    hears(&said, "asked", sockets.len());
    for (n, stream) in sockets.iter().enumerate() {
        if n % 2 == 0 {
            stream.shutdown(Shutdown::Write).unwrap();
        }
        let linger = Some(Duration::ZERO);
        SockRef::from(*stream).set_linger(linger).unwrap();
    }
    let count = sockets.len();
    drop((plain, tls));
    hears(&said, "ended", count);
}

#[test]
fn who_shuts_one_side_only_gets_the_reply() {
    let backend = Backend::start(|connection| {
        if connection.request().is_some() {
            // Longer than it takes to see a reset.
            std::thread::sleep(Duration::from_millis(1200));
            connection.reply("fine\n");
        }
    });
    let server = start(&backend);
    let request = b"GET /x/a HTTP/1.1\r\nHost: h\r\n\r\n";
    let mut plain = server.tcp();
    plain.write_all(request).unwrap();
    plain.shutdown(Shutdown::Write).unwrap();
    // With its goodbye, and without.
    let mut all = Vec::new();
    for says in [true, false] {
        let mut tls = server.tls("localhost", None);
        tls.write_all(request).unwrap();
        if says {
            tls.conn.send_close_notify();
        }
        tls.flush().unwrap();
        tls.sock.shutdown(Shutdown::Write).unwrap();
        all.push(tls);
    }
    assert_eq!(read_reply(&mut plain, false).text(), "fine\n");
    for mut tls in all {
        assert_eq!(read_reply(&mut tls, false).text(), "fine\n");
    }
}

#[test]
fn a_websocket_ends_with_its_client_though_the_backend_takes_nothing() {
    for shuts in [false, true] {
        let (say, said) = channel();
        let say = Mutex::new(say);
        let backend = Backend::start(move |connection| {
            let say = say.lock().unwrap().clone();
            connection.head();
            connection.send(ACCEPTED);
            say.send(connection.stream.try_clone().unwrap()).unwrap();
        });
        let server = start(&backend);
        let mut device = server.tcp();
        device.write_all(OPENING.as_bytes()).unwrap();
        let mut end = said.recv_timeout(PATIENCE).unwrap();
        let mut byte = [0; 1];
        device.read_exact(&mut byte).unwrap();
        if shuts {
            device.shutdown(Shutdown::Write).unwrap();
        } else {
            // Until everything between is full.
            let a_while = Some(Duration::from_millis(200));
            device.set_write_timeout(a_while).unwrap();
            while device.write_all(&[0x82; 16 * 1024]).is_ok() {}
        }
        resets(&device);
        drop(device);
        let fields = [("device", "aa:bb")];
        server.event("websocket.broke", &fields);
        let mut rest = Vec::new();
        let _ = end.read_to_end(&mut rest);
    }
}

/// One place for all, so that whoever is not let go keeps the next one out.
#[test]
fn a_client_that_resets_at_any_stage_gives_its_place_back() {
    let config = "gateway:\n  limits: {connections: 1, handshake: 1h, headers: 1h, idle: 1h}\n";
    let image = vec![0xE9; 8 << 20];
    let server = Setup::new().file("a_1.0.bin", image).start(config);
    let post = "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: h\r\nDevice-Id: d\r\nClient-Id: c\r\n";
    for begin in [
        "",
        "\u{16}\u{3}\u{1}",
        "POST /xiaozhi/ota/ HTT",
        &format!("{post}Content-Length: 100\r\n\r\n{{"),
        &format!("{post}Transfer-Encoding: chunked\r\n\r\n1\r\n{{"),
        &format!("{post}Content-Length: 2\r\n\r\n{{}}"),
        "GET /xiaozhi/ota/download/a_1.0.bin HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        for shuts in [false, true] {
            let mut stream = server.tcp();
            stream.write_all(begin.as_bytes()).unwrap();
            if shuts {
                stream.shutdown(Shutdown::Write).unwrap();
            }
            resets(&stream);
            drop(stream);
            let reply = server.get("/xiaozhi/ota/");
            assert_eq!(reply.status, 200, "{begin:?} {shuts}");
        }
    }
}
