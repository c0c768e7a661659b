//! Who may not, what is none, and what leads nowhere.

use super::super::support::Reply;
use super::super::support::server::Setup;
use super::client::{Browser, Part};
use super::{ANY_PORT, OPERATOR, READER, app, folder, started, waiting, with_tokens};
use std::fs;
use xiaozhi_image_builder::Image;

#[test]
fn who_may_look_only_sends_publishes_and_deletes_nothing() {
    let setup = Setup::new().file("a_1.0.bin", app("1.0", 1));
    let config = with_tokens(&setup);
    let server = setup.start(&config);
    let operator = Browser::sign_in(&server, OPERATOR);
    let draft = operator.draft("a_1.9.0.bin", &app("1.9.0", 1));
    let reader = Browser::sign_in(&server, READER);
    let page = reader.get("/firmware");
    let text = page.text();
    assert!(
        text.contains("may look only") && !text.contains("type=\"file\""),
        "{text}"
    );
    assert!(!text.contains("/delete"), "{text}");
    assert_eq!(reader.upload("b_1.0.bin", b"x").status, 403);
    let shown = reader.get(&draft);
    assert_eq!(shown.status, 200);
    assert!(!shown.text().contains("/publish") && !shown.text().contains("/drop"));
    let shown = reader.get("/firmware/files/a_1.0.bin/delete");
    assert_eq!(shown.status, 200);
    assert!(
        !shown.text().contains("class=\"danger\""),
        "{}",
        shown.text()
    );
    for path in [
        &format!("{draft}/publish"),
        &format!("{draft}/drop"),
        "/firmware/files/a_1.0.bin/delete",
    ] {
        assert_eq!(reader.post(path, &[]).status, 403, "{path}");
    }
    assert_eq!(reader.get("/firmware/files/a_1.0.bin").status, 200);
    assert_eq!((folder(&server).len(), waiting(&server)), (1, 1));
    let orders = server.dir.path().join("data/state/orders.json");
    assert!(
        !fs::read_to_string(orders)
            .unwrap_or_default()
            .contains("a_1.0.bin")
    );
}

