//! Health: whether a server is alive, and what it lacks.

use super::super::support::server::{BINARY, Setup};
use super::super::support::{Reserved, Server, until};
use super::started;
use serde_json::json;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

fn health(server: &Server, options: &[&str]) -> (Output, String) {
    let output = Command::new(BINARY)
        .arg("health")
        .args(options)
        .current_dir(server.dir.path())
        .output()
        .unwrap();
    let text = [&*output.stdout, &*output.stderr].concat();
    (output, String::from_utf8(text).unwrap())
}

#[test]
fn a_container_asks_whether_it_is_alive() {
    for (listen, more) in [
        ("127.0.0.1", ""),
        ("0.0.0.0", ""),
        ("127.0.0.1", "  state: file/state\n"),
    ] {
        let setup = Setup::new();
        fs::write(setup.path().join("file"), "").unwrap();
        let port = Reserved::new();
        let number = port.port();
        drop(port);
        let server = setup.start(&format!(
            "gateway:\n{more}  admin: {{listen: '{listen}:{number}'}}\n"
        ));
        // This machine may be busy, and no container waits.
        let within = ["--within", "60s"];
        let (output, text) = health(&server, &within);
        assert!(
            output.status.success() && text.contains("alive: 127.0.0.1:"),
            "{text}"
        );
        let (output, text) = health(&server, &[&["--ready"], &within[..]].concat());
        assert_eq!(output.status.success(), more.is_empty(), "{text}");
        assert!(text.contains("catalogue: ok"), "{text}");
        let dir = server.stop();
        let output = Command::new(BINARY)
            .arg("health")
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
    }
    for (config, words) in [("listen: off", "is off"), ("listen: 0", "port 0")] {
        let server = Setup::new().start(&format!("gateway:\n  admin: {{{config}}}\n"));
        let (output, text) = health(&server, &[]);
        assert!(
            output.status.code() == Some(1) && text.contains(words),
            "{text}"
        );
    }
}

/// What a container's check has is some seconds. A server that hung for ever was waited for
/// for more than a minute.
#[test]
fn a_server_that_hangs_is_named_in_time() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    // Connections are taken, by the kernel at the least, and nobody answers.
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = hangs.local_addr().unwrap();
    let config = format!("gateway:\n  admin: {{listen: '{address}'}}\n");
    fs::write(dir.path().join("data/.config.yaml"), config).unwrap();
    let run = &|arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        let command = command.args(arguments).current_dir(dir.path());
        let begun = Instant::now();
        let output = command.env("LC_ALL", "C").output().unwrap();
        // Far from the minute, and far from what a busy machine needs.
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(40), "{arguments:?}: {took:?}");
        let text = [&*output.stdout, &*output.stderr].concat();
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, text) = run(&["health"]);
    assert_eq!(code, Some(1), "{text}");
    let words = format!("{address} took the connection, and did not answer within 2.5 s");
    assert!(text.contains(&words), "{text}");
    let commands = [
        &["fleet"][..],
        &["devices"],
        &["device", "aa:bb:cc:dd:ee:ff"],
        &["retry", "aa:bb:cc:dd:ee:ff"],
        &["forget", "aa:bb:cc:dd:ee:ff"],
    ];
    thread::scope(|scope| {
        for command in commands {
            scope.spawn(move || {
                let (code, text) = run(command);
                assert_ne!(code, Some(0), "{command:?}: {text}");
                // It was asked for nothing yet, and shown no token.
                let words = "did not answer within 5 s";
                assert!(text.contains(words), "{command:?}: {text}");
                assert!(!text.contains("order"), "{command:?}: {text}");
            });
        }
    });
    // One that is alive, and hangs where it looks whether it is ready.
    let half = thread::spawn(move || {
        let mut held = Vec::new();
        while held.len() < 2 {
            let (mut stream, _) = hangs.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            if request[..length].starts_with(b"GET /healthz ") {
                let reply =
                    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
                stream.write_all(reply).unwrap();
            } else if length > 0 {
                held.push(stream);
            }
        }
    });
    for (options, expected) in [(&["health"][..], 0), (&["health", "--ready"], 1)] {
        let (code, text) = run(options);
        assert_eq!(code, Some(expected), "{text}");
        assert!(
            text.starts_with("alive: ") && text.contains("not known to be ready: "),
            "{text}"
        );
    }
    half.join().unwrap();
}

#[test]
fn readiness_is_told_part_by_part() {
    let server = started();
    assert_eq!(server.admin("GET", "/healthz", "", "").text(), "ok\n");
    let (status, ready) = server.admin_json("GET", "/readyz", "");
    assert_eq!((status, &ready["ready"]), (200, &true.into()));
    for part in ["catalogue", "certificate", "store"] {
        assert_eq!(ready["checks"][part]["ok"], true, "{part}");
    }
    // A firmware folder that goes, and comes back.
    let (bin, away) = (
        server.dir.path().join("data/bin"),
        server.dir.path().join("away"),
    );
    fs::rename(&bin, &away).unwrap();
    let ready = until("the folder is missed", || {
        let (status, ready) = server.admin_json("GET", "/readyz", "");
        (status == 503).then_some(ready)
    });
    let why = ready["checks"]["catalogue"]["why"].as_str().unwrap();
    assert!(why.contains(bin.to_str().unwrap()), "{why}");
    fs::rename(&away, &bin).unwrap();
    until("the folder is there again", || {
        (server.admin_json("GET", "/readyz", "").0 == 200).then_some(())
    });
    // Who shows no token learns which part it is, and nothing of this machine.
    fs::rename(&bin, &away).unwrap();
    until("the folder is missed", || {
        (server.admin("GET", "/readyz", "", "").status == 503).then_some(())
    });
    let folder = server.dir.path().to_str().unwrap();
    for token in ["", "a token that is nobody's"] {
        let reply = server.admin("GET", "/readyz", token, "");
        let ready = reply.json();
        assert_eq!((reply.status, &ready["ready"]), (503, &false.into()));
        let checks = &ready["checks"];
        assert_eq!(checks["catalogue"]["ok"], false);
        assert_eq!(checks["store"], json!({"ok": true, "why": null}));
        let text = reply.text();
        assert!(!text.contains(folder) && !text.contains("data/"), "{text}");
        assert!(text.contains("token"), "{text}");
    }
    // A guess is one here, too.
    server.event("admin.wrong-token", &[]);
    fs::rename(&away, &bin).unwrap();
    // A state folder that cannot be made.
    let setup = Setup::new();
    fs::write(setup.path().join("file"), "").unwrap();
    fs::write(setup.path().join("reader"), "reader-reader-reader").unwrap();
    let server = setup.start(
        "gateway:\n  state: file/state\n  admin:\n    listen: 0\n    \
         tokens: [{name: a, role: read, token_file: reader}]\n",
    );
    let reply = server.admin("GET", "/readyz", "reader-reader-reader", "");
    assert_eq!(reply.status, 503);
    let ready = reply.json();
    assert_eq!(
        (&ready["ready"], &ready["checks"]["store"]["ok"]),
        (&false.into(), &false.into())
    );
    let why = ready["checks"]["store"]["why"].as_str().unwrap();
    assert!(why.contains("gateway.state"), "{why}");
    assert_eq!(server.admin("GET", "/healthz", "", "").status, 200);
}
