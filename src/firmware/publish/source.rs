//! Takes the image to be published out of whatever holds it: the app image itself, a full
//! flash image, or an archive with one of the two.
//!
//! An app image is copied as a stream. Anything else is held in memory, at most as much as
//! the largest flash holds, for what is cut out of it is known only when its end was seen.

use super::super::archive::{self, Packed};
use super::super::folder::scan;
use super::super::{FolderSettings, offerable};
use super::PublishError;
use crate::event::text::Text;
use crate::event::{Event, Value, event};
use crate::util::durable::{self, Draft};
use crate::util::file_state::FileState;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use xiaozhi_device::flash::{self, FlashFault};
use xiaozhi_device::image::{
    HEAD, Inspection, Inspector, Verdict, inspect, is_zip, version_at_head,
};

/// An image that can be published, and what it is.
#[derive(Debug)]
pub(crate) struct Source {
    /// The file that an operator named.
    pub(super) path: PathBuf,
    /// Inspection of the image alone.
    pub(crate) inspection: Inspection,
    /// Place of the image in the file.
    pub(crate) origin: Origin,
    /// State of the file before it was read.
    pub(super) state: Option<FileState>,
    pub(super) content: Content,
}

/// Place of an image in the file that holds it.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Name of the archive's member.
    pub(crate) member: Option<String>,
    /// Name of the app slot.
    pub(crate) slot: Option<String>,
    /// Offset of the slot in the flash, in bytes.
    pub(crate) offset: Option<u64>,
    /// Parts of the file that are not published.
    pub(crate) left: Vec<Value>,
}

impl Origin {
    /// Tells whether the file is the image itself.
    pub(crate) fn is_whole(&self) -> bool {
        self.member.is_none() && self.slot.is_none()
    }

    /// Names the place: `merged-binary.bin, ota_0 at 0x20000`.
    pub(crate) fn in_words(&self) -> Option<Event> {
        let slot = self.slot.as_ref().map(|slot| {
            let offset = format!("{:#x}", self.offset.unwrap_or_default());
            event!(PUBLISH_SLOT, slot = slot, offset = offset)
        });
        match &self.member {
            None => slot,
            Some(member) => Some(event!(PUBLISH_MEMBER, member = member, slot = slot)),
        }
    }
}

/// Bytes of an image.
#[derive(Debug)]
pub(super) enum Content {
    /// They are in the firmware folder already, under a hidden name.
    Copied(Draft),
    /// They are in memory.
    Held(Vec<u8>),
    /// They were only looked at.
    Seen,
}

impl Source {
    /// Reads what an operator named. An app image is copied into the firmware folder, unless
    /// `is_dry`, under a hidden name, and vanishes with this value.
    pub(crate) fn read(
        path: &Path,
        settings: &FolderSettings,
        takes_foreign: bool,
        is_dry: bool,
    ) -> Result<Self, PublishError> {
        let unreadable = |reason| PublishError::Source {
            path: path.to_owned(),
            reason,
        };
        // A file that takes its place while it is read is not taken for it.
        let state = fs::metadata(path).ok().map(|about| FileState::from(&about));
        let mut from = scan::open_written(path).map_err(unreadable)?;
        let mut head = Vec::with_capacity(HEAD);
        let begun = (&mut from).take(HEAD as u64).read_to_end(&mut head);
        begun.map_err(unreadable)?;
        let is_app = version_at_head(&head).is_some();
        let mut whole = (&*head).chain(from);
        let source = if is_app {
            stream(path, &settings.dir, &mut whole, is_dry)?
        } else {
            let mut bytes = Vec::new();
            scan::each_block(&mut whole, |block| bytes.extend_from_slice(block))
                .map_err(unreadable)?;
            take_out(path, bytes)?
        };
        let source = Self { state, ..source };
        source.check(settings, takes_foreign)?;
        Ok(source)
    }

