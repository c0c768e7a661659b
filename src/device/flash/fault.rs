//! Reasons why no app comes out of a full flash image.

use crate::image::ImageFault;

/// Reason why no app comes out of a full flash image. Offsets are places in
/// the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlashFault {
    /// No partition table in it.
    NoTable,
    /// A partition table that is damaged.
    Table {
        /// Place of its first byte.
        offset: u64,
        /// Damage of the table.
        why: TableFault,
    },
    /// A partition table without a slot that is looked at.
    NoSlot {
        /// Labels of all partitions.
        partitions: Vec<String>,
    },
    /// Erased flash where the app should be.
    Empty {
        /// Label of the slot.
        slot: String,
        /// Place of its first byte.
        offset: u64,
    },
    /// The file ends in front of the slot.
    Beyond {
        /// Label of the slot.
        slot: String,
        /// Place at which it would begin.
        offset: u64,
    },
    /// A slot whose content is no image.
    Unreadable {
        /// Label of the slot.
        slot: String,
        /// Place of its first byte.
        offset: u64,
    },
    /// A slot whose image does not work out.
    Damaged {
        /// Label of the slot.
        slot: String,
        /// Place of its first byte.
        offset: u64,
        /// Damage of the image.
        fault: ImageFault,
    },
    /// Two slots that hold different things.
    Different {
        /// The slot `ota_0`.
        ota_0: Held,
        /// The slot `factory`.
        factory: Held,
    },
}

/// Slot, and the version of what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Label of the slot.
    pub slot: String,
    /// Place of its first byte in the file.
    pub offset: u64,
    /// Version of its app; `None` where it is none that can be read.
    pub version: Option<String>,
}

/// Damage of a partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFault {
    /// Its MD5 is another one.
    Checksum,
    /// A line that no table has.
    Line {
        /// Counted from 1.
        number: usize,
    },
    /// No mark at its end.
    NoEnd,
    /// Two partitions for one purpose.
    Twice {
        /// `ota_0` or `factory`.
        what: &'static str,
    },
}
