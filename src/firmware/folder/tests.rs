//! The keeper's looks, one by one, without its thread and its watch.

use super::super::Verify;
use super::*;
use std::fmt;
use std::sync::{Mutex, mpsc};
use tempfile::TempDir;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use xiaozhi_device::project::Projects;

/// A folder, a keeper that hears of it what a test says, and what it wants to be read.
fn kept() -> (TempDir, Keeper, Receiver<Job>) {
    let dir = tempfile::tempdir().unwrap();
    let settings = FolderSettings {
        dir: dir.path().to_owned(),
        ttl: Duration::from_secs(3600),
        verify: Verify::Warn,
        projects: Projects::default(),
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

/// Notes each line with what was offered when it was said.
struct Witness {
    shared: Arc<Shared>,
    lines: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Subscriber for Witness {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = MessageText(String::new());
        event.record(&mut line);
        let offered = self.shared.snapshot.load().file("a_1.bin").is_some();
        self.lines.lock().unwrap().push((line.0, offered));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct MessageText(String);

impl Visit for MessageText {
    fn record_error(&mut self, _: &Field, value: &(dyn std::error::Error + 'static)) {
        self.0 = value.to_string();
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

#[test]
fn nothing_is_said_before_it_is_true() {
    let (dir, mut keeper, asked) = kept();
    let path = dir.path().join("a_1.bin");
    let lines = Arc::<Mutex<Vec<_>>>::default();
    let witness = Witness {
        shared: Arc::clone(&keeper.shared),
        lines: Arc::clone(&lines),
    };
    tracing::subscriber::with_default(witness, || {
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
    });
    let lines = lines.lock().unwrap();
    let said = |words: &str, offered: bool| {
        let of_it: Vec<_> = lines.iter().filter(|(l, _)| l.contains(words)).collect();
        assert!(!of_it.is_empty(), "{words}: {lines:#?}");
        for (line, then) in of_it {
            assert_eq!(*then, offered, "{line}");
        }
    };
    said("image ready", true);
    said("image withdrawn", false);
    said("file not used", false);
    said("image removed", false);
    said("nothing is offered", false);
}
