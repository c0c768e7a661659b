//! Events: what happens here that a person or a program acts on. Each has a stable id,
//! fields, and words in English and Chinese; all of them stand in [`kinds`].
//!
//! A room that may know the world says an event with `tell!`. A pure one returns it,
//! made by `event!`, and whoever asked says it.

mod device;
mod flash;
pub mod kinds;
pub(crate) mod lately;
mod log;
pub(crate) mod misread;
pub(crate) mod reach;
pub(crate) mod shell;
pub(crate) mod standing;
mod template;
pub mod text;
pub(crate) mod unseen;
mod value;
#[cfg(test)]
pub(crate) mod witness;

pub(crate) use log::keep;
pub(crate) use log::{Together, gathering, together};
pub use log::{Way, is_told, say, way};
pub use value::Value;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use template::{Piece, pieces};
use text::{Lang, Text};

/// Makes an event: `event!(FILE_READY, file = name, bytes = 26)`.
macro_rules! event {
    ($kind:ident $(, $field:ident = $value:expr)* $(,)?) => {
        $crate::event::Event::new(
            &$crate::event::kinds::$kind,
            vec![$((stringify!($field), $crate::event::Value::from($value))),*],
        )
    };
}

/// Says an event in the log, if the log takes its level: nothing is made in vain. With
/// `tell!(FILE_READY if due, file = name)` it is said where `due` says so of its kind.
macro_rules! tell {
    ($kind:ident if $due:ident $($fields:tt)*) => {
        if $due(&$crate::event::kinds::$kind) {
            $crate::event::tell!($kind $($fields)*);
        }
    };
    ($kind:ident $($fields:tt)*) => {
        match $crate::event::way(&$crate::event::kinds::$kind) {
            $crate::event::Way::None => {}
            way => way.say($crate::event::event!($kind $($fields)*)),
        }
    };
}

pub(crate) use {event, tell};

/// Returns a stranger's text without what may be secret in it.
pub(crate) fn redacted(text: &str) -> Cow<'_, str> {
    xiaozhi_device::redact::shown(text)
}

/// Weight of an event. The log's levels, less those for developers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It is as it should be.
    Info,
    /// Somebody should look at it.
    Warning,
    /// Something does not work.
    Error,
}

/// A kind of event.
#[derive(Debug)]
pub struct Kind {
    /// Its name for programs: `withheld.chip`. Never changes once it was released.
    pub id: &'static str,
    /// Its weight.
    pub severity: Severity,
    /// The room that the log names in brackets.
    pub room: &'static str,
    /// Names of its fields. `?` behind one says that it may be absent, `~` that it
    /// changes where nothing new happens, as days do that pass and lines that move: two
    /// events which differ in it are no news.
    pub fields: &'static [&'static str],
    /// Words in front of its own, where many kinds share them.
    pub lead: Option<Text>,
    /// Words for it, with `{field}` where the value of one belongs, and
    /// `{before|field|after}` where that of one does which may be absent.
    pub words: Text,
    /// Words on how to mend it.
    pub remedy: Option<Text>,
}

/// Kinds are the same when their ids are.
impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Kind {}

