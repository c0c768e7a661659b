//! The stream that requests come from, watched: what has come of them, and whether its
//! client is waited for.

use super::delivery::Came;
use super::first_line::Requests;
use super::leftover::{LITTLE, Left};
use super::shares::Wait;
use super::write_timeout::Sends;
use crate::util::sync::lock;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Number of bytes of replies that one connection writes before all others that are ready
/// have their pass: a client that takes them as fast as they come would have the worker to
/// itself for some milliseconds, and a hundred of them would make everybody else wait for
/// all. Below TLS it would not be kept: who encrypts writes once more in the same pass.
const TURN: usize = 64 * 1024;

/// Number of bytes that are read at once: less than hyper has room for at first. A read that
/// fills its buffer makes it double that, and a body would hold 16 KiB of each connection.
const READ: u64 = 8 * 1024 - 1;

/// Time for which a client that was handed all of a [delivery](super::delivery) may close
/// first: our TLS goodbye, unread, would make a device's close a reset. A device that counts
/// the length takes a round trip and some writes to its flash; one that waits for our end,
/// in firmware v1.7.7 to v1.8.2, loses this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Stage of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is not known to have sent all of a request.
    Waits,
    /// It has.
    Asked,
    /// It has, and was answered, as far as can be seen from here.
    Rests,
    /// It speaks another protocol.
    Tunnel,
}

