//! Reads the partition table of a full flash image: `esp_partition_info_t` in ESP-IDF's
//! `esp_flash_partitions.h`, written by `gen_esp32part.py` and checked as the bootloader does
//! (`esp_partition_table_verify` in `flash_partitions.c`).

#[cfg(test)]
mod tests;

use super::fault::{FlashFault, TableFault};
use super::md5;
use crate::image::{Inspector, is_table, version_at_head};
use std::ops::Range;

/// Usual place of a table; a build may choose another (`CONFIG_PARTITION_TABLE_OFFSET`).
const USUAL: usize = 0x8000;
/// A table stands at the beginning of a sector of flash.
const SECTOR: usize = 0x1000;
/// Place of the last table that is looked for. In front of a table stands the bootloader alone,
/// of some tens of kilobytes.
const LAST: usize = 0x4_0000;
/// The longest table, its last line included (`ESP_PARTITION_TABLE_MAX_LEN`).
const LENGTH: usize = 0xC00;
/// Number of first bytes of a file by which it is told whether it has a table.
pub(super) const HEAD: usize = LAST + LENGTH;
/// Length of a line.
const LINE: usize = 32;
/// First bytes of a partition's line (`ESP_PARTITION_MAGIC`).
const PARTITION: [u8; 2] = [0xAA, 0x50];
/// First bytes of the line with the checksum (`ESP_PARTITION_MAGIC_MD5`). All that stands in
/// front of the checksum is 0xFF.
const CHECKSUM: [u8; 16] = {
    let mut line = [0xFF; 16];
    (line[0], line[1]) = (0xEB, 0xEB);
    line
};
/// Places of a bootloader: of most chips, of the ESP32 and ESP32-S2, of those whose first two
/// sectors are for flash encryption.
const BOOTLOADERS: [usize; 3] = [0, 0x1000, 0x2000];

/// Type and subtype of the first slot for updates.
pub(super) const OTA_0: (u8, u8) = (0, 0x10);
/// Type and subtype of the slot that is written when a device is made.
pub(super) const FACTORY: (u8, u8) = (0, 0);

/// Partition table in a file.
#[derive(Debug)]
pub(super) struct Table {
    /// Place of its first byte in the file.
    pub(super) at: usize,
    /// Place behind the last byte that it may have.
    pub(super) end: usize,
    pub(super) partitions: Vec<Partition>,
}

/// Line of a partition table.
#[derive(Debug)]
pub(super) struct Partition {
    kind: (u8, u8),
    /// Place in the file. Before that of its first byte, if the file begins behind it.
    start: i64,
    size: u32,
    /// Its label, or what it is for where that is empty. Nothing in it controls a terminal.
    pub(super) label: String,
}

impl Table {
    /// Finds the table, and reads it.
    pub(super) fn find(flash: &[u8]) -> Result<Self, FlashFault> {
        let at = place(flash).ok_or(FlashFault::NoTable)?;
        let end = flash.len().min(at + LENGTH);
        let lines = flash.get(at..end).unwrap_or_default();
        let partitions = read(lines, first_address(flash));
        let partitions = partitions.map_err(|why| {
            let offset = at as u64;
            FlashFault::Table { offset, why }
        })?;
        Ok(Self {
            at,
            end,
            partitions,
        })
    }

    /// Returns the slot of that type and subtype; no table that was read has two.
    pub(super) fn app(&self, kind: (u8, u8)) -> Option<&Partition> {
        self.partitions.iter().find(|one| one.kind == kind)
    }
}

impl Partition {
    fn read(line: &[u8; LINE], first_address: i64) -> Self {
        let number = |at: usize| {
            let bytes = line[at..].first_chunk().copied();
            u32::from_le_bytes(bytes.unwrap_or_default())
        };
        let kind = (line[2], line[3]);
        let (address, size) = (number(4), number(8));
        let field = &line[12..28];
        let end = field.iter().position(|byte| *byte == 0).unwrap_or(16);
        let label: String = String::from_utf8_lossy(&field[..end])
            .chars()
            .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
            .collect();
        let label = match (label.trim().is_empty(), kind) {
            (false, _) => label,
            (true, OTA_0) => "ota_0".to_owned(),
            (true, FACTORY) => "factory".to_owned(),
            (true, _) => format!("{address:#x}"),
        };
        Self {
            kind,
            start: i64::from(address) - first_address,
            size,
            label,
        }
    }

