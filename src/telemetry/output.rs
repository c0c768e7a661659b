//! Outputs of the log: the console, and a file that turns over by its size.

use crate::event::text::Text;
use crate::event::{self, Event, event};
use crate::util::file_state::FileState;
use crate::util::way;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Permissions of the log file: it names devices and their addresses.
const MODE: u32 = 0o640;
/// Time until a file that could not be turned over is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// Size at which the log file turns over, and what becomes of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turnover {
    /// `gateway.log.max_size`: bytes of a file.
    pub max_size: u64,
    /// `gateway.log.keep`: number of older files, [`MOST`] at most.
    pub keep: u32,
}

/// Largest number of older files that may be kept. A file whose name has a larger one (a
/// date) is somebody else's.
pub const MOST: u32 = 1000;

impl Default for Turnover {
    fn default() -> Self {
        Self {
            max_size: 64 << 20,
            keep: 3,
        }
    }
}

/// Receiver of lines.
pub(super) enum Output {
    Console,
    File(LogFile),
}

/// The log file.
pub(super) struct LogFile {
    pub(super) path: PathBuf,
    /// `None` while it cannot be opened.
    file: Option<File>,
    /// The last write failed and may have left half a line.
    torn: bool,
    turnover: Turnover,
    /// Time before which it is not turned over, for that failed.
    paused: Option<Instant>,
    /// Reason why it could not be turned over, or an older file not be removed, to be told.
    trouble: Option<Event>,
}

impl Output {
    /// Returns why it cannot be written, where that can be seen.
    pub(super) fn cause(&self, error: &io::Error) -> Option<Event> {
        match self {
            Self::Console => None,
            Self::File(log) => no_file(&log.path, error).or_else(|| way::to_write(&log.path)),
        }
    }

    /// Returns what is wrong, although it can be written.
    pub(super) fn trouble(&mut self) -> Option<Event> {
        match self {
            Self::Console => None,
            Self::File(log) => log.trouble.take(),
        }
    }

    pub(super) fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        match self {
            Self::Console => {
                let mut out = io::stdout().lock();
                out.write_all(batch)?;
                out.flush()
            }
            Self::File(log) => log.write(batch),
        }
    }
}

impl LogFile {
    pub(super) fn new(path: PathBuf, file: Option<File>, turnover: Turnover) -> Self {
        Self {
            path,
            file,
            torn: false,
            turnover,
            paused: None,
            trouble: None,
        }
    }

    /// Writes whole lines, and turns the file over between two of them.
    fn write(&mut self, mut lines: &[u8]) -> io::Result<()> {
        // logrotate, or xiaozhi-server's own rotation, moved it away.
        let inode = |about: io::Result<fs::Metadata>| Some(FileState::from(&about.ok()?).inode);
        let there = inode(fs::metadata(&self.path));
        let known = self.file.take();
        let known = known.filter(|file| there == inode(file.metadata()));
        let mut file = known.map_or_else(|| open(&self.path), Ok)?;
        let about = file.metadata()?;
        // Whoever copies and truncates it makes it short again.
        let mut size = about.is_file().then_some(about.len());
        while !lines.is_empty() {
            let mut end = size.map_or(lines.len(), |size| {
                fitting(lines, self.turnover.max_size.saturating_sub(size))
            });
            if end == 0 && size.is_some_and(|size| size > 0) && self.may_turn() {
                match turn_over(&self.path, self.turnover.keep) {
                    Ok(fresh) => {
                        (file, size) = (fresh, Some(0));
                        self.torn = false;
                        if let Some(event) = self.keep_few() {
                            event::say(&event);
                        }
                        continue;
                    }
                    Err(error) => self.pause(&error),
                }
            }
            if end == 0 {
                end = first_line(lines);
                if self.paused.is_some() {
                    end = lines.len();
                }
            }
            let begin: &[u8] = if std::mem::replace(&mut self.torn, true) {
                b"\n"
            } else {
                b""
            };
            let (now, later) = lines.split_at(end);
            let done = file.write_all(begin).and_then(|()| file.write_all(now));
            if let Err(error) = done {
                self.file = Some(file);
                return Err(error);
            }
            self.torn = false;
            size = size.map(|size| size + (begin.len() + end) as u64);
            lines = later;
        }
        self.file = Some(file);
        Ok(())
    }

    fn may_turn(&mut self) -> bool {
        self.paused = self.paused.filter(|until| Instant::now() < *until);
        if self.paused.is_none() && is_opened_elsewhere(&self.path) {
            self.paused = Instant::now().checked_add(AGAIN);
        }
        self.paused.is_none()
    }

