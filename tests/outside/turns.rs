//! Turns of handshakes: a crowd from one address makes nobody else wait.

use super::support::server::{BINARY, Setup, check_in, der, exchange};
use super::support::{PATIENCE, Server, until};
use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned};
use socket2::{Domain, Socket, Type};
use std::fs;
use std::io::{IoSliceMut, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;

/// Number of hellos that come at once.
const CROWD: usize = 400;
/// Number of them that may be answered before a newcomer is: a few, while all that wait
/// in the kernel are accepted and read, and more of them the longer that takes.
const FEW: usize = CROWD / 2;

/// Starts a server that has one core, and so one worker.
fn with_one_worker(config: &str) -> Server {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let core = allowed.unwrap().trim().split([',', '-']).next().unwrap();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core, BINARY]);
    Setup::new().start_by(config, &mut command)
}

/// Holds the server, so that whoever comes now waits in the kernel.
fn hold(server: &Server) {
    server.signal("STOP");
    let stat = format!("/proc/{}/stat", server.pid());
    until("a stop", || {
        let stat = fs::read_to_string(&stat).unwrap();
        stat.contains(") T ").then_some(())
    });
}

/// Connects from an address of its own; the kernel notes when something comes.
fn from(own: [u8; 4], server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    setsockopt(&socket, ReceiveTimestampns, &true).unwrap();
    socket.bind(&SocketAddr::from((own, 0)).into()).unwrap();
    socket.connect(&server.address().into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The first message of a TLS client.
fn hello(server: &Server) -> Vec<u8> {
    let mut client = server.tls("localhost", None).conn;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

/// Connects, and begins a handshake.
fn begin(own: [u8; 4], server: &Server, hello: &[u8]) -> TcpStream {
    let mut stream = from(own, server);
    stream.write_all(hello).unwrap();
    stream
}

/// Waits for the answer; returns its first byte, and when it came to this machine.
fn answer(stream: &TcpStream) -> (u8, TimeSpec) {
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    let mut room = nix::cmsg_space!(TimeSpec);
    let flags = MsgFlags::empty();
    let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut room), flags).unwrap();
    let came = message.cmsgs().unwrap().find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(came) => Some(came),
        _ => None,
    });
    assert_eq!(message.bytes, 1, "closed without an answer");
    (byte[0], came.unwrap())
}

#[test]
fn a_newcomer_is_answered_before_a_crowd_that_came_first() {
    let server = with_one_worker("");
    let hello = hello(&server);
    hold(&server);
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| begin([127, 0, 0, 2], &server, &hello))
        .collect();
    let newcomer = begin([127, 0, 0, 3], &server, &hello);
    let mut plain = from([127, 0, 0, 4], &server);
    plain.write_all(&check_in("esp32s3", "1.0.0")).unwrap();
    server.signal("CONT");
    let (newcomer, plain) = (answer(&newcomer), answer(&plain));
    assert_eq!((newcomer.0, plain.0), (0x16, b'H'));
    // And all of the crowd are answered, too: they may be devices of one network.
    let answers: Vec<_> = crowd.iter().map(answer).collect();
    for came in [newcomer.1, plain.1] {
        let before = answers.iter().filter(|answer| answer.1 < came).count();
        assert!(before <= FEW, "{before} of {CROWD} before it");
    }
}

#[test]
fn whoever_leaves_while_he_waits_costs_no_answer() {
    let server = with_one_worker("");
    let hello = hello(&server);
    hold(&server);
    for number in 1..=20 {
        drop(begin([127, 0, 8, number], &server, &hello));
    }
    let stays = begin([127, 0, 0, 3], &server, &hello);
    server.signal("CONT");
    assert_eq!(answer(&stays).0, 0x16);
    let line = server.event(
        "tls.crowded",
        &[("end", "the client left before its turn came")],
    );
    assert!(line.contains("peer=127.0.8."), "{line}");
}

#[test]
fn whose_turn_does_not_come_in_time_is_told_of() {
    let config = "gateway:\n  limits: {handshake: 5ms, headers: 1h, idle: 1h, drain: 1h}\n";
    let server = with_one_worker(config);
    let hello = hello(&server);
    hold(&server);
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| begin([127, 0, 0, 2], &server, &hello))
        .collect();
    server.signal("CONT");
    let line = server.event("tls.crowded", &[("end", "turn did not come in time")]);
    assert!(line.contains("peer=127.0.0.2:"), "{line}");
    drop(crowd);
}

/// Whatever is kept for a session costs every handshake, and no device comes back to one.
#[test]
fn no_session_is_offered_to_be_resumed() {
    let server = Setup::new().start("");
    let pem = fs::read_to_string(server.dir.path().join("certs/self-signed.crt")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(der(&pem).remove(0)).unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        // One memory of sessions for both connections.
        let config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let config = Arc::new(config);
        for _ in 0..2 {
            let name = "localhost".try_into().unwrap();
            let client = ClientConnection::new(Arc::clone(&config), name).unwrap();
            let mut stream = StreamOwned::new(client, server.tcp());
            assert_eq!(exchange(&mut stream, &check_in("x", "1.0")).status, 200);
            let client = &stream.conn;
            assert_eq!(client.protocol_version(), Some(version.version));
            assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(client.tls13_tickets_received(), 0);
        }
    }
}
