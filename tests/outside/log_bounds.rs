//! What clients make the log write is bounded, names them, and cannot pass for anything
//! else; the file turns over.

use super::behind_proxy::{self, connect};
use super::command_line::run;
use super::support::event::{self, field};
use super::support::server::{Setup, check_in, exchange, read_reply, request};
use super::support::{PATIENCE, Server, until};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;
use xiaozhi_image_builder::Image;

const MIB: u64 = 1 << 20;

/// A check-in that makes as long lines as can be.
fn long_lines() -> Vec<u8> {
    let sign = "\u{202e}".repeat(42);
    let body = json!({"application": {"version": sign}, "board": {"type": sign, "x": "\u{2028}".repeat(1400)}});
    let headers = [("Device-Id", &*sign), ("Client-Id", "c")];
    let body = body.to_string();
    request("POST", "/xiaozhi/ota/", &headers, body.as_bytes())
}

#[test]
fn a_flood_is_cut_told_of_and_silences_nobody() {
    let begun = Instant::now();
    let mut server = Server::start("log: {log_dir: logs, log_level: DEBUG}\n", &["a_1.6.6.bin"]);
    let path = server.dir.path().join("logs/server.log");
    server.event("file.ready", &[]);
    let (asked, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let stream = server.tcp();
                let mut replies = BufReader::new(stream.try_clone().unwrap());
                let some = long_lines().repeat(25);
                while !is_over.load(Relaxed) && begun.elapsed() < 2 * PATIENCE {
                    // Pipelined: sent before anything is read.
                    (&stream).write_all(&some).unwrap();
                    for _ in 0..25 {
                        assert_eq!(read_one(&mut replies), 200);
                    }
                    asked.fetch_add(25, Relaxed);
                }
            });
        }
        server.event("log.left-out", &[]);
        other(&server);
        is_over.store(true, Relaxed);
    });
    server.signal("TERM");
    assert!(server.end().success());
    let seconds = begun.elapsed().as_secs() + 1;
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.len() as u64 <= 4 * MIB + seconds * MIB,
        "{}",
        text.len()
    );
    let bound = server
        .log()
        .iter()
        .map(|line| line.len() as u64 + 1)
        .sum::<u64>();
    assert!(bound <= 4 * MIB + seconds * MIB, "{bound}");
    // Each check-in is there with all that belongs to it, or not at all, and each line that
    // is not is counted.
    let of = |words: &str| text.lines().filter(|line| line.contains(words)).count() as u64;
    let written = of(r"OTA请求设备ID: \u{202e}");
    assert_eq!(of("check-in reported"), written + 1);
    assert_eq!(of("event=device.version-aborts"), written);
    let told: Vec<_> = text
        .lines()
        .filter(|line| event::is(line, "log.left-out", &[]))
        .collect();
    let asked = asked.into_inner();
    let left: u64 = told.iter().map(|line| number_behind(line, " s: ")).sum();
    assert_eq!(left, (asked - written) * 4, "{told:?}");
    assert!(told[0].contains("127.0.0.1 ("), "{told:?}");
    assert!(!text.contains(['\u{202e}', '\u{2028}']));
}

/// Has a device of another address check in, and looks for all that is said of it.
fn other(server: &Server) {
    let mut stream = connect([127, 0, 0, 2], server.address());
    let reply = exchange(&mut stream, &check_in("a", "1.6.0"));
    assert_eq!(reply.status, 200);
    for id in ["check-in", "candidates", "offer"] {
        until(id, || {
            let lines = server.events(id, &[]);
            lines
                .into_iter()
                .find(|line| line.contains(" peer=127.0.0.2:"))
        });
    }
}

/// Reads one of many replies, and returns its status.
fn read_one(stream: &mut impl BufRead) -> u16 {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0);
    }
    let length = head.split_once("Content-Length: ").unwrap().1;
    let length = length.split_once('\r').unwrap().0.parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    head[9..12].parse().unwrap()
}

