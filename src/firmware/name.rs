//! The name of a firmware file: `{model}_{version}.bin`.
//!
//! The grammar is xiaozhi-server's (`^(.+?)_([0-9][A-Za-z0-9._-]*)\.bin$`): the
//! version starts at the first underscore that a digit follows and behind which
//! everything may stand in a version. One grammar serves scan and download, so
//! that nothing is ever offered that cannot be fetched.

use crate::event::{Event, event};
use xiaozhi_device::version::Version;

/// A file name that follows the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The part before the version: `lichuang-dev`, `my_board_v`, `default`.
    pub model: String,
    /// The version that the name promises.
    pub version: Version,
}

/// Reason why a file name is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameError {
    /// The name does not end in `.bin`.
    NotBin,
    /// No underscore with a digit behind it, or characters that no version has.
    NoVersion,
    /// A control character, which would garble logs and addresses.
    ControlCharacter,
}

impl From<NameError> for Event {
    fn from(error: NameError) -> Self {
        match error {
            NameError::NotBin => event!(NAME_NOT_BIN),
            NameError::NoVersion => event!(NAME_NO_VERSION),
            NameError::ControlCharacter => event!(NAME_CONTROL),
        }
    }
}

/// Reads `file_name` (without any folder) by the grammar above.
pub fn parse(file_name: &str) -> Result<ImageName, NameError> {
    let stem = file_name.strip_suffix(".bin").ok_or(NameError::NotBin)?;
    if stem.chars().any(char::is_control) {
        return Err(NameError::ControlCharacter);
    }
    stem.match_indices('_')
        // The model has at least one character (`.+?`).
        .filter(|&(at, _)| at > 0)
        .map(|(at, _)| (&stem[..at], &stem[at + 1..]))
        .find(|(_, version)| is_version(version))
        .map(|(model, version)| ImageName {
            model: model.to_owned(),
            version: Version::new(version),
        })
        .ok_or(NameError::NoVersion)
}

/// Tells whether `text` may stand behind the underscore: `[0-9][A-Za-z0-9._-]*`.
pub(crate) fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(name: &str) -> Option<(String, String)> {
        parse(name)
            .ok()
            .map(|n| (n.model, n.version.as_str().to_owned()))
    }

    #[test]
    fn the_guides_examples() {
        for (name, model, version) in [
            (
                "bread-compact-wifi_1.6.6.bin",
                "bread-compact-wifi",
                "1.6.6",
            ),
            ("lichuang-dev_2.0.0.bin", "lichuang-dev", "2.0.0"),
            ("esp32s3_1.7.0-beta.bin", "esp32s3", "1.7.0-beta"),
            ("my_board_v_3.0.1.bin", "my_board_v", "3.0.1"),
            ("default_1.0.0.bin", "default", "1.0.0"),
            ("esp32s3_1.9.2_2.bin", "esp32s3", "1.9.2_2"),
            ("小智 板_1.0.bin", "小智 板", "1.0"),
            ("_x_1.0.bin", "_x", "1.0"),
            // `_1 x` can be no version, so the grammar looks further.
            ("my_1 board_2.0.bin", "my_1 board", "2.0"),
        ] {
            assert_eq!(parts(name), Some((model.into(), version.into())), "{name}");
        }
    }

    #[test]
    fn what_is_refused_and_why() {
        assert_eq!(parse("README.txt"), Err(NameError::NotBin));
        assert_eq!(parse("esp32s3_1.0.BIN"), Err(NameError::NotBin));
        assert_eq!(parse("nounderscore.bin"), Err(NameError::NoVersion));
        assert_eq!(parse("esp32s3_beta.bin"), Err(NameError::NoVersion));
        assert_eq!(parse("_1.0.bin"), Err(NameError::NoVersion));
        assert_eq!(parse("a_1.0+x.bin"), Err(NameError::NoVersion));
        assert_eq!(parse("a\n_1.0.bin"), Err(NameError::ControlCharacter));
        assert_eq!(parse(".bin"), Err(NameError::NoVersion));
    }

    proptest! {
        #[test]
        fn model_and_version_come_back(model in "[a-zA-Z][a-zA-Z-]{0,12}(_[a-z]{1,5}){0,2}",
                                       version in "[0-9][A-Za-z0-9._-]{0,12}") {
            prop_assert_eq!(parts(&format!("{model}_{version}.bin")), Some((model, version)));
        }

        #[test]
        fn any_text_is_judged_without_a_panic(name in any::<String>()) {
            if let Ok(n) = parse(&name) {
                prop_assert_eq!(format!("{}_{}.bin", n.model, n.version), name);
                prop_assert!(is_version(n.version.as_str()));
            }
        }
    }
}
