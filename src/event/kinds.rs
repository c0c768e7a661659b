//! Every kind of event. The id of one never changes once it was released; its words
//! may.

use super::Kind;

/// Declares the kinds of a file, and a list of them.
macro_rules! kinds {
    ($all:ident: $($(#[$doc:meta])* $name:ident = $kind:expr;)*) => {
        $($(#[$doc])* pub static $name: Kind = $kind;)*
        pub(super) static $all: &[&Kind] = &[$(&$name),*];
    };
}

mod address;
mod certificate;
mod check_in;
mod config;
mod connection;
mod file;
mod image;
mod process;
mod withheld;

pub use address::*;
pub use certificate::*;
pub use check_in::*;
pub use config::*;
pub use connection::*;
pub use file::*;
pub use image::*;
pub use process::*;
pub use withheld::*;

/// Returns every kind, in the order in which the documents show them.
pub fn all() -> impl Iterator<Item = &'static Kind> {
    [
        PROCESS,
        CONFIGURATION,
        CHECK_INS,
        REASONS,
        FILES,
        IMAGES,
        CONNECTIONS,
        CERTIFICATES,
        ADDRESSES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
