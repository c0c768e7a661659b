//! One mapping of the file: typed look-ups that note every fault and go on.

use super::fault::{About, Faults};
use super::misplaced::{self, Meant};
use super::raw::{Entry, Kind, Node, Scalar};
use super::{full_name, grammar, keys, paths, shapes, slips, values, wanted};
use crate::event::{self, Event, event};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use xiaozhi_device::redact;

/// Size below which a number of bytes is more likely one of MiB.
const SMALL: u64 = 1 << 16;

/// A mapping of the file and where it stands. An absent one is empty.
pub(super) struct Section<'a> {
    /// Its full name, as it may be shown.
    path: String,
    /// Its name in the list of keys.
    name: String,
    line: Option<usize>,
    entries: &'a [Entry],
    faults: &'a Faults,
}

/// An item of a list, or what stands alone in its place.
pub(super) struct Item<'a> {
    path: String,
    name: String,
    node: &'a Node,
    faults: &'a Faults,
}

impl<'a> Item<'a> {
    /// Begins a message about it.
    pub(super) fn about(&self) -> About<'a> {
        self.faults.about(self.path.as_str(), self.node.line)
    }

    /// Returns the scalar, if it is one.
    pub(super) fn scalar(&self) -> Option<&'a Scalar> {
        match &self.node.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Returns the mapping, if it is one.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        let Kind::Map(entries) = &self.node.kind else {
            return None;
        };
        Some(Section {
            path: self.path.clone(),
            name: self.name.clone(),
            line: self.node.line,
            entries,
            faults: self.faults,
        })
    }
}

/// An item that is a scalar, and its text.
pub(super) struct Text<'a> {
    pub(super) item: Item<'a>,
    pub(super) scalar: &'a Scalar,
}

impl<'a> Text<'a> {
    pub(super) fn text(&self) -> &'a str {
        &self.scalar.text
    }

    /// Begins a message about it that shows it.
    pub(super) fn about(&self) -> About<'a> {
        self.item.about().value(self.text())
    }
}

impl<'a> Section<'a> {
    pub(super) fn root(node: &'a Node, faults: &'a Faults) -> Self {
        let entries = match &node.kind {
            Kind::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        Self {
            path: String::new(),
            name: String::new(),
            line: None,
            entries,
            faults,
        }
    }

    /// Returns a key's full name, as it may be shown.
    pub(super) fn key(&self, key: &str) -> String {
        full_name(&self.path, key)
    }

    /// Begins a message about a key. Of one that is not written the section's line is
    /// named.
    pub(super) fn about(&self, key: &str) -> About<'a> {
        let written = self.entries.iter().rfind(|(k, _)| k == key);
        match written {
            Some((_, node)) => self.faults.about(self.key(key), node.line),
            None => self.faults.about(self.key(key), self.line).unwritten(),
        }
    }

