//! `--dry-run`: the plan, and the exit code that the real run has.

use super::super::disks::{full as full_disk, in_namespace};
use super::super::support::server::BINARY;
use super::{Done, EITHER, RELEASE, app, folder, full, publish, release, tree};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use xiaozhi_image_builder::Image;

/// A case: its name, what is done to the folder first, arguments, and the exit code.
type Case = (&'static str, fn(&Path), &'static [&'static str], i32);

fn nothing(_: &Path) {}

fn holds(dir: &Path, file: &str, bytes: &[u8]) {
    fs::write(dir.join("data/bin").join(file), bytes).unwrap();
}

const CASES: [Case; 24] = [
    ("an archive", nothing, &[RELEASE], 0),
    ("an app", nothing, &["x.bin", "--model", "a"], 0),
    ("a full image", nothing, &["full.bin", "--model", "a"], 0),
    ("no model", nothing, &["x.bin"], 1),
    ("two models", nothing, &[EITHER], 1),
    ("no file", nothing, &["none.bin", "--model", "a"], 1),
    ("no image", nothing, &["text.bin", "--model", "a"], 1),
    ("damaged", nothing, &["cut.bin", "--model", "a"], 1),
    (
        "a model that is none",
        nothing,
        &["x.bin", "--model", "a/b"],
        1,
    ),
    (
        "a version that is none",
        nothing,
        &["x.bin", "--model", "a", "--version", "v2"],
        1,
    ),
    (
        "it is there",
        |dir| holds(dir, "a_2.1.0.bin", &app("2.1.0", 1)),
        &["x.bin", "--model", "a"],
        1,
    ),
    (
        "it is there, of several",
        |dir| holds(dir, "a_2.1.0.bin", &app("2.1.0", 1)),
        &["x.bin", "full.bin", "--model", "a"],
        1,
    ),
    (
        "the same is there, of several",
        |dir| holds(dir, "a_2.1.0.bin", &app("2.1.0", 1)),
        &["x.bin", "y.bin", "--model", "a"],
        0,
    ),
    (
        "another is there",
        |dir| holds(dir, "a_2.1.0.bin", b"another"),
        &["x.bin", "--model", "a"],
        1,
    ),
    (
        "another is there, by force",
        |dir| holds(dir, "a_2.1.0.bin", b"another"),
        &["x.bin", "--model", "a", "--force"],
        0,
    ),
    (
        "a folder is there",
        |dir| fs::create_dir(dir.join("data/bin/a_2.1.0.bin")).unwrap(),
        &["x.bin", "--model", "a", "--force"],
        1,
    ),
    (
        "for another chip",
        |dir| {
            let image = Image {
                min_revision: 300,
                ..Image::new("2.1.0")
            };
            holds(dir, "a_2.1.0.bin", &image.build());
        },
        &["old.bin", "--model", "a"],
        1,
    ),
    (
        "other notes are there",
        |dir| holds(dir, "a_2.1.0.md", b"others"),
        &["x.bin", "--model", "a", "--notes", "x.md"],
        1,
    ),
    (
        "a folder in the place of its notes",
        |dir| fs::create_dir(dir.join("data/bin/a_2.1.0.md")).unwrap(),
        &["x.bin", "--model", "a", "--notes", "x.md", "--force"],
        1,
    ),
    (
        "a source in the place of another one",
        |dir| {
            holds(dir, "a_1.0.bin", &full(&app("2.1.0", 2)));
            holds(dir, "a_2.1.0.bin", &app("2.1.0", 1));
        },
        &["data/bin", "--force"],
        1,
    ),
    (
        "with notes",
        nothing,
        &["x.bin", "--model", "a", "--notes", "x.md"],
        0,
    ),
    (
        "no folder yet",
        |dir| fs::remove_dir_all(dir.join("data")).unwrap(),
        &["x.bin", "--model", "a"],
        0,
    ),
    (
        "a file in the folder's place",
        |dir| {
            fs::remove_dir_all(dir.join("data/bin")).unwrap();
            fs::write(dir.join("data/bin"), "").unwrap();
        },
        &["x.bin", "--model", "a"],
        1,
    ),
    (
        "a link that leads nowhere",
        |dir| {
            fs::remove_dir_all(dir.join("data/bin")).unwrap();
            symlink("/nowhere/bin", dir.join("data/bin")).unwrap();
        },
        &["x.bin", "--model", "a"],
        1,
    ),
];

fn built() -> tempfile::TempDir {
    let image = app("2.1.0", 1);
    let old = Image {
        max_revision: 299,
        ..Image::new("2.1.0")
    };
    folder(&[
        (RELEASE, release(&image)),
        (EITHER, release(&image)),
        ("x.bin", image.clone()),
        ("y.bin", image.clone()),
        ("full.bin", full(&app("2.1.0", 2))),
        ("old.bin", old.build()),
        ("cut.bin", image[..900].to_vec()),
        ("text.bin", b"text".to_vec()),
        ("x.md", b"notes".to_vec()),
    ])
}

#[test]
fn the_exit_code_is_that_of_the_real_run_and_nothing_is_written() {
    for (name, prepare, arguments, code) in CASES {
        let dir = built();
        let dir = dir.path();
        prepare(dir);
        let before = tree(dir);
        let planned = publish(dir, &[arguments, &["--dry-run"]].concat());
        assert_eq!(planned.code, code, "{name}: {planned:?}");
        assert_eq!(tree(dir), before, "{name}");
        let done = publish(dir, arguments);
        assert_eq!(done.code, code, "{name}: {done:?}");
        // And the words are those.
        let real = planned.text.replace("would be published", "published");
        let real = real.replace("it would be made", "it was made");
        let notes = |line: &&str| !line.ends_with(": its notes");
        let lines = |text: &str| {
            let lines = text.lines().filter(notes);
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(&real), lines(&done.text), "{name}");
        assert_eq!(planned.error, done.error, "{name}");
    }
}

/// As somebody without root's rights, on a disk that takes nothing, or little.
#[test]
fn a_folder_that_takes_nothing_is_seen_before() {
    let read_only = "mount --bind data/bin data/bin; mount -o remount,ro,bind data/bin";
    for (name, prepare) in [
        ("read-only", read_only.to_owned()),
        ("full", full_disk("data/bin")),
    ] {
        let mut ends = Vec::new();
        for more in [&["--dry-run"][..], &[]] {
            let dir = built();
            let mut command = in_namespace(&prepare);
            command
                .args(["publish", "x.bin", "--model", "a"])
                .args(more);
            let done = Done::of(command.current_dir(dir.path()).output().unwrap());
            assert_eq!(done.code, 1, "{name}: {done:?}");
            // The name of a draft may follow.
            let until = done
                .error
                .find("(os error")
                .unwrap_or_else(|| panic!("{done:?}"));
            ends.push(done.error[..until].to_owned());
        }
        assert_eq!(ends[0], ends[1], "{name}");
    }
    for limit in ["ulimit -f 1", "umask 022"] {
        let mut ends = Vec::new();
        for more in ["--dry-run", ""] {
            let dir = built();
            let line = format!("{limit}; exec {BINARY} publish x.bin --model a {more}");
            let output = Command::new("bash")
                .args(["-c", &line])
                .current_dir(dir.path())
                .output();
            let done = Done::of(output.unwrap());
            ends.push((done.code, done.error));
        }
        assert_eq!(ends[0], ends[1], "{limit}");
    }
    let dir = built();
    let line = format!(
        "chmod 555 data/bin; exec setpriv --bounding-set=-dac_override {BINARY} publish x.bin --model a"
    );
    if nix::unistd::geteuid().is_root() {
        for more in ["", " --dry-run"] {
            let output = Command::new("bash")
                .args(["-c", &(line.clone() + more)])
                .current_dir(dir.path())
                .output();
            let done = Done::of(output.unwrap());
            assert!(
                done.code == 1 && done.error.contains("Permission denied"),
                "{done:?}"
            );
        }
    }
}

/// Room for one, and two are to be published.
#[test]
fn the_room_is_counted_over_all_of_them() {
    let image = |n| {
        let image = Image {
            payload: super::super::support::noise(40_000, n),
            ..Image::new("2.1.0")
        };
        image.build()
    };
    let mut ends = Vec::new();
    for more in [&["--dry-run"][..], &[]] {
        let dir = folder(&[("a_2.1.0.bin", image(1)), ("b_2.1.0.bin", image(2))]);
        let prepare = "mount -t tmpfs -o size=64k tmpfs data/bin";
        let mut command = in_namespace(prepare);
        command
            .args(["publish", "a_2.1.0.bin", "b_2.1.0.bin"])
            .args(more);
        let done = Done::of(command.current_dir(dir.path()).output().unwrap());
        ends.push((done.code, done.error));
    }
    assert_eq!(ends[0], ends[1]);
    assert!(
        ends[0].0 == 1 && ends[0].1.contains("No space left on device"),
        "{ends:?}"
    );
    assert!(ends[0].1.starts_with("error: b_2.1.0.bin: "), "{ends:?}");
}
