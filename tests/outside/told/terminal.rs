//! Output of the subcommands on terminals, in pipes, and for programs.

use super::super::support::server::{BINARY, Setup};
use super::super::support::{Server, make_pipe};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use xiaozhi_image_builder::{Image, merged};

pub(super) fn image() -> Vec<u8> {
    Image::new("1.6.6").build()
}

pub(super) fn run(dir: &Path, script: &str) -> (Option<i32>, String, String) {
    let output = Command::new("bash")
        .args(["-c", script])
        .env("X", BINARY)
        .env_remove("COLUMNS")
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn a_reader_that_has_gone_is_no_fault() {
    let server = Server::start("", &[]);
    let url = format!("http://127.0.0.1:{}/xiaozhi/ota/", server.ports[0]);
    let setup = Setup::new();
    let dir = setup.path();
    fs::write(dir.join("x.bin"), image()).unwrap();
    fs::write(dir.join("full.bin"), merged(&Image::new("1"), 0)).unwrap();
    let nobody = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    for (arguments, code) in [
        ("inspect x.bin x.bin full.bin", 0),
        ("inspect full.bin x.bin", 0),
        ("inspect --json full.bin none.bin", 0),
        ("publish x.bin --model a", 0),
        ("validate", 0),
        ("--help", 0),
        ("help probe", 0),
        ("--version", 0),
        // It warns of loopback.
        (&*format!("probe {url} --skip websocket"), 1),
        (&format!("probe {url} --skip websocket --json"), 1),
        (&format!("simulate {url} -n 1"), 0),
        (&format!("simulate {url} -n 1 --json"), 0),
        // Nobody reads what is wrong, and it is wrong all the same.
        ("inspect", 2),
        ("--no-such", 2),
    ] {
        let output = Command::new(BINARY)
            .args(arguments.split(' '))
            .current_dir(dir)
            .stdout(nobody())
            .stderr(if code < 2 {
                Stdio::piped()
            } else {
                nobody().into()
            })
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments}: {said}");
        assert!(
            !said.contains("error") && !said.contains("panic"),
            "{arguments}: {said}"
        );
    }
    let (code, first, said) = run(dir, "set -o pipefail; $X inspect *.bin | head -1");
    assert!(code == Some(0) || code == Some(1), "{said}");
    assert_eq!(
        (first.as_str(), said.as_str()),
        (
            "full.bin: rejected: this is a full flash image (bootloader, partition table and app in one); use the app image, build/xiaozhi.bin, or have the app that is in it taken out and published: xiaozhi-ota publish full.bin\n",
            ""
        )
    );
}

#[test]
fn a_disk_that_is_full_is_told_of() {
    let setup = Setup::new();
    fs::write(setup.path().join("x.bin"), image()).unwrap();
    for (arguments, code) in [
        ("inspect x.bin", 2),
        ("inspect --json x.bin", 2),
        ("validate", 1),
        ("--help", 1),
        ("--version", 1),
    ] {
        let (ended, _, said) = run(setup.path(), &format!("$X {arguments} > /dev/full"));
        assert_eq!(ended, Some(code), "{arguments}: {said}");
        let words = "error: standard output takes nothing: No space left on device";
        assert!(said.starts_with(words), "{arguments}: {said}");
    }
}

#[test]
fn whatever_holds_an_image_is_read() {
    let setup = Setup::new();
    let dir = setup.path();
    fs::write(dir.join("x.bin"), image()).unwrap();
    for (script, named) in [
        ("$X inspect - < x.bin", "-"),
        ("cat x.bin | $X inspect -", "-"),
        ("cat x.bin | $X inspect /dev/stdin", "/dev/stdin"),
        ("$X inspect /dev/stdin < x.bin", "/dev/stdin"),
        ("$X inspect <(cat x.bin)", "/dev/fd/63"),
        ("mkfifo p; cat x.bin > p & $X inspect p", "p"),
        ("cp x.bin -- -y.bin; $X inspect -- -y.bin", "-y.bin"),
        ("ln -s x.bin l.bin; $X inspect l.bin", "l.bin"),
        // Once each, however it is spelt; two names are two files.
        ("cat x.bin | $X inspect - -", "-"),
        (
            "$X inspect x.bin ./x.bin data/../x.bin \"$PWD/x.bin\"",
            "x.bin",
        ),
    ] {
        let (code, text, said) = run(dir, script);
        assert_eq!(code, Some(0), "{script}: {text}{said}");
        let firsts: Vec<_> = text.lines().filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(firsts, [format!("{named}: ready")], "{script}");
    }
    for script in ["cat x.bin | $X publish -", "$X publish <(cat x.bin)"] {
        let (code, text, said) = run(dir, &format!("{script} --model a --force"));
        assert_eq!(code, Some(0), "{said}");
        let published = "data/bin/a_1.6.6.bin: published";
        assert!(text.starts_with(published), "{text}");
    }
    // Nothing to read is no empty file.
    for script in [
        "$X inspect - <&-",
        "$X inspect - < /dev/null",
        "$X publish - --model a <&-",
    ] {
        let (code, text, said) = run(dir, script);
        let shown = text + &said;
        assert!(
            code != Some(0) && shown.contains("there is no standard input"),
            "{script}: {shown}"
        );
    }
    // What nobody can tell from an option is asked about.
    let (code, _, said) = run(dir, "$X inspect -y.bin");
    assert!(code == Some(2) && said.contains("use '-- -y"), "{said}");
}

