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
#[derive(Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    String(Cow<'a, str>),
    /// A number, `true`, `false`, `null` or an array: its text.
    Other(&'a [u8]),
}

/// The deepest path that is handed out, in keys.
const LEVELS: usize = 2;

/// Reads an object and hands out each scalar with the keys that lead to it,
/// outermost first; what lies more than [`LEVELS`] keys deep is checked only.
/// A value counts once it is complete and what follows it is no fault.
pub(super) fn read<'a>(
    text: &'a [u8],
    mut take: impl FnMut(&[&str], Scalar<'a>),
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
    /// `depth` counts the keys and brackets that lead here; `path` holds the
    /// keys while they are few enough to be handed out.
    fn object(
        &mut self,
        path: &mut Vec<Cow<'a, str>>,
        depth: usize,
        take: &mut dyn FnMut(&[&str], Scalar<'a>),
    ) -> Result<(), Fault> {
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
            let key = self.string()?;
            self.skip_space();
            self.expect(b':', "a ':' is missing behind a key")?;
            self.skip_space();
            let wanted = depth < LEVELS;
            if self.peek() == Some(b'{') {
                if wanted {
                    path.push(key);
                }
                self.object(path, depth + 1, take)?;
                if wanted {
                    path.pop();
                }
                self.skip_space();
            } else {
                let value = self.scalar(depth)?;
                self.skip_space();
                // `"a "quoted" name"`: a string with an unescaped quote is cut
                // short there, and must not count.
                let complete = matches!(self.peek(), Some(b',' | b'}') | None);
                if wanted && complete {
                    let mut keys = [""; LEVELS];
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

    fn scalar(&mut self, depth: usize) -> Result<Scalar<'a>, Fault> {
        let start = self.at;
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
        Ok(Scalar::Other(&self.text[start..self.at]))
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
                // Nothing in an array has a path.
                self.object(&mut Vec::new(), LEVELS.max(depth + 1), &mut |_, _| {})?;
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
    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.expect(b'"', "a '\"' is missing")?;
        let start = self.at;
        while let Some(b) = self.peek() {
            match b {
                b'"' => {
                    let text = String::from_utf8_lossy(&self.text[start..self.at]);
                    self.at += 1;
                    return Ok(text);
                }
                b'\\' => return self.escaped_string(start),
                _ => self.at += 1,
            }
        }
        Err(self.fault("the text ends in a string"))
    }

    fn escaped_string(&mut self, start: usize) -> Result<Cow<'a, str>, Fault> {
        let mut out = self.text[start..self.at].to_vec();
        while let Some(b) = self.peek() {
            self.at += 1;
            match b {
                b'"' => return Ok(Cow::Owned(String::from_utf8_lossy(&out).into_owned())),
                b'\\' => {
                    let escape = self.peek();
                    self.at += 1;
                    match escape {
                        Some(c @ (b'"' | b'\\' | b'/')) => out.push(c),
                        Some(b'b') => out.push(8),
                        Some(b'f') => out.push(12),
                        Some(b'n') => out.push(b'\n'),
                        Some(b'r') => out.push(b'\r'),
                        Some(b't') => out.push(b'\t'),
                        Some(b'u') => {
                            let c = self.unicode_escape()?;
                            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                        _ => {
                            self.at -= 1;
                            return Err(self.fault("an unknown escape in a string"));
                        }
                    }
                }
                _ => out.push(b),
            }
        }
        Err(self.fault("the text ends in a string"))
    }

    fn unicode_escape(&mut self) -> Result<char, Fault> {
        let high = self.hex4()?;
        if (0xD800..0xDC00).contains(&high) && self.text[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 2;
            let low = self.hex4()?;
            if (0xDC00..0xE000).contains(&low) {
                let code = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, Fault> {
        let digits = self.text.get(self.at..self.at + 4);
        let mut value = 0;
        for &d in digits.ok_or(self.fault("the text ends in a string"))? {
            let digit = char::from(d).to_digit(16);
            value = value * 16 + digit.ok_or(self.fault("an unknown escape in a string"))?;
        }
        self.at += 4;
        Ok(value)
    }

    fn number(&mut self) -> Result<(), Fault> {
        let digits = |r: &mut Self| -> Result<(), Fault> {
            let start = r.at;
            while r.peek().is_some_and(|b| b.is_ascii_digit()) {
                r.at += 1;
            }
            if r.at > start {
                Ok(())
            } else {
                Err(r.fault("a digit is missing in a number"))
            }
        };
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            digits(self)?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            digits(self)?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            digits(self)?;
        }
        Ok(())
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

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault {
            offset: self.at.min(self.text.len()),
            what,
        }
    }
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
                seen.push(format!("{}={s}", path.join(".")));
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
