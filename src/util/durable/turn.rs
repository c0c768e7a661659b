//! Turns of those who change which files a folder has, one after the other.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Time for which a command waits for its turn. Nobody needs one for long.
pub(crate) const OF_COMMAND: Duration = Duration::from_secs(60);
/// Time for which somebody waits in front of a page.
pub(crate) const OF_PAGE: Duration = Duration::from_secs(8);
/// Time between two tries.
const AGAIN: Duration = Duration::from_millis(20);

/// The right to change which files a folder has, until it is dropped. It binds those who ask
/// for it, `publish` and `prune`, on this machine, and where the file system knows locks.
#[derive(Debug)]
pub(crate) struct Turn {
    _folder: Option<File>,
}

impl Turn {
    /// Waits for its turn, for so long.
    ///
    /// # Errors
    ///
    /// Somebody else has the folder all the while.
    pub(crate) fn take(dir: &Path, wait: Duration) -> io::Result<Self> {
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
                        format!(
                            "another publish or prune has held this folder for {wait:?}; try again when it has ended"
                        ),
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
        let turn = Turn::take(dir.path(), OF_PAGE).unwrap();
        let other = Turn::take(dir.path(), Duration::ZERO);
        assert_eq!(other.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(turn);
        Turn::take(dir.path(), Duration::ZERO).unwrap();
        Turn::take(&dir.path().join("none"), OF_PAGE).unwrap();
    }
}
