//! Bytes that the kernel still holds of a connection when nothing here does any more.
//!
//! A reply that fits into the send buffer is over for HTTP as soon as it is there.
//! Closed then, the kernel would go on holding it for a client that does not read, for
//! minutes and beside every permit. So the connection keeps its permit until what is
//! left is on its way; what does not move any more is reset, so that nothing of it
//! stays.
//!
//! The kernel is asked by `poll` behind `TCP_NOTSENT_LOWAT`. Its own clock,
//! `TCP_USER_TIMEOUT`, is of no use here: it counts a small window that is full most of
//! the time as one that never opens, and would end downloads that move. What was sent
//! and is not acknowledged, a window's worth, the kernel gives up after its own retries
//! (`tcp_orphan_retries`).

use super::delivery::PendingDelivery;
use crate::util::sync::lock;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::SockRef;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Number of bytes that may have been written to a peer of which nothing is waited for:
/// an answer to a check-in, and a handshake.
pub(super) const LITTLE: u64 = 8 * 1024;
/// Number of bytes by which what is left must have shrunk to count as moving.
const STEP: u32 = 32 * 1024;
/// Upper bound of what is left, in bytes: a send buffer, as the kernel doubles it, and
/// to spare.
const MOST: u32 = 1024 * 1024;
/// Times between two looks: the first, and the longest.
pub(super) const LOOKS: (Duration, Duration) =
    (Duration::from_millis(10), Duration::from_millis(500));

/// A connection of which the kernel keeps what it has not sent.
pub(super) trait Leaves {
    /// Returns whether less than so many bytes have not been sent yet.
    fn has_left_less_than(&self, bytes: u32) -> bool;
    /// Makes the close that follows a reset, which leaves nothing.
    fn leave_nothing(&self);
    /// Returns whether the peer has reset it, or the kernel has given it up.
    fn is_reset(&self) -> bool;
    /// Returns whether something of the peer can be read at once, an end included.
    fn has_come(&self) -> bool;
    /// Returns whether all has been sent, of a stream that goes on.
    fn is_sent(&self) -> bool {
        self.has_left_less_than(1)
    }
}

impl Leaves for TcpStream {
    fn has_left_less_than(&self, bytes: u32) -> bool {
        // Writable is what has less than this unsent (tcp(7), TCP_NOTSENT_LOWAT).
        // `poll` asks the kernel itself; what tokio remembers was true before.
        if SockRef::from(self).set_tcp_notsent_lowat(bytes).is_err() {
            return true;
        }
        let mut asked = [PollFd::new(self.as_fd(), PollFlags::POLLOUT)];
        // One that is gone is writable, too.
        poll(&mut asked, PollTimeout::ZERO).map_or(true, |ready| ready > 0)
    }

    fn leave_nothing(&self) {
        // One that is gone already leaves nothing either.
        let _ = self.set_zero_linger();
    }

    fn is_reset(&self) -> bool {
        self.take_error().is_ok_and(|error| error.is_some())
    }

    fn has_come(&self) -> bool {
        let mut asked = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut asked, PollTimeout::ZERO).map_or(true, |ready| ready > 0)
    }

    fn is_sent(&self) -> bool {
        let is_sent = self.has_left_less_than(1);
        // Left so, the next reply would go out a buffer at a time. 0 is the system's own.
        let _ = SockRef::from(self).set_tcp_notsent_lowat(0);
        is_sent
    }
}

/// Place for a stream that ends with something left in it.
#[derive(Debug)]
pub(super) struct Left<S> {
    stream: Mutex<Option<S>>,
    /// Delivery of which the end is not known: its stream is left here, too.
    pub(super) delivery: PendingDelivery,
    /// Held while a body is on its way that a stop waits for.
    pub(super) download: Mutex<Option<TaskTrackerToken>>,
}

