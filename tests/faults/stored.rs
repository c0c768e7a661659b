//! A server with devices on which an image failed, its store, and what is told of both.

use super::clocks_and_disks::inside;
use super::watch::{IMAGE, image};
use crate::disks::in_namespace;
use crate::support::event::id;
use crate::support::server::{PATIENT, Server, Setup, exchange, request, try_exchange};
use crate::support::{PATIENCE, until};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

/// An image that fails on every device, and its model.
pub(super) const BAD: &str = "fails_1.1.0.bin";
pub(super) const MODEL: &str = "fails";
/// A device on which it failed twice, and one of which somebody has ordered that it be tried
/// again.
pub(super) const FAILED: &str = "02:fb:00:00:00:01";
pub(super) const RETRIED: &str = "02:fb:00:00:00:02";
/// Devices that check in all the time, so that there is something to write.
pub(super) const OTHERS: usize = 200;

/// Where the state folder is, and what the server has of it.
pub(super) struct Bench {
    pub(super) server: Server,
    pub(super) state: PathBuf,
    pub(super) token: String,
    /// Only the server sees the folder as it is: SQLite follows no way into it.
    pub(super) is_apart: bool,
}

pub(super) fn setup() -> Setup {
    Setup::new()
        .file(IMAGE, image())
        .file(BAD, Image::new("1.1.0").build())
}

pub(super) fn config() -> String {
    format!("gateway:\n{PATIENT}  admin: {{listen: 0}}\n")
}

impl Bench {
    /// One in an ordinary folder.
    pub(super) fn new() -> Self {
        let server = setup().start(&config());
        let state = server.dir.path().join("data/state");
        Self::of(server, state).with_failures()
    }

    /// One on a small disk of its own.
    pub(super) fn small() -> Self {
        let prepare = "mkdir -p data/state; mount -t tmpfs -o size=8m,mode=700 tmpfs data/state";
        let server = setup().start_by(&config(), &mut in_namespace(prepare));
        let state = inside(&server, "data/state");
        let bench = Self::of(server, state);
        let is_apart = true;
        Self { is_apart, ..bench }.with_failures()
    }

    pub(super) fn of(server: Server, state: PathBuf) -> Self {
        let token = fs::read_to_string(state.join("admin.token")).unwrap();
        let token = token.trim().to_owned();
        Self {
            server,
            state,
            token,
            is_apart: false,
        }
    }

    /// Has the image fail on both.
    pub(super) fn with_failures(self) -> Self {
        // Nothing is offered before it is known that nothing failed.
        until("a store that was read", || {
            self.lacks().is_none().then_some(())
        });
        for mac in [FAILED, RETRIED] {
            for _ in 0..2 {
                let url = self.offer(mac).expect("it did not fail twice yet");
                let (_, path) = url.split_once("/xiaozhi/").unwrap();
                let path = format!("/xiaozhi/{path}");
                let mut stream = self.server.tcp();
                let asked = request("GET", &path, &[("Connection", "close")], b"");
                assert_eq!(exchange(&mut stream, &asked).status, 200);
                drop(stream);
                until("a download that counts", || {
                    let device = self.device(mac);
                    (device["offers"][0]["end"] == "fetched").then_some(())
                });
            }
            assert_eq!(self.offer(mac), None, "it failed twice");
        }
        let path = format!("/api/v1/devices/{RETRIED}/retry");
        let reply = self.server.admin("POST", &path, &self.token, "");
        assert_eq!(reply.status, 200, "{}", reply.text());
        self.in_force("before all");
        // What is known now is in the store.
        until("a store with what failed", || {
            let count = "SELECT count(*) FROM device WHERE failed IS NOT NULL";
            let is_there = self.is_apart || self.read::<i64>(count).is_ok_and(|count| count >= 1);
            is_there.then_some(())
        });
        self
    }

    pub(super) fn file(&self) -> PathBuf {
        self.state.join("fleet.db")
    }

    pub(super) fn device(&self, mac: &str) -> Value {
        let path = format!("/api/v1/devices/{mac}");
        self.server.admin("GET", &path, &self.token, "").json()
    }

    /// Checks in as a device of the model, which is offered the image or nothing.
    #[track_caller]
    pub(super) fn offer(&self, mac: &str) -> Option<String> {
        let reply = self.server.send("http", &check(mac, MODEL, "1.0.0"));
        assert_eq!(reply.status, 200);
        // With its token.
        let url = reply.whole_json()["firmware"]["url"].clone();
        let url = url.as_str().unwrap();
        (!url.is_empty()).then(|| url.to_owned())
    }

    /// Holds that orders, and what failed, are kept to.
    #[track_caller]
    pub(super) fn in_force(&self, when: &str) {
        assert_eq!(self.offer(FAILED), None, "{when}: it failed twice");
        assert!(self.offer(RETRIED).is_some(), "{when}: it was ordered");
    }

