//! A body on its way through: counted, bounded, and seen to move.

use super::activity::Activity;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

/// What a request's body does, for whoever waits for its end.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) activity: Activity,
    /// The body has not come to its end, and the next part has not come: a
    /// deadline that passes now is its sender's.
    waits_for_sender: AtomicBool,
}

impl Flow {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            activity: Activity::new(),
            waits_for_sender: AtomicBool::new(false),
        })
    }

    pub(super) fn waits_for_sender(&self) -> bool {
        self.waits_for_sender.load(Ordering::Relaxed)
    }
}

/// Why a body did not come through.
#[derive(Debug)]
pub(super) enum Cut {
    TooBig,
    Broken(hyper::Error),
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooBig => f.write_str("the body is larger than gateway.proxy.body_limit"),
            Self::Broken(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for Cut {}

/// A body of at most so many bytes. Nothing is gathered: what the receiver does
/// not take, the sender does not get rid of.
#[derive(Debug)]
pub(super) struct Paced {
    body: Incoming,
    left: u64,
    flow: Arc<Flow>,
}

impl Paced {
    pub(super) fn new(body: Incoming, limit: u64, flow: Arc<Flow>) -> Self {
        Self {
            body,
            left: limit,
            flow,
        }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.flow.waits_for_sender.store(true, Ordering::Relaxed);
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.flow.waits_for_sender.store(false, Ordering::Relaxed);
        self.flow.activity.note();
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Err(e)) => return Poll::Ready(Some(Err(Cut::Broken(e)))),
            Some(Ok(frame)) => frame,
        };
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => Poll::Ready(Some(Err(Cut::TooBig))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
