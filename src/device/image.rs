//! Tells from its bytes what a firmware file is.
//!
//! A device finds out that an image is damaged, merged or for another chip
//! after minutes of download, and again at its next boot. All of it can be seen
//! here before the first byte goes out. The layout is that of ESP-IDF's
//! `esp_app_format.h`, `esp_app_desc.h` and `esp_image_format.c`; what is
//! damaged, cut off or no app to `esp_ota_end()` or `esptool image-info` is so
//! here.
//!
//! [`Inspector`] reads in pieces, in memory that does not depend on the file:
//! no length that stands in a file is ever allocated.

mod data;
mod foreign;
mod home;
mod inspector;
mod lookalike;
mod parts;
mod signature;
mod signatures;
#[cfg(test)]
mod tests;
mod text;
mod trailer;
mod window;

use crate::chip::Chip;
use crate::project::Projects;
use crate::version::{Version, is_device_safe, major};

pub use foreign::Foreign;
pub use home::Home;
pub use inspector::Inspector;
pub use lookalike::Lookalike;
pub(crate) use parts::is_table;
pub use signature::{Signature, SigningChange};

/// The first byte of an image (`ESP_IMAGE_HEADER_MAGIC`).
const MAGIC: u8 = 0xE9;
/// `ESP_APP_DESC_MAGIC_WORD`, at the start of the first segment of an app.
const DESCRIPTOR_MAGIC: u32 = 0xABCD_5432;
/// Header, first segment header and app descriptor.
pub const HEAD: usize = 24 + 8 + 256;

/// Result of an inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Length of the file in bytes.
    pub size: u64,
    /// SHA-256 of the whole file.
    pub sha256: [u8; 32],
    /// The kind of file that it is.
    pub verdict: Verdict,
}

/// Kind of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An app image that is whole.
    App(Box<AppImage>),
    /// No ESP image at all. Perhaps on purpose, for another kind of device.
    Foreign(Foreign),
    /// An ESP image that would fail on the device, or part of one.
    Rejected(ImageFault),
}

/// An app image that is whole: segments, checksum, hash and length work out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppImage {
    /// The chip that it is made for.
    pub chip: Chip,
    /// The lowest chip revision that it runs on, 100 * major + minor.
    pub min_revision: Option<u16>,
    /// The highest.
    pub max_revision: Option<u16>,
    /// Length in bytes of the image proper, its hash included; padding or a
    /// signature may follow.
    pub length: u64,
    /// True where a SHA-256 of the image is appended. Without one only an 8-bit checksum
    /// guards the segments, and nothing the header.
    pub hash_appended: bool,
    /// The signature behind the image.
    pub signature: Option<Signature>,
    /// Digests of the keys that signed it, as the eFuses of a device hold them. Version 1 of
    /// secure boot names none.
    pub key_digests: Vec<[u8; 32]>,
    /// `esp_app_desc_t.project_name`.
    pub project: String,
    /// `esp_app_desc_t.version`: what the device reports once it runs this.
    pub version: String,
    /// `esp_app_desc_t.idf_ver`.
    pub idf_version: String,
    /// `esp_app_desc_t.date` and `.time` of the build.
    pub built: String,
    /// SHA-256 of the ELF file, which the device reports as
    /// `application.elf_sha256`; `None` where it is all zeros.
    pub elf_sha256: Option<[u8; 32]>,
    /// The anti-rollback counter, `esp_app_desc_t.secure_version`.
    pub secure_version: u32,
    /// The lowest eFuse block revision that it runs on, 100 * major + minor.
    pub min_efuse_block: Option<u16>,
    /// The highest.
    pub max_efuse_block: Option<u16>,
    /// The OTA addresses in its data, in order; at most 8. A device to which its user has
    /// typed in none asks one of them.
    pub homes: Vec<Home>,
}

impl AppImage {
    /// Tells whether it keeps its sounds and models in a partition named `assets`
    /// (the firmware's `main/assets.cc`, since v2.0.0).
    pub fn needs_assets(&self, projects: &Projects) -> bool {
        projects.is_xiaozhi(&self.project) && major(&self.version).is_some_and(|major| major >= 2)
    }

