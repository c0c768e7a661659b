//! What failed twice is offered no more, and what people order about it holds, whatever
//! becomes of the store.

use super::{FILE, body, check_in, check_in_with, config, end, fetch, known};
use crate::page_firmware::client::Browser;
use crate::support::server::Setup;
use crate::support::{Server, files_below, until};
use std::fs;
use std::path::{Path, PathBuf};
use xiaozhi_image_builder::Image;

const DEVICE: &str = "02:00:00:00:03:01";
const TERM: &str = "10m";

fn setup() -> Setup {
    Setup::new().file(FILE, Image::new("1.7.0").build())
}

/// Fetches what it is offered, and comes back with what it ran.
#[track_caller]
fn fail(server: &Server, device: &str) {
    fetch(server, device);
    check_in(server, device, "1.6.0");
    assert_eq!(
        super::ends(server, device)
            .iter()
            .filter(|end| *end == "fetched")
            .count(),
        0
    );
}

/// Fails twice, and is offered nothing then.
#[track_caller]
fn fail_twice(server: &Server, device: &str) {
    fail(server, device);
    fail(server, device);
    is_withheld(server, device);
}

#[track_caller]
fn is_withheld(server: &Server, device: &str) {
    assert_eq!(check_in(server, device, "1.6.0"), None);
    let known = known(server, device).unwrap();
    assert_eq!(known["why"], "withheld.failed", "{known:#}");
    server.event("withheld.failed", &[("file", FILE)]);
}

/// Ends in good order.
fn stopped(mut server: Server) -> Setup {
    server.signal("TERM");
    assert!(server.end().success());
    server.stop()
}

fn state(dir: &Path) -> PathBuf {
    dir.join("data/state")
}

fn delete_store(dir: &Path) {
    for file in ["fleet.db", "fleet.db-wal", "fleet.db-shm"] {
        let _ = fs::remove_file(state(dir).join(file));
    }
}

/// Returns what `/metrics` says of orders that no device has followed.
fn open_orders(server: &Server) -> String {
    let reply = server.admin("GET", "/metrics", &server.admin_token(), "");
    let mut lines = reply.text().lines();
    let value = lines.find_map(|line| line.strip_prefix("xiaozhi_ota_orders_open "));
    value.unwrap().to_owned()
}

#[test]
fn what_failed_twice_is_withheld_until_it_is_ordered_again() {
    let server = setup().start(&config(TERM));
    fail_twice(&server, DEVICE);
    assert_eq!(super::ends(&server, DEVICE), ["rolled-back"; 2]);
    // Two offers, to one device.
    until("the page of firmware to say so", || {
        let page = Browser::of(&server).get("/firmware");
        let text = page.text();
        (text.contains("rolled back 2</span> (on one device)")).then_some(())
    });
    // Behind a restart too.
    let setup = stopped(server);
    let older = fs::read(state(setup.path()).join("fleet.db")).unwrap();
    let server = setup.start(&config(TERM));
    is_withheld(&server, DEVICE);

    // The order is on the disk before anybody hears of it.
    let retry = format!("/api/v1/devices/{DEVICE}/retry");
    let (status, told) = server.admin_json("POST", &retry, "");
    let orders = fs::read_to_string(state(server.dir.path()).join("orders.json")).unwrap();
    assert_eq!((status, &told["retried"]), (200, &1.into()), "{told}");
    assert!(orders.contains(DEVICE), "{orders}");
    assert_eq!(open_orders(&server), "1");
    // It is killed at once, and somebody puts an older store back.
    let setup = server.stop();
    delete_store(setup.path());
    fs::write(state(setup.path()).join("fleet.db"), &older).unwrap();
    let server = setup.start(&config(TERM));
    assert_eq!(open_orders(&server), "1");
    assert!(check_in(&server, DEVICE, "1.6.0").is_some());
    assert_eq!(end(&server, DEVICE), "offered");
    assert_eq!(open_orders(&server), "0");

    // It fails twice more: the order was for what was before.
    fail_twice(&server, DEVICE);
    let server = stopped(server).start(&config(TERM));
    is_withheld(&server, DEVICE);

    // Without the store nobody knows what failed, and what was ordered is there still.
    let setup = stopped(server);
    delete_store(setup.path());
    let server = setup.start(&config(TERM));
    assert!(check_in(&server, DEVICE, "1.6.0").is_some());
    let orders = fs::read_to_string(state(server.dir.path()).join("orders.json")).unwrap();
    assert!(orders.contains(DEVICE), "{orders}");
}

