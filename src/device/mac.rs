//! MAC addresses, by which devices name themselves: the firmware sends
//! `SystemInfo::GetMacAddress` (`main/system_info.cc`), lower case with colons.

use std::fmt;

/// A MAC address, in the lower 48 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(u64);

/// Largest address: that of everybody.
const BROADCAST: u64 = 0xffff_ffff_ffff;

impl Mac {
    /// Reads a MAC address: twelve hexadecimal digits, with `:` or `-` between each two, `.`
    /// between each four, or with nothing between them, whatever their case. `None` for any
    /// other text, and for all zeros and all ones, which are no device's own.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        let bytes = text.as_bytes();
        let (step, sign) = match bytes.len() {
            12 => (0, 0),
            14 => (4, b'.'),
            17 => (2, *bytes.get(2)?),
            _ => return None,
        };
        if step == 2 && !matches!(sign, b':' | b'-') {
            return None;
        }
        let mut value = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if step > 0 && at % (step + 1) == step {
                if byte != sign {
                    return None;
                }
                continue;
            }
            value = value << 4 | u64::from(char::from(byte).to_digit(16)?);
        }
        Self::from_bits(value)
    }

    /// Makes one of its 48 bits. `None` where they are none of a device's own.
    pub fn from_bits(bits: u64) -> Option<Self> {
        (bits != 0 && bits < BROADCAST).then_some(Self(bits))
    }

    /// Returns its 48 bits.
    pub fn bits(self) -> u64 {
        self.0
    }
}

/// Writes it as the firmware does: `aa:bb:cc:dd:ee:ff`.
impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, _, bytes @ ..] = self.0.to_be_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_many_spellings() {
        for text in [
            "aa:bb:cc:0d:ee:ff",
            "AA:BB:CC:0D:EE:FF",
            "Aa-bB-cc-0d-ee-ff",
            "aabbcc0deeff",
            "AABBCC0DEEFF",
            "aabb.cc0d.eeff",
            " aa:bb:cc:0d:ee:ff ",
        ] {
            let mac = Mac::parse(text).unwrap();
            assert_eq!(mac.to_string(), "aa:bb:cc:0d:ee:ff", "{text}");
            assert_eq!(mac.bits(), 0xaabb_cc0d_eeff);
            assert_eq!(Mac::from_bits(mac.bits()), Some(mac));
        }
    }

    #[test]
    fn all_else_is_none() {
        for text in [
            "",
            "d1",
            "aa:bb:cc:dd:ee",
            "aa:bb:cc:dd:ee:ff:00",
            "aa:bb-cc:dd:ee:ff",
            "aa.bb.cc.dd.ee.ff",
            "aabb:cc0d:eeff",
            "aabbccddeefg",
            "+abbccddeeff",
            "00:00:00:00:00:00",
            "ff:ff:ff:ff:ff:ff",
            "ａa:bb:cc:dd:ee",
        ] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
        assert_eq!(Mac::from_bits(1 << 48), None);
    }
}
