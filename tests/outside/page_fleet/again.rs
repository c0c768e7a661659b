//! What is said of an image that failed on a device, and may be offered to it again.

use super::visitor::{Visitor, words};
use super::{BACK, CONFIG, FILE, check_in, fetch, image, known, setup};
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
    says("is not offered to it now: why stands below");
    fs::remove_file(server.bin().join(FILE)).unwrap();
    says("is in the firmware folder no more");
    assert_eq!(known(&server, BACK)["failed"][0]["given_up"], json!(false));
}
