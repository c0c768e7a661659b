//! Small things that several pages show: texts of strangers, links, numbers. Pure.

use crate::admin::api;
use crate::admin::reply::Refusal;
use crate::event::Event;
use crate::event::text::Lang;
use crate::fleet::{DeviceId, OfferEnd};
use crate::util::terminal::{one_line, shown};
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Number of characters of a stranger's text that are shown where there is little room.
const SHORT: usize = 40;
/// Sign in front of an id that is written in base64.
const SIGN: char = '=';
/// Characters that stay as they are in an address.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b':');

/// Shows a stranger's text: what nobody sees in it, or what turns the direction of others, is
/// written out, and nothing around it is turned.
pub(super) fn stranger(text: &str) -> Markup {
    html! { bdi { (one_line(text)) } }
}

/// Shows the words of an event, in which strangers may be quoted, with what to do about it.
pub(super) fn message(event: &Event, lang: Lang) -> Markup {
    html! { bdi { (shown(&event.message(lang))) } }
}

/// Shows a stranger's text where there is little room. All of it shows where somebody points at it.
pub(super) fn short(text: &str) -> Markup {
    let line = one_line(text);
    if let Some((end, _)) = line.char_indices().nth(SHORT) {
        let begin = line.get(..end).unwrap_or_default();
        return html! { bdi title=(line) { (begin) "…" } };
    }
    html! { bdi { (line) } }
}

/// Returns the address of a device's page. Browsers take an id of dots for a step of the path,
/// however it is written: such a one stands there in base64, behind a sign, and so does one that
/// begins with that sign.
pub(super) fn device_path(id: &DeviceId) -> String {
    let id = id.to_string();
    if matches!(&*id, "." | "..") || id.starts_with(SIGN) {
        return format!("/devices/{SIGN}{}", URL_SAFE_NO_PAD.encode(&id));
    }
    format!("/devices/{}", encoded(&id))
}

/// Returns the id in the path of a device's page. No device has one that is no text.
pub(super) fn of_path(id: Result<Path<String>, PathRejection>) -> Result<DeviceId, Refusal> {
    let id = api::of_path(id)?;
    let text = id.to_string();
    let written = text.strip_prefix(SIGN);
    let bytes = written.and_then(|written| URL_SAFE_NO_PAD.decode(written).ok());
    let read = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(read.map_or(id, |read| DeviceId::new(&read)))
}

/// Links a device's page.
pub(super) fn device(id: &DeviceId) -> Markup {
    html! { a.mono href=(device_path(id)) { (short(&id.to_string())) } }
}

/// Returns a text as a part of an address.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Returns the address of the list of devices that are like this.
pub(super) fn devices_path(wanted: &[(&str, &str)]) -> String {
    let pairs = wanted.iter().map(|(key, value)| {
        let value = encoded(value);
        format!("{key}={value}")
    });
    let pairs: Vec<_> = pairs.collect();
    if pairs.is_empty() {
        return "/devices".to_owned();
    }
    format!("/devices?{}", pairs.join("&"))
}

/// Makes a table that goes sideways by itself where there is little room. `about` says what it
/// shows.
pub(super) fn table(about: &str, head: &Markup, rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(about) {
            table {
                caption { (about) }
                thead { tr { (head) } }
                tbody { (rows) }
            }
        }
    }
}

/// Returns a number, its thousands apart.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Returns how many of a hundred a part is of a whole. Neither none nor all is said of what is
/// neither.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    let share = (u128::from(part) * 100 + u128::from(whole) / 2).checked_div(whole.into());
    let share = u64::try_from(share.unwrap_or(0)).unwrap_or(100);
    match part {
        0 => 0,
        part if part < whole => share.clamp(1, 99),
        _ => share,
    }
}

/// Returns the number of the colour of an end: good ones, failures and what goes on are told
/// apart.
pub(super) const fn colour(end: OfferEnd) -> usize {
    match end {
        OfferEnd::Succeeded => 2,
        OfferEnd::RolledBack => 4,
        OfferEnd::Silent => 1,
        OfferEnd::Interrupted | OfferEnd::Superseded => 5,
        OfferEnd::Offered | OfferEnd::Fetching | OfferEnd::Fetched => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::event;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_a_stranger_says_is_inert(text in any::<String>()) {
            let event = event!(ADMIN_NOTHING_FAILED, device = &text, file = &text);
            for shown in [stranger(&text), short(&text), message(&event, Lang::Zh)] {
                let shown = shown.into_string();
                let inside = shown.strip_prefix("<bdi").and_then(|shown| shown.strip_suffix("</bdi>"));
                let inside = inside.unwrap();
                prop_assert_eq!(inside.matches('<').count(), 0);
                let steers = ['\u{202e}', '\u{2066}', '\0', '\u{1b}'];
                prop_assert!(!inside.contains(steers));
            }
            let path = devices_path(&[("q", &text)]);
            prop_assert!(path.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'<'));
            let id = DeviceId::new(&text);
            prop_assert_eq!(device_path(&id).matches('/').count(), 2);
        }
    }

    /// What stands behind the last slash of a device's address, as the server gets it.
    fn last(path: &str) -> String {
        let (_, last) = path.rsplit_once('/').unwrap();
        let last = percent_encoding::percent_decode_str(last);
        last.decode_utf8().unwrap().into_owned()
    }

    proptest! {
        #[test]
        fn every_id_has_a_page_that_a_browser_can_ask_for(text in "[.=]{0,3}\\PC{0,4}") {
            let id = DeviceId::new(&text);
            let path = device_path(&id);
            prop_assert!(!path.ends_with("/.") && !path.ends_with("/.."), "{path}");
            prop_assert_eq!(of_path(Ok(Path(last(&path)))), Ok(id));
        }
    }

    #[test]
    fn ids_of_dots_have_pages() {
        for (id, path) in [
            (".", "/devices/=Lg"),
            ("..", "/devices/=Li4"),
            ("...", "/devices/..."),
        ] {
            assert_eq!(device_path(&DeviceId::new(id)), path);
        }
    }

    #[test]
    fn numbers_can_be_read() {
        for (plain, shown) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(plain), shown);
        }
        for (part, whole, share) in [
            (0, 0, 0),
            (0, 9, 0),
            (1, 1000, 1),
            (999, 1000, 99),
            (1, 3, 33),
            (5, 5, 100),
        ] {
            assert_eq!(percent(part, whole), share, "{part} of {whole}");
        }
    }
}
