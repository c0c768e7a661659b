//! A value of JSON, with all keys in their order: also those that come twice.

use super::{LONGEST_KEY, Unfit, key_shown};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use xiaozhi_device::endpoint::LONGEST_STORED;

/// A value.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    Null,
    Bool,
    Number,
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Node {
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Number)
    }

    /// Returns what an object holds.
    pub(super) fn pairs(&self) -> &[(String, Self)] {
        match self {
            Self::Object(pairs) => pairs,
            _ => &[],
        }
    }

    /// Returns what no device takes, whatever the block is for. `at` is its place in the reply.
    pub(super) fn judge(&self, at: &str, levels: usize) -> Option<Unfit> {
        match self {
            Self::Null => Some(Unfit::Null(at.to_owned())),
            Self::Text(text) if text.len() > LONGEST_STORED => Some(Unfit::Value(at.to_owned())),
            Self::Bool | Self::Number | Self::Text(_) => None,
            Self::List(_) | Self::Object(_) if levels == 0 => Some(Unfit::Deep),
            Self::List(values) => values.iter().find_map(|value| value.judge(at, levels - 1)),
            Self::Object(pairs) => pairs.iter().find_map(|(key, value)| {
                // cJSON ends a key where one is, and then it may be any.
                if key.contains('\0') {
                    return Some(Unfit::Json);
                }
                if key.len() > LONGEST_KEY {
                    return Some(Unfit::Key(format!("{at}.{}", key_shown(key))));
                }
                value.judge(&format!("{at}.{key}"), levels - 1)
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Bool)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Node, E> {
        Ok(Node::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Node::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Node::Object(pairs))
    }
}
