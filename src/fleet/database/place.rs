//! Place of the store, and the files beside it.
//!
//! Nothing here opens the file while a connection of this process has it: the system drops
//! a process's locks on a file as soon as the process closes it through any descriptor
//! (`fcntl`, POSIX locks), and another process would take the store for one that nobody has.

use super::fault::{Fault, NoFile};
use crate::util::sync::lock;
use jiff::Timestamp;
use nix::fcntl::OFlag;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// Name of the store in the state folder.
pub(crate) const FILE: &str = "fleet.db";
/// Ends of the names of the files in which SQLite keeps what is not in the store itself yet,
/// and the index of it.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// File on its disk: device and number.
pub(crate) type Identity = (u64, u64);

/// Place of the store.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    dir: PathBuf,
    file: PathBuf,
    /// Empty file that is known to be no loss: this process made it, or has told of it.
    begun: Arc<Mutex<Option<Identity>>>,
}

impl Place {
    /// Takes the folder that it lies in.
    pub(crate) fn new(dir: PathBuf) -> Self {
        let file = dir.join(FILE);
        let begun = Arc::default();
        Self { dir, file, begun }
    }

    /// Returns the path of the store.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the path of a file beside it, by the end of its name.
    pub(crate) fn with(&self, end: &str) -> PathBuf {
        let mut name = OsString::from(FILE);
        name.push(end);
        self.dir.join(name)
    }

