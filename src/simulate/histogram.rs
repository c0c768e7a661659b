//! Histogram of times: log-linear buckets, as in `HdrHistogram`. Fixed in size, and
//! off by a thirty-second at most.

use std::time::Duration;

/// Number of buckets for each doubling.
const FINE: usize = 32;
/// Number of doublings that are told apart: from a microsecond to more than an
/// hour.
const DOUBLINGS: usize = 28;
const BUCKETS: usize = FINE * DOUBLINGS;

/// Numbers of times in each bucket.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    buckets: Box<[u32; BUCKETS]>,
    count: u64,
    max: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: Box::new([0; BUCKETS]),
            count: 0,
            max: Duration::ZERO,
        }
    }
}

impl Histogram {
    /// Counts one time.
    pub(super) fn record(&mut self, time: Duration) {
        let bucket = &mut self.buckets[bucket(time)];
        *bucket = bucket.saturating_add(1);
        self.count += 1;
        self.max = self.max.max(time);
    }

    /// Returns how many times were counted.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the longest time, to the nanosecond.
    pub(super) fn max(&self) -> Duration {
        self.max
    }

    /// Returns the time that so many of a thousand did not exceed; zero where
    /// nothing was counted.
    pub(super) fn quantile(&self, permille: u64) -> Duration {
        let wanted = (self.count * permille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (number, count) in self.buckets.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return upper_end(number).min(self.max);
            }
        }
        self.max
    }
}

/// Returns the bucket of a time. Below [`FINE`] microseconds a bucket is a
/// microsecond; from there on each doubling has as many buckets.
fn bucket(time: Duration) -> usize {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let doublings = (micros / FINE as u64)
        .checked_ilog2()
        .map_or(0, |n| n as usize + 1);
    if doublings == 0 {
        return usize::try_from(micros).unwrap_or(0);
    }
    // Between FINE and 2 * FINE.
    let mantissa = usize::try_from(micros >> (doublings - 1)).unwrap_or(usize::MAX);
    (doublings * FINE + (mantissa - FINE)).min(BUCKETS - 1)
}

/// Returns the longest time that falls into a bucket.
fn upper_end(number: usize) -> Duration {
    let (doublings, fine) = (number / FINE, number % FINE);
    if doublings == 0 {
        return Duration::from_micros(fine as u64);
    }
    let end = (FINE + fine + 1) as u64;
    Duration::from_micros((end << (doublings - 1)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles() {
        let mut times = Histogram::default();
        assert_eq!((times.quantile(500), times.count()), (Duration::ZERO, 0));
        for n in 1..=1000 {
            times.record(Duration::from_millis(n));
        }
        let about = |permille, millis: u64| {
            let found = times.quantile(permille);
            let expected = Duration::from_millis(millis);
            assert!(
                found >= expected && found <= expected.mul_f64(1.04),
                "{permille}: {found:?}"
            );
        };
        about(500, 500);
        about(900, 900);
        about(990, 990);
        assert_eq!(times.quantile(1000), Duration::from_secs(1));
        assert_eq!(times.max(), Duration::from_secs(1));
    }

    proptest! {
        #[test]
        fn a_bucket_holds_what_is_put_into_it(micros in 0u64..4_000_000_000) {
            let time = Duration::from_micros(micros);
            let end = upper_end(bucket(time));
            prop_assert!(end >= time);
            prop_assert!(end.as_micros() <= time.as_micros() * 33 / 32 + 1);
        }

        #[test]
        fn no_time_is_too_long(seconds in any::<u64>()) {
            prop_assert!(bucket(Duration::from_secs(seconds)) < BUCKETS);
        }
    }
}
