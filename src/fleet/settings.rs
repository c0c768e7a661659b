//! Settings of the fleet: by what the ends of offers are told.

use std::time::Duration;

/// Shortest [`FleetSettings::silent_after`]. A device restarts and checks within some
/// seconds.
pub const SHORTEST_SILENCE: Duration = Duration::from_secs(5);

/// By what the ends of offers are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetSettings {
    /// Time without a check-in after which a device that fetched an image counts as
    /// silent.
    pub silent_after: Duration,
    /// True where a download address says for which device it is.
    pub track: bool,
}

impl Default for FleetSettings {
    fn default() -> Self {
        Self {
            silent_after: Duration::from_secs(600),
            track: true,
        }
    }
}
