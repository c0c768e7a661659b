//! Shares of devices, as the command line has them.

use std::str::FromStr;

/// Frequency of an event, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rate(pub(super) u32);

impl FromStr for Rate {
    type Err = String;

    /// Parses `2%`, `0.5%`.
    fn from_str(text: &str) -> Result<Self, String> {
        let percent = text
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<f64>().ok())
            .filter(|percent| (0.0..=100.0).contains(percent));
        let Some(percent) = percent else {
            return Err(format!("{text:?}: write a share from 0% to 100%, as in 2%"));
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to a million"
        )]
        let millionths = (percent * 10_000.0).round() as u32;
        Ok(Self(millionths))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!("2%".parse(), Ok(Rate(20_000)));
        assert_eq!("0.5 %".parse(), Ok(Rate(5_000)));
        for text in ["2", "-1%", "101%", "x%", "%", "NaN%"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
