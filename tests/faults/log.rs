//! A log that strangers write: as fast as they can, and by names that are no names.

use super::sized;
use super::watch::{IMAGE, Scenario, image};
use crate::behind_proxy::connect;
use crate::support::event;
use crate::support::server::{BINARY, PATIENT, Server, Setup, exchange, request};
use std::fs;
use std::io::{self, Write};
use std::process::Command;
use std::thread;
use std::time::Instant;

const STRANGER: [u8; 4] = [127, 0, 1, 1];

/// A check-in of a device that there is not.
fn invented(number: usize, filler: &str) -> Vec<u8> {
    let device = format!(
        "{:02x}:{:02x}:{:02x}:00:00:00{filler}",
        number >> 16,
        number >> 8 & 255,
        number & 255
    );
    let body = format!(
        r#"{{"application":{{"name":"xiaozhi","version":"{number}.0.0"}},"board":{{"type":"board-{number}{filler}"}}}}"#
    );
    let headers = [("Device-Id", &*device), ("Client-Id", "c")];
    request("POST", "/xiaozhi/ota/", &headers, body.as_bytes())
}

/// Sends check-ins of so many invented devices over one connection, without a wait.
pub(super) fn pipeline(server: &Server, count: usize, asked: impl Fn(usize) -> Vec<u8> + Sync) {
    let mut stream = connect(STRANGER, server.address());
    let mut replies = stream.try_clone().unwrap();
    thread::scope(|scope| {
        let read = scope.spawn(move || io::copy(&mut replies, &mut io::sink()).unwrap());
        for begin in (0..count).step_by(100) {
            let some: Vec<u8> = (begin..count.min(begin + 100)).flat_map(&asked).collect();
            stream.write_all(&some).unwrap();
        }
        // The last of them says that it is the last.
        let last = [("Connection", "close")];
        let last = request("GET", "/xiaozhi/ota/", &last, b"");
        stream.write_all(&last).unwrap();
        assert!(
            read.join().unwrap() > 100 * count as u64,
            "nobody was answered"
        );
    });
}

fn bytes(server: &Server) -> usize {
    server.log().iter().map(|line| line.len() + 1).sum()
}

/// Invented devices of one round, and how long their names are: where they are fewer,
/// each makes the log write more.
fn round() -> (usize, String) {
    sized((1_500, "x".repeat(240)), (100_000, String::new()))
}

#[test]
fn invented_devices_over_one_connection() {
    let Some(scenario) = Scenario::new("invented_devices_over_one_connection") else {
        return;
    };
    let config = format!("gateway:\n{PATIENT}");
    let server = Setup::new().file(IMAGE, image()).start(&config);
    let (count, filler) = round();
    // Of each, the lines of the guide, and one that names it.
    let least = count * (400 + 4 * filler.len().min(128));
    let did = format!("{count} invented devices, pipelined over one connection, and again");
    let (before, begun) = (bytes(&server), Instant::now());
    let room = || (4.0 + begun.elapsed().as_secs_f64()) * f64::from(1 << 20);
    let mut made = 0;
    let is_too_much = scenario.kept(sized(40, 96)).run(&server, did, |meanwhile| {
        // A machine that is busy enough makes no more lines than may be written.
        let is_too_much = (0..3).any(|round| {
            pipeline(&server, count, |n| invented(round * count + n, &filler));
            made += least;
            made as f64 > room()
        });
        meanwhile.while_it_asks(|| {});
        is_too_much
    });
    let written = bytes(&server) - before;
    assert!(
        (written as f64) < room() + f64::from(1 << 20),
        "{written} bytes"
    );
    if is_too_much {
        // It is counted, and who it was is named.
        let busiest = [("busiest", "127.0.1.1")];
        server.event("log.left-out", &busiest);
    }
}