    /// Refuses what would not be offered.
    fn check(&self, settings: &FolderSettings, takes_foreign: bool) -> Result<(), PublishError> {
        let (path, verdict) = (self.path.clone(), &self.inspection.verdict);
        let inside = |why: Event| PublishError::Inside {
            path: self.path.clone(),
            inside: self.origin.in_words(),
            why,
        };
        if let Err(why) = offerable(verdict, settings) {
            return Err(if self.origin.is_whole() {
                PublishError::Unusable { path, why }
            } else {
                inside(Event::from(&why))
            });
        }
        match verdict {
            Verdict::Foreign(foreign) if !self.origin.is_whole() => {
                Err(inside(Event::from(foreign)))
            }
            Verdict::Foreign(foreign) if !takes_foreign || foreign.is_named() => {
                let foreign = *foreign;
                Err(PublishError::NoImage { path, foreign })
            }
            _ => Ok(()),
        }
    }
}

/// Copies an app image, and inspects what it copies.
fn stream(
    path: &Path,
    dir: &Path,
    from: &mut impl Read,
    is_dry: bool,
) -> Result<Source, PublishError> {
    let unreadable = |reason| PublishError::Source {
        path: path.to_owned(),
        reason,
    };
    let folder = |reason| PublishError::Folder {
        dir: dir.to_owned(),
        reason,
    };
    let mut copy = if is_dry {
        None
    } else {
        Some(draft(dir).map_err(folder)?)
    };
    let mut inspector = Inspector::new();
    let mut written = Ok(());
    scan::each_block(from, |block| {
        inspector.update(block);
        if let (Ok(()), Some(copy)) = (&written, &mut copy) {
            written = copy.write(block);
        }
    })
    .map_err(unreadable)?;
    written.map_err(folder)?;
    Ok(Source {
        path: path.to_owned(),
        inspection: inspector.finish(),
        origin: Origin::default(),
        state: None,
        content: copy.map_or(Content::Seen, Content::Copied),
    })
}

/// Begins a file in the firmware folder, which is made where there is none.
pub(super) fn draft(dir: &Path) -> io::Result<Draft> {
    durable::make_folder(dir)?;
    Draft::begin_for_all(dir)
}

/// Takes the image out of what holds it.
fn take_out(path: &Path, bytes: Vec<u8>) -> Result<Source, PublishError> {
    let mut origin = Origin::default();
    let mut bytes = if is_zip(&bytes) {
        let packed = unpack(path, bytes)?;
        origin.member = Some(packed.member);
        origin.left = packed.left.into_iter().map(Value::from).collect();
        packed.bytes
    } else {
        bytes
    };
    let app = match flash::app_in(&bytes) {
        Ok(app) => Some(app),
        // What else it is, an inspection says.
        Err(FlashFault::NoTable) => None,
        Err(fault) => {
            return Err(PublishError::Flash {
                path: path.to_owned(),
                member: origin.member,
                fault: Box::new(fault),
            });
        }
    };
    if let Some(app) = app {
        let length = app.bytes.len();
        let from = app.offset;
        origin.slot = Some(app.slot);
        origin.offset = Some(from);
        let parts = app.left.iter();
        origin.left.extend(parts.map(|part| {
            let offset = format!("{:#x}", part.offset);
            let what = part_name(&part.what);
            let part = event!(
                PUBLISH_PART,
                what = what,
                bytes = part.bytes,
                offset = offset
            );
            part.into()
        }));
        // In place: a copy would hold a large flash twice.
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
        bytes.truncate(from.saturating_add(length));
        bytes.drain(..from);
    }
    Ok(Source {
        path: path.to_owned(),
        inspection: inspect(&bytes),
        origin,
        state: None,
        content: Content::Held(bytes),
    })
}

/// Names a part of a flash: what has no label of its own is named in the reader's language.
fn part_name(what: &str) -> Value {
    match what {
        "partition table" => Text::new("分区表", "partition table").into(),
        "bootloader" => Text::new("引导程序", "bootloader").into(),
        label => label.into(),
    }
}

/// Opens an archive, whose bytes are let go.
#[expect(
    clippy::needless_pass_by_value,
    reason = "they are not to be held any longer"
)]
fn unpack(path: &Path, archive: Vec<u8>) -> Result<Packed, PublishError> {
    archive::image_in(&archive).map_err(|fault| PublishError::Archive {
        path: path.to_owned(),
        fault: Box::new(fault),
    })
}
