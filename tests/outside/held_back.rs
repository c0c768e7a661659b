//! Devices that the upstream has offered nothing, as people and programs are told of them; and
//! whether that server itself is there.

use super::page_fleet::visitor::Visitor;
use super::support::Server;
use super::support::backend::Backend;
use super::support::server::{BINARY, Setup, request};
use super::support::{event, until};
use serde_json::{Value, json};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use xiaozhi_image_builder::Image;

const BOUND: &str =
    r#"{"websocket":{"url":"ws://192.0.2.7:8000/xiaozhi/v1/","token":"t"},"firmware":{}}"#;
const UNBOUND: &str = r#"{"websocket":{"url":"ws://192.0.2.7:8000/xiaozhi/v1/"},"activation":{"code":"1"},"firmware":{}}"#;
const OFF: &str = r#"{"websocket":{"url":"ws://192.0.2.7:8000/xiaozhi/v1/","token":"t"}}"#;

fn mac(number: u8) -> String {
    format!("02:00:00:00:00:{number:02x}")
}

fn check_in(server: &Server, number: u8) -> u16 {
    let body = json!({
        "application": {"name": "xiaozhi", "version": "1.0.0", "elf_sha256": "ee".repeat(32)},
        "board": {"type": "a"},
        "chip_model_name": "esp32s3",
    });
    let mac = mac(number);
    let headers = [("Device-Id", &*mac), ("Client-Id", "c")];
    let body = body.to_string();
    let request = request("POST", "/xiaozhi/ota/", &headers, body.as_bytes());
    server.send("http", &request).status
}

fn metric(server: &Server, name: &str) -> Option<String> {
    let reply = server.admin("GET", "/metrics", &server.admin_token(), "");
    let mut lines = reply.text().lines();
    let line = lines.find_map(|line| line.strip_prefix(&format!("xiaozhi_ota_upstream_{name} ")));
    line.map(str::to_owned)
}

/// What a command prints in the folder of a server.
fn run(server: &Server, arguments: &[&str]) -> String {
    let output = Command::new(BINARY)
        .args(arguments)
        .current_dir(server.bin().join("../.."))
        .env("LC_ALL", "en_US.UTF-8")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    String::from_utf8(said).unwrap()
}

fn fleet(server: &Server) -> String {
    let address = format!("http://{}", server.admin_address());
    run(server, &["fleet", "--server", &address])
}

/// A server in front of one that holds the devices 1 and 2, until it is told to fail, and the
/// configuration.
fn in_front(fails: &Arc<AtomicBool>) -> (Backend, Server, String) {
    let fails = Arc::clone(fails);
    let behind = Backend::answering(move |request| {
        let device = request.headers("device-id")[0];
        let (status, body) = match device.as_bytes().last() {
            _ if fails.load(Ordering::Relaxed) => ("404 Not Found", ""),
            Some(b'1') => ("200 OK", UNBOUND),
            Some(b'2') => ("200 OK", OFF),
            _ => ("200 OK", BOUND),
        };
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    });
    let url = format!("http://{}/xiaozhi/ota/", behind.address);
    let config = format!(
        "gateway:\n  admin: {{listen: 127.0.0.1:0}}\n  upstream: {{url: '{url}', kind: manager-api}}\n"
    );
    let setup = Setup::new().file("a_1.1.0.bin", Image::new("1.1.0").build());
    let server = setup.start(&config);
    (behind, server, config)
}

