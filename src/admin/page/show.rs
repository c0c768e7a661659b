//! Small things that several pages show: texts of strangers, links, numbers. Pure.

use crate::event::Event;
use crate::event::text::Lang;
use crate::fleet::{DeviceId, OfferEnd};
use crate::util::terminal::{one_line, shown};
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Number of characters of a stranger's text that are shown where there is little room.
const SHORT: usize = 40;
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

/// Returns the address of a device's page.
pub(super) fn device_path(id: &DeviceId) -> String {
    format!("/devices/{}", encoded(&id.to_string()))
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
