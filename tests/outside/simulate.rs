//! A fleet of simulated devices, against our own server and against bad ones.

use super::support::backend::Backend;
use super::support::process::Process;
use super::support::server::{BINARY, Setup};
use super::support::{Reserved, Server, noise, until};
use serde_json::Value;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{ChildStderr, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use xiaozhi_image_builder::Image;

/// Devices reach the server under this name, whatever its port is.
pub(super) const HOST: &str = "ota.example.com";

pub(super) fn command(scheme: &str, address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command
        .arg("simulate")
        .arg(format!("{scheme}://{HOST}/xiaozhi/ota/"))
        .arg("--resolve")
        .arg(format!("{HOST}={address}"))
        .args(arguments)
        .env("LC_ALL", "C");
    command
}

/// Exit code, JSON, and what was said meanwhile.
pub(super) fn run(scheme: &str, address: SocketAddr, arguments: &[&str]) -> (i32, Value, String) {
    let output = command(scheme, address, arguments).arg("--json").output();
    judged(&output.unwrap())
}

fn judged(output: &Output) -> (i32, Value, String) {
    let (code, text, said) = words(output);
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}{said}"));
    // Whatever became of them, none is lost.
    for key in ["states", "versions"] {
        let counts = json[key].as_object().unwrap().values();
        let total: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
        let devices = json["devices"].as_array().unwrap();
        assert_eq!(total, devices.len() as u64, "{key}: {json}");
    }
    assert_eq!(code == 0, json["good"] == true, "{json}");
    // And no failure is without a name, nor is there more than was seen.
    let errors = json["errors"].as_array().unwrap().iter();
    let blamed = errors.filter(|error| error["of_simulator"] == false);
    let errors: u64 = blamed.map(|error| error["count"].as_u64().unwrap()).sum();
    let failed = ["checks", "downloads"].map(|what| json[what]["failed"].as_u64().unwrap());
    assert_eq!(errors, failed.iter().sum::<u64>(), "{json}");
    (code, json, said)
}

fn words(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let code = output.status.code().unwrap();
    (code, text(&output.stdout), text(&output.stderr))
}

/// A server with an image for each of two boards, whose public address is of
/// this scheme.
fn server(scheme: &str) -> Server {
    let image = |chip, seed| Image {
        chip,
        payload: noise(300_000, seed),
        ..Image::new("1.7.0")
    };
    Setup::new()
        .file("esp32s3_1.7.0.bin", image(9, 1).build())
        .file("esp-box_1.7.0.bin", image(5, 2).build())
        .start(&format!(
            "server: {{vision_explain: '{scheme}://{HOST}/mcp/vision/explain'}}\n"
        ))
}

const BOARDS: [&str; 2] = ["--boards", "esp32s3:70,esp-box@esp32c3:30"];

#[test]
fn a_fleet_of_two_boards_updates_over_http_and_https() {
    for scheme in ["http", "https"] {
        let server = server(scheme);
        let ca = server.dir.path().join("certs/self-signed.crt");
        let ca = ca.to_str().unwrap();
        let arguments = [&BOARDS[..], &["--devices", "200", "--ca", ca]].concat();
        let (code, json, said) = run(scheme, server.address(), &arguments);
        assert_eq!(code, 0, "{json}\n{said}");
        assert_eq!(json["ended"], "done");
        assert_eq!(json["states"]["up_to_date"], 200);
        assert_eq!(json["versions"]["1.7.0"], 200);
        assert_eq!(json["updates"], 200);
        assert_eq!(json["checks"]["answered"], 400);
        assert_eq!(json["downloads"]["whole"], 200);
        let bytes = json["downloads"]["bytes"].as_u64().unwrap();
        assert!(bytes > 200 * 300_000, "{bytes}");
        assert_eq!(json["errors"], serde_json::json!([]));
        for what in ["connect", "check", "download"] {
            let times = &json["latency_ms"][what];
            let time = |name: &str| times[name].as_f64().unwrap();
            assert!(time("p50") > 0.0 && time("p50") <= time("p90"), "{times}");
            assert!(time("p99") <= time("max"), "{times}");
        }
        assert_eq!(json["latency_ms"]["connect"]["count"], 600);
        assert!(said.contains("200 devices against"), "{said}");
    }
}

