//! Judges a host by its spelling: what a device makes of it, wherever it stands.
//!
//! What a name leads to is not known here. Whether an address is this machine's, or one
//! of a container, only the caller knows.

use std::net::Ipv4Addr;

#[cfg(test)]
mod tests;

/// Range of addresses that lead no device to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nowhere {
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
    /// 240.0.0.0/4: reserved, with the broadcast address at its end; 192.0.0.0/24, which
    /// protocols use within one machine (RFC 6890).
    Reserved,
}

impl Nowhere {
    /// Returns the range of an address that leads nowhere. A private address is
    /// none: the devices of its network reach it.
    pub fn of(ip: Ipv4Addr) -> Option<Self> {
        Some(match ip.octets() {
            [0, ..] => Self::Unspecified,
            [127, ..] => Self::Loopback,
            [169, 254, ..] => Self::LinkLocal,
            [172, 17, ..] => Self::Container,
            [198, 18 | 19, ..] => Self::FakeIp,
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Self::Example,
            [224..=239, ..] => Self::Multicast,
            [240..=255, ..] | [192, 0, 0, _] => Self::Reserved,
            _ => return None,
        })
    }
}

/// Part of the world from which an address is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The internet.
    Public,
    /// One network (RFC 1918).
    Private,
    /// 100.64.0.0/10 (RFC 6598): a provider's inside, or a Tailscale network.
    Shared,
}

impl Scope {
    /// Returns the scope of an address that leads somewhere.
    pub fn of(ip: Ipv4Addr) -> Self {
        match ip.octets() {
            [100, 64..=127, ..] => Self::Shared,
            _ if ip.is_private() => Self::Private,
            _ => Self::Public,
        }
    }
}

/// Fault of a host, as it is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFault {
    /// An address that leads nowhere, or a name that means such a one on every machine.
    Nowhere(Nowhere),
    /// 100.64.0.0/10.
    Shared,
    /// Numbers that are no IPv4 address. The Wi-Fi firmware's resolver takes some all the
    /// same (`ip4addr_aton` in lwIP): leading zeros are octal to it, and numbers may be
    /// missing.
    Numbers(Option<Ipv4Addr>),
    /// Text of a template in the place of a host.
    Placeholder,
    /// 192.168.x.0 or 192.168.x.255: mostly a network's own two addresses.
    NetworkEnd,
    /// Dot in front or behind, or two in a row.
    Dots,
    /// Name that a container engine makes for its containers.
    ContainerName,
    /// Name that a virtual switch makes for its machines (WSL, Hyper-V).
    SwitchName,
    /// Name within a virtual private network (Tailscale, `ZeroTier`, `NetBird`).
    OverlayName,
    /// `.local`, asked for by multicast (RFC 6762).
    Mdns,
    /// Name that one network's own name server knows, and no other.
    LocalName,
    /// Name below a domain that is set aside, and that no name server knows.
    NoDomain,
    /// Name without a dot.
    Short,
}

