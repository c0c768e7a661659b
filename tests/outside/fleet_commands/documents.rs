//! `deploy/fleet.md` in both languages: what it shows of a terminal is what the commands print,
//! in the page's order, about three devices of which one is good, one was rolled back for good
//! and one is silent. `UPDATE_TRANSCRIPTS=1` writes it anew.

use super::*;
use std::env;

const BACK: &str = "02:00:00:00:00:01";
const DEAD: &str = "02:00:00:00:00:02";
const GOOD: &str = "02:00:00:00:00:03";
/// Stands for every time.
const DAY: &str = "2026-11-26";
const TIME: &str = "20:08";

/// A check-in as stock firmware sends it; returns the path of the image that it is offered.
fn check_in(server: &Server, device: &str, version: &str) -> Option<String> {
    let image = Image::new(version);
    let body = json!({
        "version": 2, "flash_size": 16 << 20, "mac_address": device,
        "chip_model_name": "esp32s3",
        "chip_info": {"model": 9, "cores": 2, "revision": 2, "features": 18},
        "application": {"name": "xiaozhi", "version": version, "elf_sha256": image.elf_hex()},
        "ota": {"label": "ota_0"},
        "board": {"type": "esp32s3", "name": "esp32s3"},
    });
    let client = "55d7b0f4-33ae-4643-891b-4a09af33fc06";
    let headers = [("Device-Id", device), ("Client-Id", client)];
    let body = body.to_string();
    let reply = server.send(
        "http",
        &request("POST", "/xiaozhi/ota/", &headers, body.as_bytes()),
    );
    let json = reply.whole_json();
    let url = json["firmware"]["url"]
        .as_str()
        .filter(|url| !url.is_empty());
    url.map(|url| format!("/{}", url.splitn(4, '/').nth(3).unwrap()))
}

#[track_caller]
fn fetch(server: &Server, device: &str, path: &str) {
    assert_eq!(server.get(path).status, 200);
    until("it has it", || {
        (end(server, device) == "fetched").then_some(())
    });
}

/// With the three devices of the page.
fn with_devices() -> Server {
    let server = started();
    let path = check_in(&server, DEAD, "1.6.0").unwrap();
    fetch(&server, DEAD, &path);
    until("silence", || (end(&server, DEAD) == "silent").then_some(()));
    let path = check_in(&server, GOOD, "1.6.0").unwrap();
    fetch(&server, GOOD, &path);
    assert_eq!(check_in(&server, GOOD, "1.7.0"), None);
    let mut path = check_in(&server, BACK, "1.6.0");
    for _ in 0..2 {
        fetch(&server, BACK, &path.unwrap());
        path = check_in(&server, BACK, "1.6.0");
    }
    assert_eq!(path, None);
    server
}

/// Puts one time in place of those at which the test ran.
fn timeless(line: &str) -> String {
    let is_like = |word: &str, form: &str| {
        let fits = |(a, b): (char, char)| if b == '0' { a.is_ascii_digit() } else { a == b };
        word.len() == form.len() && word.chars().zip(form.chars()).all(fits)
    };
    let words = line.split(' ').map(|word| match word {
        word if is_like(word, "0000-00-00") => DAY.to_owned(),
        word if is_like(word, "00-00") => DAY[5..].to_owned(),
        word if is_like(word, "00:00:00") => format!("{TIME}:09"),
        word if is_like(word, "00:00") => TIME.to_owned(),
        word => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Returns what a terminal shows of a command line.
fn shown(server: &Server, line: &str) -> String {
    let words = line.strip_prefix("xiaozhi-ota ").unwrap().split(' ');
    let address = format!("http://{}", server.admin_address());
    let words: Vec<_> = words.chain(["--server", &address]).collect();
    let mut command = Command::new(BINARY);
    command.env("TZ", "UTC");
    let said = run(command, server.dir.path(), &words).done();
    let lines = said.lines().map(|line| timeless(line) + "\n");
    format!("$ {line}\n{}", lines.collect::<String>())
}

/// Returns a page with what its commands print, and their names.
fn replayed(server: &Server, page: &str) -> (String, Vec<String>) {
    const FENCE: &str = "```console\n";
    let (mut now, mut names) = (String::new(), Vec::new());
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(FENCE) {
        let (block, after) = after.split_once("```\n").unwrap();
        now.extend([before, FENCE]);
        for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            now += &shown(server, line);
            names.push(line.split(' ').nth(1).unwrap().to_owned());
        }
        now += "```\n";
        rest = after;
    }
    (now + rest, names)
}

fn is_what_is_printed(page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (now, names) = replayed(&with_devices(), &text);
    assert_eq!(names, ["fleet", "device", "retry", "forget"], "{page}");
    if env::var_os("UPDATE_TRANSCRIPTS").is_some() {
        fs::write(&path, now).unwrap();
        return;
    }
    let differs = text
        .lines()
        .zip(now.lines())
        .find(|(then, now)| then != now);
    assert!(
        text == now,
        "{page} is not what is printed now (UPDATE_TRANSCRIPTS=1 writes it anew): {differs:#?}"
    );
}

#[test]
fn the_english_page_is_what_is_printed() {
    is_what_is_printed("deploy/fleet.md");
}

#[test]
fn the_chinese_page_is_what_is_printed() {
    is_what_is_printed("deploy/fleet.zh-CN.md");
}

/// As the remedy of the alert `XiaozhiOtaBadRelease` has it (`deploy/prometheus/alerts.yml`).
#[test]
fn a_bad_release_is_named_before_and_after_it_is_taken_away() {
    let server = with_devices();
    let look = || {
        let said = ask(&server, &["fleet"]).done();
        assert!(
            said.contains("esp32s3_1.7.0.bin failed on 2 devices"),
            "{said}"
        );
        for (word, device) in [("rolled-back", BACK), ("silent", DEAD)] {
            let all = ask(&server, &["devices", "--end", word]).done();
            for words in [device, "esp32s3", FILE] {
                assert!(all.contains(words), "{words}: {all}");
            }
            assert!(said.contains(device) && !all.contains(GOOD), "{said}{all}");
        }
    };
    look();
    fs::remove_file(server.bin().join(FILE)).unwrap();
    until("nobody gets it", || {
        check_in(&server, "02:00:00:00:00:04", "1.6.0")
            .is_none()
            .then_some(())
    });
    look();
}

#[test]
fn no_time_of_a_test_stays_in_a_page() {
    assert_eq!(
        timeless("  a  2031-01-02 03:04:05 +00:00 (just now)  01-02 03:04"),
        "  a  2026-11-26 20:08:09 +00:00 (just now)  11-26 20:08"
    );
    let odd = "02:00:00:00:00:01 1.7.0 2 esp32s3_1.7.0.bin";
    assert_eq!(timeless(odd), odd);
}
