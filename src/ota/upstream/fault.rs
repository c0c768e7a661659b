//! Faults of a reply, and of a block of it.

use super::{DEEPEST, LONGEST_KEY, LONGEST_REPLY};
use crate::event::{Event, event};
use xiaozhi_device::endpoint;

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
    Unfit {
        /// Blocks that are.
        left_out: Vec<LeftOut>,
        /// True where the device waits for its owner: nothing that it was told before holds.
        is_unbound: bool,
    },
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

impl Fault {
    /// Returns the reason.
    pub fn event(&self) -> Event {
        match self {
            Self::NoJson => event!(UPSTREAM_NO_JSON),
            Self::NoBlock => event!(UPSTREAM_NO_BLOCK),
            Self::Unfit { left_out, .. } => match left_out.first() {
                Some(first) => Event::from(first),
                None => event!(UPSTREAM_NO_BLOCK),
            },
        }
    }
}
