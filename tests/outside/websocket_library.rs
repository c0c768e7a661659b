//! xiaozhi-server's own WebSocket library at either side of this server.

use super::support::process::Process;
use super::support::server::request;
use super::support::{Server, until};
use super::websocket::{PATH, start};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// Debian's, which python3-websockets belongs to, wherever `python3` leads.
const PYTHON: &str = "/usr/bin/python3";

fn voice(arguments: &[&str]) -> Command {
    let mut command = Command::new(PYTHON);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/voice.py"));
    command.args(arguments);
    command
}

/// xiaozhi-server's library behind this server; `None` where there is none.
struct VoiceServer {
    _process: Process,
    port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl VoiceServer {
    fn start() -> Self {
        let mut child = voice(&["serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let process = Process(child);
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let port = first.trim().strip_prefix("port ").unwrap().parse().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            _process: process,
            port,
            lines,
        }
    }

    /// Waits until the WebSocket of a device has ended there, and how.
    fn ended(&self, device: &str) -> String {
        until(device, || {
            let lines = self.lines.lock().unwrap();
            let begin = format!("ended {device} ");
            lines
                .iter()
                .find_map(|l| l.strip_prefix(&begin).map(str::to_owned))
        })
    }
}

fn run_voice(server: &Server, role: &str, more: &[&str]) -> String {
    let url = format!("wss://localhost:{}{PATH}", server.ports[0]);
    let authority = server.dir.path().join("certs/self-signed.crt");
    let all = [&[role, &url, authority.to_str().unwrap()], more].concat();
    let output = voice(&all).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{role}: {text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
#[ignore = "needs python3-websockets: tests/run installs it"]
fn xiaozhi_servers_library_talks_to_itself_through_this_server() {
    let voice = VoiceServer::start();
    let server = start(([127, 0, 0, 1], voice.port).into(), "", "");
    assert!(run_voice(&server, "suite", &[]).contains("suite done"));
    for (device, code) in [
        ("talks", "1000"),
        ("deflates", "1000"),
        ("says-1000", "1000"),
        ("says-1011", "1011"),
        ("says-4001", "4001"),
        ("hears-4001", "4001"),
        ("dropped", "1006"),
        ("drops", "1006"),
    ] {
        assert_eq!(voice.ended(device), code, "{device}");
    }
    let reply = server.send("https", &request("GET", PATH, &[], b""));
    assert_eq!((reply.status, reply.text()), (200, "Server is running\n"));
}

/// What the process holds, in KiB, and its open files.
fn held(server: &Server) -> (usize, usize) {
    let proc = format!("/proc/{}", server.pid());
    let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    let files = std::fs::read_dir(format!("{proc}/fd")).unwrap().count();
    (
        line.split_whitespace().nth(1).unwrap().parse().unwrap(),
        files,
    )
}

#[test]
#[ignore = "needs python3-websockets: tests/run installs it"]
fn a_thousand_at_once_and_then_none() {
    let voice = VoiceServer::start();
    let server = start(([127, 0, 0, 1], voice.port).into(), "", "");
    let (_, before) = held(&server);
    assert!(run_voice(&server, "crowd", &["1000"]).contains("crowd done 1000"));
    server.event("websocket.opened", &[("open", "1000")]);
    until("their ends", || {
        (server.events("websocket.closed", &[]).len() == 1000).then_some(())
    });
    until("closed files", || {
        (held(&server).1 <= before + 2).then_some(())
    });
}

#[test]
#[ignore = "needs python3-websockets: tests/run installs it"]
fn talk_that_goes_on_leaves_nothing_behind() {
    let voice = VoiceServer::start();
    let server = start(([127, 0, 0, 1], voice.port).into(), "", "");
    run_voice(&server, "soak", &["40", "2"]);
    let (before, _) = held(&server);
    let text = run_voice(&server, "soak", &["40", "8"]);
    let (after, _) = held(&server);
    assert!(text.contains("soak done"), "{text}");
    assert!(after < before + 4 * 1024, "{before} KiB, then {after}");
}
