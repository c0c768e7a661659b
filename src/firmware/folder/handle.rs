//! The way to the keeper: messages, and the handle that ends it.

use super::super::FolderSettings;
use super::super::snapshot::Snapshot;
use super::reader::Done;
use super::watch::Change;
use arc_swap::ArcSwap;
use std::sync::mpsc::Sender;
use std::sync::{Condvar, Mutex};

/// State that the keeper and the catalogue's users share.
#[derive(Debug, Default)]
pub(in crate::firmware) struct Shared {
    pub(in crate::firmware) snapshot: ArcSwap<Snapshot>,
    pub(in crate::firmware) first_look_done: Mutex<bool>,
    /// Reason why the folder could not be listed at the last look; `None` where it was.
    pub(in crate::firmware) fault: Mutex<Option<String>>,
    pub(in crate::firmware) first_look: Condvar,
}

/// A message to the keeper.
#[derive(Debug)]
pub(super) enum Message {
    /// The kernel, by one of its watches.
    Heard { watch: u64, change: Change },
    /// A file was read.
    Read(Box<Done>),
    /// A file that is offered could not be opened.
    Doubt(String),
    /// Somebody asks: look again, at what was refused, too.
    LookAgain,
    /// Other settings hold from now on, in the same folder.
    Settings(FolderSettings),
    /// Nobody wants to know any more.
    End,
}

/// A keeper at work. It ends with this value.
#[derive(Debug)]
pub(in crate::firmware) struct KeeperHandle(pub(super) Sender<Message>);

impl KeeperHandle {
    /// Asks for a look at the folder.
    pub(in crate::firmware) fn look_again(&self) {
        let _ = self.0.send(Message::LookAgain);
    }

    /// Keeps the folder by other settings from now on. The folder itself stays.
    pub(in crate::firmware) fn change(&self, settings: FolderSettings) {
        let _ = self.0.send(Message::Settings(settings));
    }

    /// Says that a file could not be opened.
    pub(in crate::firmware) fn doubt(&self, file: &str) {
        let _ = self.0.send(Message::Doubt(file.to_owned()));
    }
}

impl Drop for KeeperHandle {
    fn drop(&mut self) {
        let _ = self.0.send(Message::End);
    }
}
