//! What is found wrong beside images that failed: models without firmware, files of no use.

use super::visitor::{Visitor, part, words};
use super::{BACK, CONFIG, FILE, GOOD, OTHER, check_in, first, image, setup};
use crate::support::until;
use std::fs;

#[test]
fn whoever_has_no_firmware_here_is_named() {
    let server = setup().file(FILE, image("1.7.0")).start(CONFIG);
    let visitor = Visitor::of(&server);
    check_in(&server, GOOD, "esp32s3", "1.7.0");
    for (device, board) in [(BACK, "esp-box"), (OTHER, "<b>box")] {
        check_in(&server, device, board, "1.6.0");
    }
    let has_three =
        |page: &str| words(page).contains("Devices without firmware here: 2 (models: 2)");
    first(&visitor, "en", has_three);
    let of = |device: &str| words(&visitor.page(&format!("/devices/{device}"), "en"));
    let page = of(BACK);
    assert!(
        page.contains("no firmware here for the model esp-box"),
        "{page}"
    );
    assert!(
        page.contains("there is no firmware here for its model"),
        "{page}"
    );
    assert!(!of(GOOD).contains("no firmware here"));
    // Nor is there any once it is deleted.
    fs::remove_file(server.bin().join(FILE)).unwrap();
    until("it is gone", || {
        of(GOOD).contains("no firmware here").then_some(())
    });
    // A file for whoever has none of his own is one.
    fs::write(server.bin().join("default_1.0.0.bin"), image("1.0.0")).unwrap();
    until("it is for them", || {
        (!of(BACK).contains("no firmware here")).then_some(())
    });
}

#[test]
fn findings_name_their_files_and_do_not_bury_the_fleet() {
    let server = setup().start(CONFIG);
    for number in 0..12 {
        let file = server.bin().join(format!("noversion{number}.bin"));
        fs::write(file, image("1.7.0")).unwrap();
    }
    let visitor = Visitor::of(&server);
    first(&visitor, "en", |page| {
        let hand = part(page, "hand");
        let is_named = words(&hand).contains("noversion");
        let cards = hand.matches("class=\"hand").count();
        is_named && cards == 8 && hand.contains("href=\"/server#findings-title\"")
    });
}
