//! Builds ESP32 app images and full flash images byte by byte, from ESP-IDF's own headers and from no
//! code of the server.

#![expect(
    clippy::unwrap_used,
    reason = "tests alone build images, and say themselves of what"
)]

mod flash;
pub mod zip;

pub use flash::{Flash, Partition, md5, merged};

use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write as _;

/// An app image to be built. Every test says only what it is about.
#[derive(Debug, Clone)]
pub struct Image {
    /// `esp_chip_id_t`: 9 is the ESP32-S3.
    pub chip: u16,
    /// `esp_app_desc_t.project_name`.
    pub project: &'static str,
    /// `esp_app_desc_t.version`.
    pub version: String,
    /// `esp_app_desc_t.idf_ver`.
    pub idf_version: &'static str,
    /// `esp_app_desc_t.app_elf_sha256`; zeros stand for none.
    pub elf_sha256: [u8; 32],
    /// `esp_image_header_t.min_chip_rev_full`.
    pub min_revision: u16,
    /// `esp_image_header_t.max_chip_rev_full`.
    pub max_revision: u16,
    /// The byte that held the minimum before ESP-IDF 5.
    pub old_min_revision: u8,
    /// Whether a SHA-256 is appended.
    pub hash: bool,
    /// Without an app descriptor it is a bootloader.
    pub descriptor: bool,
    /// Data behind the descriptor, in the first segment, which is read-only: such as
    /// [`texts`]; a multiple of 4.
    pub rodata: Vec<u8>,
    /// Data of the second segment; a multiple of 4.
    pub payload: Vec<u8>,
}

impl Image {
    /// A xiaozhi image for the ESP32-S3 that holds this version.
    pub fn new(version: &str) -> Self {
        Self {
            chip: 9,
            project: "xiaozhi",
            version: version.to_owned(),
            idf_version: "v5.4.1",
            elf_sha256: sha256(version.as_bytes()),
            min_revision: 0,
            max_revision: 0,
            old_min_revision: 0,
            hash: true,
            descriptor: true,
            rodata: Vec::new(),
            payload: (0..=255).collect(),
        }
    }

    /// Returns what a device reports as `application.elf_sha256`.
    pub fn elf_hex(&self) -> String {
        hex(&self.elf_sha256)
    }

    /// Returns the file.
    ///
    /// # Panics
    ///
    /// If the payload is longer than 4 GB.
    pub fn build(&self) -> Vec<u8> {
        let mut first = if self.descriptor {
            self.descriptor()
        } else {
            vec![0x50; 256]
        };
        first.extend(&self.rodata);
        let mut bytes = vec![0xE9, 2, 2, 0x4F];
        bytes.extend(0x4037_5000u32.to_le_bytes());
        bytes.extend([0xEE, 0, 0, 0]);
        bytes.extend(self.chip.to_le_bytes());
        bytes.push(self.old_min_revision);
        bytes.extend(self.min_revision.to_le_bytes());
        bytes.extend(self.max_revision.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.push(u8::from(self.hash));
        let mut checksum = 0xEF;
        for (address, data) in [(0x3C0A_0020u32, &first), (0x4200_0020, &self.payload)] {
            bytes.extend(address.to_le_bytes());
            bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            bytes.extend(data);
            checksum = data.iter().fold(checksum, |sum, byte| sum ^ byte);
        }
        while bytes.len() % 16 != 15 {
            bytes.push(0);
        }
        bytes.push(checksum);
        if self.hash {
            bytes.extend(sha256(&bytes));
        }
        bytes
    }

    fn descriptor(&self) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &0xABCD_5432u32.to_le_bytes());
        put(16, self.version.as_bytes());
        put(48, self.project.as_bytes());
        put(80, b"12:34:56");
        put(96, b"Nov 21 2026");
        put(112, self.idf_version.as_bytes());
        put(144, &self.elf_sha256);
        bytes
    }
}

/// Returns texts as C has them in an image's read-only data, for [`Image::rodata`].
pub fn texts(texts: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    for text in texts {
        bytes.extend(text.bytes().chain([0]));
    }
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Returns `image` with a sector of signature blocks of secure boot v2 (RSA) behind it, one
/// for each of `keys`, which fill the place of a key and its signature.
pub fn signed(image: &[u8], keys: &[u8]) -> Vec<u8> {
    let mut bytes = padded(image.to_vec(), image.len().next_multiple_of(4096), 0xFF);
    let hash = sha256(&bytes);
    let mut sector = Vec::new();
    for key in keys {
        let mut block = vec![0xE7, 2, 0, 0];
        block.extend(hash);
        block.resize(1196, *key);
        block.extend(crc32(&block, 0).to_le_bytes());
        sector.extend(padded(block, 1216, 0));
    }
    bytes.extend(padded(sector, 4096, 0xFF));
    bytes
}

/// Returns the digest of one of the keys of [`signed`], in hexadecimal.
pub fn key_digest(key: u8) -> String {
    hex(&sha256(&[key; 776]))
}

/// Returns what the firmware's `build_default_assets.py` makes of these files.
///
/// # Panics
///
/// If they are longer than 4 GB.
pub fn assets(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut table, mut data) = (Vec::new(), Vec::<u8>::new());
    for (name, content) in files {
        table.extend(padded(name.as_bytes().to_vec(), 32, 0));
        table.extend(number(content.len()));
        table.extend(number(data.len()));
        table.extend([0; 4]);
        data.extend(b"ZZ");
        data.extend(*content);
    }
    table.extend(data);
    let sum = table.iter().map(|b| usize::from(*b)).sum::<usize>() & 0xFFFF;
    let header = [files.len(), sum, table.len()].map(number);
    [header.concat(), table].concat()
}

/// Returns what ESP-SR's `pack_model.py` makes of one model with these files.
///
/// # Panics
///
/// If they are longer than 4 GB.
pub fn models(files: &[(&str, &[u8])]) -> Vec<u8> {
    let name = |name: &str| padded(name.as_bytes().to_vec(), 32, 0);
    let mut bytes = [
        &number(1)[..],
        &name("wn9_nihaoxiaozhi_tts"),
        &number(files.len()),
    ]
    .concat();
    let mut at = bytes.len() + files.len() * 40;
    for (file, content) in files {
        bytes.extend([&name(file)[..], &number(at), &number(content.len())].concat());
        at += content.len();
    }
    for (_, content) in files {
        bytes.extend(*content);
    }
    bytes
}

/// Returns a page of NVS, as a device keeps its settings in it.
pub fn nvs_page() -> Vec<u8> {
    let mut header = vec![0xFE, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFE];
    header.resize(28, 0xFF);
    header.extend(crc32(&header[4..], u32::MAX).to_le_bytes());
    padded(header, 4096, 0xFF)
}

fn number(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap().to_le_bytes()
}

fn padded(mut bytes: Vec<u8>, length: usize, fill: u8) -> Vec<u8> {
    bytes.resize(length, fill);
    bytes
}

/// CRC-32 as zlib has it, of bytes behind those whose checksum is `before`.
fn crc32(bytes: &[u8], before: u32) -> u32 {
    let shift = |crc: u32| {
        if crc & 1 == 1 {
            (crc >> 1) ^ 0xEDB8_8320
        } else {
            crc >> 1
        }
    };
    let step = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| shift(crc));
    !bytes.iter().fold(!before, step)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

/// Returns `bytes` in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