    /// Writes the chip revisions that run it, if some do not: `v0.1-v1.99`, `>=v3.0`, `<=v2.99`.
    pub fn revisions(&self) -> Option<String> {
        let shown = |revision: u16| format!("v{}.{}", revision / 100, revision % 100);
        match (self.min_revision.map(shown), self.max_revision.map(shown)) {
            (None, None) => None,
            (Some(min), None) => Some(format!(">={min}")),
            (None, Some(max)) => Some(format!("<={max}")),
            (Some(min), Some(max)) => Some(format!("{min}-{max}")),
        }
    }

    /// Tells whether no chip runs both images, so that both can have one name and version.
    pub fn shares_no_chip_with(&self, other: &Self) -> bool {
        let ends_below = |one: &Self, other: &Self| {
            let ends = one.max_revision.zip(other.min_revision);
            ends.is_some_and(|(last, first)| last < first)
        };
        self.chip != other.chip || ends_below(self, other) || ends_below(other, self)
    }

    /// Lists what an operator should know of an image that is offered as `version`.
    pub fn remarks(&self, version: Option<&Version>, projects: &Projects) -> Vec<Remark> {
        let (inside, project) = (self.version.clone(), self.project.clone());
        let mut remarks = Vec::new();
        if !projects.is_xiaozhi(&self.project) {
            let project = project.clone();
            remarks.push(Remark::OtherProject { project });
        }
        if !is_device_safe(&inside) {
            remarks.push(Remark::StrangeVersion { inside, project });
        } else if let Some(named) = version.filter(|named| **named != Version::new(&inside)) {
            let named = named.to_string();
            remarks.push(Remark::Misnamed { named, inside });
        }
        if let (Some(min), Some(max)) = (self.min_revision, self.max_revision)
            && min > max
        {
            remarks.push(Remark::NoRevision { min, max });
        }
        if !self.hash_appended {
            remarks.push(Remark::NoHash);
        }
        remarks
    }
}

/// Something that an operator should know of an image that is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// It is another project's firmware: after it a device would ask nobody any more.
    OtherProject {
        /// The image's project.
        project: String,
    },
    /// Its version would restart xiaozhi firmware at every check.
    StrangeVersion {
        /// The version inside.
        inside: String,
        /// The image's project, whose rules are not known here.
        project: String,
    },
    /// The file's name says another version than the image.
    Misnamed {
        /// The version of the name.
        named: String,
        /// The version inside, which devices report.
        inside: String,
    },
    /// No chip runs it: its lowest revision is above its highest.
    NoRevision {
        /// The lowest, 100 * major + minor.
        min: u16,
        /// The highest.
        max: u16,
    },
    /// No SHA-256 is appended: damage may pass unseen.
    NoHash,
}

/// The chip whose old revision byte means another thing.
const ESP32_C3: Chip = Chip(5);

/// Reason why an ESP image would fail on the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFault {
    /// Nothing in it.
    Empty,
    /// Room for a file, and no file in it.
    Blank {
        /// Number of bytes.
        bytes: u64,
        /// 0x00 or 0xFF.
        fill: u8,
    },
    /// All of an app image but its first byte.
    FirstByte {
        /// As it stands in the file.
        byte: u8,
    },
    /// An app image with something in front of it.
    Front {
        /// Number of bytes.
        bytes: u64,
    },
    /// It ends within what its header promises.
    EndsEarly {
        /// Length of the file in bytes.
        size: u64,
        /// The part in which it ends.
        part: &'static str,
    },
    /// No image has so many segments, or none.
    SegmentCount {
        /// The count in the header.
        count: u8,
    },
    /// The flag at offset 23 is neither 0 nor 1.
    HashFlag {
        /// The flag in the header.
        flag: u8,
    },
    /// A segment that no image can have.
    SegmentLength {
        /// Counted from 1.
        number: u8,
        /// The length in the segment's header.
        length: u32,
    },
    /// The XOR of all segments is another than the image says.
    Checksum,
    /// The SHA-256 of the image is another than the image says.
    Hash,
    /// An image without an app descriptor.
    Bootloader,
    /// Bootloader, partition table and app in one file.
    FullFlash,
    /// The table of a flash chip's partitions.
    PartitionTable,
    /// A partition of a flash chip that is no app, or several in one file. It may hold what
    /// somebody's device keeps: the passwords of its Wi-Fi.
    FlashPart {
        /// Its usual name, or that of its file system.
        part: &'static str,
    },
    /// A partition's content that is damaged or cut off.
    Data {
        /// The file's usual name.
        what: &'static str,
    },
    /// A private key, which is nobody's but its owner's.
    PrivateKey,
    /// Shares the magic byte, and nothing else.
    Esp8266,
    /// Bytes behind the image that are no padding and no signature.
    Trailing {
        /// Number of bytes.
        bytes: u64,
        /// Length in bytes of the image, with its signature if one was found.
        length: u64,
    },
    /// A signature block of secure boot v2 that is not what was signed.
    Signature,
    /// A device that runs it would restart at every check (`ParseVersion` in
    /// the firmware's `main/ota.cc` throws).
    UnsafeVersion {
        /// As it stands in the app descriptor.
        version: String,
    },
}

