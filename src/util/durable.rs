//! Durable files, which are there whole or not at all, also after a power cut.
//!
//! A draft is written under a hidden name in the folder where it is to stand,
//! brought to the disk, and takes its name in one step. Until then an error means that
//! nothing was changed; from then on the file is there, and [`Durability`] says what is
//! known of its place on the disk. While it is a draft it is locked, so that whoever
//! clears away what a killed run left behind takes no living one.

mod leftover;
mod spare;
mod turn;

pub(crate) use leftover::{Life, drafts, life};
pub(crate) use spare::Spare;
pub(crate) use turn::{OF_COMMAND, OF_PAGE, Turn};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::{NamedTempFile, TempPath};

/// Prefix and suffix of a draft's name. What begins with a dot nobody takes for
/// firmware.
const NAME: (&str, &str) = (".draft-", ".tmp");

/// Durability of a file in its place.
#[derive(Debug)]
#[must_use = "a caller that promises durability has to look"]
pub enum Durability {
    /// The file is on the disk, as far as the system can tell.
    Synced,
    /// The file is where it belongs, but a power cut may undo it, for this reason: the
    /// folder's file system could not be made to write it down. Shared folders
    /// (SMB, `vboxsf`) know no `fsync` for folders, some none at all.
    Unsynced(io::Error),
}

impl Durability {
    /// Returns the error of a folder that could not be brought to the disk, where its file
    /// system knows how.
    pub(crate) fn kept(self) -> io::Result<()> {
        match self {
            Self::Unsynced(error) if !is_unknown(&error) => Err(error),
            Self::Synced | Self::Unsynced(_) => Ok(()),
        }
    }
}

/// Error where a file was not created. Nothing was changed.
#[derive(Debug)]
pub(crate) enum NotCreated {
    /// There is something of that name already.
    Exists,
    Error(io::Error),
}

/// Draft of a file. It vanishes with this value.
#[derive(Debug)]
pub(crate) struct Draft {
    file: NamedTempFile,
}

impl Draft {
    /// Begins a file in `dir`, readable as `mode` allows, less the umask, from its
    /// first byte on.
    pub(crate) fn begin(dir: &Path, mode: u32) -> io::Result<Self> {
        leftover::clear_old(dir);
        let mut attempts = 0;
        loop {
            let file = builder()
                .permissions(Permissions::from_mode(mode))
                .tempfile_in(dir)?;
            // Between its making and its lock somebody may have taken it for a leftover.
            if leftover::hold(file.as_file()) && file.path().exists() || attempts == 9 {
                return Ok(Self { file });
            }
            attempts += 1;
        }
    }

    /// Begins a file that every user may read, whatever the umask: who serves it may be
    /// somebody else. What the folder's rights grant beyond that stays granted.
    pub(crate) fn begin_for_all(dir: &Path) -> io::Result<Self> {
        let draft = Self::begin(dir, 0o666)?;
        let file = draft.file.as_file();
        let mode = file.metadata()?.permissions().mode() & 0o7777;
        if mode & FILE_FOR_ALL != FILE_FOR_ALL {
            // Some file systems know no modes; who publishes looks at what came of it.
            let _ = file.set_permissions(Permissions::from_mode(mode | FILE_FOR_ALL));
        }
        Ok(draft)
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Of the file itself: an error would name a draft that nobody sees.
        self.file.as_file_mut().write_all(bytes)
    }

    /// Takes back what stands behind the first `length` bytes.
    pub(crate) fn cut(&mut self, length: u64) -> io::Result<()> {
        let file = self.file.as_file_mut();
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length)).map(drop)
    }

    /// Takes the name `path`, in the same folder, whatever has it now.
    pub(crate) fn replace(self, path: &Path) -> io::Result<Durability> {
        self.finished()?.replace(path)
    }

    /// Brings the content to the disk. What is left to be done takes no time and no room.
    pub(crate) fn finished(self) -> io::Result<Finished> {
        let content = match self.file.as_file().sync_all() {
            Ok(()) => ContentSync(None),
            Err(e) if is_unknown(&e) => ContentSync(Some(e)),
            Err(e) => return Err(e),
        };
        let (file, draft) = self.file.into_parts();
        Ok(Finished {
            draft,
            file,
            content,
        })
    }
}

/// A draft whose content is on the disk. It vanishes with this value.
#[derive(Debug)]
pub(crate) struct Finished {
    draft: TempPath,
    /// The file, which holds the lock.
    file: File,
    content: ContentSync,
}