fn number_behind(line: &str, words: &str) -> u64 {
    let (_, behind) = line.split_once(words).unwrap();
    behind.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_rate_that_is_set_is_the_bound() {
    let begun = Instant::now();
    let config = "log: {log_level: DEBUG}\ngateway:\n  log: {rate: 32KiB}\n";
    let mut server = Server::start(config, &[]);
    let stream = server.tcp();
    let mut replies = BufReader::new(stream.try_clone().unwrap());
    // 13 KB each, and four times the rate may come at once.
    for _ in 0..4 {
        (&stream).write_all(&long_lines().repeat(10)).unwrap();
        for _ in 0..10 {
            assert_eq!(read_one(&mut replies), 200);
        }
    }
    let told = server.event("log.left-out", &[("rate", "32 KiB"), ("burst", "128 KiB")]);
    assert!(told.contains("raise gateway.log.rate."), "{told}");
    server.signal("TERM");
    assert!(server.end().success());
    let seconds = begun.elapsed().as_secs() + 1;
    let lines = server.log();
    let bytes: u64 = lines.iter().map(|line| line.len() as u64 + 1).sum();
    assert!(bytes <= (4 + seconds) * (32 << 10), "{bytes}");
    assert!(lines.iter().any(|line| line.contains("OTA请求设备ID")));
}

#[test]
fn an_ipv6_network_is_one_client_to_whoever_tells_the_same_once() {
    let server = behind_proxy::start("[127.0.0.1]");
    for client in ["2001:db8:0:1::1", "2001:db8:0:fe::2", "2001:db8:0:200::1"] {
        for request in ["GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "nonsense\r\n\r\n"] {
            let mut stream = server.tcp();
            let header = format!("PROXY TCP6 {client} ::1 56324 443\r\n");
            stream.write_all((header + request).as_bytes()).unwrap();
            assert_eq!(read_reply(&mut stream, false).status, 400);
        }
    }
    let of = |client: &str| {
        let peer = format!("[{client}]:56324");
        server.events("request.unreadable", &[("peer", &peer)])
    };
    until("the last line", || {
        (of("2001:db8:0:200::1").len() == 2).then_some(())
    });
    assert_eq!(of("2001:db8:0:1::1").len(), 2);
    assert_eq!(of("2001:db8:0:fe::2"), [""; 0]);
}

#[test]
fn the_guides_lines_name_the_client_that_a_listed_proxy_tells() {
    let server = Server::start("gateway:\n  behind_proxy: 127.0.0.1\n", &["a_1.6.6.bin"]);
    for (client, version) in [("203.0.113.7", "1.6.0"), ("2001:db8::7", "1.6.6")] {
        let body = format!(r#"{{"application":{{"version":"{version}"}},"board":{{"type":"a"}}}}"#);
        let headers = [
            ("Device-Id", client),
            ("Client-Id", "c"),
            ("X-Forwarded-For", client),
        ];
        server.send(
            "http",
            &request("POST", "/xiaozhi/ota/", &headers, body.as_bytes()),
        );
    }
    for (id, peer, device) in [
        ("check-in", "203.0.113.7:0", "203.0.113.7"),
        ("up-to-date", "[2001:db8::7]:0", "2001:db8::7"),
    ] {
        let line = server.event(id, &[("device", device)]);
        assert_eq!(field(&line, "peer").as_deref(), Some(peer), "{line}");
    }
}

/// The log's files, the oldest first, and what is in them.
fn files(folder: &Path) -> Vec<(String, String)> {
    let names = ["server.log.3", "server.log.2", "server.log.1", "server.log"];
    let read = |name: &str| Some((name.to_owned(), fs::read_to_string(folder.join(name)).ok()?));
    names.into_iter().filter_map(read).collect()
}

#[test]
fn the_file_turns_over_and_loses_no_line() {
    let config = "log: {log_dir: logs}\ngateway:\n  log: {max_size: 4KiB, keep: 2}\n";
    let mut server = Server::start(config, &[]);
    let folder = server.dir.path().join("logs");
    let mut stream = server.tcp();
    for n in 0..60 {
        let reply = exchange(&mut stream, &check_in("a", &format!("1.{n}")));
        assert_eq!(reply.status, 200);
        // Every few of them are a write of their own.
        if n % 6 == 0 {
            until("the lines", || server.find_line(&format!("1.{n} peer")));
        }
    }
    // A file that is moved away while more is written to it may become longer.
    until("all of it", || {
        let files = files(&folder);
        let (_, newest) = files.last()?;
        newest.contains("固件已是最新: 1.59 ").then_some(())
    });
    assert!(folder.join("server.log.2").exists());
    // Somebody else's rotation goes on working beside it.
    fs::rename(folder.join("server.log"), folder.join("aside")).unwrap();
    server.signal("HUP");
    until("a new file", || {
        folder.join("server.log").exists().then_some(())
    });
    server.event("config.same", &[]);
    server.signal("TERM");
    assert!(server.end().success());
    let files = files(&folder);
    let names: Vec<_> = files.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["server.log.2", "server.log.1", "server.log"]);
    let aside = fs::read_to_string(folder.join("aside")).unwrap();
    let mut texts: Vec<_> = files.iter().map(|(_, text)| &**text).collect();
    texts.insert(2, &aside);
    for text in &texts {
        assert!(text.len() <= 4096 && text.ends_with('\n'), "{text}");
    }
    let console = until("the console's end", || {
        let lines = server.log();
        lines.last()?.ends_with(" event=stopped").then_some(lines)
    });
    let console: Vec<_> = console.iter().map(|line| &**line).collect();
    let text = texts.concat();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() > 20 && console.ends_with(&lines));
}

