//! Source of what the admin address shows: devices, their offers, and files. Whoever keeps
//! them implements it, and is asked on threads that may block.

use std::net::IpAddr;
use std::time::SystemTime;

/// Ends of an offer, in the order of its life.
pub(crate) const ENDS: [&str; 8] = [
    "offered",
    "fetching",
    "fetched",
    "succeeded",
    "rolled-back",
    "silent",
    "interrupted",
    "superseded",
];

/// What is known of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeviceView {
    /// Its MAC address as `aa:bb:cc:dd:ee:ff`; its id as it was sent, where that is none.
    pub(crate) mac: String,
    pub(crate) client_id: Option<String>,
    /// Model whose files it gets.
    pub(crate) model: Option<String>,
    pub(crate) board_name: Option<String>,
    pub(crate) board_type: Option<String>,
    pub(crate) chip: Option<String>,
    /// Revision of its chip, as it reports it.
    pub(crate) revision: Option<u64>,
    /// Size of its flash, in bytes.
    pub(crate) flash: Option<u64>,
    pub(crate) version: Option<String>,
    /// SHA-256 of the ELF file that it runs, as hexadecimal digits: the first of them, or
    /// all.
    pub(crate) elf_sha256: Option<String>,
    /// Label of the slot that it runs from.
    pub(crate) slot: Option<String>,
    pub(crate) first_seen: SystemTime,
    pub(crate) last_seen: SystemTime,
    /// Address from which it came last.
    pub(crate) address: Option<IpAddr>,
    /// Way by which it came last: `http` or `https`.
    pub(crate) transport: &'static str,
    /// Number of boots that were seen.
    pub(crate) boots: u64,
    /// Id of the event that says why it was offered nothing at its last check.
    pub(crate) why: Option<&'static str>,
    /// Its last offers, newest first.
    pub(crate) offers: Vec<OfferView>,
}

/// An offer to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfferView {
    /// Name of the file.
    pub(crate) file: String,
    /// Version that was offered.
    pub(crate) version: String,
    /// One of [`ENDS`].
    pub(crate) end: &'static str,
    /// Time of that end.
    pub(crate) at: SystemTime,
}

/// A device, and the place from which the next page goes on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlacedDevice {
    /// Its place. The order of places never changes while the device is known.
    pub(crate) place: String,
    pub(crate) device: DeviceView,
}

/// A file of the firmware folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileView {
    /// Its name.
    pub(crate) file: String,
    pub(crate) model: Option<String>,
    pub(crate) version: Option<String>,
    /// Its size in bytes, where it was read.
    pub(crate) size: Option<u64>,
    pub(crate) sha256: Option<[u8; 32]>,
    /// `ready` is offered, `served` is fetched by name only, `waiting` is not read yet,
    /// `refused` is not used.
    pub(crate) verdict: &'static str,
    /// Id of the event that says why it is not offered.
    pub(crate) why: Option<&'static str>,
    /// That event in words.
    pub(crate) words: Option<String>,
    /// Number of devices that could get it.
    pub(crate) could_get: u64,
}

/// Reason why an order is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OrderError {
    /// Nobody knows the device.
    NoDevice,
    /// The device was never offered the file.
    NoFile,
    /// It cannot be written down, and what is not written is not acknowledged.
    NotKept(String),
}

/// Source of devices and files.
pub(crate) trait FleetSource: Send + Sync + 'static {
    /// Returns a device by its MAC address, in any spelling, or by an id that is none.
    fn device(&self, id: &str) -> Option<DeviceView>;

    /// Returns up to `most` devices whose places are behind `after`, in the order of their
    /// places. Fewer than that are the last ones. No lock is held for longer than a page.
    fn page(&self, after: Option<&str>, most: usize) -> Vec<PlacedDevice>;

    /// Returns every file of the firmware folder, by name.
    fn files(&self) -> Vec<FileView>;

    /// Lets a device have again what failed on it: `file`, or all. Returns the number of
    /// files.
    fn retry(&self, id: &str, file: Option<&str>) -> Result<u64, OrderError>;

    /// Forgets a device whole.
    fn forget(&self, id: &str) -> Result<(), OrderError>;
}
