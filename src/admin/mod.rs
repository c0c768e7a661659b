//! The admin address: how this server is watched and operated, on a listener of its own.
//! Devices never come here. It may use axum; who may ask for what is decided before a
//! handler sees a request, in `door.rs` and by the rows of `endpoints.rs`.

mod api;
pub mod auth;
mod door;
mod endpoints;
mod fleet_source;
pub mod metrics;
mod openapi;
mod parts;
mod query;
mod readiness;
mod reply;
mod scan;
pub mod settings;
mod standing;
mod time;
mod types;

pub(crate) use auth::{AdminToken, Hosts, Role, hash};
pub(crate) use door::Admin;
pub(crate) use fleet_source::{FileView, FleetSource, OrderError, Orderer, RetryDone};
pub(crate) use parts::AdminParts;
pub(crate) use readiness::{Check, Readiness};
pub(crate) use standing::open_orders;
