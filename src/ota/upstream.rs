//! Reads what another xiaozhi server answered a check-in, and makes of it what reaches the
//! device: its blocks byte for byte, but for `firmware`, which is ours.
//!
//! Whatever would abort a device, or leave it mute, is left out whole, and named. Devices read
//! replies with cJSON (`Ota::CheckVersion` in `main/ota.cc`), which finds keys in whatever
//! case they are written, takes the first of several, and calls itself for each level that it
//! goes down: so does this reader, but for the last.

mod fault;
mod node;

pub use fault::{Fault, LeftOut, Unfit};

use super::reply::{Firmware, ServerTime, server_time};
use crate::event::Event;
use node::Node;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::time::SystemTime;
use xiaozhi_device::endpoint::{self, AddressKind};
use xiaozhi_device::guards::Reason;

/// Longest name of a key in flash, in bytes: `NVS_KEY_NAME_MAX_SIZE` in ESP-IDF's `nvs.h` is
/// 16, with the zero behind it.
const LONGEST_KEY: usize = 15;
/// Longest reply that a device reads, in bytes: it stops at 8 KB that wait to be read, and
/// then hangs for good (`src/http_client.cc` in esp-ml307).
pub const LONGEST_REPLY: usize = 8 * 1024 - 1;
/// Levels of objects and lists in a block. cJSON calls itself for each of them, on a stack of
/// a few kilobytes; real replies have two.
const DEEPEST: usize = 16;
/// Key of what is ours in every reply.
const FIRMWARE: &str = "firmware";
/// Number of blocks that devices do not know.
const MOST_BLOCKS: usize = 64;
/// Digits of a number: cJSON up to 1.7.18 copies 63 of them, and then finds no JSON in the
/// rest (`parse_number` in `cJSON.c`).
const LONGEST_NUMBER: usize = 63;
/// Number of bytes of a key that are shown: some have keys that are secrets.
const KEY_SHOWN: usize = 24;

/// `gateway.upstream.kind`: what it means that a reply is without `firmware`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// manager-api leaves it out where automatic updates are off for the device
    /// (`DeviceServiceImpl.checkDeviceActive`).
    ManagerApi,
    /// Nothing.
    Other,
}

/// Block of a reply that devices know, or any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    ServerTime,
    WebSocket,
    Mqtt,
    Activation,
    Firmware,
    Other,
}

impl Known {
    const NAMES: [(&str, Self); 5] = [
        ("server_time", Self::ServerTime),
        ("websocket", Self::WebSocket),
        ("mqtt", Self::Mqtt),
        ("activation", Self::Activation),
        (FIRMWARE, Self::Firmware),
    ];

    fn of(name: &str) -> Self {
        let mut names = Self::NAMES.iter();
        let known = names.find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map_or(Self::Other, |(_, known)| *known)
    }

    /// Tells whether a device speaks by it.
    fn is_voice(self) -> bool {
        matches!(self, Self::WebSocket | Self::Mqtt)
    }
}

/// One block of a reply, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    name: String,
    known: Known,
    text: Box<str>,
}

/// Reason why a device with this reply is offered nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// It waits for its owner to take it on.
    Unbound,
    /// Automatic updates are off for it.
    UpdatesOff,
}

impl Hold {
    /// Returns it as the reason for which an image is withheld.
    pub(crate) fn reason(self) -> Reason<'static> {
        match self {
            Self::Unbound => Reason::NotActivated,
            Self::UpdatesOff => Reason::UpdatesOff,
        }
    }
}

/// Reply of another server, as far as it can reach a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    blocks: Vec<Block>,
    /// Reason why the device is offered nothing.
    pub hold: Option<Hold>,
    /// Blocks that are left out.
    pub left_out: Vec<LeftOut>,
}

/// Reads the body of a reply with status 200.
///
/// # Errors
///
/// It is one that no device can be given.
pub fn read(body: &[u8], kind: Kind) -> Result<Reply, Fault> {
    // cJSON passes over it (`skip_utf8_bom`), and .NET likes to send it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let sent: Blocks = serde_json::from_slice(body).map_err(|_| Fault::NoJson)?;
    let (sent, mut left_out) = (sent.blocks, sent.left_out);
    let has = |wanted: Known| sent.iter().any(|block| block.known == wanted);
    if !(has(Known::WebSocket) || has(Known::Mqtt) || has(Known::Activation)) {
        return Err(Fault::NoBlock);
    }
    let is_unbound = sent
        .iter()
        .any(|block| block.known == Known::Activation && block.text.starts_with('{'));
    let hold = if is_unbound {
        Some(Hold::Unbound)
    } else {
        let is_off = kind == Kind::ManagerApi && !has(Known::Firmware);
        is_off.then_some(Hold::UpdatesOff)
    };
    let mut blocks = Vec::with_capacity(sent.len());
    for block in sent {
        if block.known == Known::Firmware {
            continue;
        }
        match unfit(&block) {
            None => blocks.push(block),
            Some(why) => left_out.push(LeftOut {
                block: key_shown(&block.name),
                why,
            }),
        }
    }
    let is_needed = |block: &Block| block.known.is_voice() || block.known == Known::Activation;
    if !blocks.iter().any(is_needed) {
        return Err(Fault::Unfit {
            left_out,
            is_unbound,
        });
    }
    Ok(Reply {
        blocks,
        hold,
        left_out,
    })
}

