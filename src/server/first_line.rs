//! Watches how request lines begin.
//!
//! hyper is told to take several blanks between the parts of a request line, for a
//! blank behind the address that was typed into a device stands in front of `HTTP/1.1`.
//! In front of the path nobody's firmware puts two, and it is refused.
//!
//! To find the next request line, the body in front of it is passed over: heads are
//! read as far as `Content-Length`. A connection on which two blanks were seen is
//! ended, whichever of the requests that came together had them. Behind a body without
//! one (chunked, a WebSocket) nothing is looked at any more. That does no harm, for a
//! server behind this one gets a request line of ours.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Number of bytes of a header line that are read: enough for `Content-Length` and the
/// largest number that fits.
const LINE: usize = 64;

/// Part of the request that comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Method,
    /// Path, behind the blank that ends the method.
    Path,
    /// Rest of the request line.
    Line,
    /// A header's line, or the empty one behind the last.
    Header,
    /// Body of so many bytes.
    Body(u64),
    /// Bytes that are not looked at.
    Anything,
}

/// Wraps the stream that requests come from.
#[derive(Debug)]
pub(super) struct FirstLine<S> {
    inner: S,
    next: Expected,
    /// Length of the body behind this head, if it can be told.
    length: Option<u64>,
    line: [u8; LINE],
    /// Length of the line, which may be longer than what is kept of it.
    at: usize,
    is_spaced: Arc<AtomicBool>,
}

impl<S> FirstLine<S> {
    /// Sets `is_spaced` where more than one blank follows the method.
    pub(super) fn new(inner: S, is_spaced: Arc<AtomicBool>) -> Self {
        Self {
            inner,
            next: Expected::Method,
            length: Some(0),
            line: [0; LINE],
            at: 0,
            is_spaced,
        }
    }

    fn look(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            bytes = match self.next {
                Expected::Method => {
                    // Lines may be empty in front of a request (RFC 9112, section 2.2).
                    if first == b' ' {
                        self.next = Expected::Path;
                    }
                    rest
                }
                Expected::Path => {
                    if first == b' ' {
                        self.is_spaced.store(true, Ordering::Relaxed);
                        self.next = Expected::Anything;
                    } else {
                        self.next = Expected::Line;
                    }
                    bytes
                }
                Expected::Line => {
                    let (_, behind) = line(bytes);
                    if let Some(behind) = behind {
                        (self.next, self.length, self.at) = (Expected::Header, Some(0), 0);
                        behind
                    } else {
                        return;
                    }
                }
                Expected::Header => {
                    let (part, behind) = line(bytes);
                    self.keep(part);
                    match behind {
                        Some(behind) => {
                            self.judge();
                            behind
                        }
                        None => return,
                    }
                }
                Expected::Body(left) => {
                    let here = usize::try_from(left).map_or(bytes.len(), |l| l.min(bytes.len()));
                    self.next = match left - here as u64 {
                        0 => Expected::Method,
                        left => Expected::Body(left),
                    };
                    &bytes[here..]
                }
                Expected::Anything => return,
            };
        }
    }

    fn keep(&mut self, part: &[u8]) {
        let from = self.at.min(LINE);
        let count = part.len().min(LINE - from);
        self.line[from..from + count].copy_from_slice(&part[..count]);
        self.at += part.len();
    }

    /// Takes the body's length from a header's line.
    fn judge(&mut self) {
        let line = self.line[..self.at.min(LINE)].trim_ascii();
        if self.at <= 1 && line.is_empty() {
            self.next = match self.length {
                Some(0) => Expected::Method,
                Some(length) => Expected::Body(length),
                None => Expected::Anything,
            };
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).unwrap_or_default();
            let number = digits.trim_start_matches(':').trim().parse().ok();
            self.length = number.filter(|_| self.at <= LINE && self.length.is_some());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding")
            || name.eq_ignore_ascii_case(b"upgrade")
        {
            self.length = None;
        }
        self.at = 0;
    }
}

/// Splits bytes at the end of a line: the line, and what follows it, if its end has
/// come.
fn line(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(b'\n', bytes) {
        Some(end) => (&bytes[..end], Some(&bytes[end + 1..])),
        None => (bytes, None),
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
        if self.next != Expected::Anything {
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
        Pin::new(&mut self.inner).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
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
    use proptest::prelude::*;

    fn is_spaced<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> bool {
        let is_spaced = Arc::new(AtomicBool::new(false));
        let mut line = FirstLine::new((), Arc::clone(&is_spaced));
        pieces.for_each(|piece| line.look(piece));
        is_spaced.load(Ordering::Relaxed)
    }

    #[test]
    fn two_blanks_in_front_of_the_path_are_seen_in_any_pieces() {
        for (text, spaced) in [
            ("GET /x HTTP/1.1\r\n", false),
            ("POST /xiaozhi/ota/  HTTP/1.1\r\n", false),
            ("GET  /x HTTP/1.1\r\n", true),
            ("\r\nGET  /x HTTP/1.1\r\n", true),
            ("GET   /x", true),
            ("GET /x HTTP/1.1\r\n\r\nGET  /x", true),
            ("GET /x HTTP/1.1\nA: b\n\nGET  /x", true),
            (
                "POST /x HTTP/1.1\r\nContent-Length: 6\r\n\r\na  b  GET /x",
                false,
            ),
            (
                "POST /x HTTP/1.1\r\ncontent-length:6\r\n\r\na  b  GET  /x",
                true,
            ),
            ("GET /x HTTP/1.1\r\nUpgrade: websocket\r\n\r\na  b", false),
            (
                "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\na  b",
                false,
            ),
        ] {
            for size in [1, 3, text.len()] {
                let spaced_here = is_spaced(text.as_bytes().chunks(size));
                assert_eq!(spaced_here, spaced, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_body_is_no_request_line(
            requests in prop::collection::vec(("[ a-z\r\n:]{0,40}", prop::bool::weighted(0.2)), 1..6),
            size in 1usize..200,
        ) {
            let request = |(body, spaced): &(String, bool)| {
                let blanks = if *spaced { "  " } else { " " };
                format!("POST{blanks}/x HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\nAccept: */*\r\n\r\n{body}", body.len())
            };
            let text: String = requests.iter().map(request).collect();
            let spaced = requests.iter().any(|(_, spaced)| *spaced);
            prop_assert_eq!(is_spaced(text.as_bytes().chunks(size)), spaced);
        }

        #[test]
        fn any_bytes_can_be_looked_at(bytes in any::<Vec<u8>>(), size in 1usize..40) {
            let _ = is_spaced(bytes.chunks(size));
        }
    }
}
