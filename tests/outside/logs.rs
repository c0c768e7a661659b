//! What the operator reads, in the guide's words.

use super::command_line::run;
use super::support::process::Process;
use super::support::server::{BINARY, PATIENT, Setup, check_in, exchange, post};
use super::support::{Server, make_pipe, until};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn the_guides_lines_in_its_words() {
    let server = Server::start(
        "server: {vision_explain: 'http://yourdomain.com:8003/mcp/vision/explain'}\n",
        &["esp32s3_1.6.6.bin"],
    );
    server.check_in("esp32s3", "1.6.0");
    server.check_in("esp32s3", "1.6.6");
    for words in [
        "OTA请求设备ID: aa:bb:cc:dd:ee:ff",
        "查找型号 esp32s3 的固件，找到 1 个候选",
        "为设备 aa:bb:cc:dd:ee:ff 下发固件 1.6.6 [如果地址前缀有误，请检查配置文件中的server.vision_explain]-> http://yourdomain.com:8003/xiaozhi/ota/download/esp32s3_1.6.6.bin",
        "设备 aa:bb:cc:dd:ee:ff 固件已是最新: 1.6.6",
    ] {
        let line = server.line(words);
        let (time, rest) = line.split_at(19);
        assert_eq!(rest, format!(" - INFO - [ota_handler] - {words}"), "{line}");
        jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time).unwrap();
    }
    assert_eq!(server.count_lines("check-in reported"), 0);
}

#[test]
fn at_debug_everything_that_was_reported() {
    let server = Server::start("log: {log_level: DEBUG}\n", &[]);
    let body = r#"{"application":{"version":"1.6.0"},"board":{"type":"esp32s3","ssid":"home
2025-01-01 00:00:00 - INFO - forged"}}"#;
    server.send("http", &post("/xiaozhi/ota/", body.as_bytes()));
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
}

#[test]
fn the_file_says_what_the_console_says() {
    let server = Server::start("log: {log_dir: logs, log_file: ota.log}\n", &[]);
    server.send("http", &check_in("esp32s3", "1.6.0"));
    server.line("固件已是最新");
    let path = server.dir.path().join("logs/ota.log");
    until("the line in the file", || {
        fs::read_to_string(&path)
            .ok()
            .filter(|text| text.contains("固件已是最新"))
    });
    // Rotated away: a new file begins.
    fs::rename(&path, server.dir.path().join("logs/ota.log.1")).unwrap();
    server.send("http", &check_in("esp32s3", "1.6.1"));
    until("the line in the new file", || {
        fs::read_to_string(&path)
            .ok()
            .filter(|text| text.contains("1.6.1"))
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
    while !line.contains("视觉分析接口是") {
        line.clear();
        assert_ne!(console.read_line(&mut line).unwrap(), 0);
        if line.contains("listening, ") {
            port = line
                .trim()
                .rsplit(':')
                .next()
                .map(|p| p.parse::<u16>().unwrap());
        }
    }
    // From here on nobody reads it. Each check-in logs its body; together they
    // are far more than the pipe and the log's memory hold.
    let mut stream = TcpStream::connect(("127.0.0.1", port.unwrap())).unwrap();
    let body = format!("{{\"x\":\"{}\"}}", "y".repeat(4000));
    let path = setup.path().join("logs/ota.log");
    let count = || {
        fs::read_to_string(&path)
            .unwrap()
            .matches("check-in reported")
            .count()
    };
    for number in 1..=2500 {
        assert_eq!(
            exchange(&mut stream, &post("/xiaozhi/ota/", body.as_bytes())).status,
            200
        );
        // The file is not held up by the console either. (It may lose lines where
        // more of them wait than its memory holds, which a slow disk can cause.)
        if number % 500 == 0 {
            until("every line in the file", || {
                (count() == number).then_some(())
            });
        }
    }
    // Read again, the console says how much it missed.
    let told = console
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("log lines were dropped"));
    let dropped = told
        .unwrap()
        .rsplit('=')
        .next()
        .unwrap()
        .parse::<u64>()
        .unwrap();
    assert!(dropped > 0);
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
    assert!(String::from_utf8_lossy(&output.stderr).contains("log.log_file: logs/server.log"));
}
