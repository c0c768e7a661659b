//! The name of a firmware file: `{model}_{version}.bin`.
//!
//! The grammar is xiaozhi-server's (`^(.+?)_([0-9][A-Za-z0-9._-]*)\.bin$`): the
//! version starts at the first underscore that a digit follows and behind which
//! everything may stand in a version. One grammar serves scan and download, so
//! that nothing is ever offered that cannot be fetched.
//!
//! [`near`] finds the file whose name is nearly a model's, `suggest` a name that would
//! do, `passed_over` what is plainly no firmware.

pub(super) mod copies;
pub mod near;
pub(super) mod notes;
mod passed_over;
mod suggest;

pub use passed_over::is_passed_over;

use crate::event::text::Text;
use crate::event::{Event, event};
use std::borrow::Cow;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};
use xiaozhi_device::image::Foreign;
use xiaozhi_device::version::{Version, is_device_safe};

/// A file name that follows the grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    /// The part before the version: `lichuang-dev`, `my_board_v`, `default`. As
    /// [`model_key`] has it.
    pub model: String,
    /// The version that the name promises.
    pub version: Version,
}

/// Reason why a file name is none of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameError {
    /// The name does not end in `.bin`.
    NotBin,
    /// No underscore with a digit behind it, or characters that no version has.
    NoVersion,
    /// A control character, which would garble logs and addresses.
    ControlCharacter,
    /// Bytes that are no text: nobody could ask for it.
    NotUtf8,
    /// The firmware's parser (`main/ota.cc`, `ParseVersion`) throws on its version.
    UnsafeVersion {
        /// The version in the name.
        version: String,
    },
    /// It is called an archive.
    Archive,
    /// It is called a full flash image.
    FullFlash,
}

/// A file name that is none of ours, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misnamed {
    /// The reason.
    pub error: NameError,
    /// The name, as far as it is text.
    file: String,
    /// Sign that does not fit, as it may be shown.
    sign: Option<String>,
    /// A name that would do. An image has one: what else lies there no name makes one.
    name: Option<String>,
    /// The name that would be the first choice, and is another file's.
    taken: Option<String>,
    /// True where it was read, and holds a zip archive.
    holds_zip: bool,
}

impl Misnamed {
    /// Finds out what is wrong with a name. `None`: it can be used.
    pub fn find(file: &str) -> Option<Self> {
        let error = match parse(file) {
            Ok(name) if is_device_safe(name.version.as_str()) => return None,
            Ok(name) => NameError::UnsafeVersion {
                version: name.version.to_string(),
            },
            Err(NameError::ControlCharacter) => NameError::ControlCharacter,
            Err(error) => suggest::is_called(file).unwrap_or(error),
        };
        Some(Self {
            sign: suggest::sign(file, &error, None),
            ..Self::new(error, file)
        })
    }

    fn new(error: NameError, file: &str) -> Self {
        Self {
            error,
            file: file.to_owned(),
            sign: None,
            name: None,
            taken: None,
            holds_zip: false,
        }
    }

    /// Finds out the same of a name that is no text.
    pub(crate) fn not_utf8(bytes: &[u8]) -> Self {
        let end = str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        let (text, rest) = bytes.split_at(end);
        // What cannot be read behind the version is the mark of a copy; in front of it, a
        // part of the model.
        let text = format!("{}.bin", String::from_utf8_lossy(text));
        Self {
            sign: rest.first().map(|byte| format!("0x{byte:02X}")),
            ..Self::new(NameError::NotUtf8, &text)
        }
    }

    /// Reason for a version that stands in no file's name.
    pub(crate) fn unsafe_version(version: &Version) -> Self {
        let version = version.to_string();
        Self::new(NameError::UnsafeVersion { version }, "")
    }

    /// Returns the same of what was found to be an app image that holds the version `inside`,
    /// whatever it is called: with a name that would do, by that version, which is what devices
    /// report. `is_taken` says whether a file has a name.
    #[must_use]
    pub(crate) fn of_image(mut self, inside: &str, is_taken: impl Fn(&str) -> bool) -> Self {
        match self.error {
            NameError::FullFlash => self.error = NameError::NoVersion,
            NameError::Archive => self.error = NameError::NotBin,
            _ => {}
        }
        let first = suggest::of_image(&self.file, inside).filter(|name| *name != self.file);
        if self.error != NameError::NotUtf8 {
            self.sign = suggest::sign(&self.file, &self.error, first.as_deref());
        }
        let Some(first) = first else {
            return self;
        };
        if !is_taken(&first) {
            self.name = Some(first);
            return self;
        }
        // A suffix of digits is a later build of the same version.
        let stem = first.strip_suffix(".bin").unwrap_or(&first);
        let builds = (2..=99).map(|build| format!("{stem}_{build}.bin"));
        self.name = builds
            .filter(|name| suggest::is_good(name))
            .find(|name| !is_taken(name));
        self.taken = Some(first);
        self
    }

