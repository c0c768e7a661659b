//! A clock that jumps, and a disk that is full for a while.

use super::sized;
use super::watch::{IMAGE, Scenario, image};
use crate::disks::in_namespace;
use crate::support::server::{PATIENT, Server, Setup, request, with_clock};
use crate::support::until;
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Sets such a clock so many hours off, and waits until it is.
#[track_caller]
pub(super) fn set_clock(server: &Server, hours: i64) {
    let file = server.dir.path().join("clock");
    // Never half a number.
    let draft = server.dir.path().join("clock.new");
    fs::write(&draft, format!("{hours:+}h")).unwrap();
    fs::rename(draft, file).unwrap();
    until("the other time", || {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        // Nobody else's device.
        let headers = [("Device-Id", "clock"), ("Client-Id", "c")];
        let told = server.send("http", &request("POST", "/xiaozhi/ota/", &headers, b"{}"));
        let told = told.json()["server_time"]["timestamp"].as_i64()?;
        let off = told / 1000 - i64::try_from(now.as_secs()).unwrap() - hours * 3600;
        (off.abs() < 600).then_some(())
    });
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_that_jumps() {
    let Some(scenario) = Scenario::new("a_clock_that_jumps") else {
        return;
    };
    let setup = Setup::new().file(IMAGE, image());
    let mut command = with_clock(&setup, "+0");
    let server = setup.start_by(&format!("gateway:\n{PATIENT}"), &mut command);
    let day = 24;
    let all = [365 * day * 5, -day, -365 * day * 10, 1, 365 * day * 25, 0];
    let jumps = &all[..sized(3, 6)];
    let did = format!("the clock off by {jumps:?} hours");
    scenario.run(&server, did, |meanwhile| {
        for hours in jumps {
            set_clock(&server, *hours);
            meanwhile.while_it_asks(|| {});
        }
    });
}

/// A folder of the server, where only the server sees what is mounted.
pub(super) fn inside(server: &Server, folder: &str) -> PathBuf {
    let dir = server.dir.path().strip_prefix("/").unwrap();
    let root = PathBuf::from(format!("/proc/{}/root", server.pid()));
    root.join(dir).join(folder)
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    let Some(scenario) = Scenario::new("a_disk_that_is_full_for_a_while") else {
        return;
    };
    let prepare = "mkdir -p tmp certs; mount -t tmpfs -o size=1m tmpfs tmp; mount -t tmpfs -o size=1m tmpfs certs";
    let config = format!("log: {{log_dir: tmp, log_file: server.log}}\ngateway:\n{PATIENT}");
    let server = Setup::new()
        .file(IMAGE, image())
        .start_by(&config, &mut in_namespace(prepare));
    // The device looks for it where a test can read it.
    let own = server.dir.path().join("certs");
    fs::create_dir_all(&own).unwrap();
    fs::copy(
        inside(&server, "certs/self-signed.crt"),
        own.join("self-signed.crt"),
    )
    .unwrap();
    let log = inside(&server, "tmp/server.log");
    let length = || fs::metadata(&log).unwrap().len();
    scenario.run(
        &server,
        "the disk of log and certificates full, and free again",
        |meanwhile| {
            let fillers = ["tmp/filler", "certs/filler"].map(|file| inside(&server, file));
            for filler in &fillers {
                // As much as it takes.
                let _ = fs::write(filler, vec![7; 2 << 20]);
            }
            until("what is said of it", || {
                server.settle();
                server.events("log.fault", &[]).pop()
            });
            meanwhile.while_it_asks(|| {});
            let full = length();
            for filler in &fillers {
                fs::remove_file(filler).unwrap();
            }
            until("the log to go on", || {
                server.settle();
                (length() > full).then_some(())
            });
            meanwhile.while_it_asks(|| {});
        },
    );
}
