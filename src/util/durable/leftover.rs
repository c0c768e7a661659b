//! Drafts that a killed run left behind, told from those that are being written.
//!
//! A living draft is locked, and the kernel lets go of the lock however its holder ends.
//! So a draft that can be locked has nobody any more. Between machines that share a
//! folder a lock may say nothing: there only age does.

use super::NAME;
use nix::fcntl::OFlag;
use nix::sys::statfs::statfs;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Prefix of a draft of `publish` in 0.1.0.
const NAME_BEFORE: &str = ".publish-";
/// Age at which a draft was left behind, where no lock says so.
const LEFT_BEHIND: Duration = Duration::from_secs(86_400);

/// State of a draft.
#[derive(Debug)]
pub(crate) enum Life {
    /// Its writer has ended. The lock keeps it from everybody else while it is removed.
    Left(Option<File>),
    /// Somebody writes it.
    Written,
    /// It is younger than a day, and nothing tells whether somebody writes it.
    Unknown,
}

/// Locks a draft for its writer. Returns `false` where somebody else has the lock, who takes
/// it for a leftover.
pub(super) fn hold(draft: &File) -> bool {
    // Where there are no locks nobody else has one.
    !matches!(draft.try_lock(), Err(TryLockError::WouldBlock))
}

/// Lists the drafts in a folder, by name.
pub(crate) fn drafts(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut drafts = Vec::new();
    for item in fs::read_dir(dir)? {
        let item = item?;
        let name = item.file_name();
        let name = name.to_string_lossy();
        let begins = [NAME.0, NAME_BEFORE]
            .iter()
            .any(|begin| name.starts_with(begin));
        if begins && name.ends_with(NAME.1) && item.file_type().is_ok_and(|kind| kind.is_file()) {
            drafts.push(item.path());
        }
    }
    drafts.sort_unstable();
    Ok(drafts)
}

/// Finds out whether somebody writes a draft.
pub(crate) fn life(draft: &Path) -> Life {
    let is_old = is_old(draft);
    match lock(draft) {
        Ok(None) => Life::Written,
        Ok(file) if is_old || !is_shared(draft) => Life::Left(file),
        Err(_) if is_old => Life::Left(None),
        Ok(_) | Err(_) => Life::Unknown,
    }
}

fn is_old(draft: &Path) -> bool {
    let age = || draft.metadata().ok()?.modified().ok()?.elapsed().ok();
    age().is_some_and(|age| age > LEFT_BEHIND)
}

/// Locks a draft; `None` where its writer has the lock.
fn lock(draft: &Path) -> io::Result<Option<File>> {
    let open = |is_written: bool| {
        OpenOptions::new()
            .read(true)
            .write(is_written)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW).bits())
            .open(draft)
    };
    let mut file = open(false)?;
    let mut locked = file.try_lock();
    if let Err(TryLockError::Error(_)) = locked {
        // NFS locks what is open for writing.
        file = open(true)?;
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Tells whether other machines may have a file's folder: what they lock need not show here.
fn is_shared(path: &Path) -> bool {
    // linux/magic.h: NFS, SMB, CIFS, SMB2, 9p, Ceph, AFS, Coda, FUSE, and VirtualBox's.
    const SHARED: [u32; 10] = [
        0x6969,
        0x517B,
        0xFF53_4D42,
        0xFE53_4D42,
        0x0102_1997,
        0x00C3_6400,
        0x5346_414F,
        0x7375_7245,
        0x6573_5546,
        0x786F_4256,
    ];
    let kind = statfs(path).map(|about| about.filesystem_type().0.to_le_bytes());
    kind.is_ok_and(|bytes| {
        let low = bytes.first_chunk().map(|low| u32::from_le_bytes(*low));
        low.is_none_or(|low| SHARED.contains(&low))
    })
}

/// Removes drafts that were left behind long ago. What cannot be removed does no harm.
pub(super) fn clear_old(dir: &Path) {
    for draft in drafts(dir).unwrap_or_default() {
        if is_old(&draft)
            && let Life::Left(_lock) = life(&draft)
        {
            let _ = fs::remove_file(&draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Draft;
    use super::*;
    use std::time::SystemTime;

    fn names(dir: &Path) -> Vec<String> {
        let drafts = drafts(dir).unwrap().into_iter();
        let names = drafts.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        names.collect()
    }

    fn age(path: &Path) {
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - 2 * LEFT_BEHIND)
            .unwrap();
    }

    #[test]
    fn what_a_killed_run_left_behind_goes() {
        let dir = tempfile::tempdir().unwrap();
        for old in [".draft-x.tmp", ".publish-x.tmp"] {
            let old = dir.path().join(old);
            fs::write(&old, "").unwrap();
            age(&old);
        }
        fs::write(dir.path().join(".draft-y.tmp"), "").unwrap();
        let living = Draft::begin(dir.path(), 0o600).unwrap();
        assert!(matches!(life(living.file.path()), Life::Written));
        // However long it takes.
        age(living.file.path());
        drop(Draft::begin(dir.path(), 0o600).unwrap());
        assert!(living.file.path().exists());
        assert_eq!(names(dir.path()).len(), 2);
        drop(living);
        assert_eq!(names(dir.path()), [".draft-y.tmp"]);
        let left = life(&dir.path().join(".draft-y.tmp"));
        assert!(matches!(left, Life::Left(Some(_))), "{left:?}");
        // Whoever has it keeps it from others.
        let again = life(&dir.path().join(".draft-y.tmp"));
        assert!(matches!(again, Life::Written), "{again:?}");
    }

    #[test]
    fn other_hidden_things_are_no_drafts() {
        let dir = tempfile::tempdir().unwrap();
        for name in [".draft-x", ".tmp", "draft-x.tmp", ".a.tmp"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join(".draft-x.tmp")).unwrap();
        std::os::unix::fs::symlink("a", dir.path().join(".draft-y.tmp")).unwrap();
        assert_eq!(names(dir.path()), [""; 0]);
    }
}
