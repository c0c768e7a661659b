//! Builds ESP32 app images byte by byte, from ESP-IDF's own headers and from no
//! code of the server.

#![expect(
    clippy::unwrap_used,
    reason = "tests alone build images, and say themselves of what"
)]

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
        let first = if self.descriptor {
            self.descriptor()
        } else {
            vec![0x50; 256]
        };
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

/// Returns `image` behind a bootloader and a partition table, as `esptool merge-bin`
/// makes it; the bootloader stands at `bootloader_at`.
pub fn merged(image: &Image, bootloader_at: usize) -> Vec<u8> {
    let bootloader = Image {
        descriptor: false,
        ..image.clone()
    };
    let mut bytes = vec![0xFF; 0x10000];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(bootloader_at, &bootloader.build());
    for (n, (kind, subtype)) in [(1u8, 2u8), (0, 0x10), (0, 0x11)].into_iter().enumerate() {
        put(0x8000 + n * 32, &[0xAA, 0x50, kind, subtype]);
    }
    bytes.extend(image.build());
    bytes
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
