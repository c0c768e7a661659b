//! Source of what the admin address shows beside the fleet itself: files, and orders, which
//! are written down before they are acknowledged. It is asked on threads that may block.

use super::server_source::BackendView;
use crate::event::Event;
use crate::firmware::snapshot::Entry;
use crate::fleet::orders::Act;
use crate::fleet::{Content, DeviceId, Fleet, Hours, Profile, Prospect, Record, Step};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// A file of the firmware folder.
#[derive(Debug, Clone)]
pub(crate) struct FileView {
    /// Its name.
    pub(crate) file: String,
    /// Model in its name.
    pub(crate) model: Option<String>,
    /// Version in its name.
    pub(crate) version: Option<String>,
    /// Its size in bytes, where it was read.
    pub(crate) size: Option<u64>,
    /// SHA-256 of the whole file, where it was read.
    pub(crate) sha256: Option<[u8; 32]>,
    /// `ready` is offered, `served` is fetched by name only, `waiting` is not read yet,
    /// `refused` is not used.
    pub(crate) verdict: &'static str,
    /// The image, where it is offered.
    pub(crate) entry: Option<Arc<Entry>>,
    /// Reason why it is not.
    pub(crate) why: Option<Event>,
}

/// Reason why an order is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderError {
    /// Nobody knows the device.
    NoDevice,
    /// The store is still being read, and the device may be among them.
    StillReading,
    /// The device was never offered the file.
    NoFile,
    /// It cannot be written down, and what is not written is not acknowledged.
    NotKept(Box<Event>),
}

/// Outcome of an order to try again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RetryDone {
    /// Number of images that the device gets again, and did not before.
    pub(crate) retried: u64,
    /// Number of images whose failures count no more; those are among them.
    pub(crate) cleared: u64,
}

/// Person, or program, that orders something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Orderer<'a> {
    /// Name of its token.
    pub(crate) name: &'a str,
    /// Its address.
    pub(crate) from: IpAddr,
    /// Time of the order.
    pub(crate) now: SystemTime,
}

/// Place to begin at, for whoever has no device yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    /// Address to type into a device.
    pub(crate) ota_url: String,
    /// Folder for firmware.
    pub(crate) folder: String,
    /// Number of files in it that are ready to be offered.
    pub(crate) ready: usize,
}

/// Source of files and orders, and the fleet that they are about.
pub(crate) trait FleetSource: Send + Sync + 'static {
    /// Returns the fleet.
    fn fleet(&self) -> &Fleet;

    /// Returns every file of the firmware folder, by name, as the snapshot has it.
    fn files(&self) -> Vec<FileView>;

    /// Counts for each file that is offered, by its name, the known devices that could get it:
    /// their model it is, and no guard keeps it from them, whatever they run and whatever else
    /// is there. It looks through the fleet.
    fn could_get(&self) -> HashMap<String, u64>;

    /// Returns what people ordered, as far as it is kept, the newest first.
    fn acts(&self) -> Vec<Act>;

    /// Returns the files that are offered, by their contents.
    fn offered(&self) -> HashMap<Content, String>;

    /// Tells for each of these devices whether there may be firmware here for whoever says that
    /// of itself: of one of its models, or for all; not read yet, perhaps.
    fn has_files(&self, profiles: &[&Profile]) -> Vec<bool>;

    /// Says what would become of each file if a device checked in now as it did last.
    fn prospects(&self, record: &Record) -> Vec<Prospect>;

    /// Reads what was counted in each of these stretches of time; `None` where nothing is
    /// kept.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    fn past(&self, stretches: &[Hours]) -> Result<Option<Vec<Step>>, Event>;

    /// Returns the server that answers all but firmware, as it was seen last, in upstream
    /// mode.
    fn upstream(&self) -> Option<BackendView>;

    /// Says where to begin.
    fn start(&self) -> Start;

    /// Lets a device have again what failed on it: `file`, or all. Where nothing failed
    /// nothing is written down.
    fn retry(
        &self,
        device: &DeviceId,
        file: Option<&str>,
        by: Orderer<'_>,
    ) -> Result<RetryDone, OrderError>;

    /// Forgets a device whole.
    fn forget(&self, device: &DeviceId, by: Orderer<'_>) -> Result<(), OrderError>;
}
