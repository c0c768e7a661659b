//! Pages of `deploy/` that show what a terminal shows, in both languages: each
//! transcript there is what this binary prints against the server that is built
//! for it here, and each rule of the probe is in `troubleshooting.md`.
//! `UPDATE_TRANSCRIPTS=1` writes the transcripts anew.

mod images;

use super::support::Server;
use super::support::chain::Chain;
use super::support::event::field;
use super::support::probed::Probe;
use super::support::server::{BINARY, Setup};
use super::support::wrong::{Page, Port, Running, Wrong, plain, right};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs};
use xiaozhi_image_builder::{Image, merged};

/// Each page in both languages, and how many transcripts it has at least.
const DOCUMENTS: [(&str, usize); 3] = [
    (TROUBLESHOOTING, 20),
    ("deploy/images", 3),
    ("deploy/probe", 1),
];
const TROUBLESHOOTING: &str = "deploy/troubleshooting";
const LANGUAGES: [(&str, &str); 2] = [(".md", "en"), (".zh-CN.md", "zh")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whatever a transcript is made of lives until it is.
enum Scene {
    /// A server that is wrong, and what is shown of the command line.
    Wrong(Running, &'static str),
    /// The same without the certificate that the test itself trusts.
    Untrusted(Running, &'static str),
    /// This server.
    Own(Server, &'static str),
    /// Lines of this server's log that hold these words, after such a probe; those
    /// words are in the last of them.
    Log(Server, &'static str, &'static str, &'static str),
    /// Another subcommand in a folder of this server.
    Run(Setup, &'static str),
}

const VISION: &str = "server: {vision_explain: 'https://ota.example.com/mcp/vision/explain'}\n";
/// Their voice server is somebody else's.
const HTTPS: &str = "https://ota.example.com/xiaozhi/ota/ --version 1.6.0 --skip websocket";

fn own(file: &str, image: impl AsRef<[u8]>, more: &str) -> Server {
    let setup = Setup::new().file(file, image);
    setup.start(&format!("{VISION}{more}"))
}

fn wrong(server: Wrong, shown: &'static str) -> Scene {
    Scene::Wrong(server.start(), shown)
}

/// Every name that a transcript may have.
#[expect(clippy::too_many_lines, reason = "a table is as long as it is")]
fn scene(name: &str) -> Scene {
    let image = || Image::new("1.6.1");
    let file = |bytes: Vec<u8>| {
        wrong(
            right().image(bytes),
            "https://ota.example.com/xiaozhi/ota/ --version 1.6.0",
        )
    };
    let typed = "https://ota.example.com/xiaozhi/ota/ --version 1.6.0";
    match name {
        "no file" => Scene::Own(
            own("bread-compact-wifi_1.6.1.bin", image().build(), ""),
            "https://ota.example.com/xiaozhi/ota/ --board esp32s3 --version 1.6.0 --skip websocket",
        ),
        "not newer" => wrong(
            right().offer(|json| json["firmware"]["version"] = json!("1.6.0-beta")),
            typed,
        ),
        "loopback" => wrong(
            plain().offer(|json| {
                let url = "http://127.0.0.1:8003/xiaozhi/ota/download/esp32s3_1.6.1.bin";
                json["firmware"]["url"] = json!(url);
            }),
            "http://ota.example.com/xiaozhi/ota/ --version 1.6.0",
        ),
        "refused" => wrong(
            plain().port_80(Port::Refuses),
            "http://ota.example.com/xiaozhi/ota/ --version 1.6.0",
        ),
        "status" => wrong(
            plain().check(|page| page.set_status("404 Not Found")),
            "http://ota.example.com/xiaozhi/ota/ --version 1.6.0",
        ),
        "version" => Scene::Log(
            own("esp32s3_1.6.6.bin", Image::new("1.6.6").build(), ""),
            "https://ota.example.com/xiaozhi/ota/ --version 1.6.6 --skip websocket",
            "[ota_handler]",
            "up-to-date",
        ),
        "half copied" => {
            let whole = image().build();
            let setup = Setup::new().file("esp32s3_1.6.1.bin", &whole[..whole.len() / 2]);
            Scene::Run(setup, "inspect data/bin/esp32s3_1.6.1.bin")
        }
        "inspect" | "publish" | "publish release" => {
            let (setup, shown) = images::scene(name);
            Scene::Run(setup, shown)
        }
        "roll-back" => Scene::Own(
            own(
                "esp32s3_1.6.6.bin",
                Image::new("1.6.6").build(),
                "gateway:\n  firmware: {pin: {esp32s3: 1.6.6}}\n",
            ),
            "https://ota.example.com/xiaozhi/ota/ --version 1.7.0 --skip websocket",
        ),
        "http redirected" => wrong(
            plain().port_80(Port::Redirects),
            "http://ota.example.com/xiaozhi/ota/ --version 1.6.0",
        ),
        "download redirected" => wrong(
            right().port_80(Port::Redirects).offer(|json| {
                let url = "http://ota.example.com/xiaozhi/ota/download/esp32s3_1.6.1.bin";
                json["firmware"]["url"] = json!(url);
            }),
            typed,
        ),
        "mended" => Scene::Own(own("esp32s3_1.6.1.bin", image().build(), ""), HTTPS),
        "leaf alone" => wrong(right().chain(Chain::leaf_only), typed),
        "self-signed" => Scene::Untrusted(right().chain(Chain::self_signed).start(), typed),
        "wrong name" => wrong(right().chain(|chain| chain.host("www.example.com")), typed),
        "modem" => wrong(
            right().version("1.7.6").json(|json| {
                json["websocket"]["url"] = json!("wss://ota.example.com:8443/xiaozhi/v1/");
            }),
            "https://ota.example.com/xiaozhi/ota/ --version 1.7.0 --client ml307",
        ),
        "lower case" => wrong(
            right().download(Page::lower_case),
            "https://ota.example.com/xiaozhi/ota/ --version 1.6.0 --client ml307",
        ),
        "chunked" => wrong(right().download(Page::chunk), typed),
        "crash" => wrong(
            right().offer(|json| json["firmware"]["version"] = json!("v1.6.1")),
            typed,
        ),
        "loop" => wrong(
            right().version("2.0.1").image(Image::new("2.0.0").build()),
            "https://ota.example.com/xiaozhi/ota/ --version 2.0.0",
        ),
        "wrong chip" => file(Image { chip: 5, ..image() }.build()),
        "merged" => file(merged(&image(), 0)),
        "truncated" => {
            let whole = image().build();
            file(whole[..whole.len() / 2].to_vec())
        }
        "2.x over 1.x" => wrong(right().version("2.0.0"), typed),
        "voice" => wrong(
            right()
                .version("1.7.0")
                .websocket(|page| page.set_status("502 Bad Gateway")),
            "https://ota.example.com/xiaozhi/ota/ --version 1.6.6",
        ),
        "abort" => wrong(
            right().version("1.6.6").json(|json| {
                json["mqtt"] = json!({"endpoint": "mqtt://192.168.1.7:1883"});
                json.as_object_mut().unwrap().remove("websocket");
            }),
            "https://ota.example.com/xiaozhi/ota/ --version 1.6.6",
        ),
        other => panic!("no such transcript: {other}"),
    }
}

/// What a transcript must show, or its section tells something else.
fn proof(name: &str) -> &'static str {
    match name {
        "no file" => "-     download",
        "not newer" => "WARN not-newer",
        "loopback" => "FAIL loopback",
        "refused" => "FAIL refused",
        "status" => "FAIL status",
        "version" => "event=up-to-date",
        "half copied" => "it was cut off or is still being copied",
        "inspect" => "this is a full flash image",
        "publish" => "data/bin/esp32s3_1.6.6.bin: published",
        "publish release" => "data/bin/bread-compact-wifi_2.1.0.bin: would be published",
        "roll-back" => "OK    reboot     1.6.6",
        "http redirected" | "download redirected" => "FAIL redirect",
        "mended" => "OK    reboot     1.6.1",
        "leaf alone" => "FAIL leaf-only-chain",
        "self-signed" => "FAIL self-signed",
        "wrong name" => "FAIL wrong-name",
        "modem" => "FAIL ml307-port",
        "lower case" => "FAIL lower-case-names",
        "chunked" => "FAIL chunked",
        "crash" => "FAIL crash-version",
        "loop" => "FAIL loop",
        "wrong chip" => "FAIL wrong-chip",
        "merged" => "FAIL merged-image",
        "truncated" => "FAIL truncated-image",
        "2.x over 1.x" => "FAIL no-assets",
        "voice" => "FAIL websocket-status",
        "abort" => "FAIL mqtt-aborts",
        other => panic!("nothing is asked of {other}"),
    }
}

/// What a terminal shows of a scene.
fn play(scene: Scene, lang: &str) -> String {
    match scene {
        Scene::Wrong(server, shown) => {
            let probe = Probe::of(&server);
            told(probe, &server, shown, lang)
        }
        Scene::Untrusted(server, shown) => {
            let probe = Probe::distrusting(&server);
            told(probe, &server, shown, lang)
        }
        Scene::Own(server, shown) => {
            let text = probe_own(&server, shown, lang);
            format!("$ xiaozhi-ota probe {shown}\n{text}")
        }
        Scene::Log(server, shown, words, last) => {
            probe_own(&server, shown, lang);
            server.event(last, &[]);
            let lines = server.log().into_iter().filter(|line| line.contains(words));
            let timeless = lines.map(|line| {
                let rest = line.split_once(" - ").map_or(&*line, |(_, rest)| rest);
                let rest = &field(&line, "peer").map_or_else(
                    || rest.to_owned(),
                    |peer| rest.replace(&peer, "192.168.1.20:51234"),
                );
                format!("2026-11-22 10:00:00 - {}\n", rest.trim_end())
            });
            // The address is tried with and without its last slash.
            let mut lines: Vec<String> = timeless.collect();
            let mut seen = std::collections::HashSet::new();
            lines.retain(|line| seen.insert(line.clone()));
            lines.concat()
        }
        Scene::Run(setup, shown) => {
            let output = Command::new(BINARY)
                .args(shown.split(' '))
                .current_dir(setup.path())
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            format!("$ xiaozhi-ota {shown}\n{text}")
        }
    }
}

fn told(probe: Probe, server: &Running, shown: &str, lang: &str) -> String {
    let mut words = shown.split(' ');
    let probe = probe
        .url(words.next().unwrap())
        .with(&words.collect::<Vec<_>>());
    // Ports that stand in addresses of the scenes.
    let probe = probe
        .at(8443, server.port_443.port())
        .placed("127.0.0.1:8003", server.port_80.port());
    let output = probe.told(lang);
    let text = output
        .stdout
        .replace(&server.port_80.to_string(), "203.0.113.7:80")
        .replace(&server.port_443.to_string(), "203.0.113.7:443");
    finished(shown, &text, output.code)
}

fn finished(shown: &str, text: &str, code: Option<i32>) -> String {
    let text = timeless(text).replace("= 127.0.0.1", "= 203.0.113.7");
    format!(
        "$ xiaozhi-ota probe {shown}\n{text}$ echo $?\n{}\n",
        code.unwrap()
    )
}

fn probe_own(server: &Server, shown: &str, lang: &str) -> String {
    let mut words = shown.split(' ');
    let port = server.ports[0];
    let root = fs::read_to_string(server.dir.path().join("certs/self-signed.crt")).unwrap();
    let probe = Probe::new(words.next().unwrap())
        .at(443, port)
        .trusting(&root)
        .with(&words.collect::<Vec<_>>());
    let output = probe.told(lang);
    let text = output
        .stdout
        .replace(&format!("127.0.0.1:{port}"), "203.0.113.7:443");
    let text = finished(shown, &text, output.code);
    text.split_once('\n').unwrap().1.to_owned()
}

/// Times and speeds that are never the same twice, and no measurement anyway,
/// become an ellipsis; dates of certificates that are made anew, a date.
fn timeless(text: &str) -> String {
    let is_unit = |word: &str| {
        let word = word.trim_end_matches([')', ',']);
        matches!(word, "ms" | "KB/s" | "s")
    };
    let mut out = String::new();
    for line in text.lines() {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for i in 1..words.len() {
            let number = words[i - 1].trim_start_matches('(').to_owned();
            let measured = number.parse::<f64>().is_ok() && is_unit(&words[i]);
            // A limit in whole seconds is no measurement.
            if measured && (number.contains('.') || words[i].trim_end_matches([')', ',']) != "s") {
                words[i - 1] = words[i - 1].replace(&number, "…");
            }
            if words[i - 1] == "until" {
                "2046-11-22".clone_into(&mut words[i]);
            }
        }
        let _ = writeln!(out, "{}", words.join(" ").trim_end());
    }
    out
}

/// Whatever stands between `<!-- transcript: NAME -->` with a fence, and the
/// fence's end.
fn rewritten(text: &str, lang: &str) -> (String, Vec<String>) {
    const MARK: &str = "<!-- transcript: ";
    let (mut out, mut names) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(MARK) {
        let (name, after) = after
            .split_once(" -->\n```console\n")
            .expect("a fence below its mark");
        let (_, after) = after.split_once("\n```\n").expect("the fence's end");
        let played = play(scene(name), lang);
        assert!(played.contains(proof(name)), "{name}: {played}");
        out.extend([before, MARK, name, " -->\n```console\n", &played, "```\n"]);
        names.push(name.to_owned());
        rest = after;
    }
    out.push_str(rest);
    (out, names)
}

#[test]
fn every_transcript_is_what_is_printed() {
    for (page, count) in DOCUMENTS {
        let mut named = Vec::new();
        for (ending, lang) in LANGUAGES {
            let file = format!("{page}{ending}");
            let path = root().join(&file);
            let text = fs::read_to_string(&path).unwrap();
            let (now, played) = rewritten(&text, lang);
            assert!(played.len() >= count, "{file}: {played:?}");
            named.push(played);
            if env::var_os("UPDATE_TRANSCRIPTS").is_some() {
                fs::write(&path, now).unwrap();
                continue;
            }
            let differs = text
                .lines()
                .zip(now.lines())
                .find(|(then, now)| then != now);
            assert!(
                text == now,
                "{file} is not what is printed now (UPDATE_TRANSCRIPTS=1 writes it anew): {differs:#?}"
            );
        }
        assert_eq!(
            named[0], named[1],
            "{page}: one language has what the other lacks"
        );
    }
}

/// The names of every rule, from where they are declared.
fn rules() -> Vec<String> {
    let mut names = Vec::new();
    for file in fs::read_dir(root().join("src/probe/rules")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for rule in text.split("Rule::new(").skip(1) {
            let name = rule.split('"').nth(1).unwrap();
            assert!(
                name.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{name}"
            );
            names.push(name.to_owned());
        }
    }
    names.sort();
    // One says what it means to a port, the other to a certificate's side.
    names.dedup();
    assert!(names.len() > 80, "{names:?}");
    names
}

#[test]
fn every_rule_is_in_both_pages_with_what_to_do() {
    for (ending, _) in LANGUAGES {
        let file = format!("{TROUBLESHOOTING}{ending}");
        let text = fs::read_to_string(root().join(&file)).unwrap();
        let rules = rules();
        // The tables of rules: others show what a command says.
        let is_head = |line: &&str| line.starts_with("| rule |") || line.starts_with("| 规则 |");
        let mut lines = text.lines();
        let mut rows: Vec<&str> = Vec::new();
        while lines.by_ref().any(|line| is_head(&line)) {
            rows.extend(
                lines
                    .by_ref()
                    .skip(1)
                    .take_while(|line| line.starts_with("| `")),
            );
        }
        let has = |rule: &&String| {
            let row = rows.iter().find(|row| row.contains(&format!("`{rule}`")));
            row.is_some_and(|row| row.matches('|').count() >= 3 && row.len() > rule.len() + 20)
        };
        let missing: Vec<_> = rules.iter().filter(|rule| !has(rule)).collect();
        assert!(
            missing.is_empty(),
            "{file} does not say what to do: {missing:#?}"
        );
        // And nothing that there is not.
        for row in rows {
            let named = row.split('`').nth(1).unwrap();
            assert!(
                rules.iter().any(|rule| rule == named),
                "{file}: no such rule: {named}"
            );
        }
    }
}

/// Rules that no server of ours can break, and why.
const UNPROVOKED: &[(&str, &str)] = &[
    ("name-timeout", "it takes a name server that is silent"),
    ("unreachable", "it takes a machine without a route"),
    ("ipv6-broken", "it takes a name with both kinds of address"),
    ("this-machine", "it takes a machine at its limits"),
    (
        "root-not-in-espressif-bundle",
        "it takes a public authority's key",
    ),
    ("old-root", "it takes a public authority's key"),
    ("cross-signed-root", "it takes a public authority's key"),
    ("weak-certificate", "rcgen makes none"),
    ("cannot-be-judged", "whatever is known of is judged"),
    ("bad-handshake", "it takes TLS that is broken"),
    (
        "unreadable-certificate",
        "it takes TLS with a certificate that is none",
    ),
];

#[test]
fn every_rule_is_provoked_by_a_server_that_breaks_it() {
    let tests: String = [
        "probe",
        "probe_wrong",
        "probe_json",
        "probe_update",
        "probe_voice",
        "probe_tls",
        "probe_hostile",
    ]
    .map(|file| fs::read_to_string(root().join(format!("tests/outside/{file}.rs"))).unwrap())
    .concat();
    let provoked = |rule: &str| {
        ["fail", "warn"]
            .iter()
            .any(|verdict| tests.contains(&format!(" {verdict} {rule}\"")))
    };
    let excused = |rule: &str| UNPROVOKED.iter().any(|(name, _)| *name == rule);
    // Each is the one or the other.
    let odd = |rule: &String| provoked(rule) == excused(rule);
    let odd: Vec<_> = rules().into_iter().filter(odd).collect();
    assert!(
        odd.is_empty(),
        "provoked by nobody, or excused in vain: {odd:#?}"
    );
    for (name, _) in UNPROVOKED {
        assert!(rules().iter().any(|rule| rule == name), "{name}");
    }
}
