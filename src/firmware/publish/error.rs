//! Reasons why a file is not published, each with what to do about it.

use super::super::Unusable;
use super::super::archive::ArchiveFault;
use super::super::notes::NotesError;
use crate::event::text::{Lang, Text};
use crate::event::{Event, Value, event};
use crate::util::paths::absolute;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use xiaozhi_device::flash::FlashFault;
use xiaozhi_device::image::Foreign;

/// Reason why a file was not published, with what to do about it. Nothing was changed.
#[derive(Debug)]
pub(crate) enum PublishError {
    /// The file itself cannot be read.
    Source {
        /// The file to be published.
        path: PathBuf,
        /// The system's word.
        reason: io::Error,
    },
    /// It would not be offered.
    Unusable {
        /// The file to be published.
        path: PathBuf,
        /// The reason why the catalogue would refuse it.
        why: Unusable,
    },
    /// Nothing in the archive can be published.
    Archive {
        /// The archive.
        path: PathBuf,
        /// Its fault.
        fault: Box<ArchiveFault>,
    },
    /// No app can be cut out of the full flash image.
    Flash {
        /// The file to be published.
        path: PathBuf,
        /// Its name in the archive.
        member: Option<String>,
        /// The fault.
        fault: Box<FlashFault>,
    },
    /// The app in it would not be offered.
    Inside {
        /// The file to be published.
        path: PathBuf,
        /// Place of the app in it.
        inside: Option<Event>,
        /// The reason why the catalogue would refuse it.
        why: Event,
    },
    /// It is no app image.
    NoImage {
        /// The file to be published.
        path: PathBuf,
        /// The file's kind.
        foreign: Foreign,
    },
    /// No version was given, and the file holds none.
    NoVersion {
        /// The file to be published.
        path: PathBuf,
        /// The file's kind.
        foreign: Foreign,
    },
    /// A version that no file name can carry.
    VersionName {
        /// As it was given, or as the image has it.
        version: String,
    },
    /// A version that restarts devices.
    UnsafeVersion {
        /// As it was given, or as the image has it.
        version: String,
    },
    /// A model that no file name can carry.
    ModelName {
        /// As it was given.
        model: String,
        /// The fault of the name.
        why: Text,
    },
    /// Nothing tells the model.
    NoModel {
        /// The file to be published.
        path: PathBuf,
    },
    /// The name may mean either of two models.
    EitherModel {
        /// The file to be published.
        path: PathBuf,
        /// The two models.
        models: [String; 2],
        /// The commands that publish it for one and for the other.
        commands: [String; 2],
    },
    /// Another source of the same run has that name.
    Second {
        /// The file to be published.
        source_path: PathBuf,
        /// The file in the firmware folder.
        path: PathBuf,
        /// The source that has it.
        first: PathBuf,
    },
    /// A file of that name is there already.
    Exists {
        /// The file in the firmware folder.
        path: PathBuf,
        /// True where it holds what was to be published.
        same: bool,
    },
    /// The file of that name is for other chips.
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
    Notes(NotesError),
    /// The folder takes no file.
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

impl PublishError {
    /// Returns the reason, without what to type against it. Paths in it are those that `shown`
    /// makes of them.
    fn event(&self, shown: impl Fn(&Path) -> String) -> Event {
        let refused = |path: &Path, inside: Value, why: Event| {
            event!(
                PUBLISH_REFUSED,
                path = shown(path),
                inside = inside,
                why = why
            )
        };
        match self {
            Self::Source { path, reason } => {
                event!(PUBLISH_UNREADABLE, path = shown(path), reason = reason)
            }
            Self::Unusable { path, why } => refused(path, Value::Absent, why.into()),
            Self::Archive { path, fault } => refused(path, Value::Absent, Event::from(&**fault)),
            Self::Flash {
                path,
                member,
                fault,
            } => refused(path, member.as_deref().into(), Event::from(&**fault)),
            Self::Inside { path, inside, why } => {
                refused(path, inside.as_ref().into(), why.clone())
            }
            Self::NoImage { path, foreign } => {
                let (path, what) = (shown(path), Event::from(foreign));
                if foreign.is_data() {
                    event!(PUBLISH_DATA, path = path, what = what)
                } else if foreign.is_named() {
                    event!(PUBLISH_OTHER, path = path, what = what)
                } else {
                    event!(PUBLISH_FOREIGN, path = path, what = what)
                }
            }
            Self::NoVersion { path, foreign } => {
                let what = Event::from(foreign);
                event!(PUBLISH_NO_VERSION, path = shown(path), what = what)
            }
            Self::VersionName { version } => {
                event!(PUBLISH_VERSION_NAME, version = format!("{version:?}"))
            }
            Self::UnsafeVersion { version } => event!(PUBLISH_UNSAFE_VERSION, version = version),
            Self::ModelName { model, why } => {
                event!(PUBLISH_MODEL_NAME, model = format!("{model:?}"), why = *why)
            }
            Self::NoModel { path } => event!(PUBLISH_NO_MODEL, path = shown(path)),
            Self::EitherModel {
                path,
                models: [one, other],
                ..
            } => event!(
                PUBLISH_EITHER_MODEL,
                path = shown(path),
                one = format!("{one:?}"),
                other = format!("{other:?}")
            ),
            Self::Second {
                source_path,
                path,
                first,
            } => event!(
                PUBLISH_SECOND,
                path = shown(source_path),
                target = shown(path),
                first = shown(first)
            ),
            Self::Exists { path, same: true } => event!(PUBLISH_SAME, path = shown(path)),
            Self::Exists { path, .. } => event!(PUBLISH_EXISTS, path = shown(path)),
            Self::ForOthers {
                path, theirs, ours, ..
            } => event!(
                PUBLISH_FOR_OTHERS,
                path = shown(path),
                theirs = theirs,
                ours = ours
            ),
            Self::Notes(error) => error.into(),
            Self::Folder { dir, reason } => {
                event!(PUBLISH_FOLDER, dir = shown(dir), reason = reason)
            }
        }
    }

