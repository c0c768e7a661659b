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
    /// The same, where nothing but a next request can come.
    Next,
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
    /// The same behind a request to change the protocol, all of which has come.
    Upgrade,
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

    /// Returns whether any head was read as a request.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_in_use
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
        matches!(self.next, Expected::Next | Expected::Upgrade)
    }

    /// Returns whether a part of a head has come, and not all.
    pub(super) fn is_in_head(&self) -> bool {
        use Expected::{Header, Line, Method, Path};
        matches!(self.next, Method | Path | Line | Header)
    }

    /// Returns whether it cannot be told any more where requests end.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.next, Expected::Anything | Expected::Upgrade)
    }

    /// Looks at what came. A tab behind the address becomes a blank, for it was pasted
    /// with it, and hyper takes blanks alone.
    pub(super) fn look(&mut self, mut bytes: &mut [u8]) {
        // Of heads that came at once nobody knows which is to blame: the first shows.
        let mut may_begin = true;
        while !bytes.is_empty() && !self.is_lost() {
            let before = self.next;
            if matches!(before, Expected::Method | Expected::Next) && self.head.is_over {
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
            Expected::Method | Expected::Next => {
                // Lines may be empty in front of a request (RFC 9112, section 2.2).
                if !bytes.iter().all(|byte| b"\r\n".contains(byte)) {
                    self.next = Expected::Method;
                }
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
                if let Some(end) = end.filter(|_| self.at == 0 && says_nothing(bytes)) {
                    return end + 1;
                }
                self.keep(&bytes[..end.unwrap_or(bytes.len())]);
                if end.is_some() {
                    self.judge();
                }
                end.map_or(bytes.len(), |end| end + 1)
            }
            Expected::Body(left) => {
                let here = usize::try_from(left).map_or(bytes.len(), |l| l.min(bytes.len()));
                self.next = match left - here as u64 {
                    0 => Expected::Next,
                    left => Expected::Body(left),
                };
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
            Expected::Anything | Expected::Upgrade => bytes.len(),
        }
    }

    /// Takes what follows a head.
    fn end_head(&mut self) {
        self.next = match (self.unbounded, self.length) {
            (Unbounded::None, Some(0)) => Expected::Next,
            (Unbounded::None, Some(length)) => Expected::Body(length),
            (Unbounded::Chunks, Some(0)) => Expected::ChunkSize,
            (Unbounded::Upgrade, Some(0)) => Expected::Upgrade,
            // Two lengths are refused.
            _ => Expected::Anything,
        };
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
            self.next = Expected::Next;
        }
        self.at = 0;
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

/// Returns whether a header's line begins as none of those does that `judge` reads.
fn says_nothing(line: &[u8]) -> bool {
    let first = line.first().map_or(0, u8::to_ascii_lowercase);
    first.is_ascii_lowercase() && !matches!(first, b'c' | b'd' | b't' | b'u')
}

#[cfg(test)]
mod tests;
