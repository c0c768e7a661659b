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
const PATIENCE: Duration = Duration::from_secs(1);

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
mod tests {
    use super::*;
    use crate::server::shares::{Place, Shares};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::sync::Semaphore;
    use tokio::time::Instant;

    /// A connection, the client's end of it, and its place.
    struct World {
        ours: Watched<DuplexStream>,
        theirs: DuplexStream,
        shares: Arc<Shares>,
        place: Place,
    }

    impl World {
        fn new() -> Self {
            Self::with_room(100_000)
        }

        fn with_room(bytes: usize) -> Self {
            let shares = Arc::new(Shares::new(1, Arc::new(Semaphore::new(0)), true));
            let client = shares.client([192, 0, 2, 1].into(), true);
            let place = shares.enter(client, Instant::now()).unwrap();
            let (ours, theirs) = duplex(bytes);
            let ours = Watched::new(
                ours,
                Arc::default(),
                Arc::clone(place.wait()),
                Arc::default(),
            );
            Self {
                ours,
                theirs,
                shares,
                place,
            }
        }

        async fn comes(&mut self, text: &str) {
            self.theirs.write_all(text.as_bytes()).await.unwrap();
            let mut read = vec![0; text.len()];
            self.ours.read_exact(&mut read).await.unwrap();
        }

        async fn goes(&mut self, text: &str) {
            self.ours.write_all(text.as_bytes()).await.unwrap();
        }

        /// Has the reader want more, where there is nothing.
        async fn wants_more(&mut self) {
            let mut byte = [0];
            tokio::select! {
                biased;
                _ = self.ours.read(&mut byte) => panic!("there was something"),
                () = std::future::ready(()) => {}
            }
        }

        /// Says what the connection counts as.
        fn counts_as(&self) -> &'static str {
            match self.shares.counts() {
                (1, 0) => "waits",
                (0, 1) => "rests",
                (0, 0) => "asked",
                _ => "twice",
            }
        }
    }

    #[tokio::test]
    async fn whoever_takes_much_lets_others_have_their_pass() {
        let mut world = World::with_room(16 * TURN);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let block = vec![7; TURN / 2];
        let ours = &mut world.ours;
        let mut write = || Pin::new(&mut *ours).poll_write(&mut cx, &block).is_ready();
        let turns: Vec<_> = (0..6).map(|_| write()).collect();
        assert_eq!(turns, [true, true, false, true, true, false]);
    }

    #[tokio::test]
    async fn a_connection_waits_until_all_of_a_request_has_come() {
        let mut world = World::new();
        for (comes, counts) in [
            ("", "waits"),
            ("POST /x HTTP/1.1\r\nContent-Length: 2\r\n", "waits"),
            ("\r\n{", "waits"),
            ("}", "asked"),
        ] {
            world.comes(comes).await;
            assert_eq!(world.counts_as(), counts, "behind {comes:?}");
        }
        world.goes("HTTP/1.1 200 OK\r\n\r\n").await;
        assert_eq!(world.counts_as(), "asked");
        world.wants_more().await;
        assert_eq!(world.counts_as(), "rests");
        // In one piece, and in two.
        world.comes("GET /x HTTP/1.1\r\n\r\n").await;
        assert_eq!(world.counts_as(), "asked");
        world.wants_more().await;
        world.comes("GE").await;
        assert_eq!(world.counts_as(), "waits");
        world.comes("T /x HTTP/1.1\r\n\r\n").await;
        assert_eq!(world.counts_as(), "asked");
        drop((world.ours, world.place));
        assert_eq!(world.shares.counts(), (0, 0));
    }

    #[tokio::test]
    async fn a_download_is_never_one_that_waits() {
        let mut world = World::new();
        // Nothing of its body comes, and it is sent an image all the same.
        world
            .comes("GET /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
            .await;
        world.goes("HTTP/1.1 100 Continue\r\n\r\n").await;
        world.goes("HTTP/1.1 200 OK\r\n\r\n").await;
        assert_eq!(world.counts_as(), "waits");
        world.goes(&"image".repeat(2000)).await;
        assert_eq!(world.counts_as(), "asked");
    }

    #[tokio::test]
    async fn half_a_request_behind_a_whole_one_waits_once_that_is_answered() {
        let mut world = World::new();
        world.comes("GET /x HTTP/1.1\r\n\r\nGET /y HT").await;
        assert_eq!(world.counts_as(), "waits");
        world.goes(&"image".repeat(2000)).await;
        assert_eq!(world.counts_as(), "asked");
        world.wants_more().await;
        assert_eq!(world.counts_as(), "waits");
    }

    #[tokio::test]
    async fn where_no_end_can_be_told_a_reply_is_one() {
        let mut world = World::new();
        let head = "POST /x HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
        world.comes(head).await;
        assert_eq!(world.counts_as(), "waits");
        world.goes("HTTP/1.1 100 Continue\r\n\r\n").await;
        assert_eq!(world.counts_as(), "waits");
        world.goes("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        assert_eq!(world.counts_as(), "asked");
        // Whatever comes behind it is no request that is whole.
        world.comes("0\r\n").await;
        assert_eq!(world.counts_as(), "waits");
    }

    #[tokio::test]
    async fn a_tunnel_never_waits_and_a_refused_one_may() {
        for (reply, counts) in [
            ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "asked"),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "waits"),
        ] {
            let mut world = World::new();
            world.comes("GET /a HTTP/1.1\r\n\r\n").await;
            world.goes("HTTP/1.1 200 OK\r\n\r\n").await;
            world
                .comes("GET /x HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
                .await;
            assert_eq!(world.counts_as(), "asked");
            world.goes(reply).await;
            world.comes("GET /y").await;
            assert_eq!(world.counts_as(), counts, "{reply}");
        }
    }

    #[tokio::test]
    async fn who_was_answered_gets_no_second_answer() {
        let half = "POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
        let mut world = World::new();
        world.comes(half).await;
        assert!(world.ours.unanswered().is_some());
        let mut world = World::new();
        world.comes(half).await;
        world.goes("HTTP/1.1 413 Content Too Large\r\n\r\n").await;
        assert!(world.ours.unanswered().is_none());
    }
}
