//! What may be published, and as which model and version.

use super::super::command_line::run;
use super::super::image_files::listing;
use super::super::support::device::Device;
use super::super::support::server::Setup;
use super::super::support::until;
use super::{
    BOARD, CANDIDATES, EITHER, RELEASE, app, copied, folder, full, packed, publish, publish_from,
    release,
};
use std::fs;
use std::process::Command;
use xiaozhi_image_builder::zip::Zip;
use xiaozhi_image_builder::{Flash, signed};

/// As a new user does it: the archive of a release, one command, and a device.
#[test]
fn a_device_of_that_board_gets_exactly_the_app_of_the_release() {
    let image = app("2.1.0", 1);
    let server = Setup::new().start("");
    let dir = server.dir.path();
    fs::write(dir.join("merged-binary.bin"), full(&image)).unwrap();
    // Packed as the releases are (`scripts/release.py`): by Python's own module.
    let script = format!(
        "import zipfile\nwith zipfile.ZipFile('{RELEASE}', 'w', compression=zipfile.ZIP_DEFLATED) as z:\n    \
         z.write('merged-binary.bin', arcname='merged-binary.bin')"
    );
    let python = Command::new("python3")
        .args(["-c", &script])
        .current_dir(dir)
        .status();
    assert!(python.unwrap().success());
    let done = publish(dir, &[RELEASE]);
    let path = format!("data/bin/{BOARD}_2.1.0.bin");
    assert_eq!(done.code, 0, "{done:?}");
    for words in [
        &*format!("{path}: published; a running server offers it"),
        &format!("{RELEASE}: taken out of merged-binary.bin, ota_0 at 0x20000; left: "),
        "bootloader",
        "partition table",
    ] {
        assert!(done.text.contains(words), "{words}: {done:?}");
    }
    assert!(fs::read(dir.join(&path)).unwrap() == image);
    until("the offer", || server.offered(BOARD, "2.0.0"));
    let mut device = Device {
        model: BOARD,
        ..Device::new("2.0.0")
    };
    device.boot(&server);
    assert_eq!(device.version, "2.1.0");
    let file = format!("/xiaozhi/ota/download/{BOARD}_2.1.0.bin");
    assert!(server.get(&file).body == image);
    let url = format!("http://{}/xiaozhi/ota/", server.address());
    let played = [
        "--version",
        "2.0.0",
        "--firmware-line",
        "v2",
        "--skip",
        "websocket",
    ];
    let probe = [
        &["probe", &url, "--board", BOARD, "--lang", "en"][..],
        &played,
    ]
    .concat();
    let (_, text, error) = run(dir, &probe);
    assert!(text.contains("reboot     2.1.0"), "{text}{error}");
    let boards = format!("{BOARD}@esp32s3");
    let fleet = [
        "simulate",
        &url,
        "-n",
        "3",
        "--boards",
        &boards,
        "--version",
        "2.0.0",
    ];
    let (ok, text, error) = run(dir, &fleet);
    assert!(ok, "{text}{error}");
}

#[test]
fn whatever_holds_an_image_it_is_the_same_image() {
    let plain = app("2.1.0", 2);
    let with_signature = signed(&plain, &[7]);
    for image in [plain, with_signature] {
        let full = full(&image);
        for (file, bytes, place) in [
            ("xiaozhi.bin", image.clone(), None),
            ("merged-binary.bin", full.clone(), Some("ota_0")),
            ("a.zip", packed("xiaozhi.bin", &image), None),
            ("b.zip", packed("merged-binary.bin", &full), Some("ota_0")),
            // What it is the content tells, and no name.
            (
                "c.bin",
                packed("build/merged-binary.bin", &full),
                Some("ota_0"),
            ),
            ("d.zip", full.clone(), Some("ota_0")),
            ("e.zip", image.clone(), None),
        ] {
            let dir = folder(&[(file, bytes.clone())]);
            let dir = dir.path();
            let published = || fs::read(dir.join("data/bin/a_2.1.0.bin")).unwrap();
            let done = publish(dir, &[file, "--model", "a", "--json"]);
            assert_eq!(done.code, 0, "{file}: {done:?}");
            assert!(published() == image, "{file}");
            let row = done.row(file);
            assert_eq!(row["outcome"], "published");
            assert_eq!(row["slot"].as_str(), place, "{file}: {row}");
            assert_eq!(row["size"], image.len(), "{file}");
            assert_eq!(
                (&row["model"], &row["version"], &row["path"]),
                (&"a".into(), &"2.1.0".into(), &"data/bin/a_2.1.0.bin".into())
            );
            // And from standard input, over the other one.
            fs::write(dir.join("data/bin/a_2.1.0.bin"), "other").unwrap();
            let done = publish_from(dir, &bytes, &["-", "--model", "a", "--force"]);
            assert_eq!(done.code, 0, "{file}: {done:?}");
            assert!(published() == image, "{file}");
            assert_eq!(listing(dir), ["a_2.1.0.bin"]);
        }
    }
}

