//! Decides what a device is told: everything here takes what it needs as arguments, the
//! time included, and does no I/O.

pub(crate) mod address_audit;
pub mod alias;
pub mod credentials;
pub mod decide;
pub mod device_memory;
pub(crate) mod network;
pub(crate) mod pins;
pub mod public_url;
pub(crate) mod reached;
pub mod reply;
pub mod upstream;
pub mod websocket_url;

#[cfg(test)]
mod tests;
