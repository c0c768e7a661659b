//! The admin address under attack: devices notice nothing.

use super::crowd::{Crowd, Role, addresses};
use super::log::pipeline;
use super::sized;
use super::watch::{IMAGE, Over, Scenario, image};
use crate::support::server::{PATIENT, Server, Setup, request};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

fn server() -> Server {
    let config = format!("gateway:\n{PATIENT}  admin: {{listen: 0}}\n");
    Setup::new().file(IMAGE, image()).start(&config)
}

/// One of many that are known.
fn known(number: usize) -> Vec<u8> {
    let mac = format!(
        "02:ad:00:{:02x}:{:02x}:{:02x}",
        number >> 16,
        number >> 8 & 255,
        number & 255
    );
    let headers = [("Device-Id", &*mac), ("Client-Id", "c")];
    let body = format!(
        r#"{{"application":{{"version":"1.{}"}},"board":{{"type":"b{}"}}}}"#,
        number % 17,
        number % 29
    );
    request("POST", "/xiaozhi/ota/", &headers, body.as_bytes())
}

#[test]
fn an_admin_address_under_attack() {
    let Some(scenario) = Scenario::new("an_admin_address_under_attack") else {
        return;
    };
    let (server, beside) = (server(), server());
    let get =
        |path: &str, more: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
    let long = "x".repeat(6_000);
    let roles = [
        // Heads that never end, slowly and at once.
        Role::sending("").then("G").writing(1),
        Role::sending("GET /metrics HTTP/1.1\r\nHost: localhost\r\n")
            .then("X-A: b\r\n")
            .writing(8),
        Role::sending("GET / HTTP/1.1\r\nX-A: ").then("b"),
        // Tokens that are none.
        Role::sending(get(
            "/metrics",
            "Authorization: Bearer wrong-wrong-wrong-wrong\r\n",
        )),
        Role::sending(get(
            "/api/v1/devices",
            &format!("Authorization: Bearer {long}\r\n"),
        )),
        Role::sending(get("/metrics", "")),
        // Long questions.
        Role::sending(get(
            &format!("/api/v1/devices?q={long}"),
            "Authorization: Bearer wrong\r\n",
        )),
        Role::sending(get(&format!("/{}", "x".repeat(200_000)), "")),
        Role::sending(
            "POST /api/v1/devices/a/retry HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n",
        ),
        Role::sending("\x16\x03\x01\x02\x00"),
        Role::sending(get("/readyz", "")),
    ];
    let size = sized(200, 1_000);
    let mut crowd = Crowd::new(server.admin_address(), size, &addresses(5), &roles);
    let did = format!("{size} who attack the admin address");
    // What it has at once is bounded, whoever comes.
    let scenario = scenario.most(sized(32, 48)).beside(&beside, 1.2);
    scenario.run(&server, did, |meanwhile| {
        crowd.come();
        for _ in 0..sized(1, 5) {
            meanwhile.while_it_asks(|| crowd.act());
        }
        crowd.leave();
    });
    let odd = [0, 200, 400, 401, 408, 413, 414, 421, 429, 431, 503];
    let is_known = |status: &u16| odd.contains(status);
    assert!(crowd.told.keys().all(is_known), "{:?}", crowd.told);
    // And who has the token is heard.
    let token = server.admin_token();
    let fleet = server.admin("GET", "/api/v1/fleet", &token, "");
    assert_eq!(fleet.status, 200, "{}", fleet.text());
}

/// Somebody who may, and asks for all there is, again and again.
#[test]
fn pages_of_devices_without_end() {
    let Some(scenario) = Scenario::new("pages_of_devices_without_end") else {
        return;
    };
    let (server, beside) = (server(), server());
    let count = sized(2_000, 60_000);
    pipeline(&server, count, known);
    let (over, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let token = server.admin_token();
    let did = format_args!("{asked:?} pages of 1000 devices, of {count}");
    let scenario = scenario.most(sized(32, 64)).beside(&beside, 1.2);
    scenario.run(&server, did, |meanwhile| {
        thread::scope(|scope| {
            let _over = Over(&over);
            for paths in [
                &["/api/v1/devices?limit=1000"][..],
                &[
                    "/api/v1/devices?limit=1000&q=nothing-has-this",
                    "/api/v1/fleet",
                    "/metrics",
                ],
                &["/api/v1/offers?limit=1000", "/api/v1/firmware"],
            ] {
                let (server, token, over, asked) = (&server, &token, &over, &asked);
                scope.spawn(move || {
                    for path in paths.iter().cycle() {
                        let reply = server.admin("GET", path, token, "");
                        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
                        asked.fetch_add(1, Ordering::Relaxed);
                        if over.load(Ordering::SeqCst) {
                            break;
                        }
                    }
                });
            }
            for _ in 0..sized(1, 10) {
                meanwhile.while_it_asks(|| {});
            }
        });
    });
}