#[test]
fn older_files_beyond_those_that_are_kept_go_at_the_next_turn() {
    for (keep, stays) in [(2, &["1", "2"][..]), (0, &[])] {
        let setup = Setup::new();
        let logs = setup.path().join("logs");
        fs::create_dir(&logs).unwrap();
        // Full, so that the first line of the log turns it over.
        fs::write(logs.join("a.log"), "older\n".repeat(200)).unwrap();
        let others = [
            "a.log.0",
            "a.log.03",
            "a.log.3.gz",
            "a.log.1001",
            "a.log.20260101",
            "a.log.-5",
            "a.log.x",
            "ba.log.7",
            "b.log.7",
        ];
        let ours = ["1", "2", "3", "7", "1000"].map(|n| format!("a.log.{n}"));
        for name in others
            .iter()
            .copied()
            .chain(ours.iter().map(|name| &**name))
        {
            fs::write(logs.join(name), name).unwrap();
        }
        fs::create_dir(logs.join("a.log.9")).unwrap();
        std::os::unix::fs::symlink("b.log.7", logs.join("a.log.8")).unwrap();
        let config = format!(
            "log: {{log_file: a.log, log_dir: logs}}\ngateway:\n  log: {{keep: {keep}, max_size: 1KiB}}\n"
        );
        let mut server = setup.start(&config);
        let count = (ours.len() - stays.len()).to_string();
        server.event(
            "log.older-gone",
            &[
                ("path", "logs/a.log"),
                ("keep", &keep.to_string()),
                ("count", &count),
            ],
        );
        // While it writes, the next turn may be on its way.
        server.signal("TERM");
        assert!(server.end().success());
        for name in others.iter().chain(&["a.log.8", "a.log.9", "a.log"]) {
            assert!(logs.join(name).exists(), "{name}");
        }
        for name in &ours {
            let is_kept = stays.iter().any(|n| name.ends_with(&format!(".{n}")));
            assert_eq!(logs.join(name).exists(), is_kept, "{name}");
        }
    }
}

