//! The store of what is known of devices on a disk that is full, read-only or broken, locked
//! by others and removed: devices are answered as ever, what failed on them stays known, and
//! all is written once that can be.

use super::clocks_and_disks::inside;
use super::sized;
use super::watch::{IMAGE, Meanwhile, Over, Scenario, image};
use crate::disks::in_namespace;
use crate::support::event::id;
use crate::support::server::{PATIENT, Server, Setup, exchange, request, try_exchange};
use crate::support::{PATIENCE, noise, until};
use rusqlite::types::FromSql;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::Image;

/// An image that fails on every device, and its model.
const BAD: &str = "fails_1.1.0.bin";
const MODEL: &str = "fails";
/// A device on which it failed twice, and one of which somebody has ordered that it be tried
/// again.
const FAILED: &str = "02:fb:00:00:00:01";
const RETRIED: &str = "02:fb:00:00:00:02";
/// Devices that check in all the time, so that there is something to write.
const OTHERS: usize = 200;

/// Where the state folder is, and what the server has of it.
struct Bench {
    server: Server,
    state: PathBuf,
    token: String,
    /// Only the server sees the folder as it is: SQLite follows no way into it.
    is_apart: bool,
}

fn setup() -> Setup {
    Setup::new()
        .file(IMAGE, image())
        .file(BAD, Image::new("1.1.0").build())
}

fn config() -> String {
    format!("gateway:\n{PATIENT}  admin: {{listen: 0}}\n")
}

impl Bench {
    /// One in an ordinary folder.
    fn new() -> Self {
        let server = setup().start(&config());
        let state = server.dir.path().join("data/state");
        Self::of(server, state).with_failures()
    }

    /// One on a small disk of its own.
    fn small() -> Self {
        let prepare = "mkdir -p data/state; mount -t tmpfs -o size=8m,mode=700 tmpfs data/state";
        let server = setup().start_by(&config(), &mut in_namespace(prepare));
        let state = inside(&server, "data/state");
        let bench = Self::of(server, state);
        let is_apart = true;
        Self { is_apart, ..bench }.with_failures()
    }

