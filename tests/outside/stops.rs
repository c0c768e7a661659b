//! The end: what was begun is finished, and nothing else holds it up.

use super::limits::{PATH, closed, server, with_short};
use super::support::server::{Server, Setup, check_in, exchange, read_reply, request};
use super::support::{noise, until};
use std::io::{Read, Write};
use std::net::TcpStream;
use xiaozhi_image_builder::Image;

/// Number of bytes of a download that are read at its begin.
const BEGUN: usize = 1000;

/// Begins a download, more than the kernel holds.
fn begun(server: &Server) -> TcpStream {
    let mut download = server.tcp();
    download.write_all(&request("GET", PATH, &[], b"")).unwrap();
    download.read_exact(&mut [0; BEGUN]).unwrap();
    download
}

/// Reads a download to its end, and closes: the server waits for the end of whoever was sent
/// so much.
fn finish(mut download: TcpStream) {
    let mut rest = Vec::new();
    download.read_to_end(&mut rest).unwrap();
    let all = BEGUN + rest.len();
    assert!(all > 48 << 20, "only {all} bytes came");
}

/// Checks in over a connection of its own, and returns whether an image is offered.
fn is_offered(server: &Server) -> bool {
    let reply = server.send("http", &check_in("bread", "1.0"));
    reply.hold_to_contract("a check-in");
    let url = &reply.whole_json()["firmware"]["url"];
    url.as_str().is_some_and(|url| !url.is_empty())
}

fn refuses(server: &Server) {
    until("no new connections", || {
        TcpStream::connect(server.address()).is_err().then_some(())
    });
}

#[test]
fn asked_to_stop_it_finishes_what_was_begun_and_answers_meanwhile() {
    let mut server = Setup::new()
        .file("esp32s3_1.6.6.bin", noise(48 << 20, 1))
        .file("bread_1.6.6.bin", Image::new("1.6.6").build())
        .start("");
    assert!(is_offered(&server));
    let early = begun(&server);
    let mut idle = server.tcp();
    assert_eq!(exchange(&mut idle, &check_in("x", "1.0")).status, 200);
    server.signal("TERM");
    server.event("stop.asked", &[]);
    closed(idle);
    // It is told nothing that would begin a download, and why is in the log.
    for _ in 0..3 {
        assert!(!is_offered(&server));
    }
    server.event("withheld.stopping", &[]);
    // Over TLS the request comes behind a handshake.
    let reply = server.send("https", &check_in("esp32s3", "1.0"));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("Connection"), Some("close"));
    // Who was offered it a moment before fetches it now, and holds the end up, too.
    let late = begun(&server);
    finish(early);
    assert!(!is_offered(&server));
    finish(late);
    refuses(&server);
    assert!(server.end().success());
    server.event("stopped", &[]);
}

#[test]
fn who_asks_nothing_holds_up_no_end() {
    let mut server = server("");
    // A connection that says nothing more, and one that comes when the stop has begun.
    let mut half = server.tcp();
    half.write_all(b"POST /xiaozhi/ota/ HTTP/1.1\r\n").unwrap();
    let download = begun(&server);
    server.signal("TERM");
    server.event("stop.draining", &[]);
    let silent = server.tcp();
    finish(download);
    assert!(server.end().success());
    drop((half, silent));
}

#[test]
fn asked_to_stop_it_waits_for_no_half_of_a_head() {
    let mut server = with_short("idle: 30s");
    let download = begun(&server);
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
    finish(download);
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