    /// Opens the store, or begins one that only its user may read. No connection may have it.
    ///
    /// # Errors
    ///
    /// [`Fault::NoFile`] where something stands there, or beside it, that no store can be: to
    /// read a pipe is to wait for ever.
    pub(crate) fn hold(&self) -> Result<File, Fault> {
        self.holds_files()?;
        let mut options = options();
        options.write(true);
        match options.open(&self.file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let file = options.create(true).mode(0o600).open(&self.file)?;
                let data = regular(&self.file, &file)?;
                if data.len() == 0 {
                    self.begins(&data);
                }
                Ok(file)
            }
            file => {
                let file = file?;
                regular(&self.file, &file)?;
                Ok(file)
            }
        }
    }

    /// Opens the store to read from it. `None` where there is none. No connection may have it.
    ///
    /// # Errors
    ///
    /// As those of [`Self::hold`].
    pub(crate) fn look(&self) -> Result<Option<File>, Fault> {
        self.holds_files()?;
        match options().open(&self.file) {
            Ok(file) => {
                regular(&self.file, &file)?;
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at what stands at the path of the store, and beside it, before any of it is
    /// opened: that alone may do something where it is no file.
    pub(crate) fn holds_files(&self) -> Result<(), Fault> {
        let beside = BESIDE.map(|end| self.with(end));
        for path in [&self.file].into_iter().chain(&beside) {
            if let Ok(data) = fs::metadata(path) {
                regular_by(path, &data)?;
            }
        }
        Ok(())
    }

    /// Tells whether a store that is empty was so before: this process began it, or has told
    /// of it.
    pub(super) fn is_begun(&self, empty: &Metadata) -> bool {
        *lock(&self.begun) == Some((empty.dev(), empty.ino()))
    }

    /// Takes that a store is empty, and that this is known.
    pub(super) fn begins(&self, empty: &Metadata) {
        *lock(&self.begun) = Some((empty.dev(), empty.ino()));
    }

    /// Tells whether there is none, or one that was never begun. No connection may have it.
    pub(crate) fn holds_nothing(&self) -> bool {
        let file = match self.look() {
            Ok(Some(file)) => file,
            // What is no file holds no more than what is not there.
            Ok(None) => return true,
            Err(Fault::NoFile(found)) => return found.path == self.file,
            Err(_) => return false,
        };
        match file.metadata() {
            Ok(data) if data.len() == 0 => true,
            Ok(_) => !self.has_log() && head(&file).is_ok_and(|head| head.version == 0),
            Err(_) => false,
        }
    }

    /// Returns which file stands at the path of the store.
    pub(crate) fn identity(&self) -> Option<Identity> {
        identity(&self.file)
    }

    /// Returns which files stand beside it.
    pub(crate) fn identities_beside(&self) -> [Option<Identity>; 2] {
        BESIDE.map(|end| identity(&self.with(end)))
    }

    /// Removes the files beside a store that is gone, if they are still these: another store
    /// in its place would take what they hold for its own.
    pub(crate) fn remove_beside(&self, of: [Option<Identity>; 2]) {
        for (end, known) in BESIDE.into_iter().zip(of) {
            let path = self.with(end);
            if known.is_some() && identity(&path) == known {
                // Where it stays, SQLite removes it with a new store, and finds that an old
                // one does not fit.
                let _ = fs::remove_file(path);
            }
        }
    }

    /// Tells whether a write-ahead log lies beside it that holds anything.
    pub(crate) fn has_log(&self) -> bool {
        fs::metadata(self.with("-wal")).is_ok_and(|log| log.len() > 0)
    }

    /// Moves the store and the files beside it to names of their own: `fleet.db.broken-…`.
    /// Returns the store's new path.
    ///
    /// # Errors
    ///
    /// The system's, where the folder cannot be changed.
    pub(crate) fn move_aside(&self, now: SystemTime) -> io::Result<PathBuf> {
        let time = Timestamp::try_from(now).unwrap_or_default();
        let stem = format!(".broken-{}", time.strftime("%Y%m%dT%H%M%SZ"));
        let mut end = stem.clone();
        let mut number = 1;
        while fs::symlink_metadata(self.with(&end)).is_ok() {
            number += 1;
            end = format!("{stem}-{number}");
        }
        for beside in BESIDE {
            match fs::rename(self.with(beside), self.with(&format!("{end}{beside}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let aside = self.with(&end);
        fs::rename(&self.file, &aside)?;
        Ok(aside)
    }

    /// Returns why nothing can be written beside it, if that is so: SQLite has one word for
    /// all that a disk may refuse.
    pub(crate) fn refuses(&self) -> Option<Fault> {
        /// More than SQLite asks for at once.
        static TRIED: [u8; 64 << 10] = [0x5a; 64 << 10];
        let tried = tempfile::Builder::new()
            .prefix(".draft-")
            .suffix(".tmp")
            .tempfile_in(&self.dir)
            .and_then(|mut file| file.write_all(&TRIED));
        tried.err().map(Fault::from)
    }

    /// Returns the path at which the store is written anew. Of a name like this no backup takes
    /// anything.
    pub(super) fn draft(&self) -> PathBuf {
        self.dir.join(format!(".draft-{FILE}"))
    }

    /// Removes what is at [`Self::draft`], which a process may have left that was killed.
    pub(super) fn remove_draft(&self) -> io::Result<()> {
        match fs::remove_file(self.draft()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the copies and broken stores that lie beside this one, in the order of their
    /// names. Whoever forgets a device is to hear of them: they may know it still.
    pub(crate) fn older(&self) -> Vec<PathBuf> {
        let is_one = |name: &OsStr| {
            let name = name.to_string_lossy();
            let rest = name.strip_prefix(FILE);
            rest.is_some_and(|rest| rest.starts_with(".before-") || rest.starts_with(".broken-"))
        };
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut found: Vec<_> = entries
            .filter(|entry| is_one(&entry.file_name()))
            .map(|entry| entry.path())
            .collect();
        found.sort();
        found
    }
}

/// Returns how a store's file is opened: nobody waits for the other end of a pipe that took
/// its place meanwhile.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlag::O_NONBLOCK.bits());
    options
}

fn regular(path: &Path, file: &File) -> Result<Metadata, Fault> {
    let data = file.metadata()?;
    regular_by(path, &data)?;
    Ok(data)
}

fn regular_by(path: &Path, data: &Metadata) -> Result<(), Fault> {
    match NoFile::of(path, data) {
        Some(found) => Err(Fault::NoFile(found)),
        None => Ok(()),
    }
}

/// First bytes of every store, and where its version stands behind them
/// (<https://sqlite.org/fileformat2.html>, section 1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;
const VERSION: usize = 60;

/// Head of a store's file.
pub(super) struct Head {
    /// `user_version`.
    pub(super) version: u32,
}

/// Reads the head of a store.
///
/// # Errors
///
/// It is no store, or the system's.
pub(super) fn head(file: &File) -> Result<Head, Fault> {
    let mut head = [0; HEADER];
    let read = file.read_exact_at(&mut head, 0);
    let is_short = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    if read.as_ref().is_err_and(is_short) || read.is_ok() && !head.starts_with(MAGIC) {
        return Err(Fault::Broken(
            "it does not begin as a database of SQLite does".to_owned(),
        ));
    }
    read?;
    let version = head.get(VERSION..).and_then(|head| head.first_chunk());
    Ok(Head {
        version: u32::from_be_bytes(version.copied().unwrap_or_default()),
    })
}

fn identity(path: &Path) -> Option<Identity> {
    let data = fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}
