//! One mapping of the file: typed look-ups that note every fault and go on.

use super::raw::Node;
use super::{Fault, full_name, values};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use xiaozhi_device::redact;

/// Collects faults, so that one start tells of all of them.
#[derive(Default)]
pub(super) struct Faults(RefCell<Vec<Fault>>);

impl Faults {
    pub(super) fn add(&self, key: &str, value: Option<&str>, message: impl Into<String>) {
        self.0.borrow_mut().push(Fault {
            key: key.to_owned(),
            value: value.map(|value| redact::shown(value).into_owned()),
            message: message.into(),
        });
    }

    pub(super) fn into_result(self) -> Result<(), Vec<Fault>> {
        let faults = self.0.into_inner();
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }
}

/// A mapping of the file and where it stands. An absent one is empty.
pub(super) struct Section<'a> {
    path: String,
    entries: &'a [(String, Node)],
    faults: &'a Faults,
}

/// What may stand in a list of both.
pub(super) enum Item<'a> {
    Text(&'a str),
    Section(Section<'a>),
}

impl<'a> Section<'a> {
    pub(super) fn root(node: &'a Node, faults: &'a Faults) -> Self {
        let entries = match node {
            Node::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        Self {
            path: String::new(),
            entries,
            faults,
        }
    }

    /// The key's full name, for messages.
    pub(super) fn key(&self, key: &str) -> String {
        full_name(&self.path, key)
    }

    fn node(&self, key: &str) -> Option<&'a Node> {
        // As in `PyYAML`.
        let last = self.entries.iter().rfind(|(k, _)| k == key)?;
        (last.1 != Node::Null).then_some(&last.1)
    }

    /// Whether the key is there with a value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.node(key).is_some()
    }

    pub(super) fn fault(&self, key: &str, value: Option<&str>, message: impl Into<String>) {
        self.faults.add(&self.key(key), value, message);
    }

    /// The mapping below `key`.
    pub(super) fn section(&self, key: &str) -> Section<'a> {
        let entries = match self.node(key) {
            Some(Node::Map(entries)) => entries.as_slice(),
            None => &[],
            Some(_) => {
                self.fault(
                    key,
                    None,
                    "must be a mapping: indented `key: value` lines below it",
                );
                &[]
            }
        };
        Section {
            path: self.key(key),
            entries,
            faults: self.faults,
        }
    }

    /// The keys and values of a mapping whose keys are free.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> {
        let last = self
            .entries
            .iter()
            .enumerate()
            .map(|(i, (key, _))| (key, i));
        let last: HashMap<_, _> = last.collect();
        let entries = self.entries.iter().enumerate();
        let entries = entries.filter(move |(i, (key, _))| last[key] == *i);
        entries.map(|(_, (key, node))| match node {
            Node::Scalar(text) => (key.as_str(), Some(text.as_str())),
            Node::Null | Node::List(_) | Node::Map(_) => (key.as_str(), None),
        })
    }

    /// The elements of the list below `key`; one scalar or mapping counts as a
    /// list of one.
    pub(super) fn list(&self, key: &str) -> Option<&'a [Node]> {
        match self.node(key)? {
            Node::List(items) => Some(items),
            single => Some(std::slice::from_ref(single)),
        }
    }

    /// The mappings of the list below `key`.
    pub(super) fn sections(&self, key: &str) -> Vec<Section<'a>> {
        let items = self.list(key).unwrap_or_default().iter().enumerate();
        items
            .filter_map(|(i, node)| {
                let path = format!("{}[{i}]", self.key(key));
                if let Node::Map(entries) = node {
                    Some(Section {
                        path,
                        entries,
                        faults: self.faults,
                    })
                } else {
                    self.faults.add(&path, None, "must be a mapping");
                    None
                }
            })
            .collect()
    }

    /// The scalars and mappings of the list below `key`, each with its place.
    pub(super) fn items(&self, key: &str) -> Option<Vec<Item<'a>>> {
        let items = self.list(key)?.iter().enumerate();
        let items = items.filter_map(|(i, node)| {
            let path = format!("{}[{i}]", self.key(key));
            match node {
                Node::Scalar(text) => Some(Item::Text(text)),
                Node::Map(entries) => Some(Item::Section(Section {
                    path,
                    entries,
                    faults: self.faults,
                })),
                Node::List(_) | Node::Null => {
                    self.faults
                        .add(&path, None, "must be a plain value or a mapping");
                    None
                }
            }
        });
        Some(items.collect())
    }

    /// The scalars of the list below `key`.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<&'a str>> {
        let items = self.list(key)?.iter().enumerate();
        let texts = items.filter_map(|(i, node)| {
            if let Node::Scalar(text) = node {
                Some(text.as_str())
            } else {
                self.faults.add(
                    &format!("{}[{i}]", self.key(key)),
                    None,
                    "must be a plain value",
                );
                None
            }
        });
        Some(texts.collect())
    }

    /// A text that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        match self.node(key)? {
            Node::Scalar(text) => Some(text.trim()).filter(|t| !t.is_empty()),
            Node::List(_) | Node::Map(_) | Node::Null => {
                self.fault(key, None, "must be a plain value, not a list or mapping");
                None
            }
        }
    }

    /// A text as it stands, blanks at its ends, too.
    pub(super) fn whole_text(&self, key: &str) -> Option<&'a str> {
        self.text(key)?;
        match self.node(key)? {
            Node::Scalar(text) => Some(text),
            Node::List(_) | Node::Map(_) | Node::Null => None,
        }
    }

    /// The name of a file or folder. Somebody may have put the content there.
    pub(super) fn path(&self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if redact::holds_key(text) {
            let message = "this is the key or certificate itself, where the name of its file is wanted: write it to a file \
                           and name that; whoever has seen this file has seen the key";
            self.fault(key, None, message);
            // It is not missing.
            return Some(PathBuf::new());
        }
        if text.contains("://") {
            let message =
                "this is an address, and the name of a file or folder of this machine is wanted";
            self.fault(key, Some(text), message);
            return Some(PathBuf::new());
        }
        Some(text.into())
    }

    /// A text that `read` understands, else a fault that says what is wanted.
    pub(super) fn read<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key)?;
        let value = read(text);
        if value.is_none() {
            self.fault(key, Some(text), wanted);
        }
        value
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        self.read(key, "write true or false", values::boolean)
    }

    pub(super) fn port(&self, key: &str) -> Option<u16> {
        self.read(key, PORT, |text| port(text).filter(|p| *p > 0))
    }

    pub(super) fn duration(&self, key: &str) -> Option<Duration> {
        let wanted = "write a time above zero and up to a day, such as 10s or 2m";
        self.read(key, wanted, |text| {
            values::duration(text).filter(|d| !d.is_zero() && *d <= Duration::from_secs(86_400))
        })
    }

    /// Names the keys of a section that is not ours alone which are written nearly like
    /// one that is read here, as `enable` and `auth_keys` are. `others` are
    /// xiaozhi-server's own.
    pub(super) fn near_misses(&self, known: &[&str], others: &[&str], warnings: &mut Vec<String>) {
        for (key, _) in self.entries {
            if known.contains(&key.as_str()) || others.contains(&key.as_str()) {
                continue;
            }
            if let Some((distance, near)) = likeliest(key, known)
                && distance <= 1 + near.len() / 8
                && near.len() > 3
            {
                let (name, near) = (self.key(key), self.key(near));
                warnings.push(format!("{name} is not read here; did you mean `{near}`?"));
            }
        }
    }

    /// Faults every key that is not `known`, with the likeliest meant one.
    pub(super) fn only(&self, known: &[&str], later: &[&str]) {
        for (key, node) in self.entries {
            if known.contains(&key.as_str()) {
                // A variable that nobody filled in leaves this behind, and no default is
                // meant by it.
                let is_empty = match node {
                    Node::Scalar(text) => text.trim().is_empty(),
                    // A mapping whose lines are all comments is none.
                    Node::Null => !MAPPINGS.contains(&key.as_str()),
                    Node::List(_) | Node::Map(_) => false,
                };
                if is_empty {
                    self.fault(
                        key,
                        Some(""),
                        "it is empty: write a value, or take the key out",
                    );
                }
                continue;
            }
            if later.contains(&key.as_str()) {
                self.fault(key, None, "this version does not have it yet: take it out");
                continue;
            }
            let near = likeliest(key, known);
            match near.filter(|(distance, k)| *distance <= 1 + k.len() / 3) {
                Some((_, near)) => {
                    self.fault(key, None, format!("no such key; did you mean `{near}`?"));
                }
                None => self.fault(
                    key,
                    None,
                    format!("no such key; there are: {}", known.join(", ")),
                ),
            }
        }
    }
}

/// The known key that is written most like this one, and by how many signs it differs.
fn likeliest<'k>(key: &str, known: &[&'k str]) -> Option<(usize, &'k str)> {
    let distances = known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(k, &key.to_lowercase()), *k));
    distances.min()
}

/// The keys of `gateway` whose values are mappings.
const MAPPINGS: [&str; 7] = [
    "acme", "firmware", "limits", "pin", "proxy", "routes", "tls",
];

pub(super) const PORT: &str = "write a port number from 1 to 65535";

/// A port, 0 included.
pub(super) fn port(text: &str) -> Option<u16> {
    u16::try_from(values::integer(text)?).ok()
}
