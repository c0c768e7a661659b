//! HTTP/1.1 from the device's side, in raw bytes: a library would mend, or
//! hide, just what is to be judged.

use super::report::Evidence;
use bytes::{Buf as _, Bytes, BytesMut};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout, timeout_at};

/// Time for which a device waits for the head of a reply, and between two reads
/// (`timeout_ms_` in esp-ml307's `http_client.h`).
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Longest head that is read, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// Size of one read, in bytes.
const BLOCK: usize = 16 * 1024;

/// Error of a reply that did not come whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// Nothing more came for [`PATIENCE`] (or what was given for it).
    #[error("nothing more came for {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The connection ended before the reply did, after so many bytes.
    #[error("the connection was closed after {0} bytes")]
    Closed(u64),
    /// The reply is no HTTP, but begins like this.
    #[error("what came is no HTTP: {}", .0.escape_ascii())]
    NotHttp(Bytes),
    /// The head has no end.
    #[error("the reply's head is longer than {LONGEST_HEAD} bytes")]
    LongHead,
    /// The length of a chunk cannot be read.
    #[error("a chunk's length cannot be read: {}", .0.escape_ascii())]
    Chunk(Bytes),
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<&WireError> for Evidence {
    fn from(error: &WireError) -> Self {
        let zh = match error {
            WireError::TimedOut(limit) => format!("{} 秒内没有更多数据", limit.as_secs_f32()),
            WireError::Closed(bytes) => format!("收到 {bytes} 字节后连接被关闭"),
            WireError::NotHttp(bytes) => format!("不是 HTTP：{}", bytes.escape_ascii()),
            WireError::LongHead => format!("响应头超过 {LONGEST_HEAD} 字节"),
            WireError::Chunk(bytes) => format!("分块长度无法读取：{}", bytes.escape_ascii()),
            WireError::Io(error) => error.to_string(),
        };
        Self::both(zh, error.to_string())
    }
}

/// Head of a reply.
#[derive(Debug, Clone)]
pub(crate) struct ReplyHead {
    /// First line.
    pub(crate) status_line: String,
    /// Status in the first line.
    pub(crate) status: u16,
    /// Names and values as they came, in their order.
    pub(crate) headers: Vec<(String, String)>,
}

/// Way in which the length of a body is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By `Content-Length`.
    Length(u64),
    /// In chunks.
    Chunked,
    /// By the end of the connection.
    UntilClose,
    /// By a `Content-Length` that is no number.
    Unreadable(String),
}

