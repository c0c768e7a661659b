//! How much of it there may be at once; and what is no upstream at all.

use super::super::support::server::BINARY;
use super::super::support::until;
use super::*;
use std::collections::HashSet;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Number of connections to a port of this machine that are open, or about to be, as the kernel
/// sees them from the side that opened them.
fn connections_to(port: u16) -> usize {
    let all = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let is_one = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        let to = fields.next().unwrap_or_default();
        let state = fields.next().unwrap_or_default();
        to.ends_with(&format!(":{port:04X}")) && ["01", "02"].contains(&state)
    };
    all.lines().filter(is_one).count()
}

#[test]
fn no_queue_builds_up_behind_a_server_that_stands_still() {
    let behind = Backend::start(Connection::ended);
    let url = format!("http://{}/xiaozhi/ota/", behind.address);
    let config = format!("gateway:\n  upstream: {{url: '{url}', kind: other, timeout: 1s}}\n");
    let server = setup().start(&config);
    let began = Instant::now();
    let (statuses, most) = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..200u32)
            .map(|number| {
                let server = &server;
                scope.spawn(move || server.send("http", &check_in_of(&mac(number))).status)
            })
            .collect();
        // Downloads notice nothing.
        let download = server.get("/xiaozhi/ota/download/a_1.1.0.bin");
        assert_eq!(download.status, 200);
        let mut most = 0;
        while asked.iter().any(|asked| !asked.is_finished()) {
            most = most.max(connections_to(behind.address.port()));
        }
        let statuses = asked.into_iter().map(|asked| asked.join().unwrap());
        (statuses.collect::<Vec<u16>>(), most)
    });
    assert_eq!(
        statuses.iter().collect::<HashSet<_>>(),
        HashSet::from([&503])
    );
    assert!(began.elapsed() < Duration::from_secs(60));
    assert!((1..=32).contains(&most), "{most}");
    server.event("upstream.unanswered", &[("why", "upstream.crowded")]);
    // From here on one at a time tries.
    until("the breaker to be open", || {
        check_in(&server, &mac(1));
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(|| check_in(&server, &mac(1)).status);
            let other = scope.spawn(|| check_in(&server, &mac(2)).status);
            (one.join().unwrap(), other.join().unwrap())
        });
        assert_eq!((one, other), (503, 503));
        let tried = server.events("upstream.unanswered", &[("why", "upstream.tried")]);
        (!tried.is_empty()).then_some(())
    });
    assert_eq!(server.events("upstream.down", &[]).len(), 1);
}

#[test]
fn connections_are_kept() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let behind = Backend::start(move |connection| {
        counted.fetch_add(1, Ordering::SeqCst);
        while connection.request().is_some() {
            connection.send(ok(&bound()));
        }
    });
    let url = format!("http://{}/xiaozhi/ota/", behind.address);
    let config = format!("gateway:\n  upstream: {{url: '{url}', kind: other}}\n");
    let server = setup().start(&config);
    let mut stream = server.tcp();
    for _ in 0..50 {
        let reply = super::super::support::server::exchange(&mut stream, &check_in_of(&mac(1)));
        assert_eq!(reply.status, 200);
    }
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn it_is_changed_without_a_restart() {
    let (first, second) = (StandIn::new(bound()), StandIn::new(bound()));
    let server = first.in_front("other");
    assert_eq!(check_in(&server, &mac(1)).status, 200);
    server.configure(&second.config("other", ""));
    server.reload();
    assert_eq!(check_in(&server, &mac(1)).status, 200);
    assert_eq!(
        (first.backend.seen().len(), second.backend.seen().len()),
        (1, 1)
    );
    server.configure("");
    server.reload();
    assert!(check_in(&server, &mac(1)).whole_json()["websocket"]["url"].is_string());
    assert_eq!(second.backend.seen().len(), 1);
}

#[test]
fn it_is_asked_over_tls_where_its_address_says_so() {
    // Another of our own servers stands behind, which has a certificate.
    let behind = Server::start(
        "server: {websocket: 'ws://behind:8000/xiaozhi/v1/'}\ngateway:\n  tls: {names: [localhost]}\n",
        &[],
    );
    let url = format!("https://localhost:{}/xiaozhi/ota/", behind.ports[0]);
    let config = format!("gateway:\n  upstream: {{url: '{url}', kind: other}}\n");
    let roots = behind.dir.path().join("certs/self-signed.crt");
    let mut command = Command::new(BINARY);
    command.env("SSL_CERT_FILE", &roots);
    let server = setup().start_by(&config, &mut command);
    let told = check_in(&server, &mac(1)).whole_json();
    assert_eq!(told["websocket"]["url"], "ws://behind:8000/xiaozhi/v1/");
    assert!(
        told["firmware"]["url"]
            .as_str()
            .unwrap()
            .contains("a_1.1.0.bin")
    );
    // Nobody else vouches for it.
    let server = setup().start(&config);
    assert_eq!(check_in(&server, &mac(1)).status, 503);
    let line = server.event("upstream.down", &[]);
    assert!(line.contains("certificate"), "{line}");
}

/// Whether a configuration is good, and what `validate` says of it.
fn judged(setup: &Setup, config: &str) -> (bool, String) {
    let file = setup.path().join("c.yaml");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(BINARY);
    let judged = command.arg("validate").arg(&file).output().unwrap();
    let said = [judged.stdout, judged.stderr].concat();
    (judged.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn what_is_no_upstream_is_refused_by_its_line() {
    let setup = Setup::new();
    for (config, words) in [
        (
            "{url: 'http://127.0.0.1:8003/xiaozhi/ota/', kind: other}",
            "itself",
        ),
        (
            "{url: 'https://localhost:8003/xiaozhi/ota/', kind: other}",
            "itself",
        ),
        ("{kind: other}", "gateway.upstream.url"),
        (
            "{url: 'http://h:8002/xiaozhi/ota/'}",
            "gateway.upstream.kind",
        ),
        (
            "{url: 'http://h:8002/xiaozhi/ota/', kind: java}",
            "manager-api",
        ),
        ("{url: 'h:8002', kind: other}", "gateway.upstream.url"),
        (
            "{url: 'http://h:8002/', kind: other, timeout: 1h}",
            "gateway.upstream.timeout",
        ),
        (
            "{url: 'http://h:8002/', kind: other, keep: 0s}",
            "gateway.upstream.keep",
        ),
        (
            "{url: 'http://h:8002/', kind: other, type: x}",
            "gateway.upstream.type",
        ),
    ] {
        let (is_good, said) = judged(
            &setup,
            &format!("gateway:\n  ports: [8003]\n  upstream: {config}\n"),
        );
        assert!(
            !is_good && said.contains(words) && said.contains(":3"),
            "{config}: {said}"
        );
    }
    let upstream = "{url: 'http://h:8002/xiaozhi/ota/', kind: manager-api}";
    let (is_good, said) = judged(&setup, &format!("gateway:\n  upstream: {upstream}\n"));
    assert!(is_good, "{said}");
    assert!(
        said.contains("http://h:8002/xiaozhi/ota/") && said.contains("manager-api"),
        "{said}"
    );
}
