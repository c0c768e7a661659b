//! Many invented devices: what protects a device is not forgotten for strangers, and what is
//! kept of them has a bound.

use super::clocks_and_disks::set_clock;
use super::log::pipeline;
use super::sized;
use super::watch::{IMAGE, Scenario, image};
use crate::disks::in_namespace;
use crate::support::device::Device;
use crate::support::server::{PATIENT, Server, Setup, request, with_clock};
use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

/// One of them, which may have the version that is never offered without force.
fn stranger(number: usize, version: &str) -> Vec<u8> {
    let device = format!(
        "02:00:00:{:02x}:{:02x}:{:02x}",
        number >> 16,
        number >> 8 & 255,
        number & 255
    );
    let elf = "dd".repeat(32);
    let body = format!(
        r#"{{"chip_model_name":"esp32s3","application":{{"name":"xiaozhi","version":"{version}","idf_version":"v5.4.1","elf_sha256":"{elf}"}},"board":{{"type":"a"}}}}"#
    );
    let headers = [("Device-Id", &*device), ("Client-Id", "c")];
    request("POST", "/xiaozhi/ota/", &headers, body.as_bytes())
}

/// Boots of a device an hour apart, until nothing is forced on it any more.
fn is_given_up(server: &Server) -> bool {
    let device = Device::new("1.8.0");
    (1..6).any(|hours| {
        let json = device.check_in(server).json();
        set_clock(server, hours);
        json["firmware"].get("force").is_none()
    })
}

#[test]
#[ignore = "needs faketime"]
fn strangers_make_nobody_forget() {
    let Some(scenario) = Scenario::new("strangers_make_nobody_forget") else {
        return;
    };
    let setup = Setup::new()
        .file(IMAGE, image())
        .file("a_1.7.0.bin", Image::new("1.7.0").build());
    let config = format!("gateway:\n{PATIENT}  firmware: {{pin: {{a: 1.7.0}}}}\n");
    let mut command = with_clock(&setup, "+0");
    let server = setup.start_by(&config, &mut command);
    assert!(is_given_up(&server), "it is forced for ever");
    let count = sized(2000, 34_000);
    let did = format!("twice {count} invented devices, the second ones forced themselves");
    scenario.kept(64).run(&server, did, |meanwhile| {
        pipeline(&server, count, |n| stranger(n, "1.7.0"));
        pipeline(&server, count, |n| stranger(n + count, "1.8.0"));
        meanwhile.while_it_asks(|| {});
    });
    let json = Device::new("1.8.0").check_in(&server).json();
    assert!(json["firmware"].get("force").is_none(), "{json}");
}

/// Invented devices a second, and how many of them come over one connection.
const RATE: usize = 2_000;
const AT_ONCE: usize = 20;
/// Settled devices for which there is room, whatever the machine, and newcomers.
const ROOM: usize = 10_000;
const NEWCOMERS: usize = 4_096;
/// Newcomers that are remembered where there are 512 MiB.
const NEWCOMERS_OF_512: usize = 16_384;

/// The server on a machine of so little memory, at a time that can be set.
fn with_memory(setup: &Setup, mib: usize) -> Command {
    let memory = setup.path().join("meminfo");
    fs::write(&memory, format!("MemTotal: {} kB\n", mib << 10)).unwrap();
    let clock = with_clock(setup, "+0");
    let mut command = in_namespace(&format!("mount --bind {} /proc/meminfo", memory.display()));
    for (name, value) in clock.get_envs() {
        command.env(name, value.unwrap_or(OsStr::new("")));
    }
    command
}

/// A number that looks like none in particular.
fn mixed(number: usize) -> u64 {
    (number as u64 + 1)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .rotate_left(29)
        .wrapping_mul(0xBF58_476D_1CE4_E5B9)
}

