//! Reads a scalar as xiaozhi-server does, which has `PyYAML`: quotes make a text
//! of everything, and what is without them may be a number, a boolean or a date
//! (YAML 1.1). Then Python asks whether it is true, or for its `int()`.

use super::raw::{Scalar, Style};
use super::section::{Section, port};
use super::{values, wanted};
use crate::event::event;
use crate::event::text::Text;

/// The type that `PyYAML` gives a scalar. That of null is not seen here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Boolean(bool),
    Integer,
    Float,
    Date,
}

impl Type {
    /// Returns the type of a scalar. Where nobody knows of quotes there are none.
    pub(super) fn of(scalar: &Scalar) -> Self {
        let text = scalar.text.as_str();
        match scalar.style {
            Style::Quoted => Self::Text,
            _ if is_one_of(text, &["yes", "true", "on"]) => Self::Boolean(true),
            _ if is_one_of(text, &["no", "false", "off"]) => Self::Boolean(false),
            _ if is_integer(text) => Self::Integer,
            _ if is_float(text) => Self::Float,
            _ if is_date(text) => Self::Date,
            _ => Self::Text,
        }
    }
}

/// Tells whether it is one of the words, in the three spellings of YAML 1.1: `off`, `Off`,
/// `OFF`.
fn is_one_of(text: &str, words: &[&str]) -> bool {
    let mut letters = text.chars();
    let is_lower = |c: char| c.is_ascii_lowercase();
    let is_upper = |c: char| c.is_ascii_uppercase();
    let first = letters.next();
    let is_spelt = first.is_some_and(is_lower) && letters.clone().all(is_lower)
        || first.is_some_and(is_upper) && (letters.clone().all(is_lower) || letters.all(is_upper));
    is_spelt && words.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Tells whether there is something, and all of it is `is_sign`.
fn is_run(text: &str, is_sign: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is_sign)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

fn without_sign(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

/// Tells whether the parts behind the first colon are those of a number in base 60.
fn is_base_60<'t>(mut parts: impl Iterator<Item = &'t str>) -> bool {
    parts.all(|part| {
        part.len() <= 2
            && is_run(part, |b| b.is_ascii_digit())
            && part.parse::<u8>().is_ok_and(|n| n < 60)
    })
}

fn is_integer(text: &str) -> bool {
    let text = without_sign(text);
    if let Some(binary) = text.strip_prefix("0b") {
        return is_run(binary, |b| b"01_".contains(&b));
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return is_run(hex, |b| b.is_ascii_hexdigit() || b == b'_');
    }
    if let Some(octal) = text.strip_prefix('0') {
        return octal.bytes().all(|b| b"01234567_".contains(&b));
    }
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    first.starts_with(|c: char| c.is_ascii_digit()) && is_run(first, is_digit) && is_base_60(parts)
}

fn is_float(text: &str) -> bool {
    let unsigned = without_sign(text);
    if is_one_of(unsigned.strip_prefix('.').unwrap_or_default(), &["inf"])
        || matches!(text, ".nan" | ".NaN" | ".NAN")
    {
        return true;
    }
    let Some((whole, rest)) = unsigned.split_once('.') else {
        return false;
    };
    if let Some((first, base_60)) = whole.split_once(':') {
        return first.starts_with(|c: char| c.is_ascii_digit())
            && is_run(first, is_digit)
            && is_base_60(base_60.split(':'))
            && rest.bytes().all(is_digit);
    }
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let is_exponent = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or_default();
        is_run(digits, |b| b.is_ascii_digit())
    });
    let begins =
        |part: &str| part.starts_with(|c: char| c.is_ascii_digit()) && is_run(part, is_digit);
    let is_number = if whole.is_empty() {
        text.len() == unsigned.len() && begins(fraction)
    } else {
        begins(whole) && fraction.bytes().all(is_digit)
    };
    is_number && is_exponent
}

/// Tells whether it is a day, and perhaps a time behind it.
fn is_date(text: &str) -> bool {
    let is_number = |part: &str, lengths: &[usize]| {
        lengths.contains(&part.len()) && is_run(part, |b| b.is_ascii_digit())
    };
    let (day, time) = match text.split_once(['T', 't', ' ', '\t']) {
        Some((day, time)) => (day, Some(time.trim_start_matches([' ', '\t']))),
        None => (text, None),
    };
    let lengths: &[usize] = if time.is_some() { &[1, 2] } else { &[2] };
    let parts: Vec<_> = day.split('-').collect();
    let is_day = matches!(parts[..], [year, month, day]
        if is_number(year, &[4]) && is_number(month, lengths) && is_number(day, lengths));
    let Some(time) = time else { return is_day };
    let end = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(end);
    let (clock, fraction) = clock
        .trim_end_matches([' ', '\t'])
        .split_once('.')
        .unwrap_or((clock.trim_end_matches([' ', '\t']), ""));
    let parts: Vec<_> = clock.split(':').collect();
    let is_clock = matches!(parts[..], [hour, minute, second]
        if is_number(hour, &[1, 2]) && is_number(minute, &[2]) && is_number(second, &[2]));
    let zone: Vec<_> = zone.trim_start_matches(['+', '-']).split(':').collect();
    let is_zone = match zone[..] {
        ["" | "Z"] => true,
        [hours] => is_number(hours, &[1, 2]),
        [hours, minutes] => is_number(hours, &[1, 2]) && is_number(minutes, &[2]),
        _ => false,
    };
    is_day && is_clock && fraction.bytes().all(|b| b.is_ascii_digit()) && is_zone
}

