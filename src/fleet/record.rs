//! Record of one device. A million of them are kept, so it is small: what many devices
//! have in common is shared.

use super::about::{Build, Profile};
use super::outcome::History;
use crate::event::Kind;
use crate::event::kinds::{WITHHELD_NOT_ACTIVATED, WITHHELD_UPDATES_OFF};
use crate::ota::device_memory::OwnModel;
use crate::ota::upstream::Hold;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// Time for which the address of a device is kept.
pub(super) const ADDRESS_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// `Client-Id`: a UUID, where the firmware made it (`Board::GenerateUuid` in
/// `boards/common/board.cc`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientId {
    /// A UUID in its usual form, lower case.
    Uuid([u8; 16]),
    /// Any other text.
    Text(Box<str>),
}

impl ClientId {
    /// Reads it. A long one is cut.
    pub fn new(text: &str) -> Self {
        match uuid(text) {
            Some(uuid) => Self::Uuid(uuid),
            None => Self::Text(cut(text).into()),
        }
    }

    /// Tells whether it is this text's.
    pub(super) fn is(&self, text: &str) -> bool {
        match self {
            Self::Uuid(bytes) => uuid(text).as_ref() == Some(bytes),
            Self::Text(own) => **own == *cut(text),
        }
    }
}

/// Number of bytes of a client id that are kept: each device has its own.
const CLIENT: usize = 64;

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(CLIENT)]
}

const HEX: &[u8; 16] = b"0123456789abcdef";
/// Places of the four signs in a UUID (RFC 9562, section 4).
const SIGNS: [usize; 4] = [8, 13, 18, 23];

fn uuid(text: &str) -> Option<[u8; 16]> {
    if text.len() != 36 {
        return None;
    }
    let mut bits = 0u128;
    for (at, byte) in text.bytes().enumerate() {
        match (SIGNS.contains(&at), byte) {
            (true, b'-') => {}
            (false, b'0'..=b'9' | b'a'..=b'f') => {
                bits = bits << 4 | u128::from(char::from(byte).to_digit(16)?);
            }
            _ => return None,
        }
    }
    Some(bits.to_be_bytes())
}

/// Writes a UUID in its usual form, lower case.
pub(super) fn uuid_text(bytes: &[u8; 16]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (number, byte) in bytes.iter().enumerate() {
        at += usize::from(matches!(number, 4 | 6 | 8 | 10));
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 0xf)];
        at += 2;
    }
    text
}

/// Writes it as it was sent.
impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Uuid(bytes) => {
                let text = uuid_text(bytes);
                f.write_str(str::from_utf8(&text).unwrap_or_default())
            }
        }
    }
}

/// Names under which a device came before. Most have none that count.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Names {
    /// Name under which it came first, where that had no files.
    pub at_first: Option<Box<str>>,
    /// Model as which it came before, while it has none with files.
    pub former: Option<Arc<OwnModel>>,
}

impl Names {
    /// Makes them of those that count, if any does.
    pub(super) fn of(
        at_first: Option<Box<str>>,
        former: Option<Arc<OwnModel>>,
    ) -> Option<Box<Self>> {
        let is_any = at_first.is_some() || former.is_some();
        is_any.then(|| Box::new(Self { at_first, former }))
    }
}

/// Record of one device.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and a set of flags would take more room"
)]
pub struct Record {
    /// `Client-Id` of its last check-in.
    pub client: ClientId,
    /// Its description.
    pub profile: Arc<Profile>,
    /// Build that it ran at its last check-in that said so.
    pub build: Arc<Build>,
    /// Time of its first check-in, in milliseconds since 1970.
    pub first_seen: u64,
    /// Time of its last check-in, in milliseconds since 1970.
    pub last_seen: u64,
    /// Address of the peer at its last check-in, for thirty days; an IPv4 one is mapped
    /// into IPv6, and `::` is none.
    pub address: Ipv6Addr,
    /// Number of its boots, as far as they were seen here.
    pub boots: u32,
    /// True where its last check-in came over TLS.
    pub is_secure: bool,
    /// True once it is no newcomer: it was seen at two boots, or was updated once. It is
    /// forgotten for nobody.
    pub is_settled: bool,
    /// True where it may have had files of its own under another name, and there was no room
    /// to remember them.
    pub has_lost_own: bool,
    /// True where the store may have it.
    pub is_stored: bool,
    /// Kind of the answer that it got last: an offer, or why it got none.
    pub why: Option<&'static Kind>,
    /// Model under which it had files of its own last.
    pub own: Option<Arc<OwnModel>>,
    /// Names under which it came before, where they count: [`Record::at_first`] and
    /// [`Record::former`].
    pub names: Option<Box<Names>>,
    /// Hash of what was withheld from it last. It is another one after a restart.
    pub withheld: u64,
    /// Its offers, if it ever had one.
    pub history: Option<Box<History>>,
}

