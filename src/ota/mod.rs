//! Decides what a device is told: everything here takes what it needs as arguments, the
//! time included, and does no I/O.

pub(crate) mod address_audit;
pub mod alias;
pub mod credentials;
pub mod decide;
pub mod public_url;
pub mod reply;

#[cfg(test)]
mod tests;
