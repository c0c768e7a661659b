//! Backups: configuration, certificates, firmware and the state folder in one tar file, and the
//! way back. A backup is whole or not there; a restore looks at every byte before it touches
//! anything, and is done, or undone.
//!
//! A backup is an ordinary tar file: `tar xf FILE && sha256sum -c SHA256SUMS` reads it without
//! this program.

mod check;
mod layout;
mod links;
mod make;
mod moves;
mod restore;
mod tarball;

pub(crate) use check::{Checked, check};
pub(crate) use layout::Places;
pub(crate) use make::make;
pub(crate) use restore::{finish, restore};