impl Finished {
    /// Takes the name `path`, in the same folder, whatever has it now.
    pub(crate) fn replace(self, path: &Path) -> io::Result<Durability> {
        let Self {
            draft,
            file,
            content,
        } = self;
        if let Err(e) = draft.persist(path) {
            // Some shared folders rename none that is open.
            drop(file);
            e.path.persist(path).map_err(|e| e.error)?;
        }
        Ok(content.and(path))
    }

    /// Takes the name `path`, in the same folder, unless something has it.
    pub(crate) fn create(self, path: &Path) -> Result<Durability, NotCreated> {
        let Self {
            draft,
            file,
            content,
        } = self;
        let draft = match draft.persist_noclobber(path) {
            Ok(()) => return Ok(content.and(path)),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(NotCreated::Exists);
            }
            Err(e) => e.path,
        };
        // Some shared folders rename none that is open.
        drop(file);
        let draft = match draft.persist_noclobber(path) {
            Ok(()) => return Ok(content.and(path)),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(NotCreated::Exists);
            }
            Err(e) if is_unsupported(&e.error) => e.path,
            Err(e) => return Err(NotCreated::Error(e.error)),
        };
        // Neither a rename that replaces nothing nor a hard link is to be had here
        // (FUSE, SMB). To make the file empty claims the name as surely, and leaves an
        // empty file only where this is killed, or the power cut, between the two.
        claim(path)?;
        match draft.persist(path) {
            Ok(()) => Ok(content.and(path)),
            Err(e) => {
                let _ = fs::remove_file(path);
                Err(NotCreated::Error(e.error))
            }
        }
    }

    /// Removes it again.
    fn close(self) -> io::Result<()> {
        self.draft.close()
    }
}

/// Rights that let every user read a file.
const FILE_FOR_ALL: u32 = 0o644;
/// Rights that let every user go through a folder.
const FOLDER_FOR_ALL: u32 = 0o755;

/// Makes a folder, and those on the way to it, which every user may enter, whatever the
/// umask. What the folder above hands down beyond that stays.
pub(crate) fn make_folder(dir: &Path) -> io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
        make_folder(above)?;
    }
    match fs::create_dir(dir) {
        Ok(()) => {
            let mode = fs::symlink_metadata(dir)?.permissions().mode() & 0o7777;
            if mode & FOLDER_FOR_ALL != FOLDER_FOR_ALL {
                // As with a file.
                let _ = set_folder_mode(dir, mode | FOLDER_FOR_ALL);
            }
            Ok(())
        }
        // Somebody else has just made it.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
        Err(e) => Err(e),
    }
}

/// Sets the rights of a folder, and never of what a link in its place leads to: this may be
/// root, and who has the folder above may have put one there since the folder was made.
pub(crate) fn set_folder_mode(dir: &Path, mode: u32) -> io::Result<()> {
    // It need not be readable.
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let mut options = OpenOptions::new();
    let folder = options.read(true).custom_flags(flags.bits()).open(dir)?;
    let folder = format!("/proc/self/fd/{}", folder.as_raw_fd());
    fs::set_permissions(folder, Permissions::from_mode(mode))
}

/// Removes a file, and has the disk remember it as far as the file system knows how.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path)?;
    forget(path).kept()
}

/// Has the disk remember which files a folder has.
pub(crate) fn sync_folder(dir: &Path) -> Durability {
    forget(&dir.join("."))
}

/// Has the disk remember that a file is no longer there.
pub(crate) fn forget(path: &Path) -> Durability {
    ContentSync(None).and(path)
}

/// Makes hidden names.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(NAME.0).suffix(NAME.1);
    builder
}

/// State of the content on the disk: synced, or the error that left it open.
#[derive(Debug)]
struct ContentSync(Option<io::Error>);

impl ContentSync {
    /// Returns the durability of the file at `path`. A name is on the disk when its
    /// folder is; the file is in its place already, so no fault of the folder undoes
    /// that.
    fn and(self, path: &Path) -> Durability {
        let folder = File::open(folder(path)).and_then(|dir| dir.sync_all());
        match (self.0, folder) {
            (Some(e), _) | (None, Err(e)) => Durability::Unsynced(e),
            (None, Ok(())) => Durability::Synced,
        }
    }
}

fn claim(path: &Path) -> Result<(), NotCreated> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(NotCreated::Exists),
        Err(e) => Err(NotCreated::Error(e)),
    }
}

/// Returns whether a file system does not know what it was asked for, which is no word
/// on the disk (fsync(2): `EINVAL`).
fn is_unknown(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| {
        matches!(
            Errno::from_raw(code),
            Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP
        )
    })
}

