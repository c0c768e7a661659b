//! Putting firmware into its folder so that nobody ever sees half of it.
//!
//! `source` takes an image out of whatever holds it, `plan` finds its name, `write` gives it
//! that name.

mod error;
mod plan;
mod source;
mod write;

pub(crate) use error::PublishError;
pub(crate) use plan::{Taken, Target, model_by_name};
pub(crate) use source::{Origin, Source};
pub(crate) use write::{Published, Room};
