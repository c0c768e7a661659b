//! Looks at the bytes around an image in its file: padding, a signature, or the rest of a
//! flash chip.

use super::parts::is_table;
use super::signature::{self, BLOCK, Signature};
use super::window::{SECTOR, Window};
use super::{ImageFault, MAGIC};

/// Signature blocks of secure boot v2 that a sector can hold.
const BLOCKS: usize = 3 * BLOCK;
/// Length of the block that secure boot v1 appends (`esp_secure_boot_sig_block_t`).
const SIGNATURE_V1: usize = 68;
/// Offset of the partition table in a full flash image (`CONFIG_PARTITION_TABLE_OFFSET`).
const TABLE_AT: u64 = 0x8000;
/// Offsets at which a full flash image has an app, most often.
const APPS_AT: [u64; 3] = [0x10000, 0x20000, 0x10_0000];
/// Offsets of its bootloader, on chips that do not have it at 0.
const BOOTLOADERS_AT: [u64; 2] = [0x1000, 0x2000];

/// The bytes behind the image.
///
/// A device reads no further than to the end of the signature (`esp_image_verify`
/// in ESP-IDF's `esp_image_format.c`), so padding to any boundary is right, and so
/// is the erased rest of a slot from which an image was read back.
#[derive(Debug, Default)]
pub(super) struct After {
    bytes: u64,
    /// Offsets of the first and the last byte that is no padding.
    strange: Option<(u64, u64)>,
    v1: Window<SIGNATURE_V1>,
    pub(super) signed_sum: Option<[u8; 32]>,
    pub(super) sector: Window<BLOCKS>,
}

impl After {
    /// Takes the bytes from `at` on; `end` is where the image ends.
    pub(super) fn see(&mut self, at: u64, end: u64, piece: &[u8]) {
        let is_strange = |b: &u8| !matches!(b, 0 | 0xFF);
        if let Some(last) = piece.iter().rposition(is_strange) {
            let first = piece.iter().position(is_strange).unwrap_or(last);
            let (first, last) = (at + first as u64, at + last as u64);
            self.strange = Some((self.strange.map_or(first, |(before, _)| before), last));
        }
        if self.bytes == 0 {
            self.v1 = Window::at(end);
        }
        self.v1.see(at, piece);
        self.sector.see(at, piece);
        self.bytes += piece.len() as u64;
    }

    /// Tells padding and a signature from what should not be there. `end` is where
    /// the image ends.
    pub(super) fn what(&self, end: u64) -> Result<Option<Signature>, ImageFault> {
        let Some((first, last)) = self.strange else {
            return Ok(None);
        };
        let behind_v1 = end + SIGNATURE_V1 as u64;
        if self.bytes == SIGNATURE_V1 as u64 || last < behind_v1 && self.has_v1() {
            return Ok(Some(Signature::V1));
        }
        let sector = end.next_multiple_of(SECTOR);
        let block = self.sector.seen().first_chunk::<BLOCK>();
        let block = block.filter(|block| block[0] == 0xE7);
        let is_sector = first >= sector && end + self.bytes >= sector + SECTOR;
        let Some(block) = block.filter(|_| is_sector) else {
            let (bytes, length) = (self.bytes, end);
            return Err(ImageFault::Trailing { bytes, length });
        };
        if !signature::is_whole(block, self.signed_sum) {
            return Err(ImageFault::Signature);
        }
        if last >= sector + SECTOR {
            let length = sector + SECTOR;
            let bytes = end + self.bytes - length;
            return Err(ImageFault::Trailing { bytes, length });
        }
        Ok(Some(Signature::V2))
    }

    /// Returns the digests of the keys that signed the image.
    pub(super) fn key_digests(&self) -> Vec<[u8; 32]> {
        signature::key_digests(self.sector.seen())
    }

    /// A block of version 1, with nothing but padding behind it: its version is 0, and what
    /// follows is none (`esp_secure_boot_sig_block_t` in ESP-IDF's
    /// `esp_secure_boot.h`).
    fn has_v1(&self) -> bool {
        let block = self.v1.seen();
        block.len() == SIGNATURE_V1
            && block.starts_with(&[0; 4])
            && block[4..].iter().any(|b| !matches!(b, 0 | 0xFF))
    }
}

/// Bytes elsewhere in the file that would show it to be a full flash image.
pub(super) struct Clues {
    table: Window<64>,
    apps: [Window<1>; APPS_AT.len()],
    bootloaders: [Window<1>; BOOTLOADERS_AT.len()],
    /// Length of the beginning that is nothing but 0xFF, erased flash, or nothing but 0x00.
    pub(super) blank: u64,
    fill: Option<u8>,
}

impl Clues {
    pub(super) fn new() -> Self {
        Self {
            table: Window::at(TABLE_AT),
            apps: APPS_AT.map(Window::at),
            bootloaders: BOOTLOADERS_AT.map(Window::at),
            blank: 0,
            fill: None,
        }
    }

    pub(super) fn see(&mut self, at: u64, piece: &[u8]) {
        self.table.see(at, piece);
        let images = self.apps.iter_mut().chain(&mut self.bootloaders);
        images.for_each(|window| window.see(at, piece));
        let fill = self.fill.or_else(|| piece.first().copied());
        self.fill = fill;
        if self.blank == at && matches!(fill, Some(0 | 0xFF)) {
            let same = piece.iter().take_while(|b| Some(**b) == fill);
            self.blank += same.count() as u64;
        }
    }

    /// Behind an image that ends at `end` there is what only flash has.
    pub(super) fn is_full_flash_behind(&self, end: u64) -> bool {
        let app = |window: &Window<1>| window.place() >= end && window.seen() == [MAGIC];
        end <= TABLE_AT && self.has_table() || self.apps.iter().any(app)
    }

    /// The file begins with erased flash, and the bootloader stands behind it; or there is a
    /// partition table where flash has it, whatever stands in front.
    pub(super) fn is_full_flash_behind_a_gap(&self) -> bool {
        let erased = if self.fill == Some(0xFF) {
            self.blank
        } else {
            0
        };
        let bootloader = |window: &Window<1>| window.place() <= erased && window.seen() == [MAGIC];
        self.bootloaders.iter().any(bootloader) || self.has_table()
    }

    fn has_table(&self) -> bool {
        is_table(self.table.seen())
    }
}
