//! Write timeout: a stream that gives up when its peer stops reading.
//!
//! Real downloads run at 30-65 KB/s and take minutes, so no total time is limited; a
//! write that moves no byte for the idle time is.
//!
//! A client that waits is looked at for a [reset](super::reset_watch) where that is asked.
//!
//! What is given up is reset, so that the kernel keeps nothing of it; what ends with
//! something left in the kernel is handed on to [`leftover`](super::leftover).

use super::leftover::{LITTLE, Leaves, Left, LingeringClose};
use super::reset_watch::ResetWatch;
use super::shares::Wait;
use futures_util::FutureExt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

/// Size in bytes of what is written in one piece.
const SMALL: usize = 1024;

/// Wraps the TCP stream, below TLS.
#[derive(Debug)]
pub(super) struct WriteTimeout<S: Leaves> {
    /// Stream below, until the end.
    inner: Option<S>,
    /// Bytes that were read of it already.
    opening: Vec<u8>,
    idle: Duration,
    written: u64,
    closing: Option<LingeringClose>,
    /// Place for the stream at the end, if something may be left in it.
    left: Arc<Left<S>>,
    watch: ResetWatch,
    /// Time since which a write waits.
    waiting_since: Option<Instant>,
    /// Timer, made at the first wait and kept: a slow download waits thousands of
    /// times, and the timer is only looked at when it fires.
    timer: Option<Pin<Box<Sleep>>>,
    /// Connection that waits for its client once something was written to it: in a
    /// handshake. Until then the client may have waited for us.
    begins: Option<Arc<Wait>>,
}

impl<S: Leaves> WriteTimeout<S> {
    pub(super) fn new(
        inner: S,
        idle: Duration,
        left: Arc<Left<S>>,
        begins: Option<Arc<Wait>>,
        watch: ResetWatch,
    ) -> Self {
        Self {
            begins,
            inner: Some(inner),
            opening: Vec::new(),
            idle,
            written: 0,
            closing: None,
            left,
            watch,
            waiting_since: None,
            timer: None,
        }
    }

    /// Hands on first what was read of the stream already.
    pub(super) fn with_opening(mut self, opening: Vec<u8>) -> Self {
        self.opening = opening;
        self
    }

    /// Notes the result of a write; returns an error once it has waited too long.
    fn note(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = result {
            self.waiting_since = None;
            self.written += *result.as_ref().unwrap_or(&0) as u64;
            if let Some(wait) = self.begins.take() {
                wait.goes_on();
            }
            return Poll::Ready(result);
        }
        let now = Instant::now();
        let since = *self.waiting_since.get_or_insert(now);
        let idle = self.idle;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(since + idle)));
        loop {
            ready!(timer.as_mut().poll(cx));
            let deadline = since + idle;
            if deadline <= Instant::now() {
                if let Some(inner) = self.inner.take() {
                    inner.leave_nothing();
                }
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            // It was set for an earlier wait.
            timer.as_mut().reset(deadline);
        }
    }
}

impl WriteTimeout<TcpStream> {
    /// Waits until the other side has ended, as far as the kernel has said so already:
    /// it is not asked. Behind bytes that nobody has read an end is seen only by who
    /// comes again.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(inner) = &self.inner else {
            return Poll::Ready(());
        };
        if ready!(inner.poll_read_ready(cx)).is_err() {
            return Poll::Ready(());
        }
        match inner.ready(Interest::READABLE).now_or_never() {
            Some(Ok(ready)) if !ready.is_read_closed() => Poll::Pending,
            None => Poll::Pending,
            Some(_) => Poll::Ready(()),
        }
    }
}

/// Stream of which it can be told what became of what was written to it.
pub(super) trait Sends {
    /// Returns ready once the kernel has sent all; an error where that stands still.
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
    /// Returns whether the kernel has sent all, of a stream that goes on.
    fn is_sent(&self) -> bool;
    /// Returns whether something of the client can be read at once, an end included.
    fn has_come(&self) -> bool;
}

impl<S: Leaves + Unpin> Sends for WriteTimeout<S> {
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = there(&mut self.inner)?;
        // Behind an end how much is left shows no more, so the end waits.
        let closing = self
            .closing
            .get_or_insert_with(|| LingeringClose::new(self.idle));
        closing.poll(&*inner, cx)
    }

    fn is_sent(&self) -> bool {
        self.inner.as_ref().is_some_and(Leaves::is_sent)
    }

    fn has_come(&self) -> bool {
        !self.opening.is_empty() || self.inner.as_ref().is_none_or(Leaves::has_come)
    }
}

impl<S: Sends> Sends for TlsStream<S> {
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().0.poll_sent(cx)
    }

    fn is_sent(&self) -> bool {
        self.get_ref().0.is_sent()
    }

    fn has_come(&self) -> bool {
        let (stream, tls) = self.get_ref();
        // It takes no more while there is something that nobody has read.
        !tls.wants_read() || stream.has_come()
    }
}

