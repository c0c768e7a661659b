//! The commands that ask a running server about its devices, as an operator meets them: what
//! they say in both languages, and what they say where they cannot ask.

mod documents;

use super::support::server::{BINARY, Setup, request, without_privilege};
use super::support::{Reserved, Server, until};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use xiaozhi_image_builder::Image;

const GOOD: &str = "02:00:00:00:00:01";
const BACK: &str = "02:00:00:00:00:02";
const DEAD: &str = "02:00:00:00:00:03";
const FILE: &str = "esp32s3_1.7.0.bin";
/// A token that may look only.
const READER: &str = "reader-reader-reader";

/// What a command came to.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn done(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        assert_eq!(self.err, "");
        self.out
    }

    #[track_caller]
    fn is_refused(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        for word in words {
            assert!(self.err.contains(word), "{word}: {}", self.err);
        }
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
    }
}

fn run(mut command: Command, dir: &Path, arguments: &[&str]) -> Said {
    let command = command.current_dir(dir).env_remove("COLUMNS");
    let output = command.env("LC_ALL", "C.UTF-8").args(arguments).output();
    let output = output.unwrap();
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Asks a server where it listens.
fn ask(server: &Server, arguments: &[&str]) -> Said {
    let address = format!("http://{}", server.admin_address());
    let arguments = [arguments, &["--server", &address]].concat();
    run(Command::new(BINARY), server.dir.path(), &arguments)
}

fn started() -> Server {
    let setup = Setup::new().file(FILE, Image::new("1.7.0").build());
    fs::write(setup.path().join("reader"), format!("{READER}\n")).unwrap();
    setup.start(
        "gateway:\n  fleet: {silent_after: 5s}\n  admin:\n    listen: 0\n    \
         tokens: [{name: dashboard, role: read, token_file: reader}]\n",
    )
}

/// A check-in; returns the path of the image that it is offered.
fn check_in(server: &Server, device: &str, board: &str, image: &Image) -> Option<String> {
    let body = json!({
        "application": {"name": "xiaozhi", "version": image.version, "elf_sha256": image.elf_hex()},
        "board": {"type": board, "name": board},
        "chip_model_name": "esp32s3",
    });
    let headers = [("Device-Id", device), ("Client-Id", "c")];
    let body = body.to_string();
    let reply = server.send(
        "http",
        &request("POST", "/xiaozhi/ota/", &headers, body.as_bytes()),
    );
    assert_eq!(reply.status, 200);
    // The token in the address ties the download to the device.
    let json = reply.whole_json();
    let url = json["firmware"]["url"]
        .as_str()
        .filter(|url| !url.is_empty());
    url.map(|url| format!("/{}", url.splitn(4, '/').nth(3).unwrap()))
}

fn end(server: &Server, device: &str) -> Value {
    let path = format!("/api/v1/devices/{device}");
    server.admin_json("GET", &path, "").1["offers"][0]["end"].clone()
}

/// A device that takes what it is offered.
#[track_caller]
fn fetch(server: &Server, device: &str) {
    let path = check_in(server, device, "esp32s3", &Image::new("1.6.0")).unwrap();
    assert_eq!(server.get(&path).status, 200);
    let what = format!("{device} has it");
    until(&what, || (end(server, device) == "fetched").then_some(()));
}

/// With one good device, one that was rolled back for good, and one that is silent.
fn with_three() -> Server {
    let server = started();
    fetch(&server, DEAD);
    fetch(&server, GOOD);
    assert!(check_in(&server, GOOD, "esp32s3", &Image::new("1.7.0")).is_none());
    for _ in 0..2 {
        fetch(&server, BACK);
        check_in(&server, BACK, "esp32s3", &Image::new("1.6.0"));
        if end(&server, BACK) == "rolled-back" {
            break;
        }
    }
    until("silence", || (end(&server, DEAD) == "silent").then_some(()));
    server
}

#[test]
fn three_devices_and_what_became_of_each() {
    let server = with_three();
    let english = [
        (
            "fleet",
            vec![
                "devices: 3;",
                "esp32s3",
                "1.7.0 (1)",
                "rolled back",
                "silent",
                "succeeded",
                "esp32s3_1.7.0.bin failed on 2 devices",
                BACK,
                DEAD,
            ],
        ),
        (
            "devices",
            vec![
                GOOD,
                BACK,
                DEAD,
                "succeeded",
                "silent",
                FILE,
                "held back: failed",
            ],
        ),
    ];
    for (command, words) in english {
        let said = ask(&server, &[command]).done();
        for word in words {
            assert!(said.contains(word), "{command}: {word}: {said}");
        }
        assert!(said.lines().count() <= 24);
    }
    for (device, en, zh) in [
        (GOOD, "the device runs it", "设备已在运行它"),
        (BACK, "the new image did not run", "新固件未能运行"),
        (DEAD, "did not come back in time", "没有按时回来"),
    ] {
        for spelt in [
            device.to_owned(),
            device.replace(':', "-"),
            device.replace(':', ""),
        ] {
            let said = ask(&server, &["device", &spelt]).done();
            assert!(said.contains(en) && said.contains(FILE), "{said}");
        }
        let said = ask(&server, &["device", device, "--lang", "zh"]).done();
        assert!(said.contains(zh) && said.contains("最近签到"), "{said}");
    }
    let said = ask(&server, &["device", BACK]).done();
    let retry = format!("xiaozhi-ota retry {BACK} {FILE}");
    assert!(said.contains(&retry) && said.contains("2 times"), "{said}");
    let said = ask(&server, &["fleet", "--lang", "zh"]).done();
    assert!(
        said.contains("已回退") && said.contains("需要查看"),
        "{said}"
    );
    // The failures come first.
    let place = |word: &str| said.find(word).unwrap();
    assert!(place("已回退") < place("失联") && place("失联") < place("成功"));
    let said = ask(&server, &["devices", "--lang", "zh", "--end", "silent"]).done();
    assert!(said.contains(DEAD) && !said.contains(GOOD), "{said}");

    // What failed twice comes again when an operator says so.
    let old = Image::new("1.6.0");
    assert!(check_in(&server, BACK, "esp32s3", &old).is_none());
    let said = ask(&server, &["retry", BACK, FILE]).done();
    assert!(said.contains(BACK) && said.contains(FILE), "{said}");
    let said = ask(&server, &["device", BACK]).done();
    let ordered = format!("another try of {FILE} at ");
    assert!(
        said.contains(&ordered) && !said.contains("no more"),
        "{said}"
    );
    assert!(check_in(&server, BACK, "esp32s3", &old).is_some());
    // What failed once would come again anyway.
    let said = ask(&server, &["retry", DEAD]).done();
    assert!(said.contains("failed once"), "{said}");
    let said = ask(&server, &["device", DEAD]).done();
    assert!(said.contains("another try of all that failed"), "{said}");
    let said = ask(&server, &["retry", DEAD]).done();
    assert!(said.contains("nothing was changed"), "{said}");
    assert!(check_in(&server, DEAD, "esp32s3", &old).is_some());
    let said = ask(&server, &["device", DEAD]).done();
    assert!(!said.contains("another try"), "{said}");
    let said = ask(&server, &["retry", GOOD, "--lang", "zh"]).done();
    assert!(said.contains("什么也没有改变"), "{said}");
    let said = ask(&server, &["forget", BACK, "--json"]).done();
    assert_eq!(said, "{\"forgotten\":true}\n");
    ask(&server, &["device", BACK]).is_refused(1, &[BACK, "forgotten"]);
}

#[test]
fn what_was_silent_twice_is_given_up_before_it_comes_again() {
    let server = started();
    for time in 1..=2 {
        fetch(&server, DEAD);
        until("silence", || (end(&server, DEAD) == "silent").then_some(()));
        let said = ask(&server, &["device", DEAD]).done();
        let retry = format!(
            "{FILE} is offered to it no more; to try again: xiaozhi-ota retry {DEAD} {FILE}"
        );
        assert_eq!(said.contains(&retry), time == 2, "{said}");
        assert_eq!(said.contains("once more"), time == 1, "{said}");
        for command in ["fleet", "devices"] {
            let said = ask(&server, &[command]).done();
            assert_eq!(said.contains("silent, given up"), time == 2, "{said}");
        }
    }
}

#[test]
fn json_is_the_servers_own() {
    let server = started();
    for number in 0..3 {
        check_in(
            &server,
            &format!("02:00:00:00:01:0{number}"),
            "b",
            &Image::new("1.6.0"),
        );
    }
    for (command, path) in [
        ("fleet", "/api/v1/fleet"),
        ("devices", "/api/v1/devices"),
        ("device 020000000101", "/api/v1/devices/02:00:00:00:01:01"),
        ("devices --limit 2", "/api/v1/devices?limit=2"),
        ("devices --q none", "/api/v1/devices?q=none"),
    ] {
        let words: Vec<_> = command.split(' ').chain(["--json"]).collect();
        let said = ask(&server, &words).done();
        let json: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(json, server.admin_json("GET", path, "").1, "{command}");
    }
    // A reader that has enough is no fault, and pages go on by themselves.
    let said = ask(&server, &["devices", "--q", "none"]).done();
    assert_eq!(said, "No device is like that.\n");
}

#[test]
fn what_devices_say_is_inert() {
    let server = started();
    let boards = [
        "=HYPERLINK(\"http://evil.example\",\"x\")",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "a\u{1b}[2J\u{202e}b",
        "a\nb, c",
    ];
    for (number, board) in boards.iter().enumerate() {
        let device = format!("02:00:00:00:02:0{number}");
        check_in(&server, &device, board, &Image::new("1.6.0"));
    }
    check_in(&server, "=1/..?\u{202e}", "b", &Image::new("1.6.0"));
    let said = ask(&server, &["fleet"]).done();
    assert!(said.contains("besides 1 that have no MAC"), "{said}");
    let csv = ask(&server, &["devices", "--csv"]).done();
    let rows = read_csv(&csv);
    assert_eq!(rows[0][..3], ["mac", "client_id", "board_name"]);
    assert!(
        rows.iter().all(|row| row.len() == rows[0].len()),
        "{rows:?}"
    );
    for (row, board) in rows[1..].iter().zip(boards) {
        let expected = match board.chars().next().unwrap() {
            'a' => board
                .replace('\u{1b}', "\\u{1b}")
                .replace('\u{202e}', "\\u{202e}"),
            _ => format!("'{board}"),
        };
        assert_eq!(row[2], expected);
    }
    for words in [
        vec!["devices"],
        vec!["fleet"],
        vec!["fleet", "--json"],
        vec!["devices", "--json"],
        vec!["device", "02:00:00:00:02:06"],
        vec!["device", "02:00:00:00:02:06", "--lang", "zh"],
        vec!["devices", "--q", "\u{1b}"],
    ] {
        let said = ask(&server, &words).done();
        let is_odd = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!said.contains(is_odd), "{words:?}: {said:?}");
    }
    let said = ask(&server, &["devices"]).done();
    let lines = said.lines().filter(|line| line.starts_with("02:")).count();
    assert_eq!(lines, boards.len(), "{said}");
    // An id that is no MAC address is asked for as it was sent.
    let said = ask(&server, &["device", "=1/..?\u{202e}"]).done();
    assert!(said.starts_with("=1/..?\\u{202e}\n"), "{said}");
}

