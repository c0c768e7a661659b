//! The page at the admin address: rendered here, whole without a script, in the reader's
//! language. One file a page; [`rows`] lists them all.
//!
//! What it shows is what `decide`, the audits and the store said, in the words of their events.

mod acts;
mod assets;
mod chart;
mod device;
mod devices;
mod drain;
mod finding;
mod firmware;
mod fleet;
mod guard;
mod hand;
mod layout;
mod orders;
mod past;
mod reader;
mod refused;
mod server;
mod show;
mod sign_in;
mod start;
mod words;

pub(super) use drain::drain;
pub(super) use reader::cookies;
pub(super) use refused::refuse;
pub(super) use sign_in::{instead, name as session_cookie};

use super::auth::Role;
use super::route::{Access, Brings, Endpoint};
use guard::page;
use hyper::Method;

/// Returns every page, who may have it, and what it brings.
pub(super) fn rows() -> Vec<Endpoint> {
    let mut rows = vec![
        Endpoint::new(Method::GET, "/sign-in", Access::Open, sign_in::show),
        Endpoint::new(Method::POST, "/sign-in", Access::Open, sign_in::sign_in),
        page(
            Method::POST,
            "/sign-out",
            Role::Read,
            Brings::Fields,
            sign_in::sign_out,
        ),
        Endpoint::new(
            Method::GET,
            &assets::STYLE.path,
            Access::Open,
            assets::style,
        ),
        Endpoint::new(
            Method::GET,
            &assets::SCRIPT.path,
            Access::Open,
            assets::script,
        ),
        Endpoint::new(Method::GET, &assets::ICON.path, Access::Open, assets::icon),
        page(Method::GET, "/", Role::Read, Brings::Nothing, fleet::fleet),
        page(
            Method::GET,
            "/devices",
            Role::Read,
            Brings::Nothing,
            devices::devices,
        ),
        page(
            Method::GET,
            "/devices/{mac}",
            Role::Read,
            Brings::Nothing,
            device::device,
        ),
        page(
            Method::POST,
            "/devices/{mac}/retry",
            Role::Operate,
            Brings::Fields,
            orders::retry,
        ),
        page(
            Method::GET,
            "/devices/{mac}/forget",
            Role::Read,
            Brings::Nothing,
            orders::ask,
        ),
        page(
            Method::POST,
            "/devices/{mac}/forget",
            Role::Operate,
            Brings::Fields,
            orders::forget,
        ),
        page(
            Method::GET,
            "/acts",
            Role::Read,
            Brings::Nothing,
            acts::acts,
        ),
        page(
            Method::GET,
            "/server",
            Role::Read,
            Brings::Nothing,
            server::server,
        ),
        page(
            Method::GET,
            "/server/diagnostics",
            Role::Read,
            Brings::Nothing,
            server::as_text,
        ),
    ];
    rows.extend(firmware::rows());
    rows
}

/// Tells whether a row is a page, a part of one, or a way to it.
#[cfg(test)]
pub(super) fn is_page(row: &Endpoint) -> bool {
    rows().iter().any(|page| page.path == row.path)
}
