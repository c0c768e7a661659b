//! Tells whether bytes are a full flash image.

use crate::image::{ImageFault, Verdict, inspect};

/// Tells whether bytes are a full flash image: bootloader, partition table and app in one.
pub fn is_flash(bytes: &[u8]) -> bool {
    inspect(bytes).verdict == Verdict::Rejected(ImageFault::FullFlash)
}
