//! Hold on a state folder: the locks by which one process has it, and a look whether they
//! are still on what others find there.
//!
//! The folder itself is locked as well as a file in it: who removes the file, thinking that
//! it keeps him out, lets no second server in. Where the file system locks no folders, as
//! NFS does not, the file alone has to do.

use crate::event::{Event, event, tell};
use crate::util::host;
use nix::fcntl::OFlag;
use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Name of the file that is locked.
pub(super) const LOCK: &str = "lock";
/// Number of tries for the lock, and time between two: who only asks whether a folder is
/// held has it for a moment, and a server that ends for a little longer.
pub(super) const TRIES: u32 = 25;
pub(super) const AGAIN: Duration = Duration::from_millis(20);

/// File or folder on its disk: device and number.
type Identity = (u64, u64);

/// Hold on a state folder. What it has open keeps its number from being given to another.
pub(super) struct Hold {
    /// The folder itself; `None` where this user may not list it.
    _folder: Option<File>,
    is_folder: Identity,
    /// The locked file; `None` where the file system knows no locks.
    lock: Option<File>,
}

/// Outcome of a try for a folder.
pub(super) enum Taken {
    Ours(Hold),
    /// Another process has it, says this.
    Held(Event),
}

/// Folder that stands at the path of one that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The folder, and the lock in it.
    Same,
    /// The folder, without the lock that is held, or with another one.
    NoLock,
    /// Another folder.
    Another,
}

impl Hold {
    /// Takes a folder that is there. Who has it is given so many tries to let go.
    pub(super) fn take(dir: &Path, tries: u32) -> io::Result<Taken> {
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_DIRECTORY | OFlag::O_NONBLOCK).bits())
            .open(dir)
            .ok();
        if let Some(folder) = &folder
            && is_anothers(folder, tries)
        {
            return Ok(Taken::Held(held(dir, &holder(dir))));
        }
        let lock = match take_file(dir, tries)? {
            Lock::Taken(file) => Some(file),
            Lock::Held(holder) => return Ok(Taken::Held(held(dir, &holder))),
            Lock::Unknown => None,
        };
        let is_folder = match &folder {
            Some(folder) => identity(&folder.metadata()?),
            None => identity(&fs::metadata(dir)?),
        };
        Ok(Taken::Ours(Self {
            _folder: folder,
            is_folder,
            lock,
        }))
    }

    /// Looks what stands at its path now.
    ///
    /// # Errors
    ///
    /// There is no folder, or it cannot be seen.
    pub(super) fn look(&self, dir: &Path) -> io::Result<Found> {
        let about = fs::metadata(dir)?;
        if !about.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        if identity(&about) != self.is_folder {
            return Ok(Found::Another);
        }
        let Some(lock) = &self.lock else {
            return Ok(Found::Same);
        };
        match fs::symlink_metadata(dir.join(LOCK)) {
            Ok(about) if identity(&about) == identity(&lock.metadata()?) => Ok(Found::Same),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Found::NoLock),
        }
    }

    /// Takes the lock in the same folder again. Returns who has it meanwhile, if anybody does.
    pub(super) fn take_lock(&mut self, dir: &Path, tries: u32) -> io::Result<Option<Event>> {
        match take_file(dir, tries)? {
            Lock::Taken(file) => self.lock = Some(file),
            Lock::Held(holder) => return Ok(Some(held(dir, &holder))),
            Lock::Unknown => self.lock = None,
        }
        Ok(None)
    }
}

/// Outcome of a try for the lock.
enum Lock {
    Taken(File),
    /// Somebody has it, who wrote this.
    Held(String),
    /// The file system knows no locks.
    Unknown,
}

/// Opens the lock of a folder, and makes it where it is to be written.
pub(super) fn open_lock(path: &Path, is_written: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(is_written)
        .create(is_written)
        .mode(0o600)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
        .open(path)
}

/// Takes the lock, and writes down who has it.
fn take_file(dir: &Path, tries: u32) -> io::Result<Lock> {
    let path = dir.join(LOCK);
    let mut count = 0;
    loop {
        count += 1;
        let mut file = open_lock(&path, true)?;
        match file.try_lock() {
            // Somebody may have removed the file meanwhile, and another server have made it
            // anew: a lock on what has no name keeps nobody out.
            Ok(()) if is_at(&file, &path) => {
                // On a full disk it stays unsaid.
                let _ = file.set_len(0);
                let _ = write!(file, "{}\n{}\n", std::process::id(), host::name());
                return Ok(Lock::Taken(file));
            }
            Ok(()) if count < TRIES => {}
            Ok(()) => return Err(io::Error::other("its lock file is removed again and again")),
            Err(TryLockError::WouldBlock) if count < tries => thread::sleep(AGAIN),
            Err(TryLockError::WouldBlock) => return Ok(Lock::Held(written(file))),
            Err(TryLockError::Error(error)) => {
                tell!(STATE_UNLOCKED, dir = dir, error = &error);
                return Ok(Lock::Unknown);
            }
        }
    }
}

/// Locks the folder itself. Returns true if another process has locked it.
fn is_anothers(folder: &File, tries: u32) -> bool {
    for count in 1.. {
        match folder.try_lock() {
            Err(TryLockError::WouldBlock) if count < tries => thread::sleep(AGAIN),
            Err(TryLockError::WouldBlock) => return true,
            // Where no folder can be locked, the file in it is.
            Ok(()) | Err(TryLockError::Error(_)) => break,
        }
    }
    false
}

/// Returns what the process wrote that has the lock of a folder; nothing where nobody has:
/// whoever wrote it then is gone.
fn holder(dir: &Path) -> String {
    let file = open_lock(&dir.join(LOCK), false);
    let is_held = |file: &File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    file.ok().filter(is_held).map(written).unwrap_or_default()
}

fn written(file: File) -> String {
    let mut text = String::new();
    let _ = file.take(512).read_to_string(&mut text);
    text
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    identity(&open) == identity(&named)
}

fn identity(about: &Metadata) -> Identity {
    (about.dev(), about.ino())
}

/// Says who holds a folder, by what he wrote into its lock.
fn held(dir: &Path, holder: &str) -> Event {
    let mut lines = holder.lines();
    let pid = lines.next().and_then(|line| line.parse::<u32>().ok());
    let host = lines
        .next()
        .filter(|host| pid.is_some() && !host.is_empty());
    event!(STATE_HELD, dir = dir, pid = pid, host = host)
}
