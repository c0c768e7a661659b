//! A backup in the middle of a storm: what was settled before it is the same elsewhere, and
//! none of what comes meanwhile is half there.

use super::super::simulate;
use super::super::support::server::{Server, Setup, request};
use super::super::support::{noise, until};
use super::{FILE, good, refused, temporary};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use xiaozhi_image_builder::Image;

const CONFIG: &str = "server: {vision_explain: 'http://ota.example.com/mcp/vision/explain'}\ngateway:\n  admin: {listen: 0}\n";
/// Devices that are done before, and those of the storm.
const BEFORE: usize = 30;
const STORM: &str = "400";

/// Devices that a server knows, by their MAC addresses.
fn devices(server: &Server) -> BTreeMap<String, Value> {
    let token = server.admin_token();
    let mut found = BTreeMap::new();
    let mut after = String::new();
    loop {
        let path = format!("/api/v1/devices?limit=100{after}");
        let page = server.admin("GET", &path, &token, "").json();
        for device in page["devices"].as_array().unwrap() {
            found.insert(device["mac"].as_str().unwrap().to_owned(), device.clone());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

#[test]
fn in_the_middle_of_a_storm() {
    let image = Image {
        payload: noise(64_000, 1),
        ..Image::new("1.7.0")
    };
    let setup = Setup::new().file("esp32s3_1.7.0.bin", image.build());
    let server = setup.start(CONFIG);
    let dir = server.dir.path();
    for number in 0..BEFORE {
        // Every third succeeds.
        let versions = if number % 3 == 0 {
            &["1.6.0", "1.7.0"][..]
        } else {
            &["1.6.0"]
        };
        for version in versions {
            let body = format!(
                r#"{{"application":{{"name":"xiaozhi","version":"{version}"}},"board":{{"type":"esp32s3"}}}}"#
            );
            let mac = format!("06:00:00:00:00:{number:02x}");
            let headers = [("Device-Id", &*mac), ("Client-Id", "c")];
            let asked = request("POST", "/xiaozhi/ota/", &headers, body.as_bytes());
            assert_eq!(server.send("http", &asked).status, 200);
        }
    }
    let before = devices(&server);
    assert_eq!(before.len(), BEFORE);
    let ends: Vec<_> = before
        .values()
        .map(|device| &device["offers"][0]["end"])
        .collect();
    assert_eq!(
        ends.iter().filter(|end| **end == "succeeded").count(),
        BEFORE / 3
    );
    // A second later it is in the store: the metric of what waits is of the last write.
    let boots = before.values().map(|device| device["boots"].as_i64());
    let boots: i64 = boots.map(Option::unwrap).sum();
    until("all that was learned in the store", || {
        let open = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let file = dir.join("data/state/fleet.db");
        let store = rusqlite::Connection::open_with_flags(file, open).ok()?;
        let count = "SELECT sum(boots) FROM device";
        let written = store
            .query_row(count, [], |row| row.get::<_, i64>(0))
            .ok()?;
        (written == boots).then_some(())
    });
    let arguments = ["-n", STORM, "--fail", "5%", "--for", "1h", "--json"];
    let mut storm = simulate::command("http", server.address(), &arguments);
    let mut storm = storm
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let known = || devices(&server).len();
    until("the storm", || (known() > before.len() + 20).then_some(()));
    good(dir, &["backup", FILE]);
    let _ = storm.kill();
    storm.wait().unwrap();
    // It was one.
    assert!(known() < before.len() + 400, "the storm was over");

    let there = Setup::new();
    fs::copy(dir.join(FILE), there.path().join(FILE)).unwrap();
    good(there.path(), &["restore", FILE]);
    let there = there.start(CONFIG);
    until("what was restored", || {
        let ready = there.admin("GET", "/readyz", "", "");
        (ready.status == 200).then_some(())
    });
    // The same token is taken, too: it is the same server.
    assert_eq!(there.admin_token(), server.admin_token());
    let after = devices(&there);
    for (mac, device) in &before {
        assert_eq!(after.get(mac), Some(device), "{mac}");
    }
    // Of the storm each is as it was at one moment: no offer is more than it came to be.
    let now = devices(&server);
    for (mac, device) in &after {
        let of_now = &now[mac];
        assert!(
            device["last_seen"].as_str() <= of_now["last_seen"].as_str(),
            "{mac}"
        );
        let offers = |device: &Value| device["offers"].as_array().unwrap().len();
        assert!(offers(device) <= offers(of_now), "{mac}");
    }

    // One byte in the middle of the store.
    let mut bytes = fs::read(dir.join(FILE)).unwrap();
    let begin = b"SQLite format 3\0";
    let place = bytes.windows(begin.len()).position(|part| part == begin);
    bytes[place.unwrap() + 5000] ^= 1;
    let elsewhere = temporary();
    fs::write(elsewhere.path().join(FILE), bytes).unwrap();
    refused(elsewhere.path(), &["restore", FILE], "state/fleet.db");
    assert!(!elsewhere.path().join("data").exists());
}
