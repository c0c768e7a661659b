//! The pages of the fleet: what needs a hand, numbers, devices, one device, another try, and to
//! forget.

mod again;
mod found;
mod hostile;
mod list;
pub(crate) mod visitor;

pub(crate) use hostile::hostile;

use super::support::server::{Setup, request};
use super::support::{Server, until};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};
use visitor::{Visitor, form, forms, part, plain, words};
use xiaozhi_image_builder::Image;

/// The admin address at a port that the kernel chooses, and a token that may look only.
const CONFIG: &str = "gateway:\n  fleet: {silent_after: 5s}\n  admin:\n    listen: 0\n    \
                      tokens: [{name: dashboard, role: read, token_file: reader}]\n";
const READER: &str = "reader-reader-reader";
const FILE: &str = "esp32s3_1.7.0.bin";
const GOOD: &str = "02:00:00:00:00:01";
const BACK: &str = "02:00:00:00:00:02";
const OTHER: &str = "02:00:00:00:00:03";
const LANGUAGES: [&str; 2] = ["en", "zh"];

/// Words of the link to the next page.
fn list_next(lang: &str) -> &'static str {
    if lang == "zh" {
        "下一页"
    } else {
        "Next page"
    }
}

fn setup() -> Setup {
    let setup = Setup::new();
    let token = setup.path().join("reader");
    fs::write(&token, format!("{READER}\n")).unwrap();
    fs::set_permissions(token, fs::Permissions::from_mode(0o600)).unwrap();
    setup
}

/// The first page, once it shows this: what it counts is kept for some seconds, and a busy
/// machine takes a while to count.
#[track_caller]
fn first(visitor: &Visitor<'_>, lang: &str, shows: impl Fn(&str) -> bool) -> String {
    until("the first page to show it", || {
        let page = visitor.page("/", lang);
        shows(&page).then_some(page)
    })
}

/// Tells whether a page shows numbers.
fn is_counted(page: &str) -> bool {
    page.contains(" id=\"numbers\"")
}

fn image(version: &str) -> Vec<u8> {
    Image::new(version).build()
}

/// A check-in with a body; returns the path of the image that it is offered.
#[track_caller]
pub(crate) fn check_in_with(
    server: &Server,
    device: &str,
    client: &str,
    body: &Value,
) -> Option<String> {
    let headers = [("Device-Id", device), ("Client-Id", client)];
    let body = body.to_string();
    let check_in = request("POST", "/xiaozhi/ota/", &headers, body.as_bytes());
    let reply = server.send("http", &check_in);
    assert_eq!(reply.status, 200);
    let json = reply.whole_json();
    let url = json["firmware"]["url"]
        .as_str()
        .filter(|url| !url.is_empty());
    url.map(|url| format!("/{}", url.splitn(4, '/').nth(3).unwrap()))
}

#[track_caller]
fn check_in(server: &Server, device: &str, board: &str, version: &str) -> Option<String> {
    let image = Image::new(version);
    let body = json!({
        "application": {"name": "xiaozhi", "version": image.version, "elf_sha256": image.elf_hex()},
        "board": {"type": board, "name": board},
        "chip_model_name": "esp32s3",
    });
    check_in_with(server, device, "c", &body)
}

fn known(server: &Server, device: &str) -> Value {
    server
        .admin_json("GET", &format!("/api/v1/devices/{device}"), "")
        .1
}

#[track_caller]
fn fetch(server: &Server, device: &str) {
    let path = check_in(server, device, "esp32s3", "1.6.0").expect("an offer");
    assert_eq!(server.get(&path).status, 200);
    let end = || known(server, device)["offers"][0]["end"].clone();
    until("a whole download", || (end() == "fetched").then_some(()));
}

/// A device on which the image fails twice: it is rolled back, or a busy machine makes it late.
#[track_caller]
fn fail(server: &Server, device: &str) {
    for _ in 0..2 {
        fetch(server, device);
        check_in(server, device, "esp32s3", "1.6.0");
    }
    let times = || known(server, device)["failed"][0]["times"].clone();
    until("a second failure", || (times() == 2).then_some(()));
}

