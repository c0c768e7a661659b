//! A server in a folder of its own, and clients that see raw bytes.

pub(crate) mod admin;
pub(crate) mod backend;
pub(crate) mod certificate;
pub(crate) mod chain;
pub(crate) mod connect;
pub(crate) mod device;
pub(crate) mod event;
pub(crate) mod kernel;
pub(crate) mod over;
pub(crate) mod page;
pub(crate) mod pebble;
pub(crate) mod port;
pub(crate) mod probed;
pub(crate) mod process;
pub(crate) mod pty;
pub(crate) mod reply;
pub(crate) mod server;
pub(crate) mod stall;
pub(crate) mod whole;
pub(crate) mod wrong;

pub(crate) use port::Reserved;
pub(crate) use reply::Reply;
pub(crate) use server::Server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a test waits for what must happen. The only deadline that any of them
/// has: it runs out where something is broken, and not where a machine is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer comes.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Makes a named pipe, whose reader waits for a writer.
pub(crate) fn make_pipe(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

/// Bytes that look like nothing in particular, the same for the same seed.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Returns the files below a folder, in any order. What is built is none.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = items.map(|item| item.unwrap().path());
    let paths = paths.filter(|path| path.file_name().is_none_or(|name| name != "target"));
    let below = |path: PathBuf| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    };
    paths.flat_map(below).collect()
}
