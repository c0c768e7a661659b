//! The first bytes of a backend's reply: a server that wants TLS answers plain HTTP with
//! an alert, or with a page that says so, and neither must look like a broken reply.

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use memchr::memmem;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Number of bytes that are read at once of the beginning.
const BEGIN: usize = 512;
/// Beginning of a TLS alert: its content type, and the high byte of every version (RFC
/// 8446, section 5.1). No reply of HTTP begins with it.
const ALERT: &[u8] = &[0x15, 3];
/// Words of the pages by which Nginx, Go, Apache and Tomcat complain of plain HTTP.
const PAGES: [&[u8]; 4] = [
    b"plain HTTP request was sent to HTTPS port",
    b"HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled",
    b"requires TLS",
];

/// Number of bytes that a message shows of what is no reply.
const SHOWN: usize = 32;

/// Error where a backend answers in no HTTP.
#[derive(Debug)]
pub(super) enum Foreign {
    /// A TLS alert.
    Tls,
    /// Something else, which begins like this.
    Other(String),
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls => f.write_str("a TLS alert"),
            Self::Other(begin) => write!(f, "{begin:?}"),
        }
    }
}

impl std::error::Error for Foreign {}

impl Foreign {
    /// Looks at the beginning of a reply: one of HTTP begins with its name, behind empty
    /// lines at most.
    pub(super) fn judge(begin: &[u8]) -> Option<Self> {
        if begin.starts_with(ALERT) {
            return Some(Self::Tls);
        }
        let first = begin.iter().find(|byte| !b"\r\n".contains(byte))?;
        (*first != b'H').then(|| {
            let begin = String::from_utf8_lossy(&begin[..begin.len().min(SHOWN)]);
            Self::Other(begin.trim().to_owned())
        })
    }
}

/// Returns whether the page behind a 400 is the complaint of a server that wants TLS.
pub(super) fn is_complaint(page: &[u8]) -> bool {
    PAGES
        .iter()
        .any(|words| memmem::find(page, words).is_some())
}

/// Wraps a connection to a backend, and looks at what comes first.
#[derive(Debug)]
pub(super) struct FirstReply<S> {
    pub(super) inner: S,
    has_come: bool,
}

impl<S> FirstReply<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            has_come: false,
        }
    }
}

impl<S: Read + Unpin> Read for FirstReply<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.has_come {
            return Pin::new(&mut self.inner).poll_read(cx, buffer);
        }
        let mut bytes = [0; BEGIN];
        let room = buffer.remaining().min(BEGIN);
        let mut begin = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(&mut self.inner).poll_read(cx, begin.unfilled()))?;
        self.has_come = true;
        if let Some(foreign) = Foreign::judge(begin.filled()) {
            let error = io::Error::new(io::ErrorKind::InvalidData, foreign);
            return Poll::Ready(Err(error));
        }
        buffer.put_slice(begin.filled());
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> Write for FirstReply<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
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

    #[test]
    fn a_reply_begins_with_the_name_of_its_protocol() {
        let judged = |begin: &[u8]| Foreign::judge(begin).map(|foreign| foreign.to_string());
        for begin in [
            &b""[..],
            b"H",
            b"HTTP/1.1 400",
            b"\r\n",
            b"\r\nHTTP/1.0 200",
        ] {
            assert_eq!(judged(begin), None, "{begin:?}");
        }
        let alert = judged(b"\x15\x03\x01\0\x02\x02\x46");
        assert_eq!(alert.as_deref(), Some("a TLS alert"));
        let other = judged(b"SSH-2.0-x\r\n");
        assert_eq!(other.as_deref(), Some("\"SSH-2.0-x\""));
    }

    #[test]
    fn a_page_complains_in_its_servers_words() {
        assert!(is_complaint(
            b"<h1>400 The plain HTTP request was sent to HTTPS port</h1>"
        ));
        assert!(!is_complaint(b"bad request"));
    }
}
