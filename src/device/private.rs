//! Leaves out of a device's report what is its owner's: the name of the Wi-Fi, and the
//! numbers of a modem and its card.

use std::borrow::Cow;

/// Parts of keys whose values are left out, in lower case: those of
/// `boards/common/wifi_board.cc` and `ml307_board.cc` in the firmware, and their like.
const PRIVATE: [&str; 4] = ["ssid", "imei", "iccid", "imsi"];
/// Longest key that is looked at, in bytes.
const LONGEST: usize = 64;
/// Text that stands for a value.
const MASK: &str = "***";
/// Key that the firmware writes behind the name of the Wi-Fi.
const BEHIND_SSID: &str = "rssi";

/// Returns a report's text without private values, whether it is JSON or not: the firmware
/// pastes the name of the Wi-Fi in as it is, quotes and all. Where the end of a value cannot
/// be told, the rest goes with it.
pub fn masked(body: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let (mut from, mut at) = (0, 0);
    let last_name = before_rssi(body);
    while let Some((value, is_ssid)) = next(body, at) {
        let end = end_of(body, value, last_name.filter(|_| is_ssid));
        shown.push_str(&body[from..value]);
        shown.push_str(MASK);
        (from, at) = (end, end);
    }
    if from == 0 {
        return body.into();
    }
    shown.push_str(&body[from..]);
    shown.into()
}

/// Finds the next private key from `at` on. Returns the place of its value, and whether it is
/// the name of a Wi-Fi.
fn next(body: &str, at: usize) -> Option<(usize, bool)> {
    let mut rest = at;
    loop {
        let quote = rest + body.get(rest..)?.find('"')?;
        rest = quote + 1;
        let behind = body.get(rest..)?;
        let Some((key, behind)) = behind
            .split_once('"')
            .filter(|(key, _)| key.len() <= LONGEST)
        else {
            continue;
        };
        let Some(value) = behind.trim_start().strip_prefix(':') else {
            continue;
        };
        let key = plain(key);
        if PRIVATE.iter().any(|private| key.contains(private)) {
            let value = value.trim_start();
            return Some((body.len() - value.len(), key.contains("ssid")));
        }
    }
}

/// Returns a key in lower case, its escapes written out.
fn plain(key: &str) -> String {
    let mut plain = String::new();
    let mut rest = key;
    while let Some((before, behind)) = rest.split_once("\\u") {
        plain.push_str(before);
        let sign = behind.get(..4);
        let sign = sign.and_then(|hex| u32::from_str_radix(hex, 16).ok());
        match sign.and_then(char::from_u32) {
            Some(sign) => {
                plain.push(sign);
                rest = &behind[4..];
            }
            None => rest = behind,
        }
    }
    plain.push_str(rest);
    plain.to_ascii_lowercase()
}

/// Returns the end of the value at `value`: that of the last name of a Wi-Fi, where it is one
/// and stands in front of that.
fn end_of(body: &str, value: usize, last_name: Option<usize>) -> usize {
    let rest = &body[value..];
    if rest.starts_with(['[', '{']) {
        return value + end_of_nested(rest);
    }
    let Some(text) = rest.strip_prefix('"') else {
        // A number, or nothing.
        let end = rest.find([',', '}', ']', '\n']);
        return end.map_or(body.len(), |end| value + end);
    };
    let start = value + 1;
    if let Some(end) = last_name.filter(|end| *end > start) {
        return end;
    }
    let mut is_escaped = false;
    for (at, sign) in text.char_indices() {
        match sign {
            '\\' if !is_escaped => is_escaped = true,
            '"' if !is_escaped && ends_value(&text[at + 1..]) => return start + at + 1,
            _ => is_escaped = false,
        }
    }
    body.len()
}

