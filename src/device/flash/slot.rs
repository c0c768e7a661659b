//! Reads what a slot for apps holds, and where the app in it ends.
//!
//! What stands behind an app is not its own: `esptool merge-bin` fills with 0xFF, and in a
//! flash that was read back the rest of an older, longer app may stand there. Flash is erased
//! by sectors, so such a rest begins with a sector.

use super::table::Partition;
use crate::image::{AppImage, ImageFault, Inspector, Signature};

const SECTOR: usize = 4096;
/// First byte of a sector of signatures (secure boot v2).
const SIGNATURE: u8 = 0xE7;
/// Place behind the blocks that such a sector can hold: three of 1,216 bytes.
const BLOCKS: usize = 3 * 1216;
/// Length of what secure boot v1 appends.
const SIGNATURE_V1: usize = 68;

/// Content of a slot.
#[derive(Debug, PartialEq)]
pub(super) enum Content<'a> {
    /// The file has no byte of it.
    Absent,
    /// Erased flash.
    Blank,
    /// A whole app, and its signature.
    App(&'a [u8]),
    /// No image.
    Unreadable,
    /// An image that does not work out.
    Damaged(ImageFault),
}

impl Content<'_> {
    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Absent | Self::Blank)
    }
}

/// Reads the slot that `partition` is, as far as the file has it.
pub(super) fn content<'a>(flash: &'a [u8], partition: &Partition) -> Content<'a> {
    let slot = partition.range(flash).and_then(|range| flash.get(range));
    let Some((slot, first)) = slot.and_then(|slot| Some((slot, *slot.first()?))) else {
        return Content::Absent;
    };
    if matches!(first, 0 | 0xFF) && slot.iter().all(|byte| *byte == first) {
        return Content::Blank;
    }
    if first != 0xE9 {
        return Content::Unreadable;
    }
    match app(slot) {
        Ok(app) => Content::App(app),
        // One of 256 begins like an image that is encrypted.
        Err(
            ImageFault::SegmentCount { .. }
            | ImageFault::HashFlag { .. }
            | ImageFault::SegmentLength { .. },
        ) => Content::Unreadable,
        Err(fault) => Content::Damaged(fault),
    }
}

/// Cuts out the app at the beginning of a slot.
fn app(slot: &[u8]) -> Result<&[u8], ImageFault> {
    let image = image(slot)?;
    let end = image.len();
    let sector = end.next_multiple_of(SECTOR);
    let behind = slot.get(sector..slot.len().min(sector + SECTOR));
    let behind = behind.unwrap_or_default();
    if behind.first() == Some(&SIGNATURE) {
        let signed = slot.get(..sector + behind.len()).unwrap_or_default();
        let found = whole(signed).ok();
        let found = found.filter(|app| app.signature == Some(Signature::V2));
        // A key is only found behind a checksum that fits; blocks of a version to come are
        // known by their outline alone.
        let is_outline = is_outline(behind);
        match found {
            Some(app) if is_outline || !app.key_digests.is_empty() => return Ok(signed),
            _ if is_outline => return Err(ImageFault::Signature),
            // It begins so by chance.
            _ => {}
        }
    }
    // Version 1 begins with its number, 0. Nothing follows it up to the end of its sector.
    let limit = (end + SIGNATURE_V1)
        .next_multiple_of(SECTOR)
        .min(slot.len());
    let signed = slot.get(..end + SIGNATURE_V1);
    let signed = signed.filter(|signed| signed[end..].starts_with(&[0; 4]));
    let sectors = slot.get(..limit).and_then(|sectors| whole(sectors).ok());
    Ok(match (signed, sectors.and_then(|app| app.signature)) {
        (Some(signed), Some(Signature::V1)) => signed,
        _ => image,
    })
}

/// Cuts out the image proper, its hash included, which must be whole.
fn image(slot: &[u8]) -> Result<&[u8], ImageFault> {
    let mut inspector = Inspector::new();
    for piece in slot.chunks(SECTOR) {
        inspector.update(piece);
        let end = inspector.image_end().map(usize::try_from);
        if let Some(Ok(end)) = end {
            let image = slot.get(..end).unwrap_or(slot);
            return whole(image).map(|_| image);
        }
    }
    // The slot ends within the image, and so this is an error.
    inspector.whole().map(|_| slot)
}

fn whole(bytes: &[u8]) -> Result<AppImage, ImageFault> {
    let mut inspector = Inspector::new();
    inspector.update(bytes);
    inspector.whole()
}

/// Tells whether a sector that begins with a signature block has the outline of one, whether
/// or not the block fits: nothing stands behind the blocks, or the file ends within it.
fn is_outline(sector: &[u8]) -> bool {
    match sector.get(BLOCKS..SECTOR) {
        Some(rest) => rest.iter().all(|byte| *byte == 0xFF),
        None => matches!(sector, [SIGNATURE, 2 | 3, ..]),
    }
}