/// Reads CSV as RFC 4180 has it.
fn read_csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut is_quoted, mut chars) = (false, text.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !is_quoted => {
                assert_eq!(chars.next(), Some('\n'));
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(!is_quoted && row.is_empty() && cell.is_empty(), "{text}");
    rows
}

#[test]
fn the_configuration_says_whom_to_ask() {
    let server = started();
    let dir = server.dir.path();
    let config = |name: &str, listen: &str, more: &str| {
        let text = format!("gateway:\n  admin: {{listen: '{listen}'}}\n{more}");
        fs::write(dir.join(name), text).unwrap();
    };
    let asked = |name: &str, words: &[&str]| {
        let words = [&["--config", name], words].concat();
        run(Command::new(BINARY), dir, &words)
    };
    let address = server.admin_address().to_string();
    config("here.yaml", &address, "");
    let said = asked("here.yaml", &["fleet"]).done();
    assert!(said.starts_with("No device has checked in yet"), "{said}");
    config("zh.yaml", &address, "  log: {lang: zh}\n");
    let said = asked("zh.yaml", &["fleet"]).done();
    assert!(said.starts_with("还没有设备签到过"), "{said}");
    asked("zh.yaml", &["device", GOOD]).is_refused(1, &["没有设备", GOOD]);
    let said = asked("zh.yaml", &["devices", "--lang", "en"]).done();
    assert!(said.starts_with("No device"), "{said}");

    config("off.yaml", "off", "");
    asked("off.yaml", &["fleet"]).is_refused(2, &["gateway.admin.listen is off"]);
    asked("off.yaml", &["fleet", "--lang", "zh"]).is_refused(2, &["gateway.admin.listen 为 off"]);
    asked("here.yaml", &["health"]).done();
    // Where the kernel chose the port, the log alone has it.
    config("any.yaml", "127.0.0.1:0", "");
    asked("any.yaml", &["fleet"]).is_refused(2, &["admin.listening", "--server"]);
    let nobody = Reserved::new();
    config("gone.yaml", &format!("127.0.0.1:{}", nobody.port()), "");
    for command in [
        &["fleet"][..],
        &["device", GOOD],
        &["retry", GOOD],
        &["forget", GOOD],
    ] {
        let words = [command, &["--lang", "en"]].concat();
        let said = asked("gone.yaml", &words);
        said.is_refused(2, &["does not answer", "is the server running"]);
    }
    config("bad.yaml", "nonsense", "");
    let said = asked("bad.yaml", &["devices"]);
    assert!(
        said.code == 2 && said.err.contains("bad.yaml:2"),
        "{}",
        said.err
    );
    // The devices' port is shown no token.
    let devices = format!("127.0.0.1:{}", server.ports[0]);
    config("devices.yaml", &devices, "  ports: [1]\n");
    asked("devices.yaml", &["fleet"]).is_refused(2, &[&devices, "was shown no token"]);
    server.settle();
    assert_eq!(server.count_lines(&server.admin_token()), 0);
}

#[test]
fn a_token_that_does_not_do_is_named_with_its_file() {
    let server = started();
    check_in(&server, GOOD, "esp32s3", &Image::new("1.6.0"));
    let file = |name: &str, token: &str| fs::write(server.dir.path().join(name), token).unwrap();
    file("wrong", "wrong-wrong-wrong-wrong\n");
    file("two", "one-one-one-one-one\ntwo\n");
    let with =
        |name: &str, words: &[&str]| ask(&server, &[words, &["--token-file", name]].concat());
    with("wrong", &["fleet"]).is_refused(1, &["does not know the token in", "/wrong"]);
    with("two", &["fleet"]).is_refused(2, &["/two", "one token"]);
    with("none", &["fleet"]).is_refused(2, &["/none"]);
    for words in [&["fleet"][..], &["devices"], &["device", GOOD]] {
        with("reader", words).done();
    }
    for words in [&["retry", GOOD][..], &["forget", GOOD]] {
        with("reader", words).is_refused(1, &["/reader", "may look only", "operate"]);
        let said = with("reader", &[words, &["--lang", "zh"]].concat());
        said.is_refused(1, &["/reader", "只能查看"]);
        let said = with("reader", &[words, &["--json"]].concat());
        let json: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(json["error"]["id"], "forbidden");
    }
    with("reader", &["device", GOOD]).done();

    // Another user's token.
    let own = server.dir.path().join("data/state/admin.token");
    fs::set_permissions(&own, fs::Permissions::from_mode(0o0)).unwrap();
    let address = format!("http://{}", server.admin_address());
    let words = ["fleet", "--server", &address];
    let said = run(without_privilege(), server.dir.path(), &words);
    said.is_refused(2, &["admin.token", "sudo", "docker exec"]);
    fs::remove_file(own).unwrap();
    ask(&server, &["fleet"]).is_refused(2, &["admin.token", "first start"]);
}

#[test]
fn what_is_not_known_is_said_with_what_is_near() {
    let server = started();
    check_in(&server, GOOD, "esp32s3", &Image::new("1.6.0"));
    for slip in ["02:00:00:00:00:10", "12:00:00:00:00:01", "0200000000"] {
        for words in [&["device", slip][..], &["retry", slip], &["forget", slip]] {
            ask(&server, words).is_refused(1, &[slip, GOOD]);
        }
    }
    let said = ask(&server, &["device", "ff:ff:ff:ff:ff:ff"]);
    said.is_refused(1, &["there is no device ff:ff:ff:ff:ff:ff"]);
    assert!(!said.err.contains(GOOD), "{}", said.err);
    ask(&server, &["retry", GOOD, "other_1.0.0.bin"]).is_refused(1, &["other_1.0.0.bin", FILE]);
    let said = ask(&server, &["devices", "--seen-since", "yesterday"]);
    said.is_refused(1, &["seen_since", "7d"]);
    for words in [
        &["device", ""][..],
        &["device"],
        &["devices", "--end", "bad"],
        &["devices", "--csv", "--json"],
        &["devices", "--limit", "0"],
    ] {
        assert_eq!(ask(&server, words).code, 2, "{words:?}");
    }
}

#[test]
fn a_server_of_another_address_is_named() {
    let server = Setup::new().start("gateway:\n  admin: {listen: '0.0.0.0:0'}\n");
    let port = server.admin_address().port();
    let ask = |address: &str| {
        let words = ["fleet", "--server", address];
        run(Command::new(BINARY), server.dir.path(), &words)
    };
    // This machine's own certificate need not be anybody's.
    ask(&format!("https://127.0.0.1:{port}")).done();
    ask(&format!("https://localhost:{port}/")).done();
    ask(&format!("http://127.0.0.1:{port}")).is_refused(2, &["takes TLS only", "https://"]);
    ask("http://192.0.2.1:8009").is_refused(2, &["192.0.2.1:8009", "in clear"]);
    ask("https://192.0.2.1:8009").is_refused(2, &["another machine", "--token-file"]);
    ask("nonsense").is_refused(2, &["--server nonsense", "http://127.0.0.1:8009"]);
}

#[test]
fn a_page_goes_on_where_the_last_one_ended() {
    let server = started();
    for number in 0..1003 {
        let device = format!("02:00:00:00:{:02x}:{:02x}", number >> 8, number & 0xff);
        check_in(&server, &device, "b", &Image::new("1.6.0"));
    }
    let count = |words: &[&str]| ask(&server, words).done().lines().count();
    assert_eq!(count(&["devices", "--csv"]), 1004);
    assert_eq!(count(&["devices"]), 1004);
    assert_eq!(count(&["devices", "--limit", "1001"]), 1002);
    let json = ask(&server, &["devices", "--json"]).done();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["devices"].as_array().unwrap().len(), 1003);
    assert!(json["next"].is_null());
}