/// Returns the stream, while there is one.
fn there<S: Unpin>(inner: &mut Option<S>) -> io::Result<Pin<&mut S>> {
    match inner {
        Some(inner) => Ok(Pin::new(inner)),
        None => Err(io::ErrorKind::NotConnected.into()),
    }
}

impl<S: AsyncRead + Leaves + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.opening.is_empty() {
            return there(&mut self.inner)?.poll_read(cx, buffer);
        }
        let count = buffer.remaining().min(self.opening.len());
        buffer.put_slice(&self.opening[..count]);
        if count == self.opening.len() {
            self.opening = Vec::new();
        } else {
            self.opening.drain(..count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Leaves> Drop for WriteTimeout<S> {
    fn drop(&mut self) {
        if (self.written > LITTLE || self.left.delivery.is_pending())
            && let Some(inner) = self.inner.take()
        {
            self.left.put(inner);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Leaves + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = there(&mut self.inner)?.poll_write(cx, buffer);
        self.note(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let total: usize = buffers.iter().map(|b| b.len()).sum();
        let result = if total <= SMALL {
            // A head and a short body: put together they take the kernel's
            // shorter way, which is worth more than the copy.
            let mut together = [0; SMALL];
            let mut at = 0;
            for buffer in buffers {
                together[at..at + buffer.len()].copy_from_slice(buffer);
                at += buffer.len();
            }
            there(&mut self.inner)?.poll_write(cx, &together[..at])
        } else {
            there(&mut self.inner)?.poll_write_vectored(cx, buffers)
        };
        self.note(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner
            .as_ref()
            .is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP holds nothing back, so this is always ready, and it is no
        // progress: it must not reset the wait.
        let this = &mut *self;
        if this.watch.is_asked() && this.inner.as_ref().is_some_and(Leaves::is_reset) {
            this.inner = None;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        there(&mut this.inner)?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.written > LITTLE {
            ready!(this.poll_sent(cx))?;
        }
        there(&mut this.inner)?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    impl Leaves for DuplexStream {
        fn has_left_less_than(&self, _: u32) -> bool {
            true
        }

        fn leave_nothing(&self) {}

        fn is_reset(&self) -> bool {
            false
        }

        fn has_come(&self) -> bool {
            false
        }
    }

    impl Sends for DuplexStream {
        fn poll_sent(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn is_sent(&self) -> bool {
            true
        }

        fn has_come(&self) -> bool {
            false
        }
    }

    fn progress(inner: DuplexStream) -> (WriteTimeout<DuplexStream>, Arc<Left<DuplexStream>>) {
        let left = Arc::default();
        let stream = WriteTimeout::new(inner, IDLE, Arc::clone(&left), None, ResetWatch::default());
        (stream, left)
    }

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_is_served_for_hours() {
        let (ours, mut theirs) = duplex(16);
        let (mut ours, _left) = progress(ours);
        let writer = tokio::spawn(async move { ours.write_all(&[7; 16 * 100]).await });
        let started = Instant::now();
        let mut block = [0; 16];
        for _ in 0..100 {
            tokio::time::sleep(IDLE.checked_sub(Duration::from_secs(1)).unwrap()).await;
            theirs.read_exact(&mut block).await.unwrap();
        }
        writer.await.unwrap().unwrap();
        assert!(started.elapsed() > Duration::from_secs(5000));
    }

    #[tokio::test]
    async fn what_was_read_before_comes_first() {
        for block in [1, 3, 7, 64] {
            let (ours, mut theirs) = duplex(64);
            let (ours, _left) = progress(ours);
            let mut ours = ours.with_opening(b"POST /x".to_vec());
            theirs.write_all(b" HTTP/1.1").await.unwrap();
            drop(theirs);
            let mut all = Vec::new();
            let mut piece = vec![0; block];
            while let count @ 1.. = ours.read(&mut piece).await.unwrap() {
                all.extend_from_slice(&piece[..count]);
            }
            assert_eq!(all, b"POST /x HTTP/1.1", "{block}");
        }
    }

    #[tokio::test]
    async fn what_may_be_left_is_handed_on() {
        for (length, handed_on) in [(1000, false), (100_000, true)] {
            let (ours, mut theirs) = duplex(200_000);
            let (mut ours, left) = progress(ours);
            ours.write_all(&vec![7; length]).await.unwrap();
            drop(ours);
            let stream = left.take();
            assert_eq!(stream.is_some(), handed_on, "{length}");
            // Its end comes with the close.
            drop(stream);
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            assert_eq!(all.len(), length);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_reading_is_let_go() {
        let (ours, mut theirs) = duplex(16);
        let (mut ours, _left) = progress(ours);
        let started = Instant::now();
        let writer = tokio::spawn(async move { ours.write_all(&[7; 64]).await });
        tokio::time::sleep(Duration::from_secs(30)).await;
        theirs.read_exact(&mut [0; 16]).await.unwrap();
        let error = writer.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // The clock began anew with the byte that moved.
        assert_eq!(started.elapsed().as_secs(), 90);
    }
}
