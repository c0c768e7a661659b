//! Reads what a device says of itself at a check-in.

use crate::json::{self, JsonError, JsonScalar, Take};
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
    /// `application.name`, the project that it runs.
    pub project: Option<Cow<'a, str>>,
    /// `board.name`, the precise one.
    pub board_name: Option<Cow<'a, str>>,
    /// `board.type`, shared by the variants of a board.
    pub board_type: Option<Cow<'a, str>>,
    /// `model`, at the top, which some third-party firmware sends.
    pub model: Option<Cow<'a, str>>,
    /// `true` if there is an object `board`, whatever it holds.
    pub has_board: bool,
    /// `chip_model_name`: `esp32s3`.
    pub chip_name: Option<Cow<'a, str>>,
    /// `chip_info.model`: 1 for the ESP32, the chip id for every other.
    pub chip_model: Option<u64>,
    /// `chip_info.revision`: 100 * major + minor from ESP-IDF 5 on, only the
    /// major number before.
    pub chip_revision: Option<u64>,
    /// `flash_size`, in bytes.
    pub flash_size: Option<u64>,
    /// `application.idf_version`, what the running firmware was built with.
    pub idf_version: Option<Cow<'a, str>>,
    /// `application.elf_sha256`, in hexadecimal.
    pub elf_sha256: Option<Cow<'a, str>>,
    /// `partition_table`, if it can be read to its end.
    pub partitions: Option<Vec<Partition<'a>>>,
    /// `ota.label`: the slot that runs.
    pub running_slot: Option<Cow<'a, str>>,
    /// Place where the body stopped being JSON.
    pub fault: Option<JsonError>,
    /// `true` if the body holds nothing.
    pub is_empty: bool,
}

impl<'a> Report<'a> {
    /// Reads a body, as far as it can be read. Empty strings count as absent, and so do
    /// values that are no strings, but for versions and models: of those Python takes what
    /// is not empty, zero, false or null for one.
    pub fn read(body: &'a [u8]) -> Self {
        // Editors and some libraries of Windows put it there.
        let (mark, body) = match body.strip_prefix("\u{feff}".as_bytes()) {
            Some(rest) => (body.len() - rest.len(), rest),
            None => (0, body),
        };
        let mut reading = Reading {
            report: Self::default(),
            table: None,
            has_table: false,
        };
        let read = json::read(body, &mut reading);
        let mut report = reading.report;
        report.is_empty = body.trim_ascii().is_empty();
        report.fault = read.err().map(|fault| JsonError {
            offset: fault.offset + mark,
            ..fault
        });
        report
    }

    /// The texts that name a version or a model.
    fn named_slot(&mut self, path: &[&[u8]]) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match path {
            [b"application", b"version"] => &mut self.version,
            [b"board", b"name"] => &mut self.board_name,
            [b"board", b"type"] => &mut self.board_type,
            [b"model"] => &mut self.model,
            _ => return None,
        })
    }

    fn text_slot(&mut self, path: &[&[u8]]) -> Option<&mut Option<Cow<'a, str>>> {
        Some(match path {
            [b"application", b"name"] => &mut self.project,
            [b"application", b"elf_sha256"] => &mut self.elf_sha256,
            [b"application", b"idf_version"] => &mut self.idf_version,
            [b"chip_model_name"] => &mut self.chip_name,
            [b"ota", b"label"] => &mut self.running_slot,
            _ => return None,
        })
    }
}

/// A report that is being read.
struct Reading<'a> {
    report: Report<'a>,
    /// The table that was looked into and does not count yet.
    table: Option<Vec<Partition<'a>>>,
    /// True once a table counts, readable or not.
    has_table: bool,
}

impl<'a> Take<'a> for Reading<'a> {
    fn value(&mut self, keys: &[&[u8]], value: JsonScalar<'a>) {
        let report = &mut self.report;
        if let Some(slot) = report.named_slot(keys) {
            if slot.is_none() {
                *slot = value.text();
            }
            return;
        }
        match value {
            JsonScalar::String(text) => {
                if let Some(slot) = report.text_slot(keys)
                    && slot.is_none()
                {
                    *slot = Some(text.text()).filter(|text| !text.is_empty());
                }
            }
            JsonScalar::Number(_) => {
                let slot = match keys {
                    [b"chip_info", b"model"] => &mut report.chip_model,
                    [b"chip_info", b"revision"] => &mut report.chip_revision,
                    [b"flash_size"] => &mut report.flash_size,
                    _ => return,
                };
                *slot = slot.or(value.number());
            }
            JsonScalar::Array(_) => {
                if let [b"partition_table"] = keys
                    && !self.has_table
                {
                    self.has_table = true;
                    report.partitions = self.table.take();
                }
            }
            JsonScalar::Object(_) => report.has_board |= matches!(keys, [b"board"]),
            JsonScalar::True | JsonScalar::Other => {}
        }
    }

    fn array(&mut self, keys: &[&[u8]], text: &'a [u8]) -> Option<usize> {
        if !matches!(keys, [b"partition_table"]) || self.has_table {
            return None;
        }
        let mut partitions = Vec::with_capacity(USUAL_PARTITIONS);
        let read = json::objects(text, |number, key, value| {
            if number >= MAX_PARTITIONS {
                return;
            }
            if partitions.len() <= number {
                partitions.resize_with(number + 1, Partition::default);
            }
            let Some(partition) = partitions.last_mut() else {
                return;
            };
            match (key, value) {
                (b"label", JsonScalar::String(text)) => partition.label = text.text(),
                (b"type", value) => partition.kind = value.number(),
                (b"subtype", value) => partition.subtype = value.number(),
                (b"size", value) => partition.size = value.number(),
                _ => {}
            }
        });
        let length = read.ok()?;
        self.table = Some(partitions).filter(|partitions| !partitions.is_empty());
        Some(length)
    }
}

