//! Replies of a backend on their way to the client.

use super::backend::Backend;
use super::first_reply::is_complaint;
use super::upload::Upload;
use crate::event::event;
use crate::server::{LOOK, ResetWatch};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

/// Body of a backend's reply, streamed. One that stops in the middle is given up, and
/// the client sees the connection end in front of the promised length.
#[derive(Debug)]
pub(crate) struct Relayed {
    first: Option<Bytes>,
    rest: Incoming,
    patience: Duration,
    /// Deadline that runs while the backend is waited for, and the next look at the client.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    watch: ResetWatch,
    backend: Arc<Backend>,
    /// Body of the request, which may still be coming.
    upload: Option<Arc<Upload>>,
    /// Set until its first part or its end has come, where it may complain that TLS is
    /// wanted.
    is_suspect: bool,
}

impl Relayed {
    pub(super) fn new(
        rest: Incoming,
        patience: Duration,
        backend: Arc<Backend>,
        upload: Option<Arc<Upload>>,
        status: StatusCode,
        watch: ResetWatch,
    ) -> Self {
        let may_complain = status == StatusCode::BAD_REQUEST;
        // Nobody asks for the parts of a body that has none.
        if may_complain && rest.is_end_stream() {
            backend.answered();
        }
        Self {
            is_suspect: may_complain,
            first: None,
            rest,
            patience,
            waiting: None,
            watch,
            backend,
            upload,
        }
    }

    /// Puts back bytes that were read already.
    pub(super) fn put_in_front(&mut self, first: Bytes) {
        self.first = Some(first);
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            match Pin::new(&mut self.rest).poll_frame(cx) {
                // Trailers speak of the connection to the backend.
                Poll::Ready(Some(Ok(frame))) if !frame.is_data() => {}
                Poll::Ready(frame) => {
                    self.waiting = None;
                    if std::mem::take(&mut self.is_suspect) {
                        match &frame {
                            Some(Ok(frame))
                                if frame.data_ref().is_some_and(|page| is_complaint(page)) =>
                            {
                                self.backend.failed(event!(BACKEND_TLS));
                            }
                            // That it broke off is said where all replies are.
                            Some(Err(_)) => {}
                            Some(Ok(_)) | None => self.backend.answered(),
                        }
                    }
                    return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
                }
                Poll::Pending => break,
            }
        }
        let now = Instant::now();
        let (end, look) = self.waiting.get_or_insert_with(|| {
            let end = now + self.patience;
            (end, Box::pin(sleep_until(end.min(now + LOOK))))
        });
        while look.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if *end <= now {
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            }
            self.watch.ask();
            look.as_mut().reset((*end).min(now + LOOK));
        }
        Poll::Pending
    }
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let part = self.poll_rest(cx);
        if let Poll::Ready(Some(Err(e))) = &part
            // Where the client broke off its request, the backend may well stop.
            && !self.upload.as_ref().is_some_and(|upload| upload.was_cut())
        {
            self.backend.failed(format!("its reply broke off: {e}"));
        }
        part
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.first {
            None => self.rest.size_hint(),
            Some(first) => {
                let mut hint = SizeHint::new();
                hint.set_lower(first.len() as u64 + self.rest.size_hint().lower());
                hint
            }
        }
    }
}

/// Stops waiting for the backend once the client has its reply.
impl Drop for Relayed {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.abandon();
        }
    }
}

/// Number of bytes that are gathered of a reply without a length, so that it gets one:
/// the device's clients read no chunks.
const GATHERED: usize = 64 * 1024;

/// Body of a reply without a length, as far as it was gathered.
pub(super) enum Gathered {
    Whole(Bytes),
    /// Beginning of a body that is long, or takes its time: the rest must follow in
    /// chunks.
    Begun(Bytes),
}

/// Gathers a body up to [`GATHERED`] bytes, and no longer than `until`.
pub(super) async fn gather(relayed: &mut Relayed, until: Instant) -> io::Result<Gathered> {
    let mut gathered = Vec::new();
    while gathered.len() <= GATHERED {
        match timeout_at(until, relayed.frame()).await {
            Ok(None) => return Ok(Gathered::Whole(gathered.into())),
            Ok(Some(frame)) => {
                gathered.extend_from_slice(frame?.data_ref().unwrap_or(&Bytes::new()));
            }
            Err(_) if gathered.is_empty() => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => break,
        }
    }
    Ok(Gathered::Begun(gathered.into()))
}
