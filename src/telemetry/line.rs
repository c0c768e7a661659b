//! One event, one line: `2025-12-18 10:00:00 - INFO - [ota_handler] - ...` for people,
//! an object of JSON for programs.

use super::account::Whose;
use crate::event::text::Lang;
use crate::event::{Event, Severity, Together, Value};
use crate::util::terminal::{keep_on_one_line, shown_json};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};
use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use tracing::Level;
use tracing::field::{Field, Visit};

/// `gateway.log.format`: the form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As the firmware guide shows it.
    #[default]
    Text,
    /// One object.
    Json,
}

/// Style in which lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// `gateway.log.lang`.
    pub lang: Lang,
    /// `gateway.log.format`.
    pub format: Format,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            lang: Lang::En,
            format: Format::Text,
        }
    }
}

impl Style {
    /// Writes the line of an event of ours.
    pub(super) fn write_event(self, event: &Event, now: Timestamp, line: &mut String) {
        let level = match event.kind.severity {
            Severity::Info => Level::INFO,
            Severity::Warning => Level::WARN,
            Severity::Error => Level::ERROR,
        };
        match self.format {
            Format::Text => {
                begin(line, level, event.kind.room, now);
                let start = line.len();
                let shown = event.write(self.lang, line);
                for (name, value) in event.unsaid(shown) {
                    write_field(line, name, value, self.lang);
                }
                // Programs look for the reason's id, wherever its words stand.
                for (name, value) in event.fields() {
                    if let Value::Event(why) = value {
                        push(line, &[" ", name, "=", why.kind.id]);
                    }
                }
                hide_ids(line, start);
                push(line, &[" event=", event.kind.id]);
                keep_on_one_line(line, start);
                line.push('\n');
            }
            Format::Json => {
                let mut object = object(level, event.kind.room, now);
                object.insert("event".into(), event.kind.id.into());
                object.insert("message".into(), event.message(self.lang).into());
                self.insert(event, &mut object);
                end(object, line);
            }
        }
    }

    /// Adds the fields of `event` to an object.
    fn insert(self, event: &Event, object: &mut Map<String, Json>) {
        for (name, value) in event.fields() {
            object.insert((*name).to_owned(), self.json(value));
        }
    }

    fn json(self, value: &Value) -> Json {
        match value {
            Value::Absent => Json::Null,
            Value::Text(text) => Json::from(&**text),
            Value::Words(text) => Json::from(text.to(self.lang)),
            Value::Socket(address) => Json::from(address.to_string()),
            Value::Ip(ip) => Json::from(ip.to_string()),
            Value::Number(number) => Json::from(*number),
            Value::Flag(flag) => Json::from(*flag),
            Value::List(values) => values.iter().map(|value| self.json(value)).collect(),
            Value::Event(event) => {
                let mut object = Map::new();
                object.insert("event".into(), event.kind.id.into());
                object.insert("message".into(), event.message(self.lang).into());
                self.insert(event, &mut object);
                Json::Object(object)
            }
        }
    }

    /// Writes the line of what passes through `tracing`: an event of ours, a line for
    /// developers, or what another crate has to say. Returns whose it is; `None` where it is
    /// no line, but the end of what is said together.
    pub(super) fn write(
        self,
        event: &tracing::Event<'_>,
        now: Timestamp,
        line: &mut String,
    ) -> Option<Whose> {
        let mut ours = Ours {
            style: self,
            now,
            line,
            found: Found::Nothing,
        };
        event.record(&mut ours);
        match ours.found {
            Found::Line(whose) => return Some(whose),
            Found::End => return None,
            Found::Nothing => {}
        }
        let metadata = event.metadata();
        let room = metadata.target().rsplit(':').next().unwrap_or_default();
        let mut plain = Plain::default();
        event.record(&mut plain);
        let whose = plain.whose(*metadata.level());
        match self.format {
            Format::Text => {
                begin(line, *metadata.level(), room, now);
                let start = line.len();
                line.push_str(&plain.message);
                for (name, value) in plain.fields {
                    write_field(line, name, &Value::from(value), self.lang);
                }
                hide_ids(line, start);
                keep_on_one_line(line, start);
                line.push('\n');
            }
            Format::Json => {
                let mut object = object(*metadata.level(), room, now);
                object.insert("message".into(), plain.message.into());
                for (name, value) in plain.fields {
                    object.entry(name).or_insert(value.into());
                }
                end(object, line);
            }
        }
        Some(whose)
    }
}