#[test]
fn a_form_that_is_none_of_ours_brings_no_file() {
    let server = started();
    let browser = Browser::of(&server);
    let image = app("1.9.0", 1);
    let file = || Part::File("file", "a_1.9.0.bin", &image);
    let csrf = || Part::Text("csrf", &browser.csrf);
    let forms: [(&str, &[Part<'_>]); 6] = [
        ("without the word", &[file()]),
        ("with the word behind", &[file(), csrf()]),
        ("with another word", &[Part::Text("csrf", "x"), file()]),
        ("with an empty word", &[Part::Text("csrf", ""), file()]),
        (
            "with something in front",
            &[Part::Text("a", "b"), csrf(), file()],
        ),
        (
            "with the word as a file",
            &[Part::File("csr", "f", b"x"), file()],
        ),
    ];
    for (what, parts) in forms {
        let reply = browser.send_parts(parts, "own");
        assert_eq!(reply.status, 403, "{what}: {}", reply.text());
    }
    let good = [csrf(), file()];
    for origin in ["", "http://evil.example", "null"] {
        assert_eq!(browser.send_parts(&good, origin).status, 403, "{origin}");
    }
    let long = "x".repeat(10_000);
    let reply = browser.send_parts(&[Part::Text("csrf", &long), file()], "own");
    assert_eq!(reply.status, 413);
    assert_eq!(waiting(&server), 0);
    assert_eq!(browser.send_parts(&good, "own").status, 303);
    // No program's token opens the page.
    let bearer = format!("Bearer {}", server.admin_token());
    let host = server.admin_address().to_string();
    let headers = [("Authorization", &*bearer), ("Accept", "text/html")];
    let reply = super::super::support::admin::ask(
        &mut server.admin_tcp(),
        "GET",
        "/firmware",
        &host,
        &headers,
        "",
    );
    assert_eq!(reply.status, 401, "{}", reply.text());
}

/// More than a socket holds: whoever is not listened to would be cut off while he sends.
#[test]
fn whoever_may_not_send_a_file_reads_why_once_it_was_sent() {
    let setup = Setup::new();
    let config = with_tokens(&setup);
    let server = setup.start(&config);
    let large = vec![0xE9; 16 << 20];
    let reader = Browser::sign_in(&server, READER);
    let refused = reader.upload("a_1.9.0.bin", &large);
    assert_eq!(refused.status, 403);
    assert!(
        refused.text().contains("may look only"),
        "{}",
        refused.text()
    );
    let parts = [
        Part::Text("csrf", &reader.csrf),
        Part::File("file", "a_1.9.0.bin", &large),
    ];
    let operator = Browser::sign_in(&server, OPERATOR);
    let refused = operator.send_parts(&parts, "http://evil.example");
    assert_eq!(refused.status, 403);
    assert_eq!(operator.post("/sign-out", &[]).status, 303);
    let refused = operator.upload("a_1.9.0.bin", &large);
    assert_eq!(refused.status, 401);
    assert!(
        refused.text().contains("name=\"token\""),
        "{}",
        refused.text()
    );
    assert_eq!(waiting(&server), 0);
}

#[track_caller]
fn is_refused(reply: &Reply, part: &str) {
    assert_eq!(reply.status, 200);
    let text = reply.text();
    assert!(text.contains("class=\"hand bad\""), "{text}");
    assert!(
        text.contains(part) && !text.contains("/publish\""),
        "{text}"
    );
}

#[test]
fn what_would_not_be_offered_says_why_in_the_readers_language() {
    let server = started();
    let mut browser = Browser::of(&server);
    let mut damaged = app("1.9.0", 1);
    damaged[5000] ^= 1;
    let deadly = Image::new("2.0.x").build();
    for (name, bytes, en, zh) in [
        ("a_1.9.0.bin", &damaged[..], "it is damaged", "文件已损坏"),
        (
            "a_1.9.0.bin",
            b"text",
            "No ESP32 is offered it",
            "不会下发给任何 ESP32",
        ),
        (
            "a_2.0.bin",
            &deadly,
            "restarts a device at every check",
            "每次检查时重启",
        ),
        (
            "v1.9.0_a.zip",
            b"PK\x03\x04 and nothing",
            "download it again",
            "请重新下载",
        ),
    ] {
        browser.language = "en";
        let draft = browser.draft(name, bytes);
        is_refused(&browser.get(&draft), en);
        let refused = browser.post(&format!("{draft}/publish"), &[]);
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(refused.text().contains(en), "{}", refused.text());
        browser.language = "zh-CN";
        is_refused(&browser.get(&draft), zh);
        browser.post(&format!("{draft}/drop"), &[]);
    }
    assert_eq!((folder(&server).len(), waiting(&server)), (0, 0));
    assert_eq!(server.events("admin.published", &[]).len(), 0);
}

#[test]
fn no_name_and_no_id_leads_out() {
    let server = started();
    let browser = Browser::of(&server);
    let orders = server.dir.path().join("data/state/admin.token");
    let before = fs::read(&orders).unwrap();
    for name in [
        "../../../a_1.9.0.bin",
        "..\\a_1.9.0.bin",
        "/etc/a_1.9.0.bin",
    ] {
        let draft = browser.draft(name, &app("1.9.0", 1));
        let page = browser.get(&draft);
        assert!(page.text().contains("a_1.9.0.bin"), "{}", page.text());
        let drop = browser.post(&format!("{draft}/drop"), &[]);
        assert_eq!(drop.status, 303);
    }
    let draft = browser.draft("<script>alert(1)</script>_1.9.0.bin", &app("1.9.0", 1));
    let page = browser.get(&draft);
    assert!(!page.text().contains("<script>alert"), "{}", page.text());
    for model in ["../a", "a/b", ".a", "%00"] {
        let page = browser.get(&format!("{draft}?model={}", model.replace('/', "%2F")));
        assert!(
            !page.text().contains("/publish\""),
            "{model}: {}",
            page.text()
        );
        let reply = browser.post(&format!("{draft}/publish"), &[("model", model)]);
        assert!(
            reply.status == 409 || model == "%00",
            "{model}: {}",
            reply.text()
        );
    }
    for name in [
        "..%2Fstate%2Fadmin.token",
        "..%2F.config.yaml",
        "%2Fetc%2Fpasswd",
        "..",
        ".",
        "%2e%2e%2fstate%2fadmin.token",
        "none_1.0.bin",
    ] {
        for path in [
            format!("/firmware/files/{name}"),
            format!("/firmware/files/{name}/delete"),
            format!("/firmware/drafts/{name}"),
        ] {
            assert_eq!(browser.get(&path).status, 404, "{path}");
        }
        for path in [
            format!("/firmware/files/{name}/delete"),
            format!("/firmware/drafts/{name}/publish"),
            format!("/firmware/drafts/{name}/drop"),
        ] {
            assert_eq!(browser.post(&path, &[]).status, 404, "{path}");
        }
    }
    assert_eq!(fs::read(&orders).unwrap(), before);
    assert!(server.config_file().exists());
}

#[test]
fn what_is_too_long_is_told_so_once_it_was_sent() {
    let server = started();
    let browser = Browser::of(&server);
    let long = vec![0xE9; (64 << 20) + (80 << 10)];
    let refused = browser.upload("a_1.9.0.bin", &long);
    assert_eq!(refused.status, 413, "{}", refused.text());
    assert!(
        refused.text().contains("the file is too long"),
        "{}",
        refused.text()
    );
    // Of a form that is just short enough, the file is not.
    let refused = browser.upload("a_1.9.0.bin", &long[..=(64 << 20)]);
    assert_eq!(refused.status, 413, "{}", refused.text());
    assert!(
        refused.text().contains("the file is too long"),
        "{}",
        refused.text()
    );
    assert_eq!(waiting(&server), 0);
}

#[test]
fn drafts_are_few() {
    let server = Setup::new().start(ANY_PORT);
    let browser = Browser::of(&server);
    let drafts: Vec<_> = (0..8)
        .map(|n| browser.draft(&format!("a_1.{n}.bin"), &app("1.9.0", n)))
        .collect();
    let refused = browser.upload("a_2.0.bin", &app("1.9.0", 9));
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(
        refused.text().contains("8 files wait"),
        "{}",
        refused.text()
    );
    browser.post(&format!("{}/drop", drafts[0]), &[]);
    browser.draft("a_2.0.bin", &app("1.9.0", 9));
    assert_eq!(waiting(&server), 8);
}
