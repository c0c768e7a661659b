//! States of an offer, and how it ended.

/// State of an offer, or how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfferEnd {
    /// A check-in was told of it.
    Offered,
    /// The image is on its way.
    Fetching,
    /// Every byte was handed over, and the device ended the connection.
    Fetched,
    /// A check-in reported the image.
    Succeeded,
    /// A check-in in good time reported what ran before.
    RolledBack,
    /// No check-in came in good time, and none with the image later.
    Silent,
    /// It was not fetched whole.
    Interrupted,
    /// Another content was offered before it was fetched.
    Superseded,
}

impl OfferEnd {
    /// Every state, in the order in which an offer meets them.
    pub const ALL: [Self; 8] = [
        Self::Offered,
        Self::Fetching,
        Self::Fetched,
        Self::Succeeded,
        Self::RolledBack,
        Self::Silent,
        Self::Interrupted,
        Self::Superseded,
    ];

    /// Returns its name, for programs.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Fetching => "fetching",
            Self::Fetched => "fetched",
            Self::Succeeded => "succeeded",
            Self::RolledBack => "rolled-back",
            Self::Silent => "silent",
            Self::Interrupted => "interrupted",
            Self::Superseded => "superseded",
        }
    }

    /// Returns the one of this name.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.key() == key)
    }

    /// Tells whether the image is to blame: it came whole, and did not run.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::RolledBack | Self::Silent)
    }

    /// Tells whether it waits for something that has a term.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Offered | Self::Fetching | Self::Fetched)
    }

    /// Tells whether it goes on when the same content is offered again.
    pub(super) const fn goes_on(self) -> bool {
        matches!(self, Self::Offered | Self::Fetching | Self::Interrupted)
    }
}
