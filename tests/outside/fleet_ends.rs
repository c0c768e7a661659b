//! Ends of offers, from check-in to the admin address: what devices did is what the server
//! knows, across outages, forged tokens, clocks that are wrong, and `kill -9`.
//!
//! `FAULTS=long`, which `tests/long ends kill` sets, does each at its whole size.

mod book;
mod clock;
mod failed;
mod kill;
mod names;
mod others;
mod power;
mod terms;
mod tokens;
mod unsaid;

use super::support::server::request;
use super::support::{Server, until};
use serde_json::{Value, json};
use xiaozhi_image_builder::Image;

/// File that devices of the board `esp32s3` are offered, which holds version 1.7.0.
pub(super) const FILE: &str = "esp32s3_1.7.0.bin";

/// Returns a configuration with the admin address on and this term.
fn config(silent_after: &str) -> String {
    format!("gateway:\n  admin: {{listen: 0}}\n  fleet: {{silent_after: {silent_after}}}\n")
}

/// Returns what a device with `image` says of itself.
fn body(image: &Image) -> Value {
    json!({
        "application": {"name": "xiaozhi", "version": image.version, "elf_sha256": image.elf_hex()},
        "board": {"type": "esp32s3", "name": "esp32s3"},
        "chip_model_name": "esp32s3",
    })
}

/// Checks in with a body, and returns the address that it is told, with its token.
#[track_caller]
fn check_in_with(server: &Server, device: &str, client: &str, body: &Value) -> Option<String> {
    let headers = [("Device-Id", device), ("Client-Id", client)];
    let body = body.to_string();
    let check_in = request("POST", "/xiaozhi/ota/", &headers, body.as_bytes());
    let reply = server.send("http", &check_in);
    assert_eq!(reply.status, 200);
    let json = reply.whole_json();
    let url = json["firmware"]["url"].as_str().unwrap();
    (!url.is_empty()).then(|| url.to_owned())
}

/// Checks in with an image, and returns the path that it is told, with its token.
#[track_caller]
pub(super) fn check_in(server: &Server, device: &str, version: &str) -> Option<String> {
    let url = check_in_with(server, device, "a-client", &body(&Image::new(version)))?;
    Some(path(&url))
}

fn path(url: &str) -> String {
    format!("/{}", url.splitn(4, '/').nth(3).unwrap())
}

/// What is known of a device; none, if nothing is.
#[track_caller]
pub(super) fn known(server: &Server, device: &str) -> Option<Value> {
    let path = format!("/api/v1/devices/{device}");
    let reply = server.admin("GET", &path, &server.admin_token(), "");
    (reply.status == 200).then(|| reply.json())
}

/// Ends of a device's offers, the oldest first.
#[track_caller]
pub(super) fn ends(server: &Server, device: &str) -> Vec<String> {
    let known = known(server, device);
    let offers = known.as_ref().map(ends_of);
    offers.unwrap_or_default()
}

fn ends_of(device: &Value) -> Vec<String> {
    let offers = device["offers"].as_array().unwrap().iter().rev();
    offers
        .map(|offer| offer["end"].as_str().unwrap().to_owned())
        .collect()
}

/// End of a device's newest offer.
#[track_caller]
pub(super) fn end(server: &Server, device: &str) -> String {
    ends(server, device).pop().unwrap_or_default()
}

#[track_caller]
pub(super) fn until_end(server: &Server, device: &str, wanted: &str) {
    let what = format!("{device} to be {wanted}");
    until(&what, || (end(server, device) == wanted).then_some(()));
}

/// Fetches what a device that runs 1.6.0 is offered, and waits until that is known.
#[track_caller]
pub(super) fn fetch(server: &Server, device: &str) {
    let path = check_in(server, device, "1.6.0").expect("an offer");
    let reply = server.get(&path);
    assert!(reply.status == 200 && reply.whole);
    until_end(server, device, "fetched");
}

/// Every device that is known, a page after the other.
fn all(server: &Server) -> Vec<Value> {
    let mut devices = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/api/v1/devices?limit=1000{after}");
        let reply = server.admin("GET", &path, &server.admin_token(), "");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let mut page = reply.json();
        devices.append(page["devices"].as_array_mut().unwrap());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return devices,
        }
    }
}