#[test]
fn a_folder_is_the_firmware_in_it() {
    let setup = Setup::new()
        .file("b_1.0.bin", image())
        .file("a_1.0.bin", image());
    let bin = setup.path().join("data/bin");
    for name in ["notes.txt", ".hidden.bin", "assets.bin.part"] {
        fs::write(bin.join(name), "x").unwrap();
    }
    fs::create_dir(bin.join("old")).unwrap();
    fs::write(bin.join("old/c_1.0.bin"), "x").unwrap();
    let (code, text, said) = run(
        setup.path(),
        "$X inspect --json data/bin data/bin/a_1.0.bin",
    );
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let files: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = files
        .iter()
        .map(|file| file["file"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["data/bin/a_1.0.bin", "data/bin/b_1.0.bin"]);
    // Docker makes a folder of a file that it does not find.
    fs::create_dir(bin.join("d_1.0.bin")).unwrap();
    for (place, count) in [("data/bin/", 3), ("data/bin/d_1.0.bin", 1), ("data", 1)] {
        let (code, text, _) = run(setup.path(), &format!("$X inspect {place}"));
        assert_eq!(code, Some(2), "{text}");
        assert_eq!(
            text.lines().filter(|line| !line.starts_with(' ')).count(),
            count,
            "{text}"
        );
        assert!(
            text.contains("bin: cannot be read: it is a folder that") || place == "data",
            "{text}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_not_rejected() {
    let setup = Setup::new();
    let dir = setup.path();
    fs::write(dir.join("good_1.6.6.bin"), image()).unwrap();
    fs::write(dir.join("bad_1.0.bin"), merged(&Image::new("1"), 0)).unwrap();
    fs::write(dir.join("closed.bin"), image()).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.join("dead.bin")).unwrap();
    std::os::unix::net::UnixListener::bind(dir.join("socket.bin")).unwrap();
    make_pipe(&dir.join("unused"));
    fs::create_dir(dir.join("folder.bin")).unwrap();
    fs::create_dir(dir.join("empty")).unwrap();
    // An error of the disk, as far as one can be had.
    for (files, states, code) in [
        ("none.bin", &["unreadable"][..], 2),
        ("none/none.bin", &["unreadable"], 2),
        ("good_1.6.6.bin/x.bin", &["unreadable"], 2),
        ("dead.bin", &["unreadable"], 2),
        ("socket.bin", &["unreadable"], 2),
        ("folder.bin", &["unreadable"], 2),
        ("empty", &["unreadable"], 2),
        ("/proc/self/mem", &["unreadable"], 2),
        ("good_1.6.6.bin", &["ready"], 0),
        ("bad_1.0.bin good_1.6.6.bin", &["rejected", "ready"], 1),
        (
            "bad_1.0.bin none.bin good_1.6.6.bin",
            &["rejected", "unreadable", "ready"],
            2,
        ),
        ("/dev/null", &["rejected"], 1),
        ("/dev/zero", &["rejected"], 1),
    ] {
        let (ended, text, said) = run(dir, &format!("$X inspect --json {files}"));
        let found: Vec<_> = text
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["state"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(
            (&found[..], ended),
            (
                &states.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()[..],
                Some(code)
            ),
            "{files}: {text}{said}"
        );
        let (ended, text, _) = run(dir, &format!("$X inspect {files}"));
        assert_eq!(ended, Some(code), "{files}");
        let told = text
            .lines()
            .filter(|line| line.contains(": cannot be read: "));
        assert_eq!(
            told.count(),
            states.iter().filter(|s| **s == "unreadable").count(),
            "{text}"
        );
    }
    // Whoever may read everything can be stopped by nothing but another user.
    if nix::unistd::geteuid().is_root() {
        let script = "chmod 755 . ; chmod 0 closed.bin; setpriv --reuid 65534 --clear-groups $X inspect closed.bin";
        let (code, text, said) = run(dir, script);
        assert_eq!(code, Some(2), "{said}");
        assert!(
            text.starts_with("closed.bin: cannot be read: Permission denied"),
            "{text}"
        );
    }
    // It is the configuration that is wrong, and no image.
    fs::write(dir.join("bad.yaml"), "gateway: {port: 1}").unwrap();
    let (code, _, _) = run(dir, "$X -c bad.yaml inspect good_1.6.6.bin");
    assert_eq!(code, Some(2));
}
