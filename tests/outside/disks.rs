//! Disks that are full, read-only, or not what a file should be: devices are
//! answered all the same, and what is said of a file is true.

use super::command_line::run;
use super::support::certificate::{Authority, Key};
use super::support::event::field;
use super::support::server::{BINARY, Server, Setup, without_privilege};
use super::support::{make_pipe, until};
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use xiaozhi_image_builder::Image;

/// Runs the server in a mount namespace of its own, after `prepare`.
pub(super) fn in_namespace(prepare: &str) -> Command {
    let mut command = Command::new("unshare");
    let script = format!("set -e; {prepare}; exec {BINARY} \"$@\"");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    command
}

/// A tmpfs in place of `folder`, with what was there, and full.
pub(super) fn full(folder: &str) -> String {
    format!(
        "mkdir -p {folder} kept; cp -a {folder}/. kept; mount -t tmpfs -o size=64k tmpfs {folder}; cp -a kept/. {folder}; \
         dd if=/dev/zero of={folder}/.filler bs=4k 2>/dev/null || true"
    )
}

/// A folder that nothing can be written to.
pub(super) fn read_only(folder: &str) -> String {
    format!("mkdir -p {folder}; mount --bind {folder} {folder}; mount -o remount,ro,bind {folder}")
}

/// Whether checks and plain HTTP work, and TLS with what it has.
fn answers(server: &Server) {
    assert_eq!(server.check_in("x", "1.0").status, 200);
    let output = Command::new("curl")
        .args(["-sk", "--max-time", "60"])
        .arg(format!(
            "https://127.0.0.1:{}/xiaozhi/ota/",
            server.ports[0]
        ))
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("OTA接口运行正常"),
        "{output:?}"
    );
}

#[test]
fn without_a_certificate_a_full_or_read_only_disk_stops_no_start() {
    for prepare in [
        full("certs"),
        read_only("certs"),
        "touch certs".to_owned(),
        "ln -s nowhere/certs certs".to_owned(),
    ] {
        let server = Setup::new().start_by("", &mut in_namespace(&prepare));
        let line = server.event(
            "certificate.unkept",
            &[("why", "sign.keep"), ("message", "certs")],
        );
        assert!(
            line.contains(" - WARNING - ") && line.contains("Remedy: "),
            "{line}"
        );
        answers(&server);
    }
}

/// As after a first start with sudo.
#[test]
fn a_kept_certificate_that_this_user_may_not_read_is_not_replaced() {
    let setup = Setup::new().start("").stop();
    let key = setup.path().join("certs/self-signed.key");
    let kept = fs::read(&key).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = without_privilege();
    let server = setup.start_by("", &mut command);
    let line = server.event("certificate.unkept", &[("why", "sign.others")]);
    assert!(line.contains("sudo chown -R "), "{line}");
    // What answers stands in no file.
    let line = server.event("certificate.in-use", &[]);
    assert!(!line.contains("self-signed.crt"), "{line}");
    answers(&server);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(fs::read(&key).unwrap(), kept);
}

#[test]
fn with_other_names_the_kept_certificate_goes_on() {
    let mut setup = Setup::new().start("").stop();
    let kept = fs::read(setup.path().join("certs/self-signed.crt")).unwrap();
    for prepare in [full("certs"), read_only("certs")] {
        let server = setup.start_by(
            "gateway:\n  tls: {names: [another.example.com]}\n",
            &mut in_namespace(&prepare),
        );
        let line = server.event(
            "certificate.kept-unfit",
            &[
                ("reason", "certificate.names-changed"),
                ("why", "sign.keep"),
            ],
        );
        assert!(line.contains(" - WARNING - "), "{line}");
        answers(&server);
        let pair = |name: &str| server.dir.path().join("certs").join(name);
        // Neither of the two was touched.
        assert_eq!(fs::read(pair("self-signed.crt")).unwrap(), kept);
        setup = server.stop();
    }
    // With room again the names are right at the next start.
    let server = setup.start("gateway:\n  tls: {names: [another.example.com]}\n");
    server.event(
        "certificate.signed",
        &[("why", "certificate.names-changed")],
    );
}

