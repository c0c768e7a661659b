//! A JSON reader that keeps what stood before a fault.
//!
//! Firmware pastes the Wi-Fi name into its report unescaped, so a quote or a
//! backslash in it breaks the body in the middle. What identifies the device
//! stands before it and must not be lost; what stands behind it may have been
//! written by whoever named that Wi-Fi, and must not override.

use std::borrow::Cow;

/// Nesting beyond this is no device's report.
const MAX_DEPTH: usize = 64;

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
/// bytes, outermost first; what lies more than [`LEVELS`] keys deep is checked only.
/// A value counts once it is complete and what follows it is no fault.
pub(super) fn read<'a>(
    text: &'a [u8],
    mut take: impl FnMut(&[&[u8]], Scalar<'a>),
) -> Result<(), Fault> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    if reader.at == text.len() {
        return Ok(()); // An empty body counts as `{}`.
    }
    if reader.peek() != Some(b'{') {
        return Err(reader.fault("not a JSON object"));
    }
    reader.object(&mut Vec::with_capacity(LEVELS), 0, &mut take)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.fault("something behind the end of the object"));
    }
    Ok(())
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// An object whose values are handed out; `path` holds the `depth` keys that
    /// lead to it.
    fn object(
        &mut self,
        path: &mut Vec<Cow<'a, [u8]>>,
        depth: usize,
        take: &mut dyn FnMut(&[&[u8]], Scalar<'a>),
    ) -> Result<(), Fault> {
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            self.skip_space();
            self.expect(b':', "a ':' is missing behind a key")?;
            self.skip_space();
            if self.peek() == Some(b'{') {
                if depth + 1 < LEVELS {
                    path.push(key.bytes());
                    self.object(path, depth + 1, take)?;
                    path.pop();
                } else {
                    self.skip_object(depth + 1)?;
                }
                self.skip_space();
            } else {
                let value = self.scalar(depth)?;
                self.skip_space();
                // `"a "quoted" name"`: a string with an unescaped quote is cut
                // short there, and must not count.
                let complete = matches!(self.peek(), Some(b',' | b'}') | None);
                if complete {
                    let key = key.bytes();
                    let mut keys = [&[][..]; LEVELS];
                    for (slot, part) in keys.iter_mut().zip(path.iter().chain([&key])) {
                        *slot = part;
                    }
                    take(&keys[..=path.len()], value);
                }
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                None => return Err(self.fault("the text ends early")),
                Some(_) => return Err(self.fault("a ',' or '}' is missing")),
            }
        }
    }

    /// An object in which nothing is wanted. `depth` counts the keys and
    /// brackets that lead here.
    fn skip_object(&mut self, depth: usize) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(self.fault("nested too deep"));
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            self.string()?;
            self.skip_space();
            self.expect(b':', "a ':' is missing behind a key")?;
            self.skip_space();
            if self.peek() == Some(b'{') {
                self.skip_object(depth + 1)?;
            } else {
                self.scalar(depth)?;
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                None => return Err(self.fault("the text ends early")),
                Some(_) => return Err(self.fault("a ',' or '}' is missing")),
            }
        }
    }

    fn scalar(&mut self, depth: usize) -> Result<Scalar<'a>, Fault> {
        match self.peek() {
            Some(b'"') => return self.string().map(Scalar::String),
            Some(b'[') => self.array(depth)?,
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            None => return Err(self.fault("the text ends early")),
            Some(_) => return Err(self.fault("no value")),
        }
        Ok(Scalar::Other)
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        if depth >= MAX_DEPTH {
            return Err(self.fault("nested too deep"));
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek() == Some(b'{') {
                self.skip_object(depth + 1)?;
            } else {
                self.scalar(depth + 1)?;
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                None => return Err(self.fault("the text ends early")),
                Some(_) => return Err(self.fault("a ',' or ']' is missing")),
            }
        }
    }

    /// A string. Control characters and invalid UTF-8 are let through: firmware
    /// sends both, in names that other people chose.
    fn string(&mut self) -> Result<Quoted<'a>, Fault> {
        self.expect(b'"', "a '\"' is missing")?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            let rest = &self.text[self.at..];
            let Some(next) = quote_or_backslash(rest) else {
                self.at = self.text.len();
                return Err(self.fault("the text ends in a string"));
            };
            self.at += next;
            if rest[next] == b'"' {
                let raw = &self.text[start..self.at];
                self.at += 1;
                return Ok(Quoted { raw, has_escapes });
            }
            has_escapes = true;
            self.at += escape_length(&rest[next..])
                .ok_or_else(|| self.fault("an unknown escape in a string"))?;
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        let count = rest
            .iter()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(rest.len());
        self.at += count;
        if count > 0 {
            Ok(())
        } else {
            Err(self.fault("a digit is missing in a number"))
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Fault> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.fault("no value"))
        }
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Fault> {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.fault(what))
        }
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[cold]
    fn fault(&self, what: &'static str) -> Fault {
        Fault {
            offset: self.at.min(self.text.len()),
            what,
        }
    }
}

/// Where the first quote or backslash stands. Strings are mostly shorter than a
/// call of a vectorised search would pay for, so eight bytes at a time are
/// looked at in a register (the zero-byte test of "Hacker's Delight", 6-1).
#[inline]
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, rest) = text.as_chunks::<8>();
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let zero_at = |pattern: u8| {
            let x = word ^ (ONES * u64::from(pattern));
            x.wrapping_sub(ONES) & !x & (ONES << 7)
        };
        let found = zero_at(b'"') | zero_at(b'\\');
        if found != 0 {
            return Some(i * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let behind = rest.iter().position(|b| matches!(b, b'"' | b'\\'))?;
    Some(words.len() * 8 + behind)
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
    fn deep_nesting_is_a_fault_and_no_crash() {
        for open in ["[", "{\"a\":"] {
            let text = format!("{{\"a\":{}", open.repeat(100_000));
            assert_eq!(
                strings(text.as_bytes()).1.map_err(|f| f.what),
                Err("nested too deep")
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
