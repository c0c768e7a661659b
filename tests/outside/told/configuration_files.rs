//! Files that lie where the configuration should, what the voice server's own file holds,
//! and settings that both programs read in the same way.

use super::configuration::Reader;
use crate::command_line::run;
use crate::support::event::is;
use crate::support::server::{BINARY, Setup, post, request};
use crate::support::{Server, make_pipe};
use std::fs;
use std::process::Command;

/// The keys of xiaozhi-server's own `config.yaml`, and of `config_from_api.yaml`.
const UPSTREAM: &str = include_str!("upstream-keys.yaml");

#[test]
fn the_voice_servers_own_keys_stay_unmentioned() {
    let setup = Setup::new();
    fs::write(setup.path().join("data/.config.yaml"), UPSTREAM).unwrap();
    let (ok, text, error) = run(setup.path(), &["validate"]);
    assert!(ok, "{error}");
    let named: Vec<_> = text
        .lines()
        .filter(|line| line.contains(": warning: "))
        .collect();
    let is_address = |line: &&str| line.contains("warning: server.");
    assert!(named.iter().all(is_address), "{named:#?}");
    for line in &named {
        assert!(!line.contains("is not read"), "{line}");
    }
}

#[test]
fn a_file_that_is_nearly_called_right_is_named() {
    for name in [
        "data/config.yaml",
        "data/.config.yml",
        "data/.config.yaml.txt",
        "data/.Config.yaml",
        "data/.config.yaml.bak",
        "data/.config - 副本.yaml",
        "data/.confg.yaml",
        "data/.config.json",
        "data/.config copy.yaml",
        "data/.config (1).yaml",
        "data/.config.yaml.save",
        "data/.config.yaml - Copy",
        "data/.config.yaml.2026-01-31",
        "data/.config.yaml.gpg",
        "data/。config.yaml",
        ".config.yaml",
        ".config.yml",
        "config.yaml",
        "config.yml",
        "Data/.config.yaml",
        "date/.config.yaml",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "server: {}\n").unwrap();
        let (ok, text, error) = run(dir.path(), &["validate"]);
        let words = format!("{name} is not read");
        assert!(ok && text.contains(&words), "{words}: {text}{error}");
    }
    // Beside the right one, xiaozhi-server's own file is nobody's mistake; and another
    // program's is none either.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    fs::write(dir.path().join("config.json"), "{}\n").unwrap();
    let (ok, text, _) = run(dir.path(), &["validate"]);
    assert!(ok && !text.contains("is not read"), "{text}");
    fs::write(dir.path().join("data/.config.yaml"), "server: {}\n").unwrap();
    fs::write(dir.path().join("config.yaml"), "server: {}\n").unwrap();
    let (ok, text, _) = run(dir.path(), &["validate"]);
    assert!(ok && !text.contains("is not read"), "{text}");
    // One that is named on the command line, too.
    fs::write(dir.path().join("ota.yml"), "server: {}\n").unwrap();
    let (ok, _, error) = run(dir.path(), &["validate", "-c", "ota.yaml"]);
    assert!(
        !ok && error.contains("ota.yaml: cannot be read") && error.contains("is it ota.yml"),
        "{error}"
    );
}

/// A wrong file must not look like one without settings, which lets everybody in.
#[test]
fn a_file_without_a_key_that_anybody_reads_is_named_and_not_taken_up() {
    let reader = Reader::start();
    for (text, place) in [
        ("foo: 1\nbar: {server: x}\n", ":1"),
        ("# x\n\ninfluxdb: {}\n", ":3"),
        ("names: [a.b]\n", ":1"),
        ("# x\n", ""),
    ] {
        let said = reader.read(text.as_bytes());
        let place = format!("data/.config.yaml{place}: ");
        let found = said.iter().any(|said| {
            is(said, "config.refused", &[("what", "config.emptied")]) && said.contains(&place)
        });
        assert!(found, "{text:?}: {said:#?}");
    }
    let setup = Setup::new();
    fs::write(setup.path().join("data/.config.yaml"), "foo: 1\n").unwrap();
    let (ok, text, _) = run(setup.path(), &["validate"]);
    assert!(
        ok && text.contains(":1: warning: none of the keys"),
        "{text}"
    );
    for text in [
        "selected_module: {LLM: x}\n",
        "LLM: {}\n",
        "wakeup_words: []\n",
    ] {
        let said = reader.read(text.as_bytes());
        let refused = said.iter().any(|said| is(said, "config.refused", &[]));
        assert!(!refused, "{text:?}: {said:#?}");
    }
}

