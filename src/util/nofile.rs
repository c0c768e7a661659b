//! The limit of open files.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Files that are open besides connections: listeners, logs, images, the runtime's.
const OTHERS: u64 = 64;
/// Number of connections that the admin address has at once, beside those of devices: at most,
/// and at least.
const ADMIN: (usize, usize) = (64, 8);

/// Room below the limit of open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Limit of this process, in files.
    pub limit: u64,
    /// Number of connections, each of so many files as was asked for. Never 0.
    pub connections: usize,
    /// Number of connections of the admin address beside those.
    admin: usize,
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
    Some(Room::below(limit, files_each))
}

/// Returns the number of connections that the admin address has at once.
pub(crate) fn of_admin() -> usize {
    raise(1).map_or(ADMIN.0, |room| room.admin)
}

impl Room {
    /// Divides a limit: large ones leave a fixed number for other files, small ones a part.
    fn below(limit: u64, files_each: u64) -> Self {
        let number = |files| usize::try_from(files).unwrap_or(usize::MAX).max(1);
        let admin = number(limit / 8).clamp(ADMIN.1, ADMIN.0);
        let others = (OTHERS + admin as u64).min(limit / 4 * 3);
        Self {
            limit,
            connections: number((limit - others) / files_each.max(1)),
            admin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fit_together() {
        for (limit, files_each, connections, admin) in [
            (64, 1, 16, 8),
            (128, 1, 48, 16),
            (300, 1, 199, 37),
            (1024, 1, 896, 64),
            (1024, 2, 448, 64),
            (1 << 20, 1, (1 << 20) - 128, 64),
            (8, 1, 2, 8),
            (0, 1, 1, 8),
        ] {
            let room = Room::below(limit, files_each);
            assert_eq!(
                (room.connections, room.admin),
                (connections, admin),
                "{limit}"
            );
        }
    }
}
