//! `prune`: the oldest images go, and nothing else.

use super::command_line::run;
use super::disks::{full, in_namespace, strace};
use super::image_files::listing;
use super::support::event::field;
use super::support::process::Process;
use super::support::server::{BINARY, Setup};
use super::support::until;
use nix::unistd::geteuid;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use xiaozhi_image_builder::{Image, merged};

fn image(version: &str) -> Vec<u8> {
    Image::new(version).build()
}

/// A folder with images of these names.
fn folder(files: &[&str]) -> Setup {
    files.iter().fold(Setup::new(), |setup, file| {
        let version = file.trim_end_matches(".bin").rsplit('_').next().unwrap();
        setup.file(file, image(version))
    })
}

/// Exit code, and all that was said.
fn pruned(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(BINARY)
        .arg("prune")
        .args(arguments)
        .current_dir(dir)
        .output();
    told(&output.unwrap())
}

fn told(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// Whether a line speaks of a file in these words.
fn says(text: &str, file: &str, words: &str) -> bool {
    let begin = format!("data/bin/{file}: ");
    text.lines().any(|line| {
        line.strip_prefix(&begin)
            .is_some_and(|line| line.contains(words))
    })
}

#[test]
fn the_highest_of_each_model_stay_with_what_is_pinned_and_what_is_no_image_of_one() {
    let setup = folder(&[
        "a_1.0.bin",
        "a_1.8.bin",
        "a_1.9.bin",
        "a_1.10.bin",
        "a_2.0-rc1.bin",
        "a_2.0.bin",
        "old-name_0.9.bin",
        "new-name_1.0.bin",
        "new-name_1.1.bin",
        "default_0.1.bin",
        "default_0.2.bin",
        "default_0.3.bin",
    ]);
    let setup = setup
        .file("a_9.0.bin", &image("9.0")[..300])
        .file("a_8.0.bin", "a text")
        .file("a_7.0.bin", merged(&Image::new("7.0"), 0))
        .file("nothing.bin", image("1.0"))
        .file("a_6.x.bin", image("6.0"))
        .file("README.md", "mine")
        .file("a_1.8.md", "notes")
        .file("a_2.0.md", "notes")
        .file("a_0.1.md", "notes of none");
    let bin = setup.path().join("data/bin");
    symlink("a_1.9.bin", bin.join("b_1.0.bin")).unwrap();
    symlink("/nowhere/x.bin", bin.join("a_5.0.bin")).unwrap();
    fs::create_dir(bin.join("a_4.0.bin")).unwrap();
    fs::write(
        setup.path().join("data/.config.yaml"),
        "gateway: {firmware: {pin: {a: 1.0.0}, alias: {old-name: new-name}}}",
    )
    .unwrap();
    let before = listing(setup.path());
    let (code, text) = pruned(setup.path(), &["--keep", "2", "--dry-run"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(listing(setup.path()), before);
    let goes = ["a_1.10.bin", "a_1.8.bin", "old-name_0.9.bin"];
    for file in goes {
        assert!(says(&text, file, "would be removed"), "{file}: {text}");
    }
    let (code, text) = pruned(setup.path(), &["--keep", "2"]);
    assert_eq!(code, Some(0), "{text}");
    let gone = [&goes[..], &["a_1.8.md"]].concat();
    let left: Vec<_> = before
        .iter()
        .filter(|file| !gone.contains(&&***file))
        .collect();
    assert_eq!(
        listing(setup.path()).iter().collect::<Vec<_>>(),
        left,
        "{text}"
    );
    for (file, words) in [
        ("a_1.8.bin", "removed with its notes, a_1.8.md ("),
        ("a_1.10.bin", "removed ("),
        ("a_2.0-rc1.bin", "stays: its version is one of the highest"),
        ("a_1.0.bin", "stays: gateway.firmware.pin"),
        ("a_1.9.bin", "stays: b_1.0.bin is a link"),
        (
            "default_0.1.bin",
            "left alone: it is for the boards without",
        ),
        ("a_9.0.bin", "left alone: rejected: it ends after byte 300"),
        ("a_8.0.bin", "left alone: foreign: "),
        (
            "a_7.0.bin",
            "left alone: rejected: this is a full flash image",
        ),
        ("a_6.x.bin", "left alone: rejected: "),
        ("nothing.bin", "left alone: it is offered to nobody"),
        ("b_1.0.bin", "left alone: it is a link to "),
        ("a_5.0.bin", "left alone: it is a link to /nowhere/x.bin"),
        ("a_4.0.bin", "left alone: this is a folder"),
        ("a_0.1.md", "left alone: they are the notes of an image"),
    ] {
        assert!(says(&text, file, words), "{file}: {words}: {text}");
    }
    let freed = 3 * image("1.0").len() + "notes".len();
    assert!(
        text.contains(&format!("removed: 3 ({freed} bytes freed)")),
        "{text}"
    );
    // Once is enough.
    let (code, text) = pruned(setup.path(), &["--keep", "2"]);
    assert!(
        code == Some(0) && text.contains("removed: 0 (0 bytes"),
        "{text}"
    );
}

#[test]
fn programs_are_told_the_same() {
    let setup = folder(&["a_1.0.bin", "a_2.0-rc1.bin", "a_2.0.bin", "default_1.0.bin"]);
    let (code, text) = pruned(setup.path(), &["--keep", "1", "--dry-run", "--json"]);
    assert_eq!(code, Some(0), "{text}");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let lines: Vec<_> = lines.collect();
    let sums = lines.last().unwrap();
    assert_eq!(
        (&sums["would_remove"], &sums["dry_run"]),
        (&2.into(), &true.into())
    );
    assert_eq!(sums["bytes"], 2 * image("1.0").len());
    let goes: Vec<_> = lines
        .iter()
        .filter(|line| line["action"] == "would-remove")
        .collect();
    let files: Vec<_> = goes
        .iter()
        .map(|line| line["file"].as_str().unwrap())
        .collect();
    assert_eq!(files, ["data/bin/a_1.0.bin", "data/bin/a_2.0-rc1.bin"]);
    assert_eq!(
        (&goes[1]["model"], &goes[1]["version"]),
        (&"a".into(), &"2.0-rc1".into())
    );
    assert_eq!(goes[0]["bytes"], image("1.0").len());
}

#[test]
fn what_cannot_be_meant_is_refused_and_removes_nothing() {
    let setup = folder(&["a_1.0.bin", "a_2.0.bin"]);
    for arguments in [
        &["--keep", "0"][..],
        &["--keep", "-1"],
        &["--keep", "x"],
        &[],
    ] {
        let (code, text) = pruned(setup.path(), arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
    }
    let (_, text) = pruned(setup.path(), &["--keep", "0"]);
    assert!(text.contains("at least one version stays"), "{text}");
    fs::write(
        setup.path().join("c.yaml"),
        "gateway: {firmware: {dir: nowhere}}",
    )
    .unwrap();
    let (ok, _, error) = run(setup.path(), &["-c", "c.yaml", "prune", "--keep", "1"]);
    assert!(!ok && error.contains("nowhere: No such file"), "{error}");
    assert!(!setup.path().join("nowhere").exists());
    assert_eq!(listing(setup.path()), ["a_1.0.bin", "a_2.0.bin"]);
}

#[test]
fn files_of_one_rank_share_their_fate_and_a_chip_that_loses_all_is_named() {
    let of_chip = |chip, version| {
        let image = Image {
            chip,
            ..Image::new(version)
        };
        image.build()
    };
    let setup = Setup::new()
        .file("a_1.0.bin", of_chip(9, "1.0"))
        .file("a_1.0.0.bin", of_chip(5, "1.0"))
        .file("a_2.0.bin", of_chip(9, "2.0"))
        .file("a_2.0.0.bin", of_chip(5, "2.0"))
        .file("a_3.0.bin", of_chip(9, "3.0"));
    let (code, text) = pruned(setup.path(), &["--keep", "2"]);
    assert!(code == Some(0) && !text.contains("warning"), "{text}");
    let left = ["a_2.0.0.bin", "a_2.0.bin", "a_3.0.bin"];
    assert_eq!(listing(setup.path()), left);
    let (code, text) = pruned(setup.path(), &["--keep", "1", "--dry-run"]);
    let words = "warning: no image of the model a is left for the chip esp32c3";
    assert!(code == Some(0) && text.contains(words), "{text}");
    assert!(!text.contains("for the chip esp32s3"), "{text}");
}

/// A folder from a Mac.
#[test]
fn names_that_look_the_same_are_one_model() {
    let (apart, composed) = ("cafe\u{301}", "café");
    let setup = folder(&[
        &format!("{apart}_1.0.bin"),
        &format!("{composed}_1.1.bin"),
        &format!("{apart}_1.2.bin"),
    ]);
    let setup = setup.file(&format!("{composed}_1.0.md"), "notes");
    let (code, text) = pruned(setup.path(), &["--keep", "1"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(listing(setup.path()), [format!("{apart}_1.2.bin")]);
}

/// A `publish` that has written its draft, and stands still before it gets its name.
fn standing(dir: &Path) -> Process {
    let before = drafts(dir);
    let mut command = strace(&["fsync:signal=STOP:when=1"]);
    command
        .arg(BINARY)
        .args(["publish", "x.bin", "--model", "a"]);
    let child = command.current_dir(dir).stdout(Stdio::null()).spawn();
    let child = Process(child.unwrap());
    let length = fs::metadata(dir.join("x.bin")).unwrap().len();
    until("a draft that is whole", || {
        let drafts = drafts(dir);
        let new = drafts.iter().find(|draft| !before.contains(draft))?;
        let about = fs::metadata(dir.join("data/bin").join(new)).ok()?;
        (about.len() == length).then_some(())
    });
    child
}

fn drafts(dir: &Path) -> Vec<String> {
    let mut names = listing(dir);
    names.retain(|name| name.starts_with(".draft-"));
    names
}

#[test]
fn what_a_killed_publish_left_goes_and_what_a_running_one_writes_stays() {
    let setup = folder(&["a_1.0.bin"]);
    let dir = setup.path();
    fs::write(dir.join("x.bin"), image("2.0")).unwrap();
    drop(standing(dir));
    let left = drafts(dir).pop().unwrap();
    let mut running = standing(dir);
    assert_eq!(drafts(dir).len(), 2);
    fs::write(dir.join("data/bin/.publish-x.tmp"), "of an older one").unwrap();
    let (code, text) = pruned(dir, &["--keep", "1", "--dry-run"]);
    assert!(code == Some(0) && drafts(dir).len() == 2, "{text}");
    assert!(says(&text, &left, "would be removed"), "{text}");
    let (code, text) = pruned(dir, &["--keep", "1"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(says(&text, &left, "a publish that was killed"), "{text}");
    let living = drafts(dir);
    assert!(living.len() == 1 && living[0] != left, "{living:?}");
    let words = "left alone: a publish that is running";
    assert!(says(&text, &living[0], words), "{text}");
    assert!(!dir.join("data/bin/.publish-x.tmp").exists());
    // And it ends well.
    let id = running.0.id().to_string();
    until("the end of the one that stood still", || {
        let sent = Command::new("kill").args(["-s", "CONT", &id]).status();
        assert!(sent.is_ok());
        let ended = running.0.try_wait().unwrap()?;
        assert!(ended.success());
        Some(())
    });
    assert_eq!(listing(dir), ["a_1.0.bin", "a_2.0.bin"]);
}

#[test]
fn what_cannot_be_removed_is_named_and_the_others_go() {
    let setup = folder(&["a_1.0.bin", "a_2.0.bin", "a_3.0.bin", "a_4.0.bin"]);
    let setup = setup.file("a_2.0.md", "notes");
    // As a container mounts a file, and as a folder that is not ours.
    let prepare = "touch other; mount --bind other data/bin/a_1.0.bin; cp data/bin/a_4.0.bin other";
    for (more, state) in [
        (&["--dry-run"][..], "could not be removed: "),
        (&[], "cannot be removed: "),
    ] {
        let mut command = in_namespace(prepare);
        command.args([&["prune", "--keep", "1"], more].concat());
        let (code, text) = told(&command.current_dir(setup.path()).output().unwrap());
        assert_eq!(code, Some(1), "{text}");
        assert!(says(&text, "a_1.0.bin", state), "{text}");
    }
    assert_eq!(listing(setup.path()), ["a_1.0.bin", "a_4.0.bin"]);
    if geteuid().is_root() {
        let setup = folder(&["a_1.0.bin", "a_2.0.bin"]);
        fs::set_permissions(setup.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let binary = setup.path().join("x");
        fs::copy(BINARY, &binary).unwrap();
        for more in [&["--dry-run"][..], &[]] {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", "65534", "--clear-groups"])
                .arg(&binary);
            command.args([&["prune", "--keep", "1"], more].concat());
            let (code, text) = told(&command.current_dir(setup.path()).output().unwrap());
            assert!(
                code == Some(1) && text.contains("Permission denied"),
                "{text}"
            );
            assert!(text.contains("chown 65534"), "{text}");
        }
        assert_eq!(listing(setup.path()), ["a_1.0.bin", "a_2.0.bin"]);
    }
}

/// Runs `prune` while system calls of its fail, or end it.
fn failing(dir: &Path, fault: &str) -> (Option<i32>, String) {
    let mut command = strace(&[fault]);
    command.arg(BINARY).args(["prune", "--keep", "1"]);
    told(&command.current_dir(dir).output().unwrap())
}

#[test]
fn killed_or_failing_in_the_middle_it_leaves_nothing_half() {
    let setup = || folder(&["a_1.0.bin", "a_2.0.bin"]).file("a_1.0.md", "notes");
    let unlink = "unlink,unlinkat";
    // The image stays, and so do its notes.
    let one = setup();
    let (code, text) = failing(one.path(), &format!("{unlink}:error=EIO"));
    assert!(
        code == Some(1) && says(&text, "a_1.0.bin", "cannot be removed: "),
        "{text}"
    );
    assert_eq!(listing(one.path()), ["a_1.0.bin", "a_1.0.md", "a_2.0.bin"]);
    let rename = "rename,renameat,renameat2:error=EIO";
    let (code, text) = failing(one.path(), rename);
    assert_eq!(code, Some(1), "{text}");
    assert_eq!(listing(one.path()), ["a_1.0.bin", "a_1.0.md", "a_2.0.bin"]);
    // A folder that cannot be brought to the disk.
    let (code, text) = failing(one.path(), "fsync:error=EIO");
    assert!(code == Some(0) && text.contains("a power cut"), "{text}");
    // The next one finishes what a killed one began.
    for when in [1, 2] {
        let one = setup();
        failing(one.path(), &format!("{unlink}:signal=KILL:when={when}"));
        assert!(one.path().join("data/bin/a_2.0.bin").exists());
        let (code, text) = pruned(one.path(), &["--keep", "1"]);
        assert_eq!(code, Some(0), "{text}");
        assert_eq!(listing(one.path()), ["a_2.0.bin"], "{when}");
    }
}

#[test]
fn several_at_once_lose_nothing() {
    let setup = folder(&["a_1.0.bin", "a_1.1.bin", "a_1.2.bin", "a_1.3.bin"]);
    let dir = setup.path();
    fs::write(dir.join("x.bin"), image("2.0")).unwrap();
    fs::write(dir.join("x.md"), "notes").unwrap();
    thread::scope(|scope| {
        let prunes: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| pruned(dir, &["--keep", "2"])))
            .collect();
        let publish = ["publish", "x.bin", "--model", "a", "--notes", "x.md"];
        let published = run(dir, &publish);
        assert!(published.0, "{published:?}");
        for prune in prunes {
            let (code, text) = prune.join().unwrap();
            assert_eq!(code, Some(0), "{text}");
        }
    });
    let names = listing(dir);
    for file in ["a_1.3.bin", "a_2.0.bin", "a_2.0.md"] {
        assert!(names.iter().any(|name| name == file), "{names:?}");
    }
    assert!(!names.iter().any(|name| name == "a_1.0.bin"), "{names:?}");
}

#[test]
fn a_full_disk_is_emptied() {
    let setup = folder(&["a_1.0.bin", "a_2.0.bin"]).file("a_1.0.md", "notes");
    let mut command = in_namespace(&full("data/bin"));
    command
        .args(["prune", "--keep", "1"])
        .current_dir(setup.path());
    let (code, text) = told(&command.output().unwrap());
    assert_eq!(code, Some(0), "{text}");
    assert!(says(&text, "a_1.0.bin", "removed with its notes"), "{text}");
}

#[test]
fn a_running_server_goes_on_with_what_is_left() {
    let server = folder(&["a_1.0.bin", "a_1.1.bin", "a_2.0.bin"])
        .file("a_1.0.md", "notes")
        .start("");
    assert_eq!(server.offered("a", "0.9").as_deref(), Some("a_2.0.bin"));
    let (code, text) = pruned(server.dir.path(), &["--keep", "2"]);
    assert_eq!(code, Some(0), "{text}");
    let line = server.event("file.removed", &[("file", "a_1.0.bin")]);
    assert!(line.contains(" - INFO - "), "{line}");
    assert_eq!(field(&line, "version").as_deref(), Some("1.0"));
    assert_eq!(server.offered("a", "0.9").as_deref(), Some("a_2.0.bin"));
    server.settle();
    let warned = server.count_lines(" - WARNING - [catalogue]") + server.count_lines(" - ERROR - ");
    assert_eq!(warned, 0, "{:#?}", server.log());
}
