//! On which lines of the file its nodes stand, and which of them are in quotes. The
//! reader of values (`raw`) knows neither, so the file is passed through an event
//! parser first.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::collections::HashMap;
use std::rc::Rc;

/// Greatest depth of collections in each other. The deepest setting lies at five; the
/// reader of values would need minutes for some hundred thousand brackets.
const DEEPEST: usize = 64;
/// Greatest number of open brackets by their number alone, which counts those in texts,
/// too: with more, the event parser itself would need minutes.
const BRACKETS: usize = 20_000;

/// The line and the kind of a node. An alias has a line of its own, and
/// what its anchor holds.
#[derive(Debug, Clone)]
pub(super) struct Mark {
    pub(super) line: usize,
    pub(super) shape: Rc<MarkShape>,
}

/// The kind of a marked node.
#[derive(Debug)]
pub(super) enum MarkShape {
    /// A scalar, and whether quotes, a block sign or a tag make it a text.
    Scalar {
        text: String,
        is_quoted: bool,
        /// Its last line, unless it is a block.
        last: Option<usize>,
    },
    List(Vec<Mark>),
    /// Keys and values.
    Map(Vec<(Mark, Mark)>),
    /// An alias of nothing that is known.
    Unknown,
}

/// The reason to read a file no further.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooDeep {
    /// The line on which collections stand in each other too deep.
    pub(super) line: usize,
}

/// Marks the nodes of a file, from its first on. Whether it is YAML at all is not
/// judged here: behind what the event parser cannot take nothing is marked.
pub(super) fn read(text: &str) -> Result<Option<Mark>, TooDeep> {
    too_many_brackets(text).map_or(Ok(()), |line| Err(TooDeep { line }))?;
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        builder.take(event, span);
        if builder.open.len() > DEEPEST {
            return Err(TooDeep {
                line: span.start.line(),
            });
        }
    }
    // What has not ended ends where the event parser stopped.
    while builder.end() {}
    Ok(builder.root)
}

/// Returns the line on which more brackets are open than any file has.
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
struct Open {
    line: usize,
    anchor: usize,
    is_map: bool,
    /// Keys and values by turns, in a mapping.
    nodes: Vec<Mark>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<MarkShape>>,
    root: Option<Mark>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) {
        let line = span.start.line();
        let open = |anchor, is_map| Open {
            line,
            anchor,
            is_map,
            nodes: Vec::new(),
        };
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_quoted = is_text(style, tag.as_deref());
                let text = text.into_owned();
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let last = (!is_block).then(|| span.end.line());
                let shape = MarkShape::Scalar {
                    text,
                    is_quoted,
                    last,
                };
                self.add(line, anchor, shape);
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).map(Rc::clone);
                let shape = known.unwrap_or_else(|| Rc::new(MarkShape::Unknown));
                self.put(Mark { line, shape });
            }
            Event::SequenceStart(anchor, _) => self.open.push(open(anchor, false)),
            Event::MappingStart(anchor, _) => self.open.push(open(anchor, true)),
            Event::SequenceEnd | Event::MappingEnd => drop(self.end()),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }

    /// Ends the innermost collection, if there is one.
    fn end(&mut self) -> bool {
        let Some(open) = self.open.pop() else {
            return false;
        };
        let shape = if open.is_map {
            let mut nodes = open.nodes.into_iter();
            let mut entries = Vec::new();
            while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
                entries.push((key, value));
            }
            MarkShape::Map(entries)
        } else {
            MarkShape::List(open.nodes)
        };
        self.add(open.line, open.anchor, shape);
        true
    }

    fn add(&mut self, line: usize, anchor: usize, shape: MarkShape) {
        let shape = Rc::new(shape);
        // 0 is none.
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&shape));
        }
        self.put(Mark { line, shape });
    }

    fn put(&mut self, mark: Mark) {
        match self.open.last_mut() {
            Some(open) => open.nodes.push(mark),
            // Of several documents the first counts, and the reader of values refuses them.
            None => drop(self.root.get_or_insert(mark)),
        }
    }
}

/// Tells whether a scalar is a text to `PyYAML` whatever it says. A tag says more than
/// quotes.
fn is_text(style: ScalarStyle, tag: Option<&Tag>) -> bool {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() => tag.suffix == "str",
        Some(_) => true,
        None => style != ScalarStyle::Plain,
    }
}
