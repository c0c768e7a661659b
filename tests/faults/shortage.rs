//! No more files to be had, and no more threads.

use super::crowd::{Crowd, Role, addresses};
use super::sized;
use super::watch::{IMAGE, Scenario, image, open_files};
use crate::support::server::{BINARY, PATIENT, Server, Setup, request};
use crate::support::{noise, until};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Users of this machine who have no other process.
const NOBODY_ELSE: [u32; 2] = [61_387, 61_388];

/// Runs something as one of them: root itself may well lack the right to limit others.
fn by(user: u32) -> Command {
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={user}"));
    command.arg(format!("--regid={user}"));
    command.args(["--clear-groups", "--bounding-set=-all"]);
    command
}

/// Limits what a process may have of something from now on.
fn limit(server: &Server, what: &str) {
    let pid = server.pid().to_string();
    let owner = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    let mut command = Command::new("prlimit");
    if NOBODY_ELSE.contains(&owner) {
        command = by(owner);
        command.arg("prlimit");
    }
    let status = command.args(["--pid", &pid, what]).status();
    assert!(status.unwrap().success(), "{what}");
}

#[test]
fn out_of_files() {
    let Some(scenario) = Scenario::new("out_of_files") else {
        return;
    };
    let server = Setup::new()
        .file(IMAGE, image())
        .start(&format!("gateway:\n{PATIENT}"));
    let size = sized(60, 300);
    // They ask for the end, and come again.
    let ask = request("GET", "/xiaozhi/ota/", &[("Connection", "close")], b"");
    let mut crowd = Crowd::new(server.address(), size, &addresses(5), &[Role::sending(ask)]);
    let did = format!("{size} who come again and again, and files for 10");
    // Ten at a time: everybody waits, and nobody for long.
    let scenario = scenario.wait(Duration::from_secs(30));
    scenario.run(&server, did, |meanwhile| {
        let files = open_files(&server) + 10;
        limit(&server, &format!("--nofile={files}:"));
        crowd.come();
        meanwhile.while_it_asks(|| crowd.act());
        crowd.leave();
    });
    assert!(
        crowd.told.keys().all(|status| *status == 200),
        "{:?}",
        crowd.told
    );
}

/// The binary as a user whose threads can be counted: root's are not.
fn as_somebody(setup: &Setup, user: u32) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(BINARY);
    }
    // The way to where it was built may be shut to others.
    let binary = setup.path().join("binary");
    fs::copy(BINARY, &binary).unwrap();
    give(setup.path(), user);
    let mut command = by(user);
    command.arg(binary);
    command
}

/// Gives away a folder and all below it.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for item in fs::read_dir(path).unwrap() {
            give(&item.unwrap().path(), user);
        }
    }
}

const LARGE_PATH: &str = "/xiaozhi/ota/download/large_1.0.bin";

#[test]
fn no_thread_to_be_had() {
    let Some(scenario) = Scenario::new("no_thread_to_be_had") else {
        return;
    };
    let setup = Setup::new()
        .file(IMAGE, image())
        .file("large_1.0.bin", noise(4 << 20, 1));
    // What is read from the disk is read by threads that there are not yet.
    let config = format!("gateway:\n{PATIENT}  firmware: {{memory: 0}}\n");
    let mut command = as_somebody(&setup, NOBODY_ELSE[0]);
    let server = setup.start_by(&config, &mut command);
    scenario
        .checks_only()
        .run(&server, "no thread to be had, and then some", |meanwhile| {
            limit(&server, "--nproc=1:");
            for _ in 0..sized(10, 200) {
                let reply = server.get(LARGE_PATH);
                reply.hold_to_contract("without threads");
                assert!([200, 503].contains(&reply.status), "{}", reply.status);
                assert!(reply.status == 503 || reply.whole);
            }
            // Whoever looks at the folder and the configuration is in want, too.
            fs::write(server.bin().join("b_1.0.bin"), "firmware").unwrap();
            server.signal("HUP");
            meanwhile.while_it_asks(|| {});
            limit(&server, "--nproc=4096:");
            until("a download", || {
                let reply = server.get(LARGE_PATH);
                (reply.status == 200 && reply.whole).then_some(())
            });
            fs::write(server.bin().join("b_2.0.bin"), "firmware").unwrap();
            until("what came meanwhile", || {
                server
                    .offered("b", "0.1")
                    .filter(|file| file == "b_2.0.bin")
            });
            server.reload();
        });
    let log = server.log().join("\n");
    assert!(!log.contains("panicked"), "{log}");
}

/// A start that lacks threads ends with a reason, or goes well.
#[test]
fn a_start_without_threads() {
    let is_later = Scenario::new("a_start_without_threads").is_none();
    if is_later || fs::metadata("/proc/self").unwrap().uid() != 0 {
        // Whoever runs this has other processes, nobody knows how many.
        return;
    }
    for threads in 1..=sized(6, 12) {
        let setup = Setup::new().file(IMAGE, image());
        let config = "gateway:\n  ip: 127.0.0.1\n  ports: [0]\n";
        fs::write(setup.path().join("data/.config.yaml"), config).unwrap();
        let own = as_somebody(&setup, NOBODY_ELSE[1]);
        let mut command = Command::new("timeout");
        command.args([
            "--signal=TERM",
            "1",
            "prlimit",
            &format!("--nproc={threads}:{threads}"),
        ]);
        command.arg(own.get_program()).args(own.get_args());
        let output = command
            .current_dir(setup.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said);
        let is_fault = said.contains(" event=panic") || said.contains("thread '");
        assert!(!is_fault, "{threads}: {said}");
        // 124: it ran until it was asked to end.
        let code = output.status.code();
        // 126: not even this program could be begun.
        let has_reason = said.contains(" event=") || said.contains("thread");
        assert!(
            matches!(code, Some(124 | 126)) || code == Some(1) && has_reason,
            "{threads}: {code:?}: {said}"
        );
    }
}

/// A start that lacks files ends with a reason, or goes well.
#[test]
fn a_start_without_files() {
    if Scenario::new("a_start_without_files").is_none() {
        return;
    }
    for files in (3..sized(40, 80)).step_by(sized(3, 1)) {
        let setup = Setup::new().file(IMAGE, image());
        let config = "gateway:\n  ip: 127.0.0.1\n  ports: [0]\n  admin: {listen: 0}\n";
        fs::write(setup.path().join("data/.config.yaml"), config).unwrap();
        let mut command = Command::new("timeout");
        let limit = format!("--nofile={files}:{files}");
        command.args(["--signal=TERM", "0.7", "prlimit", &limit, BINARY]);
        let output = command
            .current_dir(setup.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [&output.stdout[..], &output.stderr[..]].concat();
        let said = String::from_utf8_lossy(&said);
        let is_fault = said.contains(" event=panic") || said.contains("panicked at");
        assert!(!is_fault, "{files}: {said}");
        // 124: it ran until it was asked to end. 127: not even the loader could open a library.
        let code = output.status.code();
        let has_reason = !said.trim().is_empty();
        assert!(
            matches!(code, Some(124 | 127)) || code == Some(1) && has_reason,
            "{files}: {code:?}: {said}"
        );
    }
}
