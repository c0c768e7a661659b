//! Leaves out of a device's report what is its owner's: the name of the Wi-Fi, and the
//! numbers of a modem and its card.

use std::borrow::Cow;

/// Keys whose values are left out, in lower case: those of `boards/common/wifi_board.cc` and
/// `ml307_board.cc` in the firmware.
const PRIVATE: [&str; 3] = ["ssid", "imei", "iccid"];
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
    while let Some((value, key)) = next(body, at) {
        let end = end_of(body, value, key);
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

/// Finds the next private key from `at` on. Returns the place of its value.
fn next(body: &str, at: usize) -> Option<(usize, &'static str)> {
    let mut rest = at;
    loop {
        let quote = rest + body.get(rest..)?.find('"')?;
        let name = body.get(quote + 1..)?;
        for key in PRIVATE {
            let Some(found) = name.get(..key.len()) else {
                continue;
            };
            let Some(behind) = name
                .get(key.len()..)
                .and_then(|rest| rest.strip_prefix('"'))
            else {
                continue;
            };
            let value = behind.trim_start();
            let Some(value) = value.strip_prefix(':').map(str::trim_start) else {
                continue;
            };
            if found.eq_ignore_ascii_case(key) {
                return Some((body.len() - value.len(), key));
            }
        }
        rest = quote + 1;
    }
}

/// Returns the end of the value at `value`.
fn end_of(body: &str, value: usize, key: &str) -> usize {
    let rest = &body[value..];
    let Some(text) = rest.strip_prefix('"') else {
        // A number, or nothing.
        let end = rest.find([',', '}', ']', '\n']);
        return end.map_or(body.len(), |end| value + end);
    };
    let start = value + 1;
    if key == "ssid"
        && let Some(end) = before_rssi(text)
    {
        return start + end;
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

/// Tells whether what follows a quote may follow a value.
fn ends_value(behind: &str) -> bool {
    let behind = behind.trim_start();
    behind.is_empty() || behind.starts_with([',', '}', ']'])
}

/// Returns the end of the name of a Wi-Fi in front of the key that the firmware writes behind
/// it, the last one that there is: the name may hold it, too.
fn before_rssi(text: &str) -> Option<usize> {
    let key = text.rfind(&format!("\"{BEHIND_SSID}\""))?;
    let front = text[..key].trim_end().strip_suffix(',')?.trim_end();
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
                r#"{"essid":"x","ssids":"y"}"#,
                r#"{"essid":"x","ssids":"y"}"#,
            ),
        ] {
            assert_eq!(masked(body), shown, "{body}");
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