/// Wraps the stream that requests come from.
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: Take<S>,
    requests: Arc<Mutex<Requests>>,
    wait: Arc<Wait>,
    stage: Stage,
    /// Number of bytes of a reply that were written since something came.
    replied: u64,
    /// Number of bytes written since nothing more was taken, or others had their pass.
    in_turn: usize,
    /// True where it can't be told where a request ends.
    is_lost: bool,
    /// Delivery of which the end is not known, and the place for the stream.
    left: Arc<Left<TcpStream>>,
    /// Time left for the client of a delivery to close first.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncRead> Watched<S> {
    /// Notes in `requests` what comes, of a connection that waits, and in `left` what that
    /// says of a delivery.
    pub(super) fn new(
        inner: S,
        requests: Arc<Mutex<Requests>>,
        wait: Arc<Wait>,
        left: Arc<Left<TcpStream>>,
    ) -> Self {
        Self {
            inner: inner.take(READ),
            requests,
            wait,
            stage: Stage::Waits,
            replied: 0,
            in_turn: 0,
            is_lost: false,
            left,
            patience: None,
        }
    }

    /// Returns the stream, if nothing of a reply to what has come was written yet.
    pub(super) fn unanswered(self) -> Option<S> {
        (self.stage == Stage::Waits && self.replied == 0).then(|| self.inner.into_inner())
    }

    /// Looks at what came.
    fn look(&mut self, bytes: &mut [u8]) {
        if bytes.is_empty() {
            return;
        }
        let (is_whole, is_lost) = {
            let mut requests = lock(&self.requests);
            requests.look(bytes);
            (requests.is_whole(), requests.is_lost())
        };
        let waits = match self.stage {
            Stage::Tunnel => return,
            // Whatever comes behind a reply is of a next one.
            Stage::Asked | Stage::Rests if is_lost && self.is_lost => true,
            _ => !is_whole,
        };
        self.is_lost = is_lost;
        if waits {
            self.waits();
            return;
        }
        self.replied = 0;
        if self.stage != Stage::Asked {
            self.has_come();
        }
    }

    fn waits(&mut self) {
        if self.stage != Stage::Waits {
            self.stage = Stage::Waits;
            self.replied = 0;
            self.wait.waits();
        }
    }

    fn has_come(&mut self) {
        self.stage = Stage::Asked;
        self.wait.has_come();
    }

    /// Takes that the reader wants more, and there is nothing.
    fn is_empty(&mut self) {
        if self.stage != Stage::Asked {
            return;
        }
        let (is_whole, is_in_head) = {
            let requests = lock(&self.requests);
            (requests.is_whole(), requests.is_in_head())
        };
        if is_in_head {
            // It had come behind the request before, which is answered.
            self.waits();
        } else if is_whole && self.wait.rests() {
            self.stage = Stage::Rests;
        }
    }

    /// Waits for the others, where this one has had its turn.
    fn poll_turn(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.in_turn < TURN {
            return Poll::Ready(());
        }
        self.in_turn = 0;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes that so many bytes of a reply, which begins like this, are written.
    fn wrote(&mut self, begin: &[u8], result: &Poll<io::Result<usize>>) {
        let Poll::Ready(Ok(written)) = result else {
            self.in_turn = 0;
            if result.is_ready() {
                self.left.delivery.cut();
            }
            return;
        };
        self.in_turn += written;
        if self.replied == 0 {
            if begin.starts_with(b"HTTP/1.1 100") {
                return;
            }
            if begin.starts_with(b"HTTP/1.1 101") {
                self.has_come();
                self.stage = Stage::Tunnel;
            }
        }
        self.replied += *written as u64;
        // A reply that is more than an answer is never cut for what its request lacks.
        if self.stage == Stage::Waits && (self.is_lost || self.replied > LITTLE) {
            self.has_come();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Sends + Unpin> Watched<S> {
    /// Takes what a read says of a delivery.
    fn note_read(&self, result: &io::Result<()>, bytes: usize) {
        let delivery = &self.left.delivery;
        let is_sent = || self.inner.get_ref().is_sent();
        match result {
            Ok(()) if bytes > 0 => delivery.has_come(Came::Bytes, is_sent),
            Ok(()) => delivery.has_come(Came::End, is_sent),
            // Devices end without TLS's goodbye.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                delivery.has_come(Came::End, is_sent);
            }
            Err(_) => delivery.cut(),
        }
    }

    /// Takes what a flush says of a delivery.
    fn note_flush(&self, result: &io::Result<()>) {
        let is_behind = || !lock(&self.requests).is_whole();
        match result {
            Ok(()) => self
                .left
                .delivery
                .is_flushed(|| is_behind() || self.inner.get_ref().has_come()),
            Err(_) => self.left.delivery.cut(),
        }
    }

    /// Lets the client of a delivery close first. Returns whether our side is still to be
    /// shut in its own way, TLS's goodbye included; where it is not, the connection ends
    /// below TLS ([`farewell`](super::farewell)).
    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let left = Arc::clone(&self.left);
        if !left.delivery.is_handed_over() {
            return Poll::Ready(Ok(true));
        }
        let inner = self.inner.get_mut();
        ready!(inner.poll_sent(cx)).inspect_err(|_| left.delivery.cut())?;
        let patience = self
            .patience
            .get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        let is_over = patience.as_mut().poll(cx).is_ready();
        while !is_over && !left.delivery.is_shut() && left.delivery.is_pending() {
            let mut rest = [0; 64];
            let mut rest = ReadBuf::new(&mut rest);
            match ready!(Pin::new(&mut *inner).poll_read(cx, &mut rest)) {
                // Nothing that comes behind the last request is one.
                Ok(()) if !rest.filled().is_empty() => {}
                Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => {
                    left.delivery.cut();
                    return Poll::Ready(Err(e));
                }
                _ => left.delivery.has_come(Came::End, || true),
            }
        }
        Poll::Ready(Ok(!left.delivery.is_gone()))
    }
}

impl<S: AsyncRead + AsyncWrite + Sends + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        self.inner.set_limit(READ);
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if read.is_pending() {
            self.is_empty();
        }
        let result = ready!(read);
        if self.left.delivery.is_pending() {
            self.note_read(&result, buffer.filled().len() - before);
        }
        result?;
        self.look(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Sends + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx));
        let result = Pin::new(self.inner.get_mut()).poll_write(cx, buffer);
        self.wrote(buffer, &result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(cx));
        let result = Pin::new(self.inner.get_mut()).poll_write_vectored(cx, buffers);
        self.wrote(buffers.first().map_or(&[], |first| first), &result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(self.inner.get_mut()).poll_flush(cx));
        if self.left.delivery.is_pending() {
            self.note_flush(&result);
        }
        Poll::Ready(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.left.delivery.is_pending() && !ready!(self.poll_farewell(cx))? {
            return Poll::Ready(Ok(()));
        }
        Pin::new(self.inner.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
