//! The store of what is known of devices on a disk that is full, read-only or broken, locked
//! by others and removed: devices are answered as ever, what failed on them stays known, and
//! all is written once that can be.

use super::sized;
use super::stored::{Bench, FAILED, RETRIED, Refusing, config, others, setup};
use super::watch::{Meanwhile, Over, Scenario};
use crate::support::{PATIENCE, noise, until};
use rusqlite::Connection;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

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
        let gone = bench.state.with_extension("gone");
        fs::rename(&bench.state, &gone).unwrap();
        fs::remove_dir_all(gone).unwrap();
        begins(&bench, "state.lost", "No such file");
        goes_on(&bench, meanwhile, "without a folder");
        fs::create_dir(&bench.state).unwrap();
        bench.recovers();
    });
    bench.server.event("state.taken-again", &[]);
    bench.holds_said(&["store.recovered"]);
    and_again(bench);
}
