//! A fleet of a million devices, from outside: how soon a server that knows one answers, what
//! it takes of memory and disk, and that no device is offered what failed on it before all is
//! read. Every run of the tests does it with few; `MILLION=long`, which `tests/long million`
//! sets, with all, and holds times and memory, too.

use super::support::server::{BINARY, Setup, exchange, request};
use super::support::{Server, event, until};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

/// Number of devices on which the image failed twice.
const FAILED: u64 = 1_000;
/// Address of a device that is offered an image, and of one on which it failed twice.
const GOOD: &str = "02:00:00:00:00:01";
const BAD: &str = "02:00:00:00:00:02";
/// Longest time from the start of the program to its first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(1);
/// Most memory that a million devices may take, and most that they take in the store.
const MEMORY: u64 = 350_000_000;
const FILE: u64 = 400_000_000;

/// No line is left out of the log.
const CONFIG: &str = "gateway:\n  log: {rate: 1GiB}\n  admin: {listen: 127.0.0.1:0}\n";

fn is_long() -> bool {
    env::var("MILLION").is_ok_and(|size| size == "long")
}

/// Address of one of the devices: those that failed lie among the others.
fn mac(number: u64) -> String {
    let [.., a, b, c] = number.to_be_bytes();
    format!("34:85:18:{a:02x}:{b:02x}:{c:02x}")
}

fn check_in(stream: &mut TcpStream, mac: &str) -> Option<String> {
    let body = json!({
        "application": {"name": "xiaozhi", "version": "1.0.0", "elf_sha256": "ee".repeat(32)},
        "board": {"type": "crowd", "name": "crowd"},
        "chip_model_name": "esp32s3",
    });
    let headers = [("Device-Id", mac), ("Client-Id", "c")];
    let body = body.to_string();
    let reply = exchange(
        stream,
        &request("POST", "/xiaozhi/ota/", &headers, body.as_bytes()),
    );
    assert_eq!(reply.status, 200);
    // With its token: the download counts.
    let url = reply.whole_json()["firmware"]["url"].as_str()?.to_owned();
    (!url.is_empty()).then_some(url)
}

/// Fetches an image as a whole, and waits until that is known.
fn fetch(server: &Server, mac: &str, url: &str) {
    let path = url.splitn(4, '/').nth(3).unwrap();
    assert_eq!(server.get(&format!("/{path}")).status, 200);
    until("a whole download", || {
        let (device, _) = ask(server, &format!("/api/v1/devices/{mac}"));
        (device["offers"][0]["end"] == "fetched").then_some(())
    });
}

/// Writes a store of so many devices, each `every`th of which is like the one on which the
/// image failed.
fn multiply(state: &Path, devices: u64, every: u64) {
    let store = Connection::open(state.join("fleet.db")).unwrap();
    let columns = "profile, build, first_seen, last_seen, address, 2, flags | 2, why, own, \
                   at_first, former, offers, failed";
    let copy = format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
         INSERT INTO device
         SELECT unhex(printf('01348518%06x', i)),
                unhex(printf('7b94d69a98084c599c9b%012x', i)), {columns}
         FROM n JOIN device ON device.id =
            CASE WHEN i % ?2 = ?2 - 1 THEN x'01020000000002' ELSE x'01020000000001' END"
    );
    store
        .execute(&copy, (devices.cast_signed(), every.cast_signed()))
        .unwrap();
    let count = "UPDATE meta SET value = (SELECT count(*) FROM device) WHERE name = 'devices'";
    assert_eq!(store.execute(count, ()).unwrap(), 1);
    store
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
        .unwrap();
}

fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<u64>().unwrap() * 1024
}

fn is_ready(server: &Server) -> Option<()> {
    let reply = server.admin("GET", "/readyz", "", "");
    (reply.status == 200).then_some(())
}

fn ask(server: &Server, path: &str) -> (Value, Duration) {
    let begun = Instant::now();
    let reply = server.admin("GET", path, &server.admin_token(), "");
    assert_eq!(reply.status, 200, "{path}");
    (reply.json(), begun.elapsed())
}

