//! The end: what was begun is finished, and nothing else holds it up.

use super::limits::{PATH, closed, server, with_short};
use super::support::server::{Server, check_in, exchange, read_reply, request};
use super::support::until;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Number of bytes of a download that are read at its begin.
const BEGUN: usize = 1000;

/// Begins a download, more than the kernel holds.
fn begun(server: &Server) -> TcpStream {
    let mut download = server.tcp();
    download.write_all(&request("GET", PATH, &[], b"")).unwrap();
    download.read_exact(&mut [0; BEGUN]).unwrap();
    download
}

#[test]
fn asked_to_stop_it_finishes_what_was_begun() {
    let mut server = server("");
    let mut download = begun(&server);
    let mut idle = server.tcp();
    assert_eq!(exchange(&mut idle, &check_in("x", "1.0")).status, 200);
    server.signal("TERM");
    server.event("stop.asked", &[]);
    until("no new connections", || {
        TcpStream::connect(server.address()).is_err().then_some(())
    });
    closed(idle);
    let mut rest = Vec::new();
    download.read_to_end(&mut rest).unwrap();
    let all = BEGUN + rest.len();
    assert!(all > 48 << 20, "only {all} bytes came");
    // The server waits for the end of whoever was sent so much.
    drop(download);
    assert!(server.end().success());
    server.event("stopped", &[]);
}

#[test]
fn asked_to_stop_it_waits_for_no_half_of_a_head() {
    let mut server = with_short("idle: 30s");
    let mut download = begun(&server);
    let whole = check_in("x", "1.0");
    let mut body = server.tcp();
    body.write_all(&whole[..whole.len() - 1]).unwrap();
    let mut head = server.tcp();
    head.write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\n")
        .unwrap();
    server.signal("TERM");
    server.event("stop.draining", &[("drain", "3600s")]);
    let reply = read_reply(&mut head, false);
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("Connection"), Some("close"));
    // What was begun goes on.
    body.write_all(&whole[whole.len() - 1..]).unwrap();
    assert_eq!(read_reply(&mut body, false).status, 200);
    let mut rest = Vec::new();
    download.read_to_end(&mut rest).unwrap();
    let all = BEGUN + rest.len();
    assert!(all > 48 << 20, "only {all} bytes came");
    drop(download);
    assert!(server.end().success());
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut server = server("");
    let _download = begun(&server);
    server.signal("TERM");
    server.event("stop.asked", &[]);
    // The drain time is longer than anybody waits here.
    server.signal("TERM");
    server.end();
    server.event("stop.forced", &[]);
}

#[test]
fn the_drain_time_is_the_end() {
    let mut server = with_short("drain: 300ms");
    let _download = begun(&server);
    server.signal("INT");
    assert!(server.end().success());
    server.event("stop.draining", &[("drain", "300ms")]);
    server.event("stop.cut", &[]);
}
