//! The YAML file as a tree in which every scalar keeps its text.
//!
//! xiaozhi-server reads the same file with `PyYAML`, which knows YAML 1.1: `on` is
//! a boolean, `+8` a number, the last of two equal keys wins. And a version like
//! `1.10` must not come out as the number 1.1. So no scalar is given a type
//! here; that is done where one is wanted, in `values`.

use super::Fault;
use serde::de::{Deserialize, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_yaml::Deserializer;
use std::collections::HashSet;
use std::fmt;

/// One node of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Nothing, `~` or `null`: as if the key were not there.
    Null,
    /// A scalar, as it was written, without its quotes.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, keys and their order as written: of equal ones the last one
    /// counts.
    Map(Vec<(String, Node)>),
}

/// Reads a whole file. Nothing in it is an empty mapping.
pub fn parse(bytes: &[u8]) -> Result<Node, Fault> {
    let fault = |message: String| Fault {
        key: String::new(),
        value: None,
        message,
    };
    let text = std::str::from_utf8(bytes).map_err(|e| {
        fault(format!(
            "not UTF-8 (at byte {}): save it as UTF-8",
            e.valid_up_to()
        ))
    })?;
    let not_yaml = |e: serde_yaml::Error| {
        let why = without_values(&e);
        let mend = if e.location().is_some() {
            "mend that line, indentation is by spaces"
        } else {
            "it must be one document, and no alias may repeat others by the thousand"
        };
        fault(format!("not YAML: {why}; {mend}"))
    };
    let shape = Shape::deserialize(Deserializer::from_str(text)).map_err(not_yaml)?;
    let node = Texts(&shape)
        .deserialize(Deserializer::from_str(text))
        .map_err(not_yaml)?;
    match node {
        Node::Null => Ok(Node::Map(Vec::new())),
        Node::Map(_) => Ok(node),
        Node::Scalar(_) | Node::List(_) => Err(fault(
            "no mapping at the top: it must be lines like `server:` with indented keys below"
                .to_owned(),
        )),
    }
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

/// What the library says of a fault. Where it says more than words of its own, that
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

/// What kind of node stands where; equal keys still side by side. A first pass
/// finds it, for only with it can the second ask for each scalar's own text
/// (serde's `deserialize_any` would hand out `1.10` as the number 1.1).
enum Shape {
    Null,
    Scalar,
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
        Ok(Shape::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Scalar)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Scalar)
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

/// The second pass: the same nodes, with their texts.
struct Texts<'a>(&'a Shape);

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.0 {
            Shape::Null => IgnoredAny::deserialize(deserializer).map(|_| Node::Null),
            Shape::Scalar => String::deserialize(deserializer).map(Node::Scalar),
            Shape::List(items) => deserializer.deserialize_seq(ListTexts(items)),
            Shape::Map(values) => deserializer.deserialize_map(MapTexts(values)),
        }
    }
}

struct ListTexts<'a>(&'a [Shape]);

impl<'de> Visitor<'de> for ListTexts<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        for shape in self.0 {
            items.extend(seq.next_element_seed(Texts(shape))?);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Node::List(items))
    }
}

struct MapTexts<'a>(&'a [Shape]);

impl<'de> Visitor<'de> for MapTexts<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        let mut merged = Vec::new();
        for shape in self.0 {
            let Some(key) = map.next_key::<String>()? else {
                break;
            };
            let value = map.next_value_seed(Texts(shape))?;
            if key == "<<" {
                merged.push(value);
                continue;
            }
            entries.push((key, value));
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        let mut more = Vec::new();
        for source in merged {
            flatten(source, &mut more);
        }
        let own: HashSet<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        more.retain(|(key, _)| !own.contains(key.as_str()));
        entries.append(&mut more);
        Ok(Node::Map(entries))
    }
}

