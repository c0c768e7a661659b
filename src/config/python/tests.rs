use super::super::resolve::tests::{good, read};
use super::*;
use crate::ota::credentials::Voice;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

fn plain(text: &str) -> Type {
    Type::of(&Scalar {
        text: text.to_owned(),
        style: Style::Plain,
        lines: None,
    })
}

#[test]
fn types_as_pyyaml_gives_them() {
    use Type::{Boolean, Date, Float, Integer, Text};
    for (texts, kind) in [
        (&["on", "Yes", "TRUE"][..], Boolean(true)),
        (&["off", "No", "FALSE"], Boolean(false)),
        (&["oFF", "tRUE", "y", "n", "yes ", ""], Text),
        (
            &[
                "0",
                "00",
                "017",
                "+8",
                "-8_0",
                "0x1F",
                "0b10",
                "1:30",
                "11:22:33:44:55:59",
                "190:20:30",
            ],
            Integer,
        ),
        (
            &[
                "08",
                "0o7",
                "11:22:33:44:55:66",
                "0b2",
                "0x",
                "1e5",
                "1:",
                ":1",
            ],
            Text,
        ),
        (
            &[
                "1.", "1.5", "-1.5e+3", ".5", ".inf", "-.INF", ".NaN", "1:30.5", "1_0.0",
            ],
            Float,
        ),
        (
            &[
                "1.5.6",
                "1.10.2",
                "1.5e3",
                "-.5",
                ".",
                "-.nan",
                "inf",
                "192.168.1.4",
                "1.5m",
            ],
            Text,
        ),
        (
            &[
                "2026-12-31",
                "2026-1-3 4:05:06",
                "2026-12-31T04:05:06.7Z",
                "2026-12-31 04:05:06 +08:00",
            ],
            Date,
        ),
        (
            &["2026-1-3", "2026-12-31T", "26-12-31", "2026-12-31 04:05"],
            Text,
        ),
    ] {
        for text in texts {
            assert_eq!(plain(text), kind, "{text}");
        }
    }
    let quoted = Scalar {
        text: "off".to_owned(),
        style: Style::Quoted,
        lines: None,
    };
    assert_eq!(Type::of(&quoted), Text);
}

/// Whether tokens are handed out, and what is said of it.
fn auth(enabled: &str) -> Result<(bool, Vec<String>), Vec<String>> {
    let yaml = format!("server:\n  auth_key: k\n  auth:\n    enabled: {enabled}\n");
    let settings = read(&yaml)?;
    let tokens = matches!(settings.voice, Voice::WebSocket { auth: Some(_), .. });
    let warnings = settings.warnings.iter().map(ToString::to_string);
    Ok((tokens, warnings.collect()))
}

#[test]
fn what_is_true_to_python_is_true_and_what_looks_false_is_named() {
    for text in [
        "on",
        "Yes",
        "TRUE",
        "true",
        "1",
        "'true'",
        "\"on\"",
        "'1'",
        "!!str yes",
    ] {
        assert_eq!(auth(text), Ok((true, vec![])), "{text}");
    }
    for text in ["off", "No", "FALSE", "0", "~", "null", "", "''", "\"\""] {
        assert_eq!(auth(text), Ok((false, vec![])), "{text}");
    }
    for text in [
        "'off'",
        "\"false\"",
        "'no'",
        "'0'",
        "'null'",
        "'~'",
        "' '",
        "!!str off",
        "|\n      off",
    ] {
        let (tokens, warnings) = auth(text).unwrap();
        assert!(tokens && warnings.len() == 1, "{text}: {warnings:?}");
        let begin = "c.yaml:4: server.auth.enabled: ";
        assert!(
            warnings[0].starts_with(begin)
                && warnings[0].contains("in quotes it is a text to xiaozhi-server")
                && warnings[0].ends_with("write true or false without quotes"),
            "{text}: {warnings:?}"
        );
    }
    let (tokens, warnings) = auth("oFF").unwrap();
    assert!(
        tokens && warnings[0].contains("in this spelling"),
        "{warnings:?}"
    );
    for text in [
        "maybe",
        "2",
        "-1",
        "0x1",
        "1.5",
        ".nan",
        "2026-12-31",
        "n",
        "是",
        "[x]",
        "[false]",
        "{a: 1}",
    ] {
        let (tokens, warnings) = auth(text).unwrap();
        assert!(tokens && warnings.len() == 1, "{text}: {warnings:?}");
        assert!(
            warnings[0].contains("write true or false"),
            "{text}: {warnings:?}"
        );
    }
    for text in ["[]", "{}", "0", "0.0", "0x0", "00", "-0"] {
        let (tokens, warnings) = auth(text).unwrap();
        assert!(!tokens, "{text}");
        assert!(
            warnings.iter().all(|w| w.contains("true or false")),
            "{warnings:?}"
        );
    }
    // It costs no start where nobody can tell.
    let s = good("x: [1,\n2]\nserver: {auth_key: k, auth: {enabled: off}}");
    assert!(matches!(s.voice, Voice::WebSocket { auth: None, .. }));
    assert!(
        s.warnings.len() == 1
            && s.warnings[0]
                .to_string()
                .starts_with("c.yaml: server.auth.enabled: \"off\": the lines"),
        "{:?}",
        s.warnings
    );
}

