//! The command line, and configurations that cannot be meant.

use super::support::Server;
use super::support::server::{BINARY, Setup};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use xiaozhi_image_builder::Image;

pub(super) fn run(dir: &Path, arguments: &[&str]) -> (bool, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(BINARY)
        .args(arguments)
        .current_dir(dir)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.success(), text(stdout), text(stderr))
}

#[test]
fn the_exit_code_tells_of_the_deed_and_not_of_who_reads() {
    let setup = Setup::new();
    let dir = setup.path();
    fs::write(dir.join("x.bin"), Image::new("1.6.6").build()).unwrap();
    fs::write(dir.join("bad.yaml"), "gateway: {port: 1}").unwrap();
    for (line, good) in [
        ("publish x.bin --model a > /dev/full", true),
        ("publish x.bin --model b | true", true),
        ("inspect x.bin | true", true),
        ("validate | true", true),
        ("validate bad.yaml | true", false),
        ("validate > /dev/full", false),
    ] {
        let line = format!("set -o pipefail; {BINARY} {line}");
        let done = Command::new("bash")
            .args(["-c", &line])
            .current_dir(dir)
            .output();
        let done = done.unwrap();
        assert_eq!(done.status.success(), good, "{line}: {done:?}");
    }
    for model in ["a", "b"] {
        assert!(dir.join(format!("data/bin/{model}_1.6.6.bin")).is_file());
    }
}

#[test]
fn help_and_version() {
    let dir = tempfile::tempdir().unwrap();
    let (ok, help, _) = run(dir.path(), &["--help"]);
    assert!(
        ok && help.contains("validate")
            && help.contains("data/.config.yaml")
            && help.contains("SIGHUP"),
        "{help}"
    );
    let (ok, version, _) = run(dir.path(), &["--version"]);
    assert!(ok && version.starts_with("xiaozhi-ota "));
    assert!(!run(dir.path(), &["--no-such"]).0);
}

