//! Listeners: one socket a worker, and nobody lost between them.

use super::support::server::{BINARY, Setup, check_in, read_reply};
use super::support::{Server, until};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::thread;

/// Number of clients that wait while the server is held.
const CROWD: usize = 96;

/// Returns the number of sockets that listen on the server's port.
fn listening(server: &Server) -> usize {
    let port = format!(":{:04X}", server.address().port());
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let table = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
    let sockets = table.iter().flat_map(|table| table.lines());
    // The second word is the address of this side, the fourth the state: 0A is LISTEN.
    let fields = sockets.map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields
        .filter(|words| words.len() > 3 && words[1].ends_with(&port) && words[3] == "0A")
        .count()
}

#[test]
fn every_worker_has_a_socket_of_its_own() {
    let server = Setup::new().start("");
    let cores = thread::available_parallelism().unwrap().get();
    assert_eq!(listening(&server), cores);
    // A second one beside it would take its share of the devices.
    let port = server.address().port();
    let beside = Setup::new();
    let config = format!("gateway: {{ports: [{port}]}}\n");
    fs::write(beside.path().join("data/.config.yaml"), config).unwrap();
    for _ in 0..3 {
        let second = Command::new(BINARY).current_dir(beside.path()).output();
        assert!(!second.unwrap().status.success());
        assert_eq!(listening(&server), cores);
    }
}

#[test]
fn a_crowd_is_served_by_every_worker() {
    let server = Setup::new().start("");
    let held: Vec<_> = (0..CROWD).map(|_| server.tcp()).collect();
    for mut stream in &held {
        stream.write_all(&check_in("esp32s3", "1.0.0")).unwrap();
        assert_eq!(read_reply(&mut stream, false).status, 200);
    }
    let cores = thread::available_parallelism().unwrap().get();
    // Each worker has an epoll of its own, in which its connections stand.
    let workers = until("connections on every worker", || {
        let workers = epolls_with_more_than(&server, CROWD / cores / 4);
        (workers.len() == cores).then_some(workers)
    });
    assert_eq!(workers.len(), cores);
}

/// Returns the epoll descriptors of the server that watch more than `few` files.
fn epolls_with_more_than(server: &Server, few: usize) -> BTreeSet<String> {
    let folder = format!("/proc/{}/fdinfo", server.pid());
    let files = fs::read_dir(folder).unwrap().flatten();
    let watching = files.filter_map(|file| {
        let text = fs::read_to_string(file.path()).ok()?;
        let watched: BTreeSet<_> = text
            .lines()
            .filter(|line| line.starts_with("tfd:"))
            .filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned))
            .collect();
        // tokio holds each epoll twice; what both watch tells that they are one.
        (watched.len() > few).then(|| watched.into_iter().collect::<Vec<_>>().join(" "))
    });
    watching.collect()
}

#[test]
fn whoever_came_before_the_stop_is_answered() {
    let mut server = Setup::new().start("");
    // Held, it cannot accept: who comes now waits in the kernel.
    server.signal("STOP");
    let crowd: Vec<TcpStream> = (0..CROWD)
        .map(|_| {
            let mut stream = server.tcp();
            stream.write_all(&check_in("esp32s3", "1.0.0")).unwrap();
            stream
        })
        .collect();
    server.signal("TERM");
    server.signal("CONT");
    for mut stream in crowd {
        assert_eq!(read_reply(&mut stream, false).status, 200);
    }
    assert!(server.end().success());
}
