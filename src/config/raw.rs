//! The YAML file as a tree in which every node knows its line and every scalar keeps
//! its text.
//!
//! xiaozhi-server reads the same file with `PyYAML`, which knows YAML 1.1: `on` is
//! a boolean, `+8` a number, `"off"` a text, the last of two equal keys wins. And a
//! version like `1.10` must not come out as the number 1.1. So no scalar is given a
//! type here; that is done where one is wanted, in `values` and `python`.
//!
//! Two parsers read the file. What it says is `serde_yaml`'s word, which takes what
//! `PyYAML` takes; lines and quotes come from an event parser (`marks`). What only the
//! first of them takes costs a line number, not a start.

use super::fault::{ConfigFaults, Faults};
use super::foreign::{self, line_behind};
use super::marks::{self, Mark, MarkShape};
use super::{misplaced, refusal, slips};
use crate::event::event;
use serde::de::{Deserialize, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_yaml::Deserializer;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// One node of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// The line of its key, or of itself where it stands in a list; `None` where the
    /// event parser did not come so far.
    pub(super) line: Option<usize>,
    pub(super) kind: Kind,
}

/// The kind of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, `~` or `null`: as if the key were not there.
    Null,
    /// A scalar, as it was written, without its quotes.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, keys and their order as written: of equal ones the last one
    /// counts.
    Map(Vec<Entry>),
}

/// A key and its value.
pub(super) type Entry = (String, Node);

/// A scalar that is not null.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) style: Style,
    /// The first and last line of what is no block of text, where they are known.
    pub(super) lines: Option<(usize, usize)>,
}

/// The way in which a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Written without quotes: it may be a number, a boolean or a date to `PyYAML`.
    Plain,
    /// Written in quotes or in a block: it is a text to `PyYAML`, whatever it says.
    Quoted,
    /// Not known, behind what the event parser could not take.
    Unknown,
}

/// Reads a whole file. Nothing in it is an empty mapping.
pub(super) fn parse(bytes: &[u8], faults: &Faults) -> Result<Node, ConfigFaults> {
    let whole = |(line, event)| ConfigFaults(vec![faults.about("", line).into_fault(event)]);
    let file = faults.file();
    if let Some(found) = foreign::of_bytes(bytes, &file) {
        return Err(whole(found));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let before = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let event = event!(CONFIG_NOT_UTF8, byte = before.len());
        whole((Some(line_behind(before)), event))
    })?;
    // Editors of Windows begin a file with it, and `PyYAML` passes over it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = &*with_line_feeds(text);
    if let Some(found) = foreign::of_locked_values(text, &file) {
        return Err(whole(found));
    }
    if let Some((line, event)) = slips::conflict(text).or_else(|| slips::python_tag(text)) {
        return Err(whole((Some(line), event)));
    }
    let marks =
        marks::read(text).map_err(|deep| whole((Some(deep.line), event!(CONFIG_TOO_DEEP))))?;
    let not_yaml = |e: serde_yaml::Error| whole(refusal::explain(&e, text, &file));
    let shape = Shape::deserialize(Deserializer::from_str(text)).map_err(not_yaml)?;
    let texts = Texts {
        shape: &shape,
        mark: marks.as_ref(),
        line: marks.as_ref().map(|mark| mark.line),
    };
    let mut node = texts
        .deserialize(Deserializer::from_str(text))
        .map_err(not_yaml)?;
    match &node.kind {
        Kind::Null => node.kind = Kind::Map(Vec::new()),
        Kind::Map(entries) => {
            if let Some(found) = foreign::of_tree(|key| {
                let found = entries.iter().find(|(known, _)| known == key);
                found.map(|(_, node)| node.line)
            }) {
                return Err(whole(found));
            }
            if let Some((_, first)) = entries.first()
                && !entries.iter().any(|(key, _)| misplaced::is_of_either(key))
            {
                if let Some(found) = foreign::of_text(text, &file) {
                    return Err(whole(found));
                }
                faults
                    .about("", first.line)
                    .warn(event!(CONFIG_NOTHING_READ));
            }
        }
        Kind::Scalar(_) | Kind::List(_) => {
            return Err(whole(refusal::without_keys(text, node.line, &file)));
        }
    }
    if let Some(line) = slips::tab(text) {
        faults
            .about("", Some(line))
            .warn(event!(CONFIG_TAB_FOR_PYTHON));
    }
    if let Some((line, key)) = slips::comment_for_value(text) {
        faults.about(key, Some(line)).warn(event!(CONFIG_COMMENT));
    }
    // A message about the file as a whole points at no line of it.
    node.line = None;
    Ok(node)
}

/// Returns the text with the line ends that all readers know, where it has those of old
/// Macs: YAML takes them, and editors count such lines.
fn with_line_feeds(text: &str) -> Cow<'_, str> {
    let is_lone = |at: usize| !text[at + 1..].starts_with('\n');
    if !text.match_indices('\r').any(|(at, _)| is_lone(at)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// The kinds of all nodes; equal keys still side by side. A first pass
/// finds it, for only with it can the second ask for each scalar's own text
/// (serde's `deserialize_any` would hand out `1.10` as the number 1.1).
enum Shape {
    Null,
    /// A scalar, and whether it is a boolean or a number, which nothing in quotes is.
    Scalar {
        is_typed: bool,
    },
    List(Vec<Shape>),
    Map(Vec<Shape>),
}

struct ShapeVisitor;

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Scalar { is_typed: true })
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar { is_typed: true })
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar { is_typed: true })
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Shape, E> {
        Ok(Shape::Scalar { is_typed: true })
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Shape, E> {
        Ok(Shape::Scalar { is_typed: true })
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar { is_typed: true })
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar { is_typed: false })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut values = Vec::new();
        while map.next_key::<IgnoredAny>()?.is_some() {
            values.push(map.next_value()?);
        }
        Ok(Shape::Map(values))
    }
}

