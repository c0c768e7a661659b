//! Watches how request lines begin.
//!
//! hyper is told to take several blanks between the parts of a request line, for a
//! blank behind the address that was typed into a device stands in front of `HTTP/1.1`.
//! In front of the path nobody's firmware puts two, and it is refused.
//!
//! To find the next request line, the body in front of it is passed over: heads are
//! read as far as `Content-Length`, and chunks as hyper reads them. A connection on which
//! two blanks were seen is ended, whichever of the requests that came together had them.
//! Behind a body of which the end cannot be told (a WebSocket, trailers) nothing is looked
//! at any more. That does no harm, for a server behind this one gets a request line of
//! ours. It also tells whether all of a request has come.

/// Number of bytes of a header line that are read: enough for `Content-Length` and the
/// largest number that fits.
const LINE: usize = 64;
/// Number of bytes that are kept of how a head begins.
const BEGIN: usize = 96;

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
    /// Line with the size of a chunk (RFC 9112, section 7.1).
    ChunkSize,
    /// Chunk of so many bytes, with the end of its line.
    Chunk(u64),
    /// Empty line behind the last chunk.
    LastChunk,
    /// Bytes that are not looked at.
    Anything,
}

/// Form of a body that no length tells the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unbounded {
    /// There is no sign of one.
    None,
    /// Chunks.
    Chunks,
    /// Whatever follows is another protocol's, or is not known.
    Upgrade,
    Unknown,
}

/// Requests of a connection, as far as they have come: for whoever serves it, and has to
/// say why one was not served.
#[derive(Debug)]
pub(super) struct Requests {
    next: Expected,
    /// Length of the body behind this head, if it can be told.
    length: Option<u64>,
    /// Form of the body, where there are no lengths.
    unbounded: Unbounded,
    /// True while nothing but a next request can come.
    is_at_rest: bool,
    line: [u8; LINE],
    /// Length of the line, which may be longer than what is kept of it.
    at: usize,
    is_spaced: bool,
    head: Head,
    /// Device of the head before.
    before: DeviceId,
    /// Set once that head was read as a request.
    is_read: bool,
    /// Set once any head was.
    is_in_use: bool,
    /// First byte that came at once behind the head and what it announced.
    behind: Option<u8>,
}

/// Head of the request that came last, or of the first one of those that came at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    begin: [u8; BEGIN],
    /// Number of bytes that came.
    pub(super) bytes: usize,
    /// Number of its headers' lines.
    pub(super) lines: usize,
    /// True once all of it has come.
    is_over: bool,
    device: DeviceId,
}

/// `Device-Id`, and its length.
type DeviceId = ([u8; LINE], usize);

/// Returns the device, if one is named so far.
fn named((device, length): &DeviceId) -> Option<&str> {
    let device = str::from_utf8(device.get(..*length)?).ok()?;
    (!device.is_empty()).then_some(device)
}

impl Head {
    const NONE: Self = Self {
        begin: [0; BEGIN],
        bytes: 0,
        lines: 0,
        is_over: false,
        device: ([0; LINE], 0),
    };

    /// Returns the device that it names, if one is named so far.
    pub(super) fn device(&self) -> Option<&str> {
        named(&self.device)
    }

    /// Returns how it begins.
    pub(super) fn begin(&self) -> &[u8] {
        &self.begin[..self.bytes.min(BEGIN)]
    }

    /// Returns whether a part of it has come, and not all.
    pub(super) fn is_under_way(&self) -> bool {
        !self.is_over && self.begin().iter().any(|byte| !b"\r\n".contains(byte))
    }

    fn add(&mut self, bytes: &[u8]) {
        let from = self.bytes.min(BEGIN);
        let count = bytes.len().min(BEGIN - from);
        self.begin[from..from + count].copy_from_slice(&bytes[..count]);
        self.bytes += bytes.len();
    }
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            next: Expected::Method,
            length: Some(0),
            unbounded: Unbounded::None,
            is_at_rest: false,
            line: [0; LINE],
            at: 0,
            is_spaced: false,
            head: Head::NONE,
            before: Head::NONE.device,
            is_read: false,
            is_in_use: false,
            behind: None,
        }
    }
}

impl Requests {
    /// Notes that a head was read as a request, and returns whether more than one blank
    /// followed a method.
    pub(super) fn note_read(&mut self) -> bool {
        self.is_read = self.head.is_over;
        self.is_in_use = true;
        self.is_spaced
    }

