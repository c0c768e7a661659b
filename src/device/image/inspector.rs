//! The walk through a file, piece by piece.

use super::foreign::{Foreign, Look};
use super::home::HomeFinder;
use super::trailer::{After, Clues};
use super::window::{SECTOR, Window};
use super::{
    AppImage, HEAD, ImageFault, Inspection, MAGIC, Verdict, descriptor, is_esp8266, u32_at,
};
use crate::project::XIAOZHI;
use crate::version::is_device_safe;
use aws_lc_rs::digest::{Context, SHA256};
use std::fmt;

/// The seed of the checksum (`ESP_ROM_CHECKSUM_INITIAL`).
const CHECKSUM_SEED: u8 = 0xEF;
/// The most segments that an image can have (`ESP_IMAGE_MAX_SEGMENTS`).
const MAX_SEGMENTS: u8 = 16;
/// A segment is shorter (`SIXTEEN_MB` in `esp_image_format.c`).
const SEGMENT_LIMIT: u32 = 16 << 20;

/// The part of the file that comes next.
#[derive(Debug)]
enum Walk {
    Header,
    SegmentHeader {
        number: u8,
    },
    Segment {
        number: u8,
        left: u64,
    },
    /// Padding, and the checksum as its last byte.
    Checksum {
        left: u64,
    },
    Hash,
    After,
    /// No image from the first byte on.
    Foreign,
    /// The rest is read for what it may tell of the whole.
    Broken(ImageFault),
}

/// Reads a file piece by piece.
pub struct Inspector {
    walk: Walk,
    position: u64,
    /// Everything that was read.
    sum: Context,
    /// A field that may come in several pieces.
    field: [u8; 32],
    filled: usize,
    head: Window<HEAD>,
    checksum: u8,
    checksum_fits: bool,
    /// SHA-256 up to the end of what the appended hash covers.
    image_sum: Option<[u8; 32]>,
    hash_fits: bool,
    end: u64,
    homes: HomeFinder,
    after: After,
    clues: Clues,
    /// Knowledge of a file that is no image.
    look: Option<Box<Look>>,
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector")
            .field("position", &self.position)
            .field("walk", &self.walk)
            .finish_non_exhaustive()
    }
}

impl Default for Inspector {
    fn default() -> Self {
        Self::new()
    }
}

impl Inspector {
    /// Before the first byte.
    pub fn new() -> Self {
        Self {
            walk: Walk::Header,
            position: 0,
            sum: Context::new(&SHA256),
            field: [0; 32],
            filled: 0,
            head: Window::at(0),
            checksum: CHECKSUM_SEED,
            checksum_fits: false,
            image_sum: None,
            hash_fits: false,
            end: 0,
            homes: HomeFinder::new(),
            after: After::default(),
            clues: Clues::new(),
            look: None,
        }
    }

    /// Reads the next piece, of any length.
    pub fn update(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while !rest.is_empty() {
            let here = usize::try_from(self.reach()).map_or(rest.len(), |n| n.min(rest.len()));
            let (now, later) = rest.split_at(here);
            self.sum.update(now);
            self.head.see(self.position, now);
            self.clues.see(self.position, now);
            let at = self.position;
            self.position += now.len() as u64;
            self.step(at, now);
            if let Some(look) = &mut self.look {
                look.see(at, now);
            }
            rest = later;
        }
    }

    /// Returns how many bytes may be taken at once, at least 1: what follows has another
    /// meaning, or is to be hashed apart.
    fn reach(&self) -> u64 {
        let field = |length: usize| (length - self.filled) as u64;
        match self.walk {
            Walk::Header => field(24),
            Walk::SegmentHeader { .. } => field(8),
            Walk::Segment { left, .. } | Walk::Checksum { left } => left,
            Walk::Hash => field(32),
            Walk::After => match self.end.next_multiple_of(SECTOR) {
                sector if sector > self.position => sector - self.position,
                _ => u64::MAX,
            },
            Walk::Foreign | Walk::Broken(_) => u64::MAX,
        }
    }