#[test]
fn numbers_in_quotes_are_read_as_python_reads_them() {
    for (yaml, port) in [
        ("'8004'", 8004),
        ("\"010\"", 10),
        ("010", 8),
        ("'+8_004'", 8004),
        ("0x1f43", 8003),
    ] {
        let s = good(&format!("server: {{http_port: {yaml}}}"));
        assert_eq!((s.bind.numbers()[0], s.warnings.len()), (port, 0), "{yaml}");
    }
    for (yaml, minutes, warnings) in [
        ("8", 480, 0),
        ("-3.5", -210, 0),
        ("'+8'", 480, 1),
        ("08", 480, 1),
    ] {
        let s = good(&format!("server:\n  timezone_offset: {yaml}\n"));
        assert_eq!(
            (s.timezone_offset, s.warnings.len()),
            (minutes, warnings),
            "{yaml}"
        );
        for warning in &s.warnings {
            let begin = "c.yaml:2: server.timezone_offset: ";
            assert!(warning.to_string().starts_with(begin), "{warning}");
        }
    }
}

#[test]
fn what_must_be_a_text_is_named_and_not_shown() {
    for (key, value, kind) in [
        ("auth_key", "123456789", "a number"),
        ("auth_key", "1.5", "a number"),
        ("auth_key", "yes", "true or false"),
        ("mqtt_signature_key", "2026-12-31", "a date"),
    ] {
        let s = good(&format!("server:\n  {key}: {value}\n"));
        let warnings: Vec<_> = s.warnings.iter().map(ToString::to_string).collect();
        let begin =
            format!("c.yaml:2: server.{key}: without quotes it is {kind} to xiaozhi-server");
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(&begin) && !warnings[0].contains(value),
            "{warnings:?}"
        );
        let s = good(&format!("server:\n  {key}: '{value}'\n"));
        assert_eq!(s.warnings, [], "{value}");
    }
    let s = good("manager-api:\n  secret: 123\n");
    assert!(
        s.warnings[0]
            .to_string()
            .starts_with("c.yaml:2: manager-api.secret: ")
    );
}

