//! The file of orders: what it says, and what becomes of the parts that this version does not
//! know.

use super::act::{Act, ActKind, RetryOrder, Whose, written};
use crate::util::small_file;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Version of the file that is read and written here.
const VERSION: u64 = 1;
/// Fields of an act that this version knows.
const KNOWN: [&str; 7] = ["at", "act", "by", "from", "device", "file", "content"];

/// Content of the file.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    /// Fields of the file that this version does not know.
    others: Map<String, Value>,
    entries: Vec<Entry>,
}

/// One act, as it stands in the file: parts that a later version added stay.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    raw: Value,
    act: Option<Act>,
}

/// Reason why the file cannot be read.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is of a version to come.
    Newer(u64),
    /// It makes no sense, for this reason.
    Broken(String),
    /// The system's error: it may be right a moment later.
    Error(io::Error),
}

/// Reads the file. One that is not there holds nothing.
pub(super) fn read(path: &Path) -> Result<File, Unread> {
    let text = match small_file::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(File::default()),
        Err(error) => {
            let never = [io::ErrorKind::InvalidInput, io::ErrorKind::FileTooLarge];
            return Err(if never.contains(&error.kind()) {
                Unread::Broken(error.to_string())
            } else {
                Unread::Error(error)
            });
        }
    };
    parse(&text)
}

/// Reads the text of the file.
pub(super) fn parse(text: &[u8]) -> Result<File, Unread> {
    let broken = |what: &str| Unread::Broken(what.to_owned());
    if text.trim_ascii().is_empty() {
        return Err(broken("it is empty"));
    }
    // The error of the reader may quote what stands there.
    let mut others: Map<String, Value> =
        serde_json::from_slice(text).map_err(|e| Unread::Broken(place_of(&e)))?;
    match others.remove("version").as_ref().and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(newer) if newer > VERSION => return Err(Unread::Newer(newer)),
        _ => return Err(broken("it says no version")),
    }
    let Some(Value::Array(acts)) = others.remove("acts") else {
        return Err(broken("it has no list of acts"));
    };
    let entries = acts.into_iter().map(Entry::read).collect();
    Ok(File { others, entries })
}

fn place_of(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    format!("it is no JSON object, line {line}, column {column}")
}

impl File {
    /// Adds the newest act.
    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// Takes the newest act that is this one away.
    pub(super) fn take_back(&mut self, entry: &Entry) {
        let mut entries = self.entries.iter();
        if let Some(at) = entries.rposition(|known| known.raw == entry.raw) {
            self.entries.remove(at);
        }
    }

    /// Adds the acts of another file behind these, without those that are here already.
    /// Returns whether there were any. Where a device was forgotten in that one it is in this
    /// one, too.
    pub(super) fn append(&mut self, newer: &Self) -> bool {
        let before = self.entries.len();
        let forgotten: HashSet<_> = newer.entries.iter().filter_map(Entry::forgotten).collect();
        let is_forgotten = |entry: &Entry| {
            let act = entry.act.as_ref();
            act.is_some_and(|act| act.device.is_some() && forgotten.contains(&act.whose()))
        };
        self.entries.retain(|entry| !is_forgotten(entry));
        let mut is_changed = self.entries.len() != before;
        let known: HashSet<_> = self.entries.iter().map(|e| e.raw.to_string()).collect();
        let entries = newer.entries.iter();
        for entry in entries.filter(|entry| !known.contains(&entry.raw.to_string())) {
            self.entries.push(entry.clone());
            is_changed = true;
        }
        for (name, value) in &newer.others {
            if !self.others.contains_key(name) {
                self.others.insert(name.clone(), value.clone());
                is_changed = true;
            }
        }
        is_changed
    }

    /// Takes a device out of all acts about it.
    pub(super) fn forget(&mut self, device: &str) {
        for entry in &mut self.entries {
            entry.forget(device);
        }
        strip_fields(&mut self.others, device);
    }

    /// Returns the number of entries that no act can be read from.
    pub(super) fn odd(&self) -> usize {
        self.entries.iter().filter(|e| e.act.is_none()).count()
    }

    /// Returns the acts, the newest first.
    pub(super) fn acts(&self) -> Vec<Act> {
        let acts = self.entries.iter().rev();
        acts.filter_map(|entry| entry.act.clone()).collect()
    }

    /// Returns the retries in force, in the order in which they were given.
    pub(super) fn retries(&self) -> Vec<RetryOrder> {
        let in_force = self.in_force();
        let acts = self.entries.iter().enumerate();
        let acts = acts.filter(|(at, _)| in_force.contains(at));
        acts.filter_map(|(_, entry)| {
            let act = entry.act.as_ref()?;
            Some(RetryOrder {
                device: act.device.clone()?,
                content: act.content,
                at: act.at,
            })
        })
        .collect()
    }

    /// Returns the places of the retries that no newer one covers: one of the same image, or
    /// of all.
    fn in_force(&self) -> HashSet<usize> {
        let mut covered: HashSet<(&str, Option<[u8; 16]>)> = HashSet::new();
        let mut found = HashSet::new();
        for (at, entry) in self.entries.iter().enumerate().rev() {
            let Some(act) = &entry.act else {
                continue;
            };
            let (ActKind::Retry, Some(device)) = (&act.kind, &act.device) else {
                continue;
            };
            let is_covered = covered.contains(&(device, None))
                || covered.contains(&(device.as_str(), act.content));
            if !is_covered {
                covered.insert((device, act.content));
                found.insert(at);
            }
        }
        found
    }

