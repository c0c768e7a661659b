//! Firmware on the page: a file is sent, looked at, published, fetched and deleted.

mod client;
mod deleting;
mod disks;
mod hostile;
mod refusals;

use super::support::server::{Setup, with_clock};
use super::support::{Server, until};
use client::{Browser, between, numbers};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};
use xiaozhi_image_builder::zip::Zip;
use xiaozhi_image_builder::{Image, merged};

/// Has the admin address at a port that the kernel chooses.
const ANY_PORT: &str = "gateway:\n  admin: {listen: 0}\n";
/// Token that may look only.
const READER: &str = "reader-reader-reader";
/// Token that may operate, where the server cannot keep one of its own.
const OPERATOR: &str = "operator-operator-operator";

fn started() -> Server {
    Setup::new().start(ANY_PORT)
}

/// A configuration with both tokens in files.
fn with_tokens(setup: &Setup) -> String {
    for (name, token) in [("reader", READER), ("operator", OPERATOR)] {
        fs::write(setup.path().join(name), token).unwrap();
    }
    "gateway:\n  admin:\n    listen: 0\n    tokens:\n      - {name: dashboard, role: read, token_file: reader}\n      \
     - {name: desk, role: operate, token_file: operator}\n"
        .to_owned()
}

/// An app image; those of different kinds hold different things.
fn app(version: &str, kind: u8) -> Vec<u8> {
    Image {
        payload: vec![kind; 64 << 10],
        ..Image::new(version)
    }
    .build()
}

fn drafts(server: &Server) -> PathBuf {
    server.dir.path().join("data/state/drafts")
}

/// Number of files that wait, whole or not.
fn waiting(server: &Server) -> usize {
    fs::read_dir(drafts(server)).map_or(0, Iterator::count)
}