/// One of whom everything is made up, and as much as is kept of anybody.
fn made_up(number: usize) -> Vec<u8> {
    let random = mixed(number);
    // Of nobody's maker, and no group's.
    let mac = (random & 0xfcff_ffff_ffff | 0x0200_0000_0000).to_be_bytes();
    let mac: Vec<_> = mac[2..].iter().map(|byte| format!("{byte:02x}")).collect();
    let mac = mac.join(":");
    let client = format!("{:032x}", u128::from(random) * 3);
    let (board, version) = (random % 100_003, random % 1009);
    let elf = format!("{random:016x}").repeat(4);
    let long = format!("{random:016x}").repeat(7);
    let lines = (0..24).map(|line| {
        format!(r#"{{"label":"{line:x}{board:x}","type":1,"subtype":{random},"address":0,"size":{random}}}"#)
    });
    let lines = lines.collect::<Vec<_>>().join(",");
    let body = format!(
        r#"{{"chip_model_name":"c{long}","flash_size":{},"application":{{"name":"x{long}","version":"1.{version}","idf_version":"v{long}","elf_sha256":"{elf}"}},"partition_table":[{lines}],"ota":{{"label":"o{long}"}},"board":{{"type":"t{long}","name":"b{long}"}}}}"#,
        random % 65_521
    );
    let headers = [("Device-Id", &*mac), ("Client-Id", &*client)];
    request("POST", "/xiaozhi/ota/", &headers, body.as_bytes())
}

/// A device of ours, as it comes at each boot.
fn known(number: usize) -> Vec<u8> {
    let mac = format!("02:ff:ff:00:{:02x}:{:02x}", number >> 8, number & 255);
    let headers = [("Device-Id", &*mac), ("Client-Id", "c")];
    let body = br#"{"application":{"version":"1.0"},"board":{"type":"known"}}"#;
    request("POST", "/xiaozhi/ota/", &headers, body)
}

/// Number of devices that a server knows, and of those that are ours.
fn counted(server: &Server) -> (usize, usize) {
    let fleet = server.admin("GET", "/api/v1/fleet", &server.admin_token(), "");
    let fleet = fleet.json();
    let number = |value: &serde_json::Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let models = fleet["models"].as_array().unwrap();
    let ours = models.iter().find(|model| model["model"] == "known");
    let ours = ours.map_or(0, |model| number(&model["devices"]));
    (number(&fleet["devices"]), ours)
}

/// Bytes of the store and what lies beside it.
fn stored(server: &Server) -> u64 {
    let state = server.dir.path().join("data/state");
    ["fleet.db", "fleet.db-wal"]
        .iter()
        .map(|file| fs::metadata(state.join(file)).map_or(0, |data| data.len()))
        .sum()
}

/// 2,000 a second, each another: what is kept of them, in memory and in the store, is that of
/// so many newcomers, and as much of what they say as there is room for.
#[test]
#[ignore = "needs faketime"]
fn invented_devices_without_end() {
    let Some(scenario) = Scenario::new("invented_devices_without_end") else {
        return;
    };
    let settled = sized(300, 5_000);
    let seconds = sized(10, 600);
    let setup = Setup::new().file(IMAGE, image());
    let config = format!("gateway:\n{PATIENT}  admin: {{listen: 0}}\n");
    let mut command = with_memory(&setup, 512);
    let server = setup.start_by(&config, &mut command);
    pipeline(&server, settled, known);
    set_clock(&server, 1);
    pipeline(&server, settled, known);
    let sent = AtomicUsize::new(0);
    let did = format_args!("{sent:?} invented devices at {RATE} a second");
    let scenario = scenario.most(sized(48, 64)).kept(sized(48, 64));
    let most_stored = (sized(48, 56)) << 20;
    let beside = Setup::new().start("");
    scenario
        .beside(&beside, 1.2)
        .run(&server, did, |meanwhile| {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(seconds) {
                let done = sent.load(Ordering::Relaxed);
                pipeline(&server, AT_ONCE, |n| made_up(done + n));
                sent.fetch_add(AT_ONCE, Ordering::Relaxed);
                assert!(stored(&server) < most_stored, "{} bytes", stored(&server));
                let due = done as f64 / RATE as f64;
                let due = begun + Duration::from_secs_f64(due);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            meanwhile.while_it_asks(|| {});
        });
    let (all, ours) = counted(&server);
    assert_eq!(ours, settled);
    // And the device that was watched.
    assert!(all <= NEWCOMERS_OF_512 + settled + 1, "{all}");
    // A restart knows the same.
    let server = server.stop().start(&config);
    crate::support::until("all that was stored", || {
        let ready = server.admin("GET", "/readyz", "", "");
        (ready.status == 200).then_some(())
    });
    let (all, ours) = counted(&server);
    assert_eq!(ours, settled);
    assert!(all <= NEWCOMERS_OF_512 + settled + 1, "{all}");
}

/// Those that come twice are settled, as far as there is memory for it, and whatever they say.
#[test]
#[ignore = "needs faketime"]
fn invented_devices_that_come_twice() {
    let Some(scenario) = Scenario::new("invented_devices_that_come_twice") else {
        return;
    };
    let count = sized(8_000, 80_000);
    let setup = Setup::new().file(IMAGE, image());
    let config = format!("gateway:\n{PATIENT}  admin: {{listen: 0}}\n");
    let mut command = with_memory(&setup, 16);
    let server = setup.start_by(&config, &mut command);
    server.event("memory.room", &[("devices", "10000")]);
    let did = format!("{count} invented devices that come twice, where there is memory for {ROOM}");
    scenario
        .most(sized(32, 48))
        .kept(sized(32, 48))
        .run(&server, did, |meanwhile| {
            let mut hours = 0;
            // No more at once than are remembered until they come again.
            let mut twice = |from: usize, count: usize, who: fn(usize) -> Vec<u8>| {
                for begin in (from..from + count).step_by(NEWCOMERS / 2) {
                    let some = (from + count - begin).min(NEWCOMERS / 2);
                    pipeline(&server, some, |n| who(begin + n));
                    hours += 1;
                    set_clock(&server, hours);
                    pipeline(&server, some, |n| who(begin + n));
                }
            };
            // Our own are settled, which came in time, and the first of them.
            twice(0, 50, known);
            twice(0, ROOM - 100, made_up);
            twice(ROOM, count, made_up);
            meanwhile.while_it_asks(|| {});
        });
    server.event("fleet.full", &[("limit", "10000")]);
    server.event("fleet.crowded", &[("limit", "4096 KiB")]);
    let (all, ours) = counted(&server);
    assert_eq!(ours, 50);
    assert!((ROOM..=NEWCOMERS + ROOM).contains(&all), "{all}");
}
