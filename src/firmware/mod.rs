//! Firmware files in `data/bin`: their names, and the snapshot of what can be offered.
//! [`name`], [`snapshot`], [`archive`] and [`release_name`] are pure; `catalogue` has a
//! snapshot, which `folder` keeps true to the folder, `store` hands out the bytes, `publish`
//! puts a file there (`command` writes what to type for that, `drafts` has what waits for it)
//! and `prune` takes some away.

pub mod archive;
pub(crate) mod catalogue;
pub(crate) mod command;
pub(crate) mod drafts;
mod folder;
pub(crate) mod homes;
mod memory;
pub mod name;
pub(crate) mod notes;
pub(crate) mod prune;
pub(crate) mod publish;
pub mod release_name;
pub(crate) mod signing;
pub mod snapshot;
pub(crate) mod store;

pub(crate) use folder::glance::{Glances, entry_of};
pub(crate) use folder::judge::leads_out;
pub(crate) use folder::scan::{Uninspected, inspect_named, names};
pub(crate) use folder::unusable::{Unusable, offerable};

pub use homes::ForeignHome;

use std::path::PathBuf;
use std::time::Duration;
use xiaozhi_device::image::Home;
use xiaozhi_device::project::Projects;

/// Treatment of files that are no ESP images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// They are offered, with a warning: other kinds of devices exist.
    #[default]
    Warn,
    /// They are refused.
    Strict,
}

/// Place of the firmware, and how often the folder is looked at unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSettings {
    /// The folder: `gateway.firmware.dir`.
    pub dir: PathBuf,
    /// `firmware_cache_ttl`.
    pub ttl: Duration,
    /// `gateway.firmware.verify`.
    pub verify: Verify,
    /// `gateway.firmware.projects`.
    pub projects: Projects,
    /// File of the configuration, from the root on, where the command line names one: a
    /// command that people are told to type has to name it, too.
    pub config: Option<PathBuf>,
    /// The public address, where one is configured.
    pub home: Option<Home>,
    /// `gateway.firmware.foreign_home`.
    pub foreign_home: ForeignHome,
}