impl Reply {
    /// Tells whether it is that of a device which has an owner, and can speak.
    pub fn is_bound(&self) -> bool {
        self.hold != Some(Hold::Unbound) && self.blocks.iter().any(|block| block.known.is_voice())
    }

    /// Makes room for `firmware`, which is ours, and some `more` bytes of it. Blocks that
    /// devices do not know go first, and are then named.
    ///
    /// # Errors
    ///
    /// What devices do know has no room: nothing is changed.
    pub fn make_room(&mut self, firmware: Option<&Firmware<'_>>, more: usize) -> Result<(), Fault> {
        let before = self.clone();
        let made = self.leave_out(firmware, more);
        if made.is_err() {
            *self = before;
        }
        made
    }

    fn leave_out(&mut self, firmware: Option<&Firmware<'_>>, more: usize) -> Result<(), Fault> {
        let ours = firmware
            .and_then(Block::of)
            .map_or(0, |block| block.room() + more);
        loop {
            let length = 2 + ours + self.blocks.iter().map(Block::room).sum::<usize>();
            if length <= LONGEST_REPLY {
                return Ok(());
            }
            let unknown = |block: &Block| block.known == Known::Other;
            let Some(last) = self.blocks.iter().rposition(unknown) else {
                let too_long = self.blocks.iter().max_by_key(|block| block.text.len());
                let left_out = too_long.map(|block| LeftOut {
                    block: key_shown(&block.name),
                    why: Unfit::Room,
                });
                return Err(Fault::Unfit {
                    left_out: left_out.into_iter().collect(),
                    is_unbound: self.hold == Some(Hold::Unbound),
                });
            };
            self.left_out.push(LeftOut {
                block: key_shown(&self.blocks.remove(last).name),
                why: Unfit::Room,
            });
        }
    }

    /// Writes what a device is told: there is room for it ([`make_room`](Self::make_room)).
    pub fn write(&self, firmware: Option<&Firmware<'_>>) -> Vec<u8> {
        let firmware = firmware.and_then(Block::of);
        written(self.blocks.iter().chain(&firmware))
    }

    /// Writes what is kept of it for when the server is away: what a device is told but for
    /// what is made anew.
    pub fn keep(&self) -> Vec<u8> {
        let kept = |block: &&Block| block.known != Known::Activation;
        written(self.blocks.iter().filter(kept))
    }

    /// Reads again what was kept, for a device that was held or not. Its time is made anew.
    ///
    /// # Errors
    ///
    /// What was kept is none any more.
    pub fn kept(
        body: &[u8],
        is_held: bool,
        now: SystemTime,
        timezone_offset: i32,
    ) -> Result<Self, Fault> {
        let mut reply = read(body, Kind::Other)?;
        reply.hold = is_held.then_some(Hold::UpdatesOff);
        let is_time = |block: &&mut Block| block.known == Known::ServerTime;
        if let Some(block) = reply.blocks.iter_mut().find(is_time) {
            let theirs: Option<TheirTime> = serde_json::from_str(&block.text).ok();
            let offset = theirs.and_then(|theirs| theirs.timezone_offset);
            let anew: ServerTime = server_time(now, offset.unwrap_or(timezone_offset));
            if let Ok(text) = serde_json::to_string(&anew) {
                block.text = text.into();
            }
        }
        Ok(reply)
    }
}

/// `server_time`, as far as it is of use later.
#[derive(serde::Deserialize)]
struct TheirTime {
    timezone_offset: Option<i32>,
}

impl Block {
    fn of(firmware: &Firmware<'_>) -> Option<Self> {
        Some(Self {
            name: FIRMWARE.to_owned(),
            known: Known::Firmware,
            text: serde_json::to_string(firmware).ok()?.into(),
        })
    }

    /// Number of bytes that it takes in a reply.
    fn room(&self) -> usize {
        // A name with signs that are escaped may take six times as much.
        let name = serde_json::to_string(&self.name).map_or(0, |name| name.len());
        name + self.text.len() + 2
    }
}

