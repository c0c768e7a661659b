//! A JSON reader that keeps what stood before a fault.
//!
//! Firmware pastes the Wi-Fi name into its report unescaped, so a quote or a
//! backslash in it breaks the body in the middle. What identifies the device
//! stands before it and must not be lost; what stands behind it may have been
//! written by whoever named that Wi-Fi, and must not override.

use std::borrow::Cow;

/// The bytes that [`Reader::skip_brackets`] stops at.
const MARKS: [bool; 256] = {
    let mut marks = [false; 256];
    let mut i = 0;
    while i < 5 {
        marks[b"\"{}[]"[i] as usize] = true;
        i += 1;
    }
    marks
};

/// Where reading stopped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Offset of the offending byte.
    pub offset: usize,
    /// What was wrong with it.
    pub what: &'static str,
}

/// A value that is no object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    String(Quoted<'a>),
    /// A number, `true`, `false`, `null` or an array.
    Other,
}

/// A string as it stands between its quotes. Most of a report is not looked
/// at, so its text is made only where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quoted<'a> {
    raw: &'a [u8],
    has_escapes: bool,
}

impl<'a> Quoted<'a> {
    /// The text's bytes, escapes resolved.
    #[inline]
    fn bytes(self) -> Cow<'a, [u8]> {
        if self.has_escapes {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// The text; what is no UTF-8 in it is replaced.
    pub(super) fn text(self) -> Cow<'a, str> {
        match self.bytes() {
            Cow::Borrowed(raw) => String::from_utf8_lossy(raw),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
}

/// The deepest path that is handed out, in keys.
const LEVELS: usize = 2;

/// Reads an object and hands out each scalar with the keys that lead to it, as
/// bytes, outermost first; what lies more than [`LEVELS`] keys deep is passed
/// over. A value counts once it is complete and what follows it is no fault.
pub(super) fn read<'a>(
    text: &'a [u8],
    mut take: impl FnMut(&[&[u8]], Scalar<'a>),
) -> Result<(), Fault> {
    let mut reader = Reader {
        rest: text,
        length: text.len(),
        fault: None,
    };
    reader.document(&mut take);
    reader.fault.map_or(Ok(()), Err)
}

/// Every function takes from the front of `rest`; `None` is the end, and
/// `fault` says why.
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
    fault: Option<Fault>,
}

impl<'a> Reader<'a> {
    fn document(&mut self, take: &mut dyn FnMut(&[&[u8]], Scalar<'a>)) -> Option<()> {
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

    /// An object whose values are handed out; `path` holds the keys that lead
    /// to it.
    fn object(
        &mut self,
        path: &mut Vec<Cow<'a, [u8]>>,
        take: &mut dyn FnMut(&[&[u8]], Scalar<'a>),
    ) -> Option<()> {
        let mut more = self.opens_with_content();
        while more {
            let key = self.key()?;
            if self.rest.first() != Some(&b'{') {
                let value = self.scalar()?;
                self.skip_space();
                // `"a "quoted" name"`: a string with an unescaped quote is cut
                // short there, and must not count.
                if matches!(self.rest.first(), Some(b',' | b'}') | None) {
                    let key = key.bytes();
                    let mut keys = [&[][..]; LEVELS];
                    for (slot, part) in keys.iter_mut().zip(path.iter().chain([&key])) {
                        *slot = part;
                    }
                    take(&keys[..=path.len()], value);
                }
            } else if path.len() + 1 < LEVELS {
                path.push(key.bytes());
                self.object(path, take)?;
                path.pop();
            } else {
                self.skip_brackets()?;
            }
            more = self.has_more()?;
        }
        Some(())
    }

    /// An object or array in which nothing is wanted, to its closing bracket.
    /// Only strings and brackets are looked at: half of a real report lies in
    /// here, and the firmware alone writes it. What follows is read strictly.
    fn skip_brackets(&mut self) -> Option<()> {
        let mut depth = 0usize;
        loop {
            let next = self.rest.iter().position(|b| MARKS[usize::from(*b)]);
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
    fn scalar(&mut self) -> Option<Scalar<'a>> {
        match self.rest.first() {
            Some(b'"') => return self.string().map(Scalar::String),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'[') => self.skip_brackets()?,
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            None => return self.fail("the text ends early"),
            Some(_) => return self.fail("no value"),
        }
        Some(Scalar::Other)
    }

    /// Takes an object's opening bracket, and the closing one if nothing is
    /// between.
    #[inline]
    fn opens_with_content(&mut self) -> bool {
        self.rest = &self.rest[1..];
        self.skip_space();
        match self.rest {
            [b'}', rest @ ..] => {
                self.rest = rest;
                false
            }
            _ => true,
        }
    }

    /// Takes a comma, or the closing bracket.
    #[inline]
    fn has_more(&mut self) -> Option<bool> {
        self.skip_space();
        match self.rest {
            [b',', rest @ ..] => {
                self.rest = rest;
                Some(true)
            }
            [b'}', rest @ ..] => {
                self.rest = rest;
                Some(false)
            }
            [] => self.fail("the text ends early"),
            _ => self.fail("a ',' or '}' is missing"),
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
            let rest = &text[at..];
            let Some(next) = quote_or_backslash(rest) else {
                self.rest = &[];
                return self.fail("the text ends in a string");
            };
            at += next;
            if rest[next] == b'"' {
                self.rest = &text[at + 1..];
                let raw = &text[..at];
                return Some(Quoted { raw, has_escapes });
            }
            has_escapes = true;
            let Some(length) = escape_length(&rest[next..]) else {
                self.rest = &rest[next..];
                return self.fail("an unknown escape in a string");
            };
            at += length;
        }
    }

    #[inline]
    fn number(&mut self) -> Option<()> {
        if let [b'-', rest @ ..] = self.rest {
            self.rest = rest;
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
        let before = self.rest.len();
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.len() == before {
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
        self.fault = Some(Fault { offset, what });
        None
    }
}

/// Where the first quote or backslash stands. Strings are mostly shorter than a
/// call of a vectorised search would pay for, so eight bytes at a time are
/// looked at in a register (the zero-byte test of "Hacker's Delight", 6-1).
#[inline]
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const QUOTES: u64 = u64::from_le_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);
    let zero_at = |x: u64| x.wrapping_sub(ONES) & !x & (ONES << 7);
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let found = zero_at(word ^ QUOTES) | zero_at(word ^ BACKSLASHES);
        if found != 0 {
            return Some(text.len() - rest.len() + found.trailing_zeros() as usize / 8);
        }
        rest = behind;
    }
    let last = rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
    Some(text.len() - rest.len() + last)
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

/// Resolves the escapes of a string that [`Reader::string`] has passed.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&escape, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        match escape {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let (c, length) = unicode_escape(rest);
                rest = &rest[length..];
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            other => out.push(other),
        }
    }
    out
}

/// The character behind `\u`, surrogate pairs put together, and how much of
/// the text it takes.
fn unicode_escape(text: &[u8]) -> (char, usize) {
    let unit = |text: &[u8]| {
        let digits = text.get(..4)?;
        let fold = |n: u32, d: &u8| Some(n * 16 + char::from(*d).to_digit(16)?);
        digits.iter().try_fold(0, fold)
    };
    let Some(high) = unit(text) else {
        return (char::REPLACEMENT_CHARACTER, text.len());
    };
    if (0xD800..0xDC00).contains(&high)
        && let Some(low) = text[4..].strip_prefix(b"\\u").and_then(unit)
        && (0xDC00..0xE000).contains(&low)
    {
        let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        return (
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
            10,
        );
    }
    (
        char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER),
        4,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Every string up to two keys deep, as `a.b=value`.
    fn strings(text: &[u8]) -> (Vec<String>, Result<(), Fault>) {
        let mut seen = Vec::new();
        let end = read(text, |path, value| {
            if let Scalar::String(s) = value {
                let path = String::from_utf8_lossy(&path.join(&b'.')).into_owned();
                seen.push(format!("{path}={}", s.text()));
            }
        });
        (seen, end)
    }

    fn expected(value: &Value) -> Vec<String> {
        let mut seen = Vec::new();
        for (k, v) in value.as_object().into_iter().flatten() {
            if let Some(s) = v.as_str() {
                seen.push(format!("{k}={s}"));
            }
            for (k2, v2) in v.as_object().into_iter().flatten() {
                if let Some(s) = v2.as_str() {
                    seen.push(format!("{k}.{k2}={s}"));
                }
            }
        }
        seen.sort();
        seen
    }

    #[test]
    fn what_stood_before_the_fault_counts() {
        for (text, kept, fault) in [
            (
                r#"{"board":{"type":"esp32s3""#,
                vec!["board.type=esp32s3"],
                "the text ends early",
            ),
            (
                r#"{"a":"x","b":"tru"#,
                vec!["a=x"],
                "the text ends in a string",
            ),
            (
                r#"{"b":{"type":"t","name":"n","ssid":"my "wifi"","rssi":1}}"#,
                vec!["b.type=t", "b.name=n"],
                "a ',' or '}' is missing",
            ),
            (
                r#"{"b":{"type":"t","ssid":"a\q","x":"y"}}"#,
                vec!["b.type=t"],
                "an unknown escape in a string",
            ),
            ("[]", vec![], "not a JSON object"),
            ("null", vec![], "not a JSON object"),
            (
                r#"{"a":"x"} {"#,
                vec!["a=x"],
                "something behind the end of the object",
            ),
            (r#"{"a":"x",}"#, vec!["a=x"], "a '\"' is missing"),
            (r#"{"a":01}"#, vec![], "a ',' or '}' is missing"),
        ] {
            let (seen, end) = strings(text.as_bytes());
            assert_eq!(seen, kept, "{text}");
            assert_eq!(end.map_err(|f| f.what), Err(fault), "{text}");
        }
    }

    #[test]
    fn control_characters_and_foreign_bytes_are_let_through() {
        let (seen, end) = strings(b"{\"a\":\"x\x01\n\xff\",\"b\":\"\\ud83d\\ude00\\ud800\"}");
        assert_eq!(seen, ["a=x\u{1}\n\u{fffd}", "b=\u{1f600}\u{fffd}"]);
        assert_eq!(end, Ok(()));
    }

    #[test]
    fn deep_nesting_is_passed_over_and_no_crash() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
            let (seen, end) = strings(format!("{{\"a\":{deep},\"b\":\"x\"}}").as_bytes());
            assert_eq!((seen, end), (vec!["b=x".to_owned()], Ok(())));
            let text = format!("{{\"a\":{}", open.repeat(100_000));
            assert_eq!(
                strings(text.as_bytes()).1.map_err(|f| f.what),
                Err("the text ends early")
            );
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        let tree = leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map("[a-z\"\\\\é]{0,4}", inner, 0..5)
                    .prop_map(|m| m.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        });
        prop::collection::hash_map("[a-z]{1,4}", tree, 0..5)
            .prop_map(|m| m.into_iter().collect::<serde_json::Map<_, _>>().into())
    }

    proptest! {
        #[test]
        fn the_first_quote_or_backslash_is_found(text in "[a-z\"\\\\!#\\[\\]\u{a2}\u{dc}]{0,40}") {
            let expected = text.bytes().position(|b| b == b'"' || b == b'\\');
            prop_assert_eq!(quote_or_backslash(text.as_bytes()), expected);
        }

        #[test]
        fn valid_json_reads_as_serde_reads_it(value in json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let (mut seen, end) = strings(text.unwrap_or_default().as_bytes());
            seen.sort();
            prop_assert_eq!(end, Ok(()));
            prop_assert_eq!(seen, expected(&value));
        }

        #[test]
        fn a_prefix_gives_a_part_of_the_whole(value in json(), cut in any::<prop::sample::Index>()) {
            let text = value.to_string();
            let (all, _) = strings(text.as_bytes());
            let (some, _) = strings(&text.as_bytes()[..cut.index(text.len())]);
            prop_assert!(some.len() <= all.len());
            prop_assert_eq!(&some[..], &all[..some.len()]);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            if strings(&text).1.is_ok() && !text.iter().all(u8::is_ascii_whitespace) {
                // What passes here is JSON but for what strings may hold.
                let open = text.contains(&b'{');
                prop_assert!(open);
            }
        }
    }
}
