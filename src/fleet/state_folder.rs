//! The state folder: what this server itself keeps, beside what operators put there. One
//! server has it at a time, and nobody else may look into it.

mod aside;
mod secret;

pub(super) use aside::move_aside;

use crate::event::{Event, event, tell};
use crate::util::durable;
use crate::util::paths::absolute;
use crate::util::way;
use nix::fcntl::OFlag;
use nix::sys::statfs::statfs;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The state folder where nothing says otherwise.
const DEFAULT: &str = "data/state";
/// Name of the state folder in the folder that systemd gives a unit: in that of the unit
/// that we ship lie data and certificates, too.
const UNDER_SYSTEMD: &str = "state";
/// Name of the file that is locked.
const LOCK: &str = "lock";
/// Name of the list of what a restore has still to do.
pub const RESTORE_JOURNAL: &str = ".restore-journal";
/// Beginnings of the names of what lies here. Whatever else is there is somebody else's.
const OURS: [&str; 8] = [
    LOCK,
    "fleet.db",
    "orders.json",
    "token.key",
    "admin.token",
    ".draft-",
    ".restore-",
    "drafts",
];
/// Number of tries for the lock, and time between two: who only asks whether a folder is
/// held has it for a moment, and a server that ends for a little longer.
const TRIES: u32 = 25;
const AGAIN: Duration = Duration::from_millis(20);

/// A state folder that this process has.
#[derive(Debug)]
pub struct StateFolder {
    dir: PathBuf,
    /// The locked file; `None` where the file system knows no locks.
    _lock: Option<File>,
}

/// Reason why a state folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another server has it.
    #[error("{0}")]
    Held(Event),
    /// A restore was interrupted: what lies there is neither what was, nor what is to be.
    #[error("{0}")]
    Unfinished(Event),
    /// Nothing can be written there. A server answers devices all the same.
    #[error("{0}")]
    Unwritable(Event),
}

impl StateError {
    /// Returns what is to be said.
    pub fn event(&self) -> &Event {
        let (Self::Held(event) | Self::Unfinished(event) | Self::Unwritable(event)) = self;
        event
    }
}

impl StateFolder {
    /// Takes the state folder for this process, and makes it where it is not there: nobody
    /// else may enter it. What is odd about it is said in the log.
    ///
    /// # Errors
    ///
    /// Another process has it, a restore was interrupted, or nothing can be written there.
    pub fn open(dir: &Path) -> Result<Self, StateError> {
        let folder = Self::lock(dir)?;
        let journal = folder.dir.join(RESTORE_JOURNAL);
        if fs::symlink_metadata(&journal).is_ok() {
            let event = event!(STATE_UNFINISHED, journal = journal);
            return Err(StateError::Unfinished(event));
        }
        narrow(&folder.dir);
        if let Some(kind) = share(&folder.dir) {
            tell!(STATE_SHARED, dir = &folder.dir, kind = kind);
        }
        Ok(folder)
    }

