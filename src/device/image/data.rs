//! Whole files of their own kind that devices fetch beside images: what a partition named
//! `assets` holds (pictures, sounds, fonts), and models of wake words.

use super::ImageFault;
use super::lookalike::Lookalike;
use super::u32_at;
use super::window::Window;

/// Length of the header of assets: number of files, checksum, length of what follows
/// (the firmware's `main/assets.cc`).
const HEADER: usize = 12;
/// Length of an entry of their table: a name, length and place of the file, width, height.
const ENTRY: usize = 44;
/// More files than any table holds.
const FILES: u32 = 4096;
/// More models than any file holds, and more files than any model has.
const MODELS: u32 = 64;

/// The sum over a file that may be assets.
#[derive(Debug)]
pub(super) struct Assets {
    header: Window<HEADER>,
    sum: u32,
}

impl Default for Assets {
    fn default() -> Self {
        Self {
            header: Window::at(0),
            sum: 0,
        }
    }
}

impl Assets {
    pub(super) fn see(&mut self, at: u64, piece: &[u8]) {
        self.header.see(at, piece);
        let Some((_, _, length)) = self.header() else {
            return;
        };
        let within = |place: u64| {
            let place = place.clamp(at, at + piece.len() as u64) - at;
            usize::try_from(place).unwrap_or(piece.len())
        };
        let (start, end) = (HEADER as u64, HEADER as u64 + u64::from(length));
        let summed = &piece[within(start)..within(end)];
        // The device keeps 16 bits of it.
        self.sum = summed
            .iter()
            .fold(self.sum, |sum, byte| (sum + u32::from(*byte)) & 0xFFFF);
    }

    /// Files, checksum and length, where they are possible.
    fn header(&self) -> Option<(u32, u32, u32)> {
        let header = self.header.seen().first_chunk::<HEADER>()?;
        let (files, sum, length) = (u32_at(header, 0), u32_at(header, 4), u32_at(header, 8));
        let fits = (1..=FILES).contains(&files)
            && sum <= 0xFFFF
            && u64::from(length) >= u64::from(files) * ENTRY as u64;
        fits.then_some((files, sum, length))
    }

    /// Tells what the file is if it begins as assets do. `solid` is where the last byte ends
    /// that is no padding.
    pub(super) fn what(
        &self,
        opening: &[u8],
        size: u64,
        solid: u64,
    ) -> Option<Result<Lookalike, ImageFault>> {
        let (files, sum, length) = self.header()?;
        let (entries, _) = opening.get(HEADER..)?.as_chunks::<ENTRY>();
        let files = usize::try_from(files).ok()?;
        let room = u64::from(length) - (files * ENTRY) as u64;
        let fits = |entry: &[u8; ENTRY]| {
            let (length, place) = (u32_at(entry, 32), u32_at(entry, 36));
            // Two bytes of its own stand in front of each file.
            is_name(&entry[..32]) && u64::from(place) + u64::from(length) + 2 <= room
        };
        let mut seen = entries.iter().take(files).peekable();
        if seen.peek().is_none_or(|entry| !is_name(&entry[..32])) {
            return None;
        }
        let end = HEADER as u64 + u64::from(length);
        let is_whole = seen.all(fits) && end <= size && solid <= end && self.sum == sum;
        Some(if is_whole {
            Ok(Lookalike::Assets)
        } else {
            Err(ImageFault::Data { what: "assets.bin" })
        })
    }
}

/// Tells what the file is if it begins as models for ESP-SR do (`pack_model.py`). They have
/// no checksum: that their lengths work out is all there is to see.
pub(super) fn models(
    opening: &[u8],
    size: u64,
    solid: u64,
) -> Option<Result<Lookalike, ImageFault>> {
    let count = |at: usize| {
        let count = u32_at(opening.get(at..at + 4)?, 0);
        (1..=MODELS).contains(&count).then_some(count)
    };
    let (mut at, mut first, mut end) = (4, None, 0);
    for _ in 0..count(0)? {
        if !is_name(opening.get(at..at + 32)?) {
            return None;
        }
        let files = count(at + 32)?;
        at += 36;
        for _ in 0..files {
            let file = opening.get(at..at + 40)?;
            if !is_name(&file[..32]) {
                return None;
            }
            let (start, length) = (u64::from(u32_at(file, 32)), u64::from(u32_at(file, 36)));
            first = first.or(Some(start));
            end = end.max(start + length);
            at += 40;
        }
    }
    (first? == at as u64).then_some(if end <= size && solid <= end {
        Ok(Lookalike::Models)
    } else {
        let what = "srmodels.bin";
        Err(ImageFault::Data { what })
    })
}

/// A name with nothing but zeros behind it.
fn is_name(field: &[u8]) -> bool {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    let (name, rest) = field.split_at(end);
    let is_text = std::str::from_utf8(name).is_ok_and(|name| !name.contains(char::is_control));
    !name.is_empty() && is_text && rest.iter().all(|b| *b == 0)
}
