//! Reads an answer of HTTP/1 as it comes, in pieces that are cut anywhere (RFC 9112).
//!
//! It is for answers that are short, and of use as a whole only: one that is longer than
//! its limit is none. What two readers might read in two ways is none either.

use hyper::StatusCode;
use std::fmt;

/// Number of header lines of an answer.
const LINES: usize = 100;
/// Number of bytes of a line that begins a chunk, or stands behind the last.
const LONGEST_LINE: usize = 4096;

/// Answer, read as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status of it.
    pub status: StatusCode,
    /// Value of `Location`, as it was sent.
    pub location: Option<Vec<u8>>,
    /// Body, free of its framing. That of a redirect is not read.
    pub body: Vec<u8>,
    /// True where the connection is good for another request.
    pub is_kept: bool,
    /// True where something came behind it, that nobody asked for.
    pub has_more: bool,
}

/// Reason why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Odd {
    /// It is none of HTTP's.
    NoHttp(String),
    /// It has a coding that nobody asked for.
    Coded(String),
    /// It is longer than the limit.
    TooBig,
    /// It ended before it began.
    Nothing,
    /// It ended too early.
    Cut,
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHttp(why) => f.write_str(why),
            Self::Coded(coding) => write!(f, "it is coded as {coding}"),
            Self::TooBig => f.write_str("it is too long"),
            Self::Nothing => f.write_str("the connection ended without an answer"),
            Self::Cut => f.write_str("the connection ended before the answer did"),
        }
    }
}

impl std::error::Error for Odd {}

/// Reader of one answer to a request that is no `HEAD`.
#[derive(Debug)]
pub struct AnswerReader {
    longest: usize,
    /// Bytes that have come, and are not read yet.
    came: Vec<u8>,
    head: Option<Answer>,
    framing: Framing,
}

/// Rest of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// A body of so many bytes.
    Bytes(usize),
    /// A body that ends with the connection.
    UntilEnd,
    /// The line that begins a chunk.
    Size,
    /// So many bytes of a chunk.
    Chunk(usize),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Lines behind the last chunk, of so many bytes up to here.
    Trailer(usize),
    /// Nothing: it is whole.
    Whole,
}

impl AnswerReader {
    /// Makes a reader of an answer whose head has `longest` bytes at most, and its body, too.
    pub fn new(longest: usize) -> Self {
        Self {
            longest,
            came: Vec::new(),
            head: None,
            framing: Framing::Whole,
        }
    }

    /// Tells whether nothing has come yet.
    pub fn is_empty(&self) -> bool {
        self.head.is_none() && self.came.is_empty()
    }

    /// Takes what came next. Returns the answer once it is whole.
    ///
    /// # Errors
    ///
    /// There will be no answer.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Answer>, Odd> {
        self.came.extend_from_slice(bytes);
        if self.head.is_none() && !self.read_head()? {
            return Ok(None);
        }
        while self.framing != Framing::Whole {
            if !self.read_on()? {
                return Ok(None);
            }
        }
        Ok(self.head.take().map(|mut answer| {
            answer.has_more = answer.is_kept && !self.came.is_empty();
            answer.is_kept &= !answer.has_more;
            answer
        }))
    }

    /// Takes the end of the connection. Returns the answer if it ends with that.
    ///
    /// # Errors
    ///
    /// It broke off.
    pub fn end(&mut self) -> Result<Answer, Odd> {
        match self.head.take() {
            Some(answer) if self.framing == Framing::UntilEnd => Ok(answer),
            None if self.came.is_empty() => Err(Odd::Nothing),
            _ => Err(Odd::Cut),
        }
    }

    /// Reads a head, over those that only say that another follows. Returns false for one of
    /// which the end has not come.
    fn read_head(&mut self) -> Result<bool, Odd> {
        loop {
            let mut lines = [httparse::EMPTY_HEADER; LINES];
            let mut head = httparse::Response::new(&mut lines);
            let read = head
                .parse(&self.came)
                .map_err(|error| Odd::NoHttp(error.to_string()))?;
            let (end, is_whole) = match read {
                httparse::Status::Complete(end) => (end, true),
                httparse::Status::Partial => (self.came.len(), false),
            };
            if end > self.longest {
                return Err(Odd::TooBig);
            }
            if !is_whole {
                return Ok(false);
            }
            let code = head.code.unwrap_or_default();
            let status = StatusCode::from_u16(code)
                .map_err(|_| Odd::NoHttp(format!("its status is {code}")))?;
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Odd::NoHttp(
                    "it speaks another protocol from here on".to_owned(),
                ));
            }
            if status.is_informational() {
                self.came.drain(..end);
                continue;
            }
            let (answer, framing) = framed(status, &head, self.longest)?;
            self.head = Some(answer);
            self.framing = framing;
            self.came.drain(..end);
            return Ok(true);
        }
    }

    /// Reads the next part of the body. Returns false where it has not come.
    fn read_on(&mut self) -> Result<bool, Odd> {
        let Some(answer) = &mut self.head else {
            return Ok(false);
        };
        match self.framing {
            Framing::Whole => return Ok(false),
            Framing::Bytes(left) | Framing::Chunk(left) => {
                let come = left.min(self.came.len());
                if answer.body.len() + come > self.longest {
                    return Err(Odd::TooBig);
                }
                answer.body.extend(self.came.drain(..come));
                let left = left - come;
                self.framing = match self.framing {
                    Framing::Bytes(_) if left == 0 => Framing::Whole,
                    Framing::Bytes(_) => Framing::Bytes(left),
                    _ if left == 0 => Framing::ChunkEnd,
                    _ => Framing::Chunk(left),
                };
                return Ok(left == 0);
            }
            Framing::UntilEnd => {
                answer.body.append(&mut self.came);
                return if answer.body.len() > self.longest {
                    Err(Odd::TooBig)
                } else {
                    Ok(false)
                };
            }
            Framing::Size => {
                // A line without a digit would be taken for the last one.
                if self.came.first().is_some_and(|b| !b.is_ascii_hexdigit()) {
                    return Err(no_chunk());
                }
                let line = httparse::parse_chunk_size(&self.came);
                let line = line.map_err(|_| no_chunk());
                let httparse::Status::Complete((end, size)) = line? else {
                    return is_line(self.came.len()).map(|()| false);
                };
                is_line(end)?;
                let size = usize::try_from(size).map_err(|_| Odd::TooBig)?;
                if size > self.longest {
                    return Err(Odd::TooBig);
                }
                self.came.drain(..end);
                self.framing = match size {
                    0 => Framing::Trailer(0),
                    size => Framing::Chunk(size),
                };
            }
            Framing::ChunkEnd => {
                let Some(end) = self.came.get(..2) else {
                    return Ok(false);
                };
                if end != b"\r\n" {
                    return Err(no_chunk());
                }
                self.came.drain(..2);
                self.framing = Framing::Size;
            }
            Framing::Trailer(before) => {
                let Some(end) = memchr::memchr(b'\n', &self.came) else {
                    return is_line(self.came.len()).map(|()| false);
                };
                is_line(end + 1)?;
                let is_last = matches!(self.came.get(..end), Some(b"" | b"\r"));
                self.came.drain(..=end);
                let all = before + end + 1;
                self.framing = if is_last {
                    Framing::Whole
                } else if all > self.longest {
                    return Err(Odd::TooBig);
                } else {
                    Framing::Trailer(all)
                };
            }
        }
        Ok(true)
    }
}

