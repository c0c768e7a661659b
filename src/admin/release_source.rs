//! Source of releases: what is put into the firmware folder and taken out of it, and what
//! waits for that. It is asked on threads that may block. What people order is written down
//! before it is done.

use super::fleet_source::{FileView, Orderer};
use crate::event::{Event, Value};
use crate::firmware::drafts::{Draft, Upload};
use crate::firmware::snapshot::ServedFile;
use crate::firmware::store::ImageContent;
use crate::fleet::{Departure, Forecast};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;
use xiaozhi_device::image::AppImage;

/// Wishes about a draft that is to be published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The model; `None` for the one that the file's name tells.
    pub(crate) model: Option<String>,
    /// The version; `None` for the one inside.
    pub(crate) version: Option<String>,
    /// True where a file of the same name is to be replaced.
    pub(crate) replaces: bool,
    /// Tag of the file that is to be replaced, as it was shown.
    pub(crate) over: Option<String>,
}

/// A draft, and what would come of it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) draft: Draft,
    /// The image in it, where one was found.
    pub(crate) inside: Option<Inside>,
    pub(crate) outcome: Outcome,
}

/// The image that a draft holds.
#[derive(Debug)]
pub(crate) struct Inside {
    /// Length of the image in bytes.
    pub(crate) size: u64,
    /// Its description of itself.
    pub(crate) app: Option<AppImage>,
    /// Place in the draft, where the draft is more than the image.
    pub(crate) place: Option<Event>,
    /// Parts of the draft that are not published.
    pub(crate) left: Vec<Value>,
}

/// Outcome of a draft.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It would be published.
    Ready(Box<Ready>),
    /// It would not.
    Refused {
        /// The reason.
        why: Event,
        /// The remedy.
        needs: Needs,
        /// Words that explain it.
        hints: Vec<Event>,
    },
}

/// A draft that can be published.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Name of the file that it becomes.
    pub(crate) file: String,
    /// Model in that name.
    pub(crate) model: String,
    /// True where a file of this name is replaced.
    pub(crate) replaces: bool,
    /// Tag of that file.
    pub(crate) over: Option<String>,
    /// Consequence for devices, whether they are known or not.
    pub(crate) effect: Event,
    /// Consequence for known devices; `None` where there are none.
    pub(crate) forecast: Option<Forecast>,
    /// Things that may not be meant.
    pub(crate) warnings: Vec<Event>,
    /// Things that are good to know.
    pub(crate) hints: Vec<Event>,
}

/// Remedy against a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Another file.
    File,
    /// Nothing: it is published already.
    Nothing,
    /// A folder that takes it: the file is not to blame.
    Place,
    /// A model. Those that it may be, and those that are known here.
    Model {
        candidates: Vec<String>,
        known: Vec<String>,
    },
    /// Another version.
    Version,
    /// Another version, or that what has the name is replaced.
    Name,
    /// This version, of the same rank.
    Rank(String),
}

/// Something that was done.
#[derive(Debug)]
pub(crate) struct Done {
    /// Name of the file.
    pub(crate) file: String,
    /// Words for whoever did it: what follows, and what danger is left.
    pub(crate) said: Event,
}

/// Reason why something was not done. Nothing was changed.
#[derive(Debug)]
pub(crate) enum Undone {
    /// There is no such file.
    Gone(Event),
    /// It may not be.
    Refused(Event),
    /// It could not be written.
    Unwritten(Event),
}

/// Consequence once a file is deleted.
#[derive(Debug)]
pub(crate) struct Leaving {
    /// Reason why it cannot be.
    pub(crate) hindrance: Option<Event>,
    /// Tag of the file of which all this is said.
    pub(crate) shown: String,
    /// Model that it is offered to, if it is.
    pub(crate) model: Option<String>,
    /// Consequence for known devices.
    pub(crate) departure: Departure,
    /// Word on a pin that stays.
    pub(crate) pin: Option<Event>,
    /// Name of the release notes that stay.
    pub(crate) notes: Option<String>,
}

/// Words on a file beside its verdict.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Things that may not be meant.
    pub(crate) warnings: Vec<Event>,
    /// Its release notes, or why they cannot be read.
    pub(crate) notes: Option<Result<String, Event>>,
}

/// Source of releases.
pub(crate) trait ReleaseSource: Send + Sync + 'static {
    /// Returns the path of the firmware folder.
    fn folder(&self) -> String;

    /// Returns what keeps files from being put into the firmware folder and taken out of it.
    fn shut(&self) -> Option<Event>;

    /// Returns what keeps a file from being sent here, the above included.
    fn takes_none(&self) -> Option<Event>;

    /// Says more of files, in their order.
    fn said(&self, files: &[FileView]) -> Vec<Said>;

    /// Returns the files that wait to be published, the newest first.
    fn drafts(&self, now: SystemTime) -> Vec<Draft>;

    /// Begins a draft. `length` is what is known to come at most, in bytes.
    ///
    /// # Errors
    ///
    /// There is no place for it.
    fn begin(&self, name: &str, length: Option<u64>, now: SystemTime) -> Result<Upload, Undone>;

    /// Says what would come of a draft; `None` where there is none.
    fn plan(&self, id: &str, wish: &Wish, now: SystemTime) -> Option<Plan>;

    /// Publishes a draft, as the plan for the same wish says.
    ///
    /// # Errors
    ///
    /// It was not published.
    fn publish(&self, id: &str, wish: &Wish, by: Orderer<'_>) -> Result<Done, Undone>;

    /// Throws a draft away. Returns its name; `None` where there is none.
    fn throw_away(&self, id: &str, now: SystemTime) -> Option<String>;

    /// Says what follows once a file is deleted; `None` where there is no such file.
    fn leaving(&self, file: &str) -> Option<Leaving>;

    /// Deletes a file, if it still is the one that was shown.
    ///
    /// # Errors
    ///
    /// It is there as before.
    fn delete(&self, file: &str, shown: &str, by: Orderer<'_>) -> Result<Done, Undone>;

    /// Opens a file that can be fetched; `None` where there is no such one.
    fn open(&self, file: &str) -> Option<io::Result<(Arc<ServedFile>, ImageContent)>>;
}
