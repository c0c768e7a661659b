//! Shows a client's offers: a stranger may send thousands, of any length.

use crate::event::Value;

/// Number of things of one list that are shown.
const MOST: usize = 8;
/// Number of characters of a name that are shown.
const LENGTH: usize = 80;

/// Shows the first of many things; `-` where there is none.
pub(super) fn list(mut names: Vec<String>) -> Value {
    if names.is_empty() {
        return Value::from("-");
    }
    if names.len() > MOST {
        names.truncate(MOST);
        names.push("…".to_owned());
    }
    Value::from(&*names)
}

/// Shows a name that a stranger wrote.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let head: String = text.chars().take(LENGTH).collect();
    format!("{head:?}")
}
