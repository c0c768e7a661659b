//! The end of what goes on beside a test.

use std::sync::atomic::{AtomicBool, Ordering};

/// Says that it is over as soon as it is dropped: a test that fails must not wait for ever for
/// its own threads.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