/// The names of all that lies in the firmware folder.
fn folder(server: &Server) -> Vec<String> {
    let items = fs::read_dir(server.bin()).unwrap();
    let names = items.map(|item| item.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn an_app_image_goes_the_whole_way() {
    let server = started();
    let image = app("1.9.0", 1);
    server.check_in("lichuang-dev", "1.8.0");
    let browser = Browser::of(&server);
    let draft = browser.draft("xiaozhi.bin", &image);
    assert_eq!(waiting(&server), 1);
    // Nothing is offered, and the model is asked for; that of a device that is known is one.
    let page = browser.get(&draft);
    let text = page.text();
    assert!(text.contains("does not say which model"), "{text}");
    assert!(
        text.contains("name=\"model\" value=\"lichuang-dev\""),
        "{text}"
    );
    assert!(!text.contains("/publish"), "{text}");
    assert_eq!(server.offered("lichuang-dev", "1.8.0"), None);
    let listed = browser.get("/firmware");
    assert!(listed.text().contains("xiaozhi.bin") && listed.text().contains(&draft));
    // With a model it says what it is, what it is called, and who gets it.
    let page = browser.get(&format!("{draft}?model=lichuang-dev"));
    let text = page.text();
    for part in [
        "lichuang-dev_1.9.0.bin",
        "esp32s3",
        "/publish",
        "1.9.0",
        "Nov 21 2026",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(numbers(text), [1, 0, 0]);
    assert_eq!(folder(&server), [""; 0]);
    let done = browser.post(&format!("{draft}/publish"), &[("model", "lichuang-dev")]);
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(done.header("Location"), Some("/firmware"));
    assert_eq!(folder(&server), ["lichuang-dev_1.9.0.bin"]);
    let there = fs::read(server.bin().join("lichuang-dev_1.9.0.bin")).unwrap();
    assert!(there == image);
    assert_eq!(waiting(&server), 0);
    // It is said once, and the file is there at once.
    let listed = browser.get("/firmware");
    let text = listed.text();
    assert!(
        text.contains("lichuang-dev_1.9.0.bin is published"),
        "{text}"
    );
    assert!(text.contains("ready: it is offered"), "{text}");
    assert!(
        text.contains("Known devices that it fits</dt><dd>1 "),
        "{text}"
    );
    assert!(text.contains("/devices?model=lichuang-dev"), "{text}");
    assert!(!browser.get("/firmware").text().contains("is published"));
    let offered = server.offered("lichuang-dev", "1.8.0");
    assert_eq!(offered.as_deref(), Some("lichuang-dev_1.9.0.bin"));
    until("the page to link whom it was offered", || {
        let page = browser.get("/firmware");
        let link = "/devices?file=lichuang-dev_1.9.0.bin";
        page.text().contains(link).then_some(())
    });
    // Who did it stands in the log, with the orders, and on the page.
    server.event(
        "admin.published",
        &[("file", "lichuang-dev_1.9.0.bin"), ("by", "admin.token")],
    );
    let orders = fs::read_to_string(server.dir.path().join("data/state/orders.json")).unwrap();
    assert!(orders.contains("\"publish\"") && orders.contains("lichuang-dev_1.9.0.bin"));
    let acts = browser.get("/acts");
    assert!(
        acts.text().contains("publish a file") && acts.text().contains("lichuang-dev_1.9.0.bin")
    );
    // What is gone does not wait.
    assert_eq!(browser.get(&draft).status, 404);
    assert_eq!(browser.post(&format!("{draft}/publish"), &[]).status, 404);
}

#[test]
fn an_archive_and_a_full_flash_image_give_the_app_in_them() {
    let server = started();
    let mut browser = Browser::of(&server);
    let image = app("2.1.0", 1);
    let flash = merged(
        &Image {
            payload: vec![2; 64 << 10],
            ..Image::new("2.1.0")
        },
        0,
    );
    let zip = Zip::new()
        .file("xiaozhi.bin", &image)
        .file("README.md", b"read me");
    for (name, bytes, file, model, app) in [
        (
            "v2.1.0_lichuang-dev.zip",
            zip.bytes(),
            "lichuang-dev_2.1.0.bin",
            "",
            image,
        ),
        (
            "merged-binary.bin",
            flash,
            "esp-box_2.1.0.bin",
            "esp-box",
            app("2.1.0", 2),
        ),
    ] {
        let draft = browser.draft(name, &bytes);
        let page = browser.get(&format!("{draft}?model={model}"));
        let text = page.text();
        assert!(text.contains(file) && text.contains("taken from"), "{text}");
        assert!(text.contains("needs a partition named assets"), "{text}");
        browser.language = "zh-CN";
        let chinese = browser.get(&format!("{draft}?model={model}"));
        browser.language = "en";
        let chinese = chinese.text();
        assert!(!chinese.contains(" at 0x"), "{chinese}");
        if name == "merged-binary.bin" {
            for part in ["ota_0（位于 0x10000）", "字节，位于 0x8000）", "分区表"] {
                assert!(chinese.contains(part), "{part}: {chinese}");
            }
        }
        // Nobody is known here.
        assert!(text.contains("No device has checked in"), "{text}");
        let done = browser.post(&format!("{draft}/publish"), &[("model", model)]);
        assert_eq!(done.status, 303, "{}", done.text());
        assert!(fs::read(server.bin().join(file)).unwrap() == app, "{name}");
    }
    assert_eq!(folder(&server).len(), 2);
}

#[test]
fn who_would_get_it_and_who_not_is_said_before() {
    let setup = Setup::new().file("lichuang-dev_1.8.0.bin", app("1.8.0", 1));
    let config =
        "server:\n  ota: https://ota.example.com/xiaozhi/ota/\ngateway:\n  admin: {listen: 0}\n";
    let server = setup.start(config);
    server.check_in("lichuang-dev", "2.0.0");
    let browser = Browser::of(&server);
    let home = Image {
        rodata: xiaozhi_image_builder::texts(&["https://api.vendor.example/xiaozhi/ota/"]),
        ..Image::new("1.7.0")
    };
    let draft = browser.draft("lichuang-dev_1.7.5.bin", &home.build());
    let page = browser.get(&draft);
    let text = page.text();
    assert_eq!(numbers(text), [0, 0, 1]);
    for part in [
        // Why not, in the words of the decision.
        "What runs is a higher version".to_lowercase().as_str(),
        // The name says another version than the image.
        "lichuang-dev_1.7.0.bin",
        "says 1.7.5",
        // A higher one is there.
        "holds 1.8.0",
        // It takes devices away.
        "https://api.vendor.example/xiaozhi/ota/",
    ] {
        assert!(text.to_lowercase().contains(part), "{part}: {text}");
    }
    // Another name is tried without harm.
    let page = browser.get(&format!("{draft}?version=2.5.0"));
    assert!(
        page.text().contains("lichuang-dev_2.5.0.bin"),
        "{}",
        page.text()
    );
    let thrown = browser.post(&format!("{draft}/drop"), &[]);
    assert_eq!(thrown.status, 303);
    assert_eq!((waiting(&server), folder(&server).len()), (0, 1));
    assert!(browser.get("/firmware").text().contains("was thrown away"));
}

#[test]
fn what_is_said_of_a_published_file_is_what_becomes_of_it() {
    let setup = Setup::new().file("a_1.8.0.bin", app("1.8.0", 1));
    let bin = setup.path().join("data/bin");
    std::os::unix::fs::symlink("a_1.8.0.bin", bin.join("b_1.8.0.bin")).unwrap();
    let config = format!("{ANY_PORT}  firmware: {{pin: {{a: 1.8.0}}}}\n");
    let server = setup.start(&config);
    let browser = Browser::of(&server);
    let said = |draft: &str| {
        let done = browser.post(&format!("{draft}/publish"), &[]);
        assert_eq!(done.status, 303, "{}", done.text());
        browser.get("/firmware").text().to_owned()
    };
    // Another version is pinned.
    let text = said(&browser.draft("a_1.9.0.bin", &app("1.9.0", 1)));
    let part = "a_1.9.0.bin is published: it is not offered. But gateway.firmware.pin holds the model a at 1.8.0";
    assert!(text.contains(part), "{text}");
    let text = said(&browser.draft("c_1.9.0.bin", &app("1.9.0", 1)));
    let part = "c_1.9.0.bin is published: devices of the model c with the chip esp32s3 get it at their next check-in";
    assert!(text.contains(part), "{text}");
    // A link leads to what is replaced.
    let draft = browser.draft("a_1.8.0.bin", &app("1.8.0", 2));
    let page = browser.get(&format!("{draft}?replace=1"));
    let part = "b_1.8.0.bin is a link to this name";
    assert!(page.text().contains(part), "{}", page.text());
}

#[test]
fn of_two_at_once_under_one_name_one_is_published_and_the_other_told() {
    let server = started();
    let browser = Browser::of(&server);
    let images = [app("1.9.0", 1), app("1.9.0", 2)];
    let drafts = images
        .each_ref()
        .map(|image| browser.draft("a_1.9.0.bin", image));
    let replies = thread::scope(|scope| {
        let publish = |draft: &str| browser.post(&format!("{draft}/publish"), &[("model", "a")]);
        let threads = drafts
            .each_ref()
            .map(|draft| scope.spawn(move || publish(draft)));
        threads.map(|thread| thread.join().unwrap())
    });
    let mut statuses = replies.each_ref().map(|reply| reply.status);
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409]);
    let refused = replies
        .iter()
        .position(|reply| reply.status == 409)
        .unwrap();
    assert!(
        replies[refused]
            .text()
            .contains("a_1.9.0.bin: it is there already, with other content"),
        "{}",
        replies[refused].text()
    );
    assert_eq!(folder(&server), ["a_1.9.0.bin"]);
    assert!(fs::read(server.bin().join("a_1.9.0.bin")).unwrap() == images[1 - refused]);
    // The other one still waits, and says what may be done.
    let draft = &drafts[refused];
    let page = browser.get(draft);
    let text = page.text();
    assert!(
        text.contains("name=\"replace\"") && text.contains("name=\"version\""),
        "{text}"
    );
    let page = browser.get(&format!("{draft}?replace=1"));
    assert!(page.text().contains("is replaced"), "{}", page.text());
    // What was not shown is not replaced, be it only that nothing was.
    let publish = format!("{draft}/publish");
    for over in ["", "1-2-3-4-5"] {
        let done = browser.post(&publish, &[("replace", "1"), ("over", over)]);
        assert_eq!(done.status, 409, "{}", done.text());
    }
    let done = browser.replace(draft, "replace=1");
    assert_eq!(done.status, 303, "{}", done.text());
    assert!(fs::read(server.bin().join("a_1.9.0.bin")).unwrap() == images[refused]);
    assert_eq!(folder(&server), ["a_1.9.0.bin"]);
    // The very same once more is no other.
    let again = browser.draft("a_1.9.0.bin", &images[refused]);
    let page = browser.get(&again);
    assert!(
        page.text().contains("with the same content"),
        "{}",
        page.text()
    );
}

#[test]
fn a_cut_leaves_nothing_and_whoever_is_slow_goes_on() {
    let config = format!("{ANY_PORT}  limits: {{idle: 1s}}\n");
    let server = Setup::new().start(&config);
    let browser = Browser::of(&server);
    let image = app("1.9.0", 1);
    let (stream, _) = browser.begin("a_1.9.0.bin", &image, 40_000);
    until("a file that is coming", || {
        (waiting(&server) == 1).then_some(())
    });
    drop(stream);
    until("nothing of what was cut", || {
        (waiting(&server) == 0).then_some(())
    });
    // Longer than devices may be idle, and than a whole reply may take.
    let (mut stream, rest) = browser.begin("a_1.9.0.bin", &image, 10_000);
    for piece in rest.chunks(rest.len().div_ceil(8)) {
        thread::sleep(Duration::from_millis(300));
        stream.write_all(piece).unwrap();
    }
    let reply = Browser::read(&mut stream);
    assert_eq!(reply.status, 303, "{}", reply.text());
    assert_eq!(waiting(&server), 1);
    // A form that ends early is none, however its file ends.
    let parts = [
        client::Part::Text("csrf", &browser.csrf),
        client::Part::File("files", "a_1.9.0.bin", &image),
    ];
    assert_eq!(browser.send_parts(&parts, "own").status, 400);
    assert_eq!(browser.upload("a_1.9.0.bin", b"").status, 400);
    assert_eq!(waiting(&server), 1);
}

/// A builder's line of 50 KB a second: 16 MB of them with `UPLOAD=long`, as `tests/long upload`
/// sends them, and else a small part.
#[test]
fn a_file_comes_as_slowly_as_its_senders_line() {
    let is_long = std::env::var("UPLOAD").is_ok_and(|value| value == "long");
    let payload = if is_long { 16_000_000 } else { 100_000 };
    let image = Image {
        payload: (0..payload).map(|n: u32| n.to_le_bytes()[1]).collect(),
        ..Image::new("1.9.0")
    };
    let image = image.build();
    let config = format!("{ANY_PORT}  limits: {{idle: 1s}}\n");
    let server = Setup::new().start(&config);
    let browser = Browser::of(&server);
    let (mut stream, rest) = browser.begin("a_1.9.0.bin", &image, 10_000);
    let begun = Instant::now();
    for (at, piece) in (1..).zip(rest.chunks(10_000)) {
        // What took long is not caught up with.
        thread::sleep((Duration::from_millis(200) * at).saturating_sub(begun.elapsed()));
        stream.write_all(piece).unwrap();
    }
    let reply = Browser::read(&mut stream);
    assert_eq!(reply.status, 303, "{}", reply.text());
    let draft = reply.header("Location").unwrap();
    let done = browser.post(&format!("{draft}/publish"), &[]);
    assert_eq!(done.status, 303, "{}", done.text());
    assert!(fs::read(server.bin().join("a_1.9.0.bin")).unwrap() == image);
    assert_eq!((folder(&server).len(), waiting(&server)), (1, 0));
}

#[test]
fn a_draft_waits_for_an_hour_and_for_no_other_start() {
    let setup = Setup::new();
    let mut command = with_clock(&setup, "+0");
    let server = setup.start_by(ANY_PORT, &mut command);
    let browser = Browser::of(&server);
    let draft = browser.draft("a_1.9.0.bin", &app("1.9.0", 1));
    assert_eq!(browser.get(&draft).status, 200);
    fs::write(server.dir.path().join("clock"), "+3700").unwrap();
    until("the end of a draft", || {
        (browser.get(&draft).status == 404).then_some(())
    });
    assert_eq!(waiting(&server), 0);
    browser.draft("a_1.9.0.bin", &app("1.9.0", 1));
    let setup = server.stop();
    let left = setup.path().join("data/state/drafts");
    assert!(left.is_dir());
    let server = setup.start(ANY_PORT);
    assert!(!drafts(&server).exists());
    assert_eq!(folder(&server), [""; 0]);
}

#[test]
fn a_file_is_fetched_under_its_name() {
    let name = "小 板_1.0.bin";
    let image = app("1.0", 1);
    let setup = Setup::new().file(name, &image).file("b_1.0.bin", "\u{e9}");
    let server = setup.start(&format!(
        "{ANY_PORT}  firmware: {{memory: 0, verify: strict}}\n"
    ));
    let browser = Browser::of(&server);
    let page = browser.get("/firmware");
    let links = page.text().split("href=\"").skip(1);
    let links: Vec<_> = links
        .filter_map(|link| between(link, "/firmware/files/", "\" download"))
        .filter(|link| !link.contains('"'))
        .collect();
    let [link] = links[..] else {
        panic!("{links:?}: {}", page.text());
    };
    let path = format!("/firmware/files/{link}");
    let reply = browser.get(&path);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.body == image && reply.whole);
    let disposition = reply.header("Content-Disposition").unwrap();
    assert!(
        disposition.starts_with("attachment; ")
            && disposition.ends_with("%E5%B0%8F%20%E6%9D%BF_1.0.bin"),
        "{disposition}"
    );
    // One that is refused is nobody's to fetch.
    assert_eq!(browser.get("/firmware/files/b_1.0.bin").status, 404);
}