#[test]
fn whom_the_upstream_holds_is_foreseen_counted_and_measured() {
    let (_behind, server, config) = in_front(&Arc::default());
    server.event("upstream.mode", &[("kind", "manager-api")]);
    assert_eq!(metric(&server, "up").as_deref(), Some("1"));
    assert_eq!(server.events("upstream.holds", &[]), [""; 0]);
    for number in 1..=4 {
        assert_eq!(check_in(&server, number), 200);
    }
    // Long before an hour is over.
    server.event("upstream.holds", &[]);
    for reason in ["not_activated", "updates_off"] {
        let held = format!("held_devices{{reason=\"{reason}\"}}");
        until(&held, || (metric(&server, &held)? == "1").then_some(()));
    }
    let fleet = fleet(&server);
    for line in [
        "/xiaozhi/ota/: it answers",
        "held back by what the upstream says: not activated 1, automatic updates off 1",
    ] {
        assert!(fleet.contains(line), "{line}: {fleet}");
    }
    let visitor = Visitor::of(&server);
    for (number, is_offered) in [(1, false), (2, false), (3, true)] {
        let page = visitor.page(&format!("/devices/{}", mac(number)), "en");
        let words = "it is offered at the next check-in";
        assert_eq!(page.contains(words), is_offered, "{number}: {page}");
    }
    // What is published next is held, too.
    let image = server.bin().join("../next.bin");
    std::fs::write(&image, Image::new("1.2.0").build()).unwrap();
    let publish = [
        "publish",
        "--dry-run",
        "--model",
        "a",
        image.to_str().unwrap(),
    ];
    let foreseen = |gets: u64, held: u64| {
        until("what is known is written", || {
            let said = run(&server, &[&publish[..], &["--json"]].concat());
            let json: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
            let fleet = find(&json, "fleet")?;
            (fleet["gets"] == gets && fleet["held"] == held).then_some(())
        });
    };
    foreseen(2, 2);
    let said = run(&server, &publish);
    let words = "gets it at their next check: 2; held back by what the upstream says: 2";
    let words = words.replace("gets it", "would get it");
    assert!(said.contains(&words), "{said}");
    // Without an upstream nobody heeds what one said.
    let alone = config.split("  upstream:").next().unwrap();
    server.configure(alone);
    server.reload();
    server.event("upstream.off", &[]);
    assert_eq!(metric(&server, "up"), None);
    foreseen(4, 0);
    let (_, fleet) = server.admin_json("GET", "/api/v1/fleet", "");
    assert_eq!(fleet["held"], json!({"not_activated": 0, "updates_off": 0}));
    assert_eq!(fleet["upstream"], Value::Null);
    server.configure(&config);
    let said = server.reload();
    let is_mode = |server: &Server| server.events("upstream.mode", &[]).len() == 2;
    until("upstream mode is said", || {
        is_mode(&server).then_some(said.len())
    });
}

/// Finds a value by its key, however deep.
fn find<'a>(json: &'a Value, key: &str) -> Option<&'a Value> {
    match json {
        Value::Object(all) => all
            .get(key)
            .filter(|value| value.is_object())
            .or_else(|| all.values().find_map(|value| find(value, key))),
        Value::Array(all) => all.iter().find_map(|value| find(value, key)),
        _ => None,
    }
}

#[test]
fn an_upstream_that_is_away_is_measured_and_shown() {
    let fails = Arc::new(AtomicBool::new(false));
    let (_behind, server, _) = in_front(&fails);
    assert_eq!(check_in(&server, 3), 200);
    fails.store(true, Ordering::Relaxed);
    // Of one that fails for many it is said that it is down.
    for number in 3..=9 {
        check_in(&server, number);
    }
    let line = server.event("upstream.down", &[]);
    let why = "it answers with status 404: look at the path in gateway.upstream.url";
    assert!(
        event::is(&line, "upstream.down", &[("message", why)]),
        "{line}"
    );
    assert_eq!(metric(&server, "up").as_deref(), Some("0"));
    let fleet = fleet(&server);
    assert!(
        fleet.contains("it does not answer (upstream.down"),
        "{fleet}"
    );
    let (_, fleet) = server.admin_json("GET", "/api/v1/fleet", "");
    assert_eq!(fleet["upstream"]["answers"], false);
    assert!(
        fleet["upstream"]["why"].as_str().unwrap().contains(why),
        "{fleet}"
    );
}

#[test]
fn what_counts_for_nothing_beside_it_is_named() {
    let (_behind, server, config) = in_front(&Arc::default());
    let validate = || run(&server, &["validate"]);
    assert!(!validate().contains("do not count here"));
    let more = "server:\n  websocket: ws://192.0.2.1:8000/xiaozhi/v1/\n  auth: {enabled: false}\n";
    server.configure(&(more.to_owned() + &config));
    let said = validate();
    let line = said.lines().find(|line| line.contains("do not count here"));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("server.websocket, server.auth "), "{line}");
}