impl ReplyHead {
    /// Reads a head as the firmware does: line by line, loosely.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.lines();
        let status_line = lines.next()?.to_owned();
        let mut words = status_line.split_whitespace();
        if !words.next()?.starts_with("HTTP/") {
            return None;
        }
        let status = words.next()?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        Some(Self {
            status_line,
            status,
            headers,
        })
    }

    /// Returns a header's value by its name, whatever its case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.named(|n| n.eq_ignore_ascii_case(name))
    }

    /// Returns a header's value by exactly this name.
    pub(crate) fn header_by_case(&self, name: &str) -> Option<&str> {
        self.named(|n| n == name)
    }

    /// Returns the value of a header; of several the last, as in the firmware's
    /// map.
    fn named(&self, fits: impl Fn(&str) -> bool) -> Option<&str> {
        let found = self.headers.iter().rev().find(|(name, _)| fits(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns a header's line as it came, whatever its case.
    pub(crate) fn line(&self, name: &str) -> Option<String> {
        let mut all = self.headers.iter().rev();
        let found = all.find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(name, value)| format!("{name}: {value}"))
    }

    /// Returns how the length of the body is told. Chunks come before a length, as
    /// in the firmware; some statuses have no body (RFC 9112, section 6.3).
    pub(crate) fn framing(&self) -> Framing {
        if matches!(self.status, 100..200 | 204 | 304) {
            return Framing::Length(0);
        }
        let coding = self.header("Transfer-Encoding").unwrap_or_default();
        if coding.contains("chunked") {
            return Framing::Chunked;
        }
        match self.header("Content-Length") {
            None => Framing::UntilClose,
            Some(text) => match text.parse() {
                Ok(length) => Framing::Length(length),
                Err(_) => Framing::Unreadable(text.to_owned()),
            },
        }
    }
}

/// Open connection on which one request is made.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    stream: S,
    buffer: BytesMut,
    patience: Duration,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Takes a connection over.
    pub(crate) fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            patience,
        }
    }

    /// Returns the connection, for what comes after HTTP, and the bytes that were
    /// read of that.
    pub(crate) fn into_parts(self) -> (S, BytesMut) {
        (self.stream, self.buffer)
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<(), WireError> {
        let writing = async {
            self.stream.write_all(request).await?;
            self.stream.flush().await
        };
        match timeout(self.patience, writing).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(WireError::TimedOut(self.patience)),
        }
    }

    /// Reads some bytes; returns `false` at the end of the connection.
    async fn fill(&mut self) -> Result<bool, WireError> {
        self.buffer.reserve(BLOCK);
        match timeout(self.patience, self.stream.read_buf(&mut self.buffer)).await {
            Ok(Ok(0)) => Ok(false),
            Ok(Ok(_)) => Ok(true),
            // Many servers end TLS without a goodbye.
            Ok(Err(e)) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Ok(Err(e)) => Err(WireError::Io(e)),
            Err(_) => Err(WireError::TimedOut(self.patience)),
        }
    }

    /// Reads the head of a reply, all of which has to come in time: that is how
    /// a device waits for it, too.
    pub(crate) async fn head(&mut self) -> Result<ReplyHead, WireError> {
        let patience = self.patience;
        match timeout(patience, self.whole_head()).await {
            Ok(head) => head,
            Err(_) => Err(WireError::TimedOut(patience)),
        }
    }

    async fn whole_head(&mut self) -> Result<ReplyHead, WireError> {
        let mut looked_at = 0;
        loop {
            if let Some(end) = end_of_head(&self.buffer, looked_at) {
                let head = self.buffer.split_to(end);
                return ReplyHead::parse(&head).ok_or_else(|| not_http(&head));
            }
            // The end may straddle what came before.
            looked_at = self.buffer.len().saturating_sub(3);
            let begins = self.buffer.len().min(5);
            if self.buffer[..begins] != b"HTTP/"[..begins] {
                return Err(not_http(&self.buffer));
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(WireError::LongHead);
            }
            if !self.fill().await? {
                return Err(WireError::Closed(self.buffer.len() as u64));
            }
        }
    }

    /// Returns the body that follows a head.
    pub(crate) fn body(&mut self, framing: Framing) -> ReplyBody<'_, S> {
        ReplyBody {
            wire: self,
            framing,
            left: None,
            got: 0,
        }
    }
}

fn not_http(bytes: &[u8]) -> WireError {
    WireError::NotHttp(Bytes::copy_from_slice(&bytes[..bytes.len().min(80)]))
}