    /// Takes the state folder for a restore.
    ///
    /// # Errors
    ///
    /// Another process has it, or nothing can be written there.
    pub fn lock(dir: &Path) -> Result<Self, StateError> {
        let dir = absolute(dir);
        let unwritable = |error: io::Error| {
            let what = way::to_write(&dir.join(LOCK));
            let event = event!(STATE_UNWRITABLE, dir = &dir, error = &error, what = what);
            StateError::Unwritable(event)
        };
        make(&dir).map_err(unwritable)?;
        let lock = take(&dir.join(LOCK)).map_err(unwritable)?;
        let lock = match lock {
            Lock::Taken(file) => Some(file),
            Lock::Held(holder) => return Err(StateError::Held(held(&dir, &holder))),
            Lock::Unknown(error) => {
                tell!(STATE_UNLOCKED, dir = &dir, error = &error);
                None
            }
        };
        Ok(Self { dir, _lock: lock })
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Returns the key of download tokens, `token.key`, which is made at the first start. One
    /// that cannot be used is renamed, and a new one made: what was handed out with the old
    /// one counts for nothing then.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or not be written.
    pub fn key(&self) -> io::Result<[u8; 32]> {
        secret::key(&self.dir)
    }

    /// Returns the administrator's token, `admin.token`, which is made at the first start: 43
    /// characters of base64url. One that cannot be used is renamed, and a new one made.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or not be written.
    pub fn admin_token(&self) -> io::Result<String> {
        secret::admin_token(&self.dir)
    }
}

/// Reads the administrator's token of a server in another process.
///
/// # Errors
///
/// The file cannot be read, or holds no token (`InvalidData`).
pub fn read_admin_token(dir: &Path) -> io::Result<String> {
    secret::read_admin_token(dir)
}

/// Returns the state folder of a configuration that names none: that of the systemd unit
/// (`state_directory` is what it puts into `STATE_DIRECTORY`), else `data/state` below `base`.
/// A command that is run by hand where a unit's server runs finds that one's.
pub fn default_place(state_directory: Option<&OsStr>, base: &Path) -> PathBuf {
    if let Some(folders) = state_directory {
        // systemd.exec(5): several are parted by colons.
        let first = folders.to_string_lossy();
        let first = first.split(':').next().unwrap_or_default().to_owned();
        if !first.is_empty() {
            return Path::new(&first).join(UNDER_SYSTEMD);
        }
    }
    let [plain, of_unit] = places(base);
    let is_one = |dir: &Path| dir.join(LOCK).is_file();
    let takes_unit = is_one(&of_unit)
        && (!is_one(&plain) || is_held(&of_unit) == Some(true) && is_held(&plain) != Some(true));
    if takes_unit { of_unit } else { plain }
}

/// Returns where the state folder of a configuration that names none may be, below `base`.
pub fn places(base: &Path) -> [PathBuf; 2] {
    [base.join(DEFAULT), base.join(UNDER_SYSTEMD)]
}

/// Tells whether a server has a state folder just now; `None` where that cannot be seen.
pub fn is_held(dir: &Path) -> Option<bool> {
    let file = open_lock(&dir.join(LOCK), false).ok()?;
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

/// Outcome of a try for the lock.
enum Lock {
    Taken(File),
    /// Somebody has it, who wrote this.
    Held(String),
    /// The file system knows no locks.
    Unknown(io::Error),
}

/// Makes the folder. Those above are made as every folder is: the state folder alone is
/// nobody else's business.
fn make(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent() {
        durable::make_folder(above)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !dir.is_dir() => Err(error),
        _ => Ok(()),
    }
}

fn open_lock(path: &Path, is_written: bool) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(is_written)
        .create(is_written)
        .mode(0o600)
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
        .open(path)
}

/// Takes the lock, and writes down who has it.
fn take(path: &Path) -> io::Result<Lock> {
    let mut tries = 0;
    loop {
        tries += 1;
        let mut file = open_lock(path, true)?;
        match file.try_lock() {
            // Somebody may have removed the file meanwhile, and another server have made it
            // anew: a lock on what has no name keeps nobody out.
            Ok(()) if is_at(&file, path) => {
                // On a full disk it stays unsaid.
                let _ = file.set_len(0);
                let _ = write!(file, "{}\n{}\n", std::process::id(), host());
                return Ok(Lock::Taken(file));
            }
            Ok(()) if tries < TRIES => {}
            Ok(()) => return Err(io::Error::other("its lock file is removed again and again")),
            Err(TryLockError::WouldBlock) if tries < TRIES => thread::sleep(AGAIN),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.rewind();
                let _ = file.take(512).read_to_string(&mut holder);
                return Ok(Lock::Held(holder));
            }
            Err(TryLockError::Error(error)) => return Ok(Lock::Unknown(error)),
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(named)) = (file.metadata(), fs::symlink_metadata(path)) else {
        return false;
    };
    (open.dev(), open.ino()) == (named.dev(), named.ino())
}

/// Returns the name of this machine, or container.
fn host() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host.trim().to_owned()
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

/// Shuts the folder to others. One in which other things lie, too, is left as it is: its
/// mode may be what lets another program read them.
fn narrow(dir: &Path) {
    let Ok(about) = fs::metadata(dir) else {
        return;
    };
    let mode = about.permissions().mode() & 0o7777;
    if !secret::is_open_to_others(mode) {
        return;
    }
    let shown = format!("{mode:04o}");
    if !is_ours_alone(dir) {
        tell!(STATE_WIDE, dir = dir, mode = shown);
        return;
    }
    match fs::set_permissions(dir, Permissions::from_mode(0o700)) {
        Ok(()) => tell!(STATE_NARROWED, dir = dir, mode = shown),
        Err(error) => tell!(STATE_WIDE, dir = dir, mode = shown, error = &error),
    }
}

fn is_ours_alone(dir: &Path) -> bool {
    let is_ours = |item: io::Result<fs::DirEntry>| {
        let name = item.map(|item| item.file_name());
        name.is_ok_and(|name| {
            let name = name.to_string_lossy();
            OURS.iter().any(|begin| name.starts_with(begin))
        })
    };
    fs::read_dir(dir).is_ok_and(|mut items| items.all(is_ours))
}

/// Returns the kind of network share on which a folder lies.
fn share(dir: &Path) -> Option<&'static str> {
    let kind = statfs(dir).ok()?.filesystem_type().0.to_le_bytes();
    let kind = u32::from_le_bytes(*kind.first_chunk()?);
    share_of(kind)
}

fn share_of(kind: u32) -> Option<&'static str> {
    // linux/magic.h.
    Some(match kind {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x0102_1997 => "9p",
        0x5346_414F => "AFS",
        0x786F_4256 => "VirtualBox",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
