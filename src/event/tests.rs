use super::*;
use std::collections::HashSet;

/// The fields that a template shows, and whether they may be absent.
fn shown(text: Text, lang: Lang) -> Vec<(String, bool)> {
    let template = text.to(lang);
    assert_eq!(
        template.matches('{').count(),
        template.matches('}').count(),
        "{template}"
    );
    let mut names: Vec<_> = pieces(template)
        .filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Field {
                name, is_optional, ..
            } => Some((name.to_owned(), is_optional)),
        })
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
            for (name, is_optional) in en {
                assert!(fields.contains(&&*name), "{}: {name} is no field", kind.id);
                let mut optional = kind.fields.iter().filter(|field| field.contains('?'));
                let may_be_absent =
                    optional.any(|field| field.trim_end_matches(['?', '~']) == name);
                assert_eq!(is_optional, may_be_absent, "{}: {name}", kind.id);
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
        CERTIFICATE_KEY_LONG,
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

#[test]
fn an_empty_version_is_called_that() {
    use xiaozhi_device::image::Remark;
    let misnamed = Remark::Misnamed {
        named: "1.0".into(),
        inside: String::new(),
    };
    let said = Event::from(&misnamed).to_string();
    assert!(said.contains("the image holds an empty version:"), "{said}");
}

#[test]
fn what_is_typed_is_in_quotes() {
    let event = event!(
        ACME_EAB_OPEN,
        setting = "s",
        file = "/my key",
        mode = "0644"
    );
    assert!(event.to_string().contains(" /my key has"), "{event}");
    assert!(
        event.to_string().ends_with("chmod 600 '/my key'"),
        "{event}"
    );
}

#[test]
fn what_stands_around_an_absent_field_is_not_said() {
    let event = event!(CONFIG_NEAR_MISS, near = "gateway");
    let about = event.clone().of("key", "gatway").of("place", "c.yaml:2");
    assert_eq!(
        about.to_string(),
        "c.yaml:2: gatway: is not read here: did you mean `gateway`?"
    );
    let shown = about.write(Lang::Zh, &mut String::new());
    assert_eq!(about.unsaid(shown).count(), 0);
    assert!(event.advice(Lang::En).starts_with("is not read here"));
    let moved = event.of("key", "gatway").of("place", "c.yaml:3");
    assert!(about.is_like(&moved) && about != moved);
    for text in ["", "{", "}", "a{b", "{a|b}", "{a}{|b|: }c{ä|d|}", "{{x}}"] {
        let _ = pieces(text).count();
    }
}