/// Returns whether a file system cannot do at all what it was asked for (rename(2),
/// link(2): `EPERM` where it knows no hard links).
fn is_unsupported(error: &io::Error) -> bool {
    is_unknown(error) || error.raw_os_error() == Some(Errno::EPERM as i32)
}

/// Replaces the file at `path`, with its mode from the first byte on.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<Durability> {
    let mut draft = Draft::begin(folder(path), mode)?;
    draft.write(content)?;
    draft.replace(path)
}

/// Replaces two files that belong together. Both are on the disk before the first one
/// takes its name, so that a full disk parts no pair; a power cut between the two still
/// can.
///
/// # Errors
///
/// The file that could not be replaced, and the system's error.
pub(crate) fn replace_both(
    files: [(&Path, &[u8], u32); 2],
) -> Result<Durability, (PathBuf, io::Error)> {
    let [first, second] = files.map(|(path, content, mode)| {
        let written = || {
            let mut draft = Draft::begin(folder(path), mode)?;
            draft.write(content)?;
            draft.finished()
        };
        let of_path = |error| (path.to_owned(), error);
        written().map(|draft| (path, draft)).map_err(of_path)
    });
    let (first, second) = (first?, second?);
    let mut kept = Durability::Synced;
    for (path, draft) in [first, second] {
        let replaced = draft.replace(path).map_err(|e| (path.to_owned(), e))?;
        if let unsynced @ Durability::Unsynced(_) = replaced {
            kept = unsynced;
        }
    }
    Ok(kept)
}

/// Tries whether `length` bytes could be kept beside `path` now.
pub(crate) fn rehearse(path: &Path, length: usize) -> io::Result<()> {
    let mut draft = Draft::begin(folder(path), 0o600)?;
    draft.write(&vec![b'\n'; length])?;
    draft.finished()?.close()
}

/// Returns whether a disk is full or takes nothing at all: what the operator may not
/// even have noticed yet, and no mistake in a configuration.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::ReadOnlyFilesystem
            // `ulimit -f`.
            | io::ErrorKind::FileTooLarge
    )
}

/// Returns the folder in which a file lies.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let items = fs::read_dir(dir).unwrap();
        let name =
            |item: io::Result<fs::DirEntry>| item.unwrap().file_name().into_string().unwrap();
        items.map(name).collect()
    }

    #[test]
    fn whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert!(matches!(
            replace(&path, b"one", 0o600).unwrap(),
            Durability::Synced
        ));
        assert!(matches!(
            replace(&path, b"two", 0o640).unwrap(),
            Durability::Synced
        ));
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let mut draft = Draft::begin(dir.path(), 0o600).unwrap();
        draft.write(b"three").unwrap();
        let draft = draft.finished().unwrap();
        assert!(matches!(draft.create(&path), Err(NotCreated::Exists)));
        drop(Draft::begin(dir.path(), 0o600).unwrap());
        rehearse(&path, 10).unwrap();
        assert_eq!(names(dir.path()), ["a"]);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(replace(&dir.path().join("none/a"), b"", 0o600).is_err());
        // Of two that belong together none is replaced where one cannot be.
        let none = dir.path().join("none/b");
        let both = replace_both([(&path, b"four", 0o600), (&none, b"", 0o600)]);
        assert_eq!(both.unwrap_err().0, none);
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn a_name_is_claimed_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        claim(&path).unwrap();
        assert!(matches!(claim(&path), Err(NotCreated::Exists)));
    }

    #[test]
    fn what_others_may_is_not_lessened_and_what_a_folder_grants_stays() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let path = dir.path().join("a");
        let draft = Draft::begin_for_all(dir.path()).unwrap();
        let _ = draft.finished().unwrap().create(&path).unwrap();
        assert_eq!(mode(&path) & 0o644, 0o644);
        let deep = dir.path().join("b/c/d");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        for made in [&deep, &dir.path().join("b/c"), &dir.path().join("b")] {
            assert_eq!(mode(made) & 0o755, 0o755);
        }
        assert!(make_folder(&path.join("below")).is_err());
        // A folder's own rights, and those of nothing that a link leads to.
        set_folder_mode(&deep, 0o500).unwrap();
        set_folder_mode(&deep, 0o000).unwrap();
        set_folder_mode(&deep, 0o700).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&deep, &link).unwrap();
        assert!(set_folder_mode(&link, 0o777).is_err());
        assert!(set_folder_mode(&path, 0o777).is_err());
        assert_eq!(mode(&deep), 0o700);
        assert!(matches!(forget(&path), Durability::Synced));
    }
}