    fn of(server: Server, state: PathBuf) -> Self {
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
    fn with_failures(self) -> Self {
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

    fn file(&self) -> PathBuf {
        self.state.join("fleet.db")
    }

    fn device(&self, mac: &str) -> Value {
        let path = format!("/api/v1/devices/{mac}");
        self.server.admin("GET", &path, &self.token, "").json()
    }

    /// Checks in as a device of the model, which is offered the image or nothing.
    #[track_caller]
    fn offer(&self, mac: &str) -> Option<String> {
        let reply = self.server.send("http", &check(mac, MODEL, "1.0.0"));
        assert_eq!(reply.status, 200);
        // With its token.
        let url = reply.whole_json()["firmware"]["url"].clone();
        let url = url.as_str().unwrap();
        (!url.is_empty()).then(|| url.to_owned())
    }

    /// Holds that orders, and what failed, are kept to.
    #[track_caller]
    fn in_force(&self, when: &str) {
        assert_eq!(self.offer(FAILED), None, "{when}: it failed twice");
        assert!(self.offer(RETRIED).is_some(), "{when}: it was ordered");
    }

    /// Returns why the store is not ready; `None` where it is.
    #[track_caller]
    fn lacks(&self) -> Option<String> {
        let reply = self.server.admin("GET", "/readyz", "", "");
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
    fn recovers(&self) {
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
    fn read<T: FromSql>(&self, what: &str) -> rusqlite::Result<T> {
        // One that only reads makes none where there is none.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let reader = Connection::open_with_flags(self.file(), flags)?;
        reader.query_row(what, [], |row| row.get(0))
    }

    /// Number of devices that the server knows.
    fn known(&self) -> i64 {
        let fleet = self.server.admin("GET", "/api/v1/fleet", &self.token, "");
        fleet.json()["devices"].as_i64().unwrap()
    }

    /// Ids of what was said of the store, in their order.
    fn said(&self) -> Vec<String> {
        self.server.settle();
        let log = self.server.log();
        let ids = log.iter().filter_map(|line| id(line));
        let ids = ids.filter(|id| id.starts_with("store.") && *id != "store.read");
        ids.map(str::to_owned).collect()
    }

    /// Waits until this was said of the store, and holds that nothing else was.
    #[track_caller]
    fn holds_said(&self, ids: &[&str]) {
        let end = Instant::now() + PATIENCE;
        // What is ready is told a moment before it is said.
        while self.said().len() < ids.len() && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(self.said(), ids);
    }

    /// Returns what was moved aside.
    fn aside(&self) -> Vec<PathBuf> {
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

fn check(mac: &str, model: &str, version: &str) -> Vec<u8> {
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
fn others(server: &Server, over: &AtomicBool) {
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

/// Does something to the store while devices check in, and holds what must hold then.
fn scenario(name: &'static str, did: &str, bench: &Bench, deed: impl FnOnce(&Meanwhile<'_>)) {
    let scenario = Scenario::new(name).unwrap();
    let (beside, over) = (setup().start(&config()), AtomicBool::new(false));
    thread::scope(|scope| {
        let _over = Over(&over);
        for server in [&bench.server, &beside] {
            let over = &over;
            scope.spawn(move || others(server, over));
        }
        // A store and its log are opened anew.
        let scenario = scenario.beside(&beside, 1.2).open(12);
        scenario.run(&bench.server, did, |meanwhile| {
            deed(meanwhile);
            goes_on(bench, meanwhile, "after all");
        });
    });
    bench.in_force("after all");
}

/// Has devices asked for a while, and holds what they are told.
#[track_caller]
fn goes_on(bench: &Bench, meanwhile: &Meanwhile<'_>, when: &str) {
    for _ in 0..sized(1, 10) {
        bench.in_force(when);
        meanwhile.while_it_asks(|| {});
    }
    bench.in_force(when);
}

/// Waits for an event, and for the reason that is told to who asks whether all is well.
#[track_caller]
fn begins(bench: &Bench, event: &str, words: &str) {
    bench.server.event(event, &[]);
    let why = until("a reason", || bench.lacks());
    assert!(why.contains(words), "{words}: {why}");
}

/// Restarts, and holds what must hold then.
fn and_again(bench: Bench) {
    let Bench { server, state, .. } = bench;
    let bench = Bench::of(server.stop().start(&config()), state);
    until("what was kept", || bench.lacks().is_none().then_some(()));
    bench.in_force("after a restart");
}

#[test]
fn a_store_without_room() {
    let bench = Bench::small();
    let did = "no room on the disk of the store, and room again";
    scenario("a_store_without_room", did, &bench, |meanwhile| {
        let filler = bench.state.join(".draft-filler");
        fill(&filler);
        begins(&bench, "store.full", "no room for");
        goes_on(&bench, meanwhile, "without room");
        // An order that cannot be written is none.
        let path = format!("/api/v1/devices/{FAILED}/retry");
        let reply = bench.server.admin("POST", &path, &bench.token, "");
        assert!(reply.status >= 500, "{}: {}", reply.status, reply.text());
        bench.in_force("without room");
        fs::remove_file(filler).unwrap();
        bench.recovers();
    });
    bench.holds_said(&["store.full", "store.recovered"]);
    assert!(bench.aside().is_empty());
}

/// Takes all that a disk has.
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    for length in [1 << 16, 512, 1] {
        while file.write_all(&vec![7; length]).is_ok() {}
    }
}

#[test]
fn a_store_that_is_removed() {
    let bench = Bench::new();
    let rounds = sized(1, 5);
    let did = format!("the store removed {rounds} times");
    scenario("a_store_that_is_removed", &did, &bench, |meanwhile| {
        for round in 1..=rounds {
            for end in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(bench.state.join(format!("fleet.db{end}")));
            }
            until("what is said of it", || {
                (bench.server.events("store.gone", &[]).len() == round).then_some(())
            });
            goes_on(&bench, meanwhile, "without a store");
            bench.recovers();
        }
    });
    bench.holds_said(&["store.gone", "store.recovered"].repeat(rounds));
    and_again(bench);
}

/// Has the system refuse what a thread asks, until it is dropped.
struct Refusing(Child);

impl Refusing {
    fn new(server: &Server, thread: &str, what: &str) -> Self {
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

#[test]
fn a_store_that_may_not_be_written() {
    let bench = Bench::new();
    let did = "the disk of the store read-only, then broken, and good again";
    scenario(
        "a_store_that_may_not_be_written",
        did,
        &bench,
        |meanwhile| {
            for (error, event, words) in [
                ("EROFS", "store.read-only", "cannot be written"),
                ("EIO", "store.failing", "fleet.db"),
            ] {
                let refusing = Refusing::new(
                    &bench.server,
                    "store",
                    &format!("write,pwrite64:error={error}"),
                );
                begins(&bench, event, words);
                goes_on(&bench, meanwhile, error);
                drop(refusing);
                bench.recovers();
            }
        },
    );
    let said = [
        "store.read-only",
        "store.recovered",
        "store.failing",
        "store.recovered",
    ];
    bench.holds_said(&said);
    assert!(bench.aside().is_empty());
    and_again(bench);
}

#[test]
fn a_store_that_is_locked() {
    let bench = Bench::new();
    let held = Duration::from_secs(sized(6, 60));
    let did = format!("the store locked by another program for {held:?}");
    scenario("a_store_that_is_locked", &did, &bench, |meanwhile| {
        let other = Connection::open(bench.file()).unwrap();
        other.busy_timeout(PATIENCE).unwrap();
        let begun = Instant::now();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        begins(&bench, "store.locked", "another program has locked");
        while begun.elapsed() < held {
            goes_on(&bench, meanwhile, "locked");
        }
        other.execute_batch("ROLLBACK").unwrap();
        bench.recovers();
    });
    bench.holds_said(&["store.locked", "store.recovered"]);
    and_again(bench);
}

#[test]
fn a_store_of_garbage() {
    let bench = Bench::new();
    let did = "the store overwritten with garbage, its log, and both";
    let mut expected = 0;
    scenario("a_store_of_garbage", did, &bench, |meanwhile| {
        for files in [&["fleet.db"][..], &["fleet.db", "fleet.db-wal"]] {
            for file in files {
                // In place, as a disk does it.
                let path = bench.state.join(file);
                let length = fs::metadata(&path).unwrap().len().max(8192);
                let mut open = File::options().write(true).open(&path).unwrap();
                let garbage = noise(usize::try_from(length).unwrap(), 16);
                open.write_all(&garbage).unwrap();
            }
            expected += 1;
            until("what is said of it", || {
                (bench.server.events("store.broken", &[]).len() == expected).then_some(())
            });
            goes_on(&bench, meanwhile, "garbage");
            bench.recovers();
            assert_eq!(bench.aside().len(), expected);
            // The next one within a minute is waited for.
            if sized(true, false) {
                break;
            }
            thread::sleep(Duration::from_secs(61));
        }
    });
    bench.holds_said(&["store.broken", "store.recovered"].repeat(expected));
    and_again(bench);
}

#[test]
fn garbage_at_the_start() {
    let bench = Bench::new();
    let Bench { server, state, .. } = bench;
    let stopped = server.stop();
    let garbage = noise(1 << 20, 17);
    fs::write(state.join("fleet.db"), &garbage).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(state.join(format!("fleet.db{end}")));
    }
    let bench = Bench::of(stopped.start(&config()), state);
    bench.server.event("store.broken", &[]);
    bench.recovers();
    let [aside] = &bench.aside()[..] else {
        panic!("{:?}", bench.aside());
    };
    assert_eq!(fs::read(aside).unwrap(), garbage);
    bench.holds_said(&["store.broken", "store.recovered"]);
    // What failed was in it alone; orders were not.
    assert!(bench.offer(RETRIED).is_some());
    let orders = fs::read_to_string(bench.state.join("orders.json")).unwrap();
    assert!(orders.contains(RETRIED), "{orders}");
}

#[test]
fn a_store_of_a_newer_program() {
    let bench = Bench::new();
    let Bench {
        mut server, state, ..
    } = bench;
    // In good order, so that no log is left beside it.
    server.signal("TERM");
    assert!(server.end().success());
    let file = state.join("fleet.db");
    let mut newer = fs::read(&file).unwrap();
    // `user_version` (https://sqlite.org/fileformat2.html, section 1.3).
    newer[60..64].copy_from_slice(&[0, 0, 0, 200]);
    fs::write(&file, &newer).unwrap();
    let bench = Bench::of(server.stop().start(&config()), state);
    begins(&bench, "store.newer", "a newer program wrote");
    for mac in [FAILED, RETRIED, "02:fb:00:00:00:03"] {
        assert_eq!(bench.offer(mac), None, "{mac}");
    }
    assert_eq!(fs::read(&file).unwrap(), newer);
    let kept = bench.state.join("kept.db");
    fs::rename(&file, &kept).unwrap();
    bench.recovers();
    assert!(bench.offer(RETRIED).is_some());
    assert_eq!(fs::read(&kept).unwrap(), newer);
    bench.holds_said(&["store.newer", "store.recovered"]);
}

#[test]
fn a_state_folder_that_is_removed() {
    let bench = Bench::new();
    let did = "the state folder removed, and made again";
    scenario("a_state_folder_that_is_removed", did, &bench, |meanwhile| {
        fs::remove_dir_all(&bench.state).unwrap();
        begins(&bench, "store.gone", "was removed");
        begins(&bench, "store.failing", "No such file");
        goes_on(&bench, meanwhile, "without a folder");
        fs::create_dir(&bench.state).unwrap();
        bench.recovers();
    });
    bench.holds_said(&["store.gone", "store.failing", "store.recovered"]);
    and_again(bench);
}
