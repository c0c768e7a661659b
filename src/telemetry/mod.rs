//! The log, as the operator sees it.

mod account;
pub mod line;
pub mod logs;
pub mod output;
mod sink;
