//! What is said of an image that failed on a device, and may be offered to it again.

use super::visitor::{Visitor, forms, part, words};
use super::{BACK, CONFIG, FILE, OTHER, check_in, fail, fetch, first, image, known, setup};
use crate::support::until;
use serde_json::json;
use std::fs;

#[test]
fn another_try_is_promised_only_where_the_device_gets_it() {
    let server = setup().file(FILE, image("1.7.0")).start(CONFIG);
    let visitor = Visitor::of(&server);
    fetch(&server, BACK);
    // It comes back with what it ran before; that is no wish for more here.
    check_in(&server, BACK, "esp32s3", "1.6.0");
    let times = || known(&server, BACK)["failed"][0]["times"].clone();
    until("a failure", || (times() == 1).then_some(()));
    let says = |words_of: &str| {
        until(words_of, || {
            let page = visitor.page(&format!("/devices/{BACK}"), "en");
            words(&page).contains(words_of).then_some(())
        });
    };
    says("once more at its next check-in");
    fs::write(server.bin().join("esp32s3_1.8.0.bin"), image("1.8.0")).unwrap();
    says("not offered now: the table below says why");
    fs::remove_file(server.bin().join(FILE)).unwrap();
    says("the file is gone");
    assert_eq!(known(&server, BACK)["failed"][0]["given_up"], json!(false));
}

#[test]
fn the_page_of_a_failed_device_says_what_to_do() {
    let server = setup().file(FILE, image("1.7.0")).start(CONFIG);
    let visitor = Visitor::of(&server);
    fail(&server, BACK);
    check_in(&server, BACK, "esp32s3", "1.6.0");
    let path = format!("/devices/{BACK}");
    for (lang, remedy) in [("en", "with a serial cable"), ("zh", "串口线")] {
        let page = visitor.page(&path, lang);
        let (top, _) = page.split_once("id=\"reported\"").unwrap();
        // A busy machine makes it late, which is another failure.
        let is_silent = known(&server, BACK)["offers"][0]["end"] == "silent";
        assert!(
            top.contains("class=\"hand bad\"") && words(top).contains(FILE),
            "{top}"
        );
        assert!(is_silent || words(top).contains(remedy), "{top}");
        assert!(!words(&page).contains("xiaozhi-ota retry"), "{page}");
    }
    let page = visitor.page(&path, "en");
    let retry = forms(&page)
        .into_iter()
        .find(|form| form.action.ends_with("/retry"));
    let csrf = retry
        .unwrap()
        .fields
        .into_iter()
        .find(|(name, _)| name == "csrf");
    let csrf = csrf.unwrap().1;
    // A file that is gone cannot be tried again.
    fs::remove_file(server.bin().join(FILE)).unwrap();
    let is_gone = || {
        let page = visitor.page(&path, "en");
        words(&page).contains("the file is gone").then_some(page)
    };
    let page = until("it is gone", is_gone);
    let is_silent = known(&server, BACK)["offers"][0]["end"] == "silent";
    assert!(is_silent || !page.contains("class=\"hand bad\""), "{page}");
    assert!(!words(&page).contains("xiaozhi-ota retry"), "{page}");
    assert!(
        forms(&page).iter().all(|form| form.action == "/sign-out"),
        "{page}"
    );
    // Of what was ordered otherwise nothing is said that is not known.
    assert_eq!(
        visitor
            .post(&format!("{path}/retry"), &[("csrf", &csrf)])
            .status,
        303
    );
    let page = words(&visitor.page(&path, "en"));
    let (_, answer) = page.split_once("Last answer").unwrap();
    let (answer, _) = answer.split_once("Ordered").unwrap();
    assert!(!answer.contains('…'), "{answer}");
}

#[test]
fn what_failed_and_was_taken_away_leaves_the_silent_ones() {
    let server = setup().file(FILE, image("1.7.0")).start(CONFIG);
    let visitor = Visitor::of(&server);
    for device in [BACK, OTHER] {
        fetch(&server, device);
    }
    let end = |device| known(&server, device)["offers"][0]["end"].clone();
    let are_silent = || [BACK, OTHER].iter().all(|device| end(device) == "silent");
    until("silence", || are_silent().then_some(()));
    let delete = format!("href=\"/firmware/files/{FILE}/delete\"");
    let page = first(&visitor, "en", |page| page.contains(&delete));
    assert!(part(&page, "hand").contains("class=\"hand bad\""));
    fs::remove_file(server.bin().join(FILE)).unwrap();
    fs::write(server.bin().join("esp32s3_1.7.1.bin"), image("1.7.1")).unwrap();
    first(&visitor, "en", |page| {
        let hand = part(page, "hand");
        let said = words(&hand);
        said.contains("was taken away")
            && said.contains("they are offered esp32s3_1.7.1.bin")
            && hand.contains(&format!("href=\"/devices/{BACK}/forget\""))
            && !hand.contains("class=\"hand bad\"")
            && !hand.contains(&delete)
    });
}
