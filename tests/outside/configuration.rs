//! What an operator wrote never falls away in silence, and no address that
//! restarts or mutes devices is handed out.

use super::command_line::run;
use super::support::server::{BINARY, Setup};
use super::support::{Server, make_pipe};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

/// What `validate` and the start say of a configuration, which both refuse.
fn refused(yaml: &str) -> String {
    let setup = Setup::new();
    fs::write(setup.path().join("data/.config.yaml"), yaml).unwrap();
    let (valid, out, error) = run(setup.path(), &["validate"]);
    assert!(!valid, "{yaml}: {out}");
    let start = Command::new(BINARY).current_dir(setup.path()).output();
    let start = start.unwrap();
    // Which the systemd unit does not start again.
    assert_eq!(start.status.code(), Some(78), "{yaml}");
    assert_eq!(error, String::from_utf8_lossy(&start.stderr), "{yaml}");
    error
}

#[test]
fn an_address_that_restarts_or_mutes_devices_stops_the_start() {
    for (key, address, part, effect) in [
        (
            "mqtt_gateway",
            "mqtt://192.168.1.7:1883",
            "//192.168.1.7:1883",
            "abort",
        ),
        ("mqtt_gateway", "[fd00::7]:1883", "[fd00::7]:1883", "abort"),
        (
            "mqtt_gateway",
            "192.168.1.7:",
            "nothing stands there",
            "abort",
        ),
        ("mqtt_gateway", "192.168.1.7:1883/", "1883/", "mute"),
        ("mqtt_gateway", "192.168.1.7:80000", "80000", "mute"),
        ("mqtt_gateway", "192.168.1.7：1883", "：", "mute"),
        (
            "websocket",
            "ws://192.168.1.4:端口号/xiaozhi/v1/",
            "端口号",
            "abort",
        ),
        (
            "websocket",
            "ws://192.168.1.4:/xiaozhi/v1/",
            "nothing stands there",
            "abort",
        ),
        (
            "websocket",
            "ws://[fd00::7]:8000/xiaozhi/v1/",
            "[fd00::7]:8000",
            "abort",
        ),
        (
            "websocket",
            "ws://192.168.1.4:3000000000/",
            "3000000000",
            "abort",
        ),
        (
            "websocket",
            "ws://192.168.1:4:8015/xiaozhi/v1/",
            "4:8015",
            "mute",
        ),
        (
            "websocket",
            "wss://h.example.com/xiaozhi/v1/a:b",
            "\"b\"",
            "abort",
        ),
        ("websocket", "ws://h.example.com:80000/", "80000", "mute"),
        (
            "vision_explain",
            "http://[fd00::7]:8003/mcp/vision/explain",
            "[fd00::7]:8003",
            "fail",
        ),
        ("ota", "http://[fd00::7]/xiaozhi/ota/", "[fd00::7]", "fail"),
    ] {
        let error = refused(&format!("server: {{{key}: '{address}'}}\n"));
        for words in [&format!("server.{key}: "), part, effect, "as in "] {
            assert!(error.contains(words), "{address}: {words}: {error}");
        }
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn an_address_that_nobody_configured_is_a_warning() {
    let server = Server::start(
        "gateway:\n  ip: '::1'\n  ports: [0]\n  proxy: {websocket: 'http://127.0.0.1:1'}\n",
        &["a_2.0.bin"],
    );
    let line = server.event("config.no-voice", &[("key", "server.websocket: ")]);
    assert!(line.contains(" - WARNING - "), "{line}");
    server.event("address.ipv6", &[("host", "[::1]")]);
    let url = format!("http://[::1]:{}/xiaozhi/ota/", server.ports[0]);
    let output = Command::new("curl")
        .args([
            "-s",
            &url,
            "-H",
            "Device-Id: aa:bb:cc:dd:ee:ff",
            "-H",
            "Client-Id: x",
            "-d",
        ])
        .arg(r#"{"application":{"version":"1.0"},"board":{"type":"a"}}"#)
        .output()
        .unwrap();
    // Neither an address that aborts a device nor a download that loops one.
    let reply: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        reply.get("websocket").is_none() && reply.get("mqtt").is_none(),
        "{reply}"
    );
    assert_eq!(reply["firmware"]["url"], "", "{reply}");
    server.event("withheld.no-address", &[("file", "a_2.0.bin")]);
}

#[test]
fn a_section_twice_stops_the_start_and_other_keys_are_named() {
    for (yaml, words) in [
        (
            "gateway: {ip: 127.0.0.1}\nx: 1\ngateway: {ports: [0]}\n",
            "gateway: it is written more than once (lines 1 and 3)",
        ),
        (
            "server:\n  auth: {enabled: true}\n  auth_key: k\nserver:\n  ip: 0.0.0.0\n",
            "server: it is written more than once (lines 1 and 4)",
        ),
        (
            "gateway:\n  limits: {idle: 5s}\n  ip: 127.0.0.1\n  limits: {drain: 1s}\n",
            "gateway.limits: it is written more than once (lines 2 and 4)",
        ),
    ] {
        let error = refused(yaml);
        assert!(error.contains(words), "{yaml}: {error}");
    }
    let server = Server::start(
        "server:\n  timezone_offset: 1\n  timezone_offset: 2\nprompt: a\nprompt: b\n",
        &[],
    );
    let fields = [
        ("place", "data/.config.yaml:3"),
        ("key", "server.timezone_offset: "),
    ];
    let line = server.event("config.duplicate-key", &fields);
    assert!(line.contains(" - WARNING - "), "{line}");
    assert_eq!(
        server.check_in("x", "1").json()["server_time"]["timezone_offset"],
        120
    );
    assert_eq!(server.events("config.duplicate-key", &[]).len(), 1);
}

#[test]
fn a_key_that_all_the_world_knows_stops_the_start() {
    for key in [
        "${AUTH_KEY}",
        "ENC[AES256_GCM,data:x]",
        "{{ auth_key }}",
        "<auth-key>",
        "changeme",
        "/run/secrets/auth",
    ] {
        let error = refused(&format!(
            "server: {{auth: {{enabled: true}}, auth_key: '{key}'}}\n"
        ));
        assert!(
            error.contains("server.auth_key: this is ") && !error.contains(key),
            "{error}"
        );
    }
}

#[test]
fn what_stands_in_the_configurations_place_is_not_taken_for_none() {
    let fresh = || {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("data")).unwrap();
        dir
    };
    let dead = fresh();
    symlink("../gone/config.yaml", dead.path().join("data/.config.yaml")).unwrap();
    let behind = tempfile::tempdir().unwrap();
    symlink("gone", behind.path().join("data")).unwrap();
    let circle = fresh();
    symlink(".config.yaml", circle.path().join("data/.config.yaml")).unwrap();
    let file = tempfile::tempdir().unwrap();
    fs::write(file.path().join("data"), "").unwrap();
    let folder = fresh();
    fs::create_dir(folder.path().join("data/.config.yaml")).unwrap();
    let pipe = fresh();
    make_pipe(&pipe.path().join("data/.config.yaml"));
    let zeros = fresh();
    fs::write(zeros.path().join("data/.config.yaml"), [0; 4096]).unwrap();
    let huge = fresh();
    fs::File::create(huge.path().join("data/.config.yaml"))
        .unwrap()
        .set_len(3 << 30)
        .unwrap();
    for (dir, words) in [
        (
            &dead,
            "data/.config.yaml is a link to ../gone/config.yaml, which does not exist",
        ),
        (&behind, "data is a link to gone, which does not exist"),
        (&circle, "data/.config.yaml: cannot be read"),
        (&file, "data/.config.yaml: cannot be read"),
        (&folder, "it is a folder, and a file is wanted"),
        (&pipe, "it is no regular file"),
        (&zeros, "data/.config.yaml:1: bytes of zero"),
        (&huge, "1048576 at most are read"),
    ] {
        for arguments in [&["validate"][..], &[]] {
            let (ok, out, error) = run(dir.path(), arguments);
            assert!(!ok && error.contains(words), "{words}: {error}{out}");
        }
    }
    // A key that was to be another one.
    for (yaml, words) in [
        (
            "gatway: {ports: [8005]}",
            "data/.config.yaml:1: warning: gatway: is not read here: did you mean `gateway`?",
        ),
        (
            "server: {auth: {enable: true}}",
            "server.auth.enable: is not read here: did you mean `server.auth.enabled`?",
        ),
    ] {
        let misspelt = fresh();
        fs::write(misspelt.path().join("data/.config.yaml"), yaml).unwrap();
        let (ok, text, _) = run(misspelt.path(), &["validate"]);
        assert!(ok && text.contains(words), "{words}: {text}");
    }
    // What was to be one, under another name.
    for name in [
        "config.yaml",
        ".config.yml",
        ".config.yaml.txt",
        ".Config.yaml",
    ] {
        let misnamed = fresh();
        fs::write(misnamed.path().join("data").join(name), "server: {}\n").unwrap();
        let (ok, text, _) = run(misnamed.path(), &["validate"]);
        let words = format!("data/{name} is not read");
        assert!(ok && text.contains(&words), "{words}: {text}");
    }
    // Nothing in it: nobody is kept out, which is said.
    let server = Setup::new().start("gateway: {ip: 127.0.0.1, ports: [0]}\n");
    drop(server);
    let empty = fresh();
    fs::write(empty.path().join("data/.config.yaml"), "\n").unwrap();
    let (ok, text, _) = run(empty.path(), &["validate"]);
    assert!(
        ok && text.contains("data/.config.yaml: warning: it is empty"),
        "{text}"
    );
}

#[test]
fn who_names_a_pipe_gets_what_comes_through_it() {
    let server = Setup::new().start("gateway:\n  tls: {mode: self-signed, names: [localhost]}\n");
    let piped = |command: &str| {
        let output = Command::new("bash")
            .arg("-c")
            .arg(format!("{BINARY} {command}"))
            .current_dir(server.dir.path())
            .output()
            .unwrap();
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
    };
    let [text, _] = piped("validate -c <(echo 'server: {http_port: 1234}')");
    assert!(text.contains("ports 1234, 8443"), "{text}");
    // All of it, or nothing: what is behind the megabyte may say who may come in.
    let [_, error] = piped("validate -c <(head -c 1048577 /dev/zero | tr '\\0' '#')");
    assert!(error.contains("1048576 at most are read"), "{error}");
    let url = format!("https://localhost:{}/xiaozhi/ota/", server.ports[0]);
    for words in ["probe --lang en", "simulate --lang en --devices 1 --for 1s"] {
        let [said, error] = piped(&format!("{words} {url} --ca <(cat certs/self-signed.crt)"));
        assert!(
            said.contains("OK    tls") || said.contains("up to date"),
            "{words}: {said}{error}"
        );
    }
}

#[test]
fn quotes_mean_what_they_mean_to_xiaozhi_server() {
    let auth = |enabled: &str| {
        let setup = Setup::new();
        setup.start(&format!(
            "gateway: {{ip: \"127.0.0.1\", ports: [\"0\"]}}\nserver:\n  auth_key: k3y-of-this-test\n  auth:\n    enabled: {enabled}\n"
        ))
    };
    let token = |server: &Server| server.check_in("x", "1").json()["websocket"]["token"].clone();
    for enabled in ["\"off\"", "'false'", "'no'"] {
        let server = auth(enabled);
        assert_ne!(token(&server), "", "{enabled}");
        let fields = [
            ("place", "data/.config.yaml:5"),
            ("key", "server.auth.enabled: "),
        ];
        let line = server.event("config.quoted-boolean", &fields);
        assert!(line.contains(" - WARNING - "), "{line}");
    }
    for enabled in ["off", "no", "0", "''"] {
        let server = auth(enabled);
        assert_eq!(token(&server), "", "{enabled}");
        let said = server.log().join("\n");
        assert!(!said.contains("server.auth.enabled"), "{enabled}: {said}");
    }
}

#[test]
fn validate_and_the_start_point_at_the_line_as_compilers_do() {
    let error = refused(
        "server:\n  http_port: 1\n\ngateway:\n  ports:\n  - 8003\n  - 70000\n  limit: {}\n",
    );
    let lines: Vec<_> = error.lines().collect();
    assert!(
        lines.len() == 2
            && lines[0].starts_with(
                "data/.config.yaml:8: gateway.limit: no such key: did you mean `limits`?"
            )
            && lines[1]
                .starts_with("data/.config.yaml:7: gateway.ports[1]: \"70000\": write a port"),
        "{error}"
    );
    let setup = Setup::new();
    fs::write(
        setup.path().join("data/.config.yaml"),
        "server:\n  timezone_offset: '8'\n  vision_explain: http://127.0.0.1:8003/mcp/vision/explain\n",
    )
    .unwrap();
    let (ok, text, _) = run(setup.path(), &["validate"]);
    assert!(
        ok && text.contains("\ndata/.config.yaml:2: warning: server.timezone_offset: \"8\": ")
            && text
                .contains("\ndata/.config.yaml:3: warning: server.vision_explain: 127.0.0.1 in "),
        "{text}"
    );
    let server = setup.start(
        "server:\n  auth_key: 123\ngateway: {ip: 127.0.0.1, ports: [0],\n  firmware: {pin: {a: 1.0}}}\n",
    );
    for (event, place, fields) in [
        (
            "config.unquoted-text",
            "data/.config.yaml:2",
            &[("key", "server.auth_key: ")][..],
        ),
        (
            "pin.missing",
            "data/.config.yaml:4",
            &[("model", "a"), ("version", "1.0")],
        ),
    ] {
        let line = server.event(event, &[fields, &[("place", place)]].concat());
        assert!(line.contains(" - WARNING - "), "{line}");
    }
}

#[test]
fn messages_are_events_in_the_language_of_the_log() {
    let yaml = "server:\n  timezone_offset: '8'\ngatway: {}\ngateway:\n  ip: 127.0.0.1\n  ports: [0]\n  log: {lang: zh}\n";
    let server = Setup::new().start(yaml);
    let (ok, text, _) = run(server.dir.path(), &["validate"]);
    for (id, words) in [
        (
            "config.text-for-hours",
            [
                "data/.config.yaml:2",
                "server.timezone_offset：\"8\"：对 xiaozhi-server 是文本",
            ],
        ),
        (
            "config.near-miss",
            [
                "data/.config.yaml:3",
                "gatway：不会被读取：是否要写 `gateway`？",
            ],
        ),
    ] {
        let line = server.event(id, &[]);
        assert!(line.contains(&words.join("：")), "{line}");
        assert!(ok && text.contains(&words.join("：警告：")), "{text}");
    }
    // What is known does not come again, be it on another line.
    let faulty = yaml.replace("ports: [0]", "ports: [x]");
    for (yaml, refused) in [(format!("\n{yaml}"), 0), (faulty, 1)] {
        server.configure(&yaml);
        server.reload();
        let said = |id| server.events(id, &[]).len();
        assert_eq!(
            (said("config.near-miss"), said("config.refused")),
            (1, refused)
        );
    }
    let line = server.event("config.refused", &[("what", "config.value")]);
    assert!(
        line.contains("data/.config.yaml:7：gateway.ports[0]：\"x\"：请写 1 到 65535 的端口号"),
        "{line}"
    );
}
