//! One file of the folder: what is known of it, and what was said.

use super::super::snapshot::{Entry, ServedFile};
use super::judge::Listed;
use super::state::State;
use crate::event::{Event, Severity, Value};
use std::sync::Arc;

/// One file, by its name in the folder.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) state: State,
    /// Name and place, once it was seen to be usable.
    pub(super) listed: Option<Listed>,
    /// Image of it that the snapshot has.
    pub(super) entry: Option<Arc<Entry>>,
    /// The file, where it can be fetched and is offered to nobody.
    pub(super) served: Option<Arc<ServedFile>>,
    /// Event that was told of it while it was not offered, so that it is told once.
    pub(super) said: Option<Event>,
    /// Firmware in it, where it is a folder.
    pub(super) holds: Arc<[String]>,
    /// Event that was told of its signature.
    pub(super) said_of_signature: Option<Event>,
    /// Warnings that were told of the image that is offered.
    pub(super) remarks: Vec<Event>,
    /// Event that was told of the home that it carries.
    pub(super) said_of_home: Option<Event>,
}

impl File {
    pub(super) fn is_in_snapshot(&self) -> bool {
        self.entry.is_some() || self.served.is_some()
    }

    /// Returns why it cannot be fetched, where that is known.
    pub(super) fn unused(&self) -> Option<&Event> {
        let said = self.said.as_ref();
        let said = said.filter(|_| !self.is_in_snapshot() && !self.state.is_unread())?;
        match said.field("why") {
            Some(Value::Event(why)) => Some(why),
            _ => Some(said),
        }
    }

    /// Returns the warnings that hold of it. `is_offered` tells so of another file, for two
    /// that do not go together are none any more when one is gone.
    pub(super) fn warnings(
        &self,
        is_offered: &dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = &Event> {
        let of_image = self.remarks.iter().chain(&self.said_of_signature);
        let of_image = of_image.chain(&self.said_of_home);
        let of_image = of_image.filter(|_| self.entry.is_some());
        let said = self.said.iter().filter(|_| self.entry.is_none());
        of_image.chain(said).filter(|event| {
            let is_there = match event.field("other") {
                Some(Value::Text(other)) => is_offered(other),
                _ => true,
            };
            is_there && event.kind.severity == Severity::Warning
        })
    }
}
