//! Hexadecimal, as hashes are written.

use std::fmt::Write as _;

/// Returns `bytes` in lower-case hexadecimal.
pub fn encode(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, b| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{b:02x}");
            text
        })
}

/// Reads exactly `N` bytes from `2 * N` hexadecimal digits of either case. `None` for
/// any other text: a shortened hash proves nothing.
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |d: u8| char::from(d).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: [u8; 5], upper: bool) {
            let text = encode(&bytes);
            let text = if upper { text.to_uppercase() } else { text };
            prop_assert_eq!(decode(&text), Some(bytes));
            prop_assert_eq!(decode::<4>(&text), None);
        }

        #[test]
        fn anything_else_is_none(text in "\\PC{0,12}") {
            let is_hex = text.len() == 6 && text.bytes().all(|b| b.is_ascii_hexdigit());
            prop_assert_eq!(decode::<3>(&text).is_some(), is_hex);
        }
    }
}