/// The second pass: the same nodes, with their texts, lines and quotes.
#[derive(Clone, Copy)]
struct Texts<'a> {
    shape: &'a Shape,
    /// The event parser's word on the same node.
    mark: Option<&'a Mark>,
    /// The line of its key, where it has one.
    line: Option<usize>,
}

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let kind = match self.shape {
            Shape::Null => IgnoredAny::deserialize(deserializer).map(|_| Kind::Null)?,
            Shape::Scalar { is_typed } => {
                let text = String::deserialize(deserializer)?;
                let style = style(*is_typed, &text, self.mark);
                let lines = self.mark.and_then(lines);
                Kind::Scalar(Scalar { text, style, lines })
            }
            Shape::List(items) => {
                deserializer.deserialize_seq(ListTexts(items, marked_items(self.mark)))?
            }
            Shape::Map(values) => {
                deserializer.deserialize_map(MapTexts(values, marked_entries(self.mark)))?
            }
        };
        let line = self.line;
        Ok(Node { line, kind })
    }
}

fn marked_items(mark: Option<&Mark>) -> &[Mark] {
    match mark.map(|mark| &*mark.shape) {
        Some(MarkShape::List(items)) => items,
        _ => &[],
    }
}

fn marked_entries(mark: Option<&Mark>) -> &[(Mark, Mark)] {
    match mark.map(|mark| &*mark.shape) {
        Some(MarkShape::Map(entries)) => entries,
        _ => &[],
    }
}

/// Tells whether a scalar stands in quotes. Where the parsers do not read the same text
/// there, nobody knows.
fn style(is_typed: bool, text: &str, mark: Option<&Mark>) -> Style {
    match mark.map(|mark| &*mark.shape) {
        Some(MarkShape::Scalar {
            text: marked,
            is_quoted,
            ..
        }) if marked == text => {
            if *is_quoted {
                Style::Quoted
            } else {
                Style::Plain
            }
        }
        _ if is_typed => Style::Plain,
        _ => Style::Unknown,
    }
}

/// Returns the first and last line of a scalar that is no block.
fn lines(mark: &Mark) -> Option<(usize, usize)> {
    match &*mark.shape {
        MarkShape::Scalar { last, .. } => last.map(|last| (mark.line, last)),
        MarkShape::List(_) | MarkShape::Map(_) | MarkShape::Unknown => None,
    }
}

struct ListTexts<'a>(&'a [Shape], &'a [Mark]);

impl<'de> Visitor<'de> for ListTexts<'_> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let Self(shapes, marks) = self;
        let mut items = Vec::new();
        for (i, shape) in shapes.iter().enumerate() {
            let mark = marks.get(i);
            let line = mark.map(|mark| mark.line);
            items.extend(seq.next_element_seed(Texts { shape, mark, line })?);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Kind::List(items))
    }
}

struct MapTexts<'a>(&'a [Shape], &'a [(Mark, Mark)]);

impl<'de> Visitor<'de> for MapTexts<'_> {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let Self(shapes, marks) = self;
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged = Vec::new();
        for (i, shape) in shapes.iter().enumerate() {
            let Some(key) = map.next_key::<String>()? else {
                break;
            };
            let marked = marks.get(i).filter(
                |(mark, _)| matches!(&*mark.shape, MarkShape::Scalar { text, .. } if *text == key),
            );
            let value = map.next_value_seed(Texts {
                shape,
                mark: marked.map(|(_, mark)| mark),
                line: marked.map(|(mark, _)| mark.line),
            })?;
            // In quotes it is a key like any other.
            let fills_in = key == "<<"
                && marked.is_none_or(|(mark, _)| {
                    !matches!(
                        &*mark.shape,
                        MarkShape::Scalar {
                            is_quoted: true,
                            ..
                        }
                    )
                });
            // What is no mapping fills in nothing, and is told of by its key.
            if fills_in && value.is_source() {
                merged.push(value);
            } else {
                entries.push((key, value));
            }
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        let mut more = Vec::new();
        for source in merged {
            flatten(source, &mut more);
        }
        let own: HashSet<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        more.retain(|(key, _)| !own.contains(key.as_str()));
        entries.append(&mut more);
        Ok(Kind::Map(entries))
    }
}

impl Node {
    /// Tells whether a merge key can take what it lacks from here.
    pub(super) fn is_source(&self) -> bool {
        match &self.kind {
            Kind::Map(_) => true,
            Kind::List(items) => items.iter().all(|item| matches!(item.kind, Kind::Map(_))),
            Kind::Null | Kind::Scalar(_) => false,
        }
    }
}

/// Adds what the mapping lacks of `<<: *anchor`, YAML 1.1's merge key. As in `PyYAML`, of
/// several `<<` the last one counts, and of a list of sources the first. Keys that
/// stand twice in a source, or in several `<<`, do so here, too.
fn flatten(source: Node, into: &mut Vec<Entry>) {
    match source.kind {
        Kind::Map(mut more) => into.append(&mut more),
        Kind::List(sources) => {
            let mut known = HashSet::new();
            for source in sources {
                let Kind::Map(mut more) = source.kind else {
                    continue;
                };
                more.retain(|(key, _)| !known.contains(key));
                known.extend(more.iter().map(|(key, _)| key.clone()));
                into.append(&mut more);
            }
        }
        Kind::Null | Kind::Scalar(_) => {}
    }
}

#[cfg(test)]
mod tests;
