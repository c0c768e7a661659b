//! What a device says of itself at a check-in.

use super::json::{self, Fault, Scalar};
use std::borrow::Cow;

/// The part of the posted body that a decision needs. The body's shape is
/// `GetSystemInfoJson` in the firmware's `boards/common/board.cc`.
///
/// Where a key comes twice, the first one counts: an unescaped Wi-Fi name can
/// write keys of its own into the body, but only behind those that identify the
/// device.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report<'a> {
    /// `application.version`, what the device runs.
    pub version: Option<Cow<'a, str>>,
    /// `board.name`, the precise one.
    pub board_name: Option<Cow<'a, str>>,
    /// `board.type`, shared by the variants of a board.
    pub board_type: Option<Cow<'a, str>>,
    /// `model`, at the top, which some third-party firmware sends.
    pub model: Option<Cow<'a, str>>,
    /// Where the body stopped being JSON.
    pub fault: Option<Fault>,
}

impl<'a> Report<'a> {
    /// Reads a body, as far as it can be read. Empty strings and values that
    /// are no strings count as absent.
    pub fn read(body: &'a [u8]) -> Self {
        let mut report = Self::default();
        report.fault = json::read(body, |path, value| {
            let Scalar::String(text) = value else { return };
            let slot = match path {
                [b"application", b"version"] => &mut report.version,
                [b"board", b"name"] => &mut report.board_name,
                [b"board", b"type"] => &mut report.board_type,
                [b"model"] => &mut report.model,
                _ => return,
            };
            if slot.is_none() {
                *slot = Some(text.text()).filter(|text| !text.is_empty());
            }
        })
        .err();
        report
    }
}

/// A check-in: the headers' part and the body's.
#[derive(Debug, Default)]
pub struct CheckIn<'a> {
    /// `Device-Id`, the MAC address.
    pub device: &'a str,
    /// `Client-Id`, a UUID.
    pub client: &'a str,
    /// The first of the headers that name a model.
    pub model_header: Option<&'a str>,
    /// The first of the headers that name a version.
    pub version_header: Option<&'a str>,
    /// The body's part.
    pub report: Report<'a>,
}

/// The model of a device that names none, and of the files meant for it.
pub const DEFAULT_MODEL: &str = "default";

impl CheckIn<'_> {
    /// The models that the device answers to, the most precise first. A header
    /// is an explicit word and stands alone.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let report = &self.report;
        let of_body = [&report.board_name, &report.board_type, &report.model];
        let of_body = of_body.into_iter().flatten().map(AsRef::as_ref);
        self.model_header
            .into_iter()
            .chain(of_body.filter(|_| self.model_header.is_none()))
    }

    /// The model as xiaozhi-server finds it, which never looks at `board.name`:
    /// it is a part of the MQTT client id, which other servers take apart.
    pub fn upstream_model(&self) -> &str {
        self.model_header
            .or(self.report.board_type.as_deref())
            .or(self.report.model.as_deref())
            .unwrap_or(DEFAULT_MODEL)
    }

    /// The version that the device runs; `0.0.0` if it said none.
    pub fn version(&self) -> &str {
        self.version_header
            .or(self.report.version.as_deref())
            .unwrap_or("0.0.0")
    }

    /// The body broke before it said what the device is.
    pub fn is_unidentified(&self) -> bool {
        self.report.fault.is_some() && self.models().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_in(body: &str) -> CheckIn<'_> {
        CheckIn {
            report: Report::read(body.as_bytes()),
            ..CheckIn::default()
        }
    }

    fn models(c: &CheckIn<'_>) -> Vec<String> {
        c.models().map(str::to_owned).collect()
    }

    #[test]
    fn models_and_versions_in_their_order() {
        let mut c = check_in(
            r#"{"application":{"version":"1.6.0"},"board":{"type":"t","name":"n"},"model":"m"}"#,
        );
        assert_eq!(models(&c), ["n", "t", "m"]);
        assert_eq!((c.upstream_model(), c.version()), ("t", "1.6.0"));
        c.model_header = Some("h");
        c.version_header = Some("2.0");
        assert_eq!(models(&c), ["h"]);
        assert_eq!((c.upstream_model(), c.version()), ("h", "2.0"));
        let none = check_in("");
        assert_eq!(models(&none), [""; 0]);
        assert_eq!(
            (none.upstream_model(), none.version()),
            ("default", "0.0.0")
        );
        assert!(!none.is_unidentified());
    }

    #[test]
    fn wrong_types_and_empty_strings_are_absent() {
        let c = check_in(
            r#"{"application":{"version":7},"board":{"type":"","name":null},"model":["x"]}"#,
        );
        assert_eq!(models(&c), [""; 0]);
        assert_eq!(c.version(), "0.0.0");
        assert!(!c.is_unidentified());
    }

    #[test]
    fn a_wifi_name_neither_hides_nor_replaces_the_board() {
        for ssid in [
            r#"my "wifi""#,
            r"back\",
            r#"x","type":"other","name":"other"#,
            "x\"},\"model\":\"other\",\"y\":{\"z\":\"",
            "\u{1}\n",
        ] {
            let body = format!(
                r#"{{"application":{{"version":"1.6.0"}},"board":{{"type":"esp32s3","name":"mine","ssid":"{ssid}","rssi":-50}}}}"#
            );
            let c = check_in(&body);
            assert_eq!(models(&c)[..2], ["mine", "esp32s3"], "{ssid}");
            assert_eq!(c.version(), "1.6.0", "{ssid}");
        }
    }

    #[test]
    fn a_name_that_is_cut_short_is_no_name() {
        let c = check_in(r#"{"board":{"type":"esp32s3","name":"my "dev" board"}}"#);
        assert_eq!(models(&c), ["esp32s3"]);
        assert!(check_in(r#"{"board":{"type":"esp3"#).is_unidentified());
        assert!(!check_in(r#"{"board":{"type":"esp32s3""#).is_unidentified());
    }
}