#[test]
fn every_layout_gives_its_app() {
    for (name, flash) in Flash::layouts() {
        let image = app("2.1.0", 3);
        let dir = folder(&[("merged-binary.bin", flash.build(&[("ota_0", &image)]))]);
        let (_, text, _) = run(dir.path(), &["inspect", "merged-binary.bin"]);
        let command = "xiaozhi-ota publish merged-binary.bin\n";
        assert!(text.contains(command), "{name}: {text}");
        let done = publish(dir.path(), &["merged-binary.bin", "--model", "a"]);
        assert_eq!(done.code, 0, "{name}: {done:?}");
        let path = dir.path().join("data/bin/a_2.1.0.bin");
        assert!(fs::read(path).unwrap() == image, "{name}");
    }
}

#[test]
fn the_file_s_name_tells_the_model() {
    for (file, model) in [
        (RELEASE, BOARD),
        ("v2.1.0_xmini-c3.zip", "xmini-c3"),
        // A name from a Mac.
        ("v2.1.0_cafe\u{301}-1.zip", "café-1"),
        ("my_board_2.1.0.bin", "my_board"),
    ] {
        let dir = folder(&[(file, release(&app("2.1.0", 4)))]);
        let done = publish(dir.path(), &[file]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(listing(dir.path()), [format!("{model}_2.1.0.bin")]);
        assert!(!done.text.contains("warning"), "{done:?}");
    }
    for file in ["merged-binary.bin", "release.zip"] {
        let dir = folder(&[(file, release(&app("2.1.0", 4)))]);
        let done = publish(dir.path(), &[file]);
        assert!(
            done.code == 1 && done.error.contains("add --model"),
            "{done:?}"
        );
        assert_eq!(listing(dir.path()), [""; 0]);
    }
    let done = publish_from(folder(&[]).path(), &release(&app("2.1.0", 4)), &["-"]);
    assert!(
        done.code == 1 && done.error.contains("add --model"),
        "{done:?}"
    );
}

#[test]
fn of_two_models_neither_is_guessed() {
    let config = "gateway: {firmware: {verify: strict}}\n";
    let named = format!("a b/{EITHER}");
    let dir = folder(&[
        (&named, release(&app("2.2.6", 5))),
        ("c.yaml", config.into()),
    ]);
    let dir = dir.path();
    let before = super::tree(dir);
    let done = publish(dir, &[&named, "-c", "c.yaml"]);
    assert_eq!((done.code, &*done.text), (1, ""), "{done:?}");
    assert_eq!(done.error.lines().count(), 1, "{done:?}");
    assert_eq!(super::tree(dir), before);
    // Each command that is named is one.
    let commands: Vec<_> = done
        .error
        .match_indices("xiaozhi-ota publish")
        .map(|(at, _)| done.error[at..].split("  or  ").next().unwrap().trim())
        .collect();
    assert_eq!(commands.len(), 2, "{done:?}");
    for (line, model) in commands.iter().zip(CANDIDATES) {
        assert!(line.contains(&format!("--model {model}")), "{line}");
        let done = copied(dir, line);
        assert_eq!(done.code, 0, "{line}: {done:?}");
        assert!(dir.join(format!("data/bin/{model}_2.2.6.bin")).is_file());
    }
    let done = publish(dir, &[&named, "--model", "other", "--json"]);
    assert_eq!(done.row(&named)["model"], "other");
}

#[test]
fn where_name_and_image_disagree_the_image_wins() {
    for file in [RELEASE, "bread-compact-wifi_2.1.0.bin"] {
        let dir = folder(&[(file, release(&app("2.1.1", 6)))]);
        let done = publish(dir.path(), &[file]);
        let words = format!("the name {file} says 2.1.0, and the image in it holds 2.1.1");
        assert!(
            done.code == 0 && done.text.contains(&words),
            "{words}: {done:?}"
        );
        assert_eq!(listing(dir.path()), [format!("{BOARD}_2.1.1.bin")]);
        let done = publish(dir.path(), &[file, "--version", "2.1.2"]);
        assert!(
            done.code == 0 && done.text.contains("the image holds 2.1.1"),
            "{done:?}"
        );
    }
}

fn half(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() / 2].to_vec()
}

