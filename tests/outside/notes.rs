//! Release notes beside an image: kept whole or not at all, and shown wherever it is.

use super::command_line::run;
use super::disks::{full, in_namespace, strace};
use super::image_files::listing;
use super::support::server::{BINARY, Setup};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use xiaozhi_image_builder::Image;

const TEXT: &str = "# 2.1.0\n\n- 唤醒词\n- faster\n- smaller\n- better\n- more\n";

/// A folder with `x.bin`, to be published, and its notes.
fn built() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("data/bin")).unwrap();
    fs::write(dir.path().join("x.bin"), Image::new("2.1.0").build()).unwrap();
    fs::write(dir.path().join("x.md"), TEXT).unwrap();
    dir
}

const PUBLISH: [&str; 6] = ["publish", "x.bin", "--model", "a", "--notes", "x.md"];

fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join("data/bin").join(file)).unwrap()
}

#[test]
fn notes_are_kept_beside_the_image_and_shown() {
    let dir = built();
    let dir = dir.path();
    let (ok, text, error) = run(dir, &PUBLISH);
    assert!(
        ok && text.contains("data/bin/a_2.1.0.md: its notes"),
        "{text}{error}"
    );
    assert_eq!(read(dir, "a_2.1.0.md"), TEXT);
    assert_eq!(listing(dir), ["a_2.1.0.bin", "a_2.1.0.md"]);
    let (ok, text, _) = run(dir, &["inspect", "data/bin"]);
    assert!(ok, "{text}");
    for words in [
        "  notes       # 2.1.0\n",
        "- 唤醒词\n",
        "(further lines: 1, in data/bin/a_2.1.0.md)\n",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let (_, text, _) = run(dir, &["inspect", "--json", "data/bin/a_2.1.0.bin"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["notes"], TEXT);
    let (_, text, _) = run(dir, &["inspect", "--json", "x.bin"]);
    assert!(!text.contains("\"notes\""), "{text}");
    // Published again without a word of notes it still has them.
    let (ok, text, _) = run(dir, &["publish", "x.bin", "--model", "a", "--force"]);
    let words = "data/bin/a_2.1.0.md: its notes, which were there already";
    assert!(ok && text.contains(words), "{text}");
    // The same notes overwrite none; others do with --force alone.
    fs::remove_file(dir.join("data/bin/a_2.1.0.bin")).unwrap();
    assert!(run(dir, &PUBLISH).0);
    fs::remove_file(dir.join("data/bin/a_2.1.0.bin")).unwrap();
    fs::write(dir.join("x.md"), "others").unwrap();
    let (ok, _, error) = run(dir, &PUBLISH);
    assert!(
        !ok && error.contains("a_2.1.0.md: notes of this image are there already"),
        "{error}"
    );
    assert_eq!(
        (listing(dir), read(dir, "a_2.1.0.md")),
        (vec!["a_2.1.0.md".into()], TEXT.into())
    );
    assert!(run(dir, &[&PUBLISH[..], &["--force"]].concat()).0);
    assert_eq!(read(dir, "a_2.1.0.md"), "others");
    assert_eq!(listing(dir), ["a_2.1.0.bin", "a_2.1.0.md"]);
}

#[test]
fn what_is_no_text_for_people_is_refused_before_anything_is_written() {
    let dir = built();
    let dir = dir.path();
    fs::create_dir(dir.join("folder.md")).unwrap();
    for (content, words) in [
        (
            &b"a\n\x1b[2J"[..],
            "line 2 of these notes holds the control character U+001B",
        ),
        (b"a\0", "U+0000"),
        (b"one\rtwo", "U+000D"),
        ("\u{9b}2J".as_bytes(), "U+009B"),
        (b"ok\nno\xff", "line 2 of these notes is not UTF-8"),
        (b"", "these notes are empty"),
        (&vec![b'a'; (64 << 10) + 1], "more than 65536 bytes"),
    ] {
        fs::write(dir.join("x.md"), content).unwrap();
        let (ok, _, error) = run(dir, &PUBLISH);
        assert!(
            !ok && error.contains("x.md: ") && error.contains(words),
            "{error}"
        );
    }
    for (file, words) in [
        ("-", "--notes takes no standard input"),
        ("none.md", "the notes cannot be read: No such file"),
        ("folder.md", "it is a folder"),
        ("/dev/zero", "more than 65536 bytes"),
    ] {
        let (ok, _, error) = run(dir, &[&PUBLISH[..5], &[file]].concat());
        assert!(!ok && error.contains(words), "{error}");
    }
    assert_eq!(listing(dir), [""; 0]);
    // A pipe is as good as a file, and so is a text from Windows.
    let line = format!(
        "exec {BINARY} publish x.bin --model a --notes <(printf '\\xef\\xbb\\xbf# a\\r\\n')"
    );
    let done = Command::new("bash")
        .args(["-c", &line])
        .current_dir(dir)
        .status();
    assert!(done.unwrap().success());
    assert_eq!(read(dir, "a_2.1.0.md"), "\u{feff}# a\r\n");
}

#[test]
fn where_the_image_is_not_published_its_notes_are_not_either() {
    let one = built();
    let dir = one.path();
    let publish = |faults: &[&str], more: &[&str]| {
        let mut command = strace(faults);
        command
            .arg(BINARY)
            .args(PUBLISH)
            .args(more)
            .current_dir(dir);
        command.output().unwrap()
    };
    // The first to get its name are the notes, the second is the image.
    for fault in [
        "renameat2:error=EIO",
        "renameat2:error=EIO:when=2+",
        "write:error=ENOSPC:when=1",
        "fsync:error=EIO:when=1",
        "fsync:error=ENOSPC:when=2",
    ] {
        let output = publish(&[fault], &[]);
        assert_eq!(output.status.code(), Some(1), "{fault}: {output:?}");
        assert_eq!(listing(dir), [""; 0], "{fault}: {output:?}");
    }
    // Those that were there come back.
    assert!(run(dir, &PUBLISH).0);
    let image = fs::read(dir.join("data/bin/a_2.1.0.bin")).unwrap();
    fs::write(dir.join("x.md"), "others").unwrap();
    fs::write(
        dir.join("x.bin"),
        Image {
            chip: 5,
            ..Image::new("2.1.0")
        }
        .build(),
    )
    .unwrap();
    // The image is tried twice.
    let output = publish(&["rename,renameat:error=EIO:when=2..3"], &["--force"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(read(dir, "a_2.1.0.md"), TEXT);
    assert!(fs::read(dir.join("data/bin/a_2.1.0.bin")).unwrap() == image);
    assert_eq!(listing(dir), ["a_2.1.0.bin", "a_2.1.0.md"]);
    // A file that is there already keeps its notes, too.
    let (ok, _, error) = run(dir, &PUBLISH);
    assert!(
        !ok && error.contains("a_2.1.0.bin: a different file of this name is there already"),
        "{error}"
    );
    assert_eq!(read(dir, "a_2.1.0.md"), TEXT);
}

#[test]
fn killed_in_the_middle_nothing_is_half() {
    for fault in [
        "fsync:signal=KILL:when=1",
        "fsync:signal=KILL:when=2",
        "fsync:signal=KILL:when=3",
        "fsync:signal=KILL:when=4",
    ] {
        let one = built();
        let dir = one.path();
        let mut command = strace(&[fault]);
        command.arg(BINARY).args(PUBLISH).current_dir(dir);
        assert!(!command.output().unwrap().status.success());
        let names = listing(dir);
        let has = |file: &str| names.iter().any(|name| name == file);
        if has("a_2.1.0.md") {
            assert_eq!(read(dir, "a_2.1.0.md"), TEXT);
        }
        if has("a_2.1.0.bin") {
            let image = fs::read(dir.join("data/bin/a_2.1.0.bin")).unwrap();
            assert!(
                image == Image::new("2.1.0").build() && has("a_2.1.0.md"),
                "{names:?}"
            );
        }
        // Once more is as if nothing had been.
        let force: &[&str] = if has("a_2.1.0.bin") {
            &["--force"]
        } else {
            &[]
        };
        let (ok, _, error) = run(dir, &[&PUBLISH[..], force].concat());
        assert!(ok, "{fault}: {error}");
        assert!(run(dir, &["prune", "--keep", "1"]).0);
        assert_eq!(listing(dir), ["a_2.1.0.bin", "a_2.1.0.md"], "{fault}");
    }
}

#[test]
fn of_several_at_once_each_has_its_own_notes() {
    let one = built();
    let dir = one.path();
    let image = |number: u8| {
        let payload = vec![number; 64];
        let image = Image {
            payload,
            ..Image::new("2.1.0")
        };
        image.build()
    };
    let publish = |number: u8, more: &[&str]| {
        let (bin, md) = (format!("{number}.bin"), format!("{number}.md"));
        fs::write(dir.join(&bin), image(number)).unwrap();
        fs::write(dir.join(&md), format!("notes of {number}")).unwrap();
        let arguments = ["publish", &bin, "--model", "a", "--notes", &md];
        run(dir, &[&arguments[..], more].concat()).0
    };
    for (more, published) in [(&[][..], 1), (&["--force"], 4)] {
        let publish = &publish;
        let count = thread::scope(|scope| {
            let all = (0..4).map(|number| scope.spawn(move || publish(number, more)));
            let all: Vec<_> = all.collect();
            let done = all.into_iter().map(|one| one.join().unwrap());
            done.filter(|is_published| *is_published).count()
        });
        assert_eq!(count, published);
        assert_eq!(listing(dir), ["a_2.1.0.bin", "a_2.1.0.md"]);
        let there = fs::read(dir.join("data/bin/a_2.1.0.bin")).unwrap();
        let number = (0..4).find(|number| image(*number) == there).unwrap();
        assert_eq!(read(dir, "a_2.1.0.md"), format!("notes of {number}"));
    }
}

#[test]
fn a_full_disk_takes_neither_and_says_so() {
    let one = built();
    let mut command = in_namespace(&full("data/bin"));
    command.args(PUBLISH).current_dir(one.path());
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("No space left on device"), "{error}");
}

#[test]
fn a_name_from_a_mac_gets_the_name_that_devices_report() {
    let one = built();
    let dir = one.path();
    let (ok, text, error) = run(
        dir,
        &[&PUBLISH[..3], &["cafe\u{301}"], &PUBLISH[4..]].concat(),
    );
    assert!(ok, "{text}{error}");
    assert_eq!(listing(dir), ["café_2.1.0.bin", "café_2.1.0.md"]);
}

#[test]
fn the_log_says_that_there_are_notes_and_nobody_fetches_them() {
    let server = Setup::new().start("log: {log_level: DEBUG}\n");
    let dir = server.dir.path();
    fs::write(dir.join("x.bin"), Image::new("2.1.0").build()).unwrap();
    fs::write(dir.join("x.md"), TEXT).unwrap();
    assert!(run(dir, &PUBLISH).0);
    let fields = [("file", "a_2.1.0.bin"), ("message", "a_2.1.0.md")];
    let line = server.event("file.ready", &fields);
    assert!(line.contains(" - INFO - "), "{line}");
    let path = "/xiaozhi/ota/download/a_2.1.0.md";
    assert_eq!(server.get(path).status, 400);
    // Put there by hand, and of no image: whoever reads everything is told.
    fs::write(dir.join("orphan"), TEXT).unwrap();
    fs::rename(dir.join("orphan"), server.bin().join("b_1.0.md")).unwrap();
    fs::write(server.bin().join("c_1.0.md"), TEXT).unwrap();
    for file in ["b_1.0.md", "c_1.0.md"] {
        let line = server.line(&format!("file={file}"));
        assert!(line.contains(" - DEBUG - "), "{line}");
    }
    server.settle();
    let loud = server.log().into_iter().filter(|line| {
        !line.contains(" - DEBUG - ") && (line.contains("b_1.0.md") || line.contains("c_1.0.md"))
    });
    assert_eq!(loud.collect::<Vec<_>>(), [""; 0]);
}
