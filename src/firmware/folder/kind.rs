//! Kinds of things in a file's place, and reasons why one cannot be read, with what
//! mends it.

use super::unusable::Unusable;
use crate::event::text::Text;
use crate::event::{Event, event};
use crate::util::paths::absolute;
use nix::errno::Errno;
use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

const FOLDER: Text = Text::new("目录", "a folder");
const PIPE: Text = Text::new("管道", "a pipe");
const SOCKET: Text = Text::new("套接字", "a socket");
const DEVICE: Text = Text::new("设备文件", "a device");

/// Number of things in a folder that are looked at for a firmware among them, and of
/// folders below it.
const LOOKED_AT: usize = 256;

/// Returns what stands in a file's place, where that is no file and no link to one.
pub(super) fn other(path: &Path) -> Option<Unusable> {
    let kind = fs::metadata(path).ok()?.file_type();
    let what = name_of(kind)?;
    let holds = kind.is_dir().then(|| first_image(path)).flatten();
    Some(Unusable::NotAFile { what, holds })
}

fn name_of(kind: FileType) -> Option<Text> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some(FOLDER)
    } else if kind.is_fifo() {
        Some(PIPE)
    } else if kind.is_socket() {
        Some(SOCKET)
    } else {
        Some(DEVICE)
    }
}

/// Returns the first file below a folder, by its name, that is called a firmware.
fn first_image(folder: &Path) -> Option<String> {
    let mut left = LOOKED_AT;
    let mut folders = vec![folder.to_owned()];
    let mut first: Option<String> = None;
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(&next).into_iter().flatten().flatten() {
            left = left.saturating_sub(1);
            if left == 0 {
                return first;
            }
            let (name, kind) = (item.file_name(), item.file_type());
            let is_hidden = name.as_encoded_bytes().starts_with(b".");
            // No link is followed: it may lead back.
            if kind.is_ok_and(|kind| kind.is_dir()) && !is_hidden {
                folders.push(item.path());
            } else if name
                .to_ascii_lowercase()
                .to_string_lossy()
                .ends_with(".bin")
                && !is_hidden
            {
                let path = item.path();
                let from = folder.parent().unwrap_or(folder);
                let below = path.strip_prefix(from).unwrap_or(&path);
                let below = below.to_string_lossy().into_owned();
                first = Some(first.map_or(below.clone(), |first| first.min(below)));
            }
        }
    }
    first
}

/// Returns why a file cannot be read that could not be opened, or not be looked at.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Unusable {
    Unusable::Unreadable {
        reason: error.to_string(),
        what: Box::new(cause(path, error).unwrap_or_else(|| event!(READ_FAILED))),
    }
}

/// Returns the same of one that was opened, and then failed.
pub(super) fn failed(error: &io::Error) -> Unusable {
    Unusable::Unreadable {
        reason: error.to_string(),
        what: Box::new(event!(READ_FAILED)),
    }
}

/// Returns what an error comes from, where that can be seen.
pub(super) fn cause(path: &Path, error: &io::Error) -> Option<Event> {
    let link = fs::read_link(path);
    match (error.raw_os_error().map(Errno::from_raw)?, link) {
        (Errno::ENOENT | Errno::ENOTDIR, Ok(target)) => {
            Some(event!(READ_DANGLING, target = &target))
        }
        (Errno::ELOOP, Ok(target)) => Some(event!(READ_LOOP, target = &target)),
        (Errno::EACCES | Errno::EPERM, _) => {
            let user = fs::metadata("/proc/self").ok()?.uid();
            // Of two that keep somebody out the outer one shows.
            let event = match fs::metadata(path) {
                Ok(about) => denied(path, &about, user),
                Err(_) => event!(READ_WAY_DENIED, path = absolute(path), user = user),
            };
            Some(event)
        }
        _ => None,
    }
}

fn denied(path: &Path, about: &Metadata, user: u32) -> Event {
    event!(
        READ_DENIED,
        path = absolute(path),
        mode = format!("{:04o}", about.mode() & 0o7777),
        owner = about.uid(),
        user = user,
    )
}
