//! Tells what a file is that is no ESP image, from its first and last bytes. People bring the
//! wrong file of a build, the archive around it, or what a browser saved in its place.

use super::ImageFault;
use super::data::{self, Assets};
use super::lookalike::Lookalike;
use super::parts::{self, Sectors};
use super::signatures::SIGNATURES;
use super::text;
use super::window::Window;
use super::{DESCRIPTOR_MAGIC, MAGIC, u32_at};

/// A file that is no ESP image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// Its kind, where its bytes tell.
    pub looks_like: Option<Lookalike>,
}

impl Foreign {
    /// Tells whether more is known of it than that it is none, or a text.
    pub fn is_named(&self) -> bool {
        !matches!(self.looks_like, None | Some(Lookalike::Text(_)))
    }

    /// Tells whether it is an archive, or compressed.
    pub fn is_archive(&self) -> bool {
        use Lookalike::{Archive, Bzip2, Gzip, Xz, Zip};
        matches!(self.looks_like, Some(Zip | Gzip | Bzip2 | Xz | Archive(_)))
    }

    /// Tells whether it is a zip archive.
    pub fn is_zip(&self) -> bool {
        self.looks_like == Some(Lookalike::Zip)
    }

    /// Tells whether it is a text that people read or write.
    pub fn is_text(&self) -> bool {
        use Lookalike::{Answer, PartitionCsv, Source, Text, WebPage};
        matches!(
            self.looks_like,
            Some(Text(_) | WebPage | Answer(_) | Source | PartitionCsv)
        )
    }

    /// Tells whether it is a whole file that devices fetch by another way than an update.
    pub fn is_data(&self) -> bool {
        matches!(self.looks_like, Some(Lookalike::Assets | Lookalike::Models))
    }
}

/// Length of the beginning that is kept.
const OPENING: usize = 4096;
/// Length of the end that is kept.
const TAIL: usize = 512;
/// Number of bytes that are counted by their values.
const COUNTED: u32 = 64 << 10;

/// Parts of a file that are kept to tell its kind, in memory that does not depend on it.
#[derive(Debug)]
pub(super) struct Look {
    opening: Window<OPENING>,
    tail: [u8; TAIL],
    counts: [u32; 256],
    counted: u32,
    /// End of the last byte that is neither 0x00 nor 0xFF.
    solid: u64,
    sectors: Sectors,
    /// Marks of file systems that begin with nothing.
    iso: Window<5>,
    btrfs: Window<8>,
    assets: Assets,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            opening: Window::at(0),
            tail: [0; TAIL],
            counts: [0; 256],
            counted: 0,
            solid: 0,
            sectors: Sectors::default(),
            iso: Window::at(32_769),
            btrfs: Window::at(65_600),
            assets: Assets::default(),
        }
    }
}

impl Look {
    /// Takes the piece that stands at `at`.
    pub(super) fn see(&mut self, at: u64, piece: &[u8]) {
        self.opening.see(at, piece);
        self.sectors.see(at, piece);
        self.iso.see(at, piece);
        self.btrfs.see(at, piece);
        self.assets.see(at, piece);
        if let Some(last) = piece.iter().rposition(|b| !matches!(b, 0 | 0xFF)) {
            self.solid = at + last as u64 + 1;
        }
        let kept = &piece[piece.len().saturating_sub(TAIL)..];
        self.tail.copy_within(kept.len().., 0);
        self.tail[TAIL - kept.len()..].copy_from_slice(kept);
        let room = (COUNTED - self.counted) as usize;
        for byte in piece.iter().take(room) {
            self.counts[usize::from(*byte)] += 1;
            self.counted += 1;
        }
    }

    /// Returns the file system that the file is, of those that begin with nothing.
    pub(super) fn behind_nothing(&self) -> Option<Lookalike> {
        if self.iso.seen() == b"CD001" {
            Some(Lookalike::FileSystem("ISO 9660"))
        } else if self.btrfs.seen() == b"_BHRfS_M" {
            Some(Lookalike::FileSystem("btrfs"))
        } else {
            None
        }
    }

