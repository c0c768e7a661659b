//! The limit of open files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are open besides connections: listeners, logs, images, the runtime's.
const OTHERS: u64 = 64;

/// Room below the limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Limit of this process, in files.
    pub limit: u64,
    /// Number of connections, each of so many files as was asked for. Never 0.
    pub connections: usize,
}

/// Raises the soft limit to the hard one, and returns the room for connections below
/// it, each of so many files; `None` where the system does not say.
pub(crate) fn raise(files_each: u64) -> Option<Room> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    let limit = if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        hard
    } else {
        soft
    };
    // Small limits leave half for files, large ones a fixed number.
    let room = limit.saturating_sub(OTHERS.min(limit / 2)) / files_each.max(1);
    let connections = usize::try_from(room).unwrap_or(usize::MAX).max(1);
    Some(Room { limit, connections })
}
