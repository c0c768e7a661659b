//! Chooses the member that is the image.

use super::{ArchiveFault, Held, Packed};
use xiaozhi_device::flash::{app_in, is_flash};
use xiaozhi_device::image::{AppImage, Foreign, Lookalike, Verdict, inspect};

/// The members that were looked at.
#[derive(Debug, Default)]
pub(super) struct Choice {
    apps: Vec<String>,
    flashes: Vec<String>,
    /// The one app image, and the length of what it must share with a full flash image.
    app: Option<(Vec<u8>, usize)>,
    flash: Option<Vec<u8>>,
    others: Vec<Held>,
}

impl Choice {
    /// Looks at the next member. What is no image is dropped.
    pub(super) fn take(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ArchiveFault> {
        let member = name.to_owned();
        let verdict = inspect(&bytes).verdict;
        if let Verdict::Foreign(foreign) = &verdict
            && let Some(kind) = nested(foreign, &bytes)
        {
            return Err(ArchiveFault::Nested { member, kind });
        }
        if is_litter(name) {
            let verdict = None;
            self.others.push(Held { member, verdict });
            return Ok(());
        }
        match &verdict {
            Verdict::App(app) => {
                self.apps.push(member);
                let length = own_length(app, bytes.len());
                self.app = (self.apps.len() == 1).then_some((bytes, length));
            }
            _ if is_flash(&bytes) => {
                self.flashes.push(member);
                self.flash = (self.flashes.len() == 1).then_some(bytes);
            }
            _ => {
                let verdict = Some(verdict);
                self.others.push(Held { member, verdict });
            }
        }
        Ok(())
    }

    /// Returns the image: the app where there is one.
    pub(super) fn image(mut self) -> Result<Packed, ArchiveFault> {
        if self.apps.len() > 1 || self.flashes.len() > 1 {
            let mut members = self.apps;
            members.append(&mut self.flashes);
            return Err(ArchiveFault::Several { members });
        }
        let left = self.others.iter().map(|held| held.member.clone());
        let mut left: Vec<_> = left.collect();
        match (self.apps.pop(), self.app, self.flashes.pop(), self.flash) {
            (Some(app), Some((bytes, length)), Some(flash), Some(full)) => {
                let own = bytes.get(..length).unwrap_or(&bytes);
                let inside = app_in(&full).ok().map(|found| found.bytes);
                let Some(inside) = inside.filter(|inside| inside.starts_with(own)) else {
                    return Err(ArchiveFault::Different { app, flash });
                };
                // A build signs what it flashes, and may leave the unsigned app beside it.
                if inside.len() > bytes.len() {
                    left.push(app);
                    return Ok(packed(flash, full, true, left));
                }
                left.push(flash);
                Ok(packed(app, bytes, false, left))
            }
            (Some(app), Some((bytes, _)), ..) => Ok(packed(app, bytes, false, left)),
            (_, _, Some(flash), Some(bytes)) => Ok(packed(flash, bytes, true, left)),
            _ => Err(ArchiveFault::NoImage { held: self.others }),
        }
    }
}

fn packed(member: String, bytes: Vec<u8>, is_flash: bool, left: Vec<String>) -> Packed {
    Packed {
        member,
        bytes,
        is_flash,
        left,
    }
}

/// Tells whether a member is what a Mac leaves in archives.
fn is_litter(name: &str) -> bool {
    let mut parts = name.split('/').filter(|part| *part != ".");
    let last = name.rsplit('/').next().unwrap_or_default();
    parts.next() == Some("__MACOSX") || last == ".DS_Store" || last.starts_with("._")
}

/// Names the format of an archive, or of a compressed file. A library of a compiler (`ar`) is
/// one only to its linker, and assets of 93 files begin as a file of LZMA does.
fn nested(foreign: &Foreign, bytes: &[u8]) -> Option<String> {
    let kind = match foreign.looks_like? {
        Lookalike::Zip => "zip",
        Lookalike::Gzip => "gzip",
        Lookalike::Bzip2 => "bzip2",
        Lookalike::Xz => "xz",
        Lookalike::Archive("ar") => return None,
        Lookalike::Archive("lzma") if !is_lzma(bytes) => return None,
        Lookalike::Archive(kind) => kind,
        _ => return None,
    };
    Some(kind.to_owned())
}

/// Tells whether a file has the length of what it unpacks to where LZMA has it (its
/// `lzma-file-format.txt`): less than 256 GB, or unknown.
fn is_lzma(bytes: &[u8]) -> bool {
    let length = bytes.get(5..).and_then(|rest| rest.first_chunk());
    let length = length.map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length < 1 << 38 || length == u64::MAX)
}

/// Returns the length of what a full flash image must hold of an app's file: what fills it up
/// may be less there, but not its signature.
fn own_length(app: &AppImage, size: usize) -> usize {
    match app.signature {
        Some(_) => size,
        None => usize::try_from(app.length).unwrap_or(size).min(size),
    }
}
