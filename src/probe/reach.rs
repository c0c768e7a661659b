//! Finds IPv4 addresses that lead no device to a server, whatever this machine
//! makes of them. (Of IPv6 there is nothing to say: a device has IPv4 alone.)

use super::report::{Evidence, Finding};
use super::rules::address as literals;
use super::rules::connect as names;
use std::net::Ipv4Addr;

/// Range of addresses that lead nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nowhere {
    /// 0.0.0.0/8: this network (RFC 791); the answer of a filter that blocks a
    /// name.
    Unspecified,
    /// 127.0.0.0/8: the device itself. 127.0.1.1 stands in many hosts files.
    Loopback,
    /// 169.254.0.0/16 (RFC 3927): an address that a machine gives itself where no
    /// router does. ESP-IDF does not by default (`CONFIG_LWIP_AUTOIP`).
    LinkLocal,
    /// 172.17.0.0/16: Docker's own network.
    Container,
    /// 198.18.0.0/15 (RFC 2544): an address that Clash and its like tell this
    /// machine in place of the real one (`fake-ip`).
    FakeIp,
    /// 192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24 (RFC 5737): addresses for
    /// examples.
    Example,
    /// 224.0.0.0/4: multicast groups.
    Multicast,
    /// 240.0.0.0/4: reserved, with the broadcast address at its end.
    Reserved,
}

impl Nowhere {
    /// Returns the range of an address that leads nowhere. A private address is
    /// none: the devices of its network reach it.
    pub(crate) fn of(ip: Ipv4Addr) -> Option<Self> {
        Some(match ip.octets() {
            [0, ..] => Self::Unspecified,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [172, 17, ..] => Self::Container,
            [198, 18 | 19, ..] => Self::FakeIp,
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Example,
            [224..=239, ..] => Self::Multicast,
            [240..=255, ..] => Self::Reserved,
            _ => return None,
        })
    }

    /// Judges an address that is written as such. This machine, and its Docker, may
    /// be reached from here; only the caller knows whether they are meant.
    pub(crate) fn literal(self, evidence: impl Into<Evidence>) -> Finding {
        match self {
            Self::Loopback => Finding::warn(&literals::LOOPBACK, evidence),
            Self::Container => Finding::warn(&literals::CONTAINER_ADDRESS, evidence),
            Self::Unspecified => Finding::fail(&literals::UNSPECIFIED_ADDRESS, evidence),
            Self::LinkLocal => Finding::fail(&literals::LINK_LOCAL_ADDRESS, evidence),
            Self::FakeIp => Finding::fail(&literals::FAKE_ADDRESS, evidence),
            Self::Example | Self::Multicast | Self::Reserved => {
                Finding::fail(&literals::NOBODYS_ADDRESS, evidence)
            }
        }
    }

    /// Describes the range in Chinese and in English.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unspecified => (
                "不是地址，多半是域名被屏蔽",
                "no address: the name is blocked",
            ),
            Self::Loopback => ("本机", "this machine"),
            Self::LinkLocal => ("没有路由器时自拟的地址", "what machines give themselves"),
            Self::Container => ("Docker 内部", "inside of Docker"),
            Self::FakeIp => ("代理的 fake-ip", "the fake-ip of a proxy"),
            Self::Example => ("示例地址", "an address for examples"),
            Self::Multicast => ("多播地址", "multicast"),
            Self::Reserved => ("保留地址", "reserved"),
        }
    }
}

/// Returns whether a name means this machine on every machine (RFC 6761).
pub(crate) fn is_this_machine(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Judges a name by the addresses that this machine finds for it. Devices may be
/// told others by their resolver, so it is no failure; and what works here from
/// then on proves nothing.
pub(crate) fn name(name: &str, addresses: &[Ipv4Addr]) -> Option<Finding> {
    let of = |ip: &Ipv4Addr| Nowhere::of(*ip).map(|nowhere| (*ip, nowhere));
    let (ip, nowhere) = addresses.iter().find_map(of)?;
    // Of `localhost` it was said before it was looked up.
    if is_this_machine(name) {
        return None;
    }
    let (zh, en) = nowhere.words();
    let evidence = Evidence::both(
        format!("{name} = {ip}（{zh}）"),
        format!("{name} = {ip} ({en})"),
    );
    Some(Finding::warn(&names::NAME_LEADS_NOWHERE, evidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_where_they_lead() {
        for (text, expected) in [
            ("0.0.0.0", Some(Nowhere::Unspecified)),
            ("0.1.2.3", Some(Nowhere::Unspecified)),
            ("127.0.1.1", Some(Nowhere::Loopback)),
            ("169.254.7.9", Some(Nowhere::LinkLocal)),
            ("169.253.7.9", None),
            ("172.16.0.2", None),
            ("172.17.0.2", Some(Nowhere::Container)),
            ("172.18.0.2", None),
            ("198.17.255.255", None),
            ("198.18.0.7", Some(Nowhere::FakeIp)),
            ("198.19.255.255", Some(Nowhere::FakeIp)),
            ("198.20.0.0", None),
            ("192.0.2.7", Some(Nowhere::Example)),
            ("198.51.100.7", Some(Nowhere::Example)),
            ("203.0.113.7", Some(Nowhere::Example)),
            ("224.0.0.1", Some(Nowhere::Multicast)),
            ("239.255.255.255", Some(Nowhere::Multicast)),
            ("240.0.0.1", Some(Nowhere::Reserved)),
            ("255.255.255.255", Some(Nowhere::Reserved)),
            ("10.0.0.7", None),
            ("100.64.0.7", None),
            ("192.168.1.7", None),
            ("8.8.8.8", None),
        ] {
            assert_eq!(text.parse().ok().and_then(Nowhere::of), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_never_fine_with_such_an_address() {
        let found = |host: &str, ips: &[[u8; 4]]| {
            let ips: Vec<Ipv4Addr> = ips.iter().map(|ip| Ipv4Addr::from(*ip)).collect();
            name(host, &ips).map(|f| f.evidence.to_string())
        };
        assert_eq!(found("ota.example.com", &[[8, 8, 8, 8]]), None);
        assert_eq!(found("ota.example.com", &[]), None);
        assert_eq!(found("LOCALHOST", &[[127, 0, 0, 1]]), None);
        assert_eq!(
            found("ota.example.com", &[[8, 8, 8, 8], [198, 18, 0, 7]]).as_deref(),
            Some("ota.example.com = 198.18.0.7 (the fake-ip of a proxy)")
        );
        assert_eq!(
            found("ota.example.com", &[[127, 0, 1, 1]]).as_deref(),
            Some("ota.example.com = 127.0.1.1 (this machine)")
        );
    }
}
