//! Settings of what is known of devices: `gateway.fleet`.

use std::time::Duration;

/// Shortest term after which a device may be taken for silent.
pub const LEAST_SILENT_AFTER: Duration = Duration::from_secs(5);

/// How offers are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetSettings {
    /// Time without a check-in after which a device that fetched an image is silent, and
    /// within which it must have fetched what it was offered.
    pub silent_after: Duration,
    /// True where download addresses carry a token, by which a download tells its device.
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
