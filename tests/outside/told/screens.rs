//! What people see on terminals of every width and kind, and what never gets there.

use super::super::support::Server;
use super::super::support::pty::on_terminal;
use super::super::support::server::{BINARY, Setup};
use super::terminal::{image, run};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};
use unicode_width::UnicodeWidthStr;
use xiaozhi_image_builder::Image;

/// What a file, a server or an argument may hold, and no terminal may get: sequences
/// that it obeys, in one byte too, what turns the text round, and what hides in it.
const HOSTILE: &str = "\u{1b}[31m\u{9b}2J\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}";

#[track_caller]
fn holds_nothing_hostile(text: &str, what: &str) {
    for c in HOSTILE.chars().filter(|c| !c.is_ascii() || c.is_control()) {
        assert!(!text.contains(c), "{what}: {c:?} in {text:?}");
    }
}

/// Whatever is shown to people, as arguments, in a folder with all that they name.
fn scenes(url: &str) -> Vec<Vec<String>> {
    let probe =
        format!("probe {url} --resolve ota.example.com=127.0.0.1 --skip websocket --version 1.0");
    [
        "--help",
        "help simulate",
        "inspect --help",
        "inspect data/bin 小智板子小智板子小智板子小智板子小智板子_1.0.bin none.bin",
        "validate long.yaml",
        "validate bad.yaml",
        "publish x.bin --model esp32s3 --force",
        "publish none.bin --model esp32s3",
        "inspect --no-such-option-that-is-so-long-that-it-does-not-fit-into-forty-columns",
        &format!("{probe} --lang en"),
        &format!("{probe} --lang zh"),
        &format!("simulate {url} -n 3 --lang zh"),
        &format!("simulate {url} -n 3 --lang en"),
        "simulate http://127.0.0.1:1/xiaozhi/ota/ -n 1",
        "probe http://localhost:1/a/b/?c=d --lang zh",
    ]
    .into_iter()
    .map(|line| line.split(' ').map(str::to_owned).collect())
    .collect()
}

/// A folder with what the scenes show, and a server that they ask.
fn stage() -> (Server, Setup, String) {
    let server = Setup::new().file("esp32s3_1.6.6.bin", image()).start("");
    let url = format!("http://127.0.0.1:{}/xiaozhi/ota/", server.ports[0]);
    let setup = Setup::new()
        .file("esp32s3_1.6.6.bin", image())
        .file("a_2.0.bin", "no image");
    let dir = setup.path();
    fs::write(dir.join("x.bin"), image()).unwrap();
    fs::write(
        dir.join("小智板子小智板子小智板子小智板子小智板子_1.0.bin"),
        image(),
    )
    .unwrap();
    fs::write(
        dir.join("long.yaml"),
        "server: {vision_explain: 'https://127.0.0.1/mcp/vision/explain'}\ngateway: {log: {lang: zh}, tls: {names: \
         [a.example.com, b.example.com, c.example.com]}}",
    )
    .unwrap();
    fs::write(
        dir.join("bad.yaml"),
        "gateway: {port: 1, ip: x, tls: {mode: y}}",
    )
    .unwrap();
    (server, setup, url)
}

#[test]
fn lines_fit_the_terminal() {
    let (_server, setup, url) = stage();
    let widest = |text: &str| {
        let lines = text.lines().map(|line| line.rsplit('\r').next().unwrap());
        lines.map(UnicodeWidthStr::width).max().unwrap_or(0)
    };
    for (columns, variables) in [
        (40, &[("LANG", "zh_CN.UTF-8")][..]),
        (80, &[("LANG", "zh_CN.UTF-8")]),
        (40, &[("LANG", "C")]),
        // A serial line does not say.
        (0, &[("LANG", "en_US.UTF-8")]),
        (
            200,
            &[
                ("COLUMNS", "40"),
                ("LC_ALL", "en_US.UTF-8"),
                ("TERM", "dumb"),
            ],
        ),
    ] {
        let asked = variables.iter().find(|(name, _)| *name == "COLUMNS");
        let limit = asked.map_or(
            if columns == 0 {
                80
            } else {
                usize::from(columns)
            },
            |(_, n)| n.parse().unwrap(),
        );
        for arguments in scenes(&url) {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let seen = on_terminal(columns, setup.path(), variables, &arguments);
            // What is drawn over is no line.
            let text = without_escapes(&seen);
            assert!(
                widest(&text) <= limit,
                "{arguments:?} {limit}: {}\n{text}",
                widest(&text)
            );
            assert!(
                !text.is_empty() && !text.contains("panicked"),
                "{arguments:?}: {text}"
            );
        }
    }
    // A pipe has no width, unless somebody asks for one.
    for (columns, fits) in [("", false), ("40", true), ("x", false), ("0", false)] {
        let script = format!("export COLUMNS={columns}; $X inspect x.bin");
        let (_, text, _) = run(setup.path(), &format!("unset COLUMNS; {script}"));
        assert_eq!(widest(&text) <= 40, fits, "{columns}: {text}");
    }
    let (_, json, _) = run(setup.path(), "COLUMNS=40 $X inspect --json x.bin");
    assert_eq!(json.lines().count(), 1);
    // Nothing is broken that has room, and copies of it are whole.
    let seen = on_terminal(
        900,
        setup.path(),
        &[("LANG", "C.UTF-8")],
        &["inspect", "data/bin"],
    );
    let (_, piped, _) = run(setup.path(), "$X inspect data/bin");
    assert_eq!(seen, piped);
}

