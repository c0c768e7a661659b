//! The last step of `publish`: the image gets its name, or nothing is changed.

use super::super::folder::scan;
use super::super::notes::{KeptNotes, Notes};
use super::super::{command, signing};
use super::source::{self, Content};
use super::{PublishError, Source, Target};
use crate::util::durable::{self, Durability, NotCreated, Turn};
use crate::util::file_state::FileState;
use crate::util::way;
use nix::errno::Errno;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use xiaozhi_device::image::{Inspection, Verdict};

/// A file that was published.
#[derive(Debug)]
pub(crate) struct Published {
    /// Durability of the file in its place.
    pub(crate) kept: Durability,
    /// The file of the folder that it replaces, which had another name and held it in a form
    /// that devices cannot use; an error where it could not be removed.
    pub(crate) replaced: Option<(PathBuf, io::Result<()>)>,
}

/// Size in bytes of a block of most file systems.
const BLOCK: u64 = 4096;

/// Room that a run without deeds would have taken so far, in bytes.
#[derive(Debug, Default)]
pub(crate) struct Room(u64);

impl Room {
    /// Begins with bytes that are to stay free.
    pub(crate) fn beside(spare: u64) -> Self {
        Self(spare)
    }
}

impl Source {
    /// Makes the image durable and gives it its name, in one step: before it the server sees
    /// nothing, after it the whole file. Its notes are there before it, and go where it
    /// fails.
    pub(crate) fn publish(
        self,
        target: &Target,
        notes: Option<&Notes>,
        overwrite: bool,
    ) -> Result<Published, PublishError> {
        let dir = durable::folder(&target.path).to_owned();
        let path = &target.path;
        let folder = |reason| PublishError::Folder {
            dir: dir.clone(),
            reason,
        };
        let superseded = self.superseded(target, overwrite);
        let state = self.state;
        let source = self.staged(&dir)?;
        let inspection = source.inspection;
        let Content::Copied(copy) = source.content else {
            return Err(folder(io::Error::other("it was only looked at")));
        };
        let copy = copy.finished().map_err(folder)?;
        let _turn = Turn::take(&dir).map_err(folder)?;
        if !overwrite && fs::symlink_metadata(path).is_ok() {
            return Err(exists(target, &inspection));
        }
        let notes = notes.map(|notes| notes.keep(path, overwrite)).transpose()?;
        let kept = if overwrite {
            copy.replace(path).map_err(folder)?
        } else {
            match copy.create(path) {
                Ok(kept) => kept,
                Err(NotCreated::Exists) => return Err(exists(target, &inspection)),
                Err(NotCreated::Error(error)) => return Err(folder(error)),
            }
        };
        notes.into_iter().for_each(KeptNotes::settle);
        // Another file that took its name meanwhile is somebody's, and stays.
        let state_of = |path: &Path| fs::metadata(path).ok().map(|about| FileState::from(&about));
        let superseded = superseded.filter(|old| state.is_some() && state_of(old) == state);
        let replaced = superseded.map(|old| {
            let removed = fs::remove_file(&old);
            if removed.is_ok() {
                // What a power cut brings back is refused as before.
                let _ = durable::forget(&old);
            }
            (old, removed)
        });
        Ok(Published { kept, replaced })
    }

    /// Writes the image into the firmware folder under a hidden name, if it is not there yet:
    /// what is left for [`Source::publish`] takes no room.
    pub(crate) fn staged(self, dir: &Path) -> Result<Self, PublishError> {
        let Content::Held(bytes) = self.content else {
            return Ok(self);
        };
        let folder = |reason| PublishError::Folder {
            dir: dir.to_owned(),
            reason,
        };
        let mut copy = source::draft(dir).map_err(folder)?;
        copy.write(&bytes).map_err(folder)?;
        let content = Content::Copied(copy);
        Ok(Self { content, ..self })
    }

    /// Tells whether it may have its name.
    pub(crate) fn check_name(&self, target: &Target, overwrite: bool) -> Result<(), PublishError> {
        match fs::symlink_metadata(&target.path) {
            Ok(_) if !overwrite => Err(exists(target, &self.inspection)),
            Ok(there) if there.is_dir() => Err(PublishError::Folder {
                dir: durable::folder(&target.path).to_owned(),
                reason: Errno::EISDIR.into(),
            }),
            _ => Ok(()),
        }
    }

    /// Finds out what [`Source::publish`] would come to, and writes nothing.
    pub(crate) fn rehearse(
        &self,
        target: &Target,
        notes: Option<&Notes>,
        overwrite: bool,
        room: &mut Room,
    ) -> Result<Option<PathBuf>, PublishError> {
        let path = &target.path;
        let dir = durable::folder(path);
        let folder = |reason| PublishError::Folder {
            dir: dir.to_owned(),
            reason,
        };
        // It is written before anybody looks whether its name is free.
        way::to_keep(dir, self.inspection.size, room.0).map_err(folder)?;
        let mut freed = 0;
        self.check_name(target, overwrite)?;
        if let Ok(there) = fs::symlink_metadata(path) {
            way::to_remove(path).map_err(folder)?;
            freed = there.len();
        }
        if let Some(notes) = notes {
            notes.check(path, overwrite)?;
        }
        // Each takes whole blocks.
        let taken = self.inspection.size.next_multiple_of(BLOCK);
        room.0 = room.0.saturating_add(taken);
        room.0 = room.0.saturating_sub(freed);
        Ok(self.superseded(target, overwrite))
    }

    /// Tells whether an archive or a full flash image stays in the firmware folder, where it is
    /// of no use once its image is published.
    pub(crate) fn stays(&self, target: &Target, overwrite: bool) -> bool {
        !self.origin.is_whole()
            && self.is_beside(target)
            && self.superseded(target, overwrite).is_none()
    }

    /// Tells whether the file lies in the firmware folder, under another name than it gets.
    fn is_beside(&self, target: &Target) -> bool {
        let dir_of = |path| fs::canonicalize(durable::folder(path)).ok();
        self.path.is_file()
            && self.path.file_name() != target.path.file_name()
            && dir_of(&self.path).is_some_and(|own| dir_of(&target.path) == Some(own))
    }

    /// Returns the file that goes when the image has its name: an archive or a full flash
    /// image that lies in the firmware folder under the name of a firmware, where its
    /// operator said `--force`. Left there it would be refused at every start.
    fn superseded(&self, target: &Target, overwrite: bool) -> Option<PathBuf> {
        let file = self.path.file_name()?.to_str()?;
        let is_meant = overwrite && !self.origin.is_whole() && command::is_firmware(file);
        (is_meant && self.is_beside(target)).then(|| self.path.clone())
    }
}

/// Returns what is said of a file that has the name already.
fn exists(target: &Target, inspection: &Inspection) -> PublishError {
    let (path, version) = (target.path.clone(), &target.version);
    let there = scan::inspect_file(&path).ok();
    let same = there
        .as_ref()
        .is_some_and(|there| there.sha256 == inspection.sha256);
    let is_plain = version.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match (&inspection.verdict, there.map(|there| there.verdict)) {
        (Verdict::App(ours), Some(Verdict::App(theirs)))
            if is_plain && ours.chip == theirs.chip && ours.shares_no_chip_with(&theirs) =>
        {
            let (theirs, ours) = (signing::chips(&theirs), signing::chips(ours));
            // It is 2.2.4 to us, and no other file's name.
            let version = format!("{version}.0");
            PublishError::ForOthers {
                path,
                theirs,
                ours,
                version,
            }
        }
        _ => PublishError::Exists { path, same },
    }
}
