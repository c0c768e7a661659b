//! Tokens, by which a download names its device: its request carries no header of its own.
//!
//! A token is 16 bytes, written as 22 letters: the number of the device and of its offer,
//! hidden, and 8 bytes of an HMAC-SHA-256 over both and the file. It is the same for one
//! offer, so that a device that fetches its address twice is one device still. One that is
//! made up fits by a chance of 1 in 2^64.

use super::outcome::Content;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256, Key, Tag};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::fmt;
use xiaozhi_device::mac::Mac;

/// Length of a token in letters.
pub(super) const LENGTH: usize = 22;

/// Device and offer that a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Device that it was given to.
    pub mac: Mac,
    /// Number of the offer.
    pub offer: u16,
}

/// File that a token is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenFile<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its content.
    pub content: Content,
}

/// Key of tokens, which lies in the state folder.
pub struct TokenKey(Key);

impl TokenKey {
    /// Makes it of its bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(Key::new(HMAC_SHA256, bytes))
    }

    /// Returns the token of an offer.
    pub(super) fn token(&self, ticket: Ticket, file: TokenFile<'_>) -> String {
        let plain = plain(ticket);
        let tag = first(self.tag(plain, file));
        let mask = self.mask(tag);
        let mut bytes = [0; 16];
        let (hidden, behind) = bytes.split_at_mut(8);
        hidden.copy_from_slice(&(u64::from_be_bytes(plain) ^ mask).to_be_bytes());
        behind.copy_from_slice(&tag);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token of a request for this file. `None` for one that is another file's,
    /// another server's, or made up.
    pub(super) fn read(&self, token: &str, file: TokenFile<'_>) -> Option<Ticket> {
        if token.len() != LENGTH {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (hidden, tag) = bytes.split_first_chunk::<8>()?;
        let tag: [u8; 8] = tag.try_into().ok()?;
        let plain = (u64::from_be_bytes(*hidden) ^ self.mask(tag)).to_be_bytes();
        verify_slices_are_equal(&first(self.tag(plain, file)), &tag).ok()?;
        let bits = u64::from_be_bytes(plain);
        Some(Ticket {
            mac: Mac::from_bits(bits >> 16)?,
            offer: u16::try_from(bits & 0xffff).ok()?,
        })
    }

    fn tag(&self, plain: [u8; 8], file: TokenFile<'_>) -> Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&plain);
        context.update(&file.content.0);
        context.update(file.name.as_bytes());
        context.sign()
    }

    /// Returns what hides the numbers behind a tag: one of its own for each.
    fn mask(&self, tag: [u8; 8]) -> u64 {
        u64::from_be_bytes(first(hmac::sign(&self.0, &tag)))
    }
}

/// Shows no key.
impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}

fn plain(ticket: Ticket) -> [u8; 8] {
    (ticket.mac.bits() << 16 | u64::from(ticket.offer)).to_be_bytes()
}

fn first(tag: Tag) -> [u8; 8] {
    tag.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(name: &str) -> TokenFile<'_> {
        TokenFile {
            name,
            content: Content([7; 16]),
        }
    }

    proptest! {
        #[test]
        fn a_token_is_of_its_offer_and_file_alone(
            bits in 1u64..0xffff_ffff_ffff,
            offer: u16,
            key: [u8; 32],
            at in 0usize..LENGTH,
            letter in "[A-Za-z0-9_-]",
        ) {
            let keys = TokenKey::new(&key);
            let ticket = Ticket { mac: Mac::from_bits(bits).unwrap(), offer };
            let token = keys.token(ticket, file("a_1.bin"));
            // With `t=` in front, a query of 24.
            prop_assert_eq!(token.len(), 22);
            prop_assert_eq!(keys.read(&token, file("a_1.bin")), Some(ticket));
            prop_assert_eq!(keys.read(&token, file("a_2.bin")), None);
            let other = TokenFile { content: Content([8; 16]), ..file("a_1.bin") };
            prop_assert_eq!(keys.read(&token, other), None);
            let mut strange = key;
            strange[0] ^= 1;
            prop_assert_eq!(TokenKey::new(&strange).read(&token, file("a_1.bin")), None);
            let mut forged = token.clone();
            forged.replace_range(at..=at, &letter);
            if forged != token {
                prop_assert_eq!(keys.read(&forged, file("a_1.bin")), None);
            }
        }
    }

    #[test]
    fn all_else_is_none() {
        let keys = TokenKey::new(&[1; 32]);
        for token in [
            "",
            "a",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "äaaaaaaaaaaaaaaaaaaaa",
            "======================",
        ] {
            assert_eq!(keys.read(token, file("a")), None, "{token}");
        }
    }
}
