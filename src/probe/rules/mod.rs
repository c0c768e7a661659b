//! Rules of the device, one file for what it meets at each stage of its way.

pub mod address;
pub mod connect;
pub mod image;
pub mod reply;
pub mod tls;
pub mod websocket;
