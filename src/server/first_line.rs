//! A look at how a request line begins.
//!
//! hyper is told to take several blanks between the parts of a request line, for
//! a blank behind the address that was typed into a device stands in front of
//! `HTTP/1.1`. In front of the path nobody's firmware puts two, and it is refused
//! as before. (Only what begins a connection, or follows a reply, is looked at: a
//! request that was sent together with the one before it passes. That does no harm,
//! for a server behind this one gets a request line of ours.)

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Which byte comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Method,
    /// Behind the blank that ends the method.
    Path,
    Anything,
}

/// Wraps the stream that requests come from.
#[derive(Debug)]
pub(super) struct FirstLine<S> {
    inner: S,
    next: Next,
    is_spaced: Arc<AtomicBool>,
}

impl<S> FirstLine<S> {
    /// Sets `is_spaced` where more than one blank follows the method.
    pub(super) fn new(inner: S, is_spaced: Arc<AtomicBool>) -> Self {
        Self {
            inner,
            next: Next::Method,
            is_spaced,
        }
    }

    fn look(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.next = match (self.next, byte) {
                (Next::Method, b' ') => Next::Path,
                // Lines may be empty in front of a request (RFC 9112, section 2.2).
                (Next::Method, _) => Next::Method,
                (Next::Path, b' ') => {
                    self.is_spaced.store(true, Ordering::Relaxed);
                    Next::Anything
                }
                (Next::Path | Next::Anything, _) => Next::Anything,
            };
            if self.next == Next::Anything {
                return;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FirstLine<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buffer))?;
        if self.next != Next::Anything {
            self.look(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FirstLine<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.next = Next::Method;
        Pin::new(&mut self.inner).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.next = Next::Method;
        Pin::new(&mut self.inner).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blanks_in_front_of_the_path_are_seen_in_any_pieces() {
        for (text, spaced) in [
            ("GET /x HTTP/1.1\r\n", false),
            ("POST /xiaozhi/ota/  HTTP/1.1\r\n", false),
            ("GET /x HTTP/1.1\r\n\r\nGET  /x", false),
            ("GET  /x HTTP/1.1\r\n", true),
            ("\r\nGET  /x HTTP/1.1\r\n", true),
            ("GET   /x", true),
        ] {
            for size in [1, 3, text.len()] {
                let is_spaced = Arc::new(AtomicBool::new(false));
                let mut line = FirstLine::new((), Arc::clone(&is_spaced));
                text.as_bytes().chunks(size).for_each(|p| line.look(p));
                assert_eq!(is_spaced.load(Ordering::Relaxed), spaced, "{text:?}");
            }
        }
    }
}
