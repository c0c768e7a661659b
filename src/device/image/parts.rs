//! Parts of a flash chip that are no app: who reads one back, or takes the wrong file of a
//! build, holds one of them. They fit no update, and some hold secrets.

use super::ImageFault;
use super::signature::crc32;
use super::text;
use super::u32_at;
use super::window::{SECTOR, Window};

/// A file system's lookup of a block (`SPIFFS_MAGIC` in `spiffs_nucleus.h`), less what differs
/// from block to block: 0x20140529 ^ 256, the size of a page, cut to 16 bits.
const SPIFFS: u16 = 0x0429;

/// Tells whether these bytes begin a partition table: two entries, or one and what ends it
/// (`esp_partition_info_t` in ESP-IDF's `esp_flash_partitions.h`).
pub(crate) fn is_table(entries: &[u8]) -> bool {
    entries.len() >= 64
        && entries.starts_with(&[0xAA, 0x50])
        && matches!(entries[32..34], [0xAA, 0x50] | [0xEB, 0xEB] | [0xFF, 0xFF])
}

/// Tells whether these bytes begin a page of NVS, where devices keep their settings: its
/// state, its version, and a checksum of its header (`nvs_page.hpp`).
fn is_nvs(page: &[u8]) -> bool {
    page.len() >= 32
        && matches!(u32_at(page, 0), 0xFFFF_FFFE | 0xFFFF_FFFC | 0xFFFF_FFF8)
        && matches!(page[8], 0xFE | 0xFF)
        && crc32(&page[4..28], u32::MAX) == u32_at(page, 28)
}

/// Tells whether these bytes begin an entry of otadata, which says what slot boots
/// (`esp_ota_select_entry_t`).
fn is_otadata(entry: &[u8]) -> bool {
    entry.len() >= 32
        && !matches!(u32_at(entry, 0), 0 | u32::MAX)
        && crc32(&entry[..4], u32::MAX) == u32_at(entry, 28)
}

/// Tells whether a file is a partition of keys for encrypted NVS: two keys, their checksum, and
/// nothing else (`nvs_sec_cfg_t`; `nvs_partition_gen generate-key` writes it, and names it so
/// that its name looks like a model and a version). One that is damaged is one, too.
fn is_nvs_keys(opening: &[u8], size: u64, solid: u64) -> bool {
    size >= 512
        && (32..=68).contains(&solid)
        && opening[68..].iter().all(|byte| *byte == 0xFF)
        && text::read(&opening[..64], false).is_none()
}

/// Tells whether a file is what a device wrote down when it crashed, or a program's memory: a
/// header and an ELF file behind it, or the stacks alone (`core_dump_header_t`).
fn is_core_dump(opening: &[u8], size: u64) -> bool {
    let elf = |at: usize| opening.get(at..).is_some_and(|b| b.starts_with(b"\x7fELF"));
    // Of the kinds of ELF files (`e_type`) it is the fourth.
    if elf(0) && opening.get(16..18) == Some(&[4, 0]) || opening.starts_with(b"MDMP") {
        return true;
    }
    if opening.len() < 24 {
        return false;
    }
    let (length, version) = (u32_at(opening, 0), u32_at(opening, 4) & 0xFFFF);
    let (tasks, stack) = (u32_at(opening, 8), u32_at(opening, 12));
    let fits = (512..=size).contains(&u64::from(length)) && (1..=256).contains(&tasks);
    // An ELF file behind the header, of which there were several; or the stacks.
    let is_plain = match version {
        0x100..=0x10F => true,
        1..=3 => (64..=2048).contains(&stack),
        _ => false,
    };
    fits && is_plain || (8..=64).step_by(4).any(elf)
}

/// Tells whether a file begins as a disk with partitions does: what stands in the four places
/// of its table is marked as the one to start from, or not, and one of them is used.
fn is_disk(opening: &[u8]) -> bool {
    let Some(table) = opening.get(446..510) else {
        return false;
    };
    // The code that starts GRUB, and Windows.
    let codes: [&[u8]; 3] = [b"\xeb\x63\x90", b"\x33\xc0\x8e\xd0", b"\xfa\x33\xc0"];
    if codes.iter().any(|code| opening.starts_with(code)) {
        return true;
    }
    let (entries, _) = table.as_chunks::<16>();
    entries.iter().all(|entry| matches!(entry[0], 0 | 0x80))
        && entries
            .iter()
            .any(|entry| entry[4] != 0 && entry[12..] != [0; 4])
}

