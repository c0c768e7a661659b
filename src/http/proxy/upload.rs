//! Bodies of requests on their way to a backend: counted, bounded, and watched for
//! movement.

use super::activity::Activity;
use crate::http::input;
use crate::util::sync::lock;
use futures_util::task::AtomicWaker;
use hyper::body::{Body, Buf, Bytes, Frame, Incoming, SizeHint};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Body of a request, for whoever waits for its end.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) activity: Activity,
    state: Mutex<BodyState>,
    /// Set while the next part has not come: a deadline that passes now is its sender's.
    waits_for_sender: AtomicBool,
    /// Set once the body was not brought to its end, for a reason of the client's.
    cut: AtomicBool,
    /// Time that its sender may pause.
    patience: Duration,
}

#[derive(Debug)]
enum BodyState {
    Coming(Incoming),
    Over,
    /// Nobody wants the rest.
    Abandoned,
}

impl Upload {
    pub(super) fn new(body: Incoming, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            activity: Activity::new(),
            state: Mutex::new(if body.is_end_stream() {
                BodyState::Over
            } else {
                BodyState::Coming(body)
            }),
            waits_for_sender: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            patience,
        })
    }

    fn state(&self) -> MutexGuard<'_, BodyState> {
        lock(&self.state)
    }

    pub(super) fn waits_for_sender(&self) -> bool {
        self.waits_for_sender.load(Ordering::Relaxed)
    }

    pub(super) fn was_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    /// Returns whether all of the body has come.
    pub(super) fn is_over(&self) -> bool {
        match &*self.state() {
            BodyState::Coming(body) => body.is_end_stream(),
            BodyState::Over => true,
            BodyState::Abandoned => false,
        }
    }

    /// Returns what the body says of its length.
    pub(super) fn size_hint(&self) -> SizeHint {
        match &*self.state() {
            BodyState::Coming(body) => body.size_hint(),
            BodyState::Over => SizeHint::with_exact(0),
            BodyState::Abandoned => SizeHint::new(),
        }
    }

    /// Keeps the rest from the backend. What still comes is read away beside the reply,
    /// for a client that is cut off while it sends does not get to see it.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        let BodyState::Coming(body) = &*state else {
            return;
        };
        if body.is_end_stream() {
            *state = BodyState::Over;
            return;
        }
        if let BodyState::Coming(body) = std::mem::replace(&mut *state, BodyState::Abandoned) {
            input::discard_beside(body, self.patience);
        }
    }
}

/// Error that kept a body from coming through.
#[derive(Debug)]
pub(super) enum UploadError {
    TooBig,
    Stalled,
    Broken(hyper::Error),
    Abandoned,
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooBig => f.write_str("the body is larger than gateway.proxy.body_limit"),
            Self::Stalled => f.write_str("the body stood still"),
            Self::Broken(e) => e.fmt(f),
            Self::Abandoned => f.write_str("the reply was over before the body"),
        }
    }
}

impl std::error::Error for UploadError {}

/// Place for one part of an upload on its way to the backend. Left to itself hyper takes
/// parts up to its own bound and keeps them, each with the buffer in which it came, for a
/// receiver that does not: 150 KB for whoever sends to a backend that is stuck.
#[derive(Debug, Default)]
struct Way {
    is_taken: AtomicBool,
    free: AtomicWaker,
}

/// Part of an upload, which has the way until it is dropped.
#[derive(Debug)]
pub(super) struct Part {
    bytes: Bytes,
    way: Arc<Way>,
}

impl Drop for Part {
    fn drop(&mut self) {
        self.way.is_taken.store(false, Ordering::Release);
        self.way.free.wake();
    }
}

impl Buf for Part {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}

/// Upload of at most so many bytes, as the backend's connection reads it. Nothing is
/// gathered: what the receiver does not take, the sender does not get rid of.
#[derive(Debug)]
pub(super) struct UploadBody {
    upload: Arc<Upload>,
    left: u64,
    way: Arc<Way>,
    /// Deadline that runs while the sender is waited for.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl UploadBody {
    pub(super) fn new(upload: Arc<Upload>, limit: u64) -> Self {
        Self {
            upload,
            left: limit,
            way: Arc::default(),
            deadline: None,
        }
    }

    /// Polls for the sender's next part.
    fn poll_sender(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut state = self.upload.state();
        let BodyState::Coming(body) = &mut *state else {
            return Poll::Ready(None);
        };
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                // Trailers speak of the connection to the client.
                Poll::Ready(Some(Ok(frame))) if !frame.is_data() => {}
                Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(frame))),
                Poll::Ready(end) => {
                    *state = BodyState::Over;
                    return Poll::Ready(end);
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn poll_part(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, UploadError>>> {
        if matches!(*self.upload.state(), BodyState::Abandoned) {
            return Poll::Ready(Some(Err(UploadError::Abandoned)));
        }
        self.way.free.register(cx.waker());
        if self.way.is_taken.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        self.upload.waits_for_sender.store(true, Ordering::Relaxed);
        let Poll::Ready(frame) = self.poll_sender(cx) else {
            let end = Instant::now() + self.upload.patience;
            let deadline = self
                .deadline
                .get_or_insert_with(|| Box::pin(sleep_until(end)));
            return deadline
                .as_mut()
                .poll(cx)
                .map(|()| Some(Err(UploadError::Stalled)));
        };
        self.deadline = None;
        self.upload.waits_for_sender.store(false, Ordering::Relaxed);
        self.upload.activity.note();
        let frame = match frame {
            None => return Poll::Ready(None),
            Some(Err(e)) => return Poll::Ready(Some(Err(UploadError::Broken(e)))),
            Some(Ok(frame)) => frame,
        };
        let bytes = frame.into_data().unwrap_or_default();
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => {
                self.left = left;
                self.way.is_taken.store(true, Ordering::Release);
                let way = Arc::clone(&self.way);
                Poll::Ready(Some(Ok(Frame::data(Part { bytes, way }))))
            }
            None => Poll::Ready(Some(Err(UploadError::TooBig))),
        }
    }
}

impl Body for UploadBody {
    type Data = Part;
    type Error = UploadError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Part>, UploadError>>> {
        let part = self.poll_part(cx);
        if let Poll::Ready(Some(Err(_))) = &part {
            self.upload.cut.store(true, Ordering::Relaxed);
        }
        part
    }

    fn is_end_stream(&self) -> bool {
        self.upload.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.upload.size_hint()
    }
}

impl Drop for UploadBody {
    fn drop(&mut self) {
        self.upload.abandon();
    }
}
