//! Small files that an operator names: certificates, keys, what is kept of an
//! account.
//!
//! Anything may stand under such a name. A pipe would keep its reader waiting
//! for ever, and a file of gigabytes would be taken into memory whole, at every
//! look at it.

use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Length of the longest file that is read, in bytes. A chain of certificates has some
/// thousands.
pub(crate) const LONGEST: u64 = 1 << 20;

/// Reads a regular file of at most [`LONGEST`] bytes.
///
/// # Errors
///
/// The system's error; `InvalidInput` for what is no regular file, and `FileTooLarge`
/// for what is longer. No error holds a byte of the content.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Without this flag a pipe is opened when somebody writes to it, or never.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        let what = if about.is_dir() {
            "it is a folder, and a file is wanted"
        } else {
            "it is no regular file"
        };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    read_up_to(file, about.len())
}

/// Reads a file as [`read`] does, or a pipe: what is named on a command line may be one
/// (`<(sops -d config.yaml)`).
///
/// # Errors
///
/// As those of [`read`], but for pipes and devices.
pub(crate) fn read_or_pipe(path: &Path) -> io::Result<Vec<u8>> {
    let is_other = |m: fs::Metadata| !m.is_file() && !m.is_dir();
    if fs::metadata(path).is_ok_and(is_other) {
        read_up_to(File::open(path)?, 0)
    } else {
        read(path)
    }
}

/// Reads a file up to a length. The length is looked at twice: a file can grow while it
/// is read.
fn read_up_to(file: File, length: u64) -> io::Result<Vec<u8>> {
    let too_long = |length: u64| {
        let what = format!("it has {length} bytes or more, and {LONGEST} at most are read");
        io::Error::new(io::ErrorKind::FileTooLarge, what)
    };
    if length > LONGEST {
        return Err(too_long(length));
    }
    let mut content = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut content)?;
    match content.len() as u64 {
        length if length > LONGEST => Err(too_long(length)),
        _ => Ok(content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::stat::Mode;
    use std::thread;

    #[test]
    fn only_small_regular_files_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("small"), "key").unwrap();
        assert_eq!(read(&path("small")).unwrap(), b"key");
        let huge = File::create(path("huge")).unwrap();
        huge.set_len(3 << 30).unwrap();
        nix::unistd::mkfifo(&path("pipe"), Mode::S_IRWXU).unwrap();
        for (name, kind) in [
            ("huge", io::ErrorKind::FileTooLarge),
            ("pipe", io::ErrorKind::InvalidInput),
            (".", io::ErrorKind::InvalidInput),
            ("none", io::ErrorKind::NotFound),
        ] {
            assert_eq!(read(&path(name)).unwrap_err().kind(), kind, "{name}");
            if name != "pipe" {
                let error = read_or_pipe(&path(name)).unwrap_err();
                assert_eq!(error.kind(), kind, "{name}");
            }
        }
    }

    #[test]
    fn a_pipe_is_read_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        for (length, is_read) in [(0, true), (1 << 20, true), ((1 << 20) + 1, false)] {
            let to = pipe.clone();
            let writer = thread::spawn(move || fs::write(to, vec![b'#'; length]));
            let content = read_or_pipe(&pipe);
            // What is not read ends its writer.
            let _ = writer.join().unwrap();
            match content {
                Ok(content) => assert!(is_read && content.len() == length, "{length}"),
                Err(error) => {
                    assert!(!is_read, "{length}");
                    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge, "{length}");
                }
            }
        }
    }
}