#[test]
fn a_log_file_that_turns_over() {
    let Some(scenario) = Scenario::new("a_log_file_that_turns_over") else {
        return;
    };
    let (max_size, size) = sized(("256KiB", 256 << 10), ("1MiB", 1 << 20));
    let config = format!(
        "log: {{log_dir: tmp, log_file: server.log}}\ngateway:\n  log: {{max_size: {max_size}, keep: 2}}\n{PATIENT}"
    );
    let server = Setup::new().file(IMAGE, image()).start(&config);
    let (count, filler) = round();
    let did = format!("{count} invented devices, into a log file of {max_size} and two older ones");
    scenario.kept(sized(40, 96)).run(&server, did, |meanwhile| {
        pipeline(&server, count, |n| invented(n, &filler));
        meanwhile.while_it_asks(|| {});
    });
    server.settle();
    let files = fs::read_dir(server.dir.path().join("tmp")).unwrap();
    let lengths = files.map(|file| file.unwrap().metadata().unwrap().len());
    let lengths: Vec<_> = lengths.collect();
    assert_eq!(lengths.len(), 3, "{lengths:?}");
    // A line more, however long, is written whole.
    let most = size + (64 << 10);
    assert!(lengths.iter().all(|length| *length <= most), "{lengths:?}");
}

/// Signs that turn a line round, break it, or are not seen.
const SIGNS: [&str; 12] = [
    "\u{202E}", "\u{202D}", "\u{2066}", "\u{2069}", "\u{200F}", "\u{061C}", "\u{2028}", "\u{2029}",
    "\u{85}", "\u{200B}", "\u{FEFF}", "\u{9B}",
];

#[test]
fn names_that_rewrite_lines() {
    let Some(scenario) = Scenario::new("names_that_rewrite_lines") else {
        return;
    };
    let config = format!("log: {{log_level: DEBUG}}\ngateway:\n{PATIENT}");
    let setup = Setup::new().file(IMAGE, image());
    let files = SIGNS.iter().enumerate();
    let setup = files.fold(setup, |setup, (n, sign)| {
        setup.file(&format!("b{sign}x{n}_1.0.bin"), b"firmware")
    });
    let server = setup.start_early(&config, &mut Command::new(BINARY));
    let did = format!("{} signs in names of files, devices and paths", SIGNS.len());
    scenario.run(&server, did, |_| {
        for (n, sign) in SIGNS.iter().enumerate() {
            let name = format!("b{sign}x{n}");
            let body = serde_json::json!({
                "application": {"name": name, "version": format!("1.0{sign}")},
                "board": {"type": name, "name": name, "ssid": name},
                "chip_model_name": name, name.as_str(): name,
            });
            let agent = format!("{name}/1.0");
            let headers = [
                ("Device-Id", &*name),
                ("Client-Id", &*name),
                ("User-Agent", &*agent),
            ];
            let body = body.to_string();
            let check = request("POST", "/xiaozhi/ota/", &headers, body.as_bytes());
            exchange(&mut server.tcp(), &check);
            let quoted: String =
                percent_encoding::utf8_percent_encode(sign, percent_encoding::NON_ALPHANUMERIC)
                    .to_string();
            for path in [sign, &*quoted] {
                let path = format!("/xiaozhi/ota/download/b{path}x{n}_2.0.bin");
                let headers = [("Host", &*name)];
                exchange(&mut server.tcp(), &request("GET", &path, &headers, b""));
            }
            // Not UTF-8, not HTTP.
            let _ = server
                .tcp()
                .write_all(format!("{sign} {sign}\r\n\r\n").as_bytes());
        }
    });
    server.settle();
    let log = server.log();
    for sign in SIGNS {
        let raw = log.iter().find(|line| line.contains(sign));
        assert_eq!(raw, None, "{}", sign.escape_unicode());
    }
    // And they were spoken of at all.
    let spoken = log
        .iter()
        .filter(|line| line.to_lowercase().contains("202e"));
    assert!(spoken.count() > 2);
    assert!(
        log.iter()
            .all(|line| event::id(line).is_some() || !line.contains('\r'))
    );
}