    /// Takes a piece that lies within one reach. `at` is its offset.
    fn step(&mut self, at: u64, piece: &[u8]) {
        match &mut self.walk {
            Walk::Header => {
                if at == 0 && piece.first() != Some(&MAGIC) {
                    self.walk = Walk::Foreign;
                    self.look = Some(Box::default());
                } else if let Some(header) = self.gather::<24>(piece) {
                    self.walk = after_header(&header);
                }
            }
            &mut Walk::SegmentHeader { number } => {
                if let Some(header) = self.gather::<8>(piece) {
                    let length = u32_at(&header, 4);
                    self.walk = if length.is_multiple_of(4) && length < SEGMENT_LIMIT {
                        self.next_segment(number, u64::from(length))
                    } else {
                        Walk::Broken(ImageFault::SegmentLength { number, length })
                    };
                }
            }
            &mut Walk::Segment { number, left } => {
                self.checksum = piece.iter().fold(self.checksum, |sum, byte| sum ^ byte);
                self.homes.see(piece);
                let left = left - piece.len() as u64;
                if left == 0 {
                    self.homes.end_segment();
                }
                self.walk = self.next_segment(number, left);
            }
            Walk::Checksum { left } => {
                *left -= piece.len() as u64;
                if *left == 0 {
                    self.checksum_fits = piece.last() == Some(&self.checksum);
                    self.image_sum = digest(self.sum.clone());
                    self.end = self.position;
                    self.walk = if self.has_hash() {
                        Walk::Hash
                    } else {
                        Walk::After
                    };
                    self.enter_sector();
                }
            }
            Walk::Hash => {
                if let Some(hash) = self.gather::<32>(piece) {
                    self.hash_fits = self.image_sum == Some(hash);
                    self.end = self.position;
                    self.walk = Walk::After;
                    self.enter_sector();
                }
            }
            Walk::After => {
                self.after.see(at, self.end, piece);
                self.enter_sector();
            }
            Walk::Foreign | Walk::Broken(_) => {}
        }
    }

    /// Secure boot v2 signs everything up to the sector that holds its blocks.
    fn enter_sector(&mut self) {
        if matches!(self.walk, Walk::After) && self.position == self.end.next_multiple_of(SECTOR) {
            self.after.signed_sum = digest(self.sum.clone());
            self.after.sector = Window::at(self.position);
        }
    }

    fn next_segment(&self, number: u8, left: u64) -> Walk {
        if left > 0 {
            Walk::Segment { number, left }
        } else if number < self.head.bytes[1] {
            Walk::SegmentHeader { number: number + 1 }
        } else {
            // The checksum is the last byte of a block of 16, which it opens
            // itself if need be.
            let end = (self.position + 1).next_multiple_of(16);
            Walk::Checksum {
                left: end - self.position,
            }
        }
    }

    fn has_hash(&self) -> bool {
        self.head.bytes[23] == 1
    }

    /// Puts a field together; `None` until it is whole.
    fn gather<const N: usize>(&mut self, piece: &[u8]) -> Option<[u8; N]> {
        self.field[self.filled..self.filled + piece.len()].copy_from_slice(piece);
        self.filled += piece.len();
        if self.filled < N {
            return None;
        }
        self.filled = 0;
        self.field.first_chunk().copied()
    }

    /// Returns the place behind the image proper, its hash included, once all of it was read.
    pub(crate) fn image_end(&self) -> Option<u64> {
        matches!(self.walk, Walk::After).then_some(self.end)
    }

    /// Tells whether the image goes on behind what was read.
    pub(crate) fn is_within_image(&self) -> bool {
        use Walk::{Checksum, Hash, Segment, SegmentHeader};
        matches!(
            self.walk,
            SegmentHeader { .. } | Segment { .. } | Checksum { .. } | Hash
        )
    }

