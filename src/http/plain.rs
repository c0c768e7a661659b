//! Plain HTTP while a fleet migrates: until when it is served.

use std::time::SystemTime;

/// `gateway.http_fallback`: whether devices may come over plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainHttp {
    /// For ever.
    Allowed,
    /// To the end of a day.
    Until {
        /// The first moment after it.
        end: SystemTime,
        /// The day as it was written.
        day: String,
    },
    /// Not at all.
    Refused,
}

impl PlainHttp {
    /// Whether it is served at `now`.
    pub fn allowed(&self, now: SystemTime) -> bool {
        match self {
            Self::Allowed => true,
            Self::Until { end, .. } => now < *end,
            Self::Refused => false,
        }
    }

    /// Whether it will end, or has.
    pub fn ends(&self) -> bool {
        *self != Self::Allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn to_the_end_of_the_day() {
        let end = SystemTime::UNIX_EPOCH + DAY;
        let until = PlainHttp::Until {
            end,
            day: "1970-01-01".into(),
        };
        assert!(until.allowed(end - Duration::from_millis(1)) && !until.allowed(end));
        assert!(until.ends() && !PlainHttp::Allowed.ends());
    }
}
