//! Putting a file into the firmware folder so that nobody ever sees half of it.

use super::folder::scan;
use super::name::{self, is_version, model_key};
use super::notes::{KeptNotes, Notes, NotesError};
use super::{FolderSettings, Unusable, offerable, signing};
use crate::event::Event;
use crate::util::durable::{self, Draft, Durability, NotCreated, Turn};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use xiaozhi_device::image::{Foreign, Inspection, Inspector, Verdict};
use xiaozhi_device::version::is_device_safe;

/// Reason why a file was not published, with what to do about it. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// The file itself cannot be read.
    #[error("{}: it cannot be read: {reason}", path.display())]
    Source {
        /// The file to be published.
        path: PathBuf,
        /// The system's word.
        reason: io::Error,
    },
    /// It would not be offered.
    #[error("{}: {why}", path.display())]
    Unusable {
        /// The file to be published.
        path: PathBuf,
        /// The reason why the catalogue would refuse it.
        why: Unusable,
    },
    /// It is no app image.
    #[error(
        "{}: {}. {}", path.display(), Event::from(foreign),
        if foreign.is_data() {
            "It is given for download where it lies in the firmware folder: copy it there"
        } else if foreign.is_named() {
            "No device installs that"
        } else {
            "No ESP32 is offered it; if it is meant for a device of another kind, add --version and --foreign"
        }
    )]
    NoImage {
        /// The file to be published.
        path: PathBuf,
        /// The file's kind.
        foreign: Foreign,
    },
    /// No version was given, and the file holds none.
    #[error("{}: {}, and so tells no version: add --version", path.display(), Event::from(foreign))]
    NoVersion {
        /// The file to be published.
        path: PathBuf,
        /// The file's kind.
        foreign: Foreign,
    },
    /// A version that no file name can carry.
    #[error(
        "the version {version:?} cannot stand in a file name: add --version with a digit first, then letters, digits, \
         '.', '_' and '-' (1.6.6)"
    )]
    VersionName {
        /// As it was given, or as the image has it.
        version: String,
    },
    /// A version that restarts devices.
    #[error(
        "a device that is offered version {version} restarts at every check, for a part of it is no number below \
         2147483648: add another --version"
    )]
    UnsafeVersion {
        /// As it was given, or as the image has it.
        version: String,
    },
    /// A model that no file name can carry.
    #[error("the model {model:?} cannot stand in a file name: {why}")]
    ModelName {
        /// As it was given.
        model: String,
        /// The fault of the name.
        why: &'static str,
    },
    /// A file of that name is there already.
    #[error(
        "{}: it is there already, with {}: raise the version, or overwrite it with --force", path.display(),
        if *same { "the same content" } else { "other content" }
    )]
    Exists {
        /// The file in the firmware folder.
        path: PathBuf,
        /// True where it holds what was to be published.
        same: bool,
    },
    /// The file of that name is for other chips.
    #[error(
        "{}: it is there already, and is for {theirs}, while this image is for {ours}. Publish it beside that one, with a \
         version of the same rank: --version {version}; each device gets the one for its chip. (--force would take theirs away)",
        path.display()
    )]
    ForOthers {
        /// The file in the firmware folder.
        path: PathBuf,
        /// The chips that it is for.
        theirs: String,
        /// The chips that the image to be published is for.
        ours: String,
        /// A version of the same rank, in another spelling.
        version: String,
    },
    /// Its notes cannot be kept.
    #[error(transparent)]
    Notes(#[from] NotesError),
    /// The folder takes no file.
    #[error("{}: nothing can be written there: {reason}", dir.display())]
    Folder {
        /// The firmware folder.
        dir: PathBuf,
        /// The system's word.
        reason: io::Error,
    },
}

/// A file that was copied whole to where nobody looks, and what it is.
#[derive(Debug)]
pub(crate) struct Staged {
    source: PathBuf,
    dir: PathBuf,
    copy: Draft,
    /// Inspection of the copy, made while it was written.
    pub(crate) inspection: Inspection,
}

