//! Things that may stand in the place of the store, and a folder that is lost while it is
//! written.

use super::*;
use crate::fleet::state_folder::StateFolder;
use std::os::unix::net::UnixListener;

fn pipe(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

type Make<'a> = &'a dyn Fn(&Path);

#[test]
fn what_is_no_file_is_named_and_nobody_waits_for_it() {
    let ways: [(&str, Make<'_>); 4] = [
        ("a pipe", &pipe),
        ("a folder", &|path| fs::create_dir(path).unwrap()),
        ("a socket", &|path| drop(UnixListener::bind(path).unwrap())),
        ("a device", &|path| {
            std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        }),
    ];
    for (found, make) in ways {
        for is_running in [false, true] {
            let (told, _guard) = told();
            let mut bench = Bench::new(folder());
            let file = bench.file();
            if is_running {
                bench.turn();
                fs::remove_file(&file).unwrap();
            }
            make(&file);
            bench.memory.put(1, "learned");
            bench.turns(10);
            let why = bench.health().why.unwrap();
            assert_eq!(why.kind.id, "store.no-file", "{found}");
            let words = why.to_string();
            let path = file.display().to_string();
            assert!(words.contains(found) && words.contains(&path), "{words}");
            // It holds nothing that had to be known.
            assert!(!bench.health().reading, "{found}");
            assert!(matches!(
                read_only(bench.folder.path()),
                Err(Fault::NoFile(_))
            ));
            fs::rename(&file, bench.folder.path().join("x")).unwrap();
            bench.turns(11);
            assert!(bench.is_written(), "{found}");
            let begun: &[_] = if is_running { &["store.gone"] } else { &[] };
            let said = [begun, &["store.no-file", "store.recovered"]].concat();
            assert_eq!(*lock(&told), said, "{found}");
        }
    }
}

#[test]
fn what_is_no_file_beside_a_store_keeps_it_from_being_read() {
    for end in ["-wal", "-shm"] {
        let (told, _guard) = told();
        let folder = written();
        let path = folder.path().join(format!("fleet.db{end}"));
        pipe(&path);
        lock(&told).clear();
        let mut bench = Bench::new(folder);
        bench.turns(10);
        let why = bench.health().why.unwrap();
        assert_eq!(why.kind.id, "store.unread", "{end}");
        assert!(why.to_string().contains(path.to_str().unwrap()), "{why}");
        assert!(bench.health().reading);
        fs::remove_file(&path).unwrap();
        bench.turns(11);
        assert_eq!(bench.memory.known().len(), 9);
        let said = ["store.unread", "store.read", "store.recovered"];
        assert_eq!(*lock(&told), said);
    }
}

#[test]
fn a_store_that_is_empty_is_told_of_once() {
    let (told, _guard) = told();
    let mut bench = Bench::new(folder());
    bench.turns(2);
    // The first start makes it.
    assert_eq!(*lock(&told), [""; 0]);
    bench.writer.finish(bench.now);
    let folder = bench.folder;
    let file = folder.path().join("fleet.db");
    fs::write(&file, "").unwrap();
    fs::write(folder.path().join("fleet.db-wal"), "").unwrap();
    let mut bench = Bench::new(folder);
    bench.memory.put(1, "learned");
    bench.turns(3);
    assert!(bench.is_written());
    assert_eq!(*lock(&told), ["store.empty"]);
    assert_eq!(bench.why(), None);
    let said = bench.memory.said();
    assert!(said.contains(&"all read".to_owned()), "{said:?}");
}

#[test]
fn a_log_beside_an_empty_store_is_not_thrown_away() {
    let (told, _guard) = told();
    let folder = folder();
    let path = |end: &str| folder.path().join(format!("fleet.db{end}"));
    fs::write(path(""), "").unwrap();
    fs::write(path("-wal"), "what devices said").unwrap();
    let mut bench = Bench::new(folder);
    bench.memory.put(1, "learned");
    bench.turns(3);
    assert!(bench.is_written());
    assert_eq!(*lock(&told), ["store.broken", "store.recovered"]);
    let older = Place::new(bench.folder.path().to_owned()).older();
    let kept = older
        .iter()
        .find(|path| fs::read(path).unwrap() == b"what devices said");
    assert!(kept.is_some(), "{older:?}");
}

/// A bench whose folder is held.
fn held(folder: TempDir) -> (Bench, StateFolder) {
    let held = StateFolder::open(folder.path()).unwrap();
    let mut bench = Bench::new(folder);
    bench.writer = bench.writer.held_by(held.clone());
    (bench, held)
}

#[test]
fn nothing_is_written_to_a_folder_that_another_has() {
    let (told, _guard) = told();
    let outside = folder();
    let (mut bench, held) = held(outside);
    lock(&told).clear();
    bench.memory.put(1, "before");
    bench.turns(3);
    let dir = bench.folder.path().to_owned();
    let away = dir.with_extension("away");
    fs::rename(&dir, &away).unwrap();
    let other = StateFolder::open(&dir).unwrap();
    // The writer finds it before anybody looks.
    bench.memory.put(2, "meanwhile");
    bench.turns(20);
    let names = || fs::read_dir(&dir).unwrap().count();
    assert_eq!((names(), bench.why()), (1, Some("state.lost")));
    assert_eq!(*lock(&told), ["state.lost"]);
    bench.writer.finish(bench.now);
    assert_eq!(names(), 1);
    drop(other);
    held.look().unwrap();
    bench.turns(3);
    assert!(bench.is_written());
    let said = ["state.lost", "state.taken-again", "store.recovered"];
    assert_eq!(*lock(&told), said);
    fs::remove_dir_all(away).unwrap();
}

#[test]
fn a_folder_that_is_made_anew_gets_all_that_is_known() {
    let (told, _guard) = told();
    let (mut bench, held) = held(written());
    bench.turns(3);
    assert_eq!(bench.memory.known().len(), 9);
    let dir = bench.folder.path().to_owned();
    for is_seen in [false, true] {
        fs::remove_dir_all(&dir).unwrap();
        if is_seen {
            held.look().unwrap_err();
            bench.turns(3);
        }
        fs::create_dir(&dir).unwrap();
        held.look().unwrap();
        bench.turns(3);
        assert!(bench.is_written());
        assert_eq!(stored(&dir).len(), 9);
    }
    let lost = ["state.lost", "store.recovered"];
    let said = lock(&told).clone();
    let said: Vec<_> = said.into_iter().filter(|id| lost.contains(id)).collect();
    assert_eq!(said, ["store.recovered", "state.lost", "store.recovered"]);
}

/// The folder is moved away and back, and devices of the store are not read again.
#[test]
fn a_folder_that_comes_back_goes_on() {
    let (told, _guard) = told();
    let (mut bench, held) = held(written());
    bench.turns(3);
    lock(&told).clear();
    let dir = bench.folder.path().to_owned();
    let away = dir.with_extension("away");
    fs::rename(&dir, &away).unwrap();
    held.look().unwrap_err();
    bench.memory.put(1, "meanwhile");
    bench.turns(3);
    assert_eq!(bench.memory.waiting(), 1);
    fs::rename(&away, &dir).unwrap();
    held.look().unwrap();
    bench.turns(3);
    assert!(bench.is_written());
    assert_eq!(
        *lock(&told),
        ["state.lost", "state.back", "store.recovered"]
    );
    let said = bench.memory.said();
    assert!(!said.contains(&"all changed".to_owned()), "{said:?}");
}
