//! Ports that ask for a PROXY header: who the client is by it, and what becomes
//! of connections without one.

use super::behind_proxy::{connect, logged_peer, plain_port, start, start_within};
use super::support::server::{Setup, check_in, exchange, read_reply};
use super::support::{PATIENCE, Server, event, until};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

const CLIENT: &str = "203.0.113.7:56324";
const V1: &[u8] = b"PROXY TCP4 203.0.113.7 127.0.0.1 56324 443\r\n";
const V2_BEGIN: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [V2_BEGIN, &[0x20 | command, family], &length, rest].concat()
}

/// The same client as `V1` has, with TLVs behind it.
fn v2_client() -> Vec<u8> {
    let addresses = [203, 0, 113, 7, 127, 0, 0, 1, 0xdc, 0x04, 0x01, 0xbb];
    v2(1, 0x11, &[&addresses[..], &[0x04, 0, 3, 1, 2, 3]].concat())
}

/// Waits until the connection is closed; what came before.
fn closed(mut stream: TcpStream) -> Vec<u8> {
    let mut came = Vec::new();
    let start = Instant::now();
    // A reset is an end too: what was sent had not all been read.
    let _ = stream.read_to_end(&mut came);
    assert!(start.elapsed() < PATIENCE, "it was never closed");
    came
}

