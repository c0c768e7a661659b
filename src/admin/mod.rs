//! Administration: what the server shows of itself to people and programs.

pub mod metrics;
