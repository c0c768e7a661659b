//! A server in a folder of its own, and clients that see raw bytes.

pub(crate) mod backend;
pub(crate) mod certificate;
pub(crate) mod chain;
pub(crate) mod image;
pub(crate) mod page;
pub(crate) mod pebble;
pub(crate) mod probed;
pub(crate) mod reply;
pub(crate) mod server;
pub(crate) mod wrong;

pub(crate) use reply::Reply;
pub(crate) use server::Server;

use std::time::{Duration, Instant};

/// How long a test waits for what must happen. Generous: it only ever runs out
/// where something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until the answer comes.
pub(crate) fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, ask)
}

/// Asks until the answer comes, which must be soon enough.
pub(crate) fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
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
