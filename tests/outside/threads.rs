//! A machine on which no thread is to be had: an answer, or an end with a reason.

use super::support::backend::Backend;
use super::support::event::{self, field};
use super::support::server::{BINARY, Setup, request};
use super::support::{PATIENCE, Server, noise, until};
use nix::unistd::{Gid, Uid, chown, geteuid};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const IMAGE: &str = "esp32s3_1.6.6.bin";
const PATH: &str = "/xiaozhi/ota/download/esp32s3_1.6.6.bin";

/// A command that runs the server as a user of its own, whose threads nobody else's are
/// counted with: root has no limit. Who is not root has the threads of all its programs.
fn as_somebody(dir: &Path, threads: &str) -> Command {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let limit = format!("--nproc={threads}");
    if !geteuid().is_root() {
        let mut command = Command::new("prlimit");
        command.args([&limit, BINARY]);
        return command;
    }
    let user = 70_000 + std::process::id() % 100_000 * 100 + NEXT.fetch_add(1, Ordering::Relaxed);
    let binary = dir.join("server");
    // Where it was built may be closed to others.
    fs::hard_link(BINARY, &binary)
        .or_else(|_| fs::copy(BINARY, &binary).map(drop))
        .unwrap();
    let owned = [dir.to_owned(), dir.join("data"), dir.join("data/bin")];
    for folder in owned {
        chown(
            &folder,
            Some(Uid::from_raw(user)),
            Some(Gid::from_raw(user)),
        )
        .unwrap();
    }
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={user}"), format!("--regid={user}")]);
    command
        .args(["--clear-groups", "prlimit", &limit])
        .arg(binary);
    command
}

/// What became of a start: whether it serves, and all that it said.
fn start(threads: usize) -> (bool, Vec<String>) {
    let setup = Setup::new().file(IMAGE, "x");
    let config = "gateway:\n  ip: 127.0.0.1\n  ports: [0]\n  tls: {mode: off}\n";
    fs::write(setup.path().join("data/.config.yaml"), config).unwrap();
    let mut child = as_somebody(setup.path(), &threads.to_string())
        .current_dir(setup.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    let mut serves = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        serves |= event::id(&line) == Some("address.vision");
        lines.push(line);
        if serves {
            break;
        }
    }
    if serves {
        answers(&lines);
        let _ = child.kill();
    }
    let end = ended(&mut child);
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    lines.extend(said.lines().map(str::to_owned));
    assert!(serves || end == Some(1), "{end:?}: {lines:#?}");
    (serves, lines)
}

fn ended(child: &mut Child) -> Option<i32> {
    until("its end", || child.try_wait().unwrap()).code()
}

/// A server that serves answers, however few threads it has.
fn answers(lines: &[String]) {
    let listening = lines
        .iter()
        .find(|line| event::id(line) == Some("listening"));
    let address = field(listening.unwrap(), "address").unwrap();
    for request in [
        request("GET", "/xiaozhi/ota/", &[], b""),
        request("GET", PATH, &[], b""),
    ] {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&request).unwrap();
        let reply = super::support::server::read_reply(&mut stream, false);
        assert!([200, 503].contains(&reply.status), "{}", reply.status);
    }
}

#[test]
fn a_start_without_threads_serves_or_ends_with_a_reason() {
    // The main one, what blocks beside it, the log; two a worker; the store; the folder's
    // three, of which it can do without the kernel's.
    let all = 3 + 2 * std::thread::available_parallelism().unwrap().get() + 4;
    let tried = if geteuid().is_root() {
        vec![1, 2, 3, 4, all - 3, all - 2, all - 1, all]
    } else {
        vec![1]
    };
    for threads in tried {
        let (serves, lines) = start(threads);
        assert_eq!(serves, threads >= all - 1, "{threads} of {all}: {lines:#?}");
        let unwatched = lines
            .iter()
            .any(|line| event::id(line) == Some("folder.unwatched"));
        assert_eq!(
            unwatched,
            threads == all - 1,
            "{threads} of {all}: {lines:#?}"
        );
        let is_wrong = |line: &&String| line.contains("panic") || line.contains("please report");
        assert_eq!(lines.iter().find(is_wrong), None, "{threads} of {all}");
        let is_told = lines.iter().any(|line| line.contains("ulimit -u"));
        assert_eq!(is_told, !serves, "{threads} of {all}: {lines:#?}");
    }
}

/// Sets how many threads a server's user may have, and returns how many there were.
fn allow(server: &Server, threads: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let before = limits
        .lines()
        .find(|line| line.starts_with("Max processes"))
        .unwrap();
    let before = before.split_whitespace().nth(2).unwrap().to_owned();
    let limit = format!("--nproc={threads}:");
    let pid = server.pid().to_string();
    // By the user whose process it is: a root may lack the right.
    let owner = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    let mut command = Command::new("prlimit");
    if geteuid().is_root() {
        command = Command::new("setpriv");
        command.args([format!("--reuid={owner}"), format!("--regid={owner}")]);
        command.args(["--clear-groups", "prlimit"]);
    }
    let set = command.args(["--pid", &pid, &limit]).status();
    assert!(set.unwrap().success());
    before
}

#[test]
fn what_runs_goes_on_without_another_thread() {
    let content = noise(3 << 20, 1);
    let backend = Backend::answering(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec());
    let setup = Setup::new().file(IMAGE, &content);
    let mut command = as_somebody(setup.path(), "4096");
    let config = format!(
        "gateway:\n  firmware: {{memory: 0}}\n  proxy: {{vision: \"http://localhost:{}\"}}\n",
        backend.address.port()
    );
    let server = setup.start_by(&config, &mut command);
    let before = allow(&server, "1");
    let fetched = std::thread::scope(|scope| {
        let fetch = || server.get(PATH);
        let all: Vec<_> = (0..8).map(|_| scope.spawn(fetch)).collect();
        all.into_iter()
            .map(|one| one.join().unwrap())
            .collect::<Vec<_>>()
    });
    for reply in fetched {
        assert_eq!((reply.status, reply.body == content), (200, true));
    }
    assert_eq!(server.check_in("x", "1.0").status, 200);
    // A name is looked up on a thread of its own.
    let reply = server.get("/mcp/vision/explain");
    assert_eq!(reply.status, 503);
    reply.hold_to_contract("no thread");
    server.event("backend.down", &[("why", "thread.none")]);
    server.reload();
    allow(&server, &before);
    assert_eq!(server.get("/mcp/vision/explain").status, 200);
    let is_wrong = |line: &&String| line.contains("panic") || line.contains("please report");
    assert_eq!(server.log().iter().find(is_wrong), None);
}