/// Finds an event of ours, and writes it while it is there.
struct Ours<'a> {
    style: Style,
    now: Timestamp,
    line: &'a mut String,
    found: Found,
}

/// Finding of ours.
enum Found {
    Nothing,
    Line(Whose),
    End,
}

impl Visit for Ours<'_> {
    fn record_error(&mut self, _: &Field, value: &(dyn Error + 'static)) {
        if let Some(event) = value.downcast_ref::<Event>() {
            self.style.write_event(event, self.now, self.line);
            self.found = Found::Line(match (event.kind.severity, event.peer()) {
                (Severity::Info | Severity::Warning, Some(peer)) => Whose::Client(Some(peer)),
                _ => Whose::Server,
            });
        } else if value.is::<Together>() {
            self.found = Found::End;
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// A line that is none of our events.
#[derive(Default)]
struct Plain {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Plain {
    /// Returns whose line it is: what is said for developers, or by another crate, is about
    /// clients.
    fn whose(&self, level: Level) -> Whose {
        if level == Level::ERROR {
            return Whose::Server;
        }
        let peer = self.fields.iter().find(|(name, _)| *name == "peer");
        let peer = peer.and_then(|(_, peer)| peer.parse::<SocketAddr>().ok());
        Whose::Client(peer.map(|peer| peer.ip()))
    }
}

impl Visit for Plain {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((field.name(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

fn object(level: Level, room: &str, now: Timestamp) -> Map<String, Json> {
    let mut object = Map::new();
    let now = now.to_zoned(TimeZone::system());
    let time = now.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    object.insert("time".into(), time.into());
    object.insert("level".into(), level_name(level).into());
    object.insert("source".into(), room.into());
    object
}

fn end(object: Map<String, Json>, line: &mut String) {
    line.push_str(&shown_json(&Json::Object(object).to_string()));
    line.push('\n');
}

/// Texts are quoted where a reader could not tell where they end.
fn write_field(line: &mut String, name: &str, value: &Value, lang: Lang) {
    push(line, &[" ", name, "="]);
    let start = line.len();
    value.write(lang, line);
    if matches!(
        value,
        Value::Socket(_) | Value::Ip(_) | Value::Number(_) | Value::Flag(_)
    ) {
        return;
    }
    let text = &line[start..];
    if text.is_empty() || text.contains([' ', '"', '=']) {
        let text = line.split_off(start);
        // Writing to a String cannot fail.
        let _ = write!(line, "{text:?}");
    }
}

/// Alters what would pass for an event's id behind `start`: a stranger's text.
fn hide_ids(line: &mut String, start: usize) {
    if line[start..].contains("event=") {
        let text = line.split_off(start).replace("event=", r"event\=");
        line.push_str(&text);
    }
}

fn push(line: &mut String, parts: &[&str]) {
    for part in parts {
        line.push_str(part);
    }
}

/// The names that Python's logging, and so xiaozhi-server, gives the levels.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "TRACE",
    }
}

fn begin(line: &mut String, level: Level, room: &str, now: Timestamp) {
    thread_local!(static CLOCK: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) });
    CLOCK.with_borrow_mut(|(second, text)| {
        if *second != now.as_second() {
            *second = now.as_second();
            *text = now
                .to_zoned(TimeZone::system())
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string();
        }
        line.push_str(text);
    });
    push(line, &[" - ", level_name(level), " - [", room, "] - "]);
}

#[cfg(test)]
mod tests;
