//! Slips in YAML's grammar: a key without its colon, two keys on one line, a value that begins
//! with a sign of the grammar.

use super::keys;
use super::lines::{indent_of, key_and_value, without_dashes};
use super::placeholder::VARIABLE;
use super::signs::OddSign;
use crate::event::{Event, event};
use ipnet::Ipv6Net;
use std::net::Ipv6Addr;

/// Signs with which no value begins.
const SIGNS: [char; 6] = ['%', '@', '`', ',', ']', '}'];

/// Says that a line begins with a key that is read here and no colon follows: `http_port=8003`,
/// `http_port 8003`, `server`.
pub(super) fn without_colon(line: &str) -> Option<Event> {
    if line.trim_start().starts_with("- ") {
        return None;
    }
    let line = line.trim();
    let is_sign = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let end = line.find(|c| !is_sign(c)).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    let (word, key) = (word.rsplit('.').next().unwrap_or(word), word);
    if !keys::is_word(word) {
        return None;
    }
    let value = rest.split(" #").next().unwrap_or_default().trim();
    let is_assigned = ["=", ":=", "=>", "->"].iter().any(|s| value.starts_with(s));
    let is_alone = value.is_empty() || value == ";";
    // A sentence may begin with any word.
    let is_one = rest.starts_with([' ', '\t']) && !value.contains([' ', ':']);
    if !is_assigned && !is_alone && !is_one {
        return None;
    }
    Some(no_colon(key, is_alone))
}

/// Says that a colon is missing behind a key; `is_section` where nothing stands behind it.
pub(super) fn no_colon(key: &str, is_section: bool) -> Event {
    let value = if is_section { ":" } else { ": …" };
    event!(CONFIG_NO_COLON, write = format!("{key}{value}"))
}

/// Says that a dash makes an item of a section that is read here, or is glued to a key.
pub(super) fn dashed(line: &str) -> Option<Event> {
    let rest = line.trim_start_matches(' ').strip_prefix('-')?;
    let (key, value) = key_and_value(rest.trim_start())?;
    let is_top = indent_of(line) == 0 && keys::of_section("").contains(&key);
    if is_top {
        return Some(event!(CONFIG_DASHES));
    }
    let is_glued = !rest.starts_with([' ', '-']) && keys::is_word(key) && value.starts_with(' ');
    is_glued.then(|| event!(CONFIG_NO_BLANK, behind = "-", write = format!("- {key}: …")))
}

/// Says what a value within brackets cannot be without quotes: an IPv6 address, whose colons
/// YAML takes for its own, and a variable, whose braces.
pub(super) fn in_brackets(line: &str) -> Option<Event> {
    let (before, inner) = line.split_at(line.find(['[', '{'])?);
    if before.contains(['"', '\'', '#']) {
        return None;
    }
    let inner = inner.split(" #").next().unwrap_or_default();
    if inner[1..].contains("${") {
        return Some(event!(CONFIG_LEFT_IN, is = VARIABLE));
    }
    let mut words = inner.split(['[', ']', '{', '}', ',', ' ']);
    let word = words.find(|word| {
        let is_address = word.parse::<Ipv6Addr>().is_ok() || word.parse::<Ipv6Net>().is_ok();
        is_address && (word.starts_with(':') || word.ends_with(':'))
    })?;
    let write = format!("'{word}'");
    Some(event!(CONFIG_QUOTE, sign = ":", write = write))
}

/// Finds a sign of another width among brackets, outside of quotes, that was to part what
/// stands in them.
pub(super) fn odd_in_brackets(line: &str) -> Option<OddSign> {
    let inner = &line[line.find(['[', '{'])?..];
    let mut quote = None;
    inner.chars().find_map(|c| {
        match quote {
            Some(open) if open == c => quote = None,
            None if matches!(c, '"' | '\'') => quote = Some(c),
            _ => {}
        }
        let parts = |odd: &OddSign| matches!(odd.meant, Some(',' | ':' | '[' | ']' | '{' | '}'));
        OddSign::of(c).filter(parts).filter(|_| quote.is_none())
    })
}

/// Says that a value, as it stands behind its key, is none to YAML.
pub(super) fn value(key: &str, value: &str) -> Option<Event> {
    // What looks like a key may be a part of a value, which may be secret.
    let key = if keys::is_word(key) { key } else { "key" };
    let quote = |sign: &str| {
        let write = format!("{key}: '…'");
        Some(event!(CONFIG_QUOTE, sign = sign, write = write))
    };
    let value = value.trim();
    let first = value.chars().next()?;
    if matches!(first, '"' | '\'') {
        return is_behind_quote(value, first).then(|| quote(&first.to_string()))?;
    }
    let value = value.split(" #").next().unwrap_or_default().trim_end();
    if value.starts_with("- ") {
        return Some(event!(CONFIG_BRACKETS, write = format!("{key}: […]")));
    }
    if SIGNS.contains(&first) || value.starts_with("? ") {
        return quote(&first.to_string());
    }
    let is_header = |c: char| c.is_ascii_digit() || "+-".contains(c);
    let is_block = value.len() < 4 && value.chars().skip(1).all(is_header);
    if matches!(first, '|' | '>') && !is_block {
        return quote(&first.to_string());
    }
    if matches!(first, '[' | '{' | '&' | '!' | '*') {
        return None;
    }
    let end = value
        .find(": ")
        .or_else(|| value.ends_with(':').then(|| value.len() - 1))?;
    let second = without_dashes(value[..end].rsplit(' ').next().unwrap_or_default());
    if keys::is_word(second) && end > second.len() || keys::is_word(&value[..end]) {
        return Some(event!(CONFIG_ONE_LINE, second = second));
    }
    quote(":")
}

/// Tells whether something stands behind the quote that closes a value.
fn is_behind_quote(value: &str, quote: char) -> bool {
    let mut chars = value.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => drop(chars.next()),
            '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
            }
            c if c == quote => {
                let behind = value[at + 1..].trim_start();
                return !behind.is_empty() && !behind.starts_with(['#', ',', '}', ']', ':']);
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_of_one_sign_of_any_width_is_looked_at() {
        for text in ["中", "é", "é1", "|中", ">é", "😀", "|", ">-"] {
            let _ = value("ip", text);
        }
        assert!(value("ip", "|中").is_some() && value("ip", "|2-").is_none());
    }

    proptest! {
        #[test]
        fn no_value_breaks_it(text in "[-|>\"'&!*?{\\[#:, 中é😀a1+@`%]{0,12}") {
            let _ = value("ip", &text);
        }
    }
}
