//! Keys that stand in the file twice.
//!
//! Of equal keys the last one wins, as in `PyYAML`. So a second `server:` wipes
//! out the first one with its `auth`, and whoever wrote it does not hear of it.
//! What says where to listen, who may come in and with which key must not fall
//! away like that.

use super::fault::Faults;
use super::raw::{Entry, Kind, Node};
use super::{full_name, keys};
use crate::event::event;
use std::collections::HashMap;

/// The sections whose loss would change who is let in, where, or with which key.
const GUARDED: [&str; 3] = ["server", "gateway", "manager-api"];

/// Looks for keys that stand twice: a section that guards something is a fault, a
/// single setting that is read here a warning.
pub(super) fn check(root: &Node, faults: &Faults) {
    look("", root, faults);
}

fn look(path: &str, node: &Node, faults: &Faults) {
    let entries = match &node.kind {
        Kind::Map(entries) => entries,
        Kind::List(items) => {
            for (i, item) in items.iter().enumerate() {
                look(&format!("{path}[{i}]"), item, faults);
            }
            return;
        }
        Kind::Null | Kind::Scalar(_) => return,
    };
    for (key, values) in repeated(entries) {
        let name = full_name(path, key);
        if !is_read(&name) {
            continue;
        }
        let last = values.last().and_then(|value| value.line);
        let about = faults.about(&*name, last);
        let (earlier, last) = earlier_and_last(&values).unzip();
        let earlier = earlier.as_deref();
        let is_section = |value: &&Node| matches!(value.kind, Kind::Map(_));
        if GUARDED.contains(&&*name) || values.iter().any(is_section) && name != "log" {
            let event = event!(CONFIG_DUPLICATE_SECTION, earlier = earlier, last = last);
            about.fault(event);
        } else {
            let event = event!(CONFIG_DUPLICATE_KEY, earlier = earlier, last = last);
            about.warn(event);
        }
    }
    for (key, node) in entries {
        let name = full_name(path, key);
        if is_read(&name) {
            look(&name, node, faults);
        }
    }
}

/// Tells whether it is read here. Of xiaozhi-server's other keys nothing is said.
fn is_read(name: &str) -> bool {
    name.starts_with("gateway.") || keys::is_known(name)
}

/// Returns the lines on which a key stands; `None` where they are not known.
fn earlier_and_last(values: &[&Node]) -> Option<(Vec<usize>, usize)> {
    let mut lines: Vec<_> = values.iter().filter_map(|value| value.line).collect();
    lines.dedup();
    let last = lines.pop()?;
    (!lines.is_empty()).then_some((lines, last))
}

/// Returns the keys that a mapping has more than once, each with all its values.
fn repeated(entries: &[Entry]) -> Vec<(&str, Vec<&Node>)> {
    let mut known = HashMap::new();
    let mut keys: Vec<(&str, Vec<&Node>)> = Vec::new();
    for (key, value) in entries {
        let at = *known.entry(key.as_str()).or_insert(keys.len());
        match keys.get_mut(at) {
            Some((_, values)) => values.push(value),
            None => keys.push((key, vec![value])),
        }
    }
    keys.retain(|(_, values)| values.len() > 1);
    keys
}
