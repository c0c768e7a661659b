//! Orders of people, where they cannot be read, or the devices that they are about are not read
//! yet: nothing is offered that one of them might forbid, and what was acknowledged holds.

use super::support::server::{Setup, request};
use super::support::{Server, until};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use xiaozhi_image_builder::Image;

const CONFIG: &str = "gateway:\n  admin: {listen: 0}\n";
const GOOD: &str = "02:00:00:00:00:01";
const BAD: &str = "02:00:00:00:00:02";

/// Path of the image that a device is offered.
fn check_in(server: &Server, device: &str) -> Option<String> {
    let body = json!({
        "application": {"name": "xiaozhi", "version": "1.0.0", "elf_sha256": "ee".repeat(32)},
        "board": {"type": "a", "name": "a"},
        "chip_model_name": "esp32s3",
    });
    let headers = [("Device-Id", device), ("Client-Id", "c")];
    let body = body.to_string();
    let request = request("POST", "/xiaozhi/ota/", &headers, body.as_bytes());
    let json = server.send("http", &request).whole_json();
    let url = json["firmware"]["url"].as_str().unwrap();
    (!url.is_empty()).then(|| format!("/{}", url.splitn(4, '/').nth(3).unwrap()))
}

/// Stops a server that knows that an image failed twice on a device.
fn failed_twice() -> (Setup, PathBuf) {
    let setup = Setup::new().file("a_2.0.0.bin", Image::new("2.0.0").build());
    let mut server = setup.start(CONFIG);
    for _ in 0..2 {
        let path = check_in(&server, BAD).unwrap();
        assert_eq!(server.get(&path).status, 200);
        until("a whole download", || {
            let device = server.admin_json("GET", &format!("/api/v1/devices/{BAD}"), "");
            (device.1["offers"][0]["end"] == "fetched").then_some(())
        });
    }
    assert_eq!(check_in(&server, BAD), None);
    server.signal("TERM");
    assert!(server.end().success());
    let state = server.dir.path().join("data/state");
    (server.stop(), state)
}

fn ready(server: &Server) -> (u16, Value) {
    server.admin_json("GET", "/readyz", "")
}

fn retry(server: &Server, device: &str) -> (u16, Value) {
    server.admin_json("POST", &format!("/api/v1/devices/{device}/retry"), "")
}

#[test]
fn where_they_cannot_be_read_that_is_said_and_passes() {
    let (setup, state) = failed_twice();
    let file = state.join("orders.json");
    fs::write(&file, "{\"version\": 2, \"acts\": []}").unwrap();
    let server = setup.start(CONFIG);
    until("the store", || {
        (ready(&server).1["checks"]["store"]["ok"] == true).then_some(())
    });
    let (status, said) = ready(&server);
    assert_eq!(
        (status, &said["checks"]["orders"]["ok"]),
        (503, &json!(false))
    );
    let why = said["checks"]["orders"]["why"].as_str().unwrap();
    assert!(why.contains("orders.json"), "{why}");
    assert_eq!(check_in(&server, GOOD), None);
    server.event("withheld.orders-unread", &[("device", GOOD)]);
    let (status, said) = retry(&server, BAD);
    let words = said["error"]["message"].as_str().unwrap();
    assert!(status == 503 && words.contains("orders.newer"), "{said}");
    // Somebody goes back to the file of before: what stands there holds.
    let order = json!({
        "at": jiff::Timestamp::now().to_string(),
        "act": "retry",
        "by": "x",
        "from": "y",
        "device": BAD,
    });
    fs::write(&file, format!("{{\"version\": 1, \"acts\": [{order}]}}")).unwrap();
    until("readiness", || (ready(&server).0 == 200).then_some(()));
    server.event("orders.read", &[]);
    assert!(check_in(&server, GOOD).is_some());
    assert!(check_in(&server, BAD).is_some());
    assert_eq!(retry(&server, GOOD).0, 200);
}

#[test]
fn what_is_ordered_while_devices_are_read_holds_for_what_is_read() {
    let (setup, state) = failed_twice();
    let holder = Connection::open(state.join("fleet.db")).unwrap();
    holder
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
        .unwrap();
    let server = setup.start(CONFIG);
    assert_eq!(check_in(&server, BAD), None);
    server.event("withheld.unread", &[("device", BAD)]);
    // Nobody knows yet whether it is there.
    let (status, said) = retry(&server, GOOD);
    assert_eq!(
        (status, &said["error"]["id"]),
        (503, &json!("still-reading"))
    );
    let (status, said) = server.admin_json("DELETE", &format!("/api/v1/devices/{GOOD}"), "");
    assert_eq!(
        (status, &said["error"]["id"]),
        (503, &json!("still-reading"))
    );
    let (status, said) = retry(&server, BAD);
    assert_eq!(status, 200, "{said}");
    drop(holder);
    until("readiness", || (ready(&server).0 == 200).then_some(()));
    assert!(check_in(&server, BAD).is_some());
    assert_eq!(retry(&server, GOOD).0, 404);
}