#[test]
fn an_order_for_one_file_is_for_that_file() {
    let server = setup().start(&config(TERM));
    fail_twice(&server, DEVICE);
    let retry = format!("/api/v1/devices/{DEVICE}/retry");
    let (status, _) = server.admin_json("POST", &retry, "{\"file\": \"other_1.0.0.bin\"}");
    assert_eq!(status, 404);
    is_withheld(&server, DEVICE);
    let order = format!("{{\"file\": \"{FILE}\"}}");
    assert_eq!(server.admin_json("POST", &retry, &order).0, 200);
    let server = server.stop().start(&config(TERM));
    assert!(check_in(&server, DEVICE, "1.6.0").is_some());
}

/// Files of the state folder in which a device can be found.
fn traces(dir: &Path, device: &str, client: &str) -> Vec<PathBuf> {
    let digits: String = device.chars().filter(char::is_ascii_hexdigit).collect();
    let pair = |sign: &str| device.replace(':', sign);
    let dotted = format!("{}.{}.{}", &digits[..4], &digits[4..8], &digits[8..]);
    let hex = client.replace('-', "");
    let texts = [
        pair(":"),
        pair("-"),
        pair(""),
        dotted,
        client.to_owned(),
        hex.clone(),
    ];
    let bytes = |hex: &str| -> Vec<u8> {
        let at = (0..hex.len()).step_by(2);
        at.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    let raw = [bytes(&digits), bytes(&hex)];
    let has = |file: &PathBuf| {
        let content = fs::read(file).unwrap_or_default();
        let lower = content.to_ascii_lowercase();
        let find = |content: &[u8], what: &[u8]| memchr::memmem::find(content, what).is_some();
        texts
            .iter()
            .any(|text| find(&lower, text.to_lowercase().as_bytes()))
            || raw.iter().any(|raw| find(&content, raw))
    };
    files_below(&state(dir)).into_iter().filter(has).collect()
}

#[test]
fn a_forgotten_device_leaves_nothing_in_the_state_folder() {
    const CLIENT: &str = "7b94d69a-9808-4c59-9c9b-704333b38a03";
    let server = setup().start(&config(TERM));
    let dir = server.dir.path();
    // Others stay, so that its bytes could move about.
    for number in 0..60 {
        check_in(&server, &format!("02:00:00:00:04:{number:02x}"), "1.6.0");
    }
    let device = "de:ad:be:ef:5a:a5";
    // An order is kept where something failed.
    fail(&server, device);
    check_in_with(
        &server,
        "DE-AD-BE-EF-5A-A5",
        CLIENT,
        &body(&Image::new("1.6.0")),
    )
    .unwrap();
    let retry = format!("/api/v1/devices/{device}/retry");
    assert_eq!(server.admin_json("POST", &retry, "").0, 200);
    until("it to be written", || {
        (traces(dir, device, CLIENT).len() >= 2).then_some(())
    });
    let path = format!("/api/v1/devices/{device}");
    assert_eq!(server.admin_json("DELETE", &path, "").0, 200);
    until("every trace to go", || {
        traces(dir, device, CLIENT).is_empty().then_some(())
    });
    assert!(known(&server, device).is_none());
    let setup = stopped(server);
    let left = traces(setup.path(), device, CLIENT);
    assert!(left.is_empty(), "{left:?}");
    let server = setup.start(&config(TERM));
    assert!(known(&server, device).is_none());
    assert_eq!(super::all(&server).len(), 60);
}
