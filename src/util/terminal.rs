//! Texts that somebody reads in a terminal: those of strangers, which must not steer
//! it, and lines that must fit it. Pure.

use crate::event::unseen::is_unshown;
use std::ffi::OsStr;
use std::fmt;
use unicode_width::UnicodeWidthChar;

/// Returns a stranger's text, which must not steer the terminal: neither by control
/// characters nor by those that turn the direction of what follows (Unicode's
/// `Bidi_Control`) or that nobody sees. They are escaped. Lines stay lines.
pub(crate) fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            safe.push('\n');
        }
        let start = safe.len();
        safe.push_str(line);
        keep_on_one_line(&mut safe, start);
    }
    safe
}

/// Returns the same of JSON, in which such characters are escaped: its own rules ask
/// that of some of them only.
pub(crate) fn shown_json(json: &str) -> String {
    escaped_json(json, |c| is_unshown(c) && c != '\n')
}

/// Returns JSON whose characters are escaped where they are like this.
fn escaped_json(json: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_escaped(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = fmt::Write::write_fmt(&mut text, format_args!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Escapes such characters behind `start`, the ends of lines among them: what a device
/// or a stranger sent must not look like a line of its own either.
pub fn keep_on_one_line(line: &mut String, start: usize) {
    let Some(text) = line.get(start..) else {
        return;
    };
    if !may_hold_unshown(text.as_bytes()) || !text.chars().any(is_unshown) {
        return;
    }
    let text = line.split_off(start);
    for c in text.chars() {
        if is_unshown(c) {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

/// Tells whether the bytes of a text may be those of a character that is not shown. Most
/// texts need no other look: Latin letters (0xC3 to 0xCC), Chinese ones (0xE4 to 0xE9) and
/// their signs (0xE3 0x80, 0xEF 0xBC, 0xEF 0xBD), and Korean syllables (0xEB, 0xEC) are all
/// shown. Every byte is looked at, without an early end, for that becomes vector
/// instructions: 20 ns a line of the log in place of 190, three lines a check-in (`cargo
/// bench --bench paths`).
fn may_hold_unshown(text: &[u8]) -> bool {
    let is = u8::from;
    let alone = |b: u8| {
        is(b < b' ')
            | is(b == 0x7f)
            | is(b == 0xC2)
            | is(b.wrapping_sub(0xCD) <= 0xE2 - 0xCD)
            | is(b == 0xEA)
            | is(b >= 0xED) & is(b != 0xEF)
    };
    let pair = |a: u8, b: u8| {
        let is_half_or_full_width = is(b == 0xBC) | is(b == 0xBD);
        is(a == 0xE3) & is(b != 0x80) | is(a == 0xEF) & (is_half_or_full_width ^ 1)
    };
    let found = text.iter().fold(0, |found, b| found | alone(*b));
    let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
    pairs.fold(found, |found, (a, b)| found | pair(*a, *b)) != 0
}

/// Returns a stranger's text as a part of one line.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = text.to_owned();
    keep_on_one_line(&mut line, 0);
    line
}

/// Returns the name of a file as a part of one line: bytes that are no UTF-8 are shown
/// as `\xff`, for two such names are two files.
pub(crate) fn file_name(name: impl AsRef<OsStr>) -> String {
    let mut line = String::new();
    for chunk in name.as_ref().as_encoded_bytes().utf8_chunks() {
        let start = line.len();
        line.push_str(chunk.valid());
        keep_on_one_line(&mut line, start);
        for byte in chunk.invalid() {
            let _ = fmt::Write::write_fmt(&mut line, format_args!("\\x{byte:02x}"));
        }
    }
    line
}

/// Returns a text as a terminal shows it that is not UTF-8: what is not ASCII is named.
pub(crate) fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '…' => plain.push_str("..."),
            '–' | '—' => plain.push('-'),
            '‘' | '’' => plain.push('\''),
            '“' | '”' => plain.push('"'),
            '\u{a0}' => plain.push(' '),
            '\u{fffd}' => plain.push('?'),
            c if c.is_ascii() => plain.push(c),
            c => plain.extend(c.escape_unicode()),
        }
    }
    plain
}

/// Returns JSON for the same terminal.
pub(crate) fn ascii_json(json: &str) -> String {
    escaped_json(json, |c| !c.is_ascii())
}

/// Counts the columns of a terminal that a text takes: a Chinese character takes two,
/// an accent of its own none.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

fn width(c: char) -> usize {
    match c {
        // It makes a picture of the sign before it, which then takes two.
        '\u{fe0f}' => 1,
        c => c.width().unwrap_or(0),
    }
}

/// Column from which on the lines of a table's values begin, at most.
const LABEL: usize = 24;

/// Breaks lines that are longer than `columns`. What follows stands below the value, in
/// a row whose value stands behind blanks, and else `further` to the right of where the
/// line began.
pub(crate) fn fit(text: &str, columns: usize, further: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut row_above = None;
    for line in text.split_inclusive('\n') {
        let (line, end) = line
            .strip_suffix('\n')
            .map_or((line, ""), |line| (line, "\n"));
        let indent = line.len() - line.trim_start_matches(' ').len();
        let value = value_column(line, indent).or_else(|| {
            // A label as long as its column leaves one blank.
            let (above, column) = row_above.filter(|(above, _)| *above == indent)?;
            let is_row = above > 0 && line.as_bytes().get(column - 1) == Some(&b' ');
            is_row.then_some(column)
        });
        row_above = value.map(|column| (indent, column));
        let hang = value.unwrap_or(indent + further);
        // Half of the width is for what is read.
        let hang = [hang, indent + further, further]
            .into_iter()
            .find(|hang| *hang <= columns / 2)
            .unwrap_or(0);
        break_line(line, columns, hang, &mut out);
        out.push_str(end);
    }
    out
}

/// Returns the column of the value in a row of a table: behind the last gap that a short
/// label leaves.
fn value_column(line: &str, indent: usize) -> Option<usize> {
    let behind = line.get(indent..)?;
    let gaps = behind.match_indices("  ").filter_map(|(at, _)| {
        let rest = behind.get(at..)?;
        let value = rest.trim_start_matches(' ');
        let label = behind.get(..behind.len() - value.len())?;
        let column = indent + columns(label);
        (column <= LABEL && !value.is_empty()).then_some(column)
    });
    gaps.last()
}

fn break_line(line: &str, columns_of_line: usize, hang: usize, out: &mut String) {
    let mut column = 0;
    // Place behind which the line may not be broken again: its begin.
    let mut begin = 0;
    for word in words(line) {
        let bare = columns(word.trim_end_matches(' '));
        if column > begin && column + bare > columns_of_line && bare <= columns_of_line - hang {
            next_line(out, hang);
            (column, begin) = (hang, hang);
        }
        for c in word.chars() {
            let wide = width(c);
            if column + wide > columns_of_line && column > hang {
                if c == ' ' {
                    continue;
                }
                next_line(out, hang);
                (column, begin) = (hang, hang);
            }
            out.push(c);
            column += wide;
        }
    }
}

fn next_line(out: &mut String, hang: usize) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', hang));
}

/// Splits a line into pieces between which it may be broken: behind blanks, and in
/// Chinese wherever no punctuation would begin a line.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let mut chars = rest.char_indices().peekable();
        chars.peek()?;
        let mut end = rest.len();
        while let Some((_, c)) = chars.next() {
            let Some((at, next)) = chars.peek().copied() else {
                break;
            };
            let beside_wide = width(c) == 2 || width(next) == 2;
            let may_break = c == ' '
                || beside_wide
                    && width(next) > 0
                    && next != '\u{fe0f}'
                    && !"，。、；：！？）”》」』】".contains(next)
                    && !"（“《「『【".contains(c);
            if may_break && next != ' ' {
                end = at;
                break;
            }
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

#[cfg(test)]
mod tests;