/// Takes so many bytes for a line, or a part of one.
fn is_line(length: usize) -> Result<(), Odd> {
    if length > LONGEST_LINE {
        return Err(no_chunk());
    }
    Ok(())
}

fn no_chunk() -> Odd {
    Odd::NoHttp("a chunk of its body does not begin or end as chunks do".to_owned())
}

/// Returns what a head says of the rest.
fn framed(
    status: StatusCode,
    head: &httparse::Response<'_, '_>,
    longest: usize,
) -> Result<(Answer, Framing), Odd> {
    let values = |wanted: &'static str| {
        let lines = head.headers.iter();
        lines
            .filter(move |line| line.name.eq_ignore_ascii_case(wanted))
            .map(|line| line.value.trim_ascii())
    };
    let answer = |is_kept| Answer {
        status,
        location: values("location").next().map(<[u8]>::to_vec),
        body: Vec::new(),
        is_kept,
        has_more: false,
    };
    if status.is_redirection() {
        return Ok((answer(false), Framing::Whole));
    }
    for coding in values("content-encoding") {
        if !coding.eq_ignore_ascii_case(b"identity") {
            return Err(Odd::Coded(String::from_utf8_lossy(coding).into_owned()));
        }
    }
    let says = |wanted: &[u8]| {
        let mut options = values("connection").flat_map(|value| value.split(|b| *b == b','));
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
    };
    let is_kept = match head.version {
        Some(1) => !says(b"close"),
        _ => says(b"keep-alive"),
    };
    if status == StatusCode::NO_CONTENT {
        return Ok((answer(is_kept), Framing::Whole));
    }
    let length = content_length(values("content-length"))?;
    let mut codings = values("transfer-encoding");
    if let Some(coding) = codings.next() {
        if !coding.eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Err(Odd::Coded(String::from_utf8_lossy(coding).into_owned()));
        }
        // Section 6.3: who sends both may be two that understand each other wrongly.
        let is_kept = is_kept && length.is_none() && head.version == Some(1);
        return Ok((answer(is_kept), Framing::Size));
    }
    match length {
        None => Ok((answer(false), Framing::UntilEnd)),
        Some(length) if length > longest as u64 => Err(Odd::TooBig),
        Some(0) => Ok((answer(is_kept), Framing::Whole)),
        Some(length) => {
            let length = usize::try_from(length).map_err(|_| Odd::TooBig)?;
            Ok((answer(is_kept), Framing::Bytes(length)))
        }
    }
}

/// Reads `Content-Length`, which may stand there twice if it says the same.
fn content_length<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<u64>, Odd> {
    let mut length = None;
    for value in values {
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().filter(|_| is_number);
        // Too long for a number is too long for us.
        let number = number.map(|number| number.parse().unwrap_or(u64::MAX));
        match (number, length) {
            (Some(number), None) => length = Some(number),
            (Some(number), Some(before)) if number == before => {}
            _ => return Err(Odd::NoHttp("its Content-Length is no number".to_owned())),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests;
