//! Downloads: looks up a name from the URL in the snapshot; it is never used as a path.

use super::body::{DISK, DownloadLog, Image};
use super::conditional::{Conditions, Evaluation, Validators, evaluate, range_counts};
use super::range::{Selected, select};
use super::reply::{self, NO_THREAD, Reply};
use super::request::{Request, shown};
use super::turned_away::{Near, TurnedAway};
use crate::event::{self, Event, Kind, event, kinds, tell};
use crate::firmware::catalogue::Catalogue;
use crate::firmware::snapshot::ServedFile;
use crate::firmware::store::{ImageContent, Store};
use crate::fleet::{Fetch, Fleet};
use crate::server::{Delivery, DeliveryEnd};
use crate::util::threads::{self, NoThread};
use hyper::header::{
    HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use hyper::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use tracing::debug;

/// Length in bytes of a name in a URL up to which the file that is meant is looked for: one
/// of 255 bytes, each of them encoded.
const LONGEST_ASKED: usize = 3 * 255;
/// Length in bytes of a query up to which it may be a token: the modem firmware sends the whole
/// address in one AT command, so ours are short.
const LONGEST_QUERY: usize = 24;

/// Handler of downloads, and the parts that it needs.
#[derive(Debug)]
pub(super) struct Downloads {
    /// Images that can be fetched.
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) store: Arc<Store>,
    /// Offers that downloads may belong to.
    pub(super) fleet: Arc<Fleet>,
    /// Memory of who was told that a file is not here.
    pub(super) turned_away: Arc<TurnedAway>,
}

