//! Haste: a call once much has changed, for whoever writes it down and would come later.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Call that never blocks.
type Call = Box<dyn Fn() + Send + Sync>;

/// Counter of changes since they were taken last, and what is called at how many.
#[derive(Default)]
pub(super) struct Haste {
    changes: AtomicUsize,
    call: OnceLock<(usize, Call)>,
}

impl Haste {
    /// Takes what is to be called, and at how many changes. The first one counts.
    pub(super) fn call_at(&self, changes: usize, call: Call) {
        // There is one writer, which says it once.
        let _ = self.call.set((changes, call));
    }

    /// Takes that something changed.
    pub(super) fn changed(&self) {
        let changes = self.changes.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some((_, call)) = self.call.get().filter(|(at, _)| *at == changes) {
            call();
        }
    }

    /// Takes that what changed is taken now.
    pub(super) fn begin_anew(&self) {
        self.changes.store(0, Ordering::Relaxed);
    }
}

impl fmt::Debug for Haste {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.call.get().map(|(at, _)| at);
        f.debug_struct("Haste")
            .field("at", &at)
            .finish_non_exhaustive()
    }
}
