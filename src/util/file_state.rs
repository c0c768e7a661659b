//! State of a file, which tells one content from the one before and the one after.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// One state of one file. Two equal states mean the same content, short of
/// somebody writing within one tick of the file system's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileState {
    /// Device number and inode.
    pub inode: (u64, u64),
    /// Length in bytes.
    pub size: u64,
    /// Modification time, seconds and nanoseconds since 1970.
    pub modified: (i64, i64),
    /// Change time. Unlike the modification time it cannot be set back
    /// (`touch -r`, `rsync --times`); it also moves on rename and unlink.
    pub changed: (i64, i64),
}

impl From<&Metadata> for FileState {
    fn from(m: &Metadata) -> Self {
        Self {
            inode: (m.dev(), m.ino()),
            size: m.size(),
            modified: (m.mtime(), m.mtime_nsec()),
            changed: (m.ctime(), m.ctime_nsec()),
        }
    }
}

impl FileState {
    /// Returns a text that is the same for two states that are equal but for the change time.
    pub(crate) fn tag(&self) -> String {
        let ((device, inode), (seconds, nanoseconds)) = (self.inode, self.modified);
        let size = self.size;
        format!("{device:x}-{inode:x}-{size:x}-{seconds}-{nanoseconds}")
    }

    /// Returns whether two states are equal but for the change time, which rename and
    /// unlink move without a byte being written.
    pub(crate) fn same_but_for_change_time(&self, other: &Self) -> bool {
        Self {
            changed: other.changed,
            ..*self
        } == *other
    }
}
