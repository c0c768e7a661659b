//! Search for devices by a part of what is known of them. All of a fleet is looked through, so
//! what is looked for is made ready once, and nothing is made for a device.

use super::DeviceId;
use super::record::{ClientId, Record};
use memchr::memchr2_iter;
use std::io::Write as _;
use xiaozhi_device::mac::Mac;

/// Number of hexadecimal digits of a MAC address.
const DIGITS: u32 = 12;

/// Text that is looked for, whatever the case.
#[derive(Debug)]
pub(super) struct Needle {
    /// In lower case.
    text: String,
    mac: Option<MacPart>,
    /// False where it has signs that no address, or no UUID, has.
    may_be_address: bool,
    may_be_uuid: bool,
}

/// Part of a MAC address, in whichever spelling: some of its digits, and where they may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MacPart {
    digits: u64,
    count: u32,
    /// Number of digits between two signs; 1 where there is no sign, so that it may begin
    /// anywhere.
    step: u32,
    /// Number of digits in front of the first sign, less whole steps.
    lead: u32,
}

impl MacPart {
    /// Reads digits with `:` or `-` between each two, `.` between each four, or with nothing
    /// between them. The first and the last group may be a part of one. `None` for what is
    /// no part of an address. `1.6` is a version, and `192.168` a part of another sort of
    /// address: with points there must be a whole group.
    fn read(text: &str) -> Option<Self> {
        let step = match text.find([':', '-', '.']) {
            None => 1,
            Some(at) if text[at..].starts_with('.') => 4,
            Some(_) => 2,
        };
        let is_sign = |sign: char| match step {
            2 => matches!(sign, ':' | '-'),
            _ => sign == '.',
        };
        let mut part = Self {
            digits: 0,
            count: 0,
            step,
            lead: 0,
        };
        let last = text.chars().filter(|sign| is_sign(*sign)).count();
        let mut has_whole = false;
        for (number, group) in text.split(is_sign).enumerate() {
            for digit in group.chars() {
                part.digits = part.digits << 4 | u64::from(digit.to_digit(16)?);
                part.count += 1;
                if part.count > DIGITS {
                    return None;
                }
            }
            if step > 1 {
                let length = u32::try_from(group.len()).ok()?;
                has_whole |= length == step;
                if length > step || length < step && number > 0 && number < last {
                    return None;
                }
                if number == 0 {
                    part.lead = length % step;
                }
            }
        }
        (part.count > 0 && (step < 4 || has_whole)).then_some(part)
    }

    /// Tells whether an address has these digits, where the signs are.
    fn is_of(self, mac: Mac) -> bool {
        let mask = (1 << (4 * self.count)) - 1;
        let left = DIGITS - self.count;
        let first = (self.step - self.lead) % self.step;
        let step = self.step as usize;
        let mut places = (first..=left).step_by(step);
        places.any(|place| mac.bits() >> (4 * (left - place)) & mask == self.digits)
    }
}

impl Needle {
    /// Makes it ready.
    pub(super) fn new(text: &str) -> Self {
        let text = text.to_lowercase();
        let is_of = |signs: &str| {
            let is_one = |sign: char| sign.is_ascii_hexdigit() || signs.contains(sign);
            text.chars().all(is_one)
        };
        Self {
            mac: MacPart::read(text.trim()),
            may_be_address: is_of(":."),
            may_be_uuid: is_of("-"),
            text,
        }
    }

    /// Tells whether a device has it somewhere.
    pub(super) fn is_in(&self, id: &DeviceId, record: &Record) -> bool {
        self.is_in_id(id)
            || self.is_in_text(record.build.version())
            || record.profile.names().any(|name| self.is_in_text(name))
            || self.is_in_client(&record.client)
            || self.may_be_address && self.is_in_address(record)
    }

    fn is_in_id(&self, id: &DeviceId) -> bool {
        match id {
            DeviceId::Mac(mac) => self.mac.is_some_and(|part| part.is_of(*mac)),
            // There are few of them.
            DeviceId::Other(id) => self.is_in_text(id) || self.is_in_text(&id.replace(':', "")),
        }
    }

    fn is_in_text(&self, text: &str) -> bool {
        if text.is_ascii() {
            return self.is_in_ascii(text.as_bytes());
        }
        text.to_lowercase().contains(&self.text)
    }

    fn is_in_ascii(&self, text: &[u8]) -> bool {
        let Some((first, rest)) = self.text.as_bytes().split_first() else {
            return true;
        };
        let mut begins = memchr2_iter(*first, first.to_ascii_uppercase(), text);
        begins.any(|at| {
            let behind = text.get(at + 1..at + 1 + rest.len());
            behind.is_some_and(|part| part.eq_ignore_ascii_case(rest))
        })
    }

    fn is_in_client(&self, client: &ClientId) -> bool {
        match client {
            ClientId::Text(text) => self.is_in_text(text),
            ClientId::Uuid(bytes) => {
                self.may_be_uuid && self.is_in_ascii(&super::record::uuid_text(bytes))
            }
        }
    }

