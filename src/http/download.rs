//! Downloads: looks up a name from the URL in the snapshot; it is never used as a path.

use super::body::Image;
use super::conditional::{Conditions, Evaluation, Validators, evaluate, range_counts};
use super::range::{Selected, select};
use super::reply::{self, Reply};
use super::request::{Head, shown};
use crate::event::tell;
use crate::firmware::catalogue::Catalogue;
use crate::firmware::snapshot::ServedFile;
use crate::firmware::store::{ImageContent, Store};
use crate::server::Peer;
use hyper::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use std::io;
use std::sync::Arc;
use tokio::task::spawn_blocking;

/// Handler of downloads, and the parts that it needs.
#[derive(Debug)]
pub(super) struct Downloads {
    /// Images that can be fetched.
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) store: Arc<Store>,
}

impl Downloads {
    /// Answers `GET` and `HEAD` of `/download/{name}`.
    pub(super) async fn answer(&self, peer: Peer, name: &str, head: &Head) -> Reply {
        let (peer, asked) = (peer.address, name);
        let name = percent_decode_str(name)
            .decode_utf8()
            .ok()
            .filter(|name| is_file_name(name));
        let Some(name) = name else {
            tell!(DOWNLOAD_BAD_NAME, peer = peer, file = shown(asked));
            return reply::error(StatusCode::BAD_REQUEST, "invalid filename");
        };
        let snapshot = self.catalogue.snapshot();
        let entry = snapshot.file(&name).cloned();
        let is_unread = snapshot.is_unread(&name);
        drop(snapshot);
        let Some(entry) = entry else {
            if is_unread {
                tell!(DOWNLOAD_STILL_READING, peer = peer, file = shown(&name));
                return reply::not_yet("the file is still being read: try again");
            }
            tell!(DOWNLOAD_UNKNOWN, peer = peer, file = shown(&name));
            return reply::error(StatusCode::NOT_FOUND, "file not found");
        };

        let header = |name: HeaderName| {
            head.headers
                .get(name)
                .map(|v| v.to_str().unwrap_or("\u{fffd}"))
        };
        let conditions = Conditions {
            if_match: header(IF_MATCH),
            if_unmodified_since: header(IF_UNMODIFIED_SINCE),
            if_none_match: header(IF_NONE_MATCH),
            if_modified_since: header(IF_MODIFIED_SINCE),
            if_range: header(IF_RANGE),
        };
        let current = Validators {
            etag: &entry.etag,
            last_modified: &entry.last_modified,
        };
        match evaluate(&conditions, current) {
            Evaluation::Proceed => {}
            Evaluation::NotModified => return reply::not_modified(&entry),
            Evaluation::PreconditionFailed => {
                return reply::error(StatusCode::PRECONDITION_FAILED, "precondition failed");
            }
        }
        // A range is defined for GET alone (RFC 9110, section 14.2).
        let get = head.method == Method::GET;
        let range = header(RANGE).filter(|_| get && range_counts(&conditions, current));
        let selected = range.map_or(Selected::Whole, |range| select(range, entry.size()));
        let (start, end) = match selected {
            Selected::Unsatisfiable => return reply::unsatisfiable(&entry),
            Selected::Whole => (0, entry.size()),
            Selected::Part { start, end } => (start, end),
        };
        let body = if get {
            match self.content(&entry, selected == Selected::Whole).await {
                Ok(content) => Some(Image::new(
                    content,
                    start,
                    end,
                    &entry.file,
                    peer.to_string(),
                )),
                Err(e) => {
                    tell!(
                        DOWNLOAD_CHANGED,
                        peer = peer,
                        file = &entry.file,
                        error = &e
                    );
                    self.catalogue.doubt(&entry.file);
                    return reply::not_yet("the file is being changed: try again");
                }
            }
        } else {
            None
        };
        match selected {
            Selected::Part { start, end } => reply::part(&entry, start, end, body),
            _ => reply::image(&entry, body),
        }
    }

    /// Returns the image from memory, else from its file. A client that fetches it
    /// whole has it brought into memory for the next one.
    async fn content(&self, entry: &Arc<ServedFile>, whole: bool) -> io::Result<ImageContent> {
        let store = &self.store;
        if let Some(content) = store.hot(entry) {
            return Ok(content);
        }
        if whole && store.should_load(entry) {
            let (store, entry) = (Arc::clone(store), Arc::clone(entry));
            spawn_blocking(move || store.load(&entry));
        }
        let (store, entry) = (Arc::clone(store), Arc::clone(entry));
        spawn_blocking(move || store.open(&entry))
            .await
            .map_err(io::Error::other)?
    }
}

/// Returns whether a name could stand in the folder, so that a malformed one is told
/// apart from a missing file. Nothing depends on it: only names in the snapshot lead to
/// a file.
fn is_file_name(name: &str) -> bool {
    name.ends_with(".bin") && !name.starts_with('.') && !name.contains(['/', '\0'])
}