    /// Returns the head that came last and was read as no request, if it is known.
    pub(super) fn head(&self) -> Option<&Head> {
        (!self.is_read || !self.head.is_over).then_some(&self.head)
    }

    /// Returns the device that the last head named, or the one before where this is its
    /// body, which nothing announced.
    pub(super) fn device(&self) -> Option<&str> {
        let before = || named(&self.before).filter(|_| self.is_unannounced());
        self.head.device().or_else(before)
    }

    /// Returns whether what followed a request begins as no other one does: it is a body
    /// that nothing announced.
    pub(super) fn is_unannounced(&self) -> bool {
        let next = match self.head() {
            None => self.behind,
            Some(head) => head.begin().first().copied().filter(|_| self.is_in_use),
        };
        next.is_some_and(|byte| !byte.is_ascii_uppercase())
    }

    /// Returns whether all of the last request has come, and nothing of a next one; of one
    /// that changes the protocol, its head.
    pub(super) fn is_whole(&self) -> bool {
        self.is_at_rest
    }

    /// Returns whether a part of a head has come, and not all.
    pub(super) fn is_in_head(&self) -> bool {
        use Expected::{Header, Line, Method, Path};
        !self.is_at_rest && matches!(self.next, Method | Path | Line | Header)
    }

    /// Returns whether it cannot be told any more where requests end.
    pub(super) fn is_lost(&self) -> bool {
        self.next == Expected::Anything
    }

    /// Looks at what came. A tab behind the address becomes a blank, for it was pasted
    /// with it, and hyper takes blanks alone.
    pub(super) fn look(&mut self, mut bytes: &mut [u8]) {
        // Of heads that came at once nobody knows which is to blame: the first shows.
        let mut may_begin = true;
        while !bytes.is_empty() && self.next != Expected::Anything {
            let before = self.next;
            if before == Expected::Method && self.head.is_over {
                if may_begin {
                    self.before = self.head.device;
                    (self.head, self.is_read, self.behind) = (Head::NONE, false, None);
                } else if self.behind.is_none() {
                    let mut bytes = bytes.iter().copied();
                    self.behind = bytes.find(|byte| !b"\r\n".contains(byte));
                }
            }
            let taken = self.take(bytes);
            let (part, rest) = bytes.split_at_mut(taken);
            if !self.head.is_over {
                self.head.add(part);
                if before == Expected::Header && part.ends_with(b"\n") {
                    self.head.lines += 1;
                    self.head.is_over = self.next != Expected::Header;
                    may_begin = !self.head.is_over;
                }
            }
            bytes = rest;
        }
    }

    /// Takes what comes next off the front of `bytes`, and returns its length.
    fn take(&mut self, bytes: &mut [u8]) -> usize {
        match self.next {
            Expected::Method => {
                // Lines may be empty in front of a request (RFC 9112, section 2.2).
                self.is_at_rest &= bytes.iter().all(|byte| b"\r\n".contains(byte));
                let blank = memchr::memchr(b' ', bytes);
                if blank.is_some() {
                    self.next = Expected::Path;
                }
                blank.map_or(bytes.len(), |blank| blank + 1)
            }
            Expected::Path => {
                if bytes.first() == Some(&b' ') {
                    self.is_spaced = true;
                    self.next = Expected::Anything;
                } else {
                    self.next = Expected::Line;
                }
                0
            }
            Expected::Line => {
                let (end, length) = (memchr::memchr(b'\n', bytes), bytes.len());
                let line = &mut bytes[..end.unwrap_or(length)];
                if memchr::memchr(b'\t', line).is_some() {
                    let tabs = line.iter_mut().filter(|byte| **byte == b'\t');
                    tabs.for_each(|tab| *tab = b' ');
                }
                if let Some(end) = end {
                    (self.next, self.length, self.at) = (Expected::Header, Some(0), 0);
                    self.unbounded = Unbounded::None;
                    return end + 1;
                }
                length
            }
            Expected::Header => {
                let end = memchr::memchr(b'\n', bytes);
                self.keep(&bytes[..end.unwrap_or(bytes.len())]);
                if end.is_some() {
                    self.judge();
                }
                end.map_or(bytes.len(), |end| end + 1)
            }
            Expected::Body(left) => {
                let here = usize::try_from(left).map_or(bytes.len(), |l| l.min(bytes.len()));
                match left - here as u64 {
                    0 => self.rest(),
                    left => self.next = Expected::Body(left),
                }
                here
            }
            Expected::Chunk(left) => {
                let here = usize::try_from(left).map_or(bytes.len(), |l| l.min(bytes.len()));
                self.next = match left - here as u64 {
                    0 => Expected::ChunkSize,
                    left => Expected::Chunk(left),
                };
                here
            }
            Expected::ChunkSize | Expected::LastChunk => {
                let end = memchr::memchr(b'\n', bytes);
                self.keep(&bytes[..end.unwrap_or(bytes.len())]);
                if end.is_some() {
                    self.judge_chunk();
                }
                end.map_or(bytes.len(), |end| end + 1)
            }
            Expected::Anything => bytes.len(),
        }
    }

