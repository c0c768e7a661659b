//! Pace at which a device takes an image: real ones manage 30 to 65 KB/s.

use std::num::NonZeroU64;
use std::time::Duration;

/// Bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace(NonZeroU64);

impl Pace {
    /// Makes a pace of so many bytes a second; `None` for 0, at which nothing ever
    /// ends.
    pub(crate) fn new(bytes_per_second: u64) -> Option<Self> {
        NonZeroU64::new(bytes_per_second).map(Self)
    }

    pub(crate) fn bytes_per_second(self) -> u64 {
        self.0.get()
    }

    /// Returns the time after which a device has taken so many bytes. A client that
    /// has them earlier waits, without reading on: then the server sees a slow
    /// reader.
    pub(crate) fn after(self, bytes: u64) -> Duration {
        let rate = u128::from(self.0.get());
        let nanos = u128::from(bytes) * 1_000_000_000 / rate;
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_says_when() {
        let pace = Pace::new(48_000);
        let after = |bytes| pace.map(|pace| pace.after(bytes));
        assert_eq!(after(0), Some(Duration::ZERO));
        assert_eq!(after(96_000), Some(Duration::from_secs(2)));
        assert_eq!(after(12), Some(Duration::from_micros(250)));
        assert!(after(u64::MAX) > Some(Duration::from_secs(1 << 30)));
        assert_eq!(Pace::new(0), None);
    }
}
