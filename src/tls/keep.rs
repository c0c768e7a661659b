//! Files that hold keys: written whole or not at all, and readable by nobody
//! else from their first byte on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes a file whole or not at all, with its mode from the first byte on.
pub(super) fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let temporary = beside(path);
    let kept = write(&temporary, content, mode).and_then(|()| fs::rename(&temporary, path));
    if kept.is_err() {
        // On a full disk the half of it would be in the way of the next try.
        let _ = fs::remove_file(&temporary);
    }
    kept?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Whether `length` bytes could be kept at `path` now.
pub(super) fn rehearse(path: &Path, length: usize) -> io::Result<()> {
    let temporary = beside(path);
    let written = write(&temporary, &vec![b'\n'; length], 0o600);
    let removed = fs::remove_file(&temporary);
    written.and(removed)
}

fn beside(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    PathBuf::from(temporary)
}

fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    // One that a crash left behind may have another mode.
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
