//! The ground floor: small things that every room needs and that are no room's
//! own business. It knows nobody.

pub mod durable;
pub mod file_state;
pub mod nofile;
pub mod once;
pub mod small_file;
pub mod supervise;
pub mod sync;
pub mod terminal;
