//! Memory that strangers can take: bounded, given back, and by the machine's.

use super::disks::in_namespace;
use super::support::backend::Backend;
use super::support::kernel::held;
use super::support::server::{BINARY, Setup, post, read_reply};
use super::support::{PATIENCE, Server, until};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

const MIB: u64 = 1 << 20;
/// What is gathered of bodies at most, where there is memory for it.
const BUDGET: usize = 64 << 20;

/// Memory that a server has of its own, in bytes.
fn memory(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib << 10
}

/// A check-in that announces `of` bytes and sends `bytes` of them.
fn begun(server: &Server, bytes: usize, of: usize) -> TcpStream {
    let mut stream = server.tcp();
    let head = format!(
        "POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\nDevice-Id: a\r\nClient-Id: b\r\nContent-Length: {of}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![b' '; bytes]).unwrap();
    stream
}

/// Tells whether something has come.
fn is_answered(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let seen = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).unwrap();
    seen
}

#[test]
fn bodies_take_no_more_than_their_budget_and_give_it_back() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let server = Setup::new().start("");
    assert_eq!(server.check_in("x", "1.0").status, 200);
    let before = memory(&server);
    // What is announced counts for nothing, nor does what is small.
    let small: Vec<_> = (0..40).map(|_| begun(&server, 4096, 65_000)).collect();
    let each = 63_000;
    let fits = BUDGET / each;
    let mut large: Vec<_> = (0..fits).map(|_| begun(&server, each, 65_000)).collect();
    // These are taken in, and each sends one away.
    let more = 60;
    large.extend((0..more).map(|_| begun(&server, each, 65_000)));
    until("those that go", || {
        let gone = large.iter().filter(|stream| is_answered(stream)).count();
        (gone >= more).then_some(())
    });
    let during = memory(&server);
    let connections = (large.len() + small.len()) as u64;
    let most = BUDGET as u64 + connections * 48 * 1024 + 8 * MIB;
    assert!(during < before + most, "{} MiB", (during - before) / MIB);
    // Nobody else notices.
    assert_eq!(server.check_in("x", "1.0").status, 200);
    let report = format!(r#"{{"a":"{}"}}"#, "x".repeat(20_000));
    assert_eq!(
        server
            .send("http", &post("/xiaozhi/ota/", report.as_bytes()))
            .status,
        200
    );
    assert!(!small.iter().any(is_answered));
    let mut first = large.remove(0);
    let reply = read_reply(&mut first, false);
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("Connection"), Some("close"));
    reply.hold_to_contract("a large body");
    assert_eq!(read_to_end(&mut first), 0);
    let line = server.event("limit.bodies", &[("path", "/xiaozhi/ota/")]);
    assert!(
        line.contains("from 127.0.0.1:") && line.contains(" WARNING "),
        "{line}"
    );
    assert_eq!(server.events("limit.bodies", &[]).len(), 1);
    drop((small, large));
    // What connections hold besides is the allocator's business.
    until("the memory of bodies that are gone", || {
        (memory(&server) < during - 60 * MIB).then_some(())
    });
}

/// What one holds is a part that is on its way, and what the kernel does; as much as hyper
/// would take of it besides was 80 KiB each.
#[test]
fn uploads_that_a_backend_does_not_take_are_not_gathered() {
    const EACH: u64 = 200;
    let gate = Arc::new(Mutex::new(()));
    let closed = Arc::clone(&gate);
    let backend = Backend::start(move |connection| {
        let _ = connection.head();
        // It reads no more until the test ends.
        drop(closed.lock());
    });
    let _closed = gate.lock().unwrap();
    let config = format!(
        "gateway:\n  tls: {{mode: off}}\n  proxy: {{vision: \"http://{}\"}}\n",
        backend.address
    );
    let server = Setup::new().start(&config);
    assert_eq!(server.check_in("x", "1.0").status, 200);
    let before = memory(&server);
    let block = vec![b'x'; 64 * 1024];
    let mut uploads: Vec<_> = (0..EACH)
        .map(|_| {
            let mut stream = server.tcp();
            let head =
                "POST /mcp/vision/explain HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    until("a server that reads no more of any", || {
        for stream in &mut uploads {
            let _ = stream.write(&block);
        }
        let held = held(server.address());
        let full = held
            .iter()
            .filter(|socket| !socket.listens && socket.unread > 64 * 1024);
        (full.count() as u64 == EACH).then_some(())
    });
    let each = (memory(&server) - before) / EACH;
    assert!(each < 120 * 1024, "{each} bytes each");
    assert_eq!(server.check_in("x", "1.0").status, 200);
}

