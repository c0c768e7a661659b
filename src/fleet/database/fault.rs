//! Faults: reasons why the store does not do what it is asked.

use crate::event::text::{Lang, Text};
use crate::event::{Event, event};
use rusqlite::{ErrorCode, ffi};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// Something in the place of a file that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoFile {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Words for what it is.
    found: Text,
}

impl NoFile {
    /// Returns what stands at a path, unless it is a regular file.
    pub(super) fn of(path: &Path, data: &Metadata) -> Option<Self> {
        let kind = data.file_type();
        let found = match () {
            () if kind.is_file() => return None,
            () if kind.is_dir() => Text::new("目录", "a folder"),
            () if kind.is_fifo() => Text::new("命名管道", "a pipe"),
            () if kind.is_socket() => Text::new("套接字", "a socket"),
            () => Text::new("设备文件", "a device"),
        };
        let path = path.to_owned();
        Some(Self { path, found })
    }
}

impl fmt::Display for NoFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, found) = (self.path.display(), self.found.to(Lang::En));
        write!(f, "{path} is no regular file but {found}")
    }
}

/// Reason why the store cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// There is no room for it.
    #[error("no room is left on its disk: make room")]
    Full,
    /// Another process has locked it.
    #[error("another program has locked it: end that program, or try again")]
    Locked,
    /// It may not be written, in the system's words.
    #[error("{0}: it may not be written: see to the rights on it and its folder")]
    ReadOnly(String),
    /// Its content makes no sense.
    #[error("{0}: it is broken: restore a backup, or move it away")]
    Broken(String),
    /// A newer program wrote it.
    #[error(
        "a newer program wrote it (version {version}; this one knows up to {known}): run that one"
    )]
    Newer {
        /// Version that it has.
        version: u32,
        /// Latest version that is known here.
        known: u32,
    },
    /// An older program wrote it, and no server has brought it up to date yet.
    #[error(
        "an older program wrote it (version {version} of {known}): start the server once, which brings it up to date"
    )]
    Older {
        /// Version that it has.
        version: u32,
        /// Version that is wanted.
        known: u32,
    },
    /// It is gone, or another file stands in its place.
    #[error("it was removed or replaced meanwhile: try again")]
    Gone,
    /// Something that is no file stands in its place, or beside it.
    #[error("{0}: move it away")]
    NoFile(NoFile),
    /// The state folder is not this server's now.
    #[error("the state folder was lost")]
    Away,
    /// Anything else, in the system's words.
    #[error("{0}: see to its disk and its folder")]
    Failing(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error::{
            FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType,
            QueryReturnedNoRows, SqlInputError, SqliteFailure, Utf8Error,
        };
        let text = error.to_string();
        let failure = match &error {
            // Statements are constant: one that cannot be prepared, or whose columns have
            // other types, meets a file with other tables.
            SqliteFailure(failure, Some(words))
                if failure.code == ErrorCode::Unknown && is_of_tables(words) =>
            {
                return Self::Broken(text);
            }
            SqlInputError { error, .. } if error.code == ErrorCode::Unknown => {
                return Self::Broken(text);
            }
            SqliteFailure(failure, _) => failure,
            SqlInputError { error, .. } => error,
            FromSqlConversionFailure(..)
            | IntegralValueOutOfRange(..)
            | InvalidColumnType(..)
            | QueryReturnedNoRows
            | Utf8Error(..) => return Self::Broken(text),
            _ => return Self::Failing(text),
        };
        match (failure.code, failure.extended_code) {
            (ErrorCode::DiskFull, _) => Self::Full,
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Self::Locked,
            (_, ffi::SQLITE_READONLY_DBMOVED) => Self::Gone,
            // The file itself was opened before: what cannot be is what lies beside it.
            (ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen, _) => {
                Self::ReadOnly(text)
            }
            (
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch,
                _,
            ) => Self::Broken(text),
            _ => Self::Failing(text),
        }
    }
}

/// Tells whether SQLite complains of a table that is not there, or is another's.
fn is_of_tables(words: &str) -> bool {
    words.starts_with("no such ") || words.contains(" has no column ")
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly(error.to_string())
            }
            _ => Self::Failing(error.to_string()),
        }
    }
}

impl Fault {
    /// Returns the event that says of a file why it cannot be written.
    pub(crate) fn event(&self, file: &Path) -> Event {
        match self {
            Self::Full => event!(STORE_FULL, file = file),
            Self::Locked => event!(STORE_LOCKED, file = file),
            Self::ReadOnly(error) => {
                event!(STORE_READ_ONLY, file = file, error = error)
            }
            Self::Newer { version, known } => {
                event!(STORE_NEWER, file = file, version = *version, known = *known)
            }
            Self::Gone => event!(STORE_GONE, file = file),
            Self::NoFile(NoFile { path, found }) => {
                event!(STORE_NO_FILE, file = path, found = *found)
            }
            Self::Broken(error) | Self::Failing(error) => {
                event!(STORE_FAILING, file = file, error = error)
            }
            Self::Older { .. } | Self::Away => {
                event!(STORE_FAILING, file = file, error = self.to_string())
            }
        }
    }

    /// Returns the event that says of a file why nobody knows what it holds.
    pub(crate) fn unread(&self, file: &Path) -> Event {
        event!(STORE_UNREAD, file = file, error = self.to_string())
    }
}
