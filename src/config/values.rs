//! Reads a scalar's text where a boolean, a number, a duration or a size is wanted,
//! as `PyYAML` (YAML 1.1) and xiaozhi-server would take it.

use jiff::civil::Date;
use std::time::Duration;

/// Reads `true/false`, `yes/no`, `on/off`, in the spellings of YAML 1.1; 1 and 0,
/// which Python takes for the same.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Reads a whole number: a sign, underscores, `0x`, `0b` and YAML 1.1's leading-zero
/// octal are taken as `PyYAML` takes them.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let digits = digits.replace('_', "");
    let (radix, digits) = if let Some(hex) = digits.strip_prefix("0x") {
        (16, hex)
    } else if let Some(binary) = digits.strip_prefix("0b") {
        (2, binary)
    } else if digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|b| (b'0'..=b'7').contains(&b))
    {
        (8, &digits[1..])
    } else {
        (10, &*digits)
    };
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let value = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

/// Reads hours with an optional fraction, in minutes.
pub(super) fn hours_as_minutes(text: &str) -> Option<i32> {
    if let Some(hours) = integer(text) {
        return i32::try_from(hours).ok()?.checked_mul(60);
    }
    let minutes = text.parse::<f64>().ok()? * 60.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range is checked in front of it"
    )]
    (minutes.abs() <= 24.0 * 60.0).then(|| minutes.round() as i32)
}

/// Reads `10s`, `500ms`, `2m`, `1h`, `7d`; a plain number is seconds.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text);
    let seconds = match unit.as_str() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let value: f64 = number.replace('_', "").parse().ok()?;
    Duration::try_from_secs_f64(value * seconds).ok()
}

/// Writes a time as it could be written: in the largest unit in which it is a whole number.
pub(crate) fn time_shown(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        _ if time.subsec_nanos() > 0 => format!("{time:?}"),
        0 => "0s".to_owned(),
        s if s > 86_400 && s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

/// Reads `256MiB`, `64 MB`, `1g`; a plain number is bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    let factor: u64 = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "kb" => 1_000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    u64::try_from(integer(number)?).ok()?.checked_mul(factor)
}

/// Reads `2026-12-31`.
pub(super) fn date(text: &str) -> Option<Date> {
    text.parse().ok()
}

fn split_unit(text: &str) -> (&str, String) {
    let end = text
        .trim_end_matches(|c: char| c.is_ascii_alphabetic())
        .len();
    (text[..end].trim(), text[end..].to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_as_pyyaml_takes_them() {
        for (text, value) in [
            ("8003", Some(8003)),
            ("+8", Some(8)),
            ("-5", Some(-5)),
            ("8_003", Some(8003)),
            ("0x1f", Some(31)),
            ("010", Some(8)),
            ("08", Some(8)),
            ("0", Some(0)),
            ("", None),
            ("1.5", None),
            ("--1", None),
            ("-+1", None),
            ("x", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
        assert_eq!(hours_as_minutes("+8"), Some(480));
        assert_eq!(hours_as_minutes("-3.5"), Some(-210));
        assert_eq!(hours_as_minutes("NaN"), None);
    }

    #[test]
    fn durations_sizes_booleans_dates() {
        assert_eq!(duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(duration("1.5m"), Some(Duration::from_secs(90)));
        assert_eq!(duration("7d"), Some(Duration::from_secs(604_800)));
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(
            (
                duration("-1s"),
                duration("1w"),
                duration("s"),
                duration("inf")
            ),
            (None, None, None, None)
        );
        assert_eq!(size("256MiB"), Some(256 << 20));
        assert_eq!(size("64 MB"), Some(64_000_000));
        assert_eq!((size("-1"), size("1tb"), size("x")), (None, None, None));
        assert_eq!(
            (boolean("on"), boolean("No"), boolean("y")),
            (Some(true), Some(false), None)
        );
        assert_eq!(
            date("2026-12-31").map(|d| d.to_string()).as_deref(),
            Some("2026-12-31")
        );
        assert_eq!((date("2026-13-01"), date("tomorrow")), (None, None));
    }

    #[test]
    fn a_time_is_shown_in_the_unit_that_fits() {
        for text in [
            "250ms", "1.5s", "0s", "72s", "2m", "90m", "24h", "36h", "2d", "7d",
        ] {
            assert_eq!(duration(text).map(time_shown).as_deref(), Some(text));
        }
        assert_eq!(time_shown(Duration::from_secs(86_400)), "24h");
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_a_panic(text in any::<String>()) {
            let _ = (integer(&text), duration(&text), size(&text), date(&text), hours_as_minutes(&text));
        }
    }
}
