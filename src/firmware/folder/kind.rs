//! Kinds of things in a file's place, and reasons why one cannot be read, with what
//! mends it.

use super::unusable::Unusable;
use crate::event::text::Text;
use crate::event::{Event, event};
use crate::util::file_state::FileState;
use crate::util::paths::absolute;
use crate::util::way;
use nix::errno::Errno;
use std::collections::HashMap;
use std::fs::{self, FileType, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{io, mem};

const FOLDER: Text = Text::new("目录", "a folder");
const PIPE: Text = Text::new("管道", "a pipe");
const SOCKET: Text = Text::new("套接字", "a socket");
const DEVICE: Text = Text::new("设备文件", "a device");

/// Number of things in a folder that are looked at for a firmware among them, and of
/// folders below it.
const LOOKED_AT: usize = 256;

/// Firmware in the folders that lie in the firmware folder. It is looked for where such a
/// folder has changed, and not at every look: a share can hold many.
#[derive(Debug, Default)]
pub(super) struct Folders {
    known: HashMap<PathBuf, (FileState, Arc<[String]>)>,
    before: HashMap<PathBuf, (FileState, Arc<[String]>)>,
}

impl Folders {
    /// Begins a look, after which those are forgotten that it did not come across.
    pub(super) fn begin(&mut self) {
        self.before = mem::take(&mut self.known);
    }

    fn images(&mut self, folder: &Path, about: &Metadata) -> Arc<[String]> {
        let state = FileState::from(about);
        let known = self.known.get(folder).or_else(|| self.before.get(folder));
        let known = known.filter(|(seen, _)| *seen == state);
        let images = known.map_or_else(|| images(folder).into(), |(_, images)| Arc::clone(images));
        let folder = folder.to_owned();
        self.known.insert(folder, (state, Arc::clone(&images)));
        images
    }
}

/// Returns what stands in a file's place, where that is no file and no link to one.
pub(super) fn other(path: &Path, about: &Metadata, folders: &mut Folders) -> Option<Unusable> {
    let what = name_of(about.file_type())?;
    let holds = if about.is_dir() {
        folders.images(path, about)
    } else {
        Arc::default()
    };
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

/// Returns the files below a folder, by name, that are called a firmware.
fn images(folder: &Path) -> Vec<String> {
    let mut left = LOOKED_AT;
    let mut folders = vec![folder.to_owned()];
    let mut images = Vec::new();
    while let Some(next) = folders.pop() {
        for item in fs::read_dir(&next).into_iter().flatten().flatten() {
            let Some(one_less) = left.checked_sub(1) else {
                break;
            };
            left = one_less;
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
                images.push(below.to_string_lossy().into_owned());
            }
        }
    }
    images.sort_unstable();
    images
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
            let about = fs::metadata(path).ok();
            let event = about.map(|about| denied(path, &about, user));
            event.or_else(|| way_denied(path, user))
        }
        _ => None,
    }
}

fn way_denied(path: &Path, user: u32) -> Option<Event> {
    let (folder, about) = way::shut(path)?;
    Some(event!(
        READ_WAY_DENIED,
        path = absolute(path),
        folder = folder,
        mode = format!("{:04o}", about.mode() & 0o7777),
        owner = about.uid(),
        user = user,
    ))
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