#[test]
fn a_log_that_cannot_be_written_costs_no_device_its_answer() {
    // A full one takes the file, and nothing into it.
    let log = "tmp/deep/server.log";
    for (prepare, event, field) in [
        (full("tmp"), "log.fault", ("output", log)),
        (read_only("tmp"), "log.file-later", ("what", "log.unopened")),
    ] {
        let server = Setup::new().start_by(
            "log: {log_dir: tmp/deep, log_file: server.log}\n",
            &mut in_namespace(&prepare),
        );
        let line = server.event(event, &[field]);
        assert!(
            line.contains(" - WARNING - ") && line.contains(log),
            "{line}"
        );
        answers(&server);
    }
}

#[test]
fn a_limit_of_how_long_files_may_be_ends_nothing() {
    let mut limited = Command::new("bash");
    limited.args(["-c", &format!("ulimit -f 1; exec {BINARY}")]);
    let log = "log: {log_dir: tmp, log_file: server.log}\n";
    let server = Setup::new().start_by(log, &mut limited);
    let log = server.dir.path().join("tmp/server.log");
    until("a log that has reached the limit", || {
        server.check_in("x", "1.0");
        (fs::metadata(&log).ok()?.len() == 1024).then_some(())
    });
    answers(&server);
    let dir = to_publish();
    let line = format!("ulimit -f 0; {BINARY} {}", PUBLISH.join(" "));
    let done = Command::new("bash")
        .args(["-c", &line])
        .current_dir(dir.path())
        .output();
    let done = done.unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{error}");
    assert!(error.contains("nothing can be written there"), "{error}");
    let left = fs::read_dir(dir.path().join("data/bin")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn without_a_firmware_folder_devices_are_answered() {
    let prepare = format!("rm -r data/bin; {}", read_only("data"));
    let server = Setup::new().start_by("", &mut in_namespace(&prepare));
    server.event("folder.unavailable", &[]);
    answers(&server);
}

/// Runs a program while a system call of its fails.
fn failing(faults: &[&str], dir: &Path, arguments: &[&str]) -> Output {
    let mut command = strace(faults);
    command.arg(BINARY).args(arguments).current_dir(dir);
    command.output().unwrap()
}

/// Beside the program, which is the child itself: a strace that is killed leaves
/// running what it traced.
pub(super) fn strace(faults: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-o", "/dev/null"]);
    for fault in faults {
        command.args(["-e", &format!("inject={fault}")]);
    }
    command
}

#[test]
fn a_folder_that_knows_no_fsync_keeps_certificates() {
    let server = Setup::new().start_by("", strace(&["fsync:error=EINVAL"]).arg(BINARY));
    let line = server.event("certificate.signed", &[]);
    let unsure = field(&line, "unsure").unwrap_or_default();
    assert!(unsure.contains("knows no fsync"), "{line}");
    answers(&server);
    assert!(server.dir.path().join("certs/self-signed.key").is_file());
}

/// A folder with `x.bin`, to be published.
fn to_publish() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("x.bin"), Image::new("1.6.6").build()).unwrap();
    fs::create_dir_all(dir.path().join("data/bin")).unwrap();
    dir
}

const PUBLISH: [&str; 4] = ["publish", "x.bin", "--model", "a"];