fn read_to_end(stream: &mut TcpStream) -> u64 {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    std::io::copy(stream, &mut std::io::sink()).unwrap_or(0)
}

/// A control group that may have so much memory, if one can be made here.
struct Group(PathBuf);

impl Group {
    fn of(bytes: u64) -> Option<Self> {
        let name = format!("xiaozhi-ota-{}", std::process::id());
        let places = [
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", "memory.max"),
        ];
        places.into_iter().find_map(|(at, file)| {
            let group = Self(Path::new(at).join(&name));
            fs::create_dir(&group.0).ok()?;
            let limit = group.0.join(file);
            // One that does not count memory has no such file.
            limit.exists().then_some(())?;
            fs::write(limit, bytes.to_string()).ok()?;
            Some(group)
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        let enter = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
        command.args(["-c", enter]).arg(&self.0).arg(BINARY);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Returns what `validate` says of a configuration there.
fn validated(mut command: Command, config: &Path) -> String {
    let output = command.arg("validate").arg(config).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The defaults where there are 128 MiB.
fn defaults_are_small(command: impl Fn() -> Command, most: u64) {
    let server = Setup::new().start_by("", &mut command());
    let line = server.event(
        "memory.room",
        &[("memory", "128 MiB"), ("images", "16 MiB")],
    );
    let (_, connections) = line.split_once("connections at once ").unwrap();
    let (connections, _) = connections.split_once(',').unwrap();
    let connections: u64 = connections.parse().unwrap();
    assert!((64..=most).contains(&connections), "{line}");
    assert_eq!(server.check_in("x", "1.0").status, 200);
    let config = server.config_file();
    let much = "gateway:\n  limits: {connections: 16000}\n  firmware: {memory: 256MiB}\n";
    fs::write(&config, much).unwrap();
    let shown = validated(command(), &config);
    for held in ["16000 connections", "up to 256 MiB"] {
        assert!(shown.contains(held), "{shown}");
    }
    let warnings = shown.lines().filter(|line| line.contains("128 MiB"));
    assert_eq!(warnings.count(), 2, "{shown}");
    fs::write(&config, "{}").unwrap();
    let shown = validated(command(), &config);
    let own = format!("{connections} connections");
    assert!(shown.contains(&own), "{shown}");
}

#[test]
fn defaults_follow_the_memory_of_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let memory = dir.path().join("meminfo");
    fs::write(&memory, "MemTotal:         131072 kB\n").unwrap();
    let prepare = format!("mount --bind {} /proc/meminfo", memory.display());
    defaults_are_small(|| in_namespace(&prepare), 655);
}

/// The unit for systemd hides the file (`ProcSubset=pid`).
#[test]
fn the_memory_of_the_machine_is_known_without_its_file() {
    let of_machine = |command: &mut Command| {
        let server = Setup::new().start_by("", command);
        let line = server.event("memory.room", &[]);
        let (_, shown) = line.split_once("this machine is ").unwrap();
        let (shown, _) = shown.split_once(" MiB").unwrap();
        shown.parse::<u64>().unwrap()
    };
    let shown = of_machine(&mut Command::new(BINARY));
    let hidden = of_machine(&mut in_namespace("mount --bind /dev/null /proc/meminfo"));
    // In some containers the file has less than the machine.
    assert!(hidden + 16 > shown, "{shown} and {hidden} MiB");
}

#[test]
fn defaults_follow_the_memory_of_a_container() {
    // The one of the machine shows the way where no group can be made.
    if let Some(group) = Group::of(128 * MIB) {
        defaults_are_small(|| group.command(), 163);
    }
}
