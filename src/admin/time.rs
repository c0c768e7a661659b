//! Times, as the API writes them.

use jiff::Timestamp;

/// Returns a time, in milliseconds since 1970, by RFC 3339 in UTC. One beyond the year 9999
/// is the last before it.
pub(super) fn rfc3339(millis: u64) -> String {
    let time = i64::try_from(millis).ok();
    let time = time.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    time.unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        assert_eq!(rfc3339(1_700_000_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(1_700_000_000_250), "2023-11-14T22:13:20.25Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-"));
    }
}
