//! The list of devices: search, and a page after the other.

use super::visitor::{Visitor, devices, link, words};
use super::{CONFIG, FILE, check_in, check_in_with, fetch, image, setup};
use crate::support::Server;
use serde_json::json;
use std::collections::HashSet;
use std::fs;

fn mac(number: u32) -> String {
    format!("02:00:00:00:{:02x}:{:02x}", number >> 8, number & 0xff)
}

/// Every page behind this one.
fn pages(visitor: &Visitor<'_>, path: &str, between: impl Fn(u32)) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page = visitor.page(&path, "en");
        assert_eq!(
            link(&page, "First page").is_some(),
            !pages.is_empty(),
            "{path}"
        );
        pages.push(devices(&page));
        next = link(&page, "Next page");
        between(u32::try_from(pages.len()).unwrap());
    }
    pages
}

#[test]
fn every_device_is_on_one_page_while_others_come() {
    let server = setup().start(CONFIG);
    for number in 0..250 {
        check_in(&server, &mac(number * 2 + 1), "esp32s3", "1.6.0");
    }
    let visitor = Visitor::of(&server);
    let found = pages(&visitor, "/devices", |page| {
        // Before and behind what was shown last.
        check_in(&server, &mac(page * 2), "esp32s3", "1.6.0");
        check_in(&server, &mac(450 + page * 2), "esp32s3", "1.6.0");
    });
    let sizes: Vec<_> = found.iter().map(Vec::len).collect();
    assert!(
        sizes[0] == 100 && sizes[1] == 100 && sizes.len() == 3,
        "{sizes:?}"
    );
    let all: Vec<_> = found.concat();
    assert!(all.is_sorted());
    let once: HashSet<_> = all.iter().collect();
    assert_eq!(once.len(), all.len());
    assert!((0..250).all(|number| once.contains(&mac(number * 2 + 1))));
    // A search keeps what it looks for from page to page.
    let found = pages(&visitor, "/devices?q=1.6&end=&seen_since=1h", |_| ());
    assert_eq!(found.concat().len(), 256);
}

fn found(visitor: &Visitor<'_>, query: &str) -> Vec<String> {
    devices(&visitor.page(&format!("/devices?{query}"), "en"))
}

fn started() -> Server {
    let server = setup().file(FILE, image("1.7.0")).start(CONFIG);
    fetch(&server, &mac(1));
    assert_eq!(check_in(&server, &mac(1), "esp32s3", "1.7.0"), None);
    check_in(&server, &mac(2), "esp32s3", "1.6.0");
    check_in(&server, &mac(3), "bread-compact-wifi", "1.5.0");
    let body =
        json!({"application": {"version": "2.0.0"}, "board": {"type": "小智", "name": "小智 A"}});
    check_in_with(
        &server,
        &mac(4),
        "7b94d69a-9808-4c59-9c9b-704333b38aff",
        &body,
    );
    server
}

#[test]
fn a_search_finds_devices_by_whatever_is_known_of_them() {
    let server = started();
    let visitor = Visitor::of(&server);
    for (query, numbers) in [
        ("q=020000000003", &[3][..]),
        ("q=02-00-00-00-00-03", &[3]),
        ("q=00:00:00:03", &[3]),
        ("q=+02-00-00-00-00-03%0A", &[3]),
        ("q=BREAD", &[3]),
        ("q=1.5", &[3]),
        ("q=127.0.0", &[1, 2, 3, 4]),
        ("q=7b94d69a-98", &[4]),
        ("q=%E5%B0%8F%E6%99%BA+A", &[4]),
        ("model=esp32s3", &[1, 2]),
        ("model=esp32s3&version=1.6.0", &[2]),
        ("board=bread-compact-wifi", &[3]),
        ("end=succeeded", &[1]),
        ("end=succeeded&q=03", &[]),
        ("file=esp32s3_1.7.0.bin", &[1, 2]),
        ("file=esp32s3_1.7.0.bin&end=offered", &[2]),
        ("transport=http", &[1, 2, 3, 4]),
        ("transport=https", &[]),
        ("seen_since=1h", &[1, 2, 3, 4]),
        ("q=nowhere", &[]),
    ] {
        let expected: Vec<_> = numbers.iter().map(|number| mac(*number)).collect();
        assert_eq!(found(&visitor, query), expected, "{query}");
        let (_, api) = server.admin_json("GET", &format!("/api/v1/devices?{query}"), "");
        assert_eq!(
            api["devices"].as_array().unwrap().len(),
            numbers.len(),
            "{query}"
        );
    }
    let page = words(&visitor.page("/devices?q=nowhere", "en"));
    for word in ["No device is like that", "MAC address", "client id"] {
        assert!(page.contains(word), "{word}: {page}");
    }
    // What was asked for stands in the form, and beside it what has no field there.
    let page = visitor.page(
        "/devices?q=%22%3E%3Cb&file=esp32s3_1.7.0.bin&end=offered",
        "zh",
    );
    assert!(page.contains("value=\"&quot;&gt;&lt;b\""), "{page}");
    assert!(
        page.contains("<option value=\"offered\" selected>"),
        "{page}"
    );
    assert!(page.contains("<input type=\"hidden\" name=\"file\" value=\"esp32s3_1.7.0.bin\">"));
}

#[test]
fn acts_come_a_hundred_to_a_page() {
    let setup = setup();
    let state = setup.path().join("data/state");
    fs::create_dir_all(&state).unwrap();
    let act = |number: u32| {
        format!(
            "{{\"at\":\"2026-01-01T00:00:00Z\",\"act\":\"publish\",\"by\":\"a\",\"from\":\"::1\",\"file\":\"act-{number}.bin\"}}"
        )
    };
    let acts: Vec<_> = (0..250).map(act).collect();
    let orders = format!("{{\"version\":1,\"acts\":[{}]}}", acts.join(","));
    fs::write(state.join("orders.json"), orders).unwrap();
    let server = setup.start(CONFIG);
    let visitor = Visitor::of(&server);
    let (mut next, mut shown) = (Some("/acts".to_owned()), Vec::new());
    while let Some(path) = next {
        let page = visitor.page(&path, "en");
        let rows = page.split(">act-").skip(1);
        let rows: Vec<u32> = rows
            .map(|row| row.split('.').next().unwrap().parse().unwrap())
            .collect();
        assert!(rows.len() <= 100, "{path}");
        shown.extend(rows);
        next = link(&page, "Next page");
    }
    assert_eq!(shown, (0..250).rev().collect::<Vec<_>>());
    assert_eq!(visitor.ask("/acts?after=x", "en").status, 400);
    visitor.page("/acts?after=18446744073709551615", "zh");
}