/// `<<: *anchor`, YAML 1.1's merge key: what the mapping lacks. As in `PyYAML`, of
/// several `<<` the last one counts, and of a list of sources the first. Keys that
/// stand twice in a source, or in several `<<`, do so here, too.
fn flatten(source: Node, into: &mut Vec<(String, Node)>) {
    match source {
        Node::Map(mut more) => into.append(&mut more),
        Node::List(sources) => {
            let mut known = HashSet::new();
            for source in sources {
                let Node::Map(mut more) = source else {
                    continue;
                };
                more.retain(|(key, _)| !known.contains(key));
                known.extend(more.iter().map(|(key, _)| key.clone()));
                into.append(&mut more);
            }
        }
        Node::Null | Node::Scalar(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(text: &str) -> Node {
        Node::Scalar(text.into())
    }

    fn map(entries: &[(&str, Node)]) -> Node {
        Node::Map(
            entries
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.clone()))
                .collect(),
        )
    }

    #[test]
    fn scalars_keep_their_text() {
        let node = parse(b"a: 1.10\nb: +8\nc: on\nd: \"0\"\ne: 11:22:33:44:55:66\nf: 2026-12-31\ng: ~\nh:\n1.10: x\nlist: [0x1f, 1_0, 'q']\n");
        assert_eq!(
            node,
            Ok(map(&[
                ("a", s("1.10")),
                ("b", s("+8")),
                ("c", s("on")),
                ("d", s("0")),
                ("e", s("11:22:33:44:55:66")),
                ("f", s("2026-12-31")),
                ("g", Node::Null),
                ("h", Node::Null),
                ("1.10", s("x")),
                ("list", Node::List(vec![s("0x1f"), s("1_0"), s("q")])),
            ]))
        );
    }

    #[test]
    fn equal_keys_stand_side_by_side_and_merge_keys_fill_in() {
        assert_eq!(
            parse(b"a: 1\nb: 2\na: 3\n"),
            Ok(map(&[("a", s("1")), ("b", s("2")), ("a", s("3"))]))
        );
        let node = parse(b"x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n");
        let x = map(&[("a", s("1")), ("b", s("2"))]);
        let y = map(&[("b", s("3")), ("a", s("1"))]);
        assert_eq!(node, Ok(map(&[("x", x), ("y", y)])));
        let node = parse(b"x: &x {a: 1, b: 2, a: 3}\ny:\n  <<: [*x, {b: 4, c: 5}]\n");
        let x = [("a", s("1")), ("b", s("2")), ("a", s("3"))];
        let y = map(&[x.as_slice(), &[("c", s("5"))]].concat());
        assert_eq!(node, Ok(map(&[("x", map(&x)), ("y", y)])));
        let node = parse(b"<<: {a: 1, b: 2}\nb: 3\n<<: {a: 4}\n");
        let all = [("b", s("3")), ("a", s("1")), ("a", s("4"))];
        assert_eq!(node, Ok(map(&all)));
    }

    #[test]
    fn what_is_no_configuration_says_so() {
        assert_eq!(parse(b""), Ok(Node::Map(Vec::new())));
        assert_eq!(parse(b"# nothing\n"), Ok(Node::Map(Vec::new())));
        for (text, words) in [
            (&b"- a\n"[..], "no mapping"),
            (b"hello", "no mapping"),
            (b"a: [1\n", "',' or ']'"),
            (
                b"a: b: c\n",
                "mapping values are not allowed in this context at line 1",
            ),
            (b"a: *x\n", "unknown anchor"),
            (b"a: 'x\n", "found unexpected end of stream"),
            (b"a: 1\n---\nb: 2\n", "containing more than one document"),
            (b"a: @x\n", "found character that cannot start any token"),
            (b"a: \"\\q\"\n", "found unknown escape character"),
            (b"a:\n  b: 1\n c: 2\n", "did not find expected key"),
            (b"a:\n\t- b\n", "not YAML"),
            (b"\xff\xfe", "not UTF-8"),
        ] {
            let message = parse(text).map_err(|f| f.message);
            assert!(
                message.as_ref().is_err_and(|m| m.contains(words)),
                "{message:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_message_holds_a_value(
            before in "[a-z:\\-\\[\\]{}#&*!|>'\" \n]{0,12}", behind in "[a-z:\\-\\[\\]{}#&*!|>'\" \n]{0,12}",
            tag in "(|!!int |!!float |!!bool |!!null |!!binary |!x |&a |'|\")",
        ) {
            let text = format!("server:\n  auth_key: {tag}HUSH{before}\n  x: {behind}HUSH\n");
            if let Err(fault) = parse(text.as_bytes()) {
                prop_assert!(!fault.to_string().contains("HUSH"), "{}: {}", text, fault);
            }
        }

        #[test]
        fn no_message_holds_a_key(
            before in "[a-z:\\-\\[\\]{}#&*!|>'\" \n]{0,12}", tag in "(|!!int |!!null |!x |&a |'|\")",
        ) {
            let text = format!("server:\n  auth_key:{tag}HUSH: {before}\n  {tag}HUSH{before}\n");
            if let Err(fault) = parse(text.as_bytes()) {
                prop_assert!(!fault.to_string().contains("HUSH"), "{}: {}", text, fault);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9:\\-\\[\\]{}#&*!|>'\" \n\t%@`,?~<]{0,60}") {
            let _ = parse(text.as_bytes());
        }
    }
}
