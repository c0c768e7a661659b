//! What lies in `data/bin`: file names, versions, and the snapshot of what can
//! be offered. [`name`], [`version`] and [`snapshot`] are pure; [`catalogue`]
//! keeps a snapshot true to the folder, [`store`] hands out the bytes.

pub mod catalogue;
pub mod chip;
mod identity;
pub mod image;
mod keeper;
pub mod name;
pub(crate) mod scan;
pub mod snapshot;
pub mod store;
pub mod version;
mod watch;

pub use identity::Identity;
