//! Paths as a reader elsewhere can follow them.

use std::path::{Path, PathBuf};

/// Returns a path from the root on, links left as they are: a log is read where nobody
/// knows in which folder the program was started. One that has no such form stays.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
