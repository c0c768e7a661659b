//! A JSON reader that keeps what stood before a fault.
//!
//! Firmware pastes the Wi-Fi name into its report unescaped, so a quote or a
//! backslash in it breaks the body in the middle. What identifies the device
//! stands before it and must not be lost; what stands behind it may have been
//! written by whoever named that Wi-Fi, and must not override.

mod scalar;
#[cfg(test)]
mod tests;

pub(super) use scalar::{JsonScalar, Quoted};
use std::borrow::Cow;

/// Place at which reading stopped, and the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Offset of the offending byte.
    pub offset: usize,
    /// The fault there.
    pub what: &'static str,
}

/// The deepest path that is handed out, in keys.
const LEVELS: usize = 2;

/// Taker of what is read.
pub(super) trait Take<'a> {
    /// Takes a value that is no object, or of an object that one is there, with the keys
    /// that lead to it, as bytes, outermost first.
    fn value(&mut self, keys: &[&[u8]], value: JsonScalar<'a>);

    /// Looks into an array, with which `text` begins, and returns its length; `None` where
    /// it is of no use. It is handed out as a value when it counts.
    fn array(&mut self, _keys: &[&[u8]], _text: &'a [u8]) -> Option<usize> {
        None
    }
}

/// Reads an object and hands out each scalar; what lies more than [`LEVELS`] keys deep is
/// passed over. A value counts once it is complete and what follows it is no fault.
pub(super) fn read<'a>(text: &'a [u8], take: &mut dyn Take<'a>) -> Result<(), JsonError> {
    let mut reader = Reader::new(text);
    reader.document(take);
    reader.fault.map_or(Ok(()), Err)
}

/// Reads an array of objects with which `text` begins, hands out each scalar with the
/// number of its object and its key, and returns the array's length. An array with
/// anything else in it is a fault.
pub(super) fn objects<'a>(
    text: &'a [u8],
    take: impl FnMut(usize, &[u8], JsonScalar<'a>),
) -> Result<usize, JsonError> {
    let mut reader = Reader::new(text);
    reader.array(take);
    let length = text.len() - reader.rest.len();
    reader.fault.map_or(Ok(length), Err)
}