    /// Tells what the whole file of `size` bytes is; an error for what is part of a flash
    /// chip, damaged, or secret.
    pub(super) fn looks_like(&self, size: u64) -> Result<Option<Lookalike>, ImageFault> {
        let opening = self.opening.seen();
        let data = self.assets.what(opening, size, self.solid);
        let data = data.or_else(|| data::models(opening, size, self.solid));
        // What is whole by its own table is that, whatever mark its pictures hold by chance: two
        // bytes are all that there is of a FAT's.
        if let Some(Ok(whole)) = data {
            return Ok(Some(whole));
        }
        if let Some(fault) = parts::beginning(opening, size, self.solid) {
            return Err(fault);
        }
        if let Some(found) = self
            .behind_nothing()
            .or_else(|| self.by_signature(opening, size))
        {
            return Ok(Some(found));
        }
        if let Some(bytes) = image_behind(opening) {
            return Err(ImageFault::Front { bytes });
        }
        if let Some(fault) = &self.sectors.found {
            return Err(fault.clone());
        }
        if let Some(data) = data {
            return data.map(Some);
        }
        if let Some(text) = text::read(opening, size == opening.len() as u64) {
            return text.kind().map(Some);
        }
        // Whoever makes a key for flash encryption, for signing eFuses or for HMAC has a file
        // of just these bytes, and nothing in it says so.
        if matches!(size, 16 | 24 | 32 | 48 | 64) {
            return Err(ImageFault::PrivateKey);
        }
        if let Some(compression) = detools(opening) {
            return Ok(Some(Lookalike::Delta(compression)));
        }
        if is_old_tar(opening) {
            return Ok(Some(Lookalike::Archive("tar")));
        }
        Ok(self.is_even().then_some(Lookalike::Random))
    }

    fn by_signature(&self, opening: &[u8], size: u64) -> Option<Lookalike> {
        let has = |at: usize, bytes: &[u8]| opening.get(at..).is_some_and(|b| b.starts_with(bytes));
        // Such a suffix or trailer says more than what stands in front of it.
        if size >= 16 && self.tail[TAIL - 8..TAIL - 4] == *b"UFD\x10" {
            return Some(Lookalike::Dfu);
        }
        if size >= TAIL as u64 && self.tail.starts_with(b"koly") {
            return Some(Lookalike::Archive("dmg"));
        }
        // A short one may stand by chance in front of what must not get out.
        let is_sure = |bytes: &[u8]| bytes.len() >= 4 || self.sectors.found.is_none();
        let known = |(at, bytes, _): &&(usize, &[u8], Lookalike)| has(*at, bytes) && is_sure(bytes);
        let known = SIGNATURES.iter().find(known);
        if let Some((_, _, found)) = known {
            return Some(*found);
        }
        if let Some(encoding) = rewritten(opening) {
            return Some(Lookalike::Rewritten(encoding));
        }
        let head = &opening[..opening.len().min(300)];
        if has(0, b"--") && head.windows(20).any(|part| part == b"Content-Disposition:") {
            return Some(Lookalike::Encoded("multipart/form-data"));
        }
        // Two letters alone are too few to go by.
        let number = |at: usize| (opening.len() >= at + 4).then(|| u32_at(opening, at));
        if has(0, b"MZ") && number(0x3C).is_some_and(|at| u64::from(at) < size) {
            return Some(Lookalike::Program("Windows"));
        }
        (has(0, b"BM") && number(2).map(u64::from) == Some(size))
            .then_some(Lookalike::Document("BMP"))
    }

    /// Tells whether no byte is much more frequent than another. Programs and data are far
    /// from that; encrypted flash and compressed files are not.
    fn is_even(&self) -> bool {
        let squares: u64 = self.counts.iter().map(|n| u64::from(*n).pow(2)).sum();
        let number = u64::from(self.counted);
        number >= 1024 && squares * 256 <= number.pow(2) * 23 / 20 + number * 256
    }
}

