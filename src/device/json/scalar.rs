//! Values of a JSON text, and what of them is read.

use std::borrow::Cow;

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum JsonScalar<'a> {
    String(Quoted<'a>),
    /// A number as it is written.
    Number(&'a [u8]),
    /// An array with its brackets, not looked into: see [`objects`].
    Array(&'a [u8]),
    /// An object with its braces, where it lies too deep to be looked into; nothing of one
    /// whose scalars are handed out.
    Object(&'a [u8]),
    /// `true`.
    True,
    /// `false` or `null`.
    Other,
}

impl<'a> JsonScalar<'a> {
    /// The text of what Python takes for true, as it is written there: `None` for zero and
    /// for what is empty.
    pub(crate) fn text(&self) -> Option<Cow<'a, str>> {
        let is_filled = |raw: &[u8]| {
            raw.get(1..raw.len() - 1)
                .is_some_and(|i| !i.trim_ascii().is_empty())
        };
        let text = match *self {
            Self::String(text) => text.text(),
            Self::Number(digits) => {
                let mantissa = digits.split(|b| matches!(b, b'e' | b'E')).next()?;
                let is_zero = !mantissa
                    .iter()
                    .any(|b| (b'1'..=b'9').contains(b) || b.is_ascii_alphabetic());
                if is_zero {
                    return None;
                }
                String::from_utf8_lossy(digits)
            }
            Self::True => "True".into(),
            Self::Array(raw) | Self::Object(raw) if !raw.is_empty() && is_filled(raw) => {
                String::from_utf8_lossy(raw)
            }
            Self::Array(_) | Self::Object(_) | Self::Other => return None,
        };
        (!text.is_empty()).then_some(text)
    }

    /// A whole number that fits.
    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(digits) => digits.iter().try_fold(0u64, |n, digit| {
                let digit = digit.checked_sub(b'0').filter(|d| *d <= 9)?;
                n.checked_mul(10)?.checked_add(u64::from(digit))
            }),
            _ => None,
        }
    }
}

/// A string as it stands between its quotes. Most of a report is not looked
/// at, so its text is made only where it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Quoted<'a> {
    pub(super) raw: &'a [u8],
    pub(super) has_escapes: bool,
}

impl<'a> Quoted<'a> {
    /// The text's bytes, escapes resolved.
    #[inline]
    pub(super) fn bytes(self) -> Cow<'a, [u8]> {
        if self.has_escapes {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// The text; what is no UTF-8 in it is replaced.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self.bytes() {
            // It is whole but for a few, and to find that out costs a third.
            Cow::Borrowed(raw) => match str::from_utf8(raw) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(raw),
            },
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
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
