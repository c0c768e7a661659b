//! The rules, one file for what a device meets at each stage of its way.

pub mod address;
pub mod connect;
pub mod image;
pub mod reply;
pub mod tls;
pub mod websocket;
