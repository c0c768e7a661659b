//! Reasons why a file is not offered.

use super::super::homes::{self, OtherHome};
use super::super::name::Misnamed;
use super::super::{FolderSettings, Verify};
use crate::event::text::Text;
use crate::event::{Event, event};
use std::fmt;
use std::sync::Arc;
use xiaozhi_device::image::{AppImage, Foreign, ImageFault, Verdict};
use xiaozhi_device::version::is_device_safe;

/// The longest file that is read, in bytes: the largest flash that an image can ask
/// for (`ESP_IMAGE_FLASH_SIZE_128MB` in ESP-IDF's `esp_app_format.h`). What is longer
/// would be read for hours while good files wait.
pub(super) const LONGEST: u64 = 128 << 20;

/// Reason why a file is not offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Nobody could ask for it by its name, or it would hurt who does.
    Name(Box<Misnamed>),
    /// A folder, a pipe, a device.
    NotAFile {
        /// Its kind.
        what: Text,
        /// The files in it that might be meant.
        holds: Arc<[String]>,
    },
    /// Nothing in it.
    Empty,
    /// No flash holds it.
    TooLong {
        /// Its length.
        length: u64,
    },
    /// The system does not let us, or the disk fails.
    Unreadable {
        /// The system's word.
        reason: String,
        /// Cause of that, and what to do.
        what: Box<Event>,
    },
    /// A fault of ours shows in it.
    Breaks {
        /// The panic that it is, in words.
        why: String,
    },
    /// Its content would fail on the device.
    Image(ImageFault),
    /// Another server's address is compiled in, where only ours is wanted.
    OtherHome(Box<OtherHome>),
    /// No ESP image, where only those are wanted.
    Foreign(Foreign),
    /// It is something else, and its name has no version either.
    Other(Foreign),
    /// A link out of the folder, and no whole app image behind it.
    LeadsOut {
        /// Place to which it leads.
        target: String,
        /// The kind of file that is there.
        foreign: Foreign,
    },
    /// The folder and the bytes that were read do not show one state.
    Changed,
}

impl From<&Unusable> for Event {
    fn from(why: &Unusable) -> Self {
        why.with_command(None)
    }
}

impl Unusable {
    /// Returns the reason with the command that makes a firmware of the file, where there is
    /// one: `command::mending` finds it.
    pub(crate) fn with_command(&self, command: Option<String>) -> Event {
        let of = |foreign: &Foreign| Event::from(foreign).with("command", command.clone());
        match self {
            Unusable::Name(misnamed) => Event::from(&**misnamed).with("command", command),
            Unusable::NotAFile { what, holds } => {
                event!(IMAGE_NO_FILE, what = *what, holds = holds.first())
            }
            Unusable::Empty => event!(IMAGE_EMPTY),
            Unusable::TooLong { length } => {
                event!(IMAGE_TOO_LONG, length = *length, longest = LONGEST)
            }
            Unusable::Unreadable { reason, what } => {
                event!(IMAGE_UNREADABLE, reason = reason, what = &**what)
            }
            Unusable::Breaks { why } => event!(IMAGE_BREAKS, why = why),
            Unusable::Image(fault) => Event::from(fault).with("command", command),
            Unusable::OtherHome(other) => other.refusal(),
            Unusable::Foreign(foreign) => event!(IMAGE_STRICT, what = of(foreign)),
            Unusable::Other(foreign) => of(foreign),
            Unusable::LeadsOut { target, foreign } => {
                event!(IMAGE_LINK_OUT, target = target, what = of(foreign))
            }
            Unusable::Changed => event!(IMAGE_CHANGED),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Event::from(self).fmt(f)
    }
}

impl std::error::Error for Unusable {}

impl From<Misnamed> for Unusable {
    fn from(misnamed: Misnamed) -> Self {
        Self::Name(Box::new(misnamed))
    }
}

impl From<ImageFault> for Unusable {
    fn from(fault: ImageFault) -> Self {
        Self::Image(fault)
    }
}

/// Tells whether a file of this kind may be offered.
pub(crate) fn offerable(verdict: &Verdict, settings: &FolderSettings) -> Result<(), Unusable> {
    match verdict {
        Verdict::App(app) => image_offerable(app, settings),
        Verdict::Foreign(foreign) if settings.verify == Verify::Strict => {
            Err(Unusable::Foreign(*foreign))
        }
        Verdict::Foreign(_) => Ok(()),
        Verdict::Rejected(fault) => Err(fault.clone().into()),
    }
}

/// Tells the same of an app image that is whole. A project that counts as xiaozhi has its
/// rules.
pub(super) fn image_offerable(app: &AppImage, settings: &FolderSettings) -> Result<(), Unusable> {
    if settings.projects.is_xiaozhi(&app.project) && !is_device_safe(&app.version) {
        let version = app.version.clone();
        return Err(ImageFault::UnsafeVersion { version }.into());
    }
    match homes::refused(app, settings) {
        Some(other) => Err(Unusable::OtherHome(Box::new(other))),
        None => Ok(()),
    }
}