/// Names that mean the machine itself on every machine (RFC 6761, and hosts files).
const SELF: [&str; 6] = [
    "localhost",
    "localhost.localdomain",
    "localhost4",
    "localhost6",
    "ip6-localhost",
    "ip6-loopback",
];
/// Domains of container engines.
const CONTAINERS: [&str; 11] = [
    "cluster.local",
    "containers.internal",
    "docker",
    "docker.internal",
    "k3d.internal",
    "lima.internal",
    "minikube.internal",
    "orb.internal",
    "orb.local",
    "rancher-desktop.internal",
    "svc",
];
/// Domains of virtual switches.
const SWITCHES: [&str; 3] = ["mshome.net", "wsl", "wsl.localhost"];
/// Domains of virtual private networks.
const OVERLAYS: [&str; 8] = [
    "netbird",
    "netbird.cloud",
    "netbird.selfhosted",
    "tailscale.net",
    "ts.net",
    "vpn",
    "zerotier",
    "zt",
];
/// Domains that a router or a company knows.
const LOCALS: [&str; 12] = [
    "corp",
    "domain",
    "fritz.box",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "localdomain",
    "private",
    "router",
    "workgroup",
];
/// Domains that are set aside (RFC 2606, RFC 7686, RFC 9476), and one that only a
/// program of its own resolves.
const SET_ASIDE: [&str; 5] = ["alt", "i2p", "invalid", "onion", "test"];
/// Words of templates that stand for a host, without the signs between their parts.
const FILLERS: [&str; 24] = [
    "address",
    "changeme",
    "domain",
    "domainname",
    "host",
    "hostip",
    "hostname",
    "ip",
    "ipaddr",
    "ipaddress",
    "ipordomain",
    "lanip",
    "localip",
    "machineip",
    "mydomain",
    "myip",
    "placeholder",
    "pubip",
    "publicip",
    "serveraddress",
    "serverhost",
    "serverip",
    "serverport",
    "wanip",
];
/// Words for things that a template says are the reader's: `your-domain.com`.
const OWNED: [&str; 16] = [
    "address",
    "company",
    "domain",
    "domainname",
    "host",
    "hostname",
    "ip",
    "ipaddress",
    "name",
    "ota",
    "publicip",
    "server",
    "serverip",
    "site",
    "voice",
    "website",
];

/// Judges a host. An IPv6 literal is none here: it is no host to a device.
pub fn judge(host: &str) -> Option<HostFault> {
    let host = host.to_ascii_lowercase();
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return of_address(ip);
    }
    let labels: Vec<&str> = host.split('.').collect();
    if is_blanked(&labels) {
        return Some(HostFault::Placeholder);
    }
    let trimmed = host.trim_end_matches('.');
    if looks_like_numbers(trimmed) {
        let read = as_lwip(&host);
        return Some(match read.and_then(Nowhere::of) {
            Some(nowhere) => HostFault::Nowhere(nowhere),
            None => HostFault::Numbers(read),
        });
    }
    if labels.iter().any(|label| label.is_empty()) {
        return Some(HostFault::Dots);
    }
    of_name(&host, &labels)
}

fn of_address(ip: Ipv4Addr) -> Option<HostFault> {
    if let Some(nowhere) = Nowhere::of(ip) {
        return Some(HostFault::Nowhere(nowhere));
    }
    let scope = Scope::of(ip);
    match ip.octets() {
        _ if scope == Scope::Shared => Some(HostFault::Shared),
        [192, 168, _, 0 | 255] => Some(HostFault::NetworkEnd),
        // 111.111.111.111 and its like: nobody serves firmware from there, and public
        // name servers have the others.
        [a, b, c, d] if scope == Scope::Public && a == b && b == c && c == d => {
            Some(HostFault::Placeholder)
        }
        [1, 2, 3, 4] | [11, 22, 33, 44] | [12, 34, 56, 78] | [123, 45, 67, 89] => {
            Some(HostFault::Placeholder)
        }
        _ => None,
    }
}

fn of_name(host: &str, labels: &[&str]) -> Option<HostFault> {
    let below = |domains: &[&str]| {
        let is_below = |domain: &&str| {
            let front = host.strip_suffix(domain);
            front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
        };
        labels.len() > 1 && domains.iter().any(is_below)
    };
    if below(&SWITCHES) {
        return Some(HostFault::SwitchName);
    }
    let is_engine = matches!(labels, ["host" | "gateway", .., "internal"]);
    if is_engine || below(&CONTAINERS) || host.starts_with("docker.for.") {
        return Some(HostFault::ContainerName);
    }
    if SELF.contains(&host) || below(&["localhost"]) {
        return Some(HostFault::Nowhere(Nowhere::Loopback));
    }
    if is_template(labels) {
        return Some(HostFault::Placeholder);
    }
    [
        (&OVERLAYS[..], HostFault::OverlayName),
        (&["local"], HostFault::Mdns),
        (&LOCALS, HostFault::LocalName),
        (&SET_ASIDE, HostFault::NoDomain),
    ]
    .into_iter()
    .find_map(|(domains, fault)| below(domains).then_some(fault))
    .or_else(|| (labels.len() == 1).then_some(HostFault::Short))
}

