//! Reads what another xiaozhi server answered a check-in, and makes of it what reaches the
//! device: its blocks byte for byte, but for `firmware`, which is ours.
//!
//! Whatever would abort a device, or leave it mute, is left out whole, and named. Devices read
//! replies with cJSON (`Ota::CheckVersion` in `main/ota.cc`), which finds keys in whatever
//! case they are written, takes the first of several, and calls itself for each level that it
//! goes down: so does this reader, but for the last.

mod node;

use super::reply::{Firmware, ServerTime, server_time};
use crate::event::{Event, event};
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
/// Number of blocks of a reply, and of those that are named as left out.
const MOST_BLOCKS: usize = 64;

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

/// Block that is left out, and the reason. It names keys, never values: these are secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Name of the block.
    pub block: String,
    /// The reason.
    pub why: Unfit,
}

/// Fault of a block, by which it would harm a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It is neither of the kind nor of the form that firmware expects.
    Form(String),
    /// `null` at this place.
    Null(String),
    /// A key of more than 15 bytes.
    Key(String),
    /// A value of 4,000 bytes or more.
    Value(String),
    /// More levels than devices can go down.
    Deep,
    /// Something that is no JSON to a device.
    Json,
    /// No address to speak to.
    NoAddress(String),
    /// An address that devices misread.
    Address(String, Event),
    /// There is no room for it in a reply that devices can read.
    Room,
}

/// Fault of a reply as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is no JSON object.
    NoJson,
    /// It has none of the blocks that a device needs.
    NoBlock,
    /// Each block that a device needs had to be left out.
    Unfit(Vec<LeftOut>),
}

impl From<&Unfit> for Event {
    fn from(why: &Unfit) -> Self {
        match why {
            Unfit::Form(key) => event!(UPSTREAM_UNFIT_FORM, key = key),
            Unfit::Null(key) => event!(UPSTREAM_UNFIT_NULL, key = key),
            Unfit::Key(key) => event!(UPSTREAM_UNFIT_KEY, key = key, longest = LONGEST_KEY),
            Unfit::Value(key) => {
                event!(
                    UPSTREAM_UNFIT_VALUE,
                    key = key,
                    longest = endpoint::LONGEST_STORED
                )
            }
            Unfit::Deep => event!(UPSTREAM_UNFIT_DEEP, most = DEEPEST),
            Unfit::Json => event!(UPSTREAM_UNFIT_JSON),
            Unfit::NoAddress(key) => event!(UPSTREAM_UNFIT_NO_ADDRESS, key = key),
            Unfit::Address(key, what) => {
                event!(UPSTREAM_UNFIT_ADDRESS, key = key, what = what.clone())
            }
            Unfit::Room => event!(UPSTREAM_UNFIT_ROOM, longest = LONGEST_REPLY),
        }
    }
}

impl From<&LeftOut> for Event {
    fn from(left_out: &LeftOut) -> Self {
        event!(
            UPSTREAM_LEFT_OUT,
            block = &*left_out.block,
            what = Event::from(&left_out.why)
        )
    }
}

/// Reads the body of a reply with status 200.
///
/// # Errors
///
/// It is one that no device can be given.
pub fn read(body: &[u8], kind: Kind) -> Result<Reply, Fault> {
    // cJSON passes over it (`skip_utf8_bom`), and .NET likes to send it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let Blocks(sent) = serde_json::from_slice(body).map_err(|_| Fault::NoJson)?;
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
    let mut left_out = Vec::new();
    let mut blocks = Vec::with_capacity(sent.len());
    for block in sent {
        if block.known == Known::Firmware {
            continue;
        }
        match unfit(&block) {
            None => blocks.push(block),
            Some(why) => left_out.push(LeftOut {
                block: block.name,
                why,
            }),
        }
    }
    let is_needed = |block: &Block| block.known.is_voice() || block.known == Known::Activation;
    if !blocks.iter().any(is_needed) {
        return Err(Fault::Unfit(left_out));
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
    /// What devices do know has no room.
    pub fn make_room(&mut self, firmware: Option<&Firmware<'_>>, more: usize) -> Result<(), Fault> {
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
                    block: block.name.clone(),
                    why: Unfit::Room,
                });
                return Err(Fault::Unfit(left_out.into_iter().collect()));
            };
            self.left_out.push(LeftOut {
                block: self.blocks.remove(last).name,
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
    let Ok(node) = serde_json::from_str::<Node>(&block.text) else {
        return Some(Unfit::Json);
    };
    let name = &*block.name;
    if name.len() > LONGEST_KEY {
        return Some(Unfit::Key(name.to_owned()));
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
    Some(Unfit::Form(format!("{name}.{}", other.0)))
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
struct Blocks(Vec<Block>);

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
                while let Some((name, text)) = map.next_entry::<String, &RawValue>()? {
                    let known = Known::of(&name);
                    let is_there =
                        known != Known::Other && blocks.iter().any(|block| block.known == known);
                    if is_there || blocks.len() >= MOST_BLOCKS {
                        continue;
                    }
                    blocks.push(Block {
                        name,
                        known,
                        text: text.get().into(),
                    });
                }
                blocks.retain(|block| &*block.text != "null");
                Ok(Blocks(blocks))
            }
        }
        from.deserialize_map(All)
    }
}

impl Fault {
    /// Returns the reason.
    pub fn event(&self) -> Event {
        match self {
            Self::NoJson => event!(UPSTREAM_NO_JSON),
            Self::NoBlock => event!(UPSTREAM_NO_BLOCK),
            Self::Unfit(left_out) => match left_out.first() {
                Some(first) => Event::from(first),
                None => event!(UPSTREAM_NO_BLOCK),
            },
        }
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
