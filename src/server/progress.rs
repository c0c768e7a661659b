//! A stream that gives up when its peer stops reading.
//!
//! Real downloads run at 30-65 KB/s and take minutes, so no total time is
//! limited; a write that moves no byte for the idle time is.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What is written in one piece.
const SMALL: usize = 1024;

/// Wraps the TCP stream, below TLS.
#[derive(Debug)]
pub(super) struct Progress<S> {
    inner: S,
    idle: Duration,
    /// Since when a write waits.
    waiting_since: Option<Instant>,
    /// Made at the first wait and kept: a slow download waits thousands of
    /// times, and the timer is only looked at when it fires.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Progress<S> {
    pub(super) fn new(inner: S, idle: Duration) -> Self {
        Self {
            inner,
            idle,
            waiting_since: None,
            timer: None,
        }
    }

    /// Notes what a write came to; an error once it has waited too long.
    fn note<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.waiting_since = None;
            return result;
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
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            // It was set for an earlier wait.
            timer.as_mut().reset(deadline);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Progress<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Progress<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buffer);
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
            Pin::new(&mut self.inner).poll_write(cx, &together[..at])
        } else {
            Pin::new(&mut self.inner).poll_write_vectored(cx, buffers)
        };
        self.note(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP holds nothing back, so this is always ready, and it is no
        // progress: it must not reset the wait.
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_slowly_is_served_for_hours() {
        let (ours, mut theirs) = duplex(16);
        let mut ours = Progress::new(ours, IDLE);
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

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_reading_is_let_go() {
        let (ours, mut theirs) = duplex(16);
        let mut ours = Progress::new(ours, IDLE);
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
