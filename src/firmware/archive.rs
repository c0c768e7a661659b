//! Reads the one image out of a release archive. Pure: bytes in, image out; nothing is
//! written anywhere.
//!
//! An archive is a stranger's. One that can be read in two ways, or that does what no build
//! does, is refused whole, by the name of the member: a path that leads out (`member_name`),
//! a link or a device, a second member of one name (`directory`), a header of its own that
//! contradicts the directory, bytes of two members or of none (`layout`), a size or checksum
//! that is not that of what comes out (`unpack`), an archive in the archive.
//!
//! What may come out is bounded before a byte of it does: 160 MiB (`TOGETHER`) at most for the
//! archive and all that its members say they hold, so memory and time are bounded with it.
//!
//! Which member is the image, its content says: exactly one app image or one full flash image.
//! Where a build's whole folder was packed, both may be there; then the app must be the one
//! inside the full image, and is taken.
//!
//! The crate `zip` is not used: it keeps members by name, so that of two with one name the last
//! stands for both, and of a member's own header it takes the length and nothing else
//! (`src/read.rs`); what lies between members it never sees. Its checks would have to be made
//! by a second reader. Inflating and the checksum are flate2's.

mod choice;
mod directory;
mod fault;
mod fields;
mod layout;
mod member_name;
mod unpack;

pub use fault::{ArchiveFault, Held};

/// Length of an archive up to which it is read, in bytes. The images are 32 MB at most, and
/// a build's whole folder, debug information included, packs to half of this.
pub const MOST: u64 = 80 << 20;

/// Number of bytes that an archive and what its members unpack to may have together, where
/// there is memory for it: an archive of [`MOST`] that packs nothing smaller just fits.
pub const TOGETHER: u64 = 2 * MOST;

/// Number of members up to which an archive is read.
const MEMBERS: u64 = 1000;

/// The image of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The member's name, as a text.
    pub member: String,
    /// The member's bytes.
    pub bytes: Vec<u8>,
    /// True for a full flash image, false for an app image.
    pub is_flash: bool,
    /// Names of the other members, but for folders.
    pub left: Vec<String>,
}

/// Reads the one image out of an archive that is in memory, which may have `most` bytes together
/// with what its members unpack to.
pub fn image_in(archive: &[u8], most: u64) -> Result<Packed, ArchiveFault> {
    let directory = directory::read(archive, most)?;
    let places = layout::places(archive, &directory)?;
    let mut choice = choice::Choice::default();
    for (member, place) in directory.members.iter().zip(places) {
        let packed = archive.get(place).unwrap_or_default();
        let bytes = unpack::unpack(member, packed)?;
        if !member.is_folder {
            choice.take(&member.name, bytes)?;
        }
    }
    choice.image()
}

#[cfg(test)]
mod tests;
