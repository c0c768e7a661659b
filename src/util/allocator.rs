//! The allocator, and what goes back to the machine.
//!
//! A storm of connections takes hundreds of megabytes for some seconds. Of 12,000 requests
//! with a body each glibc keeps 166 to 351 MiB for good: what lives on, lies between what
//! was freed. mimalloc keeps as much where nobody comes afterwards, for it looks only when
//! it is called. jemalloc keeps 12 MiB, for it has a thread of its own that looks; a
//! check-in and a download cost the same with each.

use tikv_jemalloc_ctl::{background_thread, max_background_threads};

/// Starts the thread that gives freed memory back, ten seconds after it was freed. Where no
/// thread is to be had memory goes back less soon, and nothing else changes; so this comes
/// when all other threads are there.
pub(crate) fn give_back() {
    // One for all arenas: the thread sleeps where nothing is freed.
    let _ = max_background_threads::write(1).and_then(|()| background_thread::write(true));
}
