//! Bodies of requests: read up to a limit and within a time, or discarded.
//!
//! A body that the reply does not need is read away beside it, for a client that is cut
//! off while it sends does not see the reply, and one that announces a gigabyte must not
//! wait for it.

use super::bodies::{BodyBudget, Crowded, EXEMPT, Held};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use std::error::Error;
use std::io::{self, ErrorKind::InvalidData, ErrorKind::InvalidInput};
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Size limit of a check-in's body, in bytes; a real one has 1.3 KB.
pub(super) const LIMIT: usize = 64 * 1024;
/// Number of bytes that are read of a body that nobody wants.
const PATIENCE: usize = 8 * 1024 * 1024;

/// Time in which what still comes is read away of a body that had to go.
const GOING: Duration = Duration::from_secs(1);

/// Reason why there is no body.
#[derive(Debug)]
pub(super) enum NoBody {
    TooBig,
    TooSlow,
    /// Others had no room.
    Crowded,
    /// The connection ended within it.
    Cut,
    /// Its chunks are none.
    Chunks(String),
}

impl From<Crowded> for NoBody {
    fn from(Crowded: Crowded) -> Self {
        Self::Crowded
    }
}

/// Body that did not come whole.
#[derive(Debug)]
pub(super) struct Missing {
    pub(super) why: NoBody,
    /// Number of bytes that came.
    pub(super) came: usize,
    /// Number of bytes that were announced.
    pub(super) of: Option<u64>,
}

/// Body that came whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) bytes: Bytes,
    /// Its part of the budget, to the end of its request.
    _held: Option<Held>,
}

/// Reads a body of at most [`LIMIT`] bytes. The time is for all of it: a body that
/// drips must not hold a connection. A body that is too big is refused as soon as that
/// is known, from its announced length if there is one.
pub(super) async fn read(
    mut body: Incoming,
    within: Duration,
    budget: &Arc<BodyBudget>,
) -> Result<Whole, Missing> {
    let (of, mut came) = (body.size_hint().exact(), 0);
    let read = if body.size_hint().lower() > LIMIT as u64 {
        Err(NoBody::TooBig)
    } else {
        timeout(within, collect(&mut body, &mut came, budget))
            .await
            .unwrap_or(Err(NoBody::TooSlow))
    };
    match read {
        Err(NoBody::TooBig) => drop(discard_beside(body, within)),
        // It goes, and at once; who still sends gets to see why.
        Err(NoBody::Crowded) => drop(discard_beside(body, GOING)),
        _ => {}
    }
    read.map_err(|why| Missing { why, came, of })
}

/// Reads a body, and counts in `came` what came of it.
async fn collect(
    body: &mut Incoming,
    came: &mut usize,
    budget: &Arc<BodyBudget>,
) -> Result<Whole, NoBody> {
    let mut small = Vec::new();
    let mut large: Option<Held> = None;
    while let Some(data) = next_of(body, large.as_mut()).await? {
        let before = *came;
        *came += data.len();
        if *came > LIMIT {
            return Err(NoBody::TooBig);
        }
        // Nearly always there is one part, and nothing to put together.
        if before == 0 && body.is_end_stream() {
            return Ok(Whole {
                bytes: data,
                _held: None,
            });
        }
        if let Some(large) = &mut large {
            large.take(data.len()).await?;
            large.push(&data);
        } else if *came > EXEMPT {
            let large = large.insert(budget.enter());
            large.take(*came).await?;
            large.push(&mem::take(&mut small));
            large.push(&data);
        } else {
            small.extend_from_slice(&data);
        }
    }
    let bytes = match &mut large {
        Some(large) => large.join(),
        None => small,
    };
    Ok(Whole {
        bytes: bytes.into(),
        _held: large,
    })
}

/// Returns the next part of a body, unless it has to go.
async fn next_of(body: &mut Incoming, held: Option<&mut Held>) -> Result<Option<Bytes>, NoBody> {
    let Some(held) = held else {
        return next(body).await;
    };
    tokio::select! {
        biased;
        crowded = held.told() => Err(crowded.into()),
        part = next(body) => part,
    }
}

async fn next(body: &mut Incoming) -> Result<Option<Bytes>, NoBody> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(e)) => return Err(NoBody::from(&e)),
            // Trailers say nothing to us.
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

impl From<&hyper::Error> for NoBody {
    fn from(error: &hyper::Error) -> Self {
        let cause = error.source();
        match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
            Some(e) if matches!(e.kind(), InvalidInput | InvalidData) => {
                Self::Chunks(e.to_string())
            }
            _ => Self::Cut,
        }
    }
}

/// Reads away, beside the reply, what comes of a body that nobody wants: a client
/// that is cut off while it sends does not get to see the reply, and one that
/// announces a gigabyte must not wait for it. What is left after [`PATIENCE`]
/// bytes or the time is cut off with the connection. Returns whether so little is
/// to come that the connection may be used again.
pub(super) fn discard_beside(mut body: Incoming, within: Duration) -> bool {
    if body.is_end_stream() {
        return true;
    }
    let length = body.size_hint().exact();
    // Everything here runs on a worker's runtime.
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move { timeout(within, drain(&mut body)).await });
    }
    length.is_some_and(|length| length <= PATIENCE as u64)
}

async fn drain(body: &mut Incoming) {
    let mut left = PATIENCE;
    while let Ok(Some(data)) = next(body).await {
        match left.checked_sub(data.len()) {
            Some(less) => left = less,
            None => return,
        }
    }
}
