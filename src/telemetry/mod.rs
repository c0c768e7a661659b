//! What the operator sees.

pub mod logs;
