//! Deleting: what follows is said first, and nothing else goes.

use super::super::support::server::Setup;
use super::client::{Browser, between, numbers};
use super::{ANY_PORT, app, folder};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn what_follows_is_said_and_then_it_is_gone() {
    let setup = Setup::new()
        .file("a_1.8.0.bin", app("1.8.0", 1))
        .file("a_1.9.0.bin", app("1.9.0", 2))
        .file("a_1.9.0.md", "# 1.9.0\n\n- better\n")
        .file("b_1.0.bin", "");
    let config = format!("{ANY_PORT}  firmware: {{pin: {{a: 1.9.0}}}}\n");
    let server = setup.start(&config);
    server.check_in("a", "1.7.0");
    let browser = Browser::of(&server);
    let listed = browser.get("/firmware");
    let text = listed.text();
    for part in [
        "a_1.9.0.bin",
        "Older versions",
        "better",
        "refused",
        "the file is empty",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let page = browser.get("/firmware/files/a_1.9.0.bin/delete");
    let text = page.text();
    assert_eq!(numbers(text), [1, 0], "{text}");
    for part in [
        "nothing",
        "a_1.9.0.md",
        "gateway.firmware.pin",
        "class=\"danger\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Looking changes nothing.
    assert_eq!(folder(&server).len(), 4);
    let done = browser.delete("a_1.9.0.bin");
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(folder(&server), ["a_1.8.0.bin", "a_1.9.0.md", "b_1.0.bin"]);
    server.event(
        "admin.deleted",
        &[("file", "a_1.9.0.bin"), ("by", "admin.token")],
    );
    let text = browser.get("/firmware");
    assert!(
        text.text().contains("a_1.9.0.bin is deleted"),
        "{}",
        text.text()
    );
    assert!(browser.get("/acts").text().contains("delete a file"));
    assert_eq!(server.offered("a", "1.7.0"), None);
    // One that is refused goes, too; one that is gone is gone.
    let done = browser.delete("b_1.0.bin");
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(
        browser.post("/firmware/files/b_1.0.bin/delete", &[]).status,
        404
    );
    assert_eq!(browser.get("/firmware/files/a_1.9.0.md/delete").status, 404);
    assert_eq!(folder(&server), ["a_1.8.0.bin", "a_1.9.0.md"]);
}

#[test]
fn what_devices_get_in_its_place_is_counted() {
    let setup = Setup::new()
        .file("a_1.8.0.bin", app("1.8.0", 1))
        .file("a_1.9.0.bin", app("1.9.0", 2));
    let server = setup.start(ANY_PORT);
    server.check_in("a", "1.7.0");
    let browser = Browser::of(&server);
    let page = browser.get("/firmware/files/a_1.9.0.bin/delete");
    assert!(page.text().contains("a_1.8.0.bin"), "{}", page.text());
    browser.delete("a_1.9.0.bin");
    let offered = server.offered("a", "1.7.0");
    assert_eq!(offered.as_deref(), Some("a_1.8.0.bin"));
}

#[test]
fn another_file_than_was_shown_stays() {
    let setup = Setup::new().file("a_1.8.0.bin", app("1.8.0", 1));
    let server = setup.start(ANY_PORT);
    let browser = Browser::of(&server);
    let path = "/firmware/files/a_1.8.0.bin/delete";
    let page = browser.get(path);
    let shown = between(page.text(), "name=\"shown\" value=\"", "\"").unwrap();
    let other = app("1.8.0", 2);
    fs::write(server.dir.path().join("other"), &other).unwrap();
    let file = server.bin().join("a_1.8.0.bin");
    fs::rename(server.dir.path().join("other"), &file).unwrap();
    for shown in [shown, ""] {
        let refused = browser.post(path, &[("shown", shown)]);
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(
            refused.text().contains("it changed meanwhile"),
            "{}",
            refused.text()
        );
    }
    assert!(fs::read(&file).unwrap() == other);
    let orders = server.dir.path().join("data/state/orders.json");
    assert!(!orders.exists(), "nothing was ordered");
}

#[test]
fn links_and_folders_stay() {
    let setup = Setup::new().file("a_1.8.0.bin", app("1.8.0", 1));
    let bin = setup.path().join("data/bin");
    symlink("a_1.8.0.bin", bin.join("b_1.8.0.bin")).unwrap();
    fs::write(setup.path().join("outside.bin"), app("1.0", 3)).unwrap();
    symlink("../../outside.bin", bin.join("c_1.0.bin")).unwrap();
    fs::create_dir(bin.join("d_1.0.bin")).unwrap();
    let server = setup.start(ANY_PORT);
    let browser = Browser::of(&server);
    for (file, part) in [
        ("a_1.8.0.bin", "b_1.8.0.bin is a link to it"),
        ("b_1.8.0.bin", "it is a link to"),
        ("c_1.0.bin", "it is a link to"),
        ("d_1.0.bin", "no regular file"),
    ] {
        let path = format!("/firmware/files/{file}/delete");
        let page = browser.get(&path);
        assert_eq!(page.status, 200, "{}", page.text());
        assert!(page.text().contains(part), "{file}: {}", page.text());
        assert!(!page.text().contains("class=\"danger\""), "{}", page.text());
        let done = browser.post(&path, &[]);
        assert_eq!(done.status, 409, "{}", done.text());
    }
    assert_eq!(folder(&server).len(), 4);
    assert!(server.dir.path().join("outside.bin").exists());
    let orders = server.dir.path().join("data/state/orders.json");
    assert!(!orders.exists(), "nothing was ordered");
}
