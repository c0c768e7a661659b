//! Connections that end in a reset, at every stage of their life.

use super::crowd::{hello, reset};
use super::sized;
use super::watch::{IMAGE, Scenario, image, open_files};
use crate::support::backend::Backend;
use crate::support::server::{PATIENT, Server, Setup, check_in, read_reply};
use crate::support::{PATIENCE, noise, until};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const LARGE: &str = "GET /xiaozhi/ota/download/large_1.0.bin HTTP/1.1\r\nHost: x\r\n\r\n";
const OPENING: &str = "GET /xiaozhi/v1/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nDevice-Id: aa:bb\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A server before one that takes voice and thinks about the rest, and that one's
/// ends of the connections.
fn server() -> (Server, Backend, Receiver<TcpStream>) {
    let (give, take) = channel();
    let give = Mutex::new(give);
    let backend = Backend::start(move |connection| {
        let Some(asked) = connection.head() else {
            return;
        };
        if !asked.headers("upgrade").is_empty() {
            connection.send(ACCEPTED);
        }
        let end = connection.stream.try_clone().unwrap();
        let _ = give.lock().unwrap().send(end);
    });
    let config = format!(
        "gateway:\n{PATIENT}  proxy: {{websocket: 'http://{0}', routes: {{/x/: 'http://{0}'}}, timeout: 1h}}\n",
        backend.address
    );
    let server = Setup::new()
        .file(IMAGE, image())
        .file("large_1.0.bin", noise(4 << 20, 1))
        .start(&config);
    (server, backend, take)
}

/// How far a connection goes before it is reset.
type Stage<'a> = (&'static str, &'a dyn Fn(&mut TcpStream));

#[test]
fn resets_at_every_stage() {
    let Some(scenario) = Scenario::new("resets_at_every_stage") else {
        return;
    };
    let (server, _backend, ends) = server();
    let hello = hello();
    let shake = |stream: &mut TcpStream| {
        let mut tls = server.tls_over(stream.try_clone().unwrap(), "localhost", None);
        // Until the server has answered.
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock).unwrap();
        }
    };
    let send = |stream: &mut TcpStream, bytes: &[u8]| stream.write_all(bytes).unwrap();
    let body = "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    let stages: [Stage<'_>; 10] = [
        ("accepted", &|_| {}),
        ("in the hello", &|stream| {
            send(stream, &hello[..hello.len() / 2]);
        }),
        ("behind the hello", &|stream| send(stream, &hello)),
        ("behind the handshake", &shake),
        ("in the head", &|stream| {
            send(stream, b"POST /xiaozhi/ota/ HT");
        }),
        ("in the body", &|stream| send(stream, body.as_bytes())),
        ("before the reply", &|stream| {
            send(stream, &check_in("x", "1.0"));
        }),
        ("in the reply", &|stream| {
            send(stream, &check_in("x", "1.0"));
            stream.read_exact(&mut [0; 20]).unwrap();
        }),
        ("in the download", &|stream| {
            send(stream, LARGE.as_bytes());
            stream.read_exact(&mut vec![0; 100_000]).unwrap();
        }),
        ("in an upgrade", &|stream| {
            send(stream, OPENING.as_bytes());
            stream.read_exact(&mut [0; 100]).unwrap();
            ends.recv_timeout(PATIENCE).unwrap();
        }),
    ];
    let rounds = sized(3, 200);
    let did = format!("{rounds} resets at each of {} stages", stages.len());
    scenario.kept(40).run(&server, did, |_| {
        let before = open_files(&server);
        for (stage, go) in stages {
            for _ in 0..rounds {
                let mut stream = server.tcp();
                go(&mut stream);
                reset(stream);
            }
            // But for the device's own connections.
            until(stage, || (open_files(&server) <= before + 8).then_some(()));
        }
    });
}

/// A server behind hears within a second that nobody waits for its answer any more.
#[test]
fn a_client_resets_while_a_backend_thinks() {
    let Some(scenario) = Scenario::new("a_client_resets_while_a_backend_thinks") else {
        return;
    };
    let (server, _backend, ends) = server();
    let size = sized(20, 500);
    let did = format!("{size} clients reset while a backend thinks");
    scenario.run(&server, did, |_| {
        let post = b"POST /x/ HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}";
        let asked = (0..size).map(|n| {
            let mut stream = server.tcp();
            if n % 2 == 0 {
                stream
                    .write_all(b"GET /x/ HTTP/1.1\r\nHost: x\r\n\r\n")
                    .unwrap();
            } else {
                stream.write_all(post).unwrap();
            }
            let end = ends.recv_timeout(PATIENCE).unwrap();
            (stream, end)
        });
        let (streams, ends): (Vec<_>, Vec<_>) = asked.collect();
        let since = Instant::now();
        streams.into_iter().for_each(reset);
        let most = sized(PATIENCE, Duration::from_secs(1));
        for mut end in ends {
            let left = most.saturating_sub(since.elapsed());
            assert!(!left.is_zero(), "the last ones are held");
            end.set_read_timeout(Some(left)).unwrap();
            // What is left of the request, and then its end.
            let ended = end.read_to_end(&mut Vec::new()).map_err(|e| e.kind());
            assert_ne!(ended, Err(ErrorKind::WouldBlock), "one is held");
        }
    });
}

/// Whoever has said all that he has to say still waits for the answer.
#[test]
fn a_client_shuts_its_side_while_a_backend_thinks() {
    let Some(scenario) = Scenario::new("a_client_shuts_its_side_while_a_backend_thinks") else {
        return;
    };
    let (server, _backend, ends) = server();
    let size = sized(10, 200);
    let did = format!("{size} clients shut their side while a backend thinks");
    scenario.run(&server, did, |meanwhile| {
        let asked = (0..size).map(|_| {
            let mut stream = server.tcp();
            stream
                .write_all(b"GET /x/ HTTP/1.1\r\nHost: x\r\n\r\n")
                .unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            (stream, ends.recv_timeout(PATIENCE).unwrap())
        });
        let asked: Vec<_> = asked.collect();
        meanwhile.while_it_asks(|| {});
        for (mut stream, mut end) in asked {
            end.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlate\n")
                .unwrap();
            let reply = read_reply(&mut stream, false);
            assert_eq!((reply.status, reply.text()), (200, "late\n"));
        }
    });
}