/// Returns a text without what moves the cursor.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        let end = behind.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        rest = &behind[end + 1..];
    }
    plain + rest
}

#[test]
fn whoever_wants_plain_lines_gets_them() {
    let (_server, setup, url) = stage();
    for variables in [
        &[("TERM", "dumb"), ("LANG", "zh_CN.UTF-8")][..],
        &[("NO_COLOR", "1"), ("LANG", "C.UTF-8")],
        &[("CLICOLOR", "0"), ("LANG", "C")],
        &[("TERM", ""), ("LANG", "C")],
    ] {
        for arguments in scenes(&url) {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            let seen = on_terminal(80, setup.path(), variables, &arguments);
            let steers = |c: char| c.is_control() && c != '\n';
            assert!(
                !seen.contains(steers),
                "{variables:?} {arguments:?}: {seen:?}"
            );
        }
    }
    // Elsewhere the step under way is drawn.
    let probe = ["probe", &url, "--skip", "websocket", "--version", "1.0"];
    let seen = on_terminal(80, setup.path(), &[("LANG", "C"), ("NO_COLOR", "")], &probe);
    assert!(seen.contains("\u{1b}[K"), "{seen:?}");
}

#[test]
fn a_terminal_that_is_not_utf_8_gets_english_and_ascii() {
    let (_server, setup, url) = stage();
    let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c));
    let probe = ["probe", &url, "--skip", "websocket", "--version", "1.0"];
    for (variables, zh) in [
        (&[("LANG", "zh_CN.UTF-8")][..], true),
        (&[("LANG", "zh_CN.utf8")], true),
        (&[("LANG", "zh_CN")], false),
        (&[("LANG", "zh_CN.GBK")], false),
        (&[("LANG", "zh_CN.GB18030")], false),
        (&[("LANG", "C")], false),
        (&[("LANG", "POSIX")], false),
        (&[], false),
        (&[("LANG", "")], false),
        (&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")], false),
        (&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")], true),
        (
            &[("LC_MESSAGES", "zh_CN.UTF-8"), ("LANG", "en_US.UTF-8")],
            true,
        ),
        (&[("LC_CTYPE", "zh_CN.GBK"), ("LANG", "zh_CN.UTF-8")], false),
        (&[("LANGUAGE", "zh_CN:en"), ("LANG", "en_US.UTF-8")], true),
        (&[("LANGUAGE", "en:zh"), ("LANG", "zh_CN.UTF-8")], false),
        (&[("LANGUAGE", "zh_CN"), ("LANG", "C")], false),
    ] {
        for arguments in [&probe[..], &["simulate", &url, "-n", "1"]] {
            let seen = on_terminal(80, setup.path(), variables, arguments);
            assert_eq!(is_chinese(&seen), zh, "{variables:?}: {seen}");
        }
    }
    for variables in [
        &[("LANG", "C")][..],
        &[("LANG", "zh_CN.GBK")],
        &[("LC_ALL", "POSIX"), ("LANG", "zh_CN.UTF-8")],
    ] {
        for arguments in scenes(&url) {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            if arguments.windows(2).any(|pair| pair == ["--lang", "zh"]) {
                continue;
            }
            let seen = on_terminal(80, setup.path(), variables, &arguments);
            assert!(seen.is_ascii(), "{variables:?} {arguments:?}: {seen}");
        }
    }
    let seen = on_terminal(
        80,
        setup.path(),
        &[("LANG", "C")],
        &[
            "inspect",
            "--json",
            "小智板子小智板子小智板子小智板子小智板子_1.0.bin",
        ],
    );
    let json: Value = serde_json::from_str(&seen).unwrap();
    assert!(
        seen.is_ascii() && json["file"].as_str().unwrap().starts_with("小智"),
        "{}",
        seen
    );
    // Whoever asks for Chinese sees it.
    let mut asked = probe.to_vec();
    asked.extend(["--lang", "zh"]);
    assert!(is_chinese(&on_terminal(
        80,
        setup.path(),
        &[("LANG", "C")],
        &asked
    )));
}

#[test]
fn nothing_of_a_name_or_a_content_reaches_a_terminal_raw() {
    let setup = Setup::new();
    let dir = setup.path();
    let image = Image {
        project: "x\u{1b}[31m\u{202e}\u{200b}\n",
        version: "1.\u{1b}[5m\u{202e}".to_owned(),
        ..Image::new("1.6.6")
    };
    let evil = format!("a{HOSTILE}\nroot: ready_1.0.bin");
    fs::write(dir.join(&evil), image.build()).unwrap();
    fs::write(
        dir.join(OsStr::from_bytes(b"b\xff\xfe_1.0.bin")),
        image.build(),
    )
    .unwrap();
    fs::write(dir.join("x.bin"), self::image()).unwrap();
    let config = format!("evil{HOSTILE}\n.yaml");
    let ip = serde_json::to_string(HOSTILE).unwrap();
    fs::write(dir.join(&config), format!("server: {{ip: {ip}}}\n")).unwrap();
    fs::write(
        dir.join("dir.yaml"),
        "gateway: {firmware: {dir: \"a\\e[31m\\nx: good\"}}",
    )
    .unwrap();
    let other = format!("--{HOSTILE}\nerror: x");
    for (arguments, lines) in [
        (vec!["inspect", &evil], None),
        (vec!["inspect", "--json", &evil], Some(1)),
        (vec!["inspect", "."], None),
        (vec!["inspect", &other[2..]], Some(1)),
        (
            vec!["publish", &evil, "--model", "a", "--version", "1"],
            None,
        ),
        (vec!["publish", &other[2..], "--model", "a"], Some(1)),
        (vec!["publish", "x.bin", "--model", &other[2..]], Some(1)),
        (
            vec!["publish", "x.bin", "--model", "a", "--version", &other[2..]],
            Some(1),
        ),
        (vec!["validate", &config], Some(1)),
        (vec!["validate", &other[2..]], Some(1)),
        (vec!["validate", "dir.yaml"], None),
        (vec!["-c", &config], Some(1)),
        (vec![&other[2..]], None),
        (vec![&other], None),
        (vec!["inspect", &other], None),
        (vec!["probe", &other[2..], "--lang", "en"], None),
        (vec!["probe", "http://h/", "--board", &other[2..]], Some(1)),
        (vec!["probe", "http://h/", "--chip", &other[2..]], None),
        (vec!["probe", "http://h/", "--mac", &other[2..]], None),
        (vec!["probe", "http://h/", "--resolve", &other[2..]], None),
        (vec!["probe", "http://h/", "--ca", &other[2..]], Some(1)),
        (vec!["simulate", &other[2..], "-n", "1"], Some(1)),
        (vec!["simulate", "http://h/", "--boards", &other[2..]], None),
        (
            vec!["simulate", "http://h/", "--version", &other[2..]],
            Some(1),
        ),
        (vec!["simulate", "http://h/", "--for", &other[2..]], None),
    ] {
        let output = Command::new(BINARY)
            .args(&arguments)
            .current_dir(dir)
            .env_remove("COLUMNS")
            .env("LANG", "zh_CN.UTF-8")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        holds_nothing_hostile(&text, &format!("{arguments:?}"));
        // Nor can it make a line of its own.
        let begins = |begin: &str| text.lines().filter(|line| line.starts_with(begin)).count();
        assert_eq!(begins("root: ready"), 0, "{text}");
        assert!(begins("error: ") <= 1 && begins("x: good") == 0, "{text}");
        if let Some(lines) = lines {
            assert_eq!(text.lines().count(), lines, "{arguments:?}: {text}");
        }
        let seen = on_terminal(
            80,
            dir,
            &[("LANG", "zh_CN.UTF-8"), ("TERM", "dumb")],
            &arguments,
        );
        holds_nothing_hostile(&seen, &format!("{arguments:?}"));
    }
    let (_, text, _) = run(dir, "$X inspect --json b*.bin");
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["file"], "b\\xff\\xfe_1.0.bin");
}