/// Lets an image fail on a device behind all others, and looks at what an operator is shown:
/// of the many on which it failed, the latest.
fn the_latest_failure_is_shown(server: &Server, stream: &mut TcpStream) {
    let late = "fe:00:00:00:00:01";
    for _ in 0..2 {
        let url = check_in(stream, late).unwrap();
        fetch(server, late, &url);
    }
    assert_eq!(check_in(stream, late), None);
    let address = format!("http://{}", server.admin_address());
    let mut command = Command::new(BINARY);
    command.args(["fleet", "--lang", "en", "--server", &address]);
    let output = command.current_dir(server.dir.path()).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let (_, looks) = shown.split_once("these need a look\n").unwrap();
    let first = looks.lines().next().unwrap().trim();
    assert!(first.starts_with(late), "{shown}");
    assert!(looks.contains("more: xiaozhi-ota devices --end"), "{shown}");
}

#[test]
fn what_failed_is_offered_to_nobody_while_a_large_store_is_read() {
    let devices: u64 = if is_long() { 1_000_000 } else { 20_000 };
    let every = devices / FAILED;
    let setup = Setup::new().file("crowd_2.0.0.bin", Image::new("2.0.0").build());
    let mut server = setup.start(CONFIG);
    let mut stream = server.tcp();
    assert!(check_in(&mut stream, GOOD).is_some());
    for _ in 0..2 {
        let url = check_in(&mut stream, BAD).unwrap();
        fetch(&server, BAD, &url);
    }
    assert_eq!(check_in(&mut stream, BAD), None);
    drop(stream);
    server.signal("TERM");
    assert!(server.end().success());
    let state = server.dir.path().join("data/state");
    multiply(&state, devices, every);
    let file = fs::metadata(state.join("fleet.db")).unwrap().len();

    let setup = server.stop();
    let begun = Instant::now();
    let server = setup.start_early(CONFIG, &mut Command::new(BINARY));
    let mut stream = server.tcp();
    // The last one of the store comes first.
    let failed = (0..FAILED)
        .rev()
        .map(|number| mac((number + 1) * every - 1));
    let failed: Vec<_> = failed.chain([BAD.to_owned()]).collect();
    assert_eq!(check_in(&mut stream, &failed[0]), None);
    let first = begun.elapsed();
    let mut asked = 0;
    while begun.elapsed() < first + Duration::from_secs(1) || asked < 200 {
        let mac = &failed[asked % failed.len()];
        assert_eq!(check_in(&mut stream, mac), None, "{mac}");
        asked += 1;
    }
    until("readiness", || is_ready(&server));
    let ready = begun.elapsed();
    for mac in &failed {
        assert_eq!(check_in(&mut stream, mac), None, "{mac}");
    }
    assert!(check_in(&mut stream, GOOD).is_some());
    assert!(check_in(&mut stream, &mac(0)).is_some());
    server.settle();
    let said = server.log();
    for mac in &failed[..100] {
        let of = [("device", &**mac)];
        let mut said = said.iter();
        let why = |line: &String| {
            let ids = ["withheld.unread", "withheld.failed"];
            ids.iter().any(|id| event::is(line, id, &of))
        };
        assert!(said.any(why), "{mac}");
    }

    let (fleet, counting) = ask(&server, "/api/v1/fleet");
    assert_eq!(fleet["devices"], devices + 2);
    let (found, searching) = ask(&server, "/api/v1/devices?q=nowhere");
    assert_eq!(found["devices"], json!([]));
    let (found, _) = ask(&server, "/api/v1/devices?end=rolled-back&limit=1000");
    assert_eq!(found["devices"].as_array().unwrap().len(), 1000);
    let (_, files) = ask(&server, "/api/v1/firmware");
    let memory = resident(&server);
    eprintln!(
        "{devices} devices: first answer after {first:?}, ready after {ready:?}, asked {asked} \
         in the first second; {} MB resident, {} MB of file; counts {counting:?}, search \
         {searching:?}, files {files:?}",
        memory / 1_000_000,
        file / 1_000_000,
    );
    the_latest_failure_is_shown(&server, &mut stream);
    if is_long() {
        assert!(first <= FIRST_ANSWER, "{first:?}");
        assert!(memory <= MEMORY, "{memory}");
        assert!(file <= FILE, "{file}");
    }
}
