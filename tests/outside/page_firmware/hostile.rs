//! Devices and files that say anything: on the pages that quote them it is text, and turns no
//! words around it.

use super::client::Browser;
use super::{app, started};
use crate::page_fleet::{check_in_with, hostile, visitor::holds_together};
use serde_json::json;
use std::fs;
use xiaozhi_image_builder::Image;

#[test]
fn what_strangers_say_turns_nothing_around() {
    let server = started();
    let bad = "\u{202e}nib\u{2066}";
    for (number, text) in hostile().iter().enumerate() {
        // Each has a reason of its own why it would not get the file.
        let body = json!({
            "application": {"name": "xiaozhi", "version": text, "elf_sha256": text},
            "board": {"type": "a", "name": "a"},
            "chip_model_name": text,
        });
        let device = format!("02:00:00:00:00:{number:02x}");
        check_in_with(&server, &device, "c", &body);
        // Its id stands in events.
        let id: String = text.chars().filter(|c| !c.is_control()).collect();
        let id: String = id.chars().take(100).collect();
        check_in_with(&server, &id, "c", &body);
        let name = format!("{}_1.bin", text.replace('/', "-"));
        if name.len() < 250 {
            fs::write(server.bin().join(name), "no image").unwrap();
        }
    }
    let named = Image {
        project: bad,
        ..Image::new(bad)
    };
    fs::write(server.bin().join("b_1.0.bin"), named.build()).unwrap();
    fs::write(server.bin().join("b_1.0.md"), format!("new: {bad}\n")).unwrap();
    server.event("file.ready", &[("file", "b_1.0.bin")]);
    let mut browser = Browser::of(&server);
    let draft = browser.draft(&format!("{bad}.bin"), &app("1.9.0", 1));
    let other = browser.draft(&format!("{bad}.bin"), &named.build());
    let model = "model=%E2%80%AE";
    let pages = [
        "/",
        "/firmware",
        "/server",
        "/acts",
        "/firmware/files/b_1.0.bin/delete",
        &draft,
        &format!("{draft}?model=a"),
        &format!("{draft}?{model}"),
        &format!("{other}?model=b"),
    ];
    for language in ["en", "zh"] {
        browser.language = language;
        for path in pages {
            let page = browser.get(path);
            assert_eq!(page.status, 200, "{path}: {}", page.text());
            holds_together(page.text());
        }
        let text = browser.get("/server/diagnostics");
        assert!(
            !text.text().contains(['\u{202e}', '\u{2066}']),
            "{}",
            text.text()
        );
    }
    // They are there, written out.
    let page = browser.get("/server");
    assert!(page.text().contains("\\u{202e}nib"), "{}", page.text());
    let page = browser.get(&format!("{draft}?model=a"));
    assert!(page.text().contains("\\u{202e}nib"), "{}", page.text());
}
