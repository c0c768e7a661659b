//! What must hold for whoever is never still for as long as a limit of the
//! server's, on machines that may well keep a test waiting for longer.

use std::time::{Duration, Instant};

/// The steps of a test's own thread, and the longest time between two.
pub(crate) struct Steps {
    last: Instant,
    longest: Duration,
}

impl Steps {
    fn new() -> Self {
        Self {
            last: Instant::now(),
            longest: Duration::ZERO,
        }
    }

    /// From here on it counts.
    pub(crate) fn begin(&mut self) {
        *self = Self::new();
    }

    /// Something was done just now.
    pub(crate) fn step(&mut self) {
        self.longest = self.longest.max(self.last.elapsed());
        self.last = Instant::now();
    }
}

/// Tries something under a limit of a second, and where it fails of a longer one,
/// but only if the thread itself was kept from its next step for as long as the
/// limit: what came of that says nothing of the server.
#[track_caller]
pub(crate) fn unless_stalled<T>(
    mut trial: impl FnMut(Duration, &mut Steps) -> Result<T, String>,
) -> T {
    for seconds in [1, 4, 16] {
        let limit = Duration::from_secs(seconds);
        let mut steps = Steps::new();
        let outcome = trial(limit, &mut steps);
        steps.step();
        match outcome {
            Ok(held) => return held,
            Err(why) if steps.longest < limit => panic!("under a limit of {limit:?}: {why}"),
            Err(_) => {}
        }
    }
    panic!("this machine keeps a thread waiting for a quarter of a minute")
}