    /// Removes the older files beyond those that are kept, for more were before. Returns
    /// what is said of that. Only behind a turn: until then somebody else (logrotate) may be
    /// who numbers them.
    fn keep_few(&mut self) -> Option<Event> {
        let keep = self.turnover.keep;
        let mut count = 0_usize;
        for path in older_than(&self.path, keep) {
            match fs::remove_file(&path) {
                Ok(()) => count += 1,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    let (path, error) = (&path, &error);
                    self.trouble = Some(event!(
                        LOG_OLDER_STAYS,
                        path = path,
                        keep = keep,
                        error = error
                    ));
                }
            }
        }
        let path = &self.path;
        (count > 0).then(|| event!(LOG_OLDER_GONE, path = path, keep = keep, count = count))
    }

    /// Goes on in the file that there is.
    fn pause(&mut self, error: &io::Error) {
        self.paused = Instant::now().checked_add(AGAIN);
        self.trouble = Some(event!(
            LOG_NOT_TURNED_OVER,
            path = &self.path,
            error = error
        ));
    }
}

/// Returns the length of the lines at the beginning of `lines` that fit into `room`.
fn fitting(lines: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return lines.len();
    }
    let last = lines[..room].iter().rposition(|b| *b == b'\n');
    last.map_or(0, |at| at + 1)
}

fn first_line(lines: &[u8]) -> usize {
    let end = lines.iter().position(|b| *b == b'\n');
    end.map_or(lines.len(), |at| at + 1)
}

/// Tells whether a path leads to what is open already (`/dev/stdout`): what stands in its
/// place would be no log.
fn is_opened_elsewhere(path: &Path) -> bool {
    let mut path = path.to_owned();
    // The kernel follows no more links than these.
    for _ in 0..40 {
        if path.starts_with("/proc") {
            return true;
        }
        let Ok(target) = fs::read_link(&path) else {
            return false;
        };
        path = path.with_file_name(target);
    }
    false
}

/// Begins a new file at `path`: `log` becomes `log.1`, `log.1` becomes `log.2`. The new one
/// is there before the old one is moved, so that where it cannot be made all stays.
fn turn_over(path: &Path, keep: u32) -> io::Result<File> {
    // A link stays one, and the files stay where it leads.
    let path = fs::canonicalize(path)?;
    let beside = |end: &str| {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(end);
        path.with_file_name(name)
    };
    let older = |n: u32| beside(&format!(".{n}"));
    let fresh_path = beside(".new");
    let _ = fs::remove_file(&fresh_path);
    let fresh = open(&fresh_path)?;
    let moved = || {
        // Whoever narrowed who may read it meant the next one, too.
        fresh.set_permissions(fs::metadata(&path)?.permissions())?;
        for n in (1..keep).rev() {
            match fs::rename(older(n), older(n + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if keep > 0 {
            fs::rename(&path, older(1))?;
        }
        fs::rename(&fresh_path, &path).inspect_err(|_| {
            if keep > 0 {
                let _ = fs::rename(older(1), &path);
            }
        })
    };
    match moved() {
        Ok(()) => Ok(fresh),
        Err(error) => {
            let _ = fs::remove_file(&fresh_path);
            Err(error)
        }
    }
}

/// Returns the older files of `path` whose number is above `keep`. Nothing else has such a
/// name but a folder or a link, which nobody here made.
fn older_than(path: &Path, keep: u32) -> Vec<PathBuf> {
    let older = || {
        let path = fs::canonicalize(path).ok()?;
        let name = path.file_name()?.as_encoded_bytes();
        let files = fs::read_dir(path.parent()?).ok()?.flatten().filter(|file| {
            let number = file.file_name();
            let number = number.as_encoded_bytes().strip_prefix(name);
            let number = number.and_then(|rest| number_of(rest.strip_prefix(b".")?));
            let is_older = number.is_some_and(|number| number > keep);
            is_older && file.file_type().is_ok_and(|kind| kind.is_file())
        });
        Some(files.map(|file| file.path()).collect())
    };
    older().unwrap_or_default()
}

/// Reads the number of an older file as it is written here.
fn number_of(digits: &[u8]) -> Option<u32> {
    let digits = str::from_utf8(digits).ok()?;
    let number: u32 = digits.parse().ok()?;
    ((1..=MOST).contains(&number) && number.to_string() == digits).then_some(number)
}

/// Returns what stands in the file's place and cannot be opened, where that is the reason.
pub(super) fn no_file(path: &Path, error: &io::Error) -> Option<Event> {
    if error.raw_os_error() != Some(Errno::ENXIO as i32) {
        return None;
    }
    let kind = fs::metadata(path).ok()?.file_type();
    if kind.is_fifo() {
        return Some(event!(LOG_PIPE));
    }
    let is = if kind.is_socket() {
        Text::new("套接字", "a socket")
    } else {
        Text::new("当前没有的设备", "a device that is not there now")
    };
    Some(event!(LOG_NO_FILE, is = is))
}

/// Opens the file, or makes it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    // Without this flag a pipe is opened when somebody reads it, or never.
    let opened = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(MODE)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path);
    let file = opened?;
    fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
    let about = file.metadata()?;
    let mode = about.permissions().mode();
    if about.is_file() && mode & 0o777 & !MODE != 0 {
        // One that was made before, or by xiaozhi-server. Somebody else's stays as
        // it is.
        let _ = file.set_permissions(Permissions::from_mode(mode & MODE));
    }
    Ok(file)
}

#[cfg(test)]
mod tests;