#[test]
fn an_empty_fleet_says_what_to_do_next() {
    let server = setup().start(CONFIG);
    let visitor = Visitor::of(&server);
    let address = server.event("address.ota", &[]);
    let url = format!(":{}/xiaozhi/ota/", server.ports[0]);
    assert!(address.contains(&url), "{address}");
    let folder = server.bin().canonicalize().unwrap();
    for lang in LANGUAGES {
        let page = first(&visitor, lang, |page| page.contains(" id=\"start\""));
        let text = words(&part(&page, "start"));
        for word in [
            &*url,
            "xiaozhi-ota probe http://",
            folder.to_str().unwrap(),
            "http://192.168.4.1",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(page.contains("href=\"/firmware\""));
        // Nothing is said to be well where nobody came.
        assert!(!page.contains("class=\"hand good\""));
        assert!(visitor.page("/devices", lang).contains("href=\"/\""));
    }
    // It is another page once a device is known.
    check_in(&server, GOOD, "esp32s3", "1.6.0");
    let page = first(&visitor, "en", is_counted);
    // How another one is connected is still there, and what is to be done first.
    assert!(words(&part(&page, "connect")).contains(&url));
    assert!(
        words(&part(&page, "ends")).contains("has no file"),
        "{page}"
    );
}

#[test]
fn what_failed_on_a_device_is_tried_again() {
    let server = setup().file(FILE, image("1.7.0")).start(CONFIG);
    let visitor = Visitor::of(&server);
    fetch(&server, GOOD);
    assert_eq!(check_in(&server, GOOD, "esp32s3", "1.7.0"), None);
    fail(&server, BACK);
    assert_eq!(check_in(&server, BACK, "esp32s3", "1.6.0"), None);
    for lang in LANGUAGES {
        let page = first(&visitor, lang, is_counted);
        let hand = words(&part(&page, "hand"));
        assert!(hand.contains(BACK) && hand.contains(FILE), "{hand}");
        assert!(!hand.contains('{'), "{hand}");
        let ends = words(&part(&page, "ends"));
        assert!(ends.contains(FILE), "{ends}");
        let page = visitor.page(&format!("/devices/{BACK}"), lang);
        for id in ["withheld.failed", "aria-labelledby=\"failed\""] {
            assert!(page.contains(id), "{id}: {page}");
        }
        assert!(!words(&page).contains('{'));
    }
    // Who may look only has no button, and pushes none.
    let reader = Visitor::by(&server, READER);
    let retry = form(&first(&visitor, "en", is_counted), "/retry");
    let is_act = |page: &str| forms(page).iter().any(|form| form.action != "/sign-out");
    assert!(!is_act(&first(&reader, "en", is_counted)));
    assert!(!is_act(&reader.page(&format!("/devices/{BACK}"), "en")));
    assert_eq!(reader.push(&retry).status, 403);
    // Nor does another site, or a form of yesterday.
    let mut forged = form(&first(&visitor, "en", is_counted), "/retry");
    forged.fields.retain(|(name, _)| name != "csrf");
    assert_eq!(visitor.push(&forged).status, 403);
    assert_eq!(known(&server, BACK)["failed"][0]["times"], 2);

    let reply = visitor.push(&retry);
    assert_eq!((reply.status, reply.header("Location")), (303, Some("/")));
    server.event(
        "admin.retried",
        &[("device", BACK), ("file", FILE), ("by", "admin.token")],
    );
    // It is said once, and what was counted before is not shown any more.
    let page = visitor.page("/", "en");
    let notice = words(
        page.split("class=\"notice good\"")
            .nth(1)
            .unwrap()
            .split("</div>")
            .next()
            .unwrap(),
    );
    assert!(notice.contains(BACK) && notice.contains(FILE), "{notice}");
    let is_done = |page: &str| is_counted(page) && !part(page, "hand").contains(BACK);
    let page = first(&visitor, "en", is_done);
    assert!(!page.contains("class=\"notice good\""));
    assert_eq!(known(&server, BACK)["failed"], json!([]));
    let acts = words(&visitor.page("/acts", "en"));
    assert!(
        acts.contains(BACK) && acts.contains(FILE) && acts.contains("admin.token"),
        "{acts}"
    );
    // What is ordered stands with the device until it has followed.
    let page = visitor.page(&format!("/devices/{BACK}"), "en");
    assert!(words(&page).contains("Ordered"), "{page}");
    assert!(check_in(&server, BACK, "esp32s3", "1.6.0").is_some());
    // Nothing failed any more: that is said, and nothing written.
    let before = server
        .admin_json("GET", &format!("/api/v1/devices/{BACK}"), "")
        .1;
    let csrf = retry
        .fields
        .iter()
        .find(|(name, _)| name == "csrf")
        .unwrap();
    let reply = visitor.post(&retry.action, &[("csrf", &csrf.1)]);
    let to = format!("/devices/{BACK}");
    assert_eq!((reply.status, reply.header("Location")), (303, Some(&*to)));
    assert!(words(&visitor.page(&to, "en")).contains("nothing was changed"));
    assert_eq!(known(&server, BACK), before);
    let unknown = visitor.post("/devices/02:00:00:00:00:99/retry", &[("csrf", &csrf.1)]);
    assert_eq!(unknown.status, 404);
    let no_file = visitor.post(&retry.action, &[("csrf", &csrf.1), ("file", "b_1.bin")]);
    assert_eq!(no_file.status, 404);
}

#[test]
fn an_image_that_failed_on_several_leads_to_them() {
    let server = setup().file(FILE, image("1.7.0")).start(CONFIG);
    let visitor = Visitor::of(&server);
    for device in [BACK, OTHER] {
        fail(&server, device);
    }
    let page = first(&visitor, "en", is_counted);
    let hand = part(&page, "hand");
    let said = words(&hand);
    assert!(
        said.contains("failed on 2 devices") && said.contains(FILE),
        "{said}"
    );
    let links = hand
        .split("href=\"")
        .skip(1)
        .map(|link| plain(link.split('"').next().unwrap()));
    let links: Vec<_> = links.filter(|link| link.starts_with("/devices?")).collect();
    let mut found = Vec::new();
    for link in &links {
        found.extend(visitor::devices(&visitor.page(link, "en")));
    }
    found.sort();
    assert_eq!(found, [BACK, OTHER], "{links:?}");
    // Once the file is gone no other device gets it, and who went back runs what it ran.
    fs::remove_file(server.bin().join(FILE)).unwrap();
    let is_offered = || server.admin_json("GET", "/api/v1/firmware", "").1["files"] != json!([]);
    until("no file", || (!is_offered()).then_some(()));
    let ends = [BACK, OTHER].map(|device| known(&server, device)["offers"][0]["end"].clone());
    first(&visitor, "en", |page| {
        let hand = part(page, "hand");
        let is_left = hand.contains(FILE) == ends.contains(&json!("silent"));
        is_left && !hand.contains("/retry")
    });
}

#[test]
fn a_device_is_forgotten_by_whoever_was_asked() {
    let server = setup().start(CONFIG);
    let visitor = Visitor::of(&server);
    check_in(&server, GOOD, "esp32s3", "1.6.0");
    let path = format!("/devices/{GOOD}");
    let ask = visitor::link(&visitor.page(&path, "en"), "Forget this device…").unwrap();
    assert_eq!(ask, format!("{path}/forget"));
    for lang in LANGUAGES {
        assert!(words(&visitor.page(&ask, lang)).contains(GOOD));
    }
    assert_eq!(known(&server, GOOD)["mac"], GOOD);
    let reader = Visitor::by(&server, READER);
    let forget = form(&visitor.page(&ask, "en"), "/forget");
    assert!(
        forms(&reader.page(&ask, "en"))
            .iter()
            .all(|form| form.action == "/sign-out")
    );
    assert_eq!(reader.push(&forget).status, 403);
    let reply = visitor.push(&forget);
    assert_eq!(
        (reply.status, reply.header("Location")),
        (303, Some("/devices"))
    );
    server.event("admin.forgot", &[("by", "admin.token")]);
    assert!(words(&visitor.page("/devices", "en")).contains("it is a new device"));
    for gone in [&*path, &ask] {
        let reply = visitor.ask(gone, "en");
        assert_eq!(reply.status, 404, "{gone}");
    }
    first(&visitor, "en", |page| page.contains(" id=\"start\""));
    assert_eq!(visitor.push(&forget).status, 404);
}

/// The ids of what is said of each file at a device.
fn fates(page: &str) -> Vec<(String, String)> {
    let (_, section) = page.split_once("aria-labelledby=\"now\"").unwrap();
    let rows = section
        .split("<tr>")
        .skip(1)
        .filter(|row| row.contains("<td"));
    let fates = rows.map(|row| {
        let file = words(row.split("</td>").next().unwrap());
        let (_, code) = row.split_once("title=\"").unwrap();
        (file, code.split('"').next().unwrap().to_owned())
    });
    fates.collect()
}

#[test]
fn each_file_says_why_it_would_or_would_not_go_to_a_device() {
    let chip = Image {
        chip: 5,
        ..Image::new("1.9.0")
    };
    let server = setup()
        .file("esp32s3_1.5.0.bin", image("1.5.0"))
        .file("esp32s3_1.6.0.bin", image("1.6.0"))
        .file("esp32s3_1.7.0.bin", image("1.7.0"))
        .file("esp32s3_1.8.0.bin", image("1.8.0"))
        .file("esp32s3_1.9.0.bin", chip.build())
        .file("default_1.9.0.bin", image("1.9.0"))
        .file("other_1.9.0.bin", image("1.9.0"))
        .start(CONFIG);
    let offered = check_in(&server, GOOD, "esp32s3", "1.6.0").unwrap();
    let visitor = Visitor::of(&server);
    let pair = |file: &str, id: &str| (file.to_owned(), id.to_owned());
    let expected = [
        pair("esp32s3_1.8.0.bin", "forecast.gets"),
        pair("esp32s3_1.9.0.bin", "withheld.chip"),
        pair("esp32s3_1.7.0.bin", "forecast.higher"),
        pair("esp32s3_1.6.0.bin", "withheld.running"),
        pair("esp32s3_1.5.0.bin", "forecast.lower"),
        pair("default_1.9.0.bin", "forecast.other-model"),
        pair("other_1.9.0.bin", "forecast.other-model"),
    ];
    let path = format!("/devices/{GOOD}");
    assert_eq!(fates(&visitor.page(&path, "en")), expected);
    assert!(offered.contains("/esp32s3_1.8.0.bin"), "{offered}");
    assert_eq!(
        fates(&visitor.page("/devices/02-00-00-00-00-01", "zh")),
        expected
    );
}

#[test]
fn what_was_counted_over_time_is_shown() {
    let setup = setup();
    let mut server = setup.start(CONFIG);
    check_in(&server, GOOD, "esp32s3", "1.6.0");
    let page = first(&Visitor::of(&server), "en", is_counted);
    assert!(words(&part(&page, "past")).contains("history") || page.contains("versions-table"));
    server.signal("TERM");
    assert!(server.end().success());
    let store = Connection::open(server.dir.path().join("data/state/fleet.db")).unwrap();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
        / 3600;
    let mut insert = store
        .prepare("INSERT OR REPLACE INTO hourly(hour, kind, label, count) VALUES(?1, ?2, ?3, ?4)")
        .unwrap();
    for day in 1..=20u64 {
        let hour = (now - day * 24).cast_signed();
        for (kind, label, count) in [
            ("versions", "esp32s3 1.5.0", 1000 + day),
            ("versions", "a board 1.5.0", 100),
            ("versions", "esp32s3 1.6.0", 7),
            ("versions", "others", 3),
            ("transports", "http", 25),
            ("transports", "https", 75),
        ] {
            insert
                .execute((hour, kind, label, count.cast_signed()))
                .unwrap();
        }
    }
    drop(insert);
    drop(store);
    let server = server.stop().start(CONFIG);
    let visitor = Visitor::of(&server);
    for (path, rows) in [
        ("/", 20),
        ("/?past=month", 20),
        ("/?past=year", 3),
        ("/?past=days", 1),
    ] {
        for lang in LANGUAGES {
            let is_read = || {
                let page = visitor.page(path, lang);
                page.contains(" id=\"versions-table\"").then_some(page)
            };
            let page = until(path, is_read);
            let table = part(&page, "versions-table");
            assert!(table.matches("<tr>").count() > rows, "{path}: {table}");
            assert!(words(&table).contains("1,10"), "{path}: {table}");
            assert!(part(&page, "transports-table").contains("75"), "{path}");
        }
    }
    // A day's number is the one that was counted last in it.
    let month = words(&part(&visitor.page("/?past=month", "en"), "versions-table"));
    assert!(month.contains(" 1,115 7 3 "), "{month}");
    for wrong in [
        "/?past=ever",
        "/devices?what=1",
        "/devices?end=failed",
        "/devices?after=!",
    ] {
        assert_eq!(visitor.ask(wrong, "en").status, 400, "{wrong}");
    }
    // Whoever led here may add keys of its own where none of ours filters.
    assert_eq!(visitor.ask("/?utm_source=a", "en").status, 200);
}

#[test]
fn the_first_page_is_small_and_its_parts_are_live() {
    let server = setup().file(FILE, image("1.7.0")).start(CONFIG);
    for number in 0..40 {
        let device = format!("02:00:00:00:01:{number:02x}");
        check_in(&server, &device, "esp32s3", &format!("1.{number}.0"));
    }
    let visitor = Visitor::of(&server);
    let page = first(&visitor, "zh", |page| {
        is_counted(page) && page.contains(" id=\"past\"")
    });
    let assets = page.split('"').filter(|part| part.starts_with("/assets/"));
    let assets: usize = assets.map(|path| visitor.ask(path, "zh").body.len()).sum();
    let bytes = page.len() + assets;
    assert!(assets > 5_000 && bytes < 60 << 10, "{bytes}");
    for id in ["hand", "numbers", "versions", "ends", "way", "past"] {
        assert!(page.contains(&format!(" id=\"{id}\" data-live")), "{id}");
    }
    assert_eq!(words(&part(&page, "numbers")).matches("40").count(), 4);
}