    /// Returns the same of what was found to be a zip archive, or not to be one.
    #[must_use]
    pub(crate) fn of_zip(self, holds_zip: bool) -> Self {
        Self { holds_zip, ..self }
    }

    /// Tells whether it holds a zip archive.
    pub(crate) fn holds_zip(&self) -> bool {
        self.holds_zip
    }

    /// Tells whether an image can be fetched under this name all the same.
    pub(crate) fn can_be_fetched(&self) -> bool {
        self.error == NameError::NoVersion
    }

    /// Tells whether the name says enough of a file that is what `foreign` says: it does not
    /// pretend to be an image.
    pub(crate) fn says_enough(&self, foreign: &Foreign) -> bool {
        match self.error {
            NameError::Archive => foreign.is_archive(),
            NameError::NotBin => foreign.is_text() && !self.file.to_lowercase().contains(".bin"),
            _ => false,
        }
    }

    /// Returns the name that would do if the file held what its name says.
    pub(crate) fn suggested(&self) -> Option<String> {
        suggest::name(&self.file).filter(|name| *name != self.file)
    }
}

/// Advice on an archive that `publish` does not open.
const UNPACK: Text = Text::new(
    "请先解压，再将其中的应用固件 xiaozhi.bin 或完整的 flash 镜像 merged-binary.bin 交给 xiaozhi-ota publish",
    "unpack it, and give the app image in it, xiaozhi.bin, or the full flash image, merged-binary.bin, to xiaozhi-ota publish",
);

impl From<&Misnamed> for Event {
    fn from(misnamed: &Misnamed) -> Self {
        let Misnamed {
            sign, name, taken, ..
        } = misnamed.clone();
        match &misnamed.error {
            NameError::NotBin => event!(NAME_NOT_BIN, sign = sign, name = name, taken = taken),
            NameError::NoVersion => {
                event!(NAME_NO_VERSION, sign = sign, name = name, taken = taken)
            }
            NameError::ControlCharacter => {
                event!(NAME_CONTROL, sign = sign, name = name, taken = taken)
            }
            NameError::NotUtf8 => event!(NAME_NOT_UTF8, sign = sign, name = name, taken = taken),
            NameError::UnsafeVersion { version } => event!(
                NAME_UNSAFE_VERSION,
                version = version,
                name = name,
                taken = taken
            ),
            NameError::Archive => {
                event!(
                    NAME_ARCHIVE,
                    other = (!misnamed.holds_zip).then_some(UNPACK)
                )
            }
            NameError::FullFlash => event!(NAME_FULL_FLASH),
        }
    }
}

/// Returns what is to be said of a name that can be used, and whose model nobody
/// reports: with blanks or underscores around it, or signs that leave no mark.
pub(crate) fn odd_model(file: &str) -> Option<Event> {
    let model = parse(file).ok()?.model;
    if suggest::tidied_model(&model) == model {
        return None;
    }
    let (name, taken) = (suggest::name(file), None::<String>);
    Some(event!(
        NAME_ODD_MODEL,
        model = format!("{model:?}"),
        name = name,
        taken = taken
    ))
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
            model: model_key(model).into_owned(),
            version: Version::new(version),
        })
        .ok_or(NameError::NoVersion)
}

/// Returns the one spelling of a model: its letters composed (NFC). A Mac writes the
/// names of files with accents and letters apart (NFD), and looks the same.
pub fn model_key(model: &str) -> Cow<'_, str> {
    if model.is_ascii() || is_nfc(model) {
        model.into()
    } else {
        model.nfc().collect::<String>().into()
    }
}

/// Tells whether `text` may stand behind the underscore: `[0-9][A-Za-z0-9._-]*`.
pub(crate) fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(fits_version)
}

/// Tells whether a character may stand in a version.
fn fits_version(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests;