#[test]
fn a_fresh_folder_needs_no_configuration() {
    let setup = Setup::new();
    fs::remove_dir_all(setup.path().join("data")).unwrap();
    let (ok, text, _) = run(setup.path(), &["validate"]);
    assert!(
        ok && text.contains("every setting has its default") && text.contains("ports 8003, 8443"),
        "{text}"
    );
    for words in [
        "state folder       data/state\n",
        "silent if no check-in comes within 600s after the download; each device has",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(
        !setup.path().join("certs").exists(),
        "validate writes nothing"
    );
    fs::create_dir(setup.path().join("data")).unwrap();
    let server = setup.start("");
    assert!(server.bin().is_dir() && server.dir.path().join("certs/self-signed.crt").is_file());
    let port = server.ports[0];
    for (event, path) in [
        ("address.ota", "/xiaozhi/ota/"),
        ("address.vision", "/mcp/vision/explain"),
    ] {
        server.event(event, &[("url", &format!(":{port}{path}"))]);
    }
}

#[test]
fn validate_shows_how_ends_of_offers_are_told() {
    let setup = Setup::new();
    let config = |lang: &str| {
        format!(
            "gateway:\n  log: {{lang: {lang}}}\n  state: /srv/kept\n  fleet: {{silent_after: 90s, track: false}}\n"
        )
    };
    for (lang, lines) in [
        (
            "en",
            [
                "  state folder       /srv/kept",
                "  ends of offers     silent if no check-in comes within 90s after the download; download addresses are the same for \
                 all (gateway.fleet.track: false)",
            ],
        ),
        (
            "zh",
            [
                "  状态目录           /srv/kept",
                "  升级结果           取走固件后 90s 没有签到算失联；所有设备的下载地址相同（gateway.fleet.track: false）",
            ],
        ),
    ] {
        fs::write(setup.path().join("data/.config.yaml"), config(lang)).unwrap();
        let (ok, text, error) = run(setup.path(), &["validate"]);
        for line in lines {
            assert!(
                ok && text.lines().any(|l| l == line),
                "{line}: {text}{error}"
            );
        }
    }
}

#[test]
fn what_cannot_be_meant_stops_the_start_and_names_everything() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    let config = dir.path().join("data/.config.yaml");
    let authority = super::support::certificate::Authority::new();
    authority.sign(
        dir.path(),
        "a",
        super::support::certificate::Key::P256,
        &["a"],
    );
    authority.sign(
        dir.path(),
        "b",
        super::support::certificate::Key::P256,
        &["b"],
    );
    authority.sign(
        dir.path(),
        "ed",
        super::support::certificate::Key::Ed25519,
        &["ed"],
    );
    let pair = |cert: &str, key: &str| {
        format!("gateway: {{tls: {{certificates: [{{cert: {cert}, key: {key}}}]}}}}")
    };
    let cases = [
        (
            "- a".to_owned(),
            vec!["data/.config.yaml:1: no mapping at the top"],
        ),
        ("a: [".to_owned(), vec!["not YAML"]),
        (
            "server: {http_port: 70000}".to_owned(),
            vec!["server.http_port: \"70000\"", "1 to 65535"],
        ),
        (
            "gateway: {port: 1, ip: x}".to_owned(),
            vec![
                "gateway.port: ",
                "did you mean `ports`?",
                "gateway.ip: \"x\"",
            ],
        ),
        (
            "server: {vision_explain: 'ws://h/'}".to_owned(),
            vec!["server.vision_explain: \"ws://h/\"", "http or https"],
        ),
        (
            "gateway: {tls: {certificates: [{cert: a.pem}]}}".to_owned(),
            vec!["certificates[0].key: missing"],
        ),
        (
            "gateway: {http_fallback: false, behind_proxy: true}".to_owned(),
            vec!["gateway.http_fallback: \"false\"", "server.vision_explain"],
        ),
        (
            "server: {auth: {enabled: true}}".to_owned(),
            vec!["server.auth.enabled", "server.auth_key"],
        ),
        (pair("none.pem", "a.key"), vec!["none.pem: cannot be read"]),
        (pair("a.pem", "b.key"), vec!["b.key: is not the key of /"]),
        (pair("a.key", "a.key"), vec!["a.key: holds no certificate"]),
        (pair("a.pem", "a.pem"), vec!["a.pem: holds no private key"]),
        (pair("ed.pem", "ed.key"), vec!["ed.key: is an Ed25519 key"]),
    ];
    for (yaml, words) in cases {
        fs::write(&config, &yaml).unwrap();
        for arguments in [
            &["validate"][..],
            &[],
            &["serve"],
            &["validate", "data/.config.yaml"],
            &["--config", "data/.config.yaml"],
        ] {
            let (ok, _, error) = run(dir.path(), arguments);
            assert!(!ok, "{yaml} was accepted by {arguments:?}");
            for word in &words {
                assert!(error.contains(word), "{yaml}: {word:?} is not in {error}");
            }
            // Each begins with its place, as compilers have it.
            let begin = "data/.config.yaml:1: ";
            assert!(error.lines().all(|line| line.starts_with(begin)), "{error}");
        }
    }
    let (ok, _, error) = run(dir.path(), &["--config", "nowhere.yaml"]);
    assert!(!ok && error.contains("nowhere.yaml: cannot be read"));
}

#[test]
fn validate_shows_what_it_came_to_with_secrets_masked() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("c.yaml");
    fs::write(
        &config,
        "server: {auth_key: hush-hush, auth: {enabled: true}, websocket: 'ws://h:8000/', \
         vision_explain: 'https://127.0.0.1/mcp/vision/explain'}\n",
    )
    .unwrap();
    let (ok, text, _) = run(dir.path(), &["validate", "c.yaml"]);
    assert!(
        ok && text.contains("https://127.0.0.1/xiaozhi/ota/") && text.contains("masked"),
        "{text}"
    );
    assert!(!text.contains("hush"));
    // What can be meant but would hurt a device.
    for warning in [
        "the device itself",
        "nobody here listens",
        "self-signed",
        "reads the token",
    ] {
        assert!(
            text.lines().any(|l| l.starts_with("c.yaml")
                && l.contains(": warning: ")
                && l.contains(warning)
                && l.contains("Remedy: ")),
            "{warning}: {text}"
        );
    }
}

