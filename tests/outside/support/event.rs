//! Lines of the log, read as programs read them: by the ids of events and by fields.

use super::{Server, until};
use xiaozhi_ota::event::kinds;
use xiaozhi_ota::event::text::{Lang, Text};

/// Returns the id of a line's event.
pub(crate) fn id(line: &str) -> Option<&str> {
    let (_, id) = line.rsplit_once(" event=")?;
    Some(id)
}

/// Returns the value of a field that stands behind the words.
pub(crate) fn field(line: &str, name: &str) -> Option<String> {
    let (_, value) = line.split_once(&format!(" {name}="))?;
    if value.starts_with('"') {
        // As Rust writes a text that holds blanks.
        let mut end = 1;
        let bytes = value.as_bytes();
        while bytes.get(end).is_some_and(|b| *b != b'"') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        return serde_json::from_str(&value[..=end]).ok();
    }
    value.split(' ').next().map(str::to_owned)
}

/// Tells whether the words of an event show a field, so that it does not stand behind
/// them.
fn is_in_words(event: &str, name: &str) -> bool {
    let kind = kinds::all().find(|kind| kind.id == event);
    let kind = kind.unwrap_or_else(|| panic!("there is no event {event}"));
    let shows = |text: Text| {
        let words = text.to(Lang::En);
        // In a command it is in quotes.
        let words = words.replace('\'', "");
        words.contains(&format!("{{{name}}}")) || words.contains(&format!("|{name}|"))
    };
    let parts = [Some(kind.words), kind.lead, kind.remedy];
    parts.into_iter().flatten().any(shows)
}

/// Tells whether a line is of this event with these values: behind its words, or, where
/// the words show one, within them. `message` stands for the words themselves.
pub(crate) fn is(line: &str, event: &str, fields: &[(&str, &str)]) -> bool {
    let has = |(name, value): &(&str, &str)| match field(line, name) {
        _ if *name == "message" => line.contains(value),
        Some(found) => found == *value,
        None => is_in_words(event, name) && line.contains(value),
    };
    id(line) == Some(event) && fields.iter().all(has)
}

impl Server {
    /// Returns the lines of an event so far.
    pub(crate) fn events(&self, event: &str, fields: &[(&str, &str)]) -> Vec<String> {
        let lines = self.log().into_iter();
        lines.filter(|line| is(line, event, fields)).collect()
    }

    /// Returns the lines so far of all events whose ids begin like this.
    pub(crate) fn events_of(&self, family: &str, fields: &[(&str, &str)]) -> Vec<String> {
        let is_one = |line: &String| {
            id(line).is_some_and(|id| id.starts_with(family) && is(line, id, fields))
        };
        self.log().into_iter().filter(is_one).collect()
    }

    /// Waits for an event, and returns its first line.
    #[track_caller]
    pub(crate) fn event(&self, event: &str, fields: &[(&str, &str)]) -> String {
        until(event, || self.events(event, fields).into_iter().next())
    }
}