/// Tells whether a key says yes, as Python asks: every text does, `"off"` too, every number
/// but zero, and every list and mapping that has something in it.
pub(super) fn is_true(section: &Section<'_>, key: &str) -> Option<bool> {
    if let Some(filled) = section.is_filled(key) {
        if filled {
            section.about(key).warn(event!(CONFIG_BOOLEAN_SPELLING));
        }
        return Some(filled);
    }
    let scalar = section.scalar(key)?;
    let text = scalar.text.as_str();
    // What the file seems to say.
    let said = values::boolean(text.trim());
    let about = || section.about(key).value(text);
    let value = match Type::of(scalar) {
        Type::Boolean(value) => {
            // What else there may be in quotes is a boolean to the reader of values.
            if scalar.style == Style::Unknown && !value {
                about().warn(event!(CONFIG_UNSURE_QUOTES));
            }
            return Some(value);
        }
        Type::Text if text.is_empty() => return None,
        Type::Integer | Type::Float => !is_zero(text),
        Type::Text | Type::Date => true,
    };
    // Whoever wrote it may not know.
    if value && said != Some(true) {
        about().warn(if scalar.style == Style::Quoted {
            event!(CONFIG_QUOTED_BOOLEAN)
        } else {
            event!(CONFIG_BOOLEAN_SPELLING)
        });
    }
    Some(value)
}

/// Tells whether a number is zero, in whatever base: none of its digits says otherwise. An
/// exponent says nothing, and what is infinite or no number at all is true.
fn is_zero(text: &str) -> bool {
    let number = without_sign(text).to_ascii_lowercase();
    let (prefix, digits) = match number.get(..2) {
        Some(prefix @ ("0x" | "0b")) => (prefix, &number[2..]),
        _ => ("", number.as_str()),
    };
    let digits = if prefix == "0x" {
        digits
    } else {
        digits.split('e').next().unwrap_or_default()
    };
    digits.chars().all(|c| matches!(c, '0' | '_' | ':' | '.')) && digits.contains('0')
}

/// Reads a port by Python's `int()`, which takes no `0x1f43` in quotes, and `"010"`
/// for 10.
pub(super) fn port_of(section: &Section<'_>, key: &str) -> Option<u16> {
    let scalar = section.scalar(key)?;
    section.read(key, wanted::PORT, |text| {
        let number = if scalar.style == Style::Quoted {
            let digits = text.strip_prefix('+').unwrap_or(text);
            digits.bytes().all(is_digit).then_some(digits)?;
            digits.trim_start_matches('0')
        } else {
            text
        };
        port(number).filter(|port| *port > 0)
    })
}

/// Reads hours from UTC, which Python multiplies by 60.
pub(super) fn hours(section: &Section<'_>, key: &str) -> Option<i32> {
    let minutes = section.read(key, wanted::HOURS, |text| {
        values::hours_as_minutes(text).filter(|minutes| minutes.abs() <= 14 * 60)
    })?;
    let scalar = section.scalar(key)?;
    if Type::of(scalar) == Type::Text && scalar.style != Style::Unknown {
        let about = section.about(key).value(scalar.text.as_str());
        about.warn(event!(CONFIG_TEXT_FOR_HOURS));
    }
    Some(minutes)
}

/// Warns of keys that must be texts to Python, and are none as they are written. What
/// they hold is not shown: it may be a key.
pub(super) fn expect_texts(section: &Section<'_>, keys: &[&str]) {
    for key in keys {
        let Some(scalar) = section.has(key).then(|| section.scalar(key)).flatten() else {
            continue;
        };
        let is = match Type::of(scalar) {
            Type::Text => continue,
            Type::Boolean(_) => Text::new("布尔值", "true or false"),
            Type::Integer | Type::Float => Text::new("数字", "a number"),
            Type::Date => Text::new("日期", "a date"),
        };
        if scalar.style == Style::Unknown {
            continue;
        }
        section
            .about(key)
            .warn(event!(CONFIG_UNQUOTED_TEXT, is = is));
    }
}

#[cfg(test)]
mod tests;
