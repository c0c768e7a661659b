//! The way of an event into the log.

use super::{Event, Kind, Severity};
use std::error::Error;
use tracing::{Level, enabled, error, info, warn};

/// The target of events: it says whose they are, and the kind says from which room.
const TARGET: &str = "xiaozhi_ota::event";

/// Tells whether the log takes events of this kind.
pub fn is_told(kind: &Kind) -> bool {
    match kind.severity {
        Severity::Info => enabled!(target: TARGET, Level::INFO),
        Severity::Warning => enabled!(target: TARGET, Level::WARN),
        Severity::Error => enabled!(target: TARGET, Level::ERROR),
    }
}

/// Hands an event to the log, which knows it again by its type.
pub fn say(event: &Event) {
    let severity = event.kind.severity;
    let event = event as &(dyn Error + 'static);
    match severity {
        Severity::Info => info!(target: TARGET, event),
        Severity::Warning => warn!(target: TARGET, event),
        Severity::Error => error!(target: TARGET, event),
    }
}
