//! A second, hidden name of a file that is about to be replaced or removed: what takes it
//! back where the rest fails.

use super::{Draft, builder, leftover};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use tempfile::TempPath;

/// Second name of a file. It vanishes with this value, and the first one stays as it is
/// then.
#[derive(Debug)]
pub(crate) struct Spare {
    name: TempPath,
    /// Lock, for it looks like a draft.
    _lock: Option<File>,
}

impl Spare {
    /// Gives a file a second name, and leaves it the first. Where there are no hard links it
    /// is copied.
    pub(crate) fn beside(path: &Path, dir: &Path) -> io::Result<Self> {
        let lock = lock(path);
        match builder().make_in(dir, |spare| fs::hard_link(path, spare)) {
            Ok(named) => Ok(Self {
                name: named.into_temp_path(),
                _lock: lock,
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(e),
            Err(_) => {
                let mode = fs::metadata(path)?.permissions();
                let mut copy = Draft::begin(dir, 0o600)?;
                io::copy(&mut File::open(path)?, copy.file.as_file_mut())?;
                copy.file.as_file().set_permissions(mode)?;
                let finished = copy.finished()?;
                Ok(Self {
                    name: finished.draft,
                    _lock: Some(finished.file),
                })
            }
        }
    }

    /// Gives a file a hidden name in place of its own.
    pub(crate) fn instead(path: &Path, dir: &Path) -> io::Result<Self> {
        let lock = lock(path);
        let moved = builder().make_in(dir, |spare| match spare.symlink_metadata() {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(path, spare),
        })?;
        Ok(Self {
            name: moved.into_temp_path(),
            _lock: lock,
        })
    }

    /// Gives the file its own name again, whatever has it now.
    pub(crate) fn restore(self, path: &Path) -> io::Result<()> {
        self.name.persist(path).map_err(|e| e.error)
    }
}

fn lock(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    leftover::hold(&file).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let count = || fs::read_dir(dir.path()).unwrap().count();
        assert!(Spare::beside(&path, dir.path()).is_err());
        assert!(Spare::instead(&path, dir.path()).is_err());
        assert_eq!(count(), 0);
        fs::write(&path, "old").unwrap();
        let spare = Spare::beside(&path, dir.path()).unwrap();
        let _ = super::super::replace(&path, b"new", 0o600).unwrap();
        spare.restore(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(Spare::beside(&path, dir.path()).unwrap());
        assert_eq!((count(), path.exists()), (1, true));
        let spare = Spare::instead(&path, dir.path()).unwrap();
        assert!(!path.exists());
        spare.restore(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        drop(Spare::instead(&path, dir.path()).unwrap());
        assert_eq!(count(), 0);
    }
}
