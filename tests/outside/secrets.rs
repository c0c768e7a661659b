//! No message holds a byte of a key, a token or a password, whatever is done to
//! the files in which they stand.

use super::command_line::run;
use super::support::certificate::{Authority, Key};
use super::support::server::Setup;
use super::support::until;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const FILES: &str = "log: {log_dir: tmp, log_file: server.log}\ngateway:\n  tls: {certificates: [{cert: a.pem, key: a.key}]}\n";

/// What people's tools make of a key file.
pub(crate) fn broken(key: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<_> = key.lines().collect();
    let content = lines[1..lines.len() - 1].concat();
    vec![
        ("escaped", key.trim().replace('\n', "\\n")),
        ("escaped, as Windows has it", key.replace('\n', "\\r\\n")),
        (
            "escaped and quoted",
            format!("\"{}\"", key.trim().replace('\n', "\\n")),
        ),
        ("blanks", key.trim().replace('\n', " ")),
        ("one line", key.replace('\n', "")),
        ("tabs", key.trim().replace('\n', "\t")),
        ("no end", lines[..lines.len() - 1].join("\n")),
        ("cut", key[..key.len() / 2].to_owned()),
        ("no begin", lines[1..].join("\n")),
        ("no base64", key.replace(&content[8..12], "****")),
        ("another end", key.replace("-----END", "-----END OF")),
        ("run into its begin", key.replacen("-----\n", "-----", 1)),
        ("run into its end", key.replace("\n-----END", "-----END")),
        (
            "labelled as a certificate",
            key.replace("PRIVATE KEY", "CERTIFICATE"),
        ),
        ("damaged", key.replace(&content[8..12], "AAAA")),
        ("content alone", content.clone()),
        (
            "JSON",
            format!("{{\"key\": \"{}\"}}", key.replace('\n', "\\n")),
        ),
        ("UTF-16", key.chars().flat_map(|c| [c, '\0']).collect()),
    ]
}

/// Fails where a text holds a part of the key, as text or as numbers.
#[track_caller]
pub(crate) fn holds_nothing_of(key: &str, what: &str, text: &str) {
    let content: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    for part in content.as_bytes().windows(8) {
        let part = std::str::from_utf8(part).unwrap();
        assert!(!text.contains(part), "{what}: {part} is in {text}");
    }
    for part in content.as_bytes().windows(4) {
        let numbers = format!("{}, {}, {}, {}", part[0], part[1], part[2], part[3]);
        assert!(!text.contains(&numbers), "{what}: {numbers} is in {text}");
    }
}

pub(crate) fn key_of(setup: &Setup) -> String {
    Authority::new().sign(setup.path(), "a", Key::P256, &["localhost"]);
    fs::read_to_string(setup.path().join("a.key")).unwrap()
}

#[test]
fn a_broken_key_file_is_named_and_not_shown() {
    let setup = Setup::new();
    let key = key_of(&setup);
    let config = format!("{FILES}  ports: [0]\n");
    fs::write(setup.path().join("data/.config.yaml"), config).unwrap();
    for (what, broken) in broken(&key) {
        fs::write(setup.path().join("a.key"), &broken).unwrap();
        for arguments in [&["validate"][..], &[]] {
            let (ok, out, error) = run(setup.path(), arguments);
            assert!(!ok, "{what}: {out}");
            let begin = "data/.config.yaml:3: gateway.tls.certificates[0]: /";
            assert!(
                error.contains(begin) && error.contains("/a."),
                "{what}: {error}"
            );
            holds_nothing_of(&key, what, &(out + &error));
        }
        let log = fs::read_to_string(setup.path().join("tmp/server.log")).unwrap();
        holds_nothing_of(&key, what, &log);
    }
    fs::write(setup.path().join("a.key"), key.trim().replace('\n', "\\n")).unwrap();
    let (_, _, error) = run(setup.path(), &["validate"]);
    assert!(
        error.contains("have become the two characters \\n") && error.contains("sed"),
        "{error}"
    );
}

