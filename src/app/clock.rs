//! Clock of the machine: tells one that was never set since the machine got its power.

use crate::event::tell;
use jiff::Timestamp;
use std::time::{Duration, SystemTime};

/// Period of the look at the clock: it may be set at any time.
const LOOK: Duration = Duration::from_secs(10);

/// Time at which this program was built, or, where its source was the same as before, built
/// first: no clock that was set shows less.
pub(super) fn built() -> SystemTime {
    // Written by src/build.rs.
    let seconds = env!("BUILT").parse().unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Says when the clock is behind, and when it was set.
pub(super) async fn watch() {
    let mut was_behind = false;
    loop {
        let now = SystemTime::now();
        let is_behind = now < built();
        if is_behind && !was_behind {
            tell!(CLOCK_BEHIND, now = shown(now), built = shown(built()));
        } else if was_behind && !is_behind {
            tell!(CLOCK_SET);
        }
        was_behind = is_behind;
        tokio::time::sleep(LOOK).await;
    }
}

fn shown(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%F %T UTC").to_string()
}