#[test]
fn what_would_hurt_a_device_is_a_warning_and_the_server_runs() {
    let server = Server::start(
        "server: {vision_explain: 'https://localhost:9/mcp/vision/explain'}\n",
        &[],
    );
    for (event, fields) in [
        ("address.loopback", &[("host", "localhost")][..]),
        ("address.port", &[("port", "9")]),
        ("certificate.self-signed", &[]),
    ] {
        assert!(server.event(event, fields).contains(" - WARNING - "));
    }
    assert_eq!(server.check_in("x", "1.0").status, 200);
}

#[test]
fn a_port_that_is_taken_says_who_may_have_it() {
    let server = Server::start("", &[]);
    let config = format!("gateway: {{ip: 127.0.0.1, ports: [{}]}}", server.ports[0]);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("c.yaml"), config).unwrap();
    let (ok, _, error) = run(dir.path(), &["-c", "c.yaml"]);
    assert!(
        !ok && error.contains("another process has this port") && error.contains("gateway.ports"),
        "{error}"
    );
}

#[test]
fn variables_that_ask_for_another_user_are_told_of() {
    let own = nix::unistd::geteuid().as_raw().to_string();
    let (user, group) = (
        nix::unistd::geteuid().as_raw() + 1,
        nix::unistd::getegid().as_raw() + 1,
    );
    let mut command = Command::new(BINARY);
    command.env("PUID", user.to_string());
    command.env("PGID", format!(" {group} "));
    let server = Setup::new().start_by("", &mut command);
    let asked = format!("PUID={user}, PGID={group}");
    let line = server.event("user.other", &[("asked", &asked)]);
    assert!(line.contains("--user"), "{line}");
    // Who has what was asked for, or asks for no number, hears nothing.
    let mut command = Command::new(BINARY);
    command.env("PUID", own).env("PGID", "users");
    let server = Setup::new().start_by("", &mut command);
    assert_eq!(server.events("user.other", &[]).len(), 0);
}

#[test]
fn pages_and_completions_lie_where_they_are_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (is_done, said, _) = run(dir.path(), &["manual", "share"]);
    assert!(is_done && said.starts_with("share: wrote"), "{said}");
    let read = |path: &str| fs::read_to_string(dir.path().join("share").join(path)).unwrap();
    let (_, help, _) = run(dir.path(), &["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| line.starts_with("  "));
    let commands: Vec<_> = commands
        .filter_map(|line| line[2..].split(' ').next().filter(|name| !name.is_empty()))
        .collect();
    assert!(commands.contains(&"publish") && commands.contains(&"manual"));
    for command in commands.iter().filter(|name| **name != "help") {
        let page = read(&format!("man/man1/xiaozhi-ota-{command}.1"));
        assert!(page.contains(".SH SYNOPSIS"), "{command}");
        for shell in [
            "bash-completion/completions/xiaozhi-ota",
            "zsh/site-functions/_xiaozhi-ota",
            "fish/vendor_completions.d/xiaozhi-ota.fish",
        ] {
            assert!(read(shell).contains(command), "{shell}: {command}");
        }
    }
    assert!(read("man/man1/xiaozhi-ota.1").contains("data/bin"));
    // The shell at hand takes it, and completes by it.
    let line = r#"source share/bash-completion/completions/xiaozhi-ota
        by=$(complete -p xiaozhi-ota | sed 's/.* -F \([^ ]*\).*/\1/')
        COMP_WORDS=(xiaozhi-ota publ) COMP_CWORD=1
        $by xiaozhi-ota publ xiaozhi-ota; echo "${COMPREPLY[*]}""#;
    let shell = Command::new("bash")
        .args(["-c", line])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(shell.stdout, b"publish\n", "{shell:?}");
    // Again, over what is there; and where nothing can be written.
    assert!(run(dir.path(), &["manual", "share"]).0);
    fs::write(dir.path().join("file"), "").unwrap();
    let (is_done, _, error) = run(dir.path(), &["manual", "file"]);
    assert!(
        !is_done && error.contains("error: file/") && error.contains("cannot be written"),
        "{error}"
    );
}
