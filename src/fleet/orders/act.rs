//! Acts of people, and the orders among them that are in force.

use jiff::Timestamp;
use std::time::SystemTime;

/// An act of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Its time, to the millisecond.
    pub at: SystemTime,
    /// Its kind.
    pub kind: ActKind,
    /// Name of the token by which it was ordered.
    pub by: String,
    /// Address from which it was ordered.
    pub from: String,
    /// Device that it is about; `None` once that was forgotten, and where it is about none.
    pub device: Option<String>,
    /// File that it is about.
    pub file: Option<String>,
    /// First 16 bytes of the SHA-256 of that file's image, where it is known.
    pub content: Option<[u8; 16]>,
}

/// Time of an act, and who did it from where.
pub(super) type Whose<'a> = (SystemTime, &'a str, &'a str);

impl Act {
    /// Returns whose act it is, which stays when its device is forgotten.
    pub(super) fn whose(&self) -> Whose<'_> {
        (self.at, &self.by, &self.from)
    }
}

/// Kind of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActKind {
    /// Offer a device again what it failed.
    Retry,
    /// Forget a device.
    Forget,
    /// Put a file into the firmware folder.
    Publish,
    /// Take a file out of it.
    Delete,
    /// An act that this version does not know, by its name.
    Other(String),
}

/// Order in force to offer a device again what it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryOrder {
    /// Device that it is about.
    pub device: String,
    /// First 16 bytes of the SHA-256 of the image; `None` for all that it failed.
    pub content: Option<[u8; 16]>,
    /// Time of the order: what the device failed after it is not covered.
    pub at: SystemTime,
}

/// Returns a time as it is written: UTC, to the millisecond.
pub(super) fn written(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or_default();
    format!("{at:.3}")
}