    /// Returns the place of its first byte in the file.
    pub(super) fn offset(&self) -> u64 {
        u64::try_from(self.start).unwrap_or(0)
    }

    /// Returns what part of the file it is; `None` where it has no byte there.
    pub(super) fn range(&self, flash: &[u8]) -> Option<Range<usize>> {
        let start = usize::try_from(self.start).ok()?;
        let size = usize::try_from(self.size).ok()?;
        let end = flash.len().min(start.saturating_add(size));
        (start < end).then_some(start..end)
    }
}

/// Returns the place of the partition table; the first one counts.
pub(super) fn place(flash: &[u8]) -> Option<usize> {
    let is_at = |at: usize| flash.get(at..).is_some_and(is_table) && !is_within_app(flash, at);
    if is_at(USUAL) {
        return Some(USUAL);
    }
    // Anywhere else it may be a member of an archive.
    (SECTOR..=LAST)
        .step_by(SECTOR)
        .find(|at| is_at(*at) && bootloader(flash, *at).is_some())
}

/// Returns the place of the bootloader in front of the table at `at`.
pub(super) fn bootloader(flash: &[u8], at: usize) -> Option<usize> {
    BOOTLOADERS.into_iter().find(|place| {
        let head = flash.get(*place..).unwrap_or_default();
        *place < at && matches!(head, [0xE9, 1..=16, ..])
    })
}

/// Tells whether the file begins with an app image that is not over at `at`.
fn is_within_app(flash: &[u8], at: usize) -> bool {
    let mut inspector = Inspector::new();
    version_at_head(flash).is_some() && {
        inspector.update(flash.get(..=at).unwrap_or(flash));
        inspector.is_within_image()
    }
}

/// Returns the address of the file's first byte in flash. `merge-bin --target-offset` leaves
/// out what stands in front of the bootloader; what chip has it where, is
/// `BOOTLOADER_FLASH_OFFSET` in esptool's `targets/`.
fn first_address(flash: &[u8]) -> i64 {
    let head = flash.first_chunk::<24>().filter(|head| head[0] == 0xE9);
    match head.map(|head| u16::from_le_bytes([head[12], head[13]])) {
        // ESP32, ESP32-S2.
        Some(0 | 2) => 0x1000,
        // ESP32-P4, -C5, -H4, -S31.
        Some(18 | 23 | 28 | 32) => 0x2000,
        _ => 0,
    }
}

/// Reads the lines up to the end mark. A checksum is the last line in front of it; builds may
/// be without one.
fn read(lines: &[u8], first_address: i64) -> Result<Vec<Partition>, TableFault> {
    let mut partitions = Vec::new();
    let mut is_summed = false;
    for (at, line) in lines.as_chunks::<LINE>().0.iter().enumerate() {
        let number = at + 1;
        if line == &[0xFF; LINE] {
            return unambiguous(partitions);
        }
        if is_summed {
            return Err(TableFault::Line { number });
        }
        if line.starts_with(&PARTITION) {
            partitions.push(Partition::read(line, first_address));
        } else if line.starts_with(&CHECKSUM[..2]) {
            let front = lines.get(..at * LINE).unwrap_or_default();
            if line[..16] != CHECKSUM || line[16..] != md5::digest(front) {
                return Err(TableFault::Checksum);
            }
            is_summed = true;
        } else {
            return Err(TableFault::Line { number });
        }
    }
    Err(TableFault::NoEnd)
}

/// Refuses a table with two slots for one purpose: which one starts is the bootloader's
/// business.
fn unambiguous(partitions: Vec<Partition>) -> Result<Vec<Partition>, TableFault> {
    for (kind, what) in [(OTA_0, "ota_0"), (FACTORY, "factory")] {
        if partitions.iter().filter(|one| one.kind == kind).count() > 1 {
            return Err(TableFault::Twice { what });
        }
    }
    Ok(partitions)
}