#[test]
fn a_certificate_that_no_device_believes_is_said_at_once() {
    let server = server("https");
    let output = command("https", server.address(), &["-n", "5"]).output();
    let (code, out, said) = words(&output.unwrap());
    assert_eq!((code, out.as_str()), (2, ""));
    for word in ["error: cannot reach", "tls", "--insecure", "--ca"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    let (code, ..) = run("https", server.address(), &["-n", "5", "--insecure"]);
    assert_eq!(code, 0);
}

/// A fleet under way. Ends with its value.
struct Fleet {
    process: Process,
    /// The first of what it says, and the rest.
    said: (Vec<u8>, ChildStderr),
}

impl Fleet {
    fn begin(command: &mut Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = Process(child.unwrap());
        let mut rest = process.0.stderr.take().unwrap();
        // What is said first is said when it takes signals.
        let mut first = vec![0; 4];
        rest.read_exact(&mut first).unwrap();
        Self {
            process,
            said: (first, rest),
        }
    }

    /// Ends it as Ctrl-C does.
    fn interrupt(mut self) -> Output {
        let id = self.process.0.id().to_string();
        let sent = Command::new("kill").args(["-s", "INT", &id]).status();
        assert!(sent.unwrap().success());
        let status = until("its end", || self.process.0.try_wait().unwrap());
        let (mut stderr, mut rest) = self.said;
        rest.read_to_end(&mut stderr).unwrap();
        let mut stdout = Vec::new();
        let mut out = self.process.0.stdout.take().unwrap();
        out.read_to_end(&mut stdout).unwrap();
        Output {
            status,
            stdout,
            stderr,
        }
    }
}

#[test]
fn injected_failures_are_told_apart_and_it_ends_all_the_same() {
    let server = server("http");
    let arguments = ["-n", "40", "--fail", "30%", "--json"];
    let fleet = Fleet::begin(&mut command("http", server.address(), &arguments));
    // Who was cut waits ten seconds, as a device does.
    until("checks that were cut", || {
        (server.events("check-in.cut", &[]).len() > 5).then_some(())
    });
    let (code, json, _) = judged(&fleet.interrupt());
    assert_eq!((code, &json["ended"]), (1, &Value::from("interrupted")));
    let injected = json["injected"].as_object().unwrap().values();
    let injected: u64 = injected.map(|count| count.as_u64().unwrap()).sum();
    assert!(injected > 5, "{json}");
    assert_eq!(json["errors"], serde_json::json!([]), "{json}");
    assert!(
        json["states"]["backing_off"].as_u64().unwrap() > 0,
        "{json}"
    );
}

#[test]
fn the_time_is_over_when_it_is_over_and_so_it_is_on_ctrl_c() {
    // An image takes half a minute.
    let slow = ["-n", "20", "--pace", "10KB/s"];
    let server = server("http");
    let output = command("http", server.address(), &slow)
        .args(["--for", "1s"])
        .output();
    let (code, text, _) = words(&output.unwrap());
    assert_eq!(code, 1);
    for word in ["the time is over (--for): 0 of 20", "1.6.0", "check"] {
        assert!(text.contains(word), "{word}: {text}");
    }

    let image = Image {
        payload: noise(300_000, 1),
        ..Image::new("1.7.0")
    };
    let (address, downloads) = wrong_server(image.build());
    let mut all = command("http", address, &slow);
    let fleet = Fleet::begin(all.arg("--lang=zh"));
    until("their downloads", || {
        (downloads.load(Ordering::SeqCst) == 20).then_some(())
    });
    let (code, text, _) = words(&fleet.interrupt());
    assert_eq!(code, 1);
    for word in ["已中断：20 台设备中 0 台已是最新", "下载中"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_dead_port_is_said_at_once() {
    let nobody = Reserved::new();
    for (lang, words_of_it) in [
        (
            "en",
            ["error: cannot reach", "connect refused", "does not listen"],
        ),
        ("zh", ["无法连接", "连接被拒绝", "未在此端口监听"]),
    ] {
        let output = command("http", nobody.address(), &["--lang", lang]).output();
        let (code, _, said) = words(&output.unwrap());
        assert_eq!(code, 2);
        for word in words_of_it {
            assert!(said.contains(word), "{word}: {said}");
        }
    }
}

#[test]
fn options_that_cannot_be_meant_are_named() {
    let nowhere = "127.0.0.1:9".parse().unwrap();
    for (arguments, word) in [
        (["--pace", "fast"], "48KB/s"),
        (["--fail", "2"], "0% to 100%"),
        (["--ramp", "soon"], "60s"),
        (["--boards", "a:0"], "share"),
        (["--devices", "0"], "1..="),
        (["--bad", "3%:burns"], "3%:crash"),
        (["--bad", "60%:crash,50%:dead"], "more than 100%"),
        (["--power-loss", "5"], "0% to 100%"),
        (["--boots", "0"], "1..="),
        (["--version", "v1"], "restarts at every check"),
        (["--ca", "/nonexistent"], "--ca: /nonexistent"),
    ] {
        let output = command("http", nowhere, &arguments).output();
        let (code, _, said) = words(&output.unwrap());
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
    let output = Command::new(BINARY)
        .args(["simulate", "http://[::1]/xiaozhi/ota/"])
        .output();
    assert_eq!(output.unwrap().status.code(), Some(2));
}

/// A server that answers checks well and images in its own way; and how many were
/// asked for.
fn wrong_server(image: Vec<u8>) -> (SocketAddr, Arc<AtomicUsize>) {
    let downloads = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&downloads);
    let backend = Backend::start(move |connection| {
        let Some(request) = connection.request() else {
            return;
        };
        let check = format!(r#"{{"firmware":{{"version":"1.7.0","url":"http://{HOST}/a.bin"}}}}"#);
        let body = if request.line().starts_with("GET") {
            count.fetch_add(1, Ordering::SeqCst);
            &image
        } else {
            check.as_bytes()
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.send([head.as_bytes(), body].concat());
    });
    (backend.address, downloads)
}

#[test]
fn an_image_that_is_damaged_on_its_way_is_found() {
    let mut image = Image {
        payload: noise(200_000, 3),
        ..Image::new("1.7.0")
    }
    .build();
    let middle = image.len() / 2;
    image[middle] ^= 0x20;
    let (address, _) = wrong_server(image);
    let (code, json, _) = run("http", address, &["-n", "10"]);
    assert_eq!((code, &json["ended"]), (1, &Value::from("done")));
    assert_eq!(json["states"]["failed"], 10, "{json}");
    let error = &json["errors"][0];
    assert_eq!(
        (&error["kind"], &error["count"]),
        (&"image damaged".into(), &10.into())
    );
    assert!(error["example"].as_str().unwrap().contains("checksum"));
    let output = command("http", address, &["-n", "2", "--lang", "zh"]).output();
    let (code, text, _) = words(&output.unwrap());
    assert_eq!(code, 1);
    assert!(
        text.contains("固件损坏") && text.contains("升级失败"),
        "{text}"
    );
}