impl Staged {
    /// Copies `source` into `dir` under a hidden name, and inspects what it
    /// copies. The copy vanishes with this value.
    pub(crate) fn copy(
        source: &Path,
        dir: &Path,
        settings: &FolderSettings,
        takes_foreign: bool,
    ) -> Result<Self, PublishError> {
        let unreadable = |reason| PublishError::Source {
            path: source.to_owned(),
            reason,
        };
        let folder = |reason| PublishError::Folder {
            dir: dir.to_owned(),
            reason,
        };
        let mut from = scan::open_written(source).map_err(unreadable)?;
        durable::make_folder(dir).map_err(folder)?;
        let mut copy = Draft::begin_for_all(dir).map_err(folder)?;
        let mut inspector = Inspector::new();
        let mut written = Ok(());
        scan::each_block(&mut from, |block| {
            inspector.update(block);
            if written.is_ok() {
                written = copy.write(block);
            }
        })
        .map_err(unreadable)?;
        written.map_err(folder)?;
        let inspection = inspector.finish();
        let (path, verdict) = (source.to_owned(), &inspection.verdict);
        if let Err(why) = offerable(verdict, settings) {
            return Err(PublishError::Unusable { path, why });
        }
        match verdict {
            Verdict::Foreign(foreign) if !takes_foreign || foreign.is_named() => {
                let foreign = *foreign;
                return Err(PublishError::NoImage { path, foreign });
            }
            _ => {}
        }
        Ok(Self {
            source: source.to_owned(),
            dir: dir.to_owned(),
            copy,
            inspection,
        })
    }

    /// The version to publish under: the one that was asked for, else the one
    /// inside.
    pub(crate) fn version(&self, asked: Option<&str>) -> Result<String, PublishError> {
        let version = match (asked, &self.inspection.verdict) {
            (Some(asked), _) => asked.to_owned(),
            (None, Verdict::App(app)) => app.version.clone(),
            (None, Verdict::Foreign(foreign)) => {
                return Err(PublishError::NoVersion {
                    path: self.source.clone(),
                    foreign: *foreign,
                });
            }
            (None, Verdict::Rejected(_)) => String::new(),
        };
        if !is_version(&version) {
            Err(PublishError::VersionName { version })
        } else if !is_device_safe(&version) {
            Err(PublishError::UnsafeVersion { version })
        } else {
            Ok(version)
        }
    }

    /// Makes the copy durable and gives it its name, in one step: before it the
    /// server sees nothing, after it the whole file. Its notes are there before it, and
    /// go where it fails. Returns its path, and whether it would outlive a power cut.
    pub(crate) fn publish(
        self,
        model: &str,
        version: &str,
        notes: Option<&Notes>,
        overwrite: bool,
    ) -> Result<(PathBuf, Durability), PublishError> {
        let Self {
            source: _,
            dir,
            copy,
            inspection,
        } = self;
        let path = dir.join(file_name(model, version)?);
        let folder = |reason| PublishError::Folder {
            dir: dir.clone(),
            reason,
        };
        let copy = copy.finished().map_err(folder)?;
        let _turn = Turn::take(&dir).map_err(folder)?;
        if !overwrite && fs::symlink_metadata(&path).is_ok() {
            return Err(exists(path, &inspection, version));
        }
        let notes = notes
            .map(|notes| notes.keep(&path, overwrite))
            .transpose()?;
        let kept = if overwrite {
            copy.replace(&path).map_err(folder)?
        } else {
            match copy.create(&path) {
                Ok(kept) => kept,
                Err(NotCreated::Exists) => return Err(exists(path, &inspection, version)),
                Err(NotCreated::Error(error)) => return Err(folder(error)),
            }
        };
        notes.into_iter().for_each(KeptNotes::settle);
        Ok((path, kept))
    }
}

/// Returns what is said of a file that has the name already.
fn exists(path: PathBuf, inspection: &Inspection, version: &str) -> PublishError {
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

/// The name under which a model's version is found.
fn file_name(model: &str, version: &str) -> Result<String, PublishError> {
    let fault = |why| PublishError::ModelName {
        model: model.to_owned(),
        why,
    };
    let model = &*model_key(model);
    let file = format!("{model}_{version}.bin");
    if model.is_empty() {
        Err(fault(
            "write the name that devices report (board.name or board.type)",
        ))
    } else if model.contains('/') || model.starts_with('.') {
        Err(fault("it must hold no '/' and not begin with a '.'"))
    } else if file.len() > 255 {
        Err(fault("it is too long"))
    } else {
        match name::parse(&file) {
            Ok(parsed) if parsed.model == model => Ok(file),
            Ok(_) => Err(fault(
                "a part of it behind an underscore would be read as the version (my_2 is the model my)",
            )),
            Err(_) => Err(fault("it must hold no control character")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_scan_reads_back() {
        let name = |model: &str| file_name(model, "1.6.6").map_err(|e| e.to_string());
        assert_eq!(name("小智 板").as_deref(), Ok("小智 板_1.6.6.bin"));
        assert_eq!(name("my_board").as_deref(), Ok("my_board_1.6.6.bin"));
        for (model, why) in [
            ("", "devices report"),
            ("../x", "no '/'"),
            (".x", "begin with"),
            ("board_2", "read as the version"),
            ("a\nb", "control character"),
            (&"x".repeat(250), "too long"),
        ] {
            assert!(name(model).is_err_and(|e| e.contains(why)), "{model:?}");
        }
    }
}
