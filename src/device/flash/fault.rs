//! Reasons why no app comes out of a full flash image.

use crate::image::ImageFault;
use std::fmt;
use thiserror::Error;

/// Reason why no app comes out of a full flash image, and what to do. Offsets are places in
/// the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlashFault {
    /// No partition table in it.
    #[error(
        "no partition table is in it, neither at 0x8000 nor behind a bootloader: it is no full \
         flash image, it is damaged, or it was read from a chip whose flash is encrypted. Take \
         the app image, or the full image of the build"
    )]
    NoTable,
    /// A partition table that is damaged.
    #[error("the partition table at {offset:#x} is damaged: {why}. Get the file again")]
    Table {
        /// Place of its first byte.
        offset: u64,
        /// Damage of the table.
        why: TableFault,
    },
    /// A partition table without a slot that is looked at.
    #[error(
        "it has no slot for an app: its partition table has neither ota_0 nor factory, but {}. \
         Take the app image of the build",
        listed(.partitions)
    )]
    NoSlot {
        /// Labels of all partitions.
        partitions: Vec<String>,
    },
    /// Erased flash where the app should be.
    #[error(
        "its slot {slot} at {offset:#x} is empty: the image was made without an app. Take the \
         app image, or make the full image again"
    )]
    Empty {
        /// Label of the slot.
        slot: String,
        /// Place of its first byte.
        offset: u64,
    },
    /// The file ends in front of the slot.
    #[error(
        "it ends in front of its slot {slot} at {offset:#x}: it is cut off, or was made without \
         an app. Get the file again"
    )]
    Beyond {
        /// Label of the slot.
        slot: String,
        /// Place at which it would begin.
        offset: u64,
    },
    /// A slot whose content is no image.
    #[error(
        "what its slot {slot} at {offset:#x} holds is no image: it is encrypted or damaged. Take \
         the app image of the build, or an image that is not encrypted"
    )]
    Unreadable {
        /// Label of the slot.
        slot: String,
        /// Place of its first byte.
        offset: u64,
    },
    /// A slot whose image does not work out.
    #[error(
        "the app in its slot {slot} at {offset:#x} is damaged: {}. Get the file again",
        in_words(.fault)
    )]
    Damaged {
        /// Label of the slot.
        slot: String,
        /// Place of its first byte.
        offset: u64,
        /// Damage of the image.
        fault: ImageFault,
    },
    /// Two slots that hold different things.
    #[error(
        "its slots hold different apps, {ota_0} and {factory}, and which one is meant is not \
         known. Take the app image of the build"
    )]
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

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:#x} (", self.slot, self.offset)?;
        match &self.version {
            // It comes from the file.
            Some(version) => write!(f, "version {})", version.escape_debug()),
            None => f.write_str("unreadable)"),
        }
    }
}

/// Damage of a partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TableFault {
    /// Its MD5 is another one.
    #[error("its MD5 does not fit")]
    Checksum,
    /// A line that no table has.
    #[error("line {number} of it is none")]
    Line {
        /// Counted from 1.
        number: usize,
    },
    /// No mark at its end.
    #[error("it has no end")]
    NoEnd,
    /// Two partitions for one purpose.
    #[error("{what} stands in it twice")]
    Twice {
        /// `ota_0` or `factory`.
        what: &'static str,
    },
}

fn listed(labels: &[String]) -> String {
    match labels {
        [] => "nothing".to_owned(),
        labels => labels.join(", "),
    }
}

/// Says what is wrong with an image, as far as it can be wrong in a slot.
fn in_words(fault: &ImageFault) -> String {
    let words = match fault {
        ImageFault::EndsEarly { part, .. } => {
            return format!("the slot or the file ends within its {part}");
        }
        ImageFault::Checksum => "its checksum does not fit",
        ImageFault::Hash => "its SHA-256 does not fit",
        ImageFault::Signature => "the signature behind it is not for it",
        ImageFault::Bootloader | ImageFault::FullFlash => "it has no app descriptor",
        _ => "it is none that a device would take",
    };
    words.to_owned()
}