    /// Returns why the store is not ready; `None` where it is.
    #[track_caller]
    pub(super) fn lacks(&self) -> Option<String> {
        let reply = self.server.admin("GET", "/readyz", &self.token, "");
        let ready = reply.json();
        let store = &ready["checks"]["store"];
        assert_eq!(reply.status == 200, ready["ready"] == true, "{ready}");
        assert_eq!(store["ok"], ready["ready"], "{ready}");
        let why = store["why"].as_str().map(str::to_owned);
        assert_eq!(why.is_none(), reply.status == 200, "{ready}");
        why
    }

    /// Waits until the store is ready, and all that was told before is in it.
    #[track_caller]
    pub(super) fn recovers(&self) {
        until("a store that is ready", || {
            self.lacks().is_none().then_some(())
        });
        if self.is_apart {
            return;
        }
        let whole = self.known();
        until("a store that has all", || {
            let count = "SELECT count(*) FROM device";
            let count: i64 = self.read(count).ok()?;
            (count >= whole).then_some(())
        });
        let check: String = self.read("PRAGMA integrity_check").unwrap();
        assert_eq!(check, "ok");
    }

    /// Reads one value from the store.
    pub(super) fn read<T: FromSql>(&self, what: &str) -> rusqlite::Result<T> {
        // One that only reads makes none where there is none.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let reader = Connection::open_with_flags(self.file(), flags)?;
        reader.query_row(what, [], |row| row.get(0))
    }

    /// Number of devices that the server knows.
    pub(super) fn known(&self) -> i64 {
        let fleet = self.server.admin("GET", "/api/v1/fleet", &self.token, "");
        fleet.json()["devices"].as_i64().unwrap()
    }

    /// Ids of what was said of the store, in their order.
    pub(super) fn said(&self) -> Vec<String> {
        self.server.settle();
        let log = self.server.log();
        let ids = log.iter().filter_map(|line| id(line));
        let ids = ids.filter(|id| id.starts_with("store.") && *id != "store.read");
        ids.map(str::to_owned).collect()
    }

    /// Waits until this was said of the store, and holds that nothing else was.
    #[track_caller]
    pub(super) fn holds_said(&self, ids: &[&str]) {
        let end = Instant::now() + PATIENCE;
        // What is ready is told a moment before it is said.
        while self.said().len() < ids.len() && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.said(), ids);
    }

    /// Returns what was moved aside.
    pub(super) fn aside(&self) -> Vec<PathBuf> {
        let items = fs::read_dir(&self.state).unwrap();
        let paths = items.map(|item| item.unwrap().path());
        let is_one = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("fleet.db.broken-")
                && !name.ends_with("-wal")
                && !name.ends_with("-shm")
        };
        paths.filter(is_one).collect()
    }
}

pub(super) fn check(mac: &str, model: &str, version: &str) -> Vec<u8> {
    let body = json!({
        "application": {"name": "xiaozhi", "version": version},
        "board": {"type": model},
    });
    let headers = [("Device-Id", mac), ("Client-Id", "c")];
    request(
        "POST",
        "/xiaozhi/ota/",
        &headers,
        body.to_string().as_bytes(),
    )
}

/// Checks in as many devices, one after the other, again and again.
pub(super) fn others(server: &Server, over: &AtomicBool) {
    let mut stream = server.tcp();
    for n in (0..OTHERS).cycle() {
        if over.load(Ordering::SeqCst) {
            return;
        }
        let mac = format!("02:fb:00:00:01:{n:02x}");
        let reply = try_exchange(&mut stream, &check(&mac, "others", "1.0.0"));
        assert_eq!(reply.map(|reply| reply.status), Ok(200));
        thread::sleep(Duration::from_millis(2));
    }
}

/// Has the system refuse what a thread asks, until it is dropped.
pub(super) struct Refusing(Child);

impl Refusing {
    pub(super) fn new(server: &Server, thread: &str, what: &str) -> Self {
        let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let mut tasks = tasks.map(|task| task.unwrap().path());
        let is_it = |task: &PathBuf| {
            fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == thread)
        };
        let task = tasks.find(is_it).unwrap();
        let mut child = Command::new("strace")
            .args(["-e", &format!("trace={}", what.split(':').next().unwrap())])
            .args(["-e", &format!("inject={what}"), "-o", "/dev/null", "-p"])
            .arg(task.file_name().unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It says that it is there.
        let mut said = [0; 7];
        let read = child.stderr.as_mut().unwrap().read_exact(&mut said);
        assert!(read.is_ok(), "strace: {said:?}");
        until("strace", || {
            let status = fs::read_to_string(task.join("status")).unwrap();
            let traced = format!("TracerPid:\t{}", child.id());
            status.contains(&traced).then_some(())
        });
        Self(child)
    }
}

impl Drop for Refusing {
    fn drop(&mut self) {
        // Killed, it would leave the thread stopped.
        let pid = self.0.id().to_string();
        let _ = Command::new("kill").args(["-s", "INT", &pid]).status();
        let _ = self.0.wait();
    }
}
