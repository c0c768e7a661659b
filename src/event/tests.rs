use super::*;
use std::collections::HashSet;

/// The fields that a template shows.
fn shown(text: Text, lang: Lang) -> Vec<String> {
    let template = text.to(lang);
    assert_eq!(
        template.matches('{').count(),
        template.matches('}').count(),
        "{template}"
    );
    let parts = template.split('{').skip(1);
    let mut names: Vec<_> = parts
        .map(|part| part.split_once('}').unwrap().0.to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn every_kind_is_told_apart_and_has_words_in_both_languages() {
    let mut ids = HashSet::new();
    for kind in kinds::all() {
        assert!(ids.insert(kind.id), "{} twice", kind.id);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        assert!(kind.id.chars().all(plain), "{}", kind.id);
        let fields: Vec<_> = kind
            .fields
            .iter()
            .map(|name| name.trim_end_matches(['?', '~']))
            .collect();
        for text in [Some(kind.words), kind.remedy].into_iter().flatten() {
            let (zh, en) = (shown(text, Lang::Zh), shown(text, Lang::En));
            assert_eq!(zh, en, "{}", kind.id);
            for name in en {
                assert!(fields.contains(&&*name), "{}: {name} is no field", kind.id);
                assert!(
                    !kind.fields.contains(&&*format!("{name}?")),
                    "{}: {name} may be absent",
                    kind.id
                );
            }
            for lang in [Lang::Zh, Lang::En] {
                assert!(!text.to(lang).trim().is_empty(), "{}", kind.id);
                assert!(
                    !text.to(lang).contains("  ") || kind.id.starts_with("address."),
                    "{}",
                    kind.id
                );
            }
        }
        // What every line of JSON has already.
        for name in fields {
            assert!(
                !["time", "level", "source", "event", "message"].contains(&name),
                "{}",
                kind.id
            );
        }
    }
}

#[test]
fn what_changes_with_time_alone_is_no_news() {
    let ends = |days: u8, hours: u64| {
        event!(
            CERTIFICATE_EXPIRING,
            setting = "s",
            file = "a.pem",
            days = days,
            hours = hours,
            acme = false
        )
    };
    assert!(ends(30, 700).is_like(&ends(30, 676)));
    assert!(!ends(30, 700).is_like(&ends(14, 330)));
    let other = event!(
        CERTIFICATE_EXPIRING,
        setting = "s",
        file = "b.pem",
        days = 30u8,
        hours = 700u64,
        acme = false
    );
    assert!(!ends(30, 700).is_like(&other));
}

#[test]
fn a_message_says_lead_words_and_remedy() {
    let event = event!(WITHHELD_CHIP, image = "ESP32-S3", chip = "esp32c3");
    assert_eq!(
        event.to_string(),
        "not offered: the image is for ESP32-S3, and the device is an esp32c3"
    );
    assert_eq!(
        event.words(Lang::Zh),
        "该固件用于 ESP32-S3，而设备是 esp32c3"
    );
    let event = event!(
        CERTIFICATE_KEY_SHORT,
        setting = "s",
        file = "a.pem",
        bits = 1024u64
    );
    assert!(
        event
            .to_string()
            .ends_with(" Remedy: make a P-256 key, or an RSA one of 2048 bits.")
    );
    assert!(event.message(Lang::Zh).contains("处理办法："));
}