    fn node(&self, key: &str) -> Option<&'a Node> {
        let name = keys::below(&self.name, key);
        debug_assert!(keys::is_known(&name), "{name} is missing in the list");
        #[cfg(test)]
        self.faults.note_asked(name);
        // As in `PyYAML`.
        let last = self.entries.iter().rfind(|(k, _)| k == key)?;
        (last.1.kind != Kind::Null).then_some(&last.1)
    }

    /// Tells whether Python takes what stands there for true, where it is a list or a
    /// mapping: one of nothing is false.
    pub(super) fn is_filled(&self, key: &str) -> Option<bool> {
        match &self.node(key)?.kind {
            Kind::List(items) => Some(!items.is_empty()),
            Kind::Map(entries) => Some(!entries.is_empty()),
            Kind::Null | Kind::Scalar(_) => None,
        }
    }

    /// Tells whether the key is there with a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    /// Stops the start for a key, and shows its value if it is given.
    pub(super) fn fault(&self, key: &str, value: Option<&str>, event: Event) {
        self.about(key).value(value).fault(event);
    }

    /// Returns the mapping below `key`, if there is one.
    pub(super) fn mapping(&self, key: &str) -> Option<Section<'a>> {
        match &self.node(key)?.kind {
            Kind::Map(entries) => Some(self.below(key, entries)),
            Kind::Null | Kind::Scalar(_) | Kind::List(_) => None,
        }
    }

    /// Returns the mapping below `key`; an empty one where there is none.
    pub(super) fn section(&self, key: &str) -> Section<'a> {
        let section = self.mapping(key);
        if section.is_none() && self.has(key) {
            let items = self.items(key).filter(|_| self.is_list(key));
            let is_dashed =
                items.is_some_and(|items| items.iter().all(|item| item.section().is_some()));
            let event = if is_dashed {
                event!(CONFIG_DASHES)
            } else {
                not_mapping(&keys::below(&self.name, key), items_text(self.node(key)))
            };
            self.fault(key, None, event);
        }
        section.unwrap_or_else(|| self.below(key, &[]))
    }

    fn below(&self, key: &str, entries: &'a [Entry]) -> Section<'a> {
        let node = self.node(key);
        Section {
            path: self.key(key),
            name: keys::below(&self.name, key),
            line: node.map_or(self.line, |node| node.line),
            entries,
            faults: self.faults,
        }
    }

    /// Returns the keys and values of a mapping whose keys are free.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let last = self
            .entries
            .iter()
            .enumerate()
            .map(|(i, (key, _))| (key, i));
        let last: HashMap<_, _> = last.collect();
        let entries = self.entries.iter().enumerate();
        let entries = entries.filter(move |(i, (key, _))| last[key] == *i);
        entries.map(|(_, (key, node))| match &node.kind {
            Kind::Scalar(scalar) => (key.as_str(), Some(scalar.text.as_str())),
            Kind::Null | Kind::List(_) | Kind::Map(_) => (key.as_str(), None),
        })
    }

    /// Returns the items of the list below `key`; one scalar or mapping counts as a
    /// list of one.
    pub(super) fn items(&self, key: &str) -> Option<Vec<Item<'a>>> {
        let node = self.node(key)?;
        let name = format!("{}[]", keys::below(&self.name, key));
        let item = |path, node| Item {
            path,
            name: name.clone(),
            node,
            faults: self.faults,
        };
        let path = self.key(key);
        Some(match &node.kind {
            Kind::List(items) => {
                let items = items.iter().enumerate();
                items
                    .map(|(i, node)| item(format!("{path}[{i}]"), node))
                    .collect()
            }
            _ => vec![item(path, node)],
        })
    }

    /// Tells whether it is a list, and not one value in the place of one.
    pub(super) fn is_list(&self, key: &str) -> bool {
        let node = self.node(key);
        node.is_some_and(|node| matches!(node.kind, Kind::List(_)))
    }

    /// Returns the mappings of the list below `key`.
    pub(super) fn sections(&self, key: &str) -> Vec<Section<'a>> {
        let items = self.items(key).unwrap_or_default().into_iter();
        items
            .filter_map(|item| {
                let section = item.section();
                if section.is_none() {
                    let event = not_mapping(&item.name, items_text(Some(item.node)));
                    item.about().fault(event);
                }
                section
            })
            .collect()
    }

    /// Returns the scalars of the list below `key`.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<Text<'a>>> {
        let items = self.items(key)?.into_iter();
        let texts = items.filter_map(|item| {
            let Some(scalar) = item.scalar() else {
                item.about().fault(event!(CONFIG_NOT_SCALAR));
                return None;
            };
            Some(Text { item, scalar })
        });
        Some(texts.collect())
    }

    /// Returns the scalar below `key`.
    pub(super) fn scalar(&self, key: &str) -> Option<&'a Scalar> {
        match &self.node(key)?.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::List(_) | Kind::Map(_) | Kind::Null => {
                self.fault(key, None, event!(CONFIG_NOT_SCALAR));
                None
            }
        }
    }

    /// Returns a text that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        let text = self.scalar(key)?.text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Returns the name of a file or folder. Somebody may have put the content there.
    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if redact::holds_key(text) {
            self.fault(key, None, event!(CONFIG_HOLDS_KEY));
            // It is not missing.
            return Some(PathBuf::new());
        }
        if let Some(event) = paths::no_path(text) {
            self.fault(key, Some(text), event);
            return Some(PathBuf::new());
        }
        if text.contains("://") {
            self.fault(key, Some(text), event!(CONFIG_NOT_FILE));
            return Some(PathBuf::new());
        }
        Some(text.into())
    }

    /// Returns what `read` makes of a text, else a fault that says what is wanted.
    pub(super) fn read<T>(
        &self,
        key: &str,
        wanted: event::text::Text,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let value = read(text);
        if value.is_none() {
            self.fault(key, Some(text), event!(CONFIG_VALUE, wanted = wanted));
        }
        value
    }

    /// Returns a size. A small number without a unit is one of bytes, which nobody means.
    pub(super) fn size(&self, key: &str, wanted: event::text::Text) -> Option<u64> {
        let text = self.text(key)?;
        let size = self.read(key, wanted, values::size)?;
        let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
        if !has_unit && (1..SMALL).contains(&size) {
            let write = format!("{size}MiB");
            let event = event!(CONFIG_BYTES, bytes = size, write = write);
            self.about(key).value(text).warn(event);
        }
        Some(size)
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        self.read(key, wanted::BOOLEAN, values::boolean)
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        self.read(key, wanted::DURATION, |text| {
            values::duration(text).filter(|d| !d.is_zero() && *d <= Duration::from_secs(86_400))
        })
    }

    /// Names the keys of a section that is not ours alone which are meant for one that is
    /// read here: written nearly like it, in the wrong section, or by another name.
    /// xiaozhi-server's own are none of our business.
    pub(super) fn near_misses(&self) {
        let known = keys::of_section(&self.name);
        for (key, node) in self.entries {
            if known.contains(&key.as_str()) {
                continue;
            }
            let about = self.faults.about(self.key(key), node.line);
            let sign = misplaced::odd_sign(key);
            match misplaced::meant(&self.name, key) {
                None => {}
                Some(Meant::Near(near)) => {
                    about.warn(event!(CONFIG_NEAR_MISS, near = self.key(near), sign = sign));
                }
                Some(Meant::Elsewhere(at)) if key == at && at.contains('.') => {
                    about.warn(event!(CONFIG_DOTS, write = nested(at)));
                }
                Some(Meant::Elsewhere(at)) => {
                    about.warn(event!(CONFIG_MISPLACED, at = at, sign = sign));
                }
                Some(Meant::Instead(at, value)) => {
                    let form = shapes::for_key(at, value, node);
                    about.warn(event!(CONFIG_OTHER_NAME, at = at, form = form));
                }
                Some(Meant::Joined(key, odd)) => about.fault(slips::joined(&key, odd)),
                Some(Meant::Assigned(key)) => about.fault(grammar::no_colon(&key, false)),
            }
        }
    }

    /// Faults every key that is not known, with the likeliest meant one.
    pub(super) fn only_known(&self) {
        let known = keys::of_section(&self.name);
        for (key, node) in self.entries {
            let about = self.faults.about(self.key(key), node.line);
            let name = keys::below(&self.name, key);
            if known.contains(&key.as_str()) {
                // A variable that nobody filled in leaves this behind, and no default is
                // meant by it.
                let is_empty = match &node.kind {
                    Kind::Scalar(scalar) => scalar.text.trim().is_empty(),
                    // A mapping whose lines are all comments is none.
                    Kind::Null => !keys::is_section(&name),
                    Kind::List(_) | Kind::Map(_) => false,
                };
                if is_empty {
                    about.value("").fault(event!(CONFIG_EMPTY_VALUE));
                }
                continue;
            }
            let sign = misplaced::odd_sign(key);
            about.fault(match misplaced::meant(&self.name, key) {
                Some(Meant::Near(near)) => event!(CONFIG_UNKNOWN_KEY, near = near, sign = sign),
                Some(Meant::Elsewhere(at) | Meant::Instead(at, _)) => {
                    event!(CONFIG_UNKNOWN_KEY, elsewhere = at, sign = sign)
                }
                Some(Meant::Joined(key, odd)) => slips::joined(&key, odd),
                Some(Meant::Assigned(key)) => grammar::no_colon(&key, false),
                None => event!(CONFIG_UNKNOWN_KEY, known = &*known, sign = sign),
            });
        }
    }
}

/// Returns the scalar that stands there, or the first of a list.
fn items_text(node: Option<&Node>) -> &str {
    match node.map(|node| &node.kind) {
        Some(Kind::Scalar(scalar)) => &scalar.text,
        Some(Kind::List(items)) => items_text(items.first()),
        _ => "",
    }
}

/// Returns a key in dots as YAML has it: `server: {ota: …}`.
fn nested(key: &str) -> String {
    let (levels, ends) = (
        key.replace('.', ": {"),
        "}".repeat(key.matches('.').count()),
    );
    format!("{levels}: …{ends}")
}

/// Says that no section stands where one is wanted, and how it is written.
fn not_mapping(name: &str, text: &str) -> Event {
    let shown = redact::shown(text);
    let write = shapes::form(name, if shown == text { text } else { "" });
    event!(CONFIG_NOT_MAPPING, write = write)
}

/// Reads a port, 0 included.
pub(super) fn port(text: &str) -> Option<u16> {
    u16::try_from(values::integer(text)?).ok()
}
