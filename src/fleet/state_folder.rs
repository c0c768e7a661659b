//! The state folder: what this server itself keeps, beside what operators put there. One
//! server has it at a time, and nobody else may look into it.

mod aside;
mod hold;
mod rights;
mod secret;
mod watch;

pub(super) use aside::move_aside;
pub use watch::TokenRead;

use crate::event::{Event, event};
use crate::util::durable;
use crate::util::paths::absolute;
use crate::util::sync::lock;
use crate::util::way;
use hold::{Hold, LOCK, TRIES, Taken, open_lock};
use secret::Secret;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, DirBuilder, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// The state folder where nothing says otherwise.
const DEFAULT: &str = "data/state";
/// Name of the state folder in the folder that systemd gives a unit: in that of the unit
/// that we ship lie data and certificates, too.
const UNDER_SYSTEMD: &str = "state";
/// Name of the list of what a restore has still to do.
pub const RESTORE_JOURNAL: &str = ".restore-journal";

/// A state folder that this process has, until its last clone is dropped or
/// [`Self::release`].
#[derive(Clone)]
pub struct StateFolder(Arc<Inside>);

struct Inside {
    dir: PathBuf,
    /// Held while somebody looks at the folder, which may be for as long as a share hangs.
    /// `None` once it is released.
    hold: Mutex<Option<Hold>>,
    /// Reason why the folder is not this server's now, an event of its own. Held for moments.
    lost: Mutex<Option<Event>>,
    /// Number of folders that were taken in the place of another.
    number: AtomicU64,
    /// False where others could come to what lay in the folder when it was taken.
    is_shut: AtomicBool,
    secrets: Mutex<Secrets>,
}

/// Secrets in use: a folder that is made anew gets them again.
#[derive(Default)]
struct Secrets {
    key: Option<Secret>,
    admin: Option<Secret>,
}

/// Its path is no secret; what else it has is.
impl fmt::Debug for StateFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StateFolder({})", self.0.dir.display())
    }
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
        if let Some(event) = unfinished(folder.path()) {
            return Err(StateError::Unfinished(event));
        }
        folder.see_to_rights();
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
        let hold = match Hold::take(&dir, TRIES).map_err(unwritable)? {
            Taken::Ours(hold) => hold,
            Taken::Held(event) => return Err(StateError::Held(event)),
        };
        Ok(Self(Arc::new(Inside {
            dir,
            hold: Mutex::new(Some(hold)),
            lost: Mutex::default(),
            number: AtomicU64::new(0),
            is_shut: AtomicBool::new(true),
            secrets: Mutex::default(),
        })))
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.0.dir
    }

    /// Returns the key of download tokens, `token.key`, which is made at the first start. One
    /// that cannot be used is renamed, and a new one made: what was handed out with the old
    /// one counts for nothing then.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or not be written.
    pub fn key(&self) -> io::Result<[u8; 32]> {
        let key = secret::kept(&self.0.dir.join(secret::TOKEN_KEY), self.is_shut())?;
        self.remember_key(key);
        Ok(key)
    }

    /// Takes the key in use that could not be kept: it is written to a folder that is taken
    /// in the place of this one.
    pub fn remember_key(&self, key: [u8; 32]) {
        lock(&self.0.secrets).key = Some(key);
    }

    /// Returns the administrator's token, `admin.token`, which is made at the first start: 43
    /// characters of base64url. One that cannot be used is renamed, and a new one made.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or not be written.
    pub fn admin_token(&self) -> io::Result<String> {
        let token = secret::kept(&self.0.dir.join(secret::ADMIN_TOKEN), self.is_shut())?;
        lock(&self.0.secrets).admin = Some(token);
        Ok(secret::written(&token))
    }

    fn see_to_rights(&self) {
        let is_shut = rights::see_to(self.path());
        self.0.is_shut.store(is_shut, Ordering::Relaxed);
    }

    fn is_shut(&self) -> bool {
        self.0.is_shut.load(Ordering::Relaxed)
    }

    /// Lets go of the folder: another server may have it from here on.
    pub fn release(&self) {
        *lock(&self.0.hold) = None;
    }
}

/// Says that a restore was interrupted in a folder, if one was.
fn unfinished(dir: &Path) -> Option<Event> {
    let journal = dir.join(RESTORE_JOURNAL);
    let is_there = fs::symlink_metadata(&journal).is_ok();
    is_there.then(|| event!(STATE_UNFINISHED, journal = journal))
}

/// Reads the administrator's token of a server in another process.
///
/// # Errors
///
/// The file cannot be read, or holds no token (`InvalidData`).
pub fn read_admin_token(dir: &Path) -> io::Result<String> {
    let token = secret::read(&dir.join(secret::ADMIN_TOKEN))?;
    Ok(secret::written(&token))
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

#[cfg(test)]
mod tests;
