//! Rules of the device, one file for what it meets at each stage of its way.

pub(crate) mod address;
pub(crate) mod connect;
pub(crate) mod image;
pub(crate) mod reply;
pub(crate) mod tls;
pub(crate) mod websocket;
