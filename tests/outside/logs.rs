//! What the operator reads, in the guide's words, and what programs read.

use super::command_line::run;
use super::support::event::{self, field};
use super::support::process::Process;
use super::support::server::{BINARY, PATIENT, Setup, check_in, exchange, post, request};
use super::support::{PATIENCE, Server, make_pipe, until};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Instant;
use xiaozhi_image_builder::Image;

#[test]
fn the_guides_lines_in_its_words() {
    // In either language, for whoever reads the guide looks for them.
    for lang in ["en", "zh"] {
        let server = Server::start(
            &format!(
                "server: {{vision_explain: 'http://yourdomain.com:8003/mcp/vision/explain'}}\ngateway:\n  log: {{lang: {lang}}}\n"
            ),
            &["esp32s3_1.6.6.bin"],
        );
        server.check_in("esp32s3", "1.6.0");
        server.check_in("esp32s3", "1.6.6");
        for (id, words) in [
            ("check-in", "OTA请求设备ID: aa:bb:cc:dd:ee:ff"),
            ("candidates", "查找型号 esp32s3 的固件，找到 1 个候选"),
            (
                "offer",
                "为设备 aa:bb:cc:dd:ee:ff 下发固件 1.6.6 [如果地址前缀有误，请检查配置文件中的server.vision_explain]-> http://yourdomain.com:8003/xiaozhi/ota/download/esp32s3_1.6.6.bin",
            ),
            ("up-to-date", "设备 aa:bb:cc:dd:ee:ff 固件已是最新: 1.6.6"),
        ] {
            let line = server.event(id, &[]);
            let (time, rest) = line.split_at(19);
            let words = format!(" - INFO - [ota_handler] - {words} peer=127.0.0.1:");
            let port = rest
                .strip_prefix(&*words)
                .and_then(|rest| rest.strip_suffix(&format!(" event={id}")));
            assert!(
                port.is_some_and(|port| port.parse::<u16>().is_ok()),
                "{line}"
            );
            jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time).unwrap();
        }
        assert_eq!(server.count_lines("check-in reported"), 0);
    }
}

#[test]
fn at_debug_everything_that_was_reported() {
    let server = Server::start("log: {log_level: DEBUG}\n", &[]);
    let body = r#"{"application":{"version":"1.6.0"},"board":{"type":"esp32s3","ssid":"at "home"","rssi":-50,"imei":"8612","ip":"
2025-01-01 00:00:00 - INFO - forged"}}"#;
    server.send("http", &post("/xiaozhi/ota/", body.as_bytes()));
    // For developers, and so no event.
    let line = server.line("check-in reported");
    for words in [
        "version=1.6.0",
        "model=esp32s3",
        "device=aa:bb:cc:dd:ee:ff",
        "scheme=http",
        "user_agent=bread-compact-wifi/1.6.0",
        "ssid",
        "forged",
    ] {
        assert!(line.contains(words), "{words}: {line}");
    }
    // What is the owner's is nobody's business.
    assert!(!line.contains("home") && !line.contains("8612"), "{line}");
}

#[test]
fn the_file_says_what_the_console_says() {
    let server = Server::start("log: {log_dir: logs, log_file: ota.log}\n", &[]);
    server.send("http", &check_in("esp32s3", "1.6.0"));
    server.event("up-to-date", &[]);
    let path = server.dir.path().join("logs/ota.log");
    until("the line in the file", || {
        fs::read_to_string(&path)
            .ok()
            .filter(|text| text.contains(" event=up-to-date\n"))
    });
    // Rotated away: a new file begins.
    fs::rename(&path, server.dir.path().join("logs/ota.log.1")).unwrap();
    server.send("http", &check_in("esp32s3", "1.6.1"));
    until("the line in the new file", || {
        fs::read_to_string(&path).ok().filter(|text| {
            let mut lines = text.lines();
            lines.any(|line| event::is(line, "up-to-date", &[("version", "1.6.1")]))
        })
    });
}

