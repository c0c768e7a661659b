//! Stores and folders that may not be written, or not be read.

use super::*;

/// Does something without the rights of the superuser, on this thread alone.
fn without_privilege<T>(work: impl FnOnce() -> T) -> T {
    use nix::unistd::{Uid, setfsuid};
    let is_root = Uid::effective().is_root();
    if is_root {
        setfsuid(Uid::from_raw(65_534));
    }
    let done = work();
    if is_root {
        setfsuid(Uid::from_raw(0));
    }
    done
}

fn allow(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_store_that_may_only_be_read_is_read_and_recovers() {
    let (told, _guard) = told();
    let folder = written();
    allow(folder.path(), 0o555);
    allow(&folder.path().join("fleet.db"), 0o444);
    let mut bench = Bench::new(folder);
    bench.memory.put(1, "learned");
    without_privilege(|| bench.turns(30));
    assert_eq!(bench.memory.known().len(), 9);
    assert!(bench.memory.said().contains(&"all read".to_owned()));
    assert_eq!(bench.why(), Some("store.read-only"));
    assert_eq!(bench.memory.waiting(), 1);
    without_privilege(|| assert_eq!(stored(bench.folder.path()).len(), 9));
    allow(bench.folder.path(), 0o777);
    allow(&bench.file(), 0o666);
    without_privilege(|| bench.turns(11));
    assert!(bench.is_written());
    assert_eq!(
        *lock(&told),
        ["store.read", "store.read-only", "store.recovered"]
    );
    // What cannot be read may hold what failed.
    bench.writer.finish(bench.now);
    lock(&told).clear();
    let mut bench = Bench::new(bench.folder);
    allow(&bench.file(), 0o000);
    without_privilege(|| bench.turns(30));
    assert_eq!(bench.memory.said(), Vec::<String>::new());
    assert_eq!(bench.why(), Some("store.unread"));
    assert!(bench.health().reading);
    allow(&bench.file(), 0o666);
    without_privilege(|| bench.turns(11));
    assert_eq!(
        *lock(&told),
        ["store.unread", "store.read", "store.recovered"]
    );
    assert_eq!(bench.memory.known().len(), 9);
}

#[test]
fn a_folder_that_cannot_be_written_keeps_nobody_waiting() {
    let (told, _guard) = told();
    let folder = folder();
    allow(folder.path(), 0o555);
    let mut bench = Bench::new(folder);
    bench.memory.put(1, "x");
    without_privilege(|| bench.turns(30));
    assert_eq!(bench.memory.said()[..2], ["failures known", "all read"]);
    assert_eq!(*lock(&told), ["store.read-only"]);
    allow(bench.folder.path(), 0o777);
    without_privilege(|| bench.turns(11));
    assert!(bench.is_written());
    // It comes back with what it held before, as a disk does that is mounted late.
    let late = written();
    fs::rename(late.path().join("fleet.db"), bench.file()).unwrap();
    bench.turns(3);
    assert_eq!(bench.memory.known().len(), 9);
    assert!(bench.is_written());
}
