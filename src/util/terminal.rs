//! Texts of strangers that somebody reads in a terminal. Pure.

use std::fmt;

/// Returns a stranger's text, which must not steer the terminal: neither by control
/// characters nor by those that turn the direction of what follows (Unicode's
/// `Bidi_Control`). Lines stay lines.
pub(crate) fn shown(text: &str) -> String {
    let safe = |c: char| {
        if steers(c) && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(safe).collect()
}

/// Returns the same of JSON, in which such characters are escaped: its own rules ask
/// that of some of them only.
pub(crate) fn shown_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // Writing to a String cannot fail; all of them fit four digits.
        let _ = if steers(c) && c != '\n' {
            fmt::Write::write_fmt(&mut text, format_args!("\\u{:04x}", u32::from(c)))
        } else {
            fmt::Write::write_char(&mut text, c)
        };
    }
    text
}

/// Escapes such characters behind `start`, the ends of lines among them: what a device
/// or a stranger sent must not look like a line of its own either.
pub fn keep_on_one_line(line: &mut String, start: usize) {
    // 0xC2 begins the C1 controls, 0xD8 and 0xE2 what turns the direction. Every byte is
    // looked at, without an early end, for that becomes vector instructions: 20 ns a line
    // of the log in place of 190, three lines a check-in (`cargo bench --bench paths`).
    let suspect = |b: u8| {
        u8::from(b < b' ')
            | u8::from(b == 0x7f)
            | u8::from(b == 0xC2)
            | u8::from(b == 0xD8)
            | u8::from(b == 0xE2)
    };
    let Some(bytes) = line.as_bytes().get(start..) else {
        return;
    };
    if bytes.iter().fold(0, |found, b| found | suspect(*b)) == 0 {
        return;
    }
    let text = line.split_off(start);
    for c in text.chars() {
        if steers(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

fn steers(c: char) -> bool {
    let turns = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || turns
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_steers_is_seen_and_does_nothing() {
        let hostile = "a\u{1b}[2J\u{202e}b\nc";
        assert_eq!(shown(hostile), "a\u{fffd}[2J\u{fffd}b\nc");
        assert_eq!(shown_json(hostile), "a\\u001b[2J\\u202eb\nc");
        let mut line = format!("x {hostile}小智");
        keep_on_one_line(&mut line, 2);
        assert_eq!(line, "x a\\u{1b}[2J\\u{202e}b\\nc小智");
    }

    proptest! {
        #[test]
        fn a_line_is_one_line(text in any::<String>(), start in 0usize..4) {
            let mut line = format!("abcd{text}");
            keep_on_one_line(&mut line, start);
            prop_assert!(!line.chars().any(steers));
            prop_assert!(line.starts_with("abcd"));
        }
    }
}
