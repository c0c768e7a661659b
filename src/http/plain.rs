//! Plain HTTP while a fleet migrates, and its end.

use std::time::SystemTime;

/// `gateway.http_fallback`: whether devices may come over plain HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlainHttp {
    /// Allowed for ever.
    Allowed,
    /// Allowed to the end of a day.
    Until {
        /// The first moment after it.
        end: SystemTime,
        /// The day as it was written.
        day: String,
    },
    /// Refused.
    Refused,
}

impl PlainHttp {
    /// Returns whether plain HTTP is served at `now`.
    pub(crate) fn allowed(&self, now: SystemTime) -> bool {
        match self {
            Self::Allowed => true,
            Self::Until { end, .. } => now < *end,
            Self::Refused => false,
        }
    }

    /// Returns whether plain HTTP will end, or has.
    pub(crate) fn ends(&self) -> bool {
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