#[test]
fn a_console_that_nobody_reads_holds_up_no_request() {
    let setup = Setup::new();
    let config = format!(
        "log: {{log_level: DEBUG, log_file: ota.log, log_dir: logs}}\ngateway:\n  ip: 127.0.0.1\n  ports: [0]\n{PATIENT}"
    );
    fs::write(setup.path().join("data/.config.yaml"), config).unwrap();
    let child = Command::new(BINARY)
        .current_dir(setup.path())
        .stdout(Stdio::piped())
        .spawn();
    let mut process = Process(child.unwrap());
    let mut console = BufReader::new(process.0.stdout.take().unwrap());
    let mut line = String::new();
    let mut port = None;
    while !event::is(line.trim(), "address.vision", &[]) {
        line.clear();
        assert_ne!(console.read_line(&mut line).unwrap(), 0);
        if event::is(line.trim(), "listening", &[]) {
            let address: SocketAddr = field(&line, "address").unwrap().parse().unwrap();
            port = Some(address.port());
        }
    }
    // From here on nobody reads it. Each check-in logs its body; together they
    // are far more than the pipe and the log's memory hold.
    let mut stream = TcpStream::connect(("127.0.0.1", port.unwrap())).unwrap();
    let body = format!("{{\"x\":\"{}\"}}", "y".repeat(4000));
    let path = setup.path().join("logs/ota.log");
    let begun = Instant::now();
    // The file is not held up by the console either.
    while fs::metadata(&path).unwrap().len() < 5 << 20 {
        assert!(begun.elapsed() < PATIENCE, "the file stays as it is");
        let reply = exchange(&mut stream, &post("/xiaozhi/ota/", body.as_bytes()));
        assert_eq!(reply.status, 200);
    }
    // Read again, the console says how much it missed.
    let told = console
        .lines()
        .map_while(Result::ok)
        .find(|line| event::is(line, "log.dropped", &[]));
    let dropped = field(&told.unwrap(), "lines").unwrap();
    assert!(dropped.parse::<u64>().unwrap() > 0);
}

#[test]
fn a_log_that_is_a_pipe_without_a_reader_is_not_waited_for() {
    let setup = Setup::new();
    let pipe = setup.path().join("pipe");
    make_pipe(&pipe);
    fs::write(
        setup.path().join("c.yaml"),
        "log: {log_dir: ., log_file: pipe}\n",
    )
    .unwrap();
    let (ok, _, error) = run(setup.path(), &["-c", "c.yaml"]);
    assert!(!ok && error.contains("a pipe that nobody reads"), "{error}");
}

#[test]
fn a_log_that_cannot_be_opened_stops_the_start() {
    let setup = Setup::new();
    fs::write(setup.path().join("logs"), "a file, no folder").unwrap();
    fs::write(
        setup.path().join("data/.config.yaml"),
        "log: {log_dir: logs}\ngateway: {ports: [0]}",
    )
    .unwrap();
    let output = Command::new(BINARY)
        .current_dir(setup.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("logs/server.log: "));
}

/// Tells whether a terminal would take a character for more than a character.
fn steers(c: char) -> bool {
    c.is_control() || "\u{202e}\u{2028}\u{2066}\u{200f}".contains(c)
}

#[test]
fn in_chinese_by_the_same_ids() {
    let server = Server::start("gateway:\n  log: {lang: zh}\n", &["a_1.7.0.bin", "a.bin"]);
    server.check_in("a", "1.6.0");
    server.signal("TERM");
    server.event("stop.asked", &[]);
    for (id, fields, words) in [
        ("config.read", &[][..], "已读取配置"),
        ("certificate.signed", &[], "已签发自签名证书"),
        (
            "address.loopback",
            &[("setting", "server.vision_explain")],
            "处理办法：",
        ),
        (
            "file.foreign",
            &[("file", "a_1.7.0.bin")],
            "这不是 ESP 固件",
        ),
        (
            "file.refused",
            &[("file", "a.bin"), ("why", "name.no-version")],
            "文件未被使用：文件名中没有版本号",
        ),
        ("listening", &[], "正在监听"),
        ("stop.asked", &[], "收到停止请求"),
    ] {
        let line = server.event(id, fields);
        let (_, message) = line.split_once("] - ").unwrap();
        assert!(message.contains(words), "{id}: {line}");
    }
    // No sentence of the other language is left among them.
    for line in server.log() {
        let (_, message) = line.split_once("] - ").unwrap();
        let chinese = |c: char| ('\u{4e00}'..'\u{a000}').contains(&c);
        assert!(message.contains(chinese), "{line}");
        assert!(event::id(&line).is_some(), "{line}");
    }
}

