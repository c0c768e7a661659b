//! Finds the app in a full flash image: what `esptool merge-bin` makes of a build, as it is
//! attached to releases and read back from devices. OTA cannot use such an image; the app in
//! it is what a device downloads.
//!
//! The partition table says where the slots are (`table`), and the image in a slot says
//! where it ends (`slot`). No length that stands in a file is ever allocated: what is found
//! is a part of the bytes that were given.

mod fault;
mod md5;
mod slot;
mod table;
#[cfg(test)]
mod tests;

pub use fault::{FlashFault, Held, TableFault};

use crate::image::version_at_head;
use slot::Content;
use table::{FACTORY, OTA_0, Partition, Table};

/// App that a full flash image holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlashApp<'a> {
    /// The image with its signature, byte for byte as it was built; no padding.
    pub bytes: &'a [u8],
    /// Label of the partition that holds it: `ota_0`, `factory`.
    pub slot: String,
    /// Place of its first byte in the file.
    pub offset: u64,
    /// All else that the file holds, by its place.
    pub left: Vec<Left>,
}

/// Part of a full flash image that is not its app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// `bootloader`, `partition table`, or the label of a partition.
    pub what: String,
    /// Place of its first byte in the file.
    pub offset: u64,
    /// Number of bytes, without the erased flash behind them.
    pub bytes: u64,
}

/// Number of first bytes of a file by which [`is_flash`] tells what it is.
pub const HEAD: usize = table::HEAD;

/// Tells whether these bytes are a full flash image: a partition table stands at 0x8000, or
/// elsewhere behind a bootloader. [`app_in`] says what is wrong with a table that is damaged.
/// A partition table alone is no flash image, and neither is an app that has a table in its
/// data.
pub fn is_flash(flash: &[u8]) -> bool {
    table::place(flash).is_some()
}

/// Finds the app in a full flash image: that of the slot `ota_0`, or of `factory` where there
/// is nothing in `ota_0`. Whether a device could run it, `inspect` says as of any other.
pub fn app_in(flash: &[u8]) -> Result<FlashApp<'_>, FlashFault> {
    let table = Table::find(flash)?;
    let (ota_0, factory) = (table.app(OTA_0), table.app(FACTORY));
    let (partition, bytes) = match (ota_0, factory) {
        (Some(only), None) | (None, Some(only)) => (only, only_app(flash, only)?),
        (Some(ota_0), Some(factory)) => first_app(flash, ota_0, factory)?,
        (None, None) => {
            let partitions = table.partitions.iter();
            let partitions = partitions.map(|one| one.label.clone()).collect();
            return Err(FlashFault::NoSlot { partitions });
        }
    };
    Ok(FlashApp {
        bytes,
        slot: partition.label.clone(),
        offset: partition.offset(),
        left: left(flash, &table, partition),
    })
}

fn only_app<'a>(flash: &'a [u8], partition: &Partition) -> Result<&'a [u8], FlashFault> {
    app(slot::content(flash, partition), partition)
}

fn app<'a>(content: Content<'a>, partition: &Partition) -> Result<&'a [u8], FlashFault> {
    let (slot, offset) = (partition.label.clone(), partition.offset());
    match content {
        Content::App(bytes) => Ok(bytes),
        Content::Absent => Err(FlashFault::Beyond { slot, offset }),
        Content::Blank => Err(FlashFault::Empty { slot, offset }),
        Content::Unreadable => Err(FlashFault::Unreadable { slot, offset }),
        Content::Damaged(fault) => Err(FlashFault::Damaged {
            slot,
            offset,
            fault,
        }),
    }
}

/// Returns the one of two slots that counts, and its app. Where both hold something, it has to
/// be the same: which of two a release means, nobody here can know.
fn first_app<'a, 't>(
    flash: &'a [u8],
    ota_0: &'t Partition,
    factory: &'t Partition,
) -> Result<(&'t Partition, &'a [u8]), FlashFault> {
    let (first, second) = (slot::content(flash, ota_0), slot::content(flash, factory));
    if first.is_nothing() && !second.is_nothing() {
        return Ok((factory, app(second, factory)?));
    }
    let is_app = |content: &Content<'_>| matches!(content, Content::App(_));
    if !second.is_nothing() && first != second && (is_app(&first) || is_app(&second)) {
        let held = |partition: &Partition, app: &[u8]| Held {
            slot: partition.label.clone(),
            offset: partition.offset(),
            version: version_at_head(app),
        };
        let bytes = |content| match content {
            Content::App(bytes) => bytes,
            _ => &[],
        };
        return Err(FlashFault::Different {
            ota_0: held(ota_0, bytes(first)),
            factory: held(factory, bytes(second)),
        });
    }
    Ok((ota_0, app(first, ota_0)?))
}

/// Lists what the file holds beside the app of `taken`.
fn left(flash: &[u8], table: &Table, taken: &Partition) -> Vec<Left> {
    let place = |what: &str, start: usize, end: usize| Left {
        what: what.to_owned(),
        offset: start as u64,
        bytes: held(flash.get(start..end).unwrap_or_default()) as u64,
    };
    let bootloader = table::bootloader(flash, table.at);
    let own = [Some(table.at), bootloader];
    let mut left = vec![place("partition table", table.at, table.end)];
    left.extend(bootloader.map(|at| place("bootloader", at, table.at)));
    // Tables of ESP-IDF 5.4 and later may name the bootloader and themselves.
    let others = table.partitions.iter().filter_map(|partition| {
        let range = partition.range(flash)?;
        let is_other = !std::ptr::eq(partition, taken) && !own.contains(&Some(range.start));
        is_other.then(|| place(&partition.label, range.start, range.end))
    });
    left.extend(others.filter(|part| part.bytes > 0));
    left.sort_by_key(|part| part.offset);
    left
}

/// Returns the number of bytes in front of the erased flash, or the zeros, at the end.
fn held(bytes: &[u8]) -> usize {
    match bytes.last() {
        Some(fill @ (0 | 0xFF)) => bytes
            .iter()
            .rposition(|byte| byte != fill)
            .map_or(0, |last| last + 1),
        _ => bytes.len(),
    }
}
