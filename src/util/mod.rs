//! The ground floor: small things that every room needs and that are no room's
//! own business. It knows nobody.

pub mod durable;
pub mod redact;
pub mod small_file;