impl Downloads {
    /// Answers `GET` and `HEAD` of `/download/{name}`. `base` is the address in front of a
    /// name.
    pub(super) async fn answer(
        &self,
        request: Request<'_>,
        name: &str,
        base: impl Fn() -> Option<String>,
    ) -> Reply {
        let (head, peer, asked) = (request.head, request.peer.address, name);
        let missing = |kind: &Kind, file: &str| {
            let (ip, now) = (peer.ip(), request.now);
            if self.turned_away.is_due_of_file(kind, file, ip, now) {
                event::say(&self.missing(kind, request, file, base()));
            }
        };
        let name = percent_decode_str(name)
            .decode_utf8()
            .ok()
            .filter(|name| is_file_name(name));
        let Some(name) = name else {
            missing(&kinds::DOWNLOAD_BAD_NAME, asked);
            return reply::error(StatusCode::BAD_REQUEST, "invalid filename");
        };
        let snapshot = self.catalogue.snapshot();
        let entry = snapshot.file(&name).cloned();
        let is_unread = snapshot.is_unread(&name);
        drop(snapshot);
        let Some(entry) = entry else {
            if is_unread {
                tell!(
                    DOWNLOAD_STILL_READING,
                    device = request.device(),
                    peer = peer,
                    file = shown(&name)
                );
                return reply::not_yet("the file is still being read: try again");
            }
            missing(&kinds::DOWNLOAD_UNKNOWN, &name);
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
                Ok(content) => Some(self.image(request, &entry, content, (start, end))),
                Err(e) if NoThread::of(&e).is_some() => {
                    debug!(file = %entry.file, peer = %peer, error = %e, "not opened");
                    return reply::not_yet(NO_THREAD);
                }
                Err(e) => {
                    tell!(
                        DOWNLOAD_CHANGED,
                        device = request.device(),
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

    /// Makes the body of a reply to a `GET`.
    fn image(
        &self,
        request: Request<'_>,
        entry: &ServedFile,
        content: ImageContent,
        (start, end): (u64, u64),
    ) -> Image {
        let mut log = DownloadLog::new(request, &entry.file, end - start);
        let (device, delivery) = self.delivery(request, entry).unzip();
        log.of_device(device);
        Image::new(content, start, end, log, delivery)
    }

    /// Begins the delivery of a whole file, if a token in the URL ties it to an offer, and
    /// returns the device whose offer that is. Whoever
    /// asks for ranges is no device, which never does.
    fn delivery(&self, request: Request<'_>, entry: &ServedFile) -> Option<(String, Delivery)> {
        let head = request.head;
        let token = token(head.uri.query()?)?;
        if head.headers.contains_key(RANGE) {
            return None;
        }
        let fetch = self.fleet.fetch(token, entry, request.now)?;
        Some((fetch.device(), Delivery::new(Fetched(fetch))))
    }

    /// Returns what is said of a file that cannot be fetched.
    fn missing(
        &self,
        kind: &Kind,
        request: Request<'_>,
        file: &str,
        base: Option<String>,
    ) -> Event {
        let (device, peer) = (request.device(), request.peer.address);
        let Near { near, right } = self.near(file, base);
        let snapshot = self.catalogue.snapshot();
        let unused = snapshot.unused(file);
        let file = shown(file);
        if kind.id == kinds::DOWNLOAD_BAD_NAME.id {
            event!(
                DOWNLOAD_BAD_NAME,
                device = device,
                peer = peer,
                file = file,
                near = near,
                right = right
            )
        } else {
            event!(
                DOWNLOAD_UNKNOWN,
                device = device,
                peer = peer,
                file = file,
                unused = unused,
                near = near,
                right = right,
            )
        }
    }

    /// Returns the file that is meant by a name as it stands in a URL, and its address
    /// behind `base`.
    pub(super) fn near(&self, asked: &str, base: Option<String>) -> Near {
        // What is longer is the name of no file, however it is encoded.
        if asked.len() > LONGEST_ASKED {
            return Near::default();
        }
        let mut name = asked.to_owned();
        // One that was encoded twice is decoded twice.
        for _ in 0..2 {
            if let Cow::Owned(decoded) = percent_decode_str(&name).decode_utf8_lossy() {
                name = decoded;
            }
        }
        let name = name.trim_matches(['/', '\\']);
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let snapshot = self.catalogue.snapshot();
        let (near, file) = match snapshot.file(name) {
            Some(file) => (None, Some(&**file)),
            None => match snapshot.near_file(name).filter(|(near, _)| *near != name) {
                Some((near, file)) => (Some(near.to_owned()), file),
                None => (None, None),
            },
        };
        let right = base.zip(file).map(|(base, file)| base + &file.url_name);
        Near { near, right }
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
            // Where there is no thread for it, it waits for the next one.
            let _ = threads::beside(DISK, move || store.load(&entry));
        }
        let (store, entry) = (Arc::clone(store), Arc::clone(entry));
        let opened = threads::beside(DISK, move || store.open(&entry));
        let opened = opened.map_err(NoThread::into_io)?;
        opened.await.map_err(io::Error::other)?
    }
}

/// Fetch whose end is the end of a delivery.
#[derive(Debug)]
struct Fetched(Fetch);

impl DeliveryEnd for Fetched {
    fn whole(&self) {
        self.0.whole();
    }

    fn cut(&self) {
        self.0.cut();
    }
}

/// Returns the token that a query is, if it can be one: `t=`, letters, digits, `-` and `_`.
fn token(query: &str) -> Option<&str> {
    let token = query.strip_prefix("t=")?;
    let is_one_of_its = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (query.len() <= LONGEST_QUERY && !token.is_empty() && token.bytes().all(is_one_of_its))
        .then_some(token)
}

/// Returns whether a name could stand in the folder, so that a malformed one is told
/// apart from a missing file. Nothing depends on it: only names in the snapshot lead to
/// a file.
fn is_file_name(name: &str) -> bool {
    name.ends_with(".bin") && !name.starts_with('.') && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use super::token;
    use proptest::prelude::*;

    #[test]
    fn a_query_is_a_token_or_none() {
        for (query, expected) in [
            ("t=a", Some("a")),
            ("t=AZaz09-_AZaz09-_AZaz09", Some("AZaz09-_AZaz09-_AZaz09")),
            ("t=AZaz09-_AZaz09-_AZaz09x", None),
            ("t=", None),
            ("t", None),
            ("", None),
            ("T=a", None),
            ("u=a", None),
            ("t=a&b", None),
            ("b&t=a", None),
            ("t=a=", None),
            ("t=%61", None),
            ("t=a+b", None),
            ("t=\u{e9}", None),
        ] {
            assert_eq!(token(query), expected, "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics_and_a_token_is_its_end(query in "\\PC{0,40}") {
            if let Some(token) = token(&query) {
                prop_assert_eq!(format!("t={token}"), query);
            }
        }
    }
}