#[test]
fn a_key_that_breaks_later_is_not_shown_either() {
    let setup = Setup::new();
    let key = key_of(&setup);
    let server = setup.start(FILES);
    let mut hangups = 0;
    for (i, (what, broken)) in broken(&key).into_iter().enumerate() {
        fs::write(server.dir.path().join("a.key"), broken).unwrap();
        // When the second is heard of, the first has been done with.
        for _ in 0..2 {
            hangups += 1;
            server.signal("HUP");
            until(what, || {
                (server.events("reload", &[]).len() == hangups).then_some(())
            });
        }
        assert!(
            server.events("certificate.not-replaced", &[]).len() > i,
            "{what}"
        );
    }
    holds_nothing_of(&key, "a reload", &server.log().join("\n"));
    let log = server.dir.path().join("tmp/server.log");
    until("the log file", || {
        let text = fs::read_to_string(&log).unwrap();
        holds_nothing_of(&key, "the log file", &text);
        (text.matches(" event=certificate.not-replaced\n").count() >= broken(&key).len())
            .then_some(())
    });
    let mode = fs::metadata(log).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

#[test]
fn a_key_where_something_else_is_wanted_is_not_shown() {
    let setup = Setup::new();
    let key = key_of(&setup);
    let indented = |by: usize| key.replace('\n', &format!("\n{}", " ".repeat(by)));
    for yaml in [
        format!(
            "gateway:\n  tls:\n    certificates:\n    - cert: a.pem\n      key: |\n        {}\n",
            indented(8)
        ),
        format!(
            "gateway:\n  tls:\n    certificates:\n    - cert: a.pem\n      key: \"{}\"\n",
            key.replace('\n', "\\n")
        ),
        format!(
            "gateway:\n  tls:\n    certificates:\n    - cert: a.pem\n      key: {}\n",
            key.lines().nth(1).unwrap()
        ),
        format!(
            "gateway:\n  tls: {{acme: {{root: '{}'}}}}\n",
            key.replace('\n', " ")
        ),
        format!("gateway:\n  ip: \"{}\"\n", key.replace('\n', "\\n")),
        format!(
            "gateway:\n  firmware: {{dir: '{}'}}\n",
            key.replace('\n', " ")
        ),
        format!("server:\n  ota: \"{}\"\n", key.replace('\n', "\\n")),
        format!(
            "server:\n  auth_key: [\"{}\"]\n  auth: {{enabled: on}}\n",
            key.replace('\n', "\\n")
        ),
        format!(
            "server:\n  auth_key: !!int \"{}\"\n  auth: {{enabled: on}}\n",
            key.replace('\n', "\\n")
        ),
        format!("server:\n  auth: \"{}\"\n", key.replace('\n', "\\n")),
        key.clone(),
    ] {
        fs::write(setup.path().join("c.yaml"), &yaml).unwrap();
        for arguments in [&["validate", "c.yaml"][..], &["-c", "c.yaml"]] {
            let (ok, out, error) = run(setup.path(), arguments);
            assert!(!ok, "{yaml}: {out}");
            holds_nothing_of(&key, &yaml, &(out + &error));
        }
    }
}

/// Configurations with a password or a token in a place where none belongs: `HUSH`.
pub(crate) const MISPLACED: [&str; 22] = [
    "server: {ota: 'https://me:HUSH/x@ota.example.com:x/xiaozhi/ota/'}",
    "server: {ota: 'https:/me:HUSH@ota.example.com/xiaozhi/ota/'}",
    "server: {vision_explain: 'https://me：HUSH＠ota.example.com/mcp/vision/explain'}",
    "server: {websocket: 'wss://me:HU#SH@voice.example.com:x/'}",
    "server: {websocket: 'wss://voice.example.com:x/#HUSH'}",
    "server: {websocket: 'wss://voice.example.com:x/?token=HUSH'}",
    "server: {mqtt_gateway: 'me:HUSH@mqtt.example.com:1883'}",
    "gateway: {proxy: {websocket: 'http://me:HUSH@127.0.0.1:8000'}}",
    "gateway: {proxy: {routes: {/a/: 'me:HUSH@127.0.0.1:8000'}}}",
    "gateway: {tls: {acme: {directory: 'https://ca.lan/dir?token=HUSH'}}}",
    "gateway: {tls: {acme: {directory: 'https://me:HUSH@ca.lan:x/dir'}}}",
    "gateway: {tls: {certificates: [{cert: 'https://me:HUSH@h/a.pem', key: a.pem}]}}",
    "gateway: {tls:HUSH: 1}",
    "gateway:\n  auth_key=HUSH: 1",
    "server:\n  auth_key:HUSH\n  ip: 0.0.0.0",
    "server:\n  auth_key: !!bool HUSH",
    "server:\n  auth_key: *HUSH",
    "server:\n  auth_key: 'HUSH\n  ip: 0",
    "server:\n  auth_key: {HUSH\n",
    "server:\n  auth_key: [HUSH\n",
    "server:\n  auth_key: HUSH: HUSH\n",
    "server:\n  auth_key: @HUSH\n",
];

#[test]
fn a_password_or_a_token_in_any_place_is_not_shown() {
    let setup = Setup::new();
    for yaml in MISPLACED {
        let text = yaml.replace("HUSH", "H7shhPassw0rd");
        fs::write(setup.path().join("c.yaml"), text).unwrap();
        for arguments in [&["validate", "c.yaml"][..], &["-c", "c.yaml"]] {
            let (ok, out, error) = run(setup.path(), arguments);
            let said = out + &error;
            assert!(!ok, "{yaml}: {said}");
            for piece in ["H7shh", "Passw0rd"] {
                assert!(!said.contains(piece), "{yaml}: {said}");
            }
        }
    }
}

/// `certs/acme/{directory}`, where an account is kept.
fn acme_files(dir: &Path) -> std::path::PathBuf {
    let folder = dir.join("certs/acme/127.0.0.1_1_dir");
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_broken_account_is_put_aside_and_not_shown() {
    let setup = Setup::new();
    let key = key_of(&setup);
    let content: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let folder = acme_files(setup.path());
    let account = format!(r#"{{"email":null,"credentials":"{content}"}}"#);
    fs::write(folder.join("account.json"), account).unwrap();
    let signing = format!(r#"{{"names":"{content}","since":0,"order":"","key":"{content}"}}"#);
    fs::write(folder.join("signing.json"), signing).unwrap();
    let server = setup.start(
        "gateway:\n  tls: {names: [localhost], acme: {directory: 'https://127.0.0.1:1/dir'}}\n",
    );
    server.event("acme.account-aside", &[]);
    server.event("acme.order-unreadable", &[]);
    server.event("acme.failed", &[("names", "localhost")]);
    holds_nothing_of(&key, "an account", &server.log().join("\n"));
    // And nothing is lost.
    assert!(
        acme_files(server.dir.path())
            .join("account.json.unread")
            .is_file()
    );
}

#[test]
fn an_account_or_an_order_of_nowhere_ends_nothing() {
    let setup = Setup::new();
    let key = key_of(&setup);
    let der: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let der = der.replace('+', "-").replace('/', "_").replace('=', "");
    let folder = acme_files(setup.path());
    let account = format!(
        r#"{{"email":null,"credentials":{{"id":"x","key_pkcs8":"{der}","directory":"no {{address}} hush"}}}}"#
    );
    fs::write(folder.join("account.json"), account).unwrap();
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let signing = format!(
        r#"{{"names":["localhost"],"since":{since},"order":"no {{address}} hush","key":"{der}"}}"#
    );
    fs::write(folder.join("signing.json"), signing).unwrap();
    let server = setup.start(
        "gateway:\n  tls: {names: [localhost], acme: {directory: 'https://127.0.0.1:1/dir'}}\n",
    );
    server.event(
        "acme.account-aside",
        &[("why", "it belongs to another directory")],
    );
    server.event("acme.order-strange", &[]);
    server.event("acme.failed", &[("names", "localhost")]);
    let log = server.log().join("\n");
    assert!(!log.contains("hush") && !log.contains("panicked"), "{log}");
}
