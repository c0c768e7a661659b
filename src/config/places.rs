//! Lines of the keys that are read here, for what is found out later.

use super::fault::Place;
use super::keys;
use super::raw::{Kind, Node};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// Lines of the known keys of a file.
#[derive(Debug, Clone)]
pub struct Places {
    file: Arc<Path>,
    lines: HashMap<String, usize>,
}

impl Places {
    /// Remembers the lines of the known keys below `root`.
    pub(super) fn of(file: Arc<Path>, root: &Node) -> Self {
        let mut lines = HashMap::new();
        note_lines("", "", root, &mut lines);
        Self { file, lines }
    }

    /// Tells whether a key is written in the file.
    pub(crate) fn is_written(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    /// Returns the place of a key, such as `gateway.tls.certificates[0]`; that of what
    /// is around it, where it is not written.
    pub fn place(&self, key: &str) -> Place {
        let mut rest = Some(key);
        let mut line = None;
        while let Some(key) = rest.filter(|_| line.is_none()) {
            line = self.lines.get(key).copied();
            rest = key.rfind(['.', '[']).map(|end| &key[..end]);
        }
        let file = Arc::clone(&self.file);
        Place { file, line }
    }
}

/// Notes the lines below a node. Of equal keys the last one counts. `name` is that of
/// the list of keys.
fn note_lines(path: &str, name: &str, node: &Node, lines: &mut HashMap<String, usize>) {
    match &node.kind {
        Kind::Map(entries) => {
            for (key, value) in entries {
                let name = keys::below(name, key);
                if keys::is_known(&name) {
                    let path = keys::below(path, key);
                    lines.extend(value.line.map(|line| (path.clone(), line)));
                    note_lines(&path, &name, value, lines);
                }
            }
        }
        Kind::List(items) => {
            let name = format!("{name}[]");
            for (i, item) in items.iter().enumerate() {
                let path = format!("{path}[{i}]");
                lines.extend(item.line.map(|line| (path.clone(), line)));
                note_lines(&path, &name, item, lines);
            }
        }
        Kind::Null | Kind::Scalar(_) => {}
    }
}
