//! The admin address: who may ask for what, and where it is.

mod api;
mod crowd;
mod health;

use super::support::admin::ask;
use super::support::server::{BINARY, Setup};
use super::support::{Reply, Server, event, until};
use std::fs;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

/// Asks for its address at a port that the kernel chooses.
const ANY_PORT: &str = "gateway:\n  admin: {listen: 0}\n";
/// Has a second token, which may look only.
const READER: &str = "reader-reader-reader";

fn started() -> Server {
    Setup::new().start(ANY_PORT)
}

/// With the file of a token that may look only.
fn with_reader() -> Server {
    let setup = Setup::new();
    secret(&setup, "reader", &format!("{READER}\n"));
    setup.start(
        "gateway:\n  admin:\n    listen: 0\n    names: [ota.example.com]\n    \
         tokens: [{name: dashboard, role: read, token_file: reader}]\n",
    )
}

fn secret(setup: &Setup, name: &str, content: &str) {
    let file = setup.path().join(name);
    fs::write(&file, content).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Starts where that is expected to fail, and returns what it says.
fn refused(setup: &Setup, config: &str) -> String {
    fs::write(setup.path().join("data/.config.yaml"), config).unwrap();
    let output = Command::new(BINARY)
        .current_dir(setup.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[track_caller]
fn hold_head(reply: &Reply) {
    for (name, value) in [
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "DENY"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{reply:?}");
    }
    let policy = reply.header("Content-Security-Policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
}

#[track_caller]
fn is_error(reply: &Reply, status: u16, id: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.json()["error"]["id"], id, "{}", reply.text());
    let message = reply.json()["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.len() > 20, "{message}");
    hold_head(reply);
}

#[test]
fn nothing_but_health_is_told_without_a_token() {
    let server = with_reader();
    for path in ["/healthz", "/readyz"] {
        let reply = server.admin("GET", path, "", "");
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        hold_head(&reply);
    }
    let paths = [
        "/",
        "/metrics",
        "/openapi.json",
        "/api/v1/openapi.json",
        "/api/v1/fleet",
        "/api/v1/devices",
        "/api/v1/devices/aa:bb:cc:dd:ee:ff",
        "/api/v1/firmware",
        "/api/v1/offers",
        "/healthz/",
        "/nothing",
        "/healthz/../metrics",
        "//healthz",
        "/%68ealthz",
    ];
    for path in paths {
        for (token, id) in [("", "no-token"), ("wrong-wrong-wrong-wrong", "wrong-token")] {
            let reply = server.admin("GET", path, token, "");
            is_error(&reply, 401, id);
            assert_eq!(reply.header("Www-Authenticate"), Some("Bearer"), "{path}");
        }
    }
    for method in ["POST", "DELETE", "PUT", "OPTIONS", "HEAD"] {
        let reply = server.admin(method, "/api/v1/devices/a", "", "");
        assert_eq!(reply.status, 401, "{method}");
    }
    assert_eq!(server.admin("POST", "/healthz", "", "").status, 401);
    server.event("admin.wrong-token", &[("peer", "127.0.0.1")]);
    // A token that is not shown is in no log.
    let token = server.admin_token();
    assert!(token.len() >= 16 && server.count_lines(&token) == 0);
    assert_eq!(server.count_lines(READER), 0);
}

#[test]
fn a_token_opens_what_its_role_may() {
    let server = with_reader();
    let own = server.admin_token();
    for token in [&*own, READER] {
        for path in [
            "/api/v1/fleet",
            "/api/v1/devices",
            "/api/v1/firmware",
            "/api/v1/offers",
        ] {
            assert_eq!(server.admin("GET", path, token, "").status, 200, "{path}");
            assert_eq!(server.admin("HEAD", path, token, "").status, 200, "{path}");
        }
        is_error(
            &server.admin("GET", "/nothing", token, ""),
            404,
            "not-found",
        );
        let reply = server.admin("PUT", "/api/v1/devices/a", token, "");
        is_error(&reply, 405, "method-not-allowed");
        let allow = reply.header("Allow").unwrap();
        let mut allow: Vec<_> = allow.split(", ").collect();
        allow.sort_unstable();
        assert_eq!(allow, ["DELETE", "GET", "HEAD"]);
    }
    let retry = "/api/v1/devices/aa:bb:cc:dd:ee:ff/retry";
    is_error(&server.admin("POST", retry, READER, ""), 403, "forbidden");
    is_error(
        &server.admin("DELETE", "/api/v1/devices/a", READER, ""),
        403,
        "forbidden",
    );
    is_error(&server.admin("POST", retry, &own, ""), 404, "no-device");
    is_error(
        &server.admin("DELETE", "/api/v1/devices/a", &own, ""),
        404,
        "no-device",
    );
    // Several say nothing of who it is.
    let bearer = format!("Bearer {own}");
    let twice = [("Authorization", &*bearer), ("Authorization", &*bearer)];
    let reply = ask(
        &mut server.admin_tcp(),
        "GET",
        "/metrics",
        "localhost",
        &twice,
        "",
    );
    is_error(&reply, 401, "no-token");
}

#[test]
fn the_host_is_looked_at_first() {
    let server = with_reader();
    let own = format!("Bearer {}", server.admin_token());
    let bearer = [("Authorization", &*own)];
    let port = server.admin_address().port();
    let ported = format!("localhost:{port}");
    let to = |host: &str, path: &str| ask(&mut server.admin_tcp(), "GET", path, host, &bearer, "");
    for host in [
        "localhost",
        &*ported,
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]:8009",
        "ota.example.com",
        "OTA.example.com:443",
    ] {
        assert_eq!(to(host, "/healthz").status, 200, "{host}");
        assert_eq!(to(host, "/api/v1/fleet").status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8009",
        "192.0.2.1",
        "",
        "localhost.evil.example",
        "::1",
    ] {
        for path in ["/healthz", "/readyz", "/api/v1/fleet", "/nothing"] {
            is_error(&to(host, path), 421, "misdirected");
        }
    }
    server.event("admin.misdirected", &[("host", "evil.example")]);
    // The target counts, too.
    assert_eq!(to("localhost", "http://localhost/healthz").status, 200);
    is_error(
        &to("localhost", "http://evil.example/healthz"),
        421,
        "misdirected",
    );
    is_error(
        &to("evil.example", "http://localhost/healthz"),
        421,
        "misdirected",
    );
    let two = ask(
        &mut server.admin_tcp(),
        "GET",
        "/healthz",
        "localhost",
        &[("Host", "localhost")],
        "",
    );
    is_error(&two, 400, "bad-host");
}

#[test]
fn who_guesses_has_to_wait_and_a_right_token_is_taken() {
    let server = with_reader();
    for number in 0..30 {
        let reply = server.admin(
            "GET",
            "/api/v1/fleet",
            &format!("guess-guess-{number:08}"),
            "",
        );
        is_error(&reply, 401, "wrong-token");
    }
    for _ in 0..3 {
        let reply = server.admin("GET", "/api/v1/fleet", "guess-guess-guess-guess", "");
        is_error(&reply, 429, "too-many-guesses");
        let wait: u64 = reply.header("Retry-After").unwrap().parse().unwrap();
        assert!((1..=600).contains(&wait), "{wait}");
    }
    assert_eq!(server.admin("GET", "/api/v1/fleet", READER, "").status, 200);
    is_error(
        &server.admin("GET", "/api/v1/fleet", "", ""),
        401,
        "no-token",
    );
    server.settle();
    assert_eq!(server.events("admin.guessing", &[]).len(), 1);
    assert_eq!(server.events("admin.wrong-token", &[]).len(), 1);
}

#[test]
fn off_is_off() {
    let server = Setup::new().start("gateway:\n  admin: {listen: off}\n");
    assert_eq!(server.events("admin.listening", &[]), [""; 0]);
    assert_eq!(server.check_in("esp32s3", "1.0.0").status, 200);
}

#[test]
fn a_default_port_that_is_taken_costs_no_device() {
    // Whoever has it: another test may.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 8009));
    let server = Setup::new().start("gateway:\n  admin: {names: []}\n");
    let why = server.event("admin.not-listening", &[("address", "127.0.0.1:8009")]);
    assert!(why.contains("another process"), "{why}");
    assert_eq!(server.check_in("esp32s3", "1.0.0").status, 200);
    drop(taken);
}

#[test]
fn a_configured_port_that_is_taken_stops_the_start() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap();
    let config =
        format!("gateway:\n  ports: [0]\n  ip: 127.0.0.1\n  admin:\n    listen: {address}\n");
    let said = refused(&Setup::new(), &config);
    assert!(
        said.contains("data/.config.yaml:5: gateway.admin.listen")
            && said.contains(&address.to_string()),
        "{said}"
    );
}

#[test]
fn no_token_goes_over_the_network_in_clear() {
    let config = "gateway:\n  ports: [0]\n  tls: {mode: off}\n  admin: {listen: '0.0.0.0:0'}\n";
    let said = refused(&Setup::new(), config);
    assert!(
        said.contains("gateway.admin.listen") && said.contains("gateway.tls.mode"),
        "{said}"
    );
    let server = Setup::new().start("gateway:\n  admin: {listen: '0.0.0.0:0'}\n");
    let port = server.admin_address().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let plain = ask(
        &mut TcpStream::connect(address).unwrap(),
        "GET",
        "/healthz",
        "localhost",
        &[],
        "",
    );
    assert_eq!(plain.status, 400);
    assert!(plain.text().contains("https://"), "{}", plain.text());
    hold_head(&plain);
    let secure = |path: &str, headers: &[(&str, &str)]| {
        let mut stream = server.tls_over(TcpStream::connect(address).unwrap(), "localhost", None);
        ask(&mut stream, "GET", path, "localhost", headers, "")
    };
    assert_eq!(secure("/healthz", &[]).status, 200);
    is_error(&secure("/api/v1/fleet", &[]), 401, "no-token");
    let bearer = format!("Bearer {}", server.admin_token());
    assert_eq!(
        secure("/api/v1/fleet", &[("Authorization", &bearer)]).status,
        200
    );
}

#[test]
fn files_of_tokens_are_looked_into() {
    let setup = Setup::new();
    secret(&setup, "short", "short\n");
    secret(&setup, "empty", "");
    let config = "gateway:\n  ports: [0]\n  admin:\n    listen: 0\n    tokens:\n    \
        - {name: a, role: read, token_file: short}\n    - {name: b, role: read, token_file: empty}\n    \
        - {name: c, role: operate, token_file: gone}\n";
    let said = refused(&setup, config);
    for (line, file) in [(6, "short"), (7, "empty"), (8, "gone")] {
        let place = format!(
            "data/.config.yaml:{line}: gateway.admin.tokens[{}].token_file",
            line - 6
        );
        let found = said.lines().find(|said| said.starts_with(&place));
        assert!(found.is_some_and(|said| said.contains(file)), "{said}");
    }
    let setup = Setup::new();
    secret(&setup, "open", "0123456789abcdef");
    fs::set_permissions(setup.path().join("open"), fs::Permissions::from_mode(0o644)).unwrap();
    let server = setup.start(
        "gateway:\n  admin: {listen: 0, tokens: [{name: a, role: read, token_file: open}]}\n",
    );
    let warned = server.event(
        "admin-token.open",
        &[("key", "gateway.admin.tokens[0].token_file")],
    );
    assert!(!warned.contains("0123456789"), "{warned}");
    assert_eq!(
        server
            .admin("GET", "/api/v1/fleet", "0123456789abcdef", "")
            .status,
        200
    );
    // Another token in the same file is taken by SIGHUP, and the one before is no more.
    fs::write(server.dir.path().join("open"), "fedcba9876543210").unwrap();
    server.reload();
    assert_eq!(
        server
            .admin("GET", "/api/v1/fleet", "fedcba9876543210", "")
            .status,
        200
    );
    assert_eq!(
        server
            .admin("GET", "/api/v1/fleet", "0123456789abcdef", "")
            .status,
        401
    );
    // One that is of no use changes nothing.
    fs::write(server.dir.path().join("open"), "short").unwrap();
    let said = server.reload();
    assert!(
        said.iter()
            .any(|line| event::is(line, "config.refused", &[])),
        "{said:?}"
    );
    assert_eq!(
        server
            .admin("GET", "/api/v1/fleet", "fedcba9876543210", "")
            .status,
        200
    );
}

#[test]
fn the_own_token_stays() {
    let server = started();
    let token = server.admin_token();
    let line = server.event("admin.listening", &[("protocols", "HTTP + TLS")]);
    // Where the page is, and what opens it, is said to somebody who has just started it.
    let url = format!(
        "operator's page: http://{}/ (sign in with",
        server.admin_address()
    );
    let file = server.dir.path().join("data/state/admin.token");
    let file = file.canonicalize().unwrap();
    assert!(
        line.contains(&url) && line.contains(file.to_str().unwrap()),
        "{line}"
    );
    let server = server.stop().start(ANY_PORT);
    assert_eq!(server.admin_token(), token);
    assert_eq!(server.admin("GET", "/api/v1/fleet", &token, "").status, 200);
}

#[test]
fn who_says_nothing_keeps_no_device_waiting() {
    let server = Setup::new().start(
        "gateway:\n  limits: {headers: 300ms, handshake: 300ms, idle: 1h, drain: 1h}\n  admin: {listen: 0}\n",
    );
    let crowd: Vec<_> = (0..100).map(|_| server.admin_tcp()).collect();
    assert_eq!(server.check_in("esp32s3", "1.0.0").status, 200);
    // Each goes in its time, and whoever comes then is answered.
    until("an answer", || {
        let reply = server.admin("GET", "/healthz", "", "");
        (reply.status == 200).then_some(())
    });
    for mut stream in crowd {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    }
}
