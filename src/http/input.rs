//! Bodies of requests: read up to a limit and within a time, or discarded.

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use std::time::Duration;
use tokio::time::timeout;

/// What a check-in's body may hold; a real one has 1.3 KB.
pub(super) const LIMIT: usize = 64 * 1024;
/// What is read of a body that nobody wants before the reply goes out: a client
/// that is cut off while it sends does not get to see it.
const PATIENCE: usize = 8 * 1024 * 1024;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoBody {
    TooBig,
    TooSlow,
    Broken,
}

/// Reads a body of at most [`LIMIT`] bytes. The time is for all of it: a body
/// that drips must not hold a connection.
pub(super) async fn read(mut body: Incoming, within: Duration) -> Result<Bytes, NoBody> {
    timeout(within, collect(&mut body))
        .await
        .unwrap_or(Err(NoBody::TooSlow))
}

async fn collect(body: &mut Incoming) -> Result<Bytes, NoBody> {
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    let mut length = 0;
    while let Some(data) = next(body).await? {
        length += data.len();
        if length > LIMIT {
            let left = PATIENCE.saturating_sub(length);
            drain(body, left).await;
            return Err(NoBody::TooBig);
        }
        // Nearly always there is one part, and nothing to put together.
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.into()
    })
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, NoBody> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(NoBody::Broken),
            // Trailers say nothing to us.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Reads away a body that nobody wants; whether the connection is good for
/// another request then.
pub(super) async fn discard(body: &mut Incoming, within: Duration) -> bool {
    body.is_end_stream()
        || timeout(within, drain(body, PATIENCE))
            .await
            .unwrap_or(false)
}

async fn drain(body: &mut Incoming, most: usize) -> bool {
    let mut left = most;
    loop {
        match next(body).await {
            Ok(None) => return true,
            Ok(Some(data)) if data.len() <= left => left -= data.len(),
            Ok(Some(_)) | Err(_) => return false,
        }
    }
}
