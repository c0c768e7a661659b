//! A file is fetched, for an update by hand. A name is looked up among the files that can be;
//! it is never used as a path.

use super::facts::part;
use crate::admin::parts::Sources;
use crate::admin::reply::{Refusal, with_type};
use crate::event::{Event, event};
use crate::firmware::store::ImageContent;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::Response;
use futures_util::stream;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, HeaderValue};
use std::io;
use std::sync::Arc;

/// Number of bytes that are read of a file at once.
const BLOCK: u64 = 64 << 10;

/// Sends a file.
pub(super) async fn download(
    State(sources): State<Sources>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let releases = Arc::clone(&sources.releases);
    let file = name.clone();
    let opened = tokio::task::spawn_blocking(move || releases.open(&file));
    let opened = opened.await.map_err(|_| Refusal::Late)?;
    let said = |status, why| Refusal::Said(status, Box::new(why));
    let opened = opened.ok_or_else(|| said(StatusCode::NOT_FOUND, event!(REMOVE_GONE)))?;
    let (served, content) = opened
        .map_err(|reason| said(StatusCode::SERVICE_UNAVAILABLE, unreadable(&name, &reason)))?;
    let size = served.size();
    let mut reply = with_type(StatusCode::OK, "application/octet-stream", Vec::new());
    *reply.body_mut() = match content {
        ImageContent::Memory(bytes) => Body::from(bytes),
        ImageContent::File(_) => Body::from_stream(blocks(content, size)),
    };
    let head = reply.headers_mut();
    head.insert(CONTENT_LENGTH, HeaderValue::from(size));
    if let Ok(value) = HeaderValue::try_from(disposition(&served.file)) {
        head.insert(CONTENT_DISPOSITION, value);
    }
    Ok(reply)
}

fn unreadable(file: &str, reason: &io::Error) -> Event {
    event!(PAGE_UNREADABLE, file = file, reason = reason)
}

/// Reads a file a block at a time. One that changes meanwhile ends the reply in front of the
/// promised length.
fn blocks(content: ImageContent, size: u64) -> impl futures_util::Stream<Item = io::Result<Bytes>> {
    stream::try_unfold(0, move |at| {
        let content = content.clone();
        async move {
            let ImageContent::File(image) = content else {
                return Ok(None);
            };
            if at >= size {
                return Ok(None);
            }
            let length = BLOCK.min(size - at);
            let count = usize::try_from(length).map_err(io::Error::other)?;
            let read = tokio::task::spawn_blocking(move || image.read(at, count));
            let bytes = read.await.map_err(io::Error::other)??;
            Ok(Some((bytes, at + length)))
        }
    })
}

/// Says that it is to be kept under its name (RFC 6266, section 4.3): in ASCII for old
/// browsers, and as it is.
fn disposition(file: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() && !['"', '\\', '%'].contains(&c);
    let plain: String = file
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        part(file)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let said = unreadable("a_1.0.bin", &io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(
            said.starts_with("a_1.0.bin cannot be read") && said.contains("rights"),
            "{said}"
        );
    }

    #[test]
    fn a_name_says_nothing_but_itself() {
        let said = disposition("小 \"b\\%\r\n_1.0.bin");
        assert_eq!(
            said,
            "attachment; filename=\"___b_____1.0.bin\"; filename*=UTF-8''%E5%B0%8F%20%22b%5C%25%0D%0A_1.0.bin"
        );
    }
}