#[test]
fn bytes_that_are_no_text_are_named_as_what_they_are() {
    let reader = Reader::start();
    let padded = |bytes: &[u8]| {
        let noise = (0..200_u8).map(|n| n.wrapping_mul(151) | 1);
        bytes.iter().copied().chain(noise).collect::<Vec<u8>>()
    };
    let mut archive = padded(b".config.yaml");
    archive.resize(257, 0);
    archive.extend(b"ustar\x0000");
    for (bytes, id, words) in [
        (padded(b"\x85\x01\x0c\x03"), "config.shut", "gpg --output"),
        (padded(b"\x8c\x0d\x04\x09"), "config.shut", "gpg --output"),
        (padded(b"\xc3\x2e\x06"), "config.shut", "gpg --output"),
        (padded(b"\xa3\x01"), "config.shut", "gpg --output"),
        (padded(b"Salted__"), "config.shut", "openssl enc -d"),
        (padded(b"\x1f\x8b\x08"), "config.shut", "gunzip"),
        (padded(b"\xfd7zXZ\0"), "config.shut", "unxz"),
        (padded(b"\x28\xb5\x2f\xfd"), "config.shut", "unzstd"),
        (padded(b"\x04\x22\x4d\x18"), "config.shut", "unlz4"),
        (padded(b"7z\xbc\xaf\x27\x1c"), "config.shut", "7z x "),
        (padded(b"PK\x03\x04"), "config.shut", "unzip"),
        (padded(b"Rar!\x1a\x07"), "config.shut", "unrar"),
        (archive, "config.shut", "tar -xf"),
        (padded(b"\xff\xd8\xff\xe0"), "config.other-format", "binary"),
        (padded(b"scrypt\0\x0e"), "config.other-format", "binary"),
        (padded(b"b0VIM 8.2\0"), "config.other-format", "vim -r"),
    ] {
        let said = reader.read(&bytes);
        let found = said
            .iter()
            .any(|said| is(said, "config.refused", &[("what", id)]) && said.contains(words));
        assert!(found, "{id}: {words}: {said:#?}");
    }
}

/// The configuration is refused before anybody knows which language it names.
#[test]
fn a_refusal_is_said_in_the_language_of_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("c.yaml"), "server:\n  http_port=8003\n").unwrap();
    for (locale, words) in [
        ("zh_CN.UTF-8", "c.yaml:2：server：键后面没有冒号"),
        ("en_US.UTF-8", "c.yaml:2: server: no colon stands"),
        ("zh_CN.GB18030", "c.yaml:2: server: no colon stands"),
    ] {
        for arguments in [&["validate", "c.yaml"][..], &["-c", "c.yaml"]] {
            let mut command = Command::new(BINARY);
            command.current_dir(dir.path()).args(arguments);
            let output = command.env("LC_ALL", locale).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.starts_with(words), "{locale}: {said}");
        }
    }
}