impl<S> Default for Left<S> {
    fn default() -> Self {
        Self {
            stream: Mutex::default(),
            delivery: PendingDelivery::default(),
            download: Mutex::default(),
        }
    }
}

impl<S> Left<S> {
    pub(super) fn put(&self, stream: S) {
        *lock(&self.stream) = Some(stream);
    }

    pub(super) fn take(&self) -> Option<S> {
        lock(&self.stream).take()
    }
}

/// Wait until all of a stream has been sent.
#[derive(Debug)]
pub(super) struct LingeringClose {
    idle: Duration,
    left: u32,
    /// Time since which it is not known to move.
    since: Instant,
    look: Duration,
    next_look: Pin<Box<Sleep>>,
}

impl LingeringClose {
    /// Begins a wait that ends when nothing moves for `idle`.
    pub(super) fn new(idle: Duration) -> Self {
        let since = Instant::now();
        Self {
            idle,
            left: MOST,
            since,
            look: LOOKS.0,
            next_look: Box::pin(sleep_until(since)),
        }
    }

    /// Returns ready once nothing is left; an error where it has stood still.
    pub(super) fn poll(
        &mut self,
        stream: &impl Leaves,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if stream.has_left_less_than(1) {
                return Poll::Ready(Ok(()));
            }
            ready!(self.next_look.as_mut().poll(cx));
            let (before, now) = (self.left, Instant::now());
            while self.left > STEP && stream.has_left_less_than(self.left - STEP) {
                self.left -= STEP;
            }
            if self.left < before {
                self.since = now;
            }
            if self.since + self.idle <= now {
                stream.leave_nothing();
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let look = self.look.min(self.idle / 4);
            self.next_look.as_mut().reset(now + look);
            self.look = LOOKS.1.min(2 * look);
        }
    }
}

/// Waits until all of it has been sent, as long as it moves; what stands still for
/// `idle` is reset.
pub(super) async fn finish(stream: impl Leaves, idle: Duration) {
    // Either way nothing is left.
    let _ = sent(&stream, idle).await;
}

/// The same, of a stream that stays; an error where it was reset.
pub(super) async fn sent(stream: &impl Leaves, idle: Duration) -> io::Result<()> {
    let mut closing = LingeringClose::new(idle);
    poll_fn(|cx| closing.poll(stream, cx)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use tokio::time::sleep;

    #[derive(Clone, Default)]
    struct Fake {
        left: Arc<AtomicU32>,
        was_reset: Arc<AtomicBool>,
    }

    impl Leaves for Fake {
        fn has_left_less_than(&self, bytes: u32) -> bool {
            self.left.load(Ordering::Relaxed) < bytes
        }

        fn leave_nothing(&self) {
            self.was_reset.store(true, Ordering::Relaxed);
        }

        fn is_reset(&self) -> bool {
            false
        }

        fn has_come(&self) -> bool {
            false
        }
    }

    const IDLE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn what_moves_is_waited_for_and_what_stands_still_is_reset() {
        // A little above and below a step within the idle time.
        for (rate, resets) in [(700, false), (0, true), (400, true)] {
            let fake = Fake::default();
            fake.left.store(200_000, Ordering::Relaxed);
            let reader = tokio::spawn({
                let left = Arc::clone(&fake.left);
                async move {
                    loop {
                        sleep(Duration::from_secs(1)).await;
                        let now = left.load(Ordering::Relaxed);
                        left.store(now.saturating_sub(rate), Ordering::Relaxed);
                    }
                }
            });
            let begun = Instant::now();
            finish(fake.clone(), IDLE).await;
            reader.abort();
            assert_eq!(fake.was_reset.load(Ordering::Relaxed), resets, "{rate}");
            let took = begun.elapsed().as_secs();
            let expected = if resets { 0..=200 } else { 280..=290 };
            assert!(expected.contains(&took), "{rate}: {took}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_left_is_no_wait() {
        let begun = Instant::now();
        finish(Fake::default(), IDLE).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
