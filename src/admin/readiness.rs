//! Readiness: whether this server can do its work, part by part.

use crate::event::Event;
use crate::event::text::Lang;

/// A part that must be there, and whether it is.
#[derive(Debug)]
pub(crate) struct Check {
    /// Its name: `catalogue`, `certificate`, `store`, `orders`.
    pub(crate) name: &'static str,
    /// The reason why it is not there; `None` where it is.
    pub(crate) why: Option<Event>,
}

impl Check {
    /// Returns the reason in words.
    pub(super) fn words(&self) -> Option<String> {
        self.why.as_ref().map(|why| why.message(Lang::En))
    }
}

/// Source of what is ready. It is asked on a thread that may block, and by anybody.
pub(crate) trait Readiness: Send + Sync + 'static {
    /// Looks at every part.
    fn checks(&self) -> Vec<Check>;
}
