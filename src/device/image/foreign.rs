//! Tells what a file is that is no ESP image, from its first and last bytes. People bring the
//! wrong file of a build, the archive around it, or what a browser saved in its place.

use super::ImageFault;
use super::data::{self, Assets};
use super::lookalike::Lookalike;
use super::parts::{self, Sectors};
use super::text;
use super::u32_at;
use super::window::Window;

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

    /// Tells whether it is a whole file that devices fetch by another way than an update.
    pub fn is_data(&self) -> bool {
        matches!(self.looks_like, Some(Lookalike::Assets | Lookalike::Models))
    }
}

/// Bytes with which files of a kind begin, or which they hold at a place near it.
const SIGNATURES: &[(usize, &[u8], Lookalike)] = {
    use Lookalike::{
        Answer, Archive, Bzip2, Container, Delta, Document, Elf, Esp8266, FileSystem, Gzip,
        PreEncrypted, Program, Uf2, Xz, Zip,
    };
    &[
        (0, b"\x7fELF", Elf),
        (0, b"PK\x03\x04", Zip),
        (0, b"PK\x05\x06", Zip),
        (0, b"PK\x07\x08", Zip),
        (0, b"\x1f\x8b", Gzip),
        (0, b"BZh", Bzip2),
        (0, b"\xfd7zXZ", Xz),
        (0, b"7z\xbc\xaf\x27\x1c", Archive("7z")),
        (0, b"Rar!\x1a\x07", Archive("RAR")),
        (0, b"\x28\xb5\x2f\xfd", Archive("zstd")),
        (0, b"\x04\x22\x4d\x18", Archive("lz4")),
        (0, b"\x02\x21\x4c\x18", Archive("lz4")),
        (0, b"\x5d\0\0", Archive("lzma")),
        (0, b"LZIP", Archive("lzip")),
        (0, b"\x89LZO", Archive("lzop")),
        (0, b"\x1f\x9d", Archive("compress")),
        (0, b"\x1f\xa0", Archive("compress")),
        (0, b"MSCF", Archive("cab")),
        (0, b"xar!", Archive("xar")),
        (0, b"!<arch>\n", Archive("ar")),
        (0, b"\xed\xab\xee\xdb", Archive("RPM")),
        (0, b"070701", Archive("cpio")),
        (0, b"070702", Archive("cpio")),
        (0, b"070707", Archive("cpio")),
        (0, b"\xc7\x71", Archive("cpio")),
        (0, b"Salted__", Archive("openssl enc")),
        (2, b"-lh", Archive("LHA")),
        (0, b"\x60\xea", Archive("ARJ")),
        (257, b"ustar", Archive("tar")),
        (0, b"UF2\n\x57\x51\x5d\x9e", Uf2),
        (0, b"HTTP/1.", Answer("HTTP")),
        (0, b"\xcf\xfa\xed\xfe", Program("Mach-O")),
        (0, b"\xce\xfa\xed\xfe", Program("Mach-O")),
        (0, b"\xfe\xed\xfa\xcf", Program("Mach-O")),
        (0, b"\xfe\xed\xfa\xce", Program("Mach-O")),
        (0, b"\xca\xfe\xba\xbe", Program("Mach-O, Java")),
        (0, b"\0asm", Program("WebAssembly")),
        (0, b"dex\n", Program("Android DEX")),
        (0, b"\x89PNG\r\n", Document("PNG")),
        (0, b"\xff\xd8\xff", Document("JPEG")),
        (0, b"GIF8", Document("GIF")),
        (0, b"RIFF", Document("WebP, WAV")),
        (0, b"II*\0", Document("TIFF")),
        (0, b"MM\0*", Document("TIFF")),
        (0, b"%PDF", Document("PDF")),
        (0, b"{\\rtf", Document("RTF")),
        (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Document("Office")),
        (0, b"OggS", Document("Ogg")),
        (0, b"ID3", Document("MP3")),
        (0, b"fLaC", Document("FLAC")),
        (4, b"ftyp", Document("MP4")),
        (0, b"SQLite format 3\0", Document("SQLite")),
        (0, b"\0\x05\x16\x07", Document("AppleDouble")),
        (0, b"L\0\0\0\x01\x14\x02\0", Document("Windows shortcut")),
        (4, b"TFL3", Document("TFLite")),
        (0, b"PDL1", Document("ESP-DL")),
        (0, b"PDL2", Document("ESP-DL")),
        (0, b"EDL1", Document("ESP-DL")),
        (0, b"EDL2", Document("ESP-DL")),
        (0, b"hsqs", FileSystem("squashfs")),
        (0, b"sqsh", FileSystem("squashfs")),
        (0, b"\x45\x3d\xcd\x28", FileSystem("cramfs")),
        (0, b"\x85\x19", FileSystem("JFFS2")),
        (0, b"UBI#", FileSystem("UBI")),
        (0, b"-rom1fs-", FileSystem("romfs")),
        (1080, b"\x53\xef\x01\0", FileSystem("ext")),
        (0, b"\x3d\xb8\xf3\x96", Container("MCUboot")),
        (0, b"\x3c\xb8\xf3\x96", Container("MCUboot")),
        (0, b"\x1e\xf1\xee\x0b", Container("Zigbee OTA")),
        (0, b"ESP\0", Container("esp-bootloader-plus")),
        (0, b"RBL\0", Container("RBL")),
        (0, b"81958711", Container("Realtek")),
        (0, b"\x27\x05\x19\x56", Container("U-Boot uImage")),
        (0, b"\xd0\x0d\xfe\xed", Container("U-Boot FIT, device tree")),
        (0, b"HDR0", Container("TRX")),
        (0, b"ANDROID!", Container("Android boot")),
        (0, b"RKFW", Container("Rockchip")),
        (0, b"RKAF", Container("Rockchip")),
        (0, b"IMAGEWTY", Container("Allwinner")),
        (4, b"eGON.BT0", Container("Allwinner")),
        (0, b"\x55\xaa\x55\xaa", Container("Tuya")),
        (8, b"KNLT", Container("Telink")),
        // The first bytes of SHA-256 of "esp_encrypted_img" and "esp_delta_ota", as numbers.
        (0, b"\xcf\xb6\x88\x07", PreEncrypted),
        (0, b"\x10\xde\xcd\xfc", Delta("esp_delta_ota")),
        (0, b"BSDIFF40", Delta("bsdiff")),
        (0, b"ENDSLEY/BSDIFF", Delta("bsdiff")),
        (0, b"BSDF2", Delta("bsdiff")),
        (0, b"HDIFF", Delta("HDiffPatch")),
        (0, b"HPatch", Delta("HDiffPatch")),
        (0, b"\xd6\xc3\xc4", Delta("VCDIFF, xdelta")),
        (0, b"%XDZ", Delta("xdelta")),
        // JojoDiff's escape, and one of its orders.
        (0, b"\xa7\xa2", Delta("JojoDiff, janpatch")),
        (0, b"\xa7\xa3", Delta("JojoDiff, janpatch")),
        (0, b"\xa7\xa4", Delta("JojoDiff, janpatch")),
        (0, b"\xa7\xa5", Delta("JojoDiff, janpatch")),
        (0, b"\xa7\xa6", Delta("JojoDiff, janpatch")),
        (0, b"\xea", Esp8266),
    ]
};

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
            assets: Assets::default(),
        }
    }
}

impl Look {
    /// Takes the piece that stands at `at`.
    pub(super) fn see(&mut self, at: u64, piece: &[u8]) {
        self.opening.see(at, piece);
        self.sectors.see(at, piece);
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

    /// Tells what the whole file of `size` bytes is; an error for what is part of a flash
    /// chip, damaged, or secret.
    pub(super) fn looks_like(&self, size: u64) -> Result<Option<Lookalike>, ImageFault> {
        let opening = self.opening.seen();
        if let Some(fault) = parts::beginning(opening, size) {
            return Err(fault);
        }
        if let Some(found) = self.by_signature(opening, size) {
            return Ok(Some(found));
        }
        if let Some(fault) = &self.sectors.found {
            return Err(fault.clone());
        }
        let data = self.assets.what(opening, size, self.solid);
        if let Some(data) = data.or_else(|| data::models(opening, size, self.solid)) {
            return data.map(Some);
        }
        if let Some(text) = text::read(opening, size == opening.len() as u64) {
            return text.kind().map(Some);
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

#[cfg(test)]
mod tests;
