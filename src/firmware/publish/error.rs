//! Reasons why a file is not published, each with what to do about it.

use super::super::Unusable;
use super::super::archive::ArchiveFault;
use super::super::notes::NotesError;
use crate::event::Event;
use std::io;
use std::path::PathBuf;
use xiaozhi_device::flash::FlashFault;
use xiaozhi_device::image::Foreign;

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
    /// Nothing in the archive can be published.
    #[error("{}: {fault}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Its fault.
        fault: Box<ArchiveFault>,
    },
    /// No app can be cut out of the full flash image.
    #[error("{}: {}{}", path.display(), of_member(member.as_deref()), fault)]
    Flash {
        /// The file to be published.
        path: PathBuf,
        /// Its name in the archive.
        member: Option<String>,
        /// The fault.
        fault: Box<FlashFault>,
    },
    /// The app in it would not be offered.
    #[error("{}: {inside}: {why}", path.display())]
    Inside {
        /// The file to be published.
        path: PathBuf,
        /// Place of the app in it.
        inside: String,
        /// The reason why the catalogue would refuse it.
        why: Event,
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
    /// Nothing tells the model.
    #[error(
        "{}: an image does not say which model it is for, and this name does not either: add --model with the name that \
         devices report", path.display()
    )]
    NoModel {
        /// The file to be published.
        path: PathBuf,
    },
    /// The name may mean either of two models.
    #[error(
        "{}: its name begins with a manufacturer, and devices may report the board as {:?} or as {:?}: write which, with \
         --model (nothing was written): {}  or  {}", path.display(), models[0], models[1], commands[0], commands[1]
    )]
    EitherModel {
        /// The file to be published.
        path: PathBuf,
        /// The two models.
        models: [String; 2],
        /// The commands that publish it for one and for the other.
        commands: [String; 2],
    },
    /// Another source of the same run has that name.
    #[error(
        "{}: it comes to {}, and so does {}, which goes first and holds something else: publish this one alone, with \
         another --model or --version", source_path.display(), path.display(), first.display()
    )]
    Second {
        /// The file to be published.
        source_path: PathBuf,
        /// The file in the firmware folder.
        path: PathBuf,
        /// The source that has it.
        first: PathBuf,
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

impl PublishError {
    /// Tells whether nothing was done because all is as it should be: the folder holds the
    /// same image under the same name.
    pub(crate) fn is_same(&self) -> bool {
        matches!(self, Self::Exists { same: true, .. })
    }
}

fn of_member(member: Option<&str>) -> String {
    member.map_or_else(String::new, |member| format!("{member}: "))
}