/// Names the encoding of an image whose bytes were taken for letters: a shell that redirects
/// a download does it. Behind the letter that its first byte is stands the number of its
/// segments, which no text has there.
fn rewritten(opening: &[u8]) -> Option<&'static str> {
    let marks: [(&[u8], &str); 5] = [
        (b"\xff\xfe\xe9\0", "UTF-16"),
        (b"\xfe\xff\0\xe9\0", "UTF-16"),
        (b"\xef\xbb\xbf\xc3\xa9", "UTF-8"),
        (b"\xc3\xa9", "UTF-8"),
        (b"\xef\xbf\xbd", "UTF-8"),
    ];
    let is_image = |mark: &[u8]| {
        let count = opening.strip_prefix(mark).and_then(|rest| rest.first());
        count.is_some_and(|count| (1..=16).contains(count) && !matches!(count, 9 | 10 | 13))
    };
    let found = marks.iter().find(|(mark, _)| is_image(mark));
    found.map(|(_, encoding)| *encoding)
}

/// Returns the number of bytes in front of an app image that begins near the beginning.
fn image_behind(opening: &[u8]) -> Option<u64> {
    let descriptor = DESCRIPTOR_MAGIC.to_le_bytes();
    let places = opening.windows(4).enumerate().skip(0x20);
    let mut starts = places.filter(|(_, four)| *four == descriptor);
    starts.find_map(|(at, _)| {
        let start = at - 0x20;
        (start > 0 && descriptor_of(&opening[start..])).then_some(start as u64)
    })
}

/// Tells whether bytes begin as an app image does, as far as they go.
fn descriptor_of(head: &[u8]) -> bool {
    head.len() >= 0x24 && head[0] == MAGIC && (1..=16).contains(&head[1]) && head[23] <= 1
}

/// Names a patch of detools, whose header says how it is made, how it is compressed and how
/// long the image is that it makes (`detools/create.py`). What follows tells it from chance.
fn detools(opening: &[u8]) -> Option<&'static str> {
    let (kind, rest) = opening.split_first()?;
    // Sequential, in place, as HDiffPatch does.
    if kind >> 4 > 2 {
        return None;
    }
    let length = rest.iter().take(4).position(|byte| byte & 0x80 == 0)? + 1;
    let (number, body) = rest.split_at(length);
    // The first byte has a sign, and six bits.
    let size = number
        .iter()
        .rev()
        .enumerate()
        .fold(0u32, |size, (at, byte)| {
            let bits = if at + 1 == length { 6 } else { 7 };
            size << bits | u32::from(byte & ((1 << bits) - 1))
        });
    if number[0] & 0x40 != 0 || !(4096..16 << 20).contains(&size) {
        return None;
    }
    let begins = |mark: &[u8]| body.starts_with(mark);
    match kind & 0x0F {
        1 if begins(b"\x5d\0") || begins(b"\xfd7zXZ") => Some("detools, lzma"),
        3 if begins(b"BZh") => Some("detools, bz2"),
        5 if begins(b"\x28\xb5\x2f\xfd") => Some("detools, zstd"),
        6 if begins(b"\x04\x22\x4d\x18") => Some("detools, lz4"),
        // Behind the length of what is kept for data stands the first difference.
        0 if begins(b"\0") && length > 1 => Some("detools"),
        2 if begins(b"\0") && length > 1 => Some("detools, crle"),
        4 if length > 2 => Some("detools, heatshrink"),
        _ => None,
    }
}

/// Tells whether a file begins with the header of a tar archive as the seventh Unix wrote it,
/// without a mark: behind a name it has numbers in octal.
fn is_old_tar(opening: &[u8]) -> bool {
    let Some(numbers) = opening.get(100..156) else {
        return false;
    };
    let digits = numbers.iter().filter(|b| matches!(b, b'0'..=b'7')).count();
    let is_field = |b: &u8| matches!(b, b'0'..=b'7' | b' ' | 0);
    opening[0] > b' ' && digits >= 30 && numbers.iter().all(is_field)
}

#[cfg(test)]
mod tests;