    /// Leaves out the oldest acts above a bound, and returns the text of what stays. Retries
    /// in force go last, and a quarter is for what is no retry: no number of those may push
    /// out the act that is just written down.
    pub(super) fn bounded(&mut self, acts: usize, bytes: usize) -> String {
        let mut limit = acts;
        loop {
            self.leave_out(limit);
            let text = self.text();
            if text.len() <= bytes || self.entries.is_empty() {
                return text;
            }
            limit = self.entries.len() / 2;
        }
    }

    fn leave_out(&mut self, limit: usize) {
        let Some(mut many) = self.entries.len().checked_sub(limit) else {
            return;
        };
        let mut stays = self.in_force();
        let places = self.entries.iter().enumerate().rev();
        let others = places.filter(|(_, entry)| !entry.is_retry());
        stays.extend(others.map(|(at, _)| at).take(limit / 4));
        let mut at = 0;
        self.entries.retain(|_| {
            let goes = many > 0 && !stays.contains(&at);
            at += 1;
            many -= usize::from(goes);
            !goes
        });
        self.entries.retain(|entry| {
            let goes = many > 0 && entry.is_retry();
            many -= usize::from(goes);
            !goes
        });
    }

    /// Returns the text of the file, an act a line.
    fn text(&self) -> String {
        let mut text = format!("{{\"version\": {VERSION}");
        for (name, value) in &self.others {
            // Writing to a String cannot fail.
            let _ = write!(text, ", {}: {value}", Value::from(name.as_str()));
        }
        text += ", \"acts\": [";
        for (at, entry) in self.entries.iter().enumerate() {
            text += if at > 0 { ",\n" } else { "\n" };
            text += &entry.raw.to_string();
        }
        text += "\n]}\n";
        text
    }
}

impl Entry {
    /// Makes an entry of an act.
    pub(super) fn of(act: &Act) -> Self {
        let kind = match &act.kind {
            ActKind::Retry => "retry",
            ActKind::Forget => "forget",
            ActKind::Publish => "publish",
            ActKind::Delete => "delete",
            ActKind::Other(name) => name,
        };
        let mut raw = Map::new();
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                raw.insert(name.to_owned(), value.into());
            }
        };
        put("at", Some(written(act.at)));
        put("act", Some(kind.to_owned()));
        put("by", Some(act.by.clone()));
        put("from", Some(act.from.clone()));
        put("device", act.device.clone());
        put("file", act.file.clone());
        put("content", act.content.map(hex));
        // As it is read again, to the millisecond.
        Self::read(Value::Object(raw))
    }

    fn read(raw: Value) -> Self {
        let act = read_act(&raw);
        Self { raw, act }
    }

    fn is_retry(&self) -> bool {
        let act = self.act.as_ref();
        act.is_some_and(|act| act.kind == ActKind::Retry)
    }

    /// Returns whose order it was, where it is about a device that was forgotten.
    fn forgotten(&self) -> Option<Whose<'_>> {
        let act = self.act.as_ref()?;
        let is_it = act.device.is_none() && act.kind == ActKind::Retry;
        is_it.then(|| act.whose())
    }

    /// Takes a device out.
    fn forget(&mut self, device: &str) {
        match &mut self.raw {
            Value::Object(fields) => {
                if fields.get("device").is_some_and(|named| named == device) {
                    // What it failed tells of it, too.
                    for name in ["device", "file", "content"] {
                        fields.shift_remove(name);
                    }
                }
                strip_fields(fields, device);
            }
            raw if *raw == *device => *raw = Value::Null,
            raw => strip(raw, device),
        }
        self.act = read_act(&self.raw);
    }
}

/// Takes every text that is the name of a device out of the fields that this version does not
/// know. An id is anybody's word: that of a device may be `retry`, or a token's name, and what
/// others ordered must not go with it.
fn strip_fields(fields: &mut Map<String, Value>, device: &str) {
    let is_known = |name: &str| KNOWN.contains(&name);
    fields.retain(|name, value| is_known(name) || name != device && value != device);
    for (_, value) in fields.iter_mut().filter(|(name, _)| !is_known(name)) {
        strip(value, device);
    }
}

/// Takes every text that is the name of a device out of a value that this version does not
/// know.
fn strip(value: &mut Value, device: &str) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| name != device && value != device);
            for value in fields.values_mut() {
                strip(value, device);
            }
        }
        Value::Array(items) => {
            items.retain(|item| item != device);
            for item in items {
                strip(item, device);
            }
        }
        _ => {}
    }
}

/// Reads an act; `None` where it lacks what every act has, or holds something that it cannot.
fn read_act(raw: &Value) -> Option<Act> {
    let optional = |name: &str| match raw.get(name) {
        None => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    };
    let text = |name: &str| optional(name)?;
    let at: Timestamp = text("at")?.parse().ok()?;
    let kind = match &*text("act")? {
        "retry" => ActKind::Retry,
        "forget" => ActKind::Forget,
        "publish" => ActKind::Publish,
        "delete" => ActKind::Delete,
        other => ActKind::Other(other.to_owned()),
    };
    let content = match optional("content")? {
        None => None,
        Some(digits) => Some(unhex(&digits)?),
    };
    Some(Act {
        at: SystemTime::from(at),
        kind,
        by: text("by")?,
        from: text("from")?,
        device: optional("device")?,
        file: optional("file")?,
        content,
    })
}

fn hex(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn unhex(digits: &str) -> Option<[u8; 16]> {
    let is_hex = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u128::from_str_radix(digits, 16).ok();
    number.filter(|_| is_hex).map(u128::to_be_bytes)
}
