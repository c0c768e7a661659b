//! Connections to backends that are kept for the next request, and looked at
//! before it goes out.
//!
//! A backend that closes one says so, but the runtime learns of it when it asks
//! the kernel the next time. On a thread that has much to do a request may come
//! first; it is written into a connection whose end lies there unread, and if it
//! changes something it is lost, for nobody may send it twice. hyper reads before
//! it writes: here that read asks the kernel itself.

use super::first_reply::FirstReply;
use super::resolver::Resolver;
use futures_util::future::BoxFuture;
use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tower_service::Service;

/// Size in bytes of the kernel's buffer in each direction; it doubles the number. Left
/// to itself it gives a connection some megabytes for a side that is slow.
pub(super) const KERNEL_BUFFER: usize = 128 * 1024;

/// Connects to backends.
#[derive(Debug, Clone)]
pub(super) struct Connector(pub(super) HttpConnector<Resolver>);

type ConnectError = <HttpConnector<Resolver> as Service<Uri>>::Error;

impl Service<Uri> for Connector {
    type Response = BackendConnection;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<BackendConnection, ConnectError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async { Ok(BackendConnection::new(connecting.await?)) })
    }
}

/// Connects to a host beside us, whose name is looked up if it is one, within `patience`: of
/// several addresses each has its part of it, for one may lead nowhere.
pub(super) async fn reach(
    resolver: &Resolver,
    host: &str,
    port: u16,
    patience: Duration,
) -> io::Result<TcpStream> {
    let late = || io::Error::other(format!("no connection within {patience:?}"));
    let connecting = async {
        let addresses = resolver.addresses(host, port).await?;
        let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let mut failed = io::Error::other("the name has no address");
        let end = Instant::now() + patience;
        for address in addresses {
            let share = end.saturating_duration_since(Instant::now()) / left.max(1);
            left = left.saturating_sub(1);
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = late(),
            }
        }
        Err(failed)
    };
    let connected = timeout(patience, connecting).await;
    let stream = connected.unwrap_or_else(|_| Err(late()))?;
    let _ = stream.set_nodelay(true);
    let socket = SockRef::from(&stream);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    Ok(stream)
}

/// A connection to a backend.
#[derive(Debug)]
pub(super) struct BackendConnection {
    stream: FirstReply<TokioIo<TcpStream>>,
    /// Set while a request was sent and nothing has come yet: then there is no hurry to
    /// see the end.
    asked: bool,
}

impl BackendConnection {
    fn new(stream: TokioIo<TcpStream>) -> Self {
        Self {
            stream: FirstReply::new(stream),
            asked: false,
        }
    }

    fn note(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.asked |= matches!(written, Poll::Ready(Ok(1..)));
        written
    }

    /// Returns whether the backend has ended the connection, as the kernel knows now.
    fn has_ended(&self) -> io::Result<bool> {
        let mut next = [MaybeUninit::uninit()];
        match SockRef::from(self.stream.inner.inner()).peek(&mut next) {
            Ok(n) => Ok(n == 0),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(false),
            Err(e) => Err(e),
        }
    }
}

impl Read for BackendConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.asked = false;
        } else if !self.asked && self.has_ended()? {
            return Poll::Ready(Ok(()));
        }
        read
    }
}

impl Write for BackendConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connection for BackendConnection {
    fn connected(&self) -> Connected {
        self.stream.inner.connected()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::rt::ReadBuf;
    use std::future::poll_fn;
    use std::io::Write as _;
    use std::net::{self, Shutdown};

    /// Makes both ends of a connection; the runtime has heard nothing yet of ours.
    fn pair() -> (TokioIo<TcpStream>, net::TcpStream) {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        ours.set_nonblocking(true).unwrap();
        (TokioIo::new(TcpStream::from_std(ours).unwrap()), theirs)
    }

    /// Returns the number of bytes that one read gives, at once or not at all.
    async fn read_once(stream: &mut (impl Read + Unpin)) -> Poll<usize> {
        let mut bytes = [0; 16];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = poll_fn(|cx| {
            let read = Pin::new(&mut *stream).poll_read(cx, buffer.unfilled());
            Poll::Ready(read)
        });
        read.await
            .map(|read| read.unwrap())
            .map(|()| buffer.filled().len())
    }

    #[tokio::test]
    async fn an_end_is_seen_before_the_runtime_tells_of_it() {
        let (mut unlooked, theirs) = pair();
        theirs.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_once(&mut unlooked).await, Poll::Pending);

        let (ours, mut theirs) = pair();
        let mut kept = BackendConnection::new(ours);
        assert_eq!(read_once(&mut kept).await, Poll::Pending);
        // What has come is no end, and stays where it is.
        theirs.write_all(b"H").unwrap();
        let mut came = Poll::Pending;
        while came.is_pending() {
            came = read_once(&mut kept).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(came, Poll::Ready(1));
        theirs.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_once(&mut kept).await, Poll::Ready(0));
    }
}