/// Returns what is done with a key and those that lead to it.
#[inline]
fn with_keys<T>(path: &[Cow<'_, [u8]>], key: &[u8], work: impl FnOnce(&[&[u8]]) -> T) -> T {
    let mut keys = [&[][..]; LEVELS];
    let parts = path.iter().map(AsRef::as_ref).chain([key]);
    for (slot, part) in keys.iter_mut().zip(parts) {
        *slot = part;
    }
    work(&keys[..=path.len()])
}

/// Reader of a text: every function takes from the front of `rest`; `None` is the end,
/// and `fault` says why.
///
/// The hints to inline pay: a report is read in 1.7 us in place of 2.2, its partition
/// table in 1.2 in place of 1.5 (`cargo bench --bench paths`, with them and without).
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    fault: Option<JsonError>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            length: text.len(),
            fault: None,
        }
    }

    fn document(&mut self, take: &mut dyn Take<'a>) -> Option<()> {
        self.skip_space();
        match self.rest.first() {
            None => return Some(()), // An empty body counts as `{}`.
            Some(b'{') => self.object(&mut Vec::with_capacity(LEVELS), take)?,
            Some(_) => return self.fail("not a JSON object"),
        }
        self.skip_space();
        if self.rest.is_empty() {
            Some(())
        } else {
            self.fail("something behind the end of the object")
        }
    }

    /// An array of flat objects; what lies deeper is passed over.
    fn array(&mut self, mut take: impl FnMut(usize, &[u8], JsonScalar<'a>)) -> Option<()> {
        let mut objects = self.opens_with_content(b']');
        let mut number = 0;
        while objects {
            self.skip_space();
            if self.rest.first() != Some(&b'{') {
                return self.fail("not an object");
            }
            let mut more = self.opens_with_content(b'}');
            while more {
                let key = self.key()?;
                if self.rest.first() == Some(&b'{') {
                    self.skip_brackets()?;
                } else {
                    let value = self.scalar()?;
                    take(number, &key.bytes(), value);
                }
                more = self.has_more(b'}')?;
            }
            number += 1;
            objects = self.has_more(b']')?;
        }
        Some(())
    }

    /// An object whose values are handed out; `path` holds the keys that lead
    /// to it.
    fn object(&mut self, path: &mut Vec<Cow<'a, [u8]>>, take: &mut dyn Take<'a>) -> Option<()> {
        let mut more = self.opens_with_content(b'}');
        while more {
            let key = self.key()?;
            if self.rest.first() != Some(&b'{') {
                let key = key.bytes();
                let value = match self.rest {
                    text @ [b'[', ..] => {
                        let length = with_keys(path, &key, |keys| take.array(keys, text));
                        match length.and_then(|length| text.split_at_checked(length)) {
                            Some((array, rest)) => {
                                self.rest = rest;
                                JsonScalar::Array(array)
                            }
                            None => self.scalar()?,
                        }
                    }
                    _ => self.scalar()?,
                };
                self.skip_space();
                // `"a "quoted" name"`: a string with an unescaped quote is cut
                // short there, and must not count.
                if matches!(self.rest.first(), Some(b',' | b'}') | None) {
                    with_keys(path, &key, |keys| take.value(keys, value));
                }
            } else if path.len() + 1 < LEVELS {
                let key = key.bytes();
                let object = JsonScalar::Object(&[]);
                with_keys(path, &key, |keys| take.value(keys, object));
                path.push(key);
                self.object(path, take)?;
                path.pop();
            } else {
                let object = JsonScalar::Object(self.taken(Self::skip_brackets)?);
                with_keys(path, &key.bytes(), |keys| take.value(keys, object));
            }
            more = self.has_more(b'}')?;
        }
        Some(())
    }

    /// An object or array in which nothing is wanted, to its closing bracket.
    /// Only strings and brackets are looked at: half of a real report lies in
    /// here, and the firmware alone writes it. What follows is read strictly.
    fn skip_brackets(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            let is_mark = |b: &u8| matches!(b, b'"' | b'{' | b'}' | b'[' | b']');
            let next = self.rest.iter().position(is_mark);
            let Some(next) = next else {
                self.rest = &[];
                return self.fail("the text ends early");
            };
            self.rest = &self.rest[next..];
            match self.rest {
                [b'"', ..] => {
                    self.string()?;
                    continue;
                }
                [b'{' | b'[', rest @ ..] => {
                    depth += 1;
                    self.rest = rest;
                }
                [_, rest @ ..] => {
                    depth -= 1;
                    self.rest = rest;
                }
                [] => {}
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// A value that is no object.
    #[inline]
    fn scalar(&mut self) -> Option<JsonScalar<'a>> {
        match self.rest.first() {
            Some(b'"') => return self.string().map(JsonScalar::String),
            Some(b'-' | b'0'..=b'9') => {
                return self.taken(Self::number).map(JsonScalar::Number);
            }
            Some(b'[') => return self.taken(Self::skip_brackets).map(JsonScalar::Array),
            Some(b't') => {
                self.literal(b"true")?;
                return Some(JsonScalar::True);
            }
            // Python's own, which no other reader takes.
            Some(b'N') => return self.taken(|r| r.literal(b"NaN")).map(JsonScalar::Number),
            Some(b'I') => {
                return self
                    .taken(|r| r.literal(b"Infinity"))
                    .map(JsonScalar::Number);
            }
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            None => return self.fail("the text ends early"),
            Some(_) => return self.fail("no value"),
        }
        Some(JsonScalar::Other)
    }

    /// The text that `take` takes.
    #[inline]
    fn taken(&mut self, take: impl FnOnce(&mut Self) -> Option<()>) -> Option<&'a [u8]> {
        let before = self.rest;
        take(self)?;
        Some(&before[..before.len() - self.rest.len()])
    }

    /// Takes an opening bracket, and the closing one if nothing is between.
    #[inline]
    fn opens_with_content(&mut self, closing: u8) -> bool {
        self.rest = &self.rest[1..];
        self.skip_space();
        match self.rest {
            [first, rest @ ..] if *first == closing => {
                self.rest = rest;
                false
            }
            _ => true,
        }
    }

    /// Takes a comma, or the closing bracket.
    #[inline]
    fn has_more(&mut self, closing: u8) -> Option<bool> {
        self.skip_space();
        match self.rest {
            [b',', rest @ ..] => {
                self.rest = rest;
                Some(true)
            }
            [first, rest @ ..] if *first == closing => {
                self.rest = rest;
                Some(false)
            }
            [] => self.fail("the text ends early"),
            _ => self.fail("a ',' or a closing bracket is missing"),
        }
    }

    /// Takes a key, its colon, and the space around them.
    #[inline]
    fn key(&mut self) -> Option<Quoted<'a>> {
        self.skip_space();
        let key = self.string()?;
        self.skip_space();
        let [b':', rest @ ..] = self.rest else {
            return self.fail("a ':' is missing behind a key");
        };
        self.rest = rest;
        self.skip_space();
        Some(key)
    }

    /// A string. Control characters and invalid UTF-8 are let through: firmware
    /// sends both, in names that other people chose.
    #[inline]
    fn string(&mut self) -> Option<Quoted<'a>> {
        let [b'"', text @ ..] = self.rest else {
            return self.fail("a '\"' is missing");
        };
        let mut at = 0;
        let mut has_escapes = false;
        loop {
            at += plain(&text[at..]);
            match text.get(at) {
                Some(b'"') => {
                    self.rest = &text[at + 1..];
                    let raw = &text[..at];
                    return Some(Quoted { raw, has_escapes });
                }
                Some(_) => {
                    has_escapes = true;
                    let Some(length) = escape_length(&text[at..]) else {
                        self.rest = &text[at..];
                        return self.fail("an unknown escape in a string");
                    };
                    at += length;
                }
                None => {
                    self.rest = &[];
                    return self.fail("the text ends in a string");
                }
            }
        }
    }

    #[inline]
    fn number(&mut self) -> Option<()> {
        if let [b'-', rest @ ..] = self.rest {
            self.rest = rest;
            if rest.first() == Some(&b'I') {
                return self.literal(b"Infinity");
            }
        }
        if let [b'0', rest @ ..] = self.rest {
            self.rest = rest;
        } else {
            self.digits()?;
        }
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        if let [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = rest;
            if let [b'+' | b'-', rest @ ..] = self.rest {
                self.rest = rest;
            }
            self.digits()?;
        }
        Some(())
    }

    #[inline]
    fn digits(&mut self) -> Option<()> {
        let is_none = |b: &u8| !b.is_ascii_digit();
        let count = self.rest.iter().position(is_none);
        let count = count.unwrap_or(self.rest.len());
        self.rest = &self.rest[count..];
        if count == 0 {
            return self.fail("a digit is missing in a number");
        }
        Some(())
    }

    fn literal(&mut self, word: &[u8]) -> Option<()> {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                Some(())
            }
            None => self.fail("no value"),
        }
    }

    #[inline]
    fn skip_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Notes why reading ends here.
    #[cold]
    fn fail<T>(&mut self, what: &'static str) -> Option<T> {
        let offset = self.length - self.rest.len();
        self.fault = Some(JsonError { offset, what });
        None
    }
}

/// Counts the bytes in front of the first quote or backslash. Most strings of a report are
/// short: eight bytes are looked at in one word, which costs less than a call of what is
/// fast for long texts.
#[inline]
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // The high bit of each byte that is zero, and maybe of those behind the first one.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = text.as_chunks::<8>();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found =
            zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let is_found = |b: &u8| matches!(b, b'"' | b'\\');
    let last = rest.iter().position(is_found);
    text.len() - rest.len() + last.unwrap_or(rest.len())
}

/// The length of the escape at the start of `text`: `\n` or `\u0041`. One that
/// is cut off counts as whole: the end of the text is then the fault.
fn escape_length(text: &[u8]) -> Option<usize> {
    match text.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Some(2),
        Some(b'u') => {
            let digits = &text[2..text.len().min(6)];
            let length = 2 + digits.len();
            digits.iter().all(u8::is_ascii_hexdigit).then_some(length)
        }
        Some(_) => None,
        None => Some(1),
    }
}