fn written<'a>(blocks: impl Iterator<Item = &'a Block>) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024);
    body.push(b'{');
    for block in blocks {
        if body.len() > 1 {
            body.push(b',');
        }
        // Into memory: there is nothing that could fail.
        let _ = serde_json::to_writer(&mut body, &block.name);
        body.push(b':');
        body.extend_from_slice(block.text.as_bytes());
    }
    body.push(b'}');
    body
}

/// Returns what would harm a device in a block.
fn unfit(block: &Block) -> Option<Unfit> {
    let name = &*block.name;
    let node = serde_json::from_str::<Node>(&block.text).ok();
    let node = node.filter(|_| !name.contains('\0') && !has_long_number(&block.text));
    let Some(node) = node else {
        return Some(Unfit::Json);
    };
    if name.len() > LONGEST_KEY {
        return Some(Unfit::Key(key_shown(name)));
    }
    node.judge(name, DEEPEST).or_else(|| match block.known {
        Known::WebSocket => voice(&node, name, "url", AddressKind::WebSocket),
        Known::Mqtt => voice(&node, name, "endpoint", AddressKind::Mqtt),
        // Up to v1.7 what is there is taken for a text unseen (`CheckVersion` in `main/ota.cc`).
        Known::Activation => {
            let texts = ["message", "code", "challenge"];
            form(&node, name, |key| texts.contains(&key), Node::is_text)
        }
        Known::ServerTime => {
            let numbers = ["timestamp", "timezone_offset"];
            form(&node, name, |key| numbers.contains(&key), Node::is_number)
        }
        Known::Firmware | Known::Other => None,
    })
}

/// Tells whether a number is longer than devices read. `text` is JSON.
fn has_long_number(text: &str) -> bool {
    let (mut digits, mut is_text, mut is_escaped) = (0, false, false);
    text.bytes().any(|byte| {
        if is_text {
            is_text = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            return false;
        }
        is_text = byte == b'"';
        let is_digit = matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        digits = if is_digit { digits + 1 } else { 0 };
        digits > LONGEST_NUMBER
    })
}

/// Returns a key as messages show it.
fn key_shown(key: &str) -> String {
    match key.char_indices().nth(KEY_SHOWN) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key.to_owned(),
    }
}

/// Judges a block that must be an object, some values of which must be of one kind.
fn form(
    node: &Node,
    name: &str,
    is_meant: impl Fn(&str) -> bool,
    is_fit: impl Fn(&Node) -> bool,
) -> Option<Unfit> {
    let Node::Object(pairs) = node else {
        return Some(Unfit::Form(name.to_owned()));
    };
    let mut pairs = pairs.iter();
    let other = pairs.find(|(key, value)| is_meant(&key.to_ascii_lowercase()) && !is_fit(value))?;
    Some(Unfit::Form(format!("{name}.{}", key_shown(&other.0))))
}

/// Judges a block by which a device speaks: each of its values goes to flash, and the last of
/// those under one key stays there.
fn voice(node: &Node, name: &str, key: &str, kind: AddressKind) -> Option<Unfit> {
    let wrong = form(node, name, |each| each == key, Node::is_text);
    if wrong.is_some() {
        return wrong;
    }
    let place = || format!("{name}.{key}");
    let mut address = None;
    for (each, value) in node.pairs() {
        if let (true, Node::Text(text)) = (each == key, value) {
            if let Err(misread) = endpoint::read(text, kind) {
                return Some(Unfit::Address(place(), Event::from(&misread)));
            }
            address = Some(text);
        }
    }
    address.is_none().then(|| Unfit::NoAddress(place()))
}

/// The blocks of a reply, as cJSON finds them: of those that devices know the first counts.
/// One that is `null` is none.
struct Blocks {
    blocks: Vec<Block>,
    left_out: Vec<LeftOut>,
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Blocks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Blocks, A::Error> {
                let mut blocks: Vec<Block> = Vec::new();
                let (mut unknown, mut left_out) = (0, Vec::new());
                while let Some((name, text)) = map.next_entry::<String, &RawValue>()? {
                    let known = Known::of(&name);
                    if known == Known::Other {
                        unknown += 1;
                        if unknown > MOST_BLOCKS {
                            // There is no end to them, and one tells it.
                            if left_out.is_empty() {
                                left_out.push(LeftOut {
                                    block: key_shown(&name),
                                    why: Unfit::Room,
                                });
                            }
                            continue;
                        }
                    } else if blocks.iter().any(|block| block.known == known) {
                        continue;
                    }
                    blocks.push(Block {
                        name,
                        known,
                        text: text.get().into(),
                    });
                }
                blocks.retain(|block| &*block.text != "null");
                Ok(Blocks { blocks, left_out })
            }
        }
        from.deserialize_map(All)
    }
}

impl Kind {
    /// Returns it in the words of the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ManagerApi => "manager-api",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests;