/// Inspects a file that is in memory.
pub fn inspect(bytes: &[u8]) -> Inspection {
    let mut inspector = Inspector::new();
    inspector.update(bytes);
    inspector.finish()
}

/// Tells by the first bytes whether a file is a zip archive: a member, the end of one without
/// members, or the beginning of one that was split (APPNOTE.TXT, 4.3.7, 4.3.16, 8.5.3).
pub fn is_zip(head: &[u8]) -> bool {
    let marks = signatures::SIGNATURES.iter();
    let mut marks = marks.filter(|(_, _, kind)| *kind == Lookalike::Zip);
    marks.any(|(at, mark, _)| head.get(*at..).is_some_and(|head| head.starts_with(mark)))
}

/// Returns the version inside an app image, from the first bytes of the file.
pub fn version_at_head(head: &[u8]) -> Option<String> {
    let app = descriptor(head).filter(|_| head.first() == Some(&MAGIC));
    app.map(|app| app.version)
}

/// Header and app descriptor, if there is one; what is known only at the end
/// is left open.
fn descriptor(head: &[u8]) -> Option<AppImage> {
    // The descriptor lies in the first segment, and not across its end.
    if head.len() < HEAD || u32_at(head, 28) < 256 || u32_at(head, 0x20) != DESCRIPTOR_MAGIC {
        return None;
    }
    let text = |at: usize, length: usize| {
        let field = &head[at..at + length];
        let end = field.iter().position(|b| *b == 0).unwrap_or(length);
        String::from_utf8_lossy(&field[..end]).into_owned()
    };
    let elf_sha256: Option<[u8; 32]> = head[0xB0..].first_chunk().copied();
    let chip = Chip(u16_at(head, 12));
    // The byte that ESP-IDF had before version 5 holds the major number alone,
    // but on the ESP32-C3 the minor one (`min_chip_rev` in esp_app_format.h).
    let old_minimum = match (head[14], chip) {
        (0 | 0xFF, _) => None,
        (minor, ESP32_C3) => Some(u16::from(minor)),
        (major, _) => Some(u16::from(major) * 100),
    };
    Some(AppImage {
        chip,
        min_revision: revision_at(head, 15).or(old_minimum),
        max_revision: revision_at(head, 17),
        length: 0,
        hash_appended: head[23] == 1,
        signature: None,
        key_digests: Vec::new(),
        project: text(0x50, 32),
        version: text(0x30, 32),
        idf_version: text(0x90, 32),
        built: format!("{} {}", text(0x80, 16), text(0x70, 16))
            .trim()
            .into(),
        elf_sha256: elf_sha256.filter(|sum| *sum != [0; 32]),
        secure_version: u32_at(head, 0x24),
        min_efuse_block: revision_at(head, 0xD0),
        max_efuse_block: revision_at(head, 0xD2),
        homes: Vec::new(),
    })
}

/// A revision; 0 and 65535 both mean that none is set.
fn revision_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16_at(bytes, at)).filter(|revision| !matches!(revision, 0 | 0xFFFF))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The ESP8266's images have a shorter header, with the first segment at 8;
/// an ESP32's has drive settings there, which are no address of that chip.
fn is_esp8266(head: &[u8]) -> bool {
    head.len() >= 16
        && matches!(
            u32_at(head, 8),
            0x3FFE_8000..=0x3FFF_FFFF | 0x4010_0000..=0x4010_FFFF | 0x4020_0000..=0x402F_FFFF
        )
        && matches!(u32_at(head, 4), 0x4010_0000..=0x402F_FFFF)
}
