//! The log, as the operator sees it.

pub mod line;
pub mod logs;