/// Has a server write JSON, and returns each of its lines from the first to the last.
/// Meanwhile it is asked this.
fn in_json(setup: &Setup, requests: &[Vec<u8>]) -> Vec<(String, Value)> {
    let config = format!(
        "log: {{log_dir: logs, log_file: ota.log}}\ngateway:\n  ip: 127.0.0.1\n  ports: [0]\n{PATIENT}  log: {{format: json}}\n"
    );
    fs::write(setup.path().join("data/.config.yaml"), config).unwrap();
    let child = Command::new(BINARY)
        .current_dir(setup.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = Process(child.unwrap());
    let console = BufReader::new(process.0.stdout.take().unwrap());
    let mut lines = Vec::new();
    let mut address = None;
    for line in console.lines() {
        let line = line.unwrap();
        let json: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        match json["event"].as_str() {
            Some("listening") => {
                address = Some(json["address"].as_str().unwrap().to_owned());
            }
            Some("address.vision") => {
                for bytes in requests {
                    let mut stream = TcpStream::connect(address.as_ref().unwrap()).unwrap();
                    let reply = exchange(&mut stream, bytes);
                    assert_eq!(reply.status, 200, "{}", reply.text());
                }
                let pid = process.0.id().to_string();
                let kill = Command::new("kill").args(["-s", "TERM", &pid]).status();
                assert!(kill.unwrap().success());
            }
            _ => {}
        }
        lines.push((line, json));
    }
    assert!(process.0.wait().unwrap().success());
    let mut error = String::new();
    let stderr = process.0.stderr.take().unwrap();
    BufReader::new(stderr).read_to_string(&mut error).unwrap();
    assert_eq!(error, "");
    let console: Vec<_> = lines.iter().map(|(line, _)| line.as_str()).collect();
    let file = fs::read_to_string(setup.path().join("logs/ota.log")).unwrap();
    assert_eq!(file.lines().collect::<Vec<_>>(), console);
    lines
}

#[test]
fn as_json_from_the_first_line_to_the_last() {
    let other_chip = Image {
        chip: 5,
        ..Image::new("1.9.0")
    };
    let setup = Setup::new()
        .file("a_1.9.0.bin", other_chip.build())
        .file("a_1.8.0.bin", vec![0; 5000])
        .file("a_1.7.0.bin", Image::new("1.7.0").build());
    let body = r#"{"chip_model_name":"esp32s3","application":{"name":"xiaozhi","version":"1.6.0"},"board":{"type":"a"}}"#;
    let lines = in_json(&setup, &[post("/xiaozhi/ota/", body.as_bytes())]);
    let room = |json: &Value| json["source"].as_str().unwrap().to_owned();
    for (line, json) in &lines {
        let time = json["time"].as_str().unwrap();
        let stamp: Result<jiff::Timestamp, _> = time.parse();
        assert!(stamp.is_ok(), "{line}");
        let levels = ["INFO", "WARNING", "ERROR"];
        assert!(levels.contains(&json["level"].as_str().unwrap()), "{line}");
        assert!(!room(json).is_empty(), "{line}");
        for key in ["event", "message"] {
            assert!(!json[key].as_str().unwrap().is_empty(), "{line}");
        }
    }
    assert_eq!(lines.first().unwrap().1["event"], "config.read");
    assert_eq!(lines.last().unwrap().1["event"], "stopped");
    let of = |id: &str| {
        let found = lines.iter().find(|(_, json)| json["event"] == id);
        &found.unwrap_or_else(|| panic!("{id} in {lines:#?}")).1
    };
    let has = |id: &str, fields: Value| {
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(&of(id)[name], value, "{id}: {name}");
        }
    };
    // Numbers are numbers, lists are lists, and a reason has an id of its own.
    let dir = fs::canonicalize(setup.path()).unwrap().join("data/bin");
    has(
        "folder",
        json!({"dir": dir, "images": 2, "source": "app", "level": "INFO"}),
    );
    has(
        "file.ready",
        json!({"model": "a", "bytes": of("file.ready")["bytes"].as_u64()}),
    );
    assert!(of("certificate.signed")["names"].is_array());
    has(
        "file.refused",
        json!({"file": "a_1.8.0.bin", "level": "WARNING"}),
    );
    let why = &of("file.refused")["why"];
    assert_eq!(
        (&why["event"], &why["bytes"], &why["fill"]),
        (&json!("image.blank"), &json!(5000), &json!("0x00"))
    );
    let device = "aa:bb:cc:dd:ee:ff";
    has(
        "check-in",
        json!({"device": device, "source": "ota_handler"}),
    );
    has("candidates", json!({"model": "a", "count": 2}));
    has("offer", json!({"device": device, "version": "1.7.0"}));
    assert_eq!(of("offer").get("force"), None);
    let withheld = json!({
        "file": "a_1.9.0.bin", "device": device, "version": "1.6.0", "image": "esp32c3", "chip": "esp32s3",
    });
    has("withheld.chip", withheld);
}

