//! The chips that an image can be made for.

use std::fmt;

/// A chip id as it stands in an image's header (`esp_chip_id_t` in ESP-IDF's
/// `esp_app_format.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chip(pub u16);

/// Ids and names, the latter as firmware reports them (`CONFIG_IDF_TARGET`).
const NAMES: [(u16, &str); 14] = [
    (0, "esp32"),
    (2, "esp32s2"),
    (5, "esp32c3"),
    (9, "esp32s3"),
    (12, "esp32c2"),
    (13, "esp32c6"),
    (16, "esp32h2"),
    (18, "esp32p4"),
    (20, "esp32c61"),
    (23, "esp32c5"),
    (25, "esp32h21"),
    (28, "esp32h4"),
    (31, "esp32e22"),
    (32, "esp32s31"),
];

impl Chip {
    /// The chip of that name: `esp32s3`, also written `ESP32-S3`.
    pub fn from_name(name: &str) -> Option<Self> {
        let same = |known: &str| {
            let letters = name.bytes().filter(|b| *b != b'-');
            letters.map(|b| b.to_ascii_lowercase()).eq(known.bytes())
        };
        let (id, _) = NAMES.iter().find(|(_, known)| same(known))?;
        Some(Self(*id))
    }

    /// The chip of a part number, `ESP32-D0WDQ6` or `ESP32-S3-WROOM-1`: the
    /// longest name that it begins with.
    pub fn of_part(part: &str) -> Option<Self> {
        let part: String = part.split('-').collect();
        let part = part.to_ascii_lowercase();
        let fitting = NAMES.iter().filter(|(_, name)| part.starts_with(name));
        let (id, _) = fitting.max_by_key(|(_, name)| name.len())?;
        Some(Self(*id))
    }

    /// The chip that `esp_chip_info()` calls `model` (`esp_chip_model_t`): 1 for
    /// the ESP32, the chip id for every other.
    pub fn from_model(model: u32) -> Option<Self> {
        match model {
            0 => None,
            1 => Some(Self(0)),
            other => u16::try_from(other).ok().map(Self),
        }
    }

    /// The name, if it is one of the chips that are known here.
    pub fn name(self) -> Option<&'static str> {
        NAMES.iter().find(|(id, _)| *id == self.0).map(|(_, n)| *n)
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "a chip with the id {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ids_and_models() {
        for (id, name) in NAMES {
            assert_eq!(Chip::from_name(name), Some(Chip(id)));
            assert_eq!(Chip(id).to_string(), name);
        }
        assert_eq!(Chip::from_name("ESP32-S3"), Some(Chip(9)));
        assert_eq!(Chip::from_name("esp8266"), None);
        assert_eq!(Chip::of_part("ESP32-D0WDQ6"), Some(Chip(0)));
        assert_eq!(Chip::of_part("ESP32-S3-WROOM-1"), Some(Chip(9)));
        assert_eq!(Chip::of_part("esp8266"), None);
        assert_eq!(Chip(99).to_string(), "a chip with the id 99");
        assert_eq!(Chip::from_model(1), Some(Chip(0)));
        assert_eq!(Chip::from_model(9), Some(Chip(9)));
        assert_eq!(
            (Chip::from_model(0), Chip::from_model(70_000)),
            (None, None)
        );
    }
}
