//! On which lines of the file its keys stand. The reader of values knows no
//! positions, so the file is passed through an event parser beside it.

use super::full_name;
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::HashMap;

/// The lines of each key, by its full name in dots (`gateway.tls.mode`,
/// `gateway.ports[0].port`).
#[derive(Debug, Default)]
pub(super) struct Places {
    lines: HashMap<String, Vec<usize>>,
    /// The values that stand in quotes, which are texts to `PyYAML` whatever they say.
    quoted: HashMap<String, String>,
    /// On which lines `<<` stands in quotes, where it is a key like any other.
    quoted_merges: Vec<usize>,
    /// The line on which collections stand in each other deeper than [`DEEPEST`].
    too_deep: Option<usize>,
}

/// How deep collections may stand in each other. The deepest setting lies at five; the
/// reader of values would need minutes for some hundred thousand brackets.
const DEEPEST: usize = 64;
/// How many brackets may be open by their number alone, which counts those in texts,
/// too: with more, the event parser itself would need minutes.
const BRACKETS: usize = 20_000;

/// The line on which more brackets are open than any file has.
fn too_many_brackets(text: &str) -> Option<usize> {
    let (mut open, mut line) = (0_usize, 1);
    for byte in text.bytes() {
        match byte {
            b'\n' => line += 1,
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > BRACKETS {
            return Some(line);
        }
    }
    None
}

/// A collection that has not ended.
enum Open {
    /// A mapping, and the key whose value comes next.
    Map { path: String, key: Option<String> },
    /// A list, and how many of its items came.
    List { path: String, items: usize },
    /// A collection that is a key, which nobody here has.
    Key,
}

impl Places {
    /// Reads a file. What the parser cannot take has no lines: whether it is YAML
    /// at all is not judged here.
    pub(super) fn read(text: &str) -> Self {
        let mut places = Self {
            too_deep: too_many_brackets(text),
            ..Self::default()
        };
        if places.too_deep.is_some() {
            return places;
        }
        let mut open: Vec<Open> = Vec::new();
        for event in Parser::new_from_str(text) {
            let Ok((event, span)) = event else { break };
            if open.len() > DEEPEST {
                places.too_deep = Some(span.start.line());
                break;
            }
            match event {
                Event::Scalar(text, style, _, tag) => match open.last_mut() {
                    Some(Open::Map { path, key }) if key.is_none() => {
                        let line = span.start.line();
                        if text == "<<" && style != ScalarStyle::Plain {
                            places.quoted_merges.push(line);
                        }
                        let name = full_name(path, &text);
                        places.lines.entry(name).or_default().push(line);
                        *key = Some(text.into_owned());
                    }
                    _ => {
                        let depth = open.len();
                        let name = value(&mut open);
                        // A key that holds dots is none of ours, and a tag says more
                        // than quotes.
                        let name = name.filter(|name| name.matches('.').count() + 1 == depth);
                        if style != ScalarStyle::Plain && tag.is_none() {
                            let name = name.map(|name| (name, text.into_owned()));
                            places.quoted.extend(name);
                        }
                    }
                },
                Event::Alias(_) => drop(value(&mut open)),
                Event::MappingStart(..) => {
                    let next =
                        value(&mut open).map_or(Open::Key, |path| Open::Map { path, key: None });
                    open.push(next);
                }
                Event::SequenceStart(..) => {
                    let next =
                        value(&mut open).map_or(Open::Key, |path| Open::List { path, items: 0 });
                    open.push(next);
                }
                Event::MappingEnd | Event::SequenceEnd => {
                    if let Some(Open::Key) = open.pop()
                        && let Some(Open::Map { key, .. }) = open.last_mut()
                    {
                        *key = Some(String::new());
                    }
                }
                _ => {}
            }
        }
        places
    }

    /// The line on which collections stand in each other too deep to be read.
    pub(super) fn too_deep(&self) -> Option<usize> {
        self.too_deep
    }

    /// A key's value, if it stands in quotes.
    pub(super) fn quoted(&self, key: &str) -> Option<&str> {
        self.quoted.get(key).map(String::as_str)
    }

    /// The first line on which `<<` stands in quotes.
    pub(super) fn quoted_merge(&self) -> Option<usize> {
        self.quoted_merges.first().copied()
    }

    /// Names the lines on which a key stands, in brackets; nothing where they are
    /// not known.
    pub(super) fn named(&self, key: &str) -> String {
        let lines = self.lines.get(key).map(Vec::as_slice).unwrap_or_default();
        let numbers: Vec<_> = lines.iter().map(ToString::to_string).collect();
        match numbers.as_slice() {
            [] => String::new(),
            [line] => format!(" (line {line})"),
            [some @ .., last] => format!(" (lines {} and {last})", some.join(", ")),
        }
    }
}

/// Takes the place of a value in the innermost collection, and returns its full
/// name; `None` for what stands in a key's place.
fn value(open: &mut [Open]) -> Option<String> {
    match open.last_mut() {
        None => Some(String::new()),
        Some(Open::Map { path, key }) => key.take().map(|key| full_name(path, &key)),
        Some(Open::List { path, items }) => {
            *items += 1;
            Some(format!("{path}[{}]", *items - 1))
        }
        Some(Open::Key) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_have_lines() {
        let places = Places::read(
            "server: &x\n  ip: 0.0.0.0\n  ? [a, {b: 1}]\n  : c\n  auth: {enabled: on,\n    x: [1, {y: 2}]}\n\nserver: *x\n\
             list:\n- a: 1\n- *x\n-\n  a: 2\n",
        );
        for (key, named) in [
            ("server", " (lines 1 and 8)"),
            ("server.ip", " (line 2)"),
            ("server.auth", " (line 5)"),
            ("server.auth.enabled", " (line 5)"),
            ("server.auth.x[1].y", " (line 6)"),
            ("list[0].a", " (line 10)"),
            ("list[2].a", " (line 13)"),
            ("server.b", ""),
        ] {
            assert_eq!(places.named(key), named, "{key}");
        }
        for (text, line) in [
            (format!("\na: {}", "[".repeat(500_000)), Some(2)),
            (format!("a: {}", "{a: ".repeat(1000)), Some(1)),
            (format!("{}x", "- ".repeat(1000)), Some(1)),
            ("a: [1]\n".repeat(1000), None),
        ] {
            assert_eq!(Places::read(&text).too_deep(), line);
        }
        let text = "a: {b: 'off', c: off, e: !!bool 'off'}\n'<<': x\nd: |\n  off\na.c: 'off'\n";
        let places = Places::read(text);
        let quoted = ["a.b", "a.c", "a.e", "d"].map(|key| places.quoted(key));
        assert_eq!(
            (quoted, places.quoted_merge()),
            ([Some("off"), None, None, Some("off\n")], Some(2))
        );
    }

    proptest! {
        #[test]
        fn any_text_is_passed_through(text in "[a-z0-9:\\-\\[\\]{}#&*!|>'\" \n\t%@`,?~<]{0,60}") {
            let _ = Places::read(&text).named("a");
        }
    }
}
