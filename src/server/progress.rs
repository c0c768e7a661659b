//! A stream that gives up when its peer stops reading.
//!
//! Real downloads run at 30-65 KB/s and take minutes, so no total time is
//! limited; a write that moves no byte for the idle time is.
//!
//! What is given up is reset: closed in the usual way, the kernel would go on
//! holding what it has to send for minutes, and nothing here would count it. For
//! the same reason an end in the usual way waits for the peer's own where much
//! was written.

use socket2::SockRef;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// What is written in one piece.
const SMALL: usize = 1024;

/// How much may have been written to a peer whose own end is not waited for, in
/// bytes: an answer to a check-in, and a handshake.
const LITTLE: u64 = 32 * 1024;

/// A connection of which the kernel keeps what was not sent when it ends here.
pub(super) trait Leaves {
    /// Makes the close that follows a reset, which leaves nothing.
    fn leave_nothing(&self);
    /// Bounds how long what is left waits for a peer that takes none of it.
    fn leave_for(&self, limit: Duration);
}

impl Leaves for TcpStream {
    fn leave_nothing(&self) {
        // One that is gone already leaves nothing either.
        let _ = self.set_zero_linger();
    }

    fn leave_for(&self, limit: Duration) {
        // Not while it is in use: the kernel counts a small window that is full
        // most of the time as one that never opens, and would end a download that
        // moves.
        let _ = SockRef::from(self).set_tcp_user_timeout(Some(limit));
    }
}

/// Wraps the TCP stream, below TLS.
#[derive(Debug)]
pub(super) struct Progress<S: Leaves> {
    inner: S,
    idle: Duration,
    written: u64,
    /// Until when the peer's own end is waited for.
    lingers_until: Option<Instant>,
    /// Since when a write waits.
    waiting_since: Option<Instant>,
    /// Made at the first wait and kept: a slow download waits thousands of
    /// times, and the timer is only looked at when it fires.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S: Leaves> Progress<S> {
    pub(super) fn new(inner: S, idle: Duration) -> Self {
        Self {
            inner,
            idle,
            written: 0,
            lingers_until: None,
            waiting_since: None,
            timer: None,
        }
    }

    /// Notes what a write came to; an error once it has waited too long.
    fn note(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(result) = result {
            self.waiting_since = None;
            self.written += *result.as_ref().unwrap_or(&0) as u64;
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
                self.inner.leave_nothing();
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            // It was set for an earlier wait.
            timer.as_mut().reset(deadline);
        }
    }
}

impl<S: AsyncRead + Leaves + Unpin> Progress<S> {
    /// Waits until the peer has ended its side, for which it has read ours; no
    /// longer than the idle time.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let idle = self.idle;
        let until = *self.lingers_until.get_or_insert_with(|| {
            // The timer may still be set for a write.
            self.timer = None;
            Instant::now() + idle
        });
        let mut unread = [MaybeUninit::uninit(); 1024];
        loop {
            let mut unread = ReadBuf::uninit(&mut unread);
            match Pin::new(&mut self.inner).poll_read(cx, &mut unread) {
                Poll::Ready(Ok(())) if !unread.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        timer.as_mut().poll(cx)
    }
}

impl<S: AsyncRead + Leaves + Unpin> AsyncRead for Progress<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: Leaves> Drop for Progress<S> {
    fn drop(&mut self) {
        if self.written > LITTLE {
            self.inner.leave_for(2 * self.idle);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Leaves + Unpin> AsyncWrite for Progress<S> {
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
        ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        if self.written > LITTLE {
            ready!(self.poll_end(cx));
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    impl Leaves for DuplexStream {
        fn leave_nothing(&self) {}

        fn leave_for(&self, _: Duration) {}
    }

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
    async fn who_was_written_much_is_waited_for() {
        for (length, waits) in [(1000, false), (100_000, true)] {
            let (ours, mut theirs) = duplex(200_000);
            let mut ours = Progress::new(ours, IDLE);
            ours.write_all(&vec![7; length]).await.unwrap();
            let started = Instant::now();
            ours.shutdown().await.unwrap();
            assert_eq!(started.elapsed() == IDLE, waits, "{length}");
            // And no longer than to its own end.
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            assert_eq!(all.len(), length);
        }
        let (ours, mut theirs) = duplex(200_000);
        let mut ours = Progress::new(ours, IDLE);
        let started = Instant::now();
        let end = tokio::spawn(async move {
            ours.write_all(&vec![7; 100_000]).await.unwrap();
            ours.shutdown().await
        });
        let mut all = Vec::new();
        theirs.read_to_end(&mut all).await.unwrap();
        theirs.write_all(b"what nobody asked for").await.unwrap();
        drop(theirs);
        end.await.unwrap().unwrap();
        assert_eq!(started.elapsed(), Duration::ZERO);
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