    fn is_in_address(&self, record: &Record) -> bool {
        let Some(address) = record.address(record.last_seen) else {
            return false;
        };
        // The longest one has 45 signs: an IPv4 address in an IPv6 one.
        let mut text = [0; 45];
        let mut rest = &mut text[..];
        let is_whole = write!(rest, "{address}").is_ok();
        let length = 45 - rest.len();
        is_whole && self.is_in_ascii(text.get(..length).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::about::{Build, Profile};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn finds(q: &str, mac: &str) -> bool {
        Needle::new(q).is_in_id(&DeviceId::new(mac))
    }

    #[test]
    fn a_part_of_an_address_is_found_as_people_type_it() {
        let mac = "aa:bb:cc:0d:ee:12";
        for q in [
            "aa-bb",
            "AA-BB",
            "AABB",
            "aa:bb:c",
            "aabb.cc",
            "AABB.CC0D",
            "aabb.cc0d.ee12",
            "cc0d.e",
            "b.cc0d",
            "aabbcc0dee12",
            "aa:bb:cc:0d:ee:12",
            "AA-BB-CC-0D-EE-12",
            "abbc",
            "a:bb",
            "a-b",
            "aa:bb:",
            ":bb:",
            "-0D-",
            "e:12",
            "0dee12",
            " aa:bb ",
            "a",
            "aa:bb-cc",
        ] {
            assert!(finds(q, mac), "{q}");
        }
        for q in [
            // The signs are between bytes.
            "ab:bc",
            "ab-bc",
            "bbcc.0dee",
            "b:cc:0:ee",
            "aa:bbcc",
            "aa::bb",
            "bb:aa",
            "aabbd",
            "aa:bb:cc:0d:ee:12:00",
            "aabbcc0dee120",
            "aa.bb",
            "a.c",
            "c.0",
            "g",
            "aa bb",
            "é",
        ] {
            assert!(!finds(q, mac), "{q}");
        }
        // Whoever looks for a version, or a network, looks for no addresses.
        assert!(!finds("1.6", "00:01:6f:00:00:01") && !finds("192.168", "01:92:16:8f:00:00"));
    }

    #[test]
    fn all_that_is_known_is_looked_through() {
        let profile = Profile {
            board_name: Some("Bread-小智".into()),
            ..Profile::default()
        };
        let build = Build {
            reported: Some("1.6.7-RC".into()),
            ..Build::default()
        };
        let uuid = "5f3c2f0e-7a7e-4f6b-9c3f-0a1b2c3d4e5f";
        let (profile, build) = (Arc::new(profile), Arc::new(build));
        let mut record = Record::new(ClientId::new(uuid), profile, build, 0);
        record.set_address([192, 0, 2, 17].into());
        let id = DeviceId::new("02:00:00:00:00:01");
        for q in [
            "bread",
            "BREAD-",
            "小智",
            "D-小",
            "1.6.7-rc",
            "rc",
            "192.0.2",
            "2.17",
            "7A7E-4f6b",
            "0a1b2c3d4e5f",
        ] {
            assert!(Needle::new(q).is_in(&id, &record), "{q}");
        }
        for q in ["breed", "大", "1.6.8", "192.1", "7a7f-4f6b", "cam", "::"] {
            assert!(!Needle::new(q).is_in(&id, &record), "{q}");
        }
        record.set_address("2001:db8:a:b:c:d:e:f".parse().unwrap());
        record.client = ClientId::new("A Client");
        for q in ["2001:DB8", "d:e:f", "a client", "T"] {
            assert!(Needle::new(q).is_in(&id, &record), "{q}");
        }
        // One that is no address keeps its own text.
        let other = DeviceId::new("My:Device");
        for q in ["my:dev", "mydevice", "DEVICE"] {
            assert!(Needle::new(q).is_in_id(&other), "{q}");
        }
    }

    proptest! {
        /// What is cut out of any spelling is found in it, and what is found is there.
        #[test]
        fn it_is_as_if_the_spellings_were_looked_through(
            bits in 1u64..0xffff_ffff_ffff,
            other in 1u64..0xffff_ffff_ffff,
            from in 0usize..17,
            length in 1usize..18,
            spelling in 0usize..3,
            is_upper in any::<bool>(),
        ) {
            let [mac, other] = [bits, other].map(|bits| Mac::from_bits(bits).unwrap());
            let spelt = |mac: Mac| {
                let colons = mac.to_string();
                let plain = colons.replace(':', "");
                match spelling {
                    0 => colons,
                    1 => colons.replace(':', "-"),
                    _ => plain,
                }
            };
            let text = spelt(mac);
            let from = from.min(text.len() - 1);
            let q = &text[from..(from + length).min(text.len())];
            let q = if is_upper { q.to_uppercase() } else { q.to_owned() };
            if q.chars().any(|sign| sign.is_ascii_hexdigit()) {
                prop_assert!(finds(&q, &mac.to_string()), "{} {}", q, mac);
                let has_sign = q.contains([':', '-']);
                let expected = spelt(other).contains(&q.to_lowercase());
                let found = finds(&q, &other.to_string());
                // Without a sign any spelling will do.
                let expected = expected
                    || !has_sign && other.to_string().replace(':', "").contains(&q.to_lowercase());
                // A sign at an end stands for no digit.
                let is_open = q.starts_with([':', '-']) || q.ends_with([':', '-']);
                prop_assert!(found == expected || is_open && found, "{} {}", q, other);
            }
            // Points stand between each four.
            let plain = mac.to_string().replace(':', "");
            let points = format!("{}.{}.{}", &plain[..4], &plain[4..8], &plain[8..]);
            for to in 5..=points.len() {
                prop_assert!(finds(&points[..to], &mac.to_string()), "{}", &points[..to]);
            }
        }

        #[test]
        fn any_text_may_be_looked_for(q in any::<String>(), bits in 1u64..0xffff_ffff_ffff) {
            let mac = Mac::from_bits(bits).unwrap();
            finds(&q, &mac.to_string());
        }
    }
}
