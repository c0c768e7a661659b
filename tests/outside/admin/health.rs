//! Health: whether a server is alive, and what it lacks.

use super::super::support::server::{BINARY, Setup};
use super::super::support::{Reserved, Server, until};
use super::started;
use std::fs;
use std::process::{Command, Output};

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
        let (output, text) = health(&server, &[]);
        assert!(
            output.status.success() && text.contains("alive: 127.0.0.1:"),
            "{text}"
        );
        let (output, text) = health(&server, &["--ready"]);
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
    // A state folder that cannot be made.
    let setup = Setup::new();
    fs::write(setup.path().join("file"), "").unwrap();
    let server = setup.start("gateway:\n  state: file/state\n  admin: {listen: 0}\n");
    let reply = server.admin("GET", "/readyz", "", "");
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