#[test]
fn how_the_file_turns_over_is_read_with_care() {
    let setup = Setup::new();
    let validate = |log: &str, ours: &str| {
        let config = format!("log: {log}\ngateway:\n  ports: [0]\n  log:\n    {ours}\n");
        fs::write(setup.path().join("c.yaml"), config).unwrap();
        run(setup.path(), &["validate", "c.yaml"])
    };
    for (log, ours, is_good, says) in [
        ("{log_dir: logs}", "max_size: 10MB", true, ""),
        ("{log_file: a.log}", "keep: 0", true, ""),
        ("{}", "max_size: 64MiB", true, "no log file"),
        ("{}", "keep: 3", true, "no log file"),
        ("{log_dir: logs}", "max_size: 64", false, "64MiB"),
        ("{log_dir: logs}", "max_size: many", false, "64MiB"),
        ("{log_dir: logs}", "keep: -1", false, "0 to 1000"),
        ("{log_dir: logs}", "keep: 1.5", false, "0 to 1000"),
        // The console has its bound, too.
        ("{}", "rate: 16KiB", true, ""),
        ("{}", "rate: 1GiB", true, ""),
        ("{}", "rate: 16383b", false, "16KiB to 1GiB"),
        ("{}", "rate: 64", false, "16KiB to 1GiB"),
        ("{}", "rate: 1025MiB", false, "16KiB to 1GiB"),
        ("{}", "rate: 5GiB", false, "16KiB to 1GiB"),
        ("{}", "rate: 0", false, "16KiB to 1GiB"),
        ("{}", "rate: much", false, "16KiB to 1GiB"),
    ] {
        let (ok, out, error) = validate(log, ours);
        let all = out + &error;
        assert_eq!(ok, is_good, "{ours}: {all}");
        assert!(all.contains(says), "{ours}: {all}");
        assert_eq!(all.contains("no log file"), says == "no log file", "{all}");
    }
}

/// Characters that nobody sees, turn the text, or end the line.
const UNSEEN: &str = "\u{ad}\u{61c}\u{601}\u{200b}\u{200e}\u{2028}\u{2029}\u{202e}\u{2060}\u{2066}\u{2069}\u{2800}\u{3164}\u{e000}\u{feff}\u{ffff}\u{e0041}";

#[test]
fn what_nobody_sees_is_escaped_wherever_it_is_said() {
    let text = format!("a{UNSEEN}b");
    let mut escaped = "a".to_owned();
    for c in UNSEEN.chars() {
        write!(escaped, "\\u{{{:x}}}", u32::from(c)).unwrap();
    }
    escaped.push('b');
    let shows = |text: &str| {
        assert!(!text.contains(|c| UNSEEN.contains(c)), "{text:?}");
        text.contains(&escaped)
    };
    let server = Server::start("", &[]);
    let image = Image::new(&text[..7]).build();
    fs::write(server.bin().join(format!("{text}.bin")), image).unwrap();
    let body = json!({"application": {"version": text}, "board": {"type": text}});
    let headers = [
        ("Device-Id", &*text),
        ("Client-Id", "c"),
        ("User-Agent", &*text),
    ];
    let body = body.to_string();
    server.send(
        "http",
        &request("POST", "/xiaozhi/ota/", &headers, body.as_bytes()),
    );
    let mut encoded = String::new();
    for byte in text.bytes() {
        write!(encoded, "%{byte:02X}").unwrap();
    }
    server.get(&format!("/xiaozhi/ota/download/{encoded}.bin"));
    server.get(&format!("/xiaozhi/ota/{encoded}"));
    for id in [
        "check-in",
        "candidates",
        "device.version-aborts",
        "download.unknown",
        "file.refused",
    ] {
        assert!(shows(&server.event(id, &[])), "{id}");
    }
    for line in server.log() {
        shows(&line);
    }
    let dir = server.dir.path();
    let config = format!(
        "server: {{\"{text}\": 1}}\ngateway: {{firmware: {{dir: \"{text}\"}}, \"{text}\": 1}}\n"
    );
    fs::write(dir.join("c.yaml"), config).unwrap();
    for arguments in [
        &["inspect", &format!("data/bin/{text}.bin")][..],
        &["validate", "c.yaml"],
        &["publish", &format!("data/bin/{text}.bin")],
        &["probe", &format!("http://{}/{text}", server.address())],
    ] {
        let (_, out, error) = run(dir, arguments);
        shows(&(out + &error));
    }
}
