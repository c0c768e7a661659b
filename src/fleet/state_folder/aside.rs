//! Files of the state folder that cannot be used: they are renamed, and stay.

use crate::event::{self, Event, event};
use jiff::Timestamp;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Renames a file that cannot be used, and says so. Nothing is deleted: what broke it may be
/// the disk, and a person may make sense of it.
///
/// # Errors
///
/// It cannot be renamed.
pub(super) fn set_aside(file: &Path, why: &str, now: SystemTime) -> io::Result<PathBuf> {
    let (moved, event) = move_aside(file, why, now)?;
    event::say(&event);
    Ok(moved)
}

/// As [`set_aside`], for whoever says it later.
pub(in super::super) fn move_aside(
    file: &Path,
    why: &str,
    now: SystemTime,
) -> io::Result<(PathBuf, Event)> {
    let now = Timestamp::try_from(now).unwrap_or_default();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{name}.broken-{}", now.strftime("%Y%m%dT%H%M%SZ"));
    let mut moved = file.with_file_name(&name);
    let mut number = 2;
    // Two within a second: none may take the other's place.
    while fs::symlink_metadata(&moved).is_ok() {
        moved = file.with_file_name(format!("{name}-{number}"));
        number += 1;
    }
    fs::rename(file, &moved)?;
    let event = event!(STATE_SET_ASIDE, file = file, moved = &moved, why = why);
    Ok((moved, event))
}
