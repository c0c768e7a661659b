//! What the fuzz targets share: a bound on memory, and how inputs stand for flash images.
//!
//! No length that stands in the input may be allocated. So all of Rust's memory
//! is bounded, far above what an input of some kilobytes can need: whoever asks
//! for more gets none, which ends the process, and libFuzzer keeps the input.

use cap::Cap;
use std::alloc::System;
use std::borrow::Cow;
use std::panic;
use xiaozhi_device::image::inspect;

/// Bytes that an input may take, unless its target says otherwise.
const BOUND: usize = 1 << 20;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, BOUND);

/// To be called once before the first input.
pub fn init() {
    init_within(BOUND);
}

/// The same, for what may take more memory of its own: so many bytes.
pub fn init_within(bound: usize) {
    let _ = MEMORY.set_limit(bound);
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        // A backtrace takes more.
        let _ = MEMORY.set_limit(usize::MAX);
        report(panic);
    }));
}

/// A flash image is mostly 0xFF, and inputs are small: in them eight bytes of 0xFF and a
/// number stand for 0xFF up to the 4 KB sector of that number.
pub fn unfolded(input: &[u8]) -> Cow<'_, [u8]> {
    const LAST_SECTOR: usize = 16;
    let mut file = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(9).position(|w| w[..8] == [0xFF; 8]) {
        let (before, fold) = rest.split_at(at);
        file.extend_from_slice(before);
        let start = 4096 * usize::from(fold[8]);
        if start > file.len() && start <= 4096 * LAST_SECTOR {
            file.resize(start, 0xFF);
            rest = &fold[9..];
        } else {
            file.push(0xFF);
            rest = &fold[1..];
        }
    }
    if rest.len() == input.len() {
        return Cow::Borrowed(input);
    }
    file.extend_from_slice(rest);
    Cow::Owned(file)
}

/// Puts right the checksum of what has the outline of an image, and its hash; `None` for what
/// has not.
pub fn seal(file: &mut [u8]) -> Option<()> {
    let (count, hash_appended) = (*file.get(1)?, *file.get(23)? == 1);
    let mut at = 24;
    let mut checksum = 0xEF;
    for _ in 0..count {
        let length = file.get(at + 4..at + 8)?.try_into().ok()?;
        let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
        let data = file.get(at + 8..)?.get(..length)?;
        checksum = data.iter().fold(checksum, |sum, byte| sum ^ byte);
        at += 8 + length;
    }
    let end = (at + 1).next_multiple_of(16);
    *file.get_mut(end - 1)? = checksum;
    if hash_appended {
        let hash = inspect(&file[..end]).sha256;
        file.get_mut(end..end + 32)?.copy_from_slice(&hash);
    }
    Some(())
}
