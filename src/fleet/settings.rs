//! Settings of the fleet: by what the ends of offers are told, and how much is remembered.

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

/// Room for what is known of devices. Anybody can invent some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetRoom {
    /// Number of settled devices: none goes for another, and one that comes beyond them stays
    /// a newcomer.
    pub settled: usize,
    /// Number of newcomers, the first of which goes for the next.
    pub newcomers: usize,
    /// Number of bytes of what all of them say of themselves, each such text once.
    pub descriptions: usize,
}

impl Default for FleetRoom {
    fn default() -> Self {
        Self {
            settled: 1 << 20,
            newcomers: 65_536,
            descriptions: 64 << 20,
        }
    }
}
