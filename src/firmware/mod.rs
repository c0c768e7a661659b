//! What lies in `data/bin`: file names, versions, what each file is, and the
//! snapshot of what can be offered. [`name`], [`version`], [`chip`], [`project`],
//! [`image`] and [`snapshot`] are pure; [`catalogue`] keeps a snapshot true to the folder,
//! [`store`] hands out the bytes, [`publish`] puts a file there.

pub mod catalogue;
pub mod chip;
pub mod image;
mod keeper;
pub mod name;
pub mod project;
pub mod publish;
mod scan;
pub mod snapshot;
pub mod store;
pub mod version;
mod watch;

pub use scan::{Unusable, inspect_file, offerable};

use project::Projects;
use std::path::PathBuf;
use std::time::Duration;

/// What becomes of files that are no ESP images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// They are offered, with a warning: other kinds of devices exist.
    #[default]
    Warn,
    /// They are refused.
    Strict,
}

/// Where the firmware lies and how often the folder is looked at unasked.
#[derive(Debug, Clone)]
pub struct FolderSettings {
    /// The folder: `gateway.firmware.dir`.
    pub dir: PathBuf,
    /// `firmware_cache_ttl`.
    pub ttl: Duration,
    /// `gateway.firmware.verify`.
    pub verify: Verify,
    /// `gateway.firmware.projects`.
    pub projects: Projects,
}
