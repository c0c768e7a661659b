//! The admin address: how this server is watched and operated, on a listener of its own.
//! Devices never come here. It may use axum; who may ask for what is decided before a
//! handler sees a request, in `door.rs` and by the rows of `endpoints.rs`.

mod api;
pub mod auth;
mod counted;
mod door;
mod endpoints;
mod fleet_source;
mod gate;
pub mod metrics;
mod openapi;
mod order;
mod origin;
mod page;
mod parts;
mod query;
mod readiness;
mod release_source;
mod reply;
mod route;
mod scan;
mod server_source;
mod session;
pub mod settings;
mod shared;
mod standing;
mod time;
mod types;

pub(crate) use auth::{AdminToken, Hosts, Role, hash};
pub(crate) use door::Admin;
pub(crate) use fleet_source::{FileView, FleetSource, OrderError, Orderer, RetryDone, Start};
pub(crate) use parts::AdminParts;
pub(crate) use readiness::{Check, Readiness};
pub(crate) use release_source::{
    Done, Inside, Leaving, Needs, Outcome, Plan, Ready, ReleaseSource, Said, Undone, Verdict,
    Waiting, Wish,
};
pub(crate) use server_source::{
    AddressView, BackendState, BackendView, CertificateView, LinkView, ListenerView, ProcessView,
    ServerSource, ServerView, SettingValue, SettingView, StoreView,
};
pub(crate) use standing::open_orders;