/// Returns the end of the empty line, written with or without carriage returns.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let mut line_feeds = (from..bytes.len()).filter(|at| bytes[*at] == b'\n');
    line_feeds.find_map(|at| match &bytes[at + 1..] {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Body of a reply on its way.
#[derive(Debug)]
pub(crate) struct ReplyBody<'a, S> {
    wire: &'a mut Wire<S>,
    framing: Framing,
    /// Bytes left of the chunk, or of the whole body; `None` before that is known.
    left: Option<u64>,
    got: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ReplyBody<'_, S> {
    /// Returns the next piece; `None` at the end of the body.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, WireError> {
        loop {
            match (&self.framing, self.left) {
                (Framing::Length(length), None) => self.left = Some(*length),
                (Framing::Length(_), Some(0)) => return Ok(None),
                (Framing::Chunked, None | Some(0)) => {
                    // Empty lines could come one by one for ever.
                    let patience = self.wire.patience;
                    let length = timeout(patience, self.chunk()).await;
                    let length = length.unwrap_or(Err(WireError::TimedOut(patience)))?;
                    if length == 0 {
                        return Ok(None);
                    }
                    self.left = Some(length);
                }
                (Framing::UntilClose | Framing::Unreadable(_), _) => {
                    if self.wire.buffer.is_empty() && !self.wire.fill().await? {
                        return Ok(None);
                    }
                    let piece = self.wire.buffer.split().freeze();
                    self.got += piece.len() as u64;
                    return Ok(Some(piece));
                }
                (Framing::Length(_) | Framing::Chunked, Some(left)) => {
                    if self.wire.buffer.is_empty() && !self.wire.fill().await? {
                        return Err(WireError::Closed(self.got));
                    }
                    let there = self.wire.buffer.len();
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(there);
                    let piece = self.wire.buffer.split_to(take).freeze();
                    self.left = Some(left - take as u64);
                    self.got += take as u64;
                    return Ok(Some(piece));
                }
            }
        }
    }

    /// Reads the whole body, up to `limit` bytes and in time as a whole. Returns
    /// what came before an error beside it.
    pub(crate) async fn read(&mut self, limit: usize) -> (Bytes, Option<WireError>) {
        let patience = self.wire.patience;
        let end = Instant::now() + patience;
        let mut body = BytesMut::new();
        while body.len() < limit {
            let next = timeout_at(end, self.next()).await;
            match next.unwrap_or(Err(WireError::TimedOut(patience))) {
                Ok(Some(piece)) => {
                    let room = limit - body.len();
                    body.extend_from_slice(&piece[..piece.len().min(room)]);
                }
                Ok(None) => return (body.freeze(), None),
                Err(e) => return (body.freeze(), Some(e)),
            }
        }
        (body.freeze(), None)
    }

    /// Reads the length of the next chunk.
    async fn chunk(&mut self) -> Result<u64, WireError> {
        let mut empty = 0;
        loop {
            // Behind each chunk stands an empty line.
            while self
                .wire
                .buffer
                .first()
                .is_some_and(|b| b"\r\n".contains(b))
            {
                self.wire.buffer.advance(1);
                empty += 1;
            }
            if empty > BLOCK {
                return Err(WireError::Chunk(Bytes::from_static(b"\r\n")));
            }
            if let Some(end) = self.wire.buffer.iter().position(|b| *b == b'\n') {
                let line = self.wire.buffer.split_to(end + 1).freeze();
                let text = String::from_utf8_lossy(&line);
                let digits = text.split(';').next().unwrap_or_default().trim();
                return u64::from_str_radix(digits, 16)
                    .map_err(|_| WireError::Chunk(line.slice(..line.len().min(40))));
            }
            if self.wire.buffer.len() > BLOCK {
                return Err(WireError::Chunk(self.wire.buffer.split_to(40).freeze()));
            }
            if !self.wire.fill().await? {
                return Err(WireError::Closed(self.got));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(future)
    }

    /// Reads a reply that comes in pieces, and then the end of the connection.
    fn reply(pieces: &[&[u8]]) -> (Result<ReplyHead, WireError>, Bytes, Option<WireError>) {
        run(async {
            let mut mock = tokio_test_io(pieces);
            let mut wire = Wire::new(&mut mock, PATIENCE);
            match wire.head().await {
                Ok(head) => {
                    let (body, fault) = wire.body(head.framing()).read(1 << 20).await;
                    (Ok(head), body, fault)
                }
                Err(e) => (Err(e), Bytes::new(), None),
            }
        })
    }

    /// Makes a stream of these pieces.
    fn tokio_test_io(pieces: &[&[u8]]) -> tokio::io::DuplexStream {
        let bytes = pieces.concat();
        let (client, mut server) = tokio::io::duplex(bytes.len().max(1));
        tokio::spawn(async move {
            let _ = server.write_all(&bytes).await;
        });
        client
    }

    #[test]
    fn heads_bodies_and_their_ends() {
        let (head, body, fault) = reply(&[b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 3\r\n\r\nabcd"]);
        let head = head.unwrap();
        assert_eq!((head.status, &body[..]), (200, &b"abc"[..]));
        assert_eq!(head.header("Content-Length"), Some("3"));
        assert_eq!(head.header_by_case("Content-Length"), None);
        assert!(fault.is_none());

        let (head, body, fault) = reply(&[
            b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n2;x\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
        ]);
        assert_eq!(head.unwrap().framing(), Framing::Chunked);
        assert_eq!((&body[..], fault.is_none()), (&b"abc"[..], true));

        let twice = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 2\r\n\r\nab";
        let (head, body, fault) = reply(&[twice]);
        assert_eq!(head.unwrap().framing(), Framing::Length(2));
        assert_eq!((&body[..], fault.is_none()), (&b"ab"[..], true));

        let (head, body, fault) = reply(&[b"HTTP/1.1 204 No Content\r\n\r\nx"]);
        assert_eq!(head.unwrap().framing(), Framing::Length(0));
        assert!(body.is_empty() && fault.is_none());

        let (head, body, fault) = reply(&[b"HTTP/1.0 200 OK\r\n\r\nall of it"]);
        assert_eq!(head.unwrap().framing(), Framing::UntilClose);
        assert_eq!((&body[..], fault.is_none()), (&b"all of it"[..], true));
    }

    #[test]
    fn what_is_cut_off_or_no_http_says_so() {
        let (_, body, fault) = reply(&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"]);
        assert!(matches!(fault, Some(WireError::Closed(3))), "{fault:?}");
        assert_eq!(&body[..], b"abc");
        assert!(matches!(
            reply(&[b"\x15\x03\x01\x00\x02"]).0,
            Err(WireError::NotHttp(_))
        ));
        assert!(matches!(
            reply(&[b"HTTP/1.1 200"]).0,
            Err(WireError::Closed(12))
        ));
        assert!(matches!(reply(&[]).0, Err(WireError::Closed(0))));
        let long = [b"HTTP/1.1 200 OK\r\n".to_vec(), vec![b'a'; 1 << 18]].concat();
        assert!(matches!(reply(&[&long]).0, Err(WireError::LongHead)));
        let (_, _, fault) =
            reply(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"]);
        assert!(matches!(fault, Some(WireError::Chunk(_))), "{fault:?}");
    }

    #[test]
    fn silence_has_an_end() {
        run(async {
            let (client, _server) = tokio::io::duplex(64);
            let head = Wire::new(client, PATIENCE).head().await;
            assert!(matches!(head, Err(WireError::TimedOut(_))));
        });
    }

    #[test]
    fn so_have_drips() {
        run(async {
            let (client, mut server) = tokio::io::duplex(64);
            let begun = Instant::now();
            tokio::spawn(async move {
                let _ = server.write_all(b"HTTP/1.1 200 OK\r\n").await;
                while server.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(PATIENCE / 4).await;
                }
            });
            let head = Wire::new(client, PATIENCE).head().await;
            assert!(matches!(head, Err(WireError::TimedOut(_))));
            assert_eq!(begun.elapsed(), PATIENCE);
        });
    }

    #[test]
    fn so_have_empty_lines_between_chunks() {
        run(async {
            let (client, mut server) = tokio::io::duplex(64);
            let begun = Instant::now();
            tokio::spawn(async move {
                while server.write_all(b"\r\n").await.is_ok() {
                    tokio::time::sleep(PATIENCE / 4).await;
                }
            });
            let mut wire = Wire::new(client, PATIENCE);
            let next = wire.body(Framing::Chunked).next().await;
            assert!(matches!(next, Err(WireError::TimedOut(_))), "{next:?}");
            assert_eq!(begun.elapsed(), PATIENCE);
        });
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_hang(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let begun = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), bytes.clone()].concat();
            let _ = reply(&[&bytes]);
            let _ = reply(&[&begun]);
        }
    }
}