/// What the file asks for goes before the environment, as far as it can be read.
#[test]
fn a_refusal_is_said_in_the_language_that_the_file_asks_for() {
    let zh = "gateway: {log: {lang: zh}, ip: 127.0.0.1, ports: [0]}\n";
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let in_use = zh.replace("[0]", &format!("[{port}]"));
    for (yaml, arguments, ok, words) in [
        (
            zh.replace("[0]", "[99999]"),
            &["validate"][..],
            false,
            ":1：gateway.ports[0]：",
        ),
        (
            zh.replace("[0]", "[99999]"),
            &[],
            false,
            ":1：gateway.ports[0]：",
        ),
        (
            zh.replace("lang: zh", "lang: zh, x"),
            &[],
            false,
            ":1：gateway.log.x：",
        ),
        (zh.replace("[0]", "[1"), &[], false, ":1：不是 YAML"),
        (
            zh.replace("127.0.0.1", "192.0.2.99"),
            &["validate"],
            false,
            ":1：gateway.ip：无法监听",
        ),
        (
            zh.replace("127.0.0.1", "192.0.2.99"),
            &[],
            false,
            ":1：gateway.ip：无法监听",
        ),
        (in_use, &[], false, "错误：无法监听 127.0.0.1:"),
        (
            zh.replace("}\n", ", tls: {certificates: [{cert: a, key: b}]}}\n"),
            &[],
            false,
            "：无法读取",
        ),
        (zh.to_owned(), &["validate"], true, "：正确\n  OTA 地址"),
        (
            format!("gatway: {{}}\n{zh}"),
            &["validate"],
            true,
            ":1：警告：gatway：",
        ),
    ] {
        let setup = Setup::new();
        fs::write(setup.path().join("data/.config.yaml"), &yaml).unwrap();
        let (is_ok, text, error) = run(setup.path(), arguments);
        assert!(
            is_ok == ok && (text + &error).contains(words),
            "{yaml}: {words}: {error}"
        );
    }
}

/// What `validate` calls good has to start.
#[test]
fn what_would_stop_the_start_here_is_no_good_configuration() {
    for (yaml, lay, words) in [
        (
            "server: {ip: 192.0.2.99}\n",
            "",
            ":1: server.ip: cannot listen: this machine has no",
        ),
        (
            "gateway:\n  firmware: {dir: f}\n",
            "f",
            ":2: gateway.firmware.dir: ",
        ),
        ("log:\n  log_dir: f\n", "f", ": log.log_file: "),
    ] {
        let setup = Setup::new();
        fs::write(setup.path().join("data/.config.yaml"), yaml).unwrap();
        if !lay.is_empty() {
            fs::write(setup.path().join(lay), "").unwrap();
        }
        let (ok, text, error) = run(setup.path(), &["validate"]);
        assert!(!ok && error.contains(words), "{yaml}: {text}{error}");
        let (ok, _, _) = run(setup.path(), &[]);
        assert!(!ok, "{yaml}");
    }
}

#[test]
fn a_pin_whose_model_is_misspelt_holds_nobody_and_is_named() {
    let files = ["esp32s3_1.6.6.bin", "esp32s3_1.7.0.bin"];
    let server = Server::start("", &files);
    for (pin, id, words) in [
        ("{Esp32S3: 1.6.6}", "pin.near", "write esp32s3: 1.6.6"),
        ("{'esp32s3 ': 1.6.6}", "pin.near", "model \"esp32s3 \""),
        ("{esp32s3: 1.6.5}", "pin.missing", "version 1.6.5"),
    ] {
        server.configure(&format!("gateway:\n  firmware: {{pin: {pin}}}\n"));
        server.reload();
        // The audit comes behind what became of the file.
        server.event(id, &[("message", words)]);
        let (ok, text, _) = run(server.dir.path(), &["validate"]);
        assert!(ok && text.contains(words), "{pin}: {text}");
    }
}

#[test]
fn what_is_no_file_is_named_as_what_it_is() {
    let server = Server::start("gateway:\n  ip: 127.0.0.1\n  ports: [0]\n", &[]);
    let file = server.config_file();
    let refused = |id: &str| {
        let said = server.reload();
        let found = said
            .iter()
            .any(|line| is(line, "config.refused", &[("what", id)]));
        assert!(found, "{id}: {said:#?}");
    };
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused("config.folder");
    fs::remove_dir(&file).unwrap();
    std::os::unix::fs::symlink("gone.yaml", &file).unwrap();
    refused("config.dead-link");
    fs::remove_file(&file).unwrap();
    make_pipe(&file);
    refused("config.unreadable");
    fs::remove_file(&file).unwrap();
    fs::write(&file, "").unwrap();
    refused("config.emptied");
}