#[test]
fn the_list_of_devices_is_pythons() {
    let read = |devices: &str| {
        let s = good(&format!(
            "server:\n  auth_key: k\n  auth:\n    enabled: on\n    allowed_devices:{devices}\n"
        ));
        let Voice::WebSocket {
            auth: Some(auth), ..
        } = s.voice
        else {
            panic!("another kind")
        };
        let mut devices: Vec<_> = auth.allowed_devices.into_iter().collect();
        devices.sort();
        let warnings = s.warnings.iter().map(ToString::to_string);
        (devices, warnings.collect::<Vec<_>>())
    };
    let (devices, warnings) = read(
        "\n    - 10:20:30:40:50:59\n    - '10:20:30:40:50:58'\n    - 11:22:33:44:55:66\n    - 112233445566",
    );
    assert_eq!(devices, ["10:20:30:40:50:58", "11:22:33:44:55:66"]);
    assert!(
        warnings.len() == 2
            && warnings[0].starts_with(
                "c.yaml:6: server.auth.allowed_devices[0]: 10:20:30:40:50:59 is a number"
            )
            && warnings[1].starts_with("c.yaml:9: server.auth.allowed_devices[3]: "),
        "{warnings:?}"
    );
    // Each letter is a device to Python.
    let (devices, warnings) = read(" aa:bb:cc:dd:ee:ff");
    assert!(devices.is_empty(), "{devices:?}");
    assert!(
        warnings[0].starts_with(
            "c.yaml:5: server.auth.allowed_devices: \"aa:bb:cc:dd:ee:ff\": it is one text"
        ),
        "{warnings:?}"
    );
    assert_eq!(read(" []"), (vec![], vec![]));
    assert_eq!(read(""), (vec![], vec![]));
}

#[test]
fn quotes_mean_nothing_below_gateway() {
    let shown = |yaml: &str| {
        read(yaml).map(|mut settings| {
            settings.places = good("").places;
            format!("{settings:?}")
        })
    };
    for (key, values) in [
        ("http_fallback", &["true", "off", "2026-12-31"][..]),
        ("behind_proxy", &["false", "yes", "10.0.0.1", "null", "~"]),
        ("ip", &["127.0.0.1", "null", "Null", "~", ""]),
        ("tls: {mode", &["off", "no", "self-signed"]),
        ("limits: {connections", &["0x10", "010", "1_000", "x"]),
        ("firmware: {memory", &["0", "64MiB"]),
        ("firmware: {dir", &["null", "8003", "on"]),
    ] {
        let close = if key.contains('{') { "}" } else { "" };
        let yaml = |value: String| format!("gateway: {{{key}: {value}{close}}}");
        for value in values {
            let bare = shown(&yaml((*value).to_owned()));
            for quote in ["'", "\""] {
                let quoted = shown(&yaml(format!("{quote}{value}{quote}")));
                assert_eq!(quoted, bare, "{key}: {value}");
            }
        }
    }
}

proptest! {
    #[test]
    fn any_text_has_a_type(text in any::<String>()) {
        let _ = plain(&text);
    }
}

/// What Python calls the types.
const SCRIPT: &str = "import sys, yaml\n\
    for line in sys.stdin.buffer.read().decode().split('\\n')[:-1]:\n\
    \x20   try: value = yaml.resolver.Resolver().resolve(yaml.ScalarNode, line, (True, False))\n\
    \x20   except Exception as e: value = str(e)\n\
    \x20   print(value.rsplit(':', 1)[-1])\n";

#[test]
#[ignore = "needs python3-yaml: tests/run installs it"]
fn types_are_those_of_the_real_pyyaml() {
    let mut texts = Vec::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let patterns = [
        "[-+]?[0-9_:.]{1,8}",
        "[-+]?0[xb]?[0-9a-f_]{0,6}",
        "[-+]?[0-9._]{1,4}[eE][-+]?[0-9]{0,2}",
        "[-+]?\\.?(inf|Inf|INF|nan|NaN|NAN|iNf)",
        "(y|Y|yes|Yes|YES|yEs|n|no|No|NO|on|On|oN|ON|off|Off|OFF|oFf|true|tRue|TRUE|false)",
        "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{2}(\\.[0-9]?)?( ?(Z|[-+][0-9]{1,2}(:[0-9]{2})?))?)?",
    ];
    for pattern in patterns {
        let strategy = proptest::string::string_regex(pattern).unwrap();
        for _ in 0..3000 {
            texts.push(strategy.new_tree(&mut runner).unwrap().current());
        }
    }
    let mut child = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = texts.join("\n") + "\n";
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.lines().count(), texts.len());
    for (text, theirs) in texts.iter().zip(output.lines()) {
        let ours = match plain(text) {
            Type::Text => "str",
            Type::Boolean(_) => "bool",
            Type::Integer => "int",
            Type::Float => "float",
            Type::Date => "timestamp",
        };
        assert_eq!(ours, theirs, "{text:?}");
    }
}
