//! The keeper's looks, one by one, without its thread and its watch.

use super::super::{ForeignHome, Verify};
use super::*;
use crate::event::witness::witness;
use std::sync::{Mutex, mpsc};
use tempfile::TempDir;
use xiaozhi_device::project::Projects;

/// A folder, a keeper that hears of it what a test says, and what it wants to be read.
fn kept() -> (TempDir, Keeper, Receiver<Job>) {
    let dir = tempfile::tempdir().unwrap();
    let settings = FolderSettings {
        dir: dir.path().to_owned(),
        ttl: Duration::from_secs(3600),
        verify: Verify::Warn,
        projects: Projects::default(),
        config: None,
        home: None,
        foreign_home: ForeignHome::Warn,
    };
    let ((messages, _), (jobs, asked)) = (mpsc::channel(), mpsc::channel());
    let keeper = Keeper::new(settings, Arc::default(), messages, jobs);
    (dir, keeper, asked)
}

/// Looks, and reads what there is to be read.
fn look(keeper: &mut Keeper, asked: &Receiver<Job>, on: Occasion) {
    keeper.look(on);
    keeper.go_on();
    while let Ok(job) = asked.try_recv() {
        keeper.take_read(job.run());
        keeper.go_on();
    }
}

fn offers(keeper: &Keeper) -> Vec<String> {
    let snapshot = keeper.shared.snapshot.load();
    let files = ["a_1.bin", "a_2.bin"].iter();
    let offered = files.filter(|file| snapshot.file(file).is_some());
    offered.map(ToString::to_string).collect()
}

#[test]
fn what_the_kernel_calls_whole_is_offered_at_the_next_look() {
    let (dir, mut keeper, asked) = kept();
    look(&mut keeper, &asked, Occasion::Start);
    fs::write(dir.path().join("a_1.bin"), "one").unwrap();
    fs::write(dir.path().join("a_2.bin"), "two").unwrap();
    // Of one the kernel has said so; the other must first look the same twice.
    keeper.take_change(Change::Created("a_1.bin".into()));
    keeper.take_change(Change::Written("a_1.bin".into()));
    keeper.take_change(Change::Whole("a_1.bin".into()));
    look(&mut keeper, &asked, Occasion::Told);
    assert_eq!(offers(&keeper), ["a_1.bin"]);
    // A writer of whom it was heard is waited for, however often one looks.
    keeper.take_change(Change::Written("a_2.bin".into()));
    look(&mut keeper, &asked, Occasion::Unasked);
    assert_eq!(offers(&keeper), ["a_1.bin"]);
    keeper.take_change(Change::Whole("a_2.bin".into()));
    look(&mut keeper, &asked, Occasion::Told);
    assert_eq!(offers(&keeper), ["a_1.bin", "a_2.bin"]);
}

#[test]
fn nothing_is_said_before_it_is_true() {
    let (dir, mut keeper, asked) = kept();
    let path = dir.path().join("a_1.bin");
    let events = Arc::<Mutex<Vec<_>>>::default();
    let (shared, noted) = (Arc::clone(&keeper.shared), Arc::clone(&events));
    let guard = witness(move |event| {
        let offered = shared.snapshot.load().file("a_1.bin").is_some();
        noted.lock().unwrap().push((event.kind.id, offered));
    });
    fs::write(&path, "one").unwrap();
    look(&mut keeper, &asked, Occasion::Start);
    keeper.take_change(Change::Written("a_1.bin".into()));
    look(&mut keeper, &asked, Occasion::Told);
    keeper.take_change(Change::Whole("a_1.bin".into()));
    look(&mut keeper, &asked, Occasion::Told);
    fs::write(&path, "").unwrap();
    keeper.take_change(Change::Whole("a_1.bin".into()));
    look(&mut keeper, &asked, Occasion::Told);
    fs::write(&path, "three").unwrap();
    keeper.take_change(Change::Whole("a_1.bin".into()));
    look(&mut keeper, &asked, Occasion::Told);
    fs::remove_file(&path).unwrap();
    look(&mut keeper, &asked, Occasion::Told);
    fs::remove_dir(dir.path()).unwrap();
    look(&mut keeper, &asked, Occasion::Told);
    drop(guard);
    let events = events.lock().unwrap();
    let said = |id: &str, offered: bool| {
        let of_it: Vec<_> = events.iter().filter(|(said, _)| *said == id).collect();
        assert!(!of_it.is_empty(), "{id}: {events:#?}");
        for (id, then) in of_it {
            assert_eq!(*then, offered, "{id}");
        }
    };
    said("file.ready", true);
    said("file.changing", false);
    said("file.refused", false);
    said("file.removed", false);
    said("folder.unavailable", false);
}

#[test]
fn a_folder_is_searched_for_firmware_where_it_has_changed() {
    let (dir, mut keeper, asked) = kept();
    let folder = dir.path().join("board");
    fs::create_dir(&folder).unwrap();
    look(&mut keeper, &asked, Occasion::Start);
    let near = |keeper: &Keeper| {
        let snapshot = keeper.shared.snapshot.load();
        let near = snapshot.near(&["xmini-c3"], &[]);
        near.map(|near| (near.file, near.is_waited_for))
    };
    assert_eq!(near(&keeper), None);
    fs::write(folder.join("xmini-c3_2.0.bin"), "one").unwrap();
    look(&mut keeper, &asked, Occasion::Unasked);
    let found = Some(("board/xmini-c3_2.0.bin".to_owned(), true));
    assert_eq!(near(&keeper), found);
    // Where it looks the same it is not searched again.
    let about = fs::metadata(&folder).unwrap();
    let mut folders = Folders::default();
    let seen = kind::other(&folder, &about, &mut folders);
    fs::remove_dir_all(&folder).unwrap();
    folders.begin();
    assert_eq!(kind::other(&folder, &about, &mut folders), seen);
    // What a look did not come across is forgotten.
    folders.begin();
    folders.begin();
    assert_ne!(kind::other(&folder, &about, &mut folders), seen);
    look(&mut keeper, &asked, Occasion::Unasked);
    assert_eq!(near(&keeper), None);
}
