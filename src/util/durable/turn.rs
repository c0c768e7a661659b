//! Turns of those who change which files a folder has, one after the other.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Time for which a turn is waited for. Nobody needs one for long.
const WAIT: Duration = Duration::from_secs(60);
/// Time between two tries.
const AGAIN: Duration = Duration::from_millis(20);

/// The right to change which files a folder has, until it is dropped. It binds those who ask
/// for it, `publish` and `prune`, on this machine, and where the file system knows locks.
#[derive(Debug)]
pub(crate) struct Turn {
    _folder: Option<File>,
}

impl Turn {
    /// Waits for its turn.
    ///
    /// # Errors
    ///
    /// Somebody else has the folder for a minute.
    pub(crate) fn take(dir: &Path) -> io::Result<Self> {
        Self::take_within(dir, WAIT)
    }

    fn take_within(dir: &Path, wait: Duration) -> io::Result<Self> {
        // A folder that cannot even be opened is spoken of by whoever needs it.
        let Ok(folder) = File::open(dir) else {
            return Ok(Self { _folder: None });
        };
        let begun = Instant::now();
        loop {
            match folder.try_lock() {
                Ok(()) => {
                    return Ok(Self {
                        _folder: Some(folder),
                    });
                }
                Err(TryLockError::WouldBlock) if begun.elapsed() < wait => thread::sleep(AGAIN),
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "another publish or prune has held this folder for a minute; try again when it has ended",
                    ));
                }
                // NFS and others lock no folders.
                Err(TryLockError::Error(_)) => return Ok(Self { _folder: None }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let turn = Turn::take(dir.path()).unwrap();
        let other = Turn::take_within(dir.path(), Duration::ZERO);
        assert_eq!(other.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(turn);
        Turn::take_within(dir.path(), Duration::ZERO).unwrap();
        Turn::take(&dir.path().join("none")).unwrap();
    }
}
