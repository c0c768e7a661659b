//! Source of what the admin address shows beside the fleet itself: files, and orders, which
//! are written down before they are acknowledged. It is asked on threads that may block.

use crate::fleet::orders::Act;
use crate::fleet::{DeviceId, Fleet};
use std::net::IpAddr;
use std::time::SystemTime;

/// A file of the firmware folder.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Id of the event that says why it is not offered.
    pub(crate) why: Option<&'static str>,
    /// Words of that event.
    pub(crate) words: Option<String>,
    /// Number of known devices that could get it: their model it is, and no guard keeps it
    /// from them, whatever they run and whatever else is there.
    pub(crate) could_get: u64,
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
    NotKept(String),
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

/// Source of files and orders, and the fleet that they are about.
pub(crate) trait FleetSource: Send + Sync + 'static {
    /// Returns the fleet.
    fn fleet(&self) -> &Fleet;

    /// Returns every file of the firmware folder, by name.
    fn files(&self) -> Vec<FileView>;

    /// Returns what people ordered, as far as it is kept, the newest first.
    fn acts(&self) -> Vec<Act>;

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
