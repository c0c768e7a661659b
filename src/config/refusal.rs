//! Words for where the reader of YAML gives up: the slip that explains it, or else the
//! library's own words, without what may be secret in them.

use super::foreign::{self, Found, line_behind};
use super::signs::OddSign;
use super::{grammar, lines, slips};
use crate::event::event;
use std::path::Path;

/// Says why a file is no YAML. `file` is its name, for the command that mends it.
pub(super) fn explain(e: &serde_yaml::Error, text: &str, file: &Path) -> Found {
    let error = without_values(e);
    // The library counts such signs, and no lines.
    if let Some(found) = control(text).filter(|_| error.contains("control characters")) {
        return found;
    }
    if let Some(found) = foreign::of_text(text, file) {
        return found;
    }
    let Some(at) = e.location() else {
        return if error.contains("more than one document") {
            another_document(text)
        } else {
            // Aliases of aliases.
            (None, event!(CONFIG_TOO_DEEP))
        };
    };
    // What is missed is missed behind the last one.
    let last = text.lines().count();
    let line = at.line().min(last).max(1);
    // Where it began to read what never ended.
    let begun = error
        .rsplit_once(" at line ")
        .and_then(|(_, place)| place.split(' ').next()?.parse().ok())
        .map(|begun: usize| begun.min(last));
    if error.contains("while scanning a quoted scalar") {
        return (begun, event!(CONFIG_OPEN_QUOTE));
    }
    if error.contains("while parsing a quoted scalar") {
        return (Some(line), event!(CONFIG_BACKSLASH));
    }
    if error.contains("unknown anchor") || error.contains("scanning an alias") {
        return (Some(line), event!(CONFIG_NO_ANCHOR));
    }
    let slip = slips::explain(text, Some(line));
    let opening = begun.and_then(|begun| text.lines().nth(begun.saturating_sub(1)));
    let opening = opening.filter(|line| line.contains(['[', '{']));
    if let Some(opening) = opening.filter(|_| error.contains("while parsing a flow ")) {
        if let Some(odd) = grammar::odd_in_brackets(opening) {
            return (begun, slips::sign(odd));
        }
        if slip.is_none() {
            return (begun, event!(CONFIG_OPEN_BRACKET));
        }
    }
    match slip {
        Some((line, event)) => (Some(line), event),
        None if error.contains("cannot start any token") => {
            let text = text.lines().nth(line - 1).unwrap_or_default();
            let sign = text.chars().nth(at.column().saturating_sub(1));
            let sign = sign.unwrap_or_default().escape_debug().to_string();
            (Some(line), event!(CONFIG_QUOTE, sign = sign, write = "'…'"))
        }
        None if error.contains("scanning an anchor") => {
            (Some(line), event!(CONFIG_QUOTE, sign = "&", write = "'…'"))
        }
        None if error.contains("could not find expected ':'") => {
            (begun.or(Some(line)), grammar::no_colon("key", false))
        }
        None => (Some(line), event!(CONFIG_NOT_YAML, error = error)),
    }
}

/// Says why a file holds no keys.
pub(super) fn without_keys(text: &str, line: Option<usize>, file: &Path) -> Found {
    if let Some(found) = foreign::of_text(text, file) {
        return found;
    }
    match slips::explain(text, None) {
        Some((line, event)) => (Some(line), event),
        None => (line, event!(CONFIG_NO_KEYS)),
    }
}

/// Names the first sign that YAML does not take (YAML 1.2, section 5.1).
fn control(text: &str) -> Option<Found> {
    let is_taken = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let at = text.find(|c| !is_taken(c))?;
    let odd = OddSign::find_unseen(&text[at..])?;
    let line = line_behind(&text.as_bytes()[..at]);
    Some((Some(line), slips::sign(odd)))
}

/// Says where another document begins: behind a marker, or where the lines no longer belong
/// to the first one.
fn another_document(text: &str) -> Found {
    let mark = text.lines().position(|line| line.starts_with('\u{feff}'));
    if let Some((at, odd)) = mark.zip(OddSign::of('\u{feff}')) {
        return (Some(at + 1), slips::sign(odd));
    }
    if let Some(line) = line_of_second_document(text) {
        return (Some(line), event!(CONFIG_NOT_ONE_DOCUMENT));
    }
    let lines = lines::structure(text);
    let first = lines.first().map(lines::indent).unwrap_or_default();
    let outer = lines.iter().find(|line| lines::indent(line) < first);
    match outer {
        Some(line) => {
            let blanks = lines::indent(line);
            let event = event!(CONFIG_INDENT, blanks = blanks, wanted = first);
            (Some(line.number), event)
        }
        None => (None, event!(CONFIG_NOT_ONE_DOCUMENT)),
    }
}

/// Returns the line that begins another document, or ends the first one.
fn line_of_second_document(text: &str) -> Option<usize> {
    let mut has_begun = false;
    for (number, line) in text.lines().enumerate() {
        let is_marker = ["---", "..."].iter().any(|mark| {
            let rest = line.strip_prefix(mark);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r']))
        });
        if has_begun && (is_marker || line.starts_with("%YAML")) {
            return Some(number + 1);
        }
        let is_content = !line.trim().is_empty() && !line.starts_with(['#', '%']);
        has_begun |= is_content;
    }
    None
}

/// The words of the library's own texts (`parser.rs`, `scanner.rs` and `reader.rs` of
/// libyaml, `error.rs` of the crate above it).
const WORDS: &str = "a alias aliases allowed alphabetic alphabetical alphanumerical an anchor and any are area at be \
    block break but by can cannot character characters code collection column comment containing \
    content context control could deserializing did digit directive document duplicate empty end \
    entries entry eof equal error escape escaped exceeded exceeds expected extremely failed find \
    first flow for found from handle hexadecimal in incompatible incomplete incorrect indentation \
    indicator input invalid io is key keys leading length limit line list long low mapping mappings \
    merge merging more must name nested next node non not number numeric occurrence octet of one \
    only or pair parse parsing plain position prefix quoted recursion repetition required scalar \
    scanning second sequence simple space spaces start stream supported surrogate tab tag tagged \
    than that the this to token too trailing undefined unexpected unicode unknown unsupported uri \
    utf utf8 value values version violates where while whitespace yaml";

/// Returns the library's words for a fault. Where it says more than words of its own, that
/// may be a value, or a key of a mapping, and either may be a secret.
fn without_values(error: &serde_yaml::Error) -> String {
    let message = error.to_string();
    let is_sign = |c: char| !c.is_alphanumeric();
    let is_known = |word: &str| {
        let lower = word.to_ascii_lowercase();
        WORDS.split_whitespace().any(|known| known == lower)
            || word.len() < 8 && word.bytes().all(|b| b.is_ascii_digit())
    };
    let mut words = message.split(is_sign).filter(|word| !word.is_empty());
    if words.all(is_known) {
        return message;
    }
    let place = error
        .location()
        .map(|at| format!(" at line {} column {}", at.line(), at.column()));
    format!(
        "something stands where it cannot{}",
        place.unwrap_or_default()
    )
}