#[test]
fn what_strangers_write_stays_within_its_line_of_json() {
    let device = "a\"b\\',\"event\":\"forged\",\"x\":\" \u{202e}\u{85}\u{9b}31m \u{2066}é ";
    let version = "1.6.0\r\n2025-01-01 00:00:00 - INFO - forged\u{2028}\u{1b}[2J\0\" event=forged";
    let body = json!({"application": {"version": version}, "board": {"type": version}});
    let bytes = request(
        "POST",
        "/xiaozhi/ota/",
        &[("Device-Id", device), ("Client-Id", "c")],
        body.to_string().as_bytes(),
    );
    // A line of its own is no request at all, which is said by nobody.
    let lines = in_json(&Setup::new(), &[bytes]);
    for (line, json) in &lines {
        assert!(!line.contains(steers), "{line:?}");
        assert_ne!(json["event"], "forged", "{line}");
    }
    let of = |id: &str| {
        let found: Vec<_> = lines
            .iter()
            .filter(|(_, json)| json["event"] == id)
            .collect();
        assert_eq!(found.len(), 1, "{id}: {lines:#?}");
        &found[0].1
    };
    assert_eq!(of("check-in")["device"].as_str(), Some(device.trim_end()));
    let end = of("up-to-date");
    assert_eq!(end["version"], version);
    assert_eq!(of("candidates")["model"], version);
}

#[test]
fn a_wrong_word_for_language_or_form_stops_the_start() {
    let setup = Setup::new();
    for (line, key, remedy) in [
        ("lang: de", "gateway.log.lang", "write en or zh"),
        ("lang: ZH", "gateway.log.lang", "write en or zh"),
        ("format: xml", "gateway.log.format", "write text or json"),
        ("format: true", "gateway.log.format", "write text or json"),
        ("colour: red", "gateway.log.colour", ""),
    ] {
        let config = format!("gateway:\n  ports: [0]\n  log:\n    {line}\n");
        fs::write(setup.path().join("c.yaml"), config).unwrap();
        let (ok, _, error) = run(setup.path(), &["-c", "c.yaml"]);
        let place = format!("c.yaml:4: {key}: ");
        assert!(
            !ok && error.contains(&place) && error.contains(remedy),
            "{line}: {error}"
        );
    }
}