#[test]
fn a_header_of_either_version_names_the_client() {
    let server = start("[127.0.0.1]");
    let v6 = b"PROXY TCP6 2001:db8::7 ::1 56324 443\r\n";
    let mut count = 0;
    for (header, client) in [
        (V1, CLIENT),
        (&v2_client(), CLIENT),
        (v6, "[2001:db8::7]:56324"),
    ] {
        let request = check_in("esp32s3", "1.0");
        // At once, header and request apart, and a byte at a time.
        for piece in [usize::MAX, header.len(), 1] {
            let mut stream = server.tcp();
            stream.set_nodelay(true).unwrap();
            let all = [header, &request].concat();
            for (i, bytes) in all.chunks(piece.min(all.len())).enumerate() {
                stream.write_all(bytes).unwrap();
                if i < header.len() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            let reply = read_reply(&mut stream, false);
            assert_eq!(reply.status, 200);
            count += 1;
            assert_eq!(logged_peer(&server, count), client);
            // The connection goes on as any other.
            assert_eq!(exchange(&mut stream, &request).status, 200);
            count += 1;
            assert_eq!(logged_peer(&server, count), client);
        }
        let mut stream = server.tcp();
        stream.write_all(header).unwrap();
        let mut stream = server.tls_over(stream, "localhost", None);
        assert_eq!(exchange(&mut stream, &request).status, 200);
        count += 1;
        assert_eq!(logged_peer(&server, count), client);
    }
    assert!(server.find_line("scheme=https").is_some());
    assert_eq!(closings(&server, ""), [""; 0]);
    // The other port asks for none, and takes none.
    let mut stream = connect([127, 0, 0, 1], plain_port(&server));
    assert_eq!(
        exchange(&mut stream, &check_in("esp32s3", "1.0")).status,
        200
    );
    let mut stream = connect([127, 0, 0, 1], plain_port(&server));
    let all = [V1, &check_in("esp32s3", "1.0")].concat();
    assert_eq!(exchange(&mut stream, &all).status, 400);
}

#[test]
fn a_proxy_that_speaks_for_itself_keeps_its_address() {
    let server = start("[127.0.0.1]");
    let headers = [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN what ever \xff\r\n".to_vec(),
        v2(0, 0, &[]),
        v2(0, 0x11, &[1, 2, 3]),
        v2(1, 0x31, &[b'/'; 216]),
    ];
    for (i, header) in headers.iter().enumerate() {
        let mut stream = server.tcp();
        let own = stream.local_addr().unwrap().to_string();
        let all = [&header[..], &check_in("esp32s3", "1.0")].concat();
        assert_eq!(exchange(&mut stream, &all).status, 200);
        assert_eq!(logged_peer(&server, i + 1), own);
    }
    // A look at the port, without a word, is nothing to tell of.
    drop(server.tcp());
    let mut stream = server.tcp();
    exchange(&mut stream, &[V1, &check_in("esp32s3", "1.0")].concat());
    logged_peer(&server, headers.len() + 1);
    assert_eq!(closings(&server, ""), [""; 0]);
}

#[test]
fn an_unknown_client_speaks_for_itself_alone() {
    let server = Setup::new().start(
        "gateway:\n  ip: 127.0.0.1\n  ports: [{port: 0, proxy_protocol: true}]\n  behind_proxy: [127.0.0.1]\n  \
         http_fallback: false\nserver: {ota: 'https://ota.example.com/xiaozhi/ota/'}\n",
    );
    let forwarded = String::from_utf8(check_in("esp32s3", "1.0"))
        .unwrap()
        .replacen(
            "\r\n",
            "\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n",
            1,
        );
    for (header, status) in [
        (b"PROXY UNKNOWN\r\n".to_vec(), 403),
        (v2(1, 0x00, &[]), 403),
        (v2(1, 0x31, &[b'/'; 216]), 403),
        (b"PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n".to_vec(), 403),
        // The proxy's own word counts.
        (v2(0, 0, &[]), 200),
    ] {
        let all = [&header[..], forwarded.as_bytes()].concat();
        let reply = exchange(&mut server.tcp(), &all);
        assert_eq!(reply.status, status, "{header:?}");
    }
}

#[test]
fn who_names_nobody_keeps_to_a_share_where_nobody_is_listed() {
    let server = Setup::new().start(
        "gateway:\n  ip: 127.0.0.1\n  ports: [{port: 0, proxy_protocol: true}]\n  limits: {connections: 100, headers: 1h, idle: 1h}\n",
    );
    let held: Vec<_> = (0..110)
        .map(|_| {
            let mut stream = server.tcp();
            // It may have been refused already.
            let _ = stream.write_all(b"PROXY UNKNOWN\r\nGET /");
            stream
        })
        .collect();
    server.event("limit.share", &[("peer", "127.0.0.1")]);
    drop(held);
}

#[test]
fn without_a_header_nothing_is_answered_and_it_is_said_once() {
    let server = start("[127.0.0.0/8]");
    let no_crlf = [b"PROXY TCP4 ", &[b'1'; 200][..]].concat();
    let mut long = v2(1, 0x11, &[0; 12]);
    long[14..16].copy_from_slice(&4000_u16.to_be_bytes());
    is_told_once(
        &server,
        &[
            (&check_in("esp32s3", "1.0"), "proxy-header.missing"),
            (&[0x16, 3, 1, 2, 0, 1], "proxy-header.missing"),
            (b"\xff\xfe\xfd", "proxy-header.missing"),
            (b"PROXY TCP4 nonsense\r\n", "proxy-header.line"),
            (&no_crlf, "proxy-header.long-line"),
            (&long, "proxy-header.long"),
            (&v2(1, 0x11, &[0; 11]), "proxy-header.short"),
            (&v2(1, 0x99, &[0; 11]), "proxy-header.family"),
            (&v2(7, 0x11, &[0; 12]), "proxy-header.command"),
        ],
    );
    let mut stream = connect([127, 0, 0, 99], server.address());
    stream.write_all(&V1[..10]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(closed(stream), b"");
    let [line] = until("what is said of it", || {
        closings(&server, "127.0.0.99:").try_into().ok()
    });
    let why = [("why", "proxy-header.cut")];
    assert!(event::is(&line, "proxy-header.faulty", &why), "{line}");
    assert!(server.find_line("check-in reported").is_none());
}

#[test]
fn who_does_not_come_to_the_end_of_a_header_is_told_of_once() {
    let server = start_within("[127.0.0.0/8]", "500ms");
    is_told_once(&server, &[(b"PROXY TCP4 203.0.1", LATE), (b"", LATE)]);
}

/// Reason of a header that is not whole in time, which has an event of its own.
const LATE: &str = "proxy-header.late";

/// Returns what is said of connections that were closed, from addresses that begin so.
fn closings(server: &Server, peer: &str) -> Vec<String> {
    let ids = ["unlisted", "late", "faulty"].map(|end| format!("proxy-header.{end}"));
    let lines = server.log().into_iter().filter(|line| {
        let of_it = event::field(line, "peer").is_some_and(|found| found.starts_with(peer));
        of_it && ids.iter().any(|id| event::is(line, id, &[]))
    });
    lines.collect()
}

/// Sends each of these twice, from an address of its own, and nothing comes back.
fn is_told_once(server: &Server, cases: &[(&[u8], &str)]) {
    let begun = (10..).zip(cases).flat_map(|case| [case, case]);
    let begun = begun.map(|(number, (bytes, why))| {
        let mut stream = connect([127, 0, 0, number], server.address());
        // It may have been let go already.
        let _ = stream.write_all(bytes);
        (stream, why)
    });
    for (stream, why) in begun.collect::<Vec<_>>() {
        assert_eq!(closed(stream), b"", "{why}");
    }
    for (number, (_, why)) in (10..).zip(cases) {
        let peer = format!("127.0.0.{number}:");
        let said = until("what is said of it", || {
            let said = closings(server, &peer);
            (!said.is_empty()).then_some(said)
        });
        // One that does not come whole has an event of its own.
        let is_told = match *why {
            LATE => event::is(&said[0], LATE, &[]),
            why => event::is(&said[0], "proxy-header.faulty", &[("why", why)]),
        };
        assert!(is_told, "{why}: {said:?}");
        assert_eq!(said.len(), 1, "{why}: {said:?}");
    }
}

#[test]
fn a_header_counts_within_its_time() {
    let server = start_within("[127.0.0.1]", "1s");
    let mut stream = server.tcp();
    let _ = stream.write_all(b"PROXY UNKNOWN ");
    let step = Some(Duration::from_millis(100));
    stream.set_read_timeout(step).unwrap();
    let start = Instant::now();
    let mut dripped = 0;
    // Never whole, never too long, and never still for the time of a header.
    while matches!(stream.read(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock) {
        if dripped < 60 {
            let _ = stream.write_all(b"x");
            dripped += 1;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "a dripping header holds a connection"
        );
    }
    server.event("proxy-header.late", &[]);
}

#[test]
fn who_is_not_listed_may_name_nobody() {
    let server = start("[127.0.0.2, 10.0.0.0/8]");
    let all = [V1, &check_in("esp32s3", "1.0")].concat();
    let mut stranger = connect([127, 0, 0, 1], server.address());
    stranger.write_all(&all).unwrap();
    assert_eq!(closed(stranger), b"");
    let line = server.event("proxy-header.unlisted", &[]);
    assert!(
        event::field(&line, "peer")
            .unwrap()
            .starts_with("127.0.0.1:"),
        "{line}"
    );
    let mut proxy = connect([127, 0, 0, 2], server.address());
    assert_eq!(exchange(&mut proxy, &all).status, 200);
    assert_eq!(logged_peer(&server, 1), CLIENT);
    // Without a list anybody may, and `validate` says so.
    let server = start("false");
    assert_eq!(exchange(&mut server.tcp(), &all).status, 200);
    assert_eq!(logged_peer(&server, 1), CLIENT);
    server.event("config.proxy-header-from-anybody", &[]);
}

#[test]
fn shares_are_the_clients_and_not_the_proxys() {
    let server = Setup::new().start(
        "gateway:\n  ip: 127.0.0.1\n  ports: [{port: 0, proxy_protocol: true}, 0]\n  behind_proxy: 127.0.0.1\n  \
         limits: {connections: 100, headers: 1h, idle: 1h}\n",
    );
    // It asks with all of a request, or begins one.
    let ask = |client: u8, all: &[u8]| {
        let mut stream = server.tcp();
        let header = format!("PROXY TCP4 203.0.113.{client} 127.0.0.1 1 2\r\n");
        // It may have been refused already.
        let _ = stream.write_all(&[header.as_bytes(), all].concat());
        stream
    };
    let (half, whole) = (&b"GET /"[..], check_in("x", "1.0"));
    let held: Vec<_> = (0..110).map(|_| ask(1, half)).collect();
    let line = server.event("limit.share", &[]);
    let peer = event::field(&line, "peer").unwrap();
    assert!(peer.starts_with("203.0.113.1"), "{line}");
    // What was refused has its answer.
    until("an answer", || {
        let mut held = held.iter();
        held.find(|stream| {
            stream.set_nonblocking(true).unwrap();
            let mut reader = *stream;
            matches!(reader.read(&mut [0]), Ok(1))
        })
    });
    for client in 2..12 {
        assert_eq!(read_reply(&mut ask(client, &whole), false).status, 200);
    }
    // A proxy that sends requests of many clients has no share to keep to.
    drop(held);
    let many: Vec<_> = (0..95)
        .map_while(|_| {
            let mut stream = connect([127, 0, 0, 1], plain_port(&server));
            stream.write_all(&check_in("x", "1.0")).unwrap();
            matches!(stream.read(&mut [0]), Ok(1)).then_some(stream)
        })
        .collect();
    assert_eq!(many.len(), 95);
}
