//! Stores that are broken, or of a newer program.

use super::*;

fn garbage(length: usize) -> Vec<u8> {
    (0..length)
        .map(|n| u8::try_from(n * n % 251).unwrap())
        .collect()
}

/// Returns another program's database, which says that it is of our version.
fn of_another() -> Vec<u8> {
    let other = folder();
    let file = other.path().join("x");
    let connection = Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE other(x)").unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    fs::read(file).unwrap()
}

/// Returns the stores that were moved aside, without what lay beside them.
fn aside(bench: &Bench) -> Vec<PathBuf> {
    let older = Place::new(bench.folder.path().to_owned()).older();
    let is_store = |path: &PathBuf| {
        let name = path.to_str().unwrap();
        !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    older.into_iter().filter(is_store).collect()
}

type Spoil<'a> = &'a dyn Fn(Vec<u8>) -> Vec<u8>;

#[test]
fn a_broken_store_is_moved_aside_and_begun_anew_with_everything() {
    let filled = |mut whole: Vec<u8>, from: usize, to: usize| {
        whole[from..to].fill(0xa5);
        whole
    };
    let ways: [(&str, Spoil<'_>); 8] = [
        ("garbage", &|_| garbage(9000)),
        ("short garbage", &|_| garbage(10)),
        ("half", &|whole| whole[..whole.len() / 2].to_vec()),
        ("a page", &|whole| whole[..4096].to_vec()),
        ("the first page", &|whole| filled(whole, 100, 4096)),
        ("all other pages", &|whole| {
            let to = whole.len();
            filled(whole, 4096, to)
        }),
        ("the head", &|whole| filled(whole, 18, 30)),
        ("another's", &|_| of_another()),
    ];
    for (name, spoil) in ways {
        for is_running in [false, true] {
            let (told, _guard) = told();
            let mut bench = Bench::new(written());
            lock(&told).clear();
            if is_running {
                bench.turn();
            }
            let spoiled = spoil(fs::read(bench.file()).unwrap());
            fs::write(bench.file(), &spoiled).unwrap();
            bench.memory.put(1, "in memory");
            bench.turns(3);
            if is_running && aside(&bench).is_empty() {
                // It has all that it needs in its own memory, until it looks at the file.
                let silent = ["the first page", "all other pages", "the head"];
                assert!(silent.contains(&name), "{name}");
                bench.now.at += Duration::from_secs(3600);
                bench.turns(3);
            }
            let aside = aside(&bench);
            assert!(lock(&told).contains(&"store.broken"), "{name} {told:?}");
            assert_eq!(aside.len(), 1, "{name} {aside:?}");
            assert_eq!(bench.why(), None, "{name}");
            assert!(bench.is_written(), "{name}");
            assert!(!bench.health().reading);
            let said = bench.memory.said();
            assert!(said.contains(&"failures known".to_owned()), "{said:?}");
            let moved = fs::read(&aside[0]).unwrap();
            // Of another program's one it is found late, and a mark in its head is ours.
            assert_eq!(moved.len(), spoiled.len(), "{name}");
            assert!(moved == spoiled || name == "another's", "{name}");
        }
    }
}

#[test]
fn a_disk_that_breaks_every_store_is_not_filled_with_them() {
    let (told, _guard) = told();
    let mut bench = Bench::new(folder());
    for n in 0..30 {
        bench.memory.put(n + 1, "x");
        fs::write(bench.file(), garbage(5000)).unwrap();
        bench.turns(1);
    }
    assert_eq!(aside(&bench).len(), 1);
    assert_eq!(bench.why(), Some("store.failing"));
    assert!(lock(&told).len() <= 4, "{told:?}");
    bench.turns(70);
    assert!(bench.is_written());
}

#[test]
fn a_newer_store_is_left_alone_until_it_is_gone() {
    let (told, _guard) = told();
    let folder = written();
    let file = folder.path().join("fleet.db");
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    let before = fs::read(&file).unwrap();
    let mut bench = Bench::new(folder);
    bench.memory.put(1, "learned");
    bench.turns(30);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(bench.folder.path()).unwrap().count(), 1);
    assert_eq!(bench.memory.said(), ["newer"]);
    assert_eq!(*lock(&told), ["store.newer"]);
    let health = bench.health();
    assert!(health.reading && !health.ok, "{health:?}");
    assert_eq!(bench.why(), Some("store.newer"));
    fs::rename(&file, bench.folder.path().join("kept")).unwrap();
    bench.turns(11);
    assert!(bench.is_written());
    let health = bench.health();
    assert!(!health.reading && health.ok, "{health:?}");
    assert_eq!(bench.memory.said().last().unwrap(), "all read");
}

#[test]
fn reading_by_hand_says_what_is_wrong() {
    let folder = folder();
    fs::write(folder.path().join("fleet.db"), garbage(5000)).unwrap();
    assert!(matches!(read_only(folder.path()), Err(Fault::Broken(_))));
}
