//! Locks that outlive a panic, and numbers that many threads change.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex that a panic may have left behind: everything that is locked here is
/// whole between two statements, and one task that panicked must not end all others.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes one more of what there are `most` of, and returns whether there was one.
///
/// The standard library has this under another name from version to version.
pub(crate) fn take_one(taken: &AtomicUsize, most: usize) -> bool {
    let mut now = taken.load(Ordering::Relaxed);
    while now < most {
        match taken.compare_exchange_weak(now, now + 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return true,
            Err(meanwhile) => now = meanwhile,
        }
    }
    false
}