impl Record {
    /// Makes the record of a device that nothing is known of.
    pub fn new(client: ClientId, profile: Arc<Profile>, build: Arc<Build>, now: u64) -> Self {
        Self {
            client,
            profile,
            build,
            first_seen: now,
            last_seen: now,
            address: Ipv6Addr::UNSPECIFIED,
            boots: 0,
            is_secure: false,
            is_settled: false,
            has_lost_own: false,
            is_stored: false,
            why: None,
            own: None,
            names: None,
            withheld: 0,
            history: None,
        }
    }

    /// Returns its address, if that is still kept at `now`, in milliseconds since 1970.
    pub fn address(&self, now: u64) -> Option<IpAddr> {
        let kept = super::outcome::millis(ADDRESS_KEPT);
        let is_kept = now.saturating_sub(self.last_seen) < kept;
        let is_one = !self.address.is_unspecified();
        (is_kept && is_one).then(|| IpAddr::V6(self.address).to_canonical())
    }

    /// Takes the address of its peer.
    pub fn set_address(&mut self, address: IpAddr) {
        self.address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
    }

    /// Returns the name under which it came first, where that had no files.
    pub fn at_first(&self) -> Option<&str> {
        self.names.as_deref()?.at_first.as_deref()
    }

    /// Returns the model as which it came before, while it has none with files.
    pub fn former(&self) -> Option<&Arc<OwnModel>> {
        self.names.as_deref()?.former.as_ref()
    }

    /// Takes the name under which it came first.
    pub fn set_at_first(&mut self, at_first: Option<Box<str>>) {
        let former = self.names.take().and_then(|names| names.former);
        self.names = Names::of(at_first, former);
    }

    /// Takes the model as which it came before.
    pub fn set_former(&mut self, former: Option<Arc<OwnModel>>) {
        if former.is_some() || self.former().is_some() {
            let at_first = self.names.take().and_then(|names| names.at_first);
            self.names = Names::of(at_first, former);
        }
    }

    /// Returns why it was offered nothing at its last check-in, where that was for what the
    /// server behind answered.
    pub fn hold(&self) -> Option<Hold> {
        match self.why?.id {
            id if id == WITHHELD_NOT_ACTIVATED.id => Some(Hold::Unbound),
            id if id == WITHHELD_UPDATES_OFF.id => Some(Hold::UpdatesOff),
            _ => None,
        }
    }

    /// Returns the name that it gives of its board or model, the most precise one.
    pub fn named(&self) -> Option<&str> {
        self.profile.named()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::size_of;

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<Record>() <= 120, "{}", size_of::<Record>());
    }

    #[test]
    fn a_client_comes_out_as_it_went_in() {
        for text in [
            "5f3c2f0e-7a7e-4f6b-9c3f-0a1b2c3d4e5f",
            "5F3C2F0E-7a7e-4f6b-9c3f-0a1b2c3d4e5f",
            "5f3c2f0e7a7e4f6b9c3f0a1b2c3d4e5f1234",
            "",
            "a client",
        ] {
            assert_eq!(ClientId::new(text).to_string(), text);
        }
        let uuid = ClientId::new("5f3c2f0e-7a7e-4f6b-9c3f-0a1b2c3d4e5f");
        assert!(matches!(uuid, ClientId::Uuid(_)));
    }

    #[test]
    fn an_address_is_kept_for_thirty_days() {
        let mut record = Record::new(ClientId::new("c"), Arc::default(), Arc::default(), 1000);
        assert_eq!(record.address(1000), None);
        for address in ["192.0.2.1", "2001:db8::1"] {
            let address: IpAddr = address.parse().unwrap();
            record.set_address(address);
            assert_eq!(record.address(1000), Some(address));
            assert_eq!(record.address(1000 + 30 * 86_400_000 - 1), Some(address));
            assert_eq!(record.address(1000 + 30 * 86_400_000), None);
        }
    }
}
