//! Ids of devices, in one form, whatever the spelling of a MAC address.

use super::about::kept;
use std::fmt;
use xiaozhi_device::mac::Mac;

/// Id of a device, as it is kept and asked for. What goes out to devices and into the
/// guide's log lines keeps the text that was sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceId {
    /// A MAC address, in any spelling.
    Mac(Mac),
    /// Any other text. It is kept, in a small place of its own, and never counts for
    /// anything: no device of the firmware's sends it.
    Other(Box<str>),
}

impl DeviceId {
    /// Reads an id. A long one is cut.
    pub fn new(text: &str) -> Self {
        match Mac::parse(text) {
            Some(mac) => Self::Mac(mac),
            None => Self::Other(kept(text).into()),
        }
    }

    /// Returns its MAC address, if it is one.
    pub fn mac(&self) -> Option<Mac> {
        match self {
            Self::Mac(mac) => Some(*mac),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mac(mac) => mac.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}
