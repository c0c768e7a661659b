//! Weight of what devices say of themselves: bytes of memory, as the allocator rounds them.

use super::about::{Build, Profile};
use super::outcome::OfferedImage;
use crate::ota::device_memory::OwnModel;
use std::mem::{size_of, size_of_val};

/// Bytes of a value beside itself: its counts, and its place among those that are shared.
const PLACE: usize = 32;

/// A value that is kept once, whoever shares it.
pub(super) trait Weigh {
    /// Returns the number of bytes that it takes.
    fn weigh(&self) -> usize;
}

/// Returns what so many bytes take.
fn rounded(bytes: usize) -> usize {
    bytes.next_multiple_of(16)
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a Option<Box<str>>>) -> usize {
    let texts = texts.into_iter().flatten();
    texts.map(|text| rounded(text.len())).sum()
}

fn of<T>() -> usize {
    PLACE + rounded(size_of::<T>())
}

impl Weigh for Profile {
    fn weigh(&self) -> usize {
        let own = [
            &self.model_header,
            &self.board_name,
            &self.board_type,
            &self.model,
            &self.chip_name,
        ];
        let table = self.partitions.as_deref().unwrap_or_default();
        let labels: usize = table.iter().map(|line| rounded(line.label.len())).sum();
        of::<Self>() + texts(own) + rounded(size_of_val(table)) + labels
    }
}

impl Weigh for Build {
    fn weigh(&self) -> usize {
        let own = [
            &self.version_header,
            &self.reported,
            &self.project,
            &self.idf_version,
            &self.slot,
        ];
        of::<Self>() + texts(own)
    }
}

impl Weigh for OfferedImage {
    fn weigh(&self) -> usize {
        let own = rounded(self.file.len()) + rounded(self.version.len());
        of::<Self>() + own + texts([&self.inside])
    }
}

impl Weigh for OwnModel {
    fn weigh(&self) -> usize {
        of::<Self>() + rounded(self.named.len()) + rounded(self.files.len())
    }
}