#[test]
fn what_holds_no_image_for_devices_is_refused_with_the_reason() {
    let good = app("2.1.0", 7);
    let mut damaged = full(&good);
    damaged[0x2_0000 + 3000] ^= 1;
    let mut encrypted = full(&good);
    encrypted[0x2_0000..0x2_0000 + good.len()]
        .copy_from_slice(&super::super::support::noise(good.len(), 8));
    let unsafe_version = full(&app("2.x", 7));
    let different =
        Flash::factory_and_slot().build(&[("factory", &app("2.0.0", 1)), ("ota_0", &good)]);
    for (bytes, words) in [
        (Flash::without_slots_4mb().build(&[]), &["no slot"][..]),
        (full(&[0xFF; 16]), &["ota_0"]),
        (encrypted.clone(), &["encrypted or damaged"]),
        (damaged.clone(), &["ota_0", "damaged"]),
        (different, &["factory", "ota_0"]),
        (unsafe_version.clone(), &["2.x", "restarts a device"]),
        (
            packed("merged-binary.bin", &encrypted),
            &["merged-binary.bin", "encrypted"],
        ),
        (
            packed("merged-binary.bin", &unsafe_version),
            &["restarts a device"],
        ),
        (packed("readme.txt", b"text"), &["readme.txt"]),
        (
            packed("../../data/bin/x.bin", &good),
            &["../../data/bin/x.bin"],
        ),
        (
            Zip::new()
                .file("a.bin", &good)
                .file("b.bin", &app("2.0.0", 9))
                .bytes(),
            &["a.bin", "b.bin"],
        ),
        (half(&release(&good)), &["x.zip"]),
        (Zip::new().bytes(), &["x.zip"]),
    ] {
        let dir = folder(&[("x.zip", bytes)]);
        let before = super::tree(dir.path());
        for more in [
            &[][..],
            &["--foreign"],
            &["--version", "2.1.0", "--foreign"],
        ] {
            let done = publish(dir.path(), &[&["x.zip", "--model", "a"][..], more].concat());
            assert_eq!((done.code, &*done.text), (1, ""), "{words:?}: {done:?}");
            assert_eq!(done.error.lines().count(), 1, "{done:?}");
            for words in words {
                assert!(done.error.contains(words), "{words}: {done:?}");
            }
            assert_eq!(super::tree(dir.path()), before, "{words:?}");
        }
    }
}

#[test]
fn a_usage_error_is_told_from_a_refusal() {
    let dir = folder(&[
        (RELEASE, release(&app("2.1.0", 1))),
        ("b_2.1.0.bin", app("2.1.0", 2)),
        ("x.md", b"notes".to_vec()),
        ("bad.yaml", b"gateway: {port: 1}".to_vec()),
    ]);
    let dir = dir.path();
    let before = super::tree(dir);
    for arguments in [
        &[][..],
        &[RELEASE, "b_2.1.0.bin", "--notes", "x.md"],
        &[RELEASE, "b_2.1.0.bin", "--version", "2.1.0"],
        &[".", "--notes", "x.md"],
        &[RELEASE, "--no-such"],
        &[RELEASE, "-c", "bad.yaml"],
        &[RELEASE, "-c", "none.yaml"],
    ] {
        for more in [&[][..], &["--dry-run"]] {
            let done = publish(dir, &[arguments, more].concat());
            assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
        }
    }
    assert_eq!(super::tree(dir), before);
    // Notes that cannot be kept are no fault of the command line.
    assert_eq!(publish(dir, &[RELEASE, "--notes", "none.md"]).code, 1);
    assert_eq!(publish(dir, &[RELEASE, "--notes", "x.md"]).code, 0);
    let file = dir.join(format!("data/bin/{BOARD}_2.1.0.md"));
    assert_eq!(fs::read(file).unwrap(), b"notes");
}
