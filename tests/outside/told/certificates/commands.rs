//! Commands that messages show, run as they stand there.

use super::made;
use super::made::swap;
use super::{start, told, utf16};
use crate::support::until;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the command that a message ends with, in the folder of the server.
fn run(line: &str, folder: &Path) {
    let begins = ["openssl ", "iconv ", "sed ", "base64 ", "LC_ALL=C sed "];
    let words = line.split_once(" event=").unwrap().0;
    let words = words
        .split_once(" error=")
        .map_or(words, |(words, _)| words);
    let at = begins
        .iter()
        .filter_map(|begin| words.find(&format!(": {begin}")));
    let command = &words[at.min().unwrap() + 2..];
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", command]).current_dir(folder);
    let output = shell.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
}

/// The command that is shown makes of the file what is wanted.
#[test]
#[ignore = "needs openssl and iconv: tests/run installs them"]
fn the_command_that_is_shown_mends_it() {
    let (server, good) = start();
    let (pem, key) = (&*good.pem, &*good.key);
    let folder = server.dir.path().to_owned();
    for (content, why, file) in [
        (made::der(pem), "pair.der", "a.pem.pem"),
        (utf16(pem, false, true), "pair.utf16", "a.pem.pem"),
        (utf16(pem, true, false), "pair.utf16", "a.pem.pem"),
        (format!("\u{feff}{pem}").into(), "pair.bom", "a.pem"),
        (
            pem.replace('\n', "\\n").into(),
            "pair.escaped-breaks",
            "a.pem.pem",
        ),
        (
            pem.replace('\n', " ").into(),
            "pair.run-together",
            "a.pem.pem",
        ),
        (
            pem.replace('\n', "").into(),
            "pair.run-together",
            "a.pem.pem",
        ),
        (
            pem.replace('\n', "<br>\r\n").into(),
            "pair.run-together",
            "a.pem.pem",
        ),
        (
            pem.replace('\n', "&#10;").into(),
            "pair.run-together",
            "a.pem.pem",
        ),
        (
            pem.replace('\n', "\\\\n").into(),
            "pair.escaped-breaks",
            "a.pem.pem",
        ),
        (made::inner(pem).into(), "pair.base64", "a.pem.pem"),
        (
            made::base64(pem.as_bytes()).into(),
            "pair.base64",
            "a.pem.pem",
        ),
        (
            pem.replace("CERTIFICATE", "X509 CERTIFICATE").into(),
            "pair.old-label",
            "a.pem.pem",
        ),
    ] {
        let line = told(&server, content, key, why);
        run(&line, &folder);
        let now = fs::read_to_string(folder.join("certs/it's now").join(file)).unwrap();
        let block = now.find("-----BEGIN ").map(|at| &now[at..]);
        assert_eq!(made::der(block.unwrap()), made::der(pem), "{line}");
    }
}

/// Each mark that is amiss, and the command that is shown.
#[test]
fn a_mark_that_is_amiss_is_mended_by_the_command() {
    let (server, good) = start();
    let (pem, key) = (&*good.pem, &*good.key);
    let folder = server.dir.path().to_owned();
    let each = |front: &str| {
        let lines: Vec<_> = pem.lines().map(|line| format!("{front}{line}")).collect();
        lines.join("\n") + "\n"
    };
    let numbered = pem.lines().enumerate();
    let numbered: Vec<_> = numbered
        .map(|(n, line)| format!("{n:6}\t{line}\r\n"))
        .collect();
    let numbered = numbered.concat();
    for content in [
        each("  "),
        each("> "),
        each("# "),
        each("\t\u{a0}"),
        numbered,
        format!("\"{pem}\"\n"),
        format!("  tls.crt: |\n{}", each("    ")),
        pem.replace("-----", "—--"),
        pem.replace("-----", "——"),
        pem.replace("-----BEGIN", "----BEGIN"),
        pem.replace("-----END", "- - -END"),
        pem.replace("CATE-----", "CATE---- \t"),
        pem.replace("BEGIN CERTIFICATE", "begin certificate"),
        pem.replace("BEGIN ", "BEGIN\u{a0}"),
        pem.replace("CERTIFI", "CERTI\u{200b}FI"),
        pem.replace("END CERT", "END  CERT"),
    ] {
        let line = told(&server, &content, key, "pair.mark");
        run(&line, &folder);
        let now = fs::read_to_string(folder.join("certs/it's now/a.pem.pem")).unwrap();
        let block = now.find("-----BEGIN ").map(|at| &now[at..]);
        assert_eq!(
            made::der(block.unwrap()),
            made::der(pem),
            "{content}\n{line}"
        );
    }
}

/// Keys and certificates in a form that nobody takes, and the command that is shown.
#[test]
#[ignore = "needs openssl: tests/run installs it"]
fn another_form_is_mended_by_the_command() {
    let (server, good) = start();
    let (pem, key) = (&*good.pem, &*good.key);
    let folder = server.dir.path().to_owned();
    for (both, why) in [
        (made::EXPLICIT_CURVE, "pair.form"),
        (made::COMPRESSED_POINT, "pair.form"),
    ] {
        let before = server.events("certificate.replaced", &[]).len();
        let line = told(&server, both, both, why);
        run(&line, &folder);
        let made =
            |file: &str| fs::read(folder.join("certs/it's now").join(file)).unwrap_or_default();
        if both == made::EXPLICIT_CURVE {
            swap(&folder, &made("a.pem.pem"), &made("a.key.pem"));
            server.signal("HUP");
            until("the mended pair", || {
                (server.events("certificate.replaced", &[]).len() > before).then_some(())
            });
        } else {
            assert!(
                String::from_utf8(made("a.pem.csr"))
                    .unwrap()
                    .contains("REQUEST")
            );
        }
    }
    for (content, why) in [
        (made::der(key), "pair.der"),
        (made::inner(key).into(), "pair.base64"),
        (key.replace("-----", "--").into(), "pair.mark"),
        (made::pvk(), "pair.format"),
        (include_bytes!("explicit-curve.key").to_vec(), "pair.curve"),
    ] {
        let line = told(&server, pem, content, why);
        run(&line, &folder);
        let now = fs::read_to_string(folder.join("certs/it's now/a.key.pem")).unwrap();
        assert!(now.contains("PRIVATE KEY"), "{line}");
    }
}