/// A block's lookup has a mark at the end of its first page: the number of blocks from this
/// one on, unless the image was made without.
fn is_spiffs(opening: &[u8], size: u64) -> bool {
    let Some(mark) = opening.get(252..254) else {
        return false;
    };
    let blocks = u16::from_le_bytes([mark[0], mark[1]]) ^ SPIFFS;
    size.is_multiple_of(SECTOR) && (blocks == 0 || u64::from(blocks) * SECTOR == size)
}

/// Tells whether a file is a private key in binary: PKCS#1, PKCS#8 or SEC1 in DER (RFC 8017,
/// RFC 5958, RFC 5915), PKCS#12 (RFC 7292), or a key store of Java and its like.
fn is_private_key(opening: &[u8], size: u64) -> bool {
    // Java's two, Microsoft's, OpenPGP's.
    let marks: [&[u8]; 6] = [
        &[0xFE, 0xED, 0xFE, 0xED],
        &[0xCE; 4],
        &[0x1E, 0xF1, 0xB5, 0xB0],
        b"\x07\x02\0\0\0\x24\0\0RSA2",
        b"\x07\x02\0\0\0\xa4\0\0RSA2",
        b"openssh-key-v1\0",
    ];
    let is_openpgp = matches!(opening, [0x94, _, 3..=6, ..] | [0x95, _, _, 3..=6, ..])
        && opening.windows(2).any(|two| two[0] == 0xB4);
    if is_openpgp || marks.iter().any(|mark| opening.starts_with(mark)) {
        return true;
    }
    // A SEQUENCE as long as the file.
    let (length, content) = match opening {
        [0x30, 0x82, high, low, content @ ..] => {
            (4 + u64::from(*high) * 256 + u64::from(*low), content)
        }
        [0x30, 0x81, length, content @ ..] => (3 + u64::from(*length), content),
        // Its end is not told in front.
        [0x30, 0x80, content @ ..] => (size, content),
        [0x30, length @ 0..=0x7F, content @ ..] => (2 + u64::from(*length), content),
        _ => return false,
    };
    // Behind its version follows a number or an algorithm, a key, or a SEQUENCE.
    let is_key = matches!(
        content,
        [2, 1, 0 | 1, 2 | 0x30 | 4, ..] | [2, 1, 3, 0x30, ..]
    );
    length == size && is_key
}

/// Returns the part of a flash chip as which a file begins.
pub(super) fn beginning(opening: &[u8], size: u64, solid: u64) -> Option<ImageFault> {
    let has = |at: usize, bytes: &[u8]| opening.get(at..).is_some_and(|b| b.starts_with(bytes));
    let part = |part| Some(ImageFault::FlashPart { part });
    if is_table(opening) {
        Some(ImageFault::PartitionTable)
    } else if is_private_key(opening, size) {
        Some(ImageFault::PrivateKey)
    } else if is_nvs(opening) {
        part("NVS")
    } else if is_otadata(opening) {
        part("otadata")
    } else if has(0, b"PHYINIT\0") {
        part("phy_init")
    } else if has(8, b"littlefs") {
        part("LittleFS")
    } else if is_nvs_keys(opening, size, solid) {
        Some(ImageFault::PrivateKey)
    } else if is_core_dump(opening, size) {
        part("core dump")
    } else if has(3, b"NTFS    ") {
        part("NTFS")
    } else if has(3, b"EXFAT   ") {
        part("exFAT")
    } else if has(512, b"EFI PART") {
        part("GPT")
    } else if has(510, &[0x55, 0xAA]) {
        part(if is_disk(opening) { "MBR" } else { "FAT" })
    } else if is_spiffs(opening, size) {
        part("SPIFFS")
    } else {
        None
    }
}

/// Parts of a flash chip further behind, by the first bytes of each sector.
#[derive(Debug)]
pub(super) struct Sectors {
    start: Window<64>,
    pub(super) found: Option<ImageFault>,
}

impl Default for Sectors {
    fn default() -> Self {
        Self {
            start: Window::at(SECTOR),
            found: None,
        }
    }
}

impl Sectors {
    pub(super) fn see(&mut self, at: u64, piece: &[u8]) {
        loop {
            self.start.see(at, piece);
            let start = self.start.seen();
            if start.len() < 64 || self.found.is_some() {
                return;
            }
            if is_table(start) {
                self.found = Some(ImageFault::FullFlash);
            } else if is_nvs(start) {
                self.found = Some(ImageFault::FlashPart { part: "NVS" });
            }
            self.start = Window::at(self.start.place() + SECTOR);
        }
    }
}