    /// Returns the reason for whoever knows the folders: paths in it are names alone.
    pub(crate) fn by_name(&self) -> Event {
        if matches!(self, Self::Folder { .. }) {
            return self.event(|path| absolute(path).display().to_string());
        }
        self.event(|path| match path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.display().to_string(),
        })
    }

    /// Returns what to type against it, as it follows the reason.
    fn advice(&self) -> String {
        match self {
            Self::NoImage { foreign, .. } if !foreign.is_data() && !foreign.is_named() => {
                "; if it is meant for a device of another kind, add --version and --foreign".into()
            }
            Self::NoVersion { .. } => ": add --version".into(),
            Self::VersionName { .. } => {
                ": add --version with a digit first, then letters, digits, \
                                         '.', '_' and '-' (1.6.6)"
                    .into()
            }
            Self::UnsafeVersion { .. } => ": add another --version".into(),
            Self::NoModel { .. } => ": add --model with the name that devices report".into(),
            Self::EitherModel {
                commands: [one, other],
                ..
            } => format!(": write which, with --model (nothing was written): {one}  or  {other}"),
            Self::Second { .. } => {
                ": publish this one alone, with another --model or --version".into()
            }
            Self::Exists { .. } => ": raise the version, or overwrite it with --force".into(),
            Self::ForOthers { version, .. } => format!(
                ". Publish it beside that one, with a version of the same rank: --version {version}; \
                 each device gets the one for its chip. (--force would take theirs away)"
            ),
            _ => String::new(),
        }
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.event(|path| path.display().to_string());
        write!(f, "{}{}", event.message(Lang::En), self.advice())
    }
}

impl std::error::Error for PublishError {}

impl From<NotesError> for PublishError {
    fn from(error: NotesError) -> Self {
        Self::Notes(error)
    }
}