/// Tells whether it is an address of which the numbers are blanked out: `192.168.x.x`,
/// `xxx.xxx.xxx.xxx`.
fn is_blanked(labels: &[&str]) -> bool {
    let is_blank = |label: &&str| !label.is_empty() && label.bytes().all(|b| b == b'x');
    let is_number = |label: &&str| !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit());
    labels.len() == 4
        && labels.iter().any(is_blank)
        && labels
            .iter()
            .all(|label| is_blank(label) || is_number(label))
}

/// Tells whether a host is meant as an address: its last label is a number, which no
/// domain's name is, or it begins with three of them.
fn looks_like_numbers(host: &str) -> bool {
    let is_number = |label: &str| {
        let hexadecimal = label
            .strip_prefix("0x")
            .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        hexadecimal || !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit())
    };
    let mut labels = host.split('.');
    let last = labels.next_back().unwrap_or_default();
    let count = labels.clone().count();
    is_number(last)
        || count > 2
            && labels.take(3).all(is_number)
            // `192.168.1.l00`; but `1.2.3.com` is a name.
            && last.bytes().any(|b| b.is_ascii_digit())
}

/// Reads an address as lwIP does (`ip4addr_aton`): up to four numbers, decimal, octal
/// behind a zero, hexadecimal behind `0x`; the last one fills what is left.
fn as_lwip(host: &str) -> Option<Ipv4Addr> {
    let number = |label: &str| {
        let (radix, digits) = match label.strip_prefix("0x") {
            Some(hex) => (16, hex),
            None if label.len() > 1 && label.starts_with('0') => (8, &label[1..]),
            None => (10, label),
        };
        // A sign in front would be taken, too.
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| u32::from_str_radix(digits, radix).ok())?
    };
    let numbers: Option<Vec<u32>> = host.split('.').map(number).collect();
    let numbers = numbers.filter(|numbers| numbers.len() <= 4)?;
    let (last, front) = numbers.split_last()?;
    let left = 32 - 8 * u32::try_from(front.len()).ok()?;
    if u64::from(*last) >= 1 << left || front.iter().any(|number| *number > 255) {
        return None;
    }
    let mut address = *last;
    for (place, number) in (0..).zip(front) {
        address |= number << (24 - 8 * place);
    }
    Some(Ipv4Addr::from(address))
}

/// Tells whether it is a name that a template has: `yourdomain.com`, `ota.example.com`,
/// `xxx.cn`, `your-ip`.
fn is_template(labels: &[&str]) -> bool {
    let plain = |label: &str| label.replace(['-', '_'], "");
    let is_owned = |label: &str| {
        let owned = label.strip_prefix("your");
        owned.is_some_and(|owned| OWNED.contains(&owned.trim_start_matches("own")))
    };
    let is_crossed = |label: &str| label.len() > 2 && label.bytes().all(|b| b == b'x');
    match labels {
        [alone] => {
            let alone = plain(alone);
            FILLERS.contains(&&*alone) || is_owned(&alone) || is_crossed(&alone)
        }
        [front @ .., second, top] => {
            let domain = plain(second);
            let is_filler = ["domain", "domainname", "example", "mydomain"].contains(&&*domain);
            is_filler
                || *top == "example"
                || is_crossed(&domain)
                || is_owned(&domain)
                || front.iter().any(|label| is_owned(&plain(label)))
                // `your.domain.com`
                || front.last() == Some(&"your")
        }
        [] => false,
    }
}