#[test]
fn what_publish_says_of_a_strange_folder_is_true() {
    let said = |output: &Output| {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    };
    let rename = "renameat2:error=EINVAL";
    let link = "link,linkat:error=EPERM";
    for (faults, warned) in [
        (&["fsync:error=EINVAL"][..], true),
        (&["fsync:error=ENOSYS"], true),
        (&[rename], false),
        (&[rename, link], false),
        (
            &["renameat2:error=ENOSYS", "link,linkat:error=EOPNOTSUPP"],
            false,
        ),
    ] {
        let dir = to_publish();
        let (ok, text) = said(&failing(faults, dir.path(), &PUBLISH));
        assert!(
            ok && text.contains("a_1.6.6.bin: published"),
            "{faults:?}: {text}"
        );
        assert_eq!(text.contains("a power cut"), warned, "{faults:?}: {text}");
        let published = fs::read(dir.path().join("data/bin/a_1.6.6.bin")).unwrap();
        assert_eq!(published, Image::new("1.6.6").build());
        // And nothing is overwritten.
        let (ok, text) = said(&failing(faults, dir.path(), &PUBLISH));
        assert!(
            !ok && text.contains("there already, with the same content"),
            "{faults:?}: {text}"
        );
        let left: Vec<_> = fs::read_dir(dir.path().join("data/bin")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
    // A disk that fails before the file has its name: nothing was changed.
    for fault in [
        "fsync:error=EIO:when=1",
        "fsync:error=ENOSPC:when=1",
        "write:error=ENOSPC:when=1",
    ] {
        let dir = to_publish();
        let (ok, text) = said(&failing(&[fault], dir.path(), &PUBLISH));
        assert!(!ok, "{fault}: {text}");
        assert_eq!(
            fs::read_dir(dir.path().join("data/bin")).unwrap().count(),
            0,
            "{fault}: {text}"
        );
    }
    // And behind it: it is published, and that is what is said.
    let dir = to_publish();
    let (ok, text) = said(&failing(&["fsync:error=EIO:when=2"], dir.path(), &PUBLISH));
    assert!(
        ok && text.contains("published") && text.contains("a power cut"),
        "{text}"
    );
    assert!(dir.path().join("data/bin/a_1.6.6.bin").is_file());
}

const PAIR: &str = "gateway:\n  tls: {certificates: [{cert: a.pem, key: a.key}]}\n";

#[test]
fn a_certificate_that_is_no_small_file_is_refused_at_once() {
    let setup = Setup::new();
    Authority::new().sign(setup.path(), "a", Key::P256, &["localhost"]);
    fs::write(setup.path().join("data/.config.yaml"), PAIR).unwrap();
    let (pem, key) = (setup.path().join("a.pem"), setup.path().join("a.key"));
    for path in [&pem, &key] {
        let good = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        make_pipe(path);
        let (ok, _, error) = run(setup.path(), &["validate"]);
        assert!(!ok && error.contains("no regular file"), "{error}");
        fs::remove_file(path).unwrap();
        File::create(path).unwrap().set_len(3 << 30).unwrap();
        let (ok, _, error) = run(setup.path(), &["validate"]);
        assert!(!ok && error.contains("1048576 at most"), "{error}");
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
        let (ok, _, error) = run(setup.path(), &["validate"]);
        assert!(!ok && error.contains("it is a folder"), "{error}");
        fs::remove_dir(path).unwrap();
        fs::write(path, good).unwrap();
    }
    let server = setup.start(PAIR);
    let refused = || server.events("certificate.not-replaced", &[]).len();
    let path = server.dir.path().join("a.key");
    let good = fs::read(&path).unwrap();
    for (i, make) in ["mkfifo a.key", "truncate -s 3G a.key"]
        .into_iter()
        .enumerate()
    {
        fs::remove_file(&path).unwrap();
        let made = Command::new("sh")
            .args(["-c", make])
            .current_dir(server.dir.path())
            .status();
        assert!(made.unwrap().success());
        server.signal("HUP");
        until(make, || (refused() > i).then_some(()));
    }
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 100 << 10, "{peak}");
    // And the next good one is taken up.
    fs::remove_file(&path).unwrap();
    fs::write(&path, good).unwrap();
    until("the good one again", || {
        server.signal("HUP");
        server.events("certificate.same", &[]).pop()
    });
}
