//! Connections to the server behind that wait for the next request.

use crate::util::sync::lock;
use socket2::SockRef;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::client::TlsStream;

/// Time that an idle one is kept: servers close theirs after a minute or so.
const KEPT: Duration = Duration::from_secs(30);

/// Idle connections of one worker, the one that was used last behind the others.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Kept>>,
    /// True while something waits to close those that are idle for too long.
    is_swept: AtomicBool,
}

/// Connection that waits for the next request.
struct Kept {
    connection: Connection,
    since: Instant,
}

/// Connection to it, of the worker on which it was made.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    pub(super) home: Arc<Pool>,
    #[expect(dead_code, reason = "it counts until it is dropped")]
    pub(super) counted: Counted,
}

impl Connection {
    /// Keeps it for the next request, on the worker on which it was made.
    pub(super) fn rest(self) {
        let (home, since) = (Arc::clone(&self.home), Instant::now());
        let connection = self;
        lock(&home.idle).push(Kept { connection, since });
        if !home.is_swept.swap(true, Ordering::AcqRel) {
            tokio::spawn(home.sweep());
        }
    }
}

/// One of the number of connections.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Pool {
    pub(super) fn pop(&self) -> Option<Connection> {
        let mut idle = lock(&self.idle);
        while let Some(kept) = idle.pop() {
            if kept.since.elapsed() < KEPT {
                return Some(kept.connection);
            }
        }
        None
    }

    pub(super) fn clear(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        drop(idle);
    }

    /// Closes connections that are idle for too long, until there are none.
    async fn sweep(self: Arc<Self>) {
        loop {
            sleep(KEPT).await;
            let mut idle = lock(&self.idle);
            let old: Vec<_> = idle
                .extract_if(.., |kept| kept.since.elapsed() >= KEPT)
                .collect();
            if idle.is_empty() {
                self.is_swept.store(false, Ordering::Release);
            }
            let is_over = idle.is_empty();
            drop(idle);
            drop(old);
            if is_over {
                return;
            }
        }
    }
}

/// A stream, over TLS or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Returns what lies below TLS, if that is there.
    fn socket(&self) -> &TcpStream;

    /// Tells whether it may hold what is not in the kernel any more.
    fn buffers(&self) -> bool;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }

    fn buffers(&self) -> bool {
        false
    }
}

impl Stream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn buffers(&self) -> bool {
        true
    }
}

/// Thing that came while a connection was idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quiet {
    /// Nothing.
    Yes,
    /// Its end.
    Ended,
    /// Something that would be taken for the answer to the next request.
    Stray,
}

/// Looks at an idle connection, as the kernel knows it now, and TLS.
pub(super) fn quiet(stream: &mut dyn Stream) -> Quiet {
    if stream.buffers() {
        let mut space = [MaybeUninit::uninit(); 1];
        let mut buffer = ReadBuf::uninit(&mut space);
        let mut context = Context::from_waker(Waker::noop());
        match Pin::new(&mut *stream).poll_read(&mut context, &mut buffer) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => return Quiet::Stray,
            Poll::Ready(_) => return Quiet::Ended,
        }
    }
    let mut next = [MaybeUninit::uninit()];
    match SockRef::from(stream.socket()).peek(&mut next) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Quiet::Yes,
        // What lies below TLS may be its goodbye, or a ticket.
        Ok(1..) if !stream.buffers() => Quiet::Stray,
        Ok(_) | Err(_) => Quiet::Ended,
    }
}