impl Kind {
    /// Makes a kind from its id, what the log says of where it comes from, its fields
    /// and its words in Chinese and English.
    const fn new(
        id: &'static str,
        severity: Severity,
        room: &'static str,
        fields: &'static [&'static str],
        zh: &'static str,
        en: &'static str,
    ) -> Self {
        Self {
            id,
            severity,
            room,
            fields,
            lead: None,
            words: Text::new(zh, en),
            remedy: None,
        }
    }

    /// Adds what to do about it.
    const fn remedy(mut self, zh: &'static str, en: &'static str) -> Self {
        self.remedy = Some(Text::new(zh, en));
        self
    }

    /// Adds words in front.
    const fn lead(mut self, lead: Text) -> Self {
        self.lead = Some(lead);
        self
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its kind.
    pub kind: &'static Kind,
    /// Its fields, in the order in which they are shown. Those without a value are not
    /// there.
    fields: Vec<(&'static str, Value)>,
}

impl Event {
    /// Makes an event; `event!` does it in fewer words.
    pub fn new(kind: &'static Kind, mut fields: Vec<(&'static str, Value)>) -> Self {
        fields.retain(|(_, value)| *value != Value::Absent);
        debug_assert!(
            kind.fields
                .iter()
                .filter(|name| !name.contains('?'))
                .all(|name| fields
                    .iter()
                    .any(|(given, _)| name.trim_end_matches('~') == *given)),
            "{} lacks one of {:?}: {fields:?}",
            kind.id,
            kind.fields
        );
        Self { kind, fields }
    }

    /// Adds a field in front of the others: the device or the file that a reason is
    /// about.
    #[must_use]
    pub fn of(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if value != Value::Absent {
            self.fields.insert(0, (name, value));
        }
        self
    }

    /// Adds a field behind the others.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if value != Value::Absent {
            self.fields.push((name, value));
        }
        self
    }

    /// Returns the setting that an audit speaks of, in dots; empty for other events.
    pub fn setting(&self) -> &str {
        match self.field("setting") {
            Some(Value::Text(setting)) => setting,
            _ => "",
        }
    }

    /// Returns the value of a field.
    pub fn field(&self, name: &str) -> Option<&Value> {
        let found = self.fields.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    /// Returns the address of the client that it is about.
    pub fn peer(&self) -> Option<IpAddr> {
        match self.field("peer")? {
            Value::Socket(address) => Some(address.ip()),
            Value::Ip(ip) => Some(*ip),
            _ => None,
        }
    }

    /// Returns its fields, in the order in which they are shown.
    pub fn fields(&self) -> &[(&'static str, Value)] {
        &self.fields
    }

    /// Cuts texts of more than so many bytes.
    fn shorten(&mut self, longest: usize) {
        for (_, value) in &mut self.fields {
            value.shorten(longest);
        }
    }

    /// Returns the same event with the values that `change` makes of its own, those of reasons
    /// inside it too. `change` is given the name of each field.
    #[must_use]
    pub(crate) fn map(&self, change: &dyn Fn(&str, Value) -> Value) -> Self {
        let fields = self.fields.iter().map(|(name, value)| {
            let value = match value {
                Value::Event(event) => Value::from(event.map(change)),
                other => change(name, other.clone()),
            };
            (*name, value)
        });
        Self {
            kind: self.kind,
            fields: fields.collect(),
        }
    }

    /// Tells whether it says the same as `other`, but for what is no news.
    pub fn is_like(&self, other: &Self) -> bool {
        let lasting = |event: &Self| {
            let lasting = event.fields.iter().filter(|(name, _)| {
                let known = event.kind.fields.iter();
                let mut passing = known.filter(|known| known.contains('~'));
                !passing.any(|known| known.trim_end_matches(['?', '~']) == *name)
            });
            lasting.cloned().collect::<Vec<_>>()
        };
        self.kind.id == other.kind.id && lasting(self) == lasting(other)
    }

    /// Returns what happened, without lead and remedy.
    pub fn words(&self, lang: Lang) -> String {
        let mut text = String::new();
        self.fill(self.kind.words.to(lang), lang, &mut text);
        text
    }

    /// Returns the words in front of its own, where there are any.
    pub(crate) fn lead(&self, lang: Lang) -> Option<String> {
        let lead = self.kind.lead?;
        let mut text = String::new();
        self.fill(lead.to(lang), lang, &mut text);
        Some(text)
    }

    /// Returns what to do about it, where its kind says so by itself.
    pub(crate) fn remedy(&self, lang: Lang) -> Option<String> {
        let remedy = self.kind.remedy?;
        let mut text = String::new();
        self.fill(remedy.to(lang), lang, &mut text);
        Some(text)
    }

    /// Returns what happened, and what to do about it.
    pub fn advice(&self, lang: Lang) -> String {
        let mut text = String::new();
        self.write_advice(lang, &mut text);
        text
    }

    /// Writes the whole message, lead, words and remedy, and returns the fields that it
    /// shows.
    pub fn write(&self, lang: Lang, to: &mut String) -> Shown {
        let lead = self
            .kind
            .lead
            .map(|lead| self.fill(lead.to(lang), lang, to));
        Shown(lead.unwrap_or_default() | self.write_advice(lang, to))
    }

    fn write_advice(&self, lang: Lang, to: &mut String) -> u64 {
        let mut shown = self.fill(self.kind.words.to(lang), lang, to);
        if let Some(remedy) = self.kind.remedy {
            if !to.ends_with(['.', '。', '!', '！', '?', '？', '…']) {
                to.push_str(lang.pick("。", "."));
            }
            to.push_str(lang.pick("处理办法：", " Remedy: "));
            shown |= self.fill(remedy.to(lang), lang, to);
        }
        shown
    }

    /// Returns the whole message: lead, words and remedy.
    pub fn message(&self, lang: Lang) -> String {
        let mut text = String::new();
        self.write(lang, &mut text);
        text
    }

    /// Returns the fields that a message did not show.
    pub fn unsaid(&self, Shown(shown): Shown) -> impl Iterator<Item = &(&'static str, Value)> {
        let fields = self.fields.iter().enumerate();
        fields.filter_map(move |(at, field)| (shown >> at & 1 == 0).then_some(field))
    }

    /// Writes `template` with the values of the fields that it names, and returns a bit
    /// for each of them.
    fn fill(&self, template: &str, lang: Lang, to: &mut String) -> u64 {
        let mut shown = 0;
        for piece in pieces(template) {
            match piece {
                Piece::Text(text) => to.push_str(text),
                Piece::Field {
                    before,
                    name,
                    after,
                    is_word,
                    ..
                } => {
                    if let Some(at) = self.fields.iter().position(|(known, _)| *known == name) {
                        to.push_str(before);
                        let start = to.len();
                        self.fields[at].1.write(lang, to);
                        if is_word {
                            let word = to.split_off(start);
                            to.push_str(&shell::quoted(&word));
                        }
                        to.push_str(after);
                        shown |= 1 << at;
                    }
                }
            }
        }
        shown
    }
}

/// Fields that a message shows: a bit for each of the first 64, and no event has more.
#[derive(Debug, Clone, Copy)]
pub struct Shown(u64);

/// Events are the same when their kinds and fields are.
impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        self.kind.id == other.kind.id && self.fields == other.fields
    }
}

impl Eq for Event {}

impl Hash for Event {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.kind.id.hash(state);
        self.fields.hash(state);
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(Lang::En))
    }
}

impl std::error::Error for Event {}

#[cfg(test)]
mod tests;
