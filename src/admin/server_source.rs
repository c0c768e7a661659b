//! Source of what the page shows of this server itself. It is asked on threads that may block.

use crate::event::Event;

/// Source of what this server is, and of what it found.
pub(crate) trait ServerSource: Send + Sync + 'static {
    /// Returns what was found wrong and still is, the worst first: a store that cannot be
    /// written, a certificate that runs out, an address that devices cannot reach, a file whose
    /// name is nearly a model's. Each in the words of whoever found it.
    fn findings(&self) -> Vec<Event>;
}
