//! The way of an event into the log.

use super::lately::LATELY;
use super::standing::{STANDING, is_noted};
use super::{Event, Kind, Severity};
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;
use tracing::{Level, enabled, error, info, warn};

/// The target of events: it says whose they are, and the kind says from which room.
const TARGET: &str = "xiaozhi_ota::event";

/// Tells whether an event of this kind is to be made: the log takes it, or it stands until it
/// is mended.
pub fn is_told(kind: &Kind) -> bool {
    way(kind) != Way::None
}

/// Way of an event. It is asked for once, for each line of the log has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nobody wants it.
    None,
    /// The log does not take it, and it stands until it is mended, or ends what does.
    Noted,
    /// The log takes it.
    Logged,
}

/// Returns the way of events of this kind.
pub fn way(kind: &Kind) -> Way {
    let is_logged = match kind.severity {
        Severity::Info => enabled!(target: TARGET, Level::INFO),
        Severity::Warning => enabled!(target: TARGET, Level::WARN),
        Severity::Error => enabled!(target: TARGET, Level::ERROR),
    };
    match is_logged {
        true => Way::Logged,
        false if is_noted(kind) => Way::Noted,
        false => Way::None,
    }
}

impl Way {
    /// Says an event that nobody needs any more, which costs no copy.
    pub fn say(self, event: Event) {
        match self {
            Self::None => {}
            Self::Noted => STANDING.note(&event),
            Self::Logged => {
                hand_over(&event);
                keep(event);
            }
        }
    }
}

/// Says an event: hands it to the log, and keeps it among those of late.
pub fn say(event: &Event) {
    let way = way(event.kind);
    if way != Way::None {
        way.say(event.clone());
    }
}

/// Keeps an event that goes to the log another way than [`say`].
pub(crate) fn keep(event: Event) {
    STANDING.note(&event);
    LATELY.take(event, SystemTime::now());
}

/// Hands an event to the log, which knows it again by its type.
fn hand_over(event: &Event) {
    let severity = event.kind.severity;
    let event = event as &(dyn Error + 'static);
    match severity {
        Severity::Info => info!(target: TARGET, event),
        Severity::Warning => warn!(target: TARGET, event),
        Severity::Error => error!(target: TARGET, event),
    }
}

thread_local!(static GATHERING: Cell<Option<IpAddr>> = const { Cell::new(None) });

/// End of what is said together: the log hands it over.
#[derive(Debug)]
pub(crate) struct Together;

impl fmt::Display for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("said together")
    }
}

impl Error for Together {}

/// Has the log take as one what `say` says of a client on this thread: its lines stand one
/// behind the other, all of them or none, and are handed over once.
pub(crate) fn together<T>(client: IpAddr, say: impl FnOnce() -> T) -> T {
    /// Ends it, by a panic even.
    struct End(Option<IpAddr>);
    impl Drop for End {
        fn drop(&mut self) {
            GATHERING.set(self.0);
            if self.0.is_none() {
                let end = &Together as &(dyn Error + 'static);
                error!(target: TARGET, end);
            }
        }
    }
    let _end = End(GATHERING.replace(Some(client)));
    say()
}

/// Returns the client of whom this thread says several things together.
pub(crate) fn gathering() -> Option<IpAddr> {
    GATHERING.get()
}
