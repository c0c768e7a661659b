//! Disks that fill, cuts in the middle, several at once, and files that are too much.

use super::super::disks::{full as full_disk, in_namespace, strace};
use super::super::image_files::listing;
use super::super::support::server::BINARY;
use super::{BOARD, Done, RELEASE, app, command, folder, full, packed, publish, release};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::process::Command;
use std::thread;

#[test]
fn a_full_disk_takes_nothing_and_says_so() {
    for source in [release(&app("2.1.0", 1)), full(&app("2.1.0", 1))] {
        let dir = folder(&[(RELEASE, source)]);
        let mut command = in_namespace(&full_disk("data/bin"));
        let command = command.args(["publish", RELEASE]).current_dir(dir.path());
        let done = Done::of(command.output().unwrap());
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.error.contains("No space left on device"), "{done:?}");
    }
}

#[test]
fn killed_in_the_middle_nothing_is_half() {
    let image = app("2.1.0", 1);
    for (name, source) in [
        ("archive", release(&image)),
        ("full image", full(&image)),
        ("app", image.clone()),
    ] {
        for fault in [
            "fsync:signal=KILL:when=1",
            "fsync:signal=KILL:when=2",
            "renameat2:signal=KILL:when=1",
            "write:signal=KILL:when=1",
        ] {
            let dir = folder(&[(RELEASE, source.clone())]);
            let dir = dir.path();
            let mut killed = strace(&[fault]);
            killed
                .arg(BINARY)
                .args(["publish", RELEASE])
                .current_dir(dir);
            killed.output().unwrap();
            let path = dir.join(format!("data/bin/{BOARD}_2.1.0.bin"));
            if let Ok(there) = fs::read(&path) {
                assert!(there == image, "{name}: {fault}");
            }
            let shown = listing(dir)
                .into_iter()
                .filter(|file| !file.starts_with('.'));
            assert_eq!(shown.count(), usize::from(path.exists()), "{name}: {fault}");
            // Once more is as if nothing had been.
            let done = publish(dir, &[RELEASE, "--force"]);
            assert_eq!(done.code, 0, "{name}: {fault}: {done:?}");
            assert!(fs::read(&path).unwrap() == image);
        }
    }
}

#[test]
fn of_two_at_once_one_publishes_and_the_other_is_told() {
    let dir = folder(&[
        ("x/v2.1.0_a.zip", release(&app("2.1.0", 1))),
        ("y/v2.1.0_a.zip", release(&app("2.1.0", 2))),
    ]);
    let dir = dir.path();
    for (more, good) in [(&[][..], 1), (&["--force"], 2)] {
        let ends: Vec<_> = thread::scope(|scope| {
            let run = |file| scope.spawn(move || publish(dir, &[&[file][..], more].concat()));
            let both = [run("x/v2.1.0_a.zip"), run("y/v2.1.0_a.zip")];
            both.map(|one| one.join().unwrap()).into()
        });
        let count = ends.iter().filter(|done| done.code == 0).count();
        assert_eq!(count, good, "{ends:?}");
        assert_eq!(listing(dir), ["a_2.1.0.bin"]);
        let there = fs::read(dir.join("data/bin/a_2.1.0.bin")).unwrap();
        assert!([1, 2].iter().any(|n| there == app("2.1.0", *n)));
    }
}

#[test]
fn whatever_the_umask_all_may_read_it() {
    for (file, source) in [
        (RELEASE, release(&app("2.1.0", 1))),
        ("bread-compact-wifi_2.1.0.bin", full(&app("2.1.0", 1))),
    ] {
        let dir = folder(&[(file, source)]);
        fs::remove_dir_all(dir.path().join("data")).unwrap();
        let line = format!("umask 077; exec {BINARY} publish {file}");
        let done = Command::new("bash")
            .args(["-c", &line])
            .current_dir(dir.path())
            .status();
        assert!(done.unwrap().success());
        for (path, mode) in [
            ("data", 0o755),
            ("data/bin", 0o755),
            ("data/bin/bread-compact-wifi_2.1.0.bin", 0o644),
        ] {
            let about = fs::metadata(dir.path().join(path)).unwrap();
            assert_eq!(about.mode() & 0o777, mode, "{path}");
        }
    }
}

/// Largest memory of a run in bytes, and its exit code.
fn peak(dir: &std::path::Path, arguments: &str) -> (u64, i32) {
    let script = format!(
        "import resource, subprocess\ncode = subprocess.run('{BINARY} publish {arguments}', shell=True, \
         stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode\n\
         print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, code)"
    );
    let output = Command::new("python3")
        .args(["-c", &script])
        .current_dir(dir)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut words = text.split_whitespace();
    let kib: u64 = words.next().unwrap().parse().unwrap();
    (kib << 10, words.next().unwrap().parse().unwrap())
}

#[test]
fn memory_stays_within_two_hundred_megabytes() {
    const MOST: u64 = 200 << 20;
    let image = app("2.1.0", 1);
    let dir = folder(&[("flash.bin", full(&image))]);
    let dir = dir.path();
    // As large as the largest flash, with something at its end.
    let flash = File::options()
        .write(true)
        .open(dir.join("flash.bin"))
        .unwrap();
    flash.write_all_at(b"end", (128 << 20) - 3).unwrap();
    for arguments in ["flash.bin --model a", "- --model a --force < flash.bin"] {
        let (peak, code) = peak(dir, arguments);
        assert_eq!(code, 0, "{arguments}");
        assert!(peak < MOST, "{arguments}: {peak}");
    }
    assert!(fs::read(dir.join("data/bin/a_2.1.0.bin")).unwrap() == image);
    // Nothing of what is longer is read.
    flash.set_len(4 << 40).unwrap();
    let (peak, code) = peak(dir, "flash.bin --model a");
    assert!(code == 1 && peak < 64 << 20, "{code}: {peak}");
    // A stream that never ends does.
    let (peak, code) = self::peak(dir, "- --model a < /dev/zero");
    assert!(code == 1 && peak < MOST, "{code}: {peak}");
    // Much in little.
    let bomb = packed("merged-binary.bin", &vec![0; 165 << 20]);
    fs::write(dir.join("bomb.zip"), bomb).unwrap();
    let (peak, code) = self::peak(dir, "bomb.zip --model a");
    assert!(code == 1 && peak < MOST, "{code}: {peak}");
}

#[test]
fn a_reader_that_has_gone_changes_nothing() {
    let dir = folder(&[
        ("v2.1.0_a.zip", release(&app("2.1.0", 1))),
        ("v2.1.0_b.zip", release(&app("2.1.0", 2))),
    ]);
    for more in [&[][..], &["--json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = command(dir.path(), &["v2.1.0_a.zip", "v2.1.0_b.zip", "--force"]);
        let status = command.args(more).stdout(writer).status();
        assert!(status.unwrap().success());
        assert_eq!(listing(dir.path()), ["a_2.1.0.bin", "b_2.1.0.bin"]);
    }
}