    /// Judges what was read as the whole file.
    pub fn finish(self) -> Inspection {
        Inspection {
            size: self.position,
            verdict: self.verdict(),
            sha256: digest(self.sum).unwrap_or_default(),
        }
    }

    fn verdict(&self) -> Verdict {
        if let Some(look) = &self.look {
            let looks_like = match self.damage() {
                Some(fault) => Err(fault),
                None => look.looks_like(self.position),
            };
            return match looks_like {
                Ok(looks_like) => Verdict::Foreign(Foreign { looks_like }),
                Err(fault) => Verdict::Rejected(fault),
            };
        }
        match self.app() {
            Ok(app) => Verdict::App(Box::new(app)),
            Err(_) if is_esp8266(self.head.seen()) => Verdict::Rejected(ImageFault::Esp8266),
            Err(fault) => Verdict::Rejected(fault),
        }
    }

    /// Returns the damage that a file without the magic byte must have had, if it was an
    /// image.
    fn damage(&self) -> Option<ImageFault> {
        let head = self.head.seen();
        let bytes = self.clues.blank;
        if self.clues.is_full_flash_behind_a_gap() {
            Some(ImageFault::FullFlash)
        } else if self
            .look
            .as_ref()
            .is_some_and(|look| look.behind_nothing().is_some())
        {
            None
        } else if bytes == self.position || bytes >= SECTOR {
            let fill = head[0];
            Some(ImageFault::Blank { bytes, fill })
        } else if descriptor(head).is_some() {
            Some(ImageFault::FirstByte { byte: head[0] })
        } else {
            None
        }
    }

    fn app(&self) -> Result<AppImage, ImageFault> {
        let app = self.whole()?;
        if app.project == XIAOZHI && !is_device_safe(&app.version) {
            return Err(ImageFault::UnsafeVersion {
                version: app.version,
            });
        }
        Ok(app)
    }

    /// Returns the app image that was read, if it is whole, whatever a device would make of
    /// its version.
    pub(crate) fn whole(&self) -> Result<AppImage, ImageFault> {
        let part = match &self.walk {
            Walk::After => None,
            Walk::Broken(fault) => return Err(fault.clone()),
            _ if self.position == 0 => return Err(ImageFault::Empty),
            Walk::Header | Walk::Foreign => Some("header"),
            Walk::SegmentHeader { .. } | Walk::Segment { .. } => Some("segments"),
            Walk::Checksum { .. } => Some("checksum"),
            Walk::Hash => Some("hash"),
        };
        if let Some(part) = part {
            let size = self.position;
            return Err(ImageFault::EndsEarly { size, part });
        }
        if !self.checksum_fits {
            return Err(ImageFault::Checksum);
        }
        if self.has_hash() && !self.hash_fits {
            return Err(ImageFault::Hash);
        }
        let is_full_flash = self.clues.is_full_flash_behind(self.end);
        let Some(mut app) = descriptor(self.head.seen()) else {
            return Err(if is_full_flash {
                ImageFault::FullFlash
            } else {
                ImageFault::Bootloader
            });
        };
        app.length = self.end;
        app.homes = self.homes.found().to_vec();
        app.signature = match self.after.what(self.end) {
            Ok(signature) => signature,
            Err(ImageFault::Trailing { .. }) if is_full_flash => return Err(ImageFault::FullFlash),
            Err(fault) => return Err(fault),
        };
        if app.signature.is_some() {
            app.key_digests = self.after.key_digests();
        }
        Ok(app)
    }
}

fn after_header(header: &[u8; 24]) -> Walk {
    let (count, flag) = (header[1], header[23]);
    if !(1..=MAX_SEGMENTS).contains(&count) {
        Walk::Broken(ImageFault::SegmentCount { count })
    } else if flag > 1 {
        Walk::Broken(ImageFault::HashFlag { flag })
    } else {
        Walk::SegmentHeader { number: 1 }
    }
}

fn digest(sum: Context) -> Option<[u8; 32]> {
    sum.finish().as_ref().try_into().ok()
}