    /// Takes what follows a head.
    fn end_head(&mut self) {
        match (self.unbounded, self.length) {
            (Unbounded::None, Some(0)) => self.rest(),
            (Unbounded::None, Some(length)) => self.next = Expected::Body(length),
            (Unbounded::Chunks, Some(0)) => self.next = Expected::ChunkSize,
            // Two lengths are refused.
            (unbounded, length) => {
                self.next = Expected::Anything;
                self.is_at_rest = unbounded == Unbounded::Upgrade && length == Some(0);
            }
        }
    }

    /// Takes what a line between two chunks says. What hyper would not take, or what
    /// follows trailers, is not followed.
    fn judge_chunk(&mut self) {
        let line = &self.line[..self.at.min(LINE)];
        let is_last = self.next == Expected::LastChunk;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit());
        let digits = str::from_utf8(&line[..digits.count()]).unwrap_or_default();
        let is_bounded = self.at <= LINE && line.ends_with(b"\r");
        let size = u64::from_str_radix(digits, 16).ok();
        self.next = match size.filter(|_| is_bounded && !is_last) {
            Some(0) => Expected::LastChunk,
            Some(size) => Expected::Chunk(size.saturating_add(2)),
            None => Expected::Anything,
        };
        if is_last && line == b"\r" {
            self.rest();
        }
        self.at = 0;
    }

    /// Notes that all of a request has come.
    fn rest(&mut self) {
        self.next = Expected::Method;
        self.is_at_rest = true;
    }

    fn keep(&mut self, part: &[u8]) {
        let from = self.at.min(LINE);
        let count = part.len().min(LINE - from);
        self.line[from..from + count].copy_from_slice(&part[..count]);
        self.at += part.len();
    }

    /// Takes the body's length from a header's line; behind the last one the head ends.
    fn judge(&mut self) {
        let line = self.line[..self.at.min(LINE)].trim_ascii();
        if self.at <= 1 && line.is_empty() {
            self.at = 0;
            return self.end_head();
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = std::str::from_utf8(value).unwrap_or_default();
            let number = digits.trim_start_matches(':').trim().parse().ok();
            self.length = number.filter(|_| self.at <= LINE && self.length.is_some());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let coding = value.get(1..).unwrap_or_default().trim_ascii();
            let is_known = coding.eq_ignore_ascii_case(b"chunked") && self.at <= LINE;
            self.unbounded = match self.unbounded {
                Unbounded::None if is_known => Unbounded::Chunks,
                _ => Unbounded::Unknown,
            };
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.unbounded = match self.unbounded {
                Unbounded::None | Unbounded::Upgrade => Unbounded::Upgrade,
                _ => Unbounded::Unknown,
            };
        } else if name.eq_ignore_ascii_case(b"device-id")
            && !self.head.is_over
            && self.head.device.1 == 0
        {
            // Of a header that comes twice the first counts.
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            self.head.device.0[..value.len()].copy_from_slice(value);
            self.head.device.1 = value.len();
        }
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Requests {
        let mut requests = Requests::default();
        pieces.for_each(|piece| requests.look(&mut piece.to_vec()));
        requests
    }

    fn is_spaced<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> bool {
        requests(pieces).note_read()
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
            (
                "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\na  b\r\n0\r\n\r\nGET  /x",
                true,
            ),
        ] {
            for size in [1, 3, text.len()] {
                let spaced_here = is_spaced(text.as_bytes().chunks(size));
                assert_eq!(spaced_here, spaced, "{text:?}");
            }
        }
    }

    #[test]
    fn a_head_is_known_by_its_beginning_until_all_of_it_has_come() {
        for (text, begin, lines, is_under_way) in [
            ("", "", 0, false),
            ("\r\n", "\r\n", 0, false),
            ("GE", "GE", 0, true),
            ("\x16\x03\x01", "\x16\x03\x01", 0, true),
            (
                "GET /x HTTP/1.1\r\nA: b\r\nC",
                "GET /x HTTP/1.1\r\nA: b\r\nC",
                1,
                true,
            ),
            (
                "GET /x HTTP/1.1\r\n\r\n",
                "GET /x HTTP/1.1\r\n\r\n",
                1,
                false,
            ),
            (
                "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\nab",
                "POST /x HTTP/1.1\r\nContent-Length: 3\r\n\r\n",
                2,
                false,
            ),
        ] {
            for size in [1, 3, text.len().max(1)] {
                let requests = requests(text.as_bytes().chunks(size));
                let head = requests.head().unwrap();
                assert_eq!(head.begin(), begin.as_bytes(), "{text:?} by {size}");
                assert_eq!(
                    (head.lines, head.is_under_way()),
                    (lines, is_under_way),
                    "{text:?}"
                );
                assert_eq!(head.bytes, begin.len());
            }
        }
        // The next one takes its place; of two that came at once the first is kept.
        let both = ["GET /a HTTP/1.1\n\n", "GET /b HTTP/1.1\n\nGET /c"];
        let requests = requests(both.iter().map(|text| text.as_bytes()));
        assert_eq!(requests.head().unwrap().begin(), b"GET /b HTTP/1.1\n\n");
    }

    #[test]
    fn a_request_is_whole_with_its_last_byte_until_the_next_one_begins() {
        let head = "POST /x HTTP/1.1\r\nHost: h\r\n";
        for (text, is_whole, is_lost) in [
            (String::new(), false, false),
            ("\r\n".to_owned(), false, false),
            (head.to_owned(), false, false),
            (format!("{head}\r\n"), true, false),
            (format!("{head}\r\n\r\n"), true, false),
            (format!("{head}\r\nG"), false, false),
            (format!("{head}\r\n{head}\r\n"), true, false),
            (format!("{head}Content-Length: 3\r\n\r\nab"), false, false),
            (format!("{head}Content-Length: 3\r\n\r\nabc"), true, false),
            (format!("{head}Content-Length: 3\r\n\r\nabcG"), false, false),
            (format!("{head}Content-Length: x\r\n\r\nabc"), false, true),
            (format!("{head}Upgrade: websocket\r\n\r\n"), true, true),
            (
                format!("{head}Upgrade: a\r\nContent-Length: 1\r\n\r\n"),
                false,
                true,
            ),
            (
                format!("{head}Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n"),
                false,
                false,
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                true,
                false,
            ),
            (
                format!(
                    "{head}Transfer-Encoding: chunked\r\n\r\nA\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n"
                ),
                true,
                false,
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n"),
                false,
                true,
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\n\r\n0\n\r\n"),
                false,
                true,
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\n\r\nx\r\n"),
                false,
                true,
            ),
            (
                format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
                false,
                true,
            ),
            (
                format!("{head}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
                false,
                true,
            ),
        ] {
            for size in [1, 3, text.len().max(1)] {
                let requests = requests(text.as_bytes().chunks(size));
                let found = (requests.is_whole(), requests.is_lost());
                assert_eq!(found, (is_whole, is_lost), "{text:?} by {size}");
            }
        }
    }

    #[test]
    fn a_tab_behind_the_address_is_a_blank() {
        for (text, becomes) in [
            (
                "POST /x\t HTTP/1.1\r\nA:\tb\r\n",
                "POST /x  HTTP/1.1\r\nA:\tb\r\n",
            ),
            ("POST\t/x HTTP/1.1\r\n", "POST\t/x HTTP/1.1\r\n"),
            (
                "POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\na b\t",
                "POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\na b\t",
            ),
        ] {
            let mut bytes = text.as_bytes().to_vec();
            Requests::default().look(&mut bytes);
            assert_eq!(String::from_utf8_lossy(&bytes), becomes);
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