#[test]
fn a_time_zone_that_is_not_known_is_named() {
    for (zone, id) in [
        ("Asia/Beijing", "config.unknown-zone"),
        ("CST", "config.unknown-zone"),
        ("UTC+8", "config.reversed-zone"),
    ] {
        let mut command = Command::new(BINARY);
        command.env("TZ", zone);
        let server =
            Setup::new().start_by("gateway:\n  ip: 127.0.0.1\n  ports: [0]\n", &mut command);
        server.event(id, &[("key", "TZ: "), ("value", zone)]);
    }
    for zone in ["UTC", "CST-8", "UTC-8", ""] {
        let mut command = Command::new(BINARY);
        command.env("TZ", zone);
        let server =
            Setup::new().start_by("gateway:\n  ip: 127.0.0.1\n  ports: [0]\n", &mut command);
        let said = server.events("config.unknown-zone", &[]).len()
            + server.events("config.reversed-zone", &[]).len();
        assert_eq!(said, 0, "{zone}");
    }
}

#[test]
fn tokens_are_enabled_as_the_voice_server_takes_it() {
    let token = |enabled: &str| {
        let server = Server::start(
            &format!("server:\n  auth_key: k3y-of-this-test\n  auth:\n    enabled: {enabled}\n"),
            &[],
        );
        let reply = server.check_in("x", "1").json();
        let given = reply["websocket"]["token"] != "";
        let warned = ["config.quoted-boolean", "config.boolean-spelling"];
        let warned = warned.iter().any(|id| {
            !server
                .events(id, &[("key", "server.auth.enabled: ")])
                .is_empty()
        });
        (given, warned)
    };
    for (enabled, expected) in [
        ("\"false\"", (true, true)),
        ("\"0\"", (true, true)),
        ("'no'", (true, true)),
        ("maybe", (true, true)),
        ("2", (true, true)),
        ("[false]", (true, true)),
        ("{a: b}", (true, true)),
        ("true", (true, false)),
        ("1", (true, false)),
        ("false", (false, false)),
        ("0", (false, false)),
        ("null", (false, false)),
        ("[]", (false, false)),
        ("{}", (false, false)),
        ("''", (false, false)),
    ] {
        assert_eq!(token(enabled), expected, "{enabled}");
    }
}

#[test]
fn a_voice_server_is_taken_as_devices_have_it() {
    let reader = Reader::start();
    for address in [
        "ws://127.0.0.1:8000",
        "WS://127.0.0.1:8000/xiaozhi/v1/",
        "127.0.0.1:8000",
        "http://127.0.0.1:8000/xiaozhi/v1",
    ] {
        let yaml = format!(
            "gateway:\n  ip: 127.0.0.1\n  ports: [0]\n  proxy: {{websocket: '{address}'}}\n"
        );
        let said = reader.read(yaml.as_bytes());
        assert!(
            !said.iter().any(|line| line.contains("config.refused")),
            "{address}: {said:#?}"
        );
        let setup = Setup::new();
        fs::write(setup.path().join("data/.config.yaml"), &yaml).unwrap();
        let (_, text, _) = run(setup.path(), &["validate"]);
        assert!(text.contains("http://127.0.0.1:8000"), "{address}: {text}");
    }
}

#[test]
fn a_body_is_read_in_the_character_set_that_it_names() {
    let server = Server::start("", &["小智_2.0.bin"]);
    let body = r#"{"application":{"version":"1.0"},"board":{"type":"小智"}}"#;
    let gbk = {
        let (before, after) = body.split_once("小智").unwrap();
        [before.as_bytes(), b"\xd0\xa1\xd6\xc7", after.as_bytes()].concat()
    };
    let utf16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (charset, body) in [
        ("gbk", &gbk[..]),
        ("utf-16", &utf16),
        ("UTF-8", body.as_bytes()),
        ("nonsense", body.as_bytes()),
    ] {
        let media_type = format!("application/json; charset={charset}");
        let headers = [
            ("Device-Id", "aa:bb:cc:dd:ee:ff"),
            ("Client-Id", "x"),
            ("Content-Type", media_type.as_str()),
        ];
        let reply = server.send("http", &request("POST", "/xiaozhi/ota/", &headers, body));
        assert_eq!(reply.firmware().0, "2.0", "{charset}");
    }
    // A byte order mark in front costs nothing.
    let marked = format!("\u{feff}{body}");
    assert_eq!(
        server
            .send("http", &post("/xiaozhi/ota/", marked.as_bytes()))
            .firmware()
            .0,
        "2.0"
    );
}
