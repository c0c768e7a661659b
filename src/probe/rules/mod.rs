//! The rules, one file for what a device meets at each stage of its way.

pub mod address;
pub mod tls;
