//! How fast a device takes an image.

use std::str::FromStr;
use std::time::Duration;

/// A speed, as in `48KB/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(u64);

impl Pace {
    /// Whether it is more than twice as fast.
    pub fn is_above(self, bytes_per_second: u64) -> bool {
        self.0 > 2 * bytes_per_second
    }

    /// How long so many bytes take at least.
    pub fn time_for(self, bytes: u64) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.0 as f64)
    }
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("{text}: it must be a speed such as 48KB/s or 1MB/s");
        let lower = text.trim().to_ascii_lowercase();
        let number = lower.strip_suffix("/s").unwrap_or(&lower).trim();
        let number = number.strip_suffix('b').unwrap_or(number);
        let (number, unit) = match number.as_bytes().last() {
            Some(b'k') => (&number[..number.len() - 1], 1024.0),
            Some(b'm') => (&number[..number.len() - 1], 1024.0 * 1024.0),
            _ => (number, 1.0),
        };
        let value: f64 = number.trim().parse().map_err(|_| form())?;
        let bytes = value * unit;
        if !(1.0..1e12).contains(&bytes) {
            return Err(form());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it was just held against both ends"
        )]
        Ok(Self(bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds() {
        for (text, bytes) in [
            ("48KB/s", 48 * 1024),
            ("48 kb/s", 48 * 1024),
            ("1.5MB/s", 1536 * 1024),
            ("1m", 1024 * 1024),
            ("500", 500),
            ("500B/s", 500),
        ] {
            assert_eq!(text.parse(), Ok(Pace(bytes)), "{text}");
        }
        for text in ["", "x", "0", "-1KB/s", "KB/s", "nan", "inf", "1e99MB/s"] {
            assert!(text.parse::<Pace>().is_err(), "{text}");
        }
        assert_eq!(Pace(1024).time_for(2048), Duration::from_secs(2));
    }
}
