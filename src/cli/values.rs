//! Values of options.

use crate::config;
use crate::event::text::Lang;
use crate::probe::pace::Pace;
use crate::util::locale::Locale;
use std::time::Duration;

/// Parses `60s`, `10m`, `500ms`; a plain number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    config::duration(text).ok_or_else(|| "write a time such as 60s, 10m or 1h".to_owned())
}

/// Parses `48KB/s`, `1MiB/s`; a plain number is bytes a second.
pub(super) fn pace(text: &str) -> Result<Pace, String> {
    let size = text.strip_suffix("/s").unwrap_or(text);
    config::size(size)
        .and_then(Pace::new)
        .ok_or_else(|| "write bytes in a second, such as 48KB/s; it must be above 0".to_owned())
}

/// Returns the language that was asked for, else that of the environment.
pub(super) fn language(asked: Option<Lang>) -> Lang {
    asked.unwrap_or_else(|| Locale::of_environment().lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_and_times() {
        let rate = |text| pace(text).map(Pace::bytes_per_second);
        assert_eq!(rate("48KB/s"), Ok(48_000));
        assert_eq!(rate("1MiB/s"), Ok(1 << 20));
        assert_eq!(rate("500"), Ok(500));
        for text in ["0", "0KB/s", "fast", "48KB/m", ""] {
            assert!(rate(text).is_err(), "{text}");
        }
        assert_eq!(duration("10m"), Ok(Duration::from_secs(600)));
        assert!(duration("soon").is_err());
    }
}