/// One line of a device's partition table.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Partition<'a> {
    /// Its name: `ota_0`, `assets`.
    pub label: Cow<'a, str>,
    /// `esp_partition_type_t`: 0 is an app.
    pub kind: Option<u64>,
    /// `esp_partition_subtype_t`: 0x10 to 0x1F are the slots of an app.
    pub subtype: Option<u64>,
    /// Length in bytes.
    pub size: Option<u64>,
}

/// Most tables have no more.
const USUAL_PARTITIONS: usize = 8;
/// A real table has room for so many (`ESP_PARTITION_TABLE_MAX_ENTRIES`); what
/// a liar adds is not looked at.
const MAX_PARTITIONS: usize = 95;

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
        let report = &self.report;
        let of_body = if report.has_board {
            &report.board_type
        } else {
            &report.model
        };
        self.model_header
            .or(of_body.as_deref())
            .unwrap_or(DEFAULT_MODEL)
    }

    /// The version that the device runs; `0.0.0` if it said none.
    pub fn version(&self) -> &str {
        self.version_header
            .or(self.report.version.as_deref())
            .unwrap_or("0.0.0")
    }

    /// The body broke before it said what the device is, or was lost: it could be any
    /// board's.
    pub fn is_unidentified(&self) -> bool {
        let is_lost = self.report.is_empty || self.report.fault.is_some();
        is_lost && self.models().next().is_none()
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
        for lost in ["", " \r\n", "\u{feff}"] {
            assert!(check_in(lost).is_unidentified(), "{lost:?}");
        }
        assert!(!check_in("{}").is_unidentified());
    }

    #[test]
    fn what_python_takes_for_false_is_absent() {
        for value in [
            "0", "-0", "0.0", "0e5", "false", "null", r#""""#, "[]", "[ ]", "{}", "{ }",
        ] {
            let body = format!(
                r#"{{"application":{{"version":{value}}},"board":{{"type":{value},"name":{value}}},"model":{value}}}"#
            );
            let c = check_in(&body);
            assert_eq!(models(&c), [""; 0], "{value}");
            assert_eq!(
                (c.upstream_model(), c.version()),
                ("default", "0.0.0"),
                "{value}"
            );
            assert!(!c.is_unidentified(), "{value}");
        }
    }

    #[test]
    fn versions_and_models_that_are_no_strings_count_by_their_text() {
        for (value, text) in [
            ("7", "7"),
            ("1.10", "1.10"),
            ("-1", "-1"),
            ("1e3", "1e3"),
            ("true", "True"),
            (r#"["x"]"#, r#"["x"]"#),
            (r#"{"a": 1}"#, r#"{"a": 1}"#),
            ("NaN", "NaN"),
            ("-Infinity", "-Infinity"),
        ] {
            let body =
                format!(r#"{{"application":{{"version":{value}}},"board":{{"type":{value}}}}}"#);
            let c = check_in(&body);
            assert_eq!((c.upstream_model(), c.version()), (text, text), "{value}");
            assert_eq!(c.report.fault, None, "{value}");
        }
    }

    #[test]
    fn a_board_that_names_no_type_hides_the_model_from_the_mqtt_account() {
        let upstream = |body: &str| check_in(body).upstream_model().to_owned();
        assert_eq!(upstream(r#"{"board":{},"model":"m"}"#), "default");
        assert_eq!(upstream(r#"{"board":5,"model":"m"}"#), "m");
        assert_eq!(upstream(r#"{"model":"m"}"#), "m");
        assert_eq!(models(&check_in(r#"{"board":{},"model":"m"}"#)), ["m"]);
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let c = check_in("\u{feff}{\"board\":{\"type\":\"t\"}}");
        assert_eq!((models(&c), c.report.fault), (vec!["t".to_owned()], None));
        let broken = check_in("\u{feff}[]");
        assert_eq!(broken.report.fault.map(|f| f.offset), Some(3));
    }

    #[test]
    fn a_table_counts_where_it_is_json_to_its_end() {
        let line = |label: &str, size: &str| {
            format!(r#"{{"label":"{label}","type":0,"subtype":16,"address":65536,"size":{size}}}"#)
        };
        let partition = |label: &str, size| Partition {
            label: label.to_owned().into(),
            kind: Some(0),
            subtype: Some(16),
            size,
        };
        let one = |label: &str, size| Some(vec![partition(label, size)]);
        let many = vec![line("a", "1"); 200].join(",");
        for (table, expected) in [
            (line("ota_0", "4128768"), one("ota_0", Some(4_128_768))),
            (
                [line("nvs", "0"), line("", "9999999999")].join(", "),
                Some(vec![
                    partition("nvs", Some(0)),
                    partition("", Some(9_999_999_999)),
                ]),
            ),
            (many, Some(vec![partition("a", Some(1)); MAX_PARTITIONS])),
            (line(r"\u006fta", "1"), one("ota", Some(1))),
            (
                line("seventeen letters", "1"),
                one("seventeen letters", Some(1)),
            ),
            (line("a", "99999999999999999999999"), one("a", None)),
            (line("a", "-1"), one("a", None)),
            (line("a", "01"), None),
            (line("a", "1") + ",", None),
            (line("a", "1").trim_end_matches('}').to_owned(), None),
            (String::new(), None),
        ] {
            let body = format!(r#"{{"partition_table": [{table}]}}"#);
            let report = Report::read(body.as_bytes());
            assert_eq!(report.partitions, expected, "{table}");
        }
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
