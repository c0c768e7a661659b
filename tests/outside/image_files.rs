//! `inspect` and `publish`: files before anybody is offered them.

use super::command_line::run;
use super::support::event::field;
use super::support::process::Process;
use super::support::server::{BINARY, Setup};
use super::support::{make_pipe, until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use xiaozhi_image_builder::{Image, merged};

/// A folder with `build/xiaozhi.bin`.
fn built(image: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("build")).unwrap();
    fs::write(dir.path().join("build/xiaozhi.bin"), image).unwrap();
    dir
}

pub(super) fn listing(dir: &Path) -> Vec<String> {
    let items = fs::read_dir(dir.join("data/bin")).unwrap();
    let mut names: Vec<_> = items
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn inspect_says_what_a_file_is_and_who_would_get_it() {
    let image = Image {
        min_revision: 2,
        ..Image::new("2.0.3")
    };
    let dir = built(&image.build());
    fs::write(dir.path().join("a_2.0.4.bin"), image.build()).unwrap();
    let (ok, text, _) = run(dir.path(), &["inspect", "build/xiaozhi.bin", "a_2.0.4.bin"]);
    assert!(ok, "{text}");
    for words in [
        "build/xiaozhi.bin: ready",
        "project     xiaozhi",
        "version     2.0.3",
        "chip        esp32s3, revision v0.2 and later",
        &image.elf_hex(),
        "SHA-256 appended and right, not signed",
        "nobody under this name",
        "devices of the model a that report a version below 2.0.4, with the chip esp32s3, revision v0.2 and later, a \
         partition named assets and a free app slot of 592 bytes or more",
        "warning: the file's name says 2.0.4, and the image holds 2.0.3",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn another_projects_image_is_a_warning_in_inspect_and_publish() {
    let image = Image {
        project: "hello_world",
        ..Image::new("1.7.0")
    };
    let dir = built(&image.build());
    for arguments in [
        &["inspect", "build/xiaozhi.bin"][..],
        &["publish", "build/xiaozhi.bin", "--model", "a"],
    ] {
        let (ok, text, _) = run(dir.path(), arguments);
        let words = "warning: its project is \"hello_world\", and not xiaozhi";
        assert!(
            ok && text.contains(words) && text.contains("gateway.firmware.projects"),
            "{text}"
        );
    }
    fs::write(
        dir.path().join("c.yaml"),
        "gateway: {firmware: {projects: [xiaozhi, hello_world]}}",
    )
    .unwrap();
    let (ok, text, _) = run(
        dir.path(),
        &["-c", "c.yaml", "inspect", "build/xiaozhi.bin"],
    );
    assert!(ok && !text.contains("warning"), "{text}");
}

#[test]
fn a_signed_image_may_be_padded_and_where_it_ends_is_told() {
    let plain = Image::new("1.7.0").build();
    let v1 = [&plain[..], &[0; 4], &[5; 64]].concat();
    let padded = |length: usize| {
        let mut padded = v1.clone();
        padded.resize(length, 0xFF);
        padded
    };
    let dir = built(&padded(0x10000));
    let (ok, text, _) = run(dir.path(), &["inspect", "build/xiaozhi.bin"]);
    assert!(ok && text.contains("signed for secure boot v1"), "{text}");
    let stale = [&plain[..], b"what stood there before"].concat();
    fs::write(dir.path().join("stale.bin"), stale).unwrap();
    let (ok, text, _) = run(dir.path(), &["inspect", "stale.bin"]);
    let words = format!("the image itself is whole and has {} bytes", plain.len());
    assert!(!ok && text.contains(&words), "{text}");
}

#[test]
fn inspect_fails_for_what_would_be_rejected() {
    let dir = built(&merged(&Image::new("1.7.0"), 0));
    let good = Image::new("1.7.0").build();
    fs::write(dir.path().join("good.bin"), &good).unwrap();
    fs::write(dir.path().join("cut.bin"), &good[..300]).unwrap();
    fs::write(dir.path().join("a_1.2.x.bin"), &good).unwrap();
    fs::write(dir.path().join("page.bin"), "<html>not found</html>").unwrap();
    fs::write(dir.path().join("empty.bin"), "").unwrap();
    for (file, state, words) in [
        ("good.bin", "ready", ""),
        (
            "build/xiaozhi.bin",
            "rejected",
            "use the app image, build/xiaozhi.bin",
        ),
        ("cut.bin", "rejected", "cut off"),
        ("a_1.2.x.bin", "rejected", "restarts at every check"),
        ("empty.bin", "rejected", "empty"),
        ("missing.bin", "unreadable", "No such file"),
        ("page.bin", "foreign", "a web page (fetch the file itself)"),
    ] {
        let (ok, text, _) = run(dir.path(), &["inspect", "--json", file]);
        assert_eq!(ok, ["ready", "foreign"].contains(&state), "{file}: {text}");
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["state"], state, "{text}");
        let reason = json["reason"].as_str().unwrap_or_default();
        assert!(reason.contains(words), "{text}");
        assert!(!text.contains("null"), "{text}");
    }
    // One bad file among good ones, and each has its line.
    let (ok, text, _) = run(dir.path(), &["inspect", "--json", "good.bin", "cut.bin"]);
    assert!(!ok && text.lines().count() == 2, "{text}");
    // What is no image is refused where the configuration says so.
    fs::write(
        dir.path().join("c.yaml"),
        "gateway: {firmware: {verify: strict}}",
    )
    .unwrap();
    let (ok, text, _) = run(dir.path(), &["-c", "c.yaml", "inspect", "page.bin"]);
    assert!(!ok && text.contains("verify is strict"), "{text}");
}

#[test]
fn what_no_flash_holds_is_not_read() {
    let setup = Setup::new().file("a_1.0.bin", Image::new("1.0").build());
    // Without a byte on the disk, and hours to read.
    let huge = |name: &str| {
        let file = fs::File::create(setup.path().join(name)).unwrap();
        file.set_len(4 << 40).unwrap();
    };
    huge("huge.bin");
    huge("data/bin/a_9.0.bin");
    let words = "the largest flash of an ESP32";
    let (ok, out, _) = run(setup.path(), &["inspect", "huge.bin"]);
    assert!(!ok && out.contains(words), "{out}");
    let (ok, _, error) = run(setup.path(), &["publish", "huge.bin", "--model", "a"]);
    assert!(!ok && error.contains(words), "{error}");
    let server = setup.start("");
    let fields = [("file", "a_9.0.bin"), ("why", "image.too-long")];
    server.event("file.refused", &fields);
    assert_eq!(server.check_in("a", "0.9").firmware().0, "1.0");
}

#[test]
fn publish_names_the_file_after_model_and_version() {
    let image = Image::new("1.6.6").build();
    let dir = built(&image);
    let publish = |more: &[&str]| {
        let arguments = [&["publish", "build/xiaozhi.bin"], more].concat();
        run(dir.path(), &arguments)
    };
    let (ok, text, error) = publish(&["--model", "esp32s3"]);
    assert!(
        ok && text.contains("data/bin/esp32s3_1.6.6.bin: published"),
        "{text}{error}"
    );
    let path = dir.path().join("data/bin/esp32s3_1.6.6.bin");
    assert!(fs::read(&path).unwrap() == image);
    // The server may be somebody else.
    assert_ne!(fs::metadata(&path).unwrap().permissions().mode() & 0o044, 0);

    let (ok, _, error) = publish(&["--model", "esp32s3"]);
    assert!(
        !ok && error.contains("already, with the same content"),
        "{error}"
    );
    fs::write(
        dir.path().join("build/xiaozhi.bin"),
        Image {
            chip: 5,
            ..Image::new("1.6.6")
        }
        .build(),
    )
    .unwrap();
    let (ok, _, error) = publish(&["--model", "esp32s3"]);
    assert!(
        !ok && error.contains("a different file of this name"),
        "{error}"
    );
    assert!(fs::read(&path).unwrap() == image);
    let (ok, text, _) = publish(&["--model", "esp32s3", "--version", "1.6.5"]);
    assert!(
        ok && text.contains("the image holds 1.6.6") && text.contains("holds 1.6.6 for the model"),
        "{text}"
    );
    assert!(publish(&["--model", "esp32s3", "--force"]).0);
    assert!(fs::read(&path).unwrap() != image);

    for (more, words) in [
        (&[][..], "add --model"),
        (&["--model", "board_2"], "read as the version"),
        (&["--model", "../board"], "no '/'"),
        (
            &["--model", "a", "--version", "v2"],
            "cannot stand in a file name",
        ),
        (
            &["--model", "a", "--version", "2.0.x"],
            "restarts at every check",
        ),
    ] {
        let (ok, _, error) = publish(more);
        assert!(!ok && error.contains(words), "{more:?}: {error}");
    }
    assert_eq!(
        listing(dir.path()),
        ["esp32s3_1.6.5.bin", "esp32s3_1.6.6.bin"]
    );
}

#[test]
fn publish_takes_nothing_that_would_be_rejected() {
    let bootloader = Image {
        descriptor: false,
        ..Image::new("1.7.0")
    };
    let dir = built(&bootloader.build());
    fs::create_dir_all(dir.path().join("data/bin")).unwrap();
    let publish = |file: &str| run(dir.path(), &["publish", file, "--model", "a"]);
    let (ok, _, error) = publish("build/xiaozhi.bin");
    assert!(!ok && error.contains("this is a bootloader"), "{error}");
    fs::write(dir.path().join("text.bin"), "some text").unwrap();
    let (ok, _, error) = publish("text.bin");
    assert!(!ok && error.contains("a text (UTF-8"), "{error}");
    // For a device of another kind it is taken, with a version.
    let (ok, _, error) = run(
        dir.path(),
        &["publish", "text.bin", "--model", "a", "--foreign"],
    );
    assert!(!ok && error.contains("add --version"), "{error}");
    assert!(!publish("missing.bin").0 && !publish("build").0);
    assert_eq!(listing(dir.path()), [""; 0]);
    let (ok, text, _) = run(
        dir.path(),
        &[
            "publish",
            "text.bin",
            "--model",
            "a",
            "--version",
            "1",
            "--foreign",
        ],
    );
    assert!(
        ok && text.contains("warning: this is no ESP image"),
        "{text}"
    );
}

#[test]
fn publish_says_so_when_the_disk_is_full() {
    let dir = built(&Image::new("1.6.6").build());
    // The limit on a file's size fails a write as a full disk does.
    let limited =
        format!("ulimit -f 0; trap '' XFSZ; exec {BINARY} publish build/xiaozhi.bin --model a");
    let output = Command::new("bash")
        .args(["-c", &limited])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && error.contains("data/bin: nothing can be written there"),
        "{error}"
    );
    assert_eq!(listing(dir.path()), [""; 0]);
}

#[test]
fn a_published_file_is_offered_by_a_running_server_and_a_killed_copy_never() {
    let image = Image {
        payload: super::support::noise(4 << 20, 3),
        ..Image::new("1.7.0")
    };
    let setup = Setup::new();
    let source = setup.path().join("xiaozhi.bin");
    fs::write(&source, image.build()).unwrap();
    let server = setup.start("");
    let publish = |file: &Path| {
        let mut command = Command::new(BINARY);
        command
            .args(["publish", "--model", "a"])
            .arg(file)
            .current_dir(server.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    // Sources that never end are no files.
    let mut endless = publish(Path::new("/dev/zero"));
    assert!(!endless.status().unwrap().success());
    let pipe = server.dir.path().join("pipe.bin");
    make_pipe(&pipe);
    assert!(!publish(&pipe).status().unwrap().success());
    // Nor is what already has the name. (The server may see it, or not.)
    let there = server.bin().join("a_1.7.0.bin");
    std::os::unix::fs::symlink("/dev/zero", &there).unwrap();
    assert!(!publish(&source).status().unwrap().success());
    fs::remove_file(&there).unwrap();

    let mut killed = Process(publish(&source).spawn().unwrap());
    until("a copy under way", || {
        let begun = listing(server.dir.path())
            .iter()
            .any(|f| f.starts_with(".draft-"));
        (begun || killed.0.try_wait().unwrap().is_some()).then_some(())
    });
    drop(killed);
    if server.bin().join("a_1.7.0.bin").exists() {
        fs::remove_file(server.bin().join("a_1.7.0.bin")).unwrap();
    }
    let half = || {
        let unused = server.events("file.refused", &[]).into_iter();
        let other = |line: &String| field(line, "why").unwrap() != "image.no-file";
        unused.filter(other).collect::<Vec<_>>()
    };
    assert_eq!(half(), [""; 0]);

    assert!(publish(&source).status().unwrap().success());
    until("the offer", || server.offered("a", "1.6.0"));
    assert_eq!(half(), [""; 0]);
}
