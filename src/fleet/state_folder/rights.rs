//! Rights on a state folder: nobody else may look into it, or put anything in its place.

use super::hold::LOCK;
use crate::event::{Event, event, say, tell};
use nix::sys::statfs::statfs;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Rights of a state folder.
const MODE: u32 = 0o700;
/// Right to write, of the owner's group and of all others.
const OF_OTHERS: u32 = 0o022;
/// Right to come to what lies in it, of the same.
const TO_OTHERS: u32 = 0o011;
/// Bit of a folder in which nobody may rename or delete what is somebody else's.
const STICKY: u32 = 0o1000;

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

/// Sees to it that the folder is shut to others, and says what is odd about it. Returns
/// true if it was shut before.
pub(super) fn see_to(dir: &Path) -> bool {
    let mode = mode(dir);
    if is_open_to_others(mode) {
        narrow(dir, mode);
    }
    if let Some(kind) = share(dir) {
        tell!(STATE_SHARED, dir = dir, kind = kind);
    }
    mode & TO_OTHERS == 0
}

/// Tells whether nobody else can come to what lies in a folder now.
pub(super) fn is_shut(dir: &Path) -> bool {
    mode(dir) & TO_OTHERS == 0
}

fn mode(dir: &Path) -> u32 {
    fs::metadata(dir).map_or(0, |about| about.permissions().mode() & 0o7777)
}

/// Shuts the folder to others. One in which other things lie, too, is left as it is: its
/// mode may be what lets another program read them.
fn narrow(dir: &Path, mode: u32) {
    if !is_ours_alone(dir) {
        say(&wide(dir, mode, None));
        return;
    }
    match fs::set_permissions(dir, Permissions::from_mode(MODE)) {
        Ok(()) => tell!(STATE_NARROWED, dir = dir, mode = shown(mode)),
        Err(error) => say(&wide(dir, mode, Some(&error))),
    }
}

/// Says what others can do in a folder that stays as it is.
fn wide(dir: &Path, mode: u32, error: Option<&io::Error>) -> Event {
    let shown = shown(mode);
    if mode & OF_OTHERS != 0 && mode & STICKY == 0 {
        return event!(STATE_REPLACEABLE, dir = dir, mode = shown, error = error);
    }
    event!(STATE_WIDE, dir = dir, mode = shown, error = error)
}

/// Writes a mode as people do.
pub(super) fn shown(mode: u32) -> String {
    format!("{mode:04o}")
}

/// Tells whether others than its owner have a right to what has this mode.
pub(super) fn is_open_to_others(mode: u32) -> bool {
    mode & 0o077 != 0
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

pub(super) fn share_of(kind: u32) -> Option<&'static str> {
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
