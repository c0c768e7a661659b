//! `/firmware`: the files that are offered, what is inside, and how their offers ended; a file
//! is sent here, looked at, published, fetched for an update by hand, and deleted.

mod delete;
mod download;
mod draft;
mod facts;
mod list;
mod upload;
mod wish;

use super::guard::page;
use crate::admin::auth::Role;
use crate::admin::route::{Brings, Endpoint};
use crate::firmware::drafts::LONGEST;
use facts::PATH;
use hyper::Method;
use std::time::Duration;
use upload::AROUND;

/// Time for a file to come: 64 MiB at 20 KB/s.
const PATIENCE: Duration = Duration::from_secs(3600);
/// Time to publish or delete: others, each of whom waits a minute for the folder, come first.
const TURN: Duration = Duration::from_secs(300);

/// Returns the pages of firmware.
pub(super) fn rows() -> Vec<Endpoint> {
    let (get, post) = (|| Method::GET, || Method::POST);
    let (read, operate) = (Role::Read, Role::Operate);
    let longest = usize::try_from(LONGEST + AROUND).unwrap_or(usize::MAX);
    vec![
        page(get(), PATH, read, Brings::Nothing, list::list),
        page(
            post(),
            "/firmware/upload",
            operate,
            Brings::File,
            upload::upload,
        )
        .with_body(longest, PATIENCE),
        page(
            get(),
            "/firmware/drafts/{id}",
            read,
            Brings::Nothing,
            draft::show,
        ),
        page(
            post(),
            "/firmware/drafts/{id}/publish",
            operate,
            Brings::Fields,
            draft::publish,
        )
        .with_patience(TURN),
        page(
            post(),
            "/firmware/drafts/{id}/drop",
            operate,
            Brings::Fields,
            draft::throw_away,
        ),
        page(
            get(),
            "/firmware/files/{name}",
            read,
            Brings::Nothing,
            download::download,
        ),
        page(
            get(),
            "/firmware/files/{name}/delete",
            read,
            Brings::Nothing,
            delete::show,
        ),
        page(
            post(),
            "/firmware/files/{name}/delete",
            operate,
            Brings::Fields,
            delete::delete,
        )
        .with_patience(TURN),
    ]
}