/// Returns the end of a list or an object, or of the text where it has none.
fn end_of_nested(text: &str) -> usize {
    let (mut depth, mut is_text, mut is_escaped) = (0usize, false, false);
    for (at, sign) in text.char_indices() {
        match sign {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            '[' | '{' if !is_text => depth += 1,
            ']' | '}' if !is_text => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

/// Tells whether what follows a quote may follow a value: the end, or another key.
fn ends_value(behind: &str) -> bool {
    let behind = behind.trim_start();
    if behind.is_empty() || behind.starts_with(['}', ']']) {
        return true;
    }
    let next = behind.strip_prefix(',').map(str::trim_start);
    let key = next.and_then(|next| next.strip_prefix('"')?.split_once('"'));
    key.is_some_and(|(_, behind)| behind.trim_start().starts_with(':'))
}

/// Returns the end of the name of a Wi-Fi in front of the key that the firmware writes behind
/// it, the last one that there is: the name may hold it, too. A body is looked through for it
/// once: anybody can send one that is nothing but names.
fn before_rssi(body: &str) -> Option<usize> {
    let key = body.rfind(&format!("\"{BEHIND_SSID}\""))?;
    let front = body[..key].trim_end().strip_suffix(',')?.trim_end();
    front.ends_with('"').then_some(front.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_the_owners_is_left_out() {
        for (body, shown) in [
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (
                r#"{"ssid":"Home","rssi":-50}"#,
                r#"{"ssid":***,"rssi":-50}"#,
            ),
            (r#"{"SSID" : "Home" , "x":1}"#, r#"{"SSID" : *** , "x":1}"#),
            (
                r#"{"ssid":"Ho"me\","rssi":-50}"#,
                r#"{"ssid":***,"rssi":-50}"#,
            ),
            (
                r#"{"ssid":"a","rssi":"b","rssi":-5}"#,
                r#"{"ssid":***,"rssi":-5}"#,
            ),
            (r#"{"ssid":"say \"hi\", you"}"#, r#"{"ssid":***}"#),
            (r#"{"ssid":"cut of"#, r#"{"ssid":***"#),
            (
                r#"{"ssid":null,"imei":8612345,"iccid":"8986"}"#,
                r#"{"ssid":***,"imei":***,"iccid":***}"#,
            ),
            (r#"{"ssid":"a""#, r#"{"ssid":***"#),
            (r#"["ssid"]"#, r#"["ssid"]"#),
            (
                r#"{"bssid":"x","ap_ssid":"y"}"#,
                r#"{"bssid":***,"ap_ssid":***}"#,
            ),
            (
                r#"{"ss\u0069d":"x","rss\u0069":1}"#,
                r#"{"ss\u0069d":***,"rss\u0069":1}"#,
            ),
            (r#"{"ssid":["a","b]"],"x":1}"#, r#"{"ssid":***,"x":1}"#),
            (
                r#"{"ssid":{"a":1,"name":"b"},"x":1}"#,
                r#"{"ssid":***,"x":1}"#,
            ),
            (r#"{"ssid":"a","b"}"#, r#"{"ssid":***}"#),
            (r#"{"IMSI":460001,"rssi":1}"#, r#"{"IMSI":***,"rssi":1}"#),
        ] {
            assert_eq!(masked(body), shown, "{body}");
        }
    }

    /// Each name looks through no more than itself: with all that is left for each, this many
    /// would take hours.
    #[test]
    fn many_names_take_no_longer_than_as_many_bytes() {
        let many = 1 << 20;
        for (before, name, behind, count) in [
            ("", r#""ssid":"a","#, "", many),
            (r#""rssi":1,"#, r#""ssid":"a","#, "", many),
            // The key that would end a name has no comma in front.
            ("", r#""ssid":"a","#, r#""x" "rssi""#, many),
            // All of it is one name.
            ("", r#""ssid":"a","#, r#""x","rssi":1"#, 1),
        ] {
            let body = format!("{{{before}{}{behind}", name.repeat(many));
            let masked = masked(&body);
            let shown = masked.matches(MASK).count();
            assert_eq!(shown, count, "{before} {behind}");
        }
    }

    proptest! {
        #[test]
        fn no_name_of_a_wifi_is_shown(name in "[A-Za-z0-9\"\\\\, :}é]{0,24}") {
            let name = format!("<{name}>");
            let body = format!(r#"{{"board":{{"type":"b","ssid":"{name}","rssi":-50,"ip":"192.0.2.1"}}}}"#);
            let shown = masked(&body);
            prop_assert!(!shown.contains('<') && !shown.contains('>'), "{}", shown);
            prop_assert!(shown.ends_with(r#","rssi":-50,"ip":"192.0.2.1"}}"#), "{}", shown);
        }

        #[test]
        fn no_text_panics(body in "\\PC{0,60}|[\"a-z:,{}\\\\ ]{0,80}") {
            masked(&body);
        }
    }
}
