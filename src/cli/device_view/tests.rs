//! Words for devices: reasons, cells and columns.

use super::*;
use crate::event::{Kind, kinds};

#[test]
fn every_reason_has_words_with_what_is_known() {
    let device = Device {
        mac: "aa:bb:cc:dd:ee:01".to_owned(),
        chip: Some("esp32c3".to_owned()),
        revision: Some(3),
        offers: vec![
            Offer {
                file: "a_2.bin".to_owned(),
                end: "silent".to_owned(),
                ..Offer::default()
            };
            2
        ],
        ..Device::default()
    };
    let why = |id: &str, lang| {
        let why = Some(id.to_owned());
        let device = Device {
            why,
            ..device.clone()
        };
        device.why(lang).unwrap()
    };
    assert_eq!(
        why("withheld.chip", Lang::En),
        "not offered: the image is for …, and the device is an esp32c3"
    );
    assert!(why("withheld.revision-low", Lang::Zh).contains("v0.3"));
    assert!(why("withheld.failed", Lang::En).contains("2 times"));
    let retry = format!("xiaozhi-ota retry {}", device.mac);
    for id in ["withheld.failed", "withheld.too-much-failed"] {
        for lang in [Lang::En, Lang::Zh] {
            let words = why(id, lang);
            assert!(words.contains(&retry), "{words}");
        }
    }
    let odd = Device {
        chip: Some("http://user:hidden@a/\u{1b}".to_owned()),
        why: Some("withheld.chip".to_owned()),
        ..device.clone()
    };
    let words = odd.why(Lang::En).unwrap();
    assert!(
        !words.contains("hidden") && !words.contains('\u{1b}'),
        "{words}"
    );
    let is_reason = |kind: &&&Kind| kind.id.starts_with("withheld.");
    for kind in kinds::all().collect::<Vec<_>>().iter().filter(is_reason) {
        for lang in [Lang::En, Lang::Zh] {
            let words = why(kind.id, lang);
            assert!(!words.is_empty() && !words.contains('{'), "{words}");
        }
    }
    assert_eq!(
        why("withheld.\u{202e}new", Lang::En),
        "withheld.\\u{202e}new"
    );
}

#[test]
fn the_server_says_what_is_given_up() {
    let device = |times: u64, given_up: bool| -> Device {
        let seen = "2026-06-14T07:30:00Z";
        let json = serde_json::json!({
            "mac": "aa:bb:cc:dd:ee:01", "first_seen": seen, "last_seen": seen, "boots": 2,
            "transport": "http",
            "offers": [{"file": "a_2.bin", "version": "2", "end": "silent", "at": seen}],
            "failed": [{"file": "a_2.bin", "times": times, "given_up": given_up}],
        });
        serde_json::from_value(json).unwrap()
    };
    // Whatever the number is at which it does so.
    for (times, given_up, end) in [(1, true, "silent, given up"), (3, false, "silent")] {
        let device = device(times, given_up);
        assert_eq!(device.is_given_up(), given_up);
        assert_eq!(device.end(Lang::En), end);
    }
}

#[test]
fn a_cell_is_cut_by_what_it_takes() {
    assert_eq!(cell("abc", 3), "abc");
    assert_eq!(cell("abcd", 3), "ab…");
    assert_eq!(cell("小智小智", 8), "小智小智");
    assert_eq!(cell("小智小智", 6), "小智…");
    assert_eq!(cell("a\u{1b}", 20), "a\\u{1b}");
}

#[test]
fn columns_stand_below_each_other() {
    let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    let rows = [row(["a", "小智", "x"]), row(["abc", "b", ""])];
    assert_eq!(widths(&rows), [3, 4, 1]);
    assert_eq!(table(&rows, &widths(&rows), 1), " a    小智  x\n abc  b\n");
}
