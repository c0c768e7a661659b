//! This machine's place in its networks, as far as its interfaces show it.

use std::net::Ipv4Addr;
use xiaozhi_device::host::Nowhere;

/// One IPv4 address of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Name of the interface that has it.
    pub(crate) name: String,
    pub(crate) ip: Ipv4Addr,
    /// Length of its network's prefix.
    pub(crate) prefix: u8,
}

/// Nature of an interface, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InterfaceKind {
    /// A network with other machines, as far as its name tells.
    Real,
    /// Bridge or switch for containers and virtual machines.
    Switch,
    /// Tunnel or virtual private network.
    Tunnel,
}

/// This machine's IPv4 addresses, and where it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Network {
    /// Its addresses but for loopback.
    pub(crate) interfaces: Vec<Interface>,
    /// True within a container.
    pub(crate) in_container: bool,
    /// True within the Windows Subsystem for Linux.
    pub(crate) in_wsl: bool,
}

/// Beginnings of the names of virtual switches and their ports.
const SWITCHES: [&str; 18] = [
    "calico",
    "cali",
    "cilium",
    "cni",
    "docker",
    "flannel",
    "incusbr",
    "kube",
    "lxcbr",
    "lxdbr",
    "nerdctl",
    "podman",
    "vboxnet",
    "veth",
    "vEthernet",
    "virbr",
    "vmnet",
    "vnet",
];
/// Beginnings of the names of tunnels.
const TUNNELS: [&str; 22] = [
    "CloudflareWARP",
    "clash",
    "easytier",
    "gre",
    "ip6tnl",
    "ipsec",
    "l2tp",
    "Meta",
    "mihomo",
    "nebula",
    "ovpn",
    "sing",
    "sit",
    "tailscale",
    "tap",
    "tun",
    "utun",
    "vpn",
    "warp",
    "wg",
    "wt",
    "zt",
];

impl Interface {
    /// Returns its nature.
    pub(crate) fn kind(&self) -> InterfaceKind {
        let begins = |with: &[&str]| with.iter().any(|begin| self.name.starts_with(begin));
        // Docker's other bridges: `br-` and the beginning of a network's id.
        let id = self.name.strip_prefix("br-");
        let is_bridge =
            id.is_some_and(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_bridge || begins(&SWITCHES) {
            InterfaceKind::Switch
        } else if begins(&TUNNELS) {
            InterfaceKind::Tunnel
        } else {
            InterfaceKind::Real
        }
    }

    /// Tells whether an address is of its network.
    fn has(&self, ip: Ipv4Addr) -> bool {
        (u32::from(self.ip) ^ u32::from(ip)) & self.mask() == 0
    }

    fn mask(&self) -> u32 {
        u32::MAX
            .checked_shl(32 - u32::from(self.prefix.min(32)))
            .unwrap_or(0)
    }
}

impl Network {
    /// Returns the interface that has this address.
    pub(crate) fn own(&self, ip: Ipv4Addr) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.ip == ip)
    }

    /// Returns the address of this machine in the network of `ip`, where that is another
    /// machine's: of one that only forwards nothing shows here.
    pub(crate) fn neighbour_of(&self, ip: Ipv4Addr) -> Option<Ipv4Addr> {
        let mut near = self
            .interfaces
            .iter()
            .filter(|i| i.prefix >= 8 && i.prefix < 31 && i.has(ip));
        let near = near.find(|interface| interface.kind() == InterfaceKind::Real)?;
        self.own(ip).is_none().then_some(near.ip)
    }

    /// Tells whether an address is one of the two at the ends of a network that this
    /// machine is in, which no machine has.
    pub(crate) fn is_end(&self, ip: Ipv4Addr) -> bool {
        let is_end = |interface: &&Interface| {
            let host = u32::from(ip) & !interface.mask();
            interface.prefix < 31 && interface.has(ip) && (host == 0 || host == !interface.mask())
        };
        self.interfaces.iter().any(|interface| is_end(&interface))
    }

    /// Tells whether an address is of a network that this machine is in.
    pub(crate) fn is_near(&self, ip: Ipv4Addr) -> bool {
        self.interfaces.iter().any(|interface| interface.has(ip))
    }

    /// Tells whether what is within 172.16.0.0/12 is inside of Docker: a container whose
    /// network is its own numbers from there. One that shares its host's network sees
    /// Docker's bridges.
    pub(crate) fn is_of_containers(&self, ip: Ipv4Addr) -> bool {
        let bridged = self
            .interfaces
            .iter()
            .any(|i| i.kind() == InterfaceKind::Switch);
        self.in_container && !bridged && is_172(ip)
    }

    /// Tells whether an address is that of this machine within WSL.
    pub(crate) fn is_of_wsl(&self, ip: Ipv4Addr) -> bool {
        self.in_wsl && is_172(ip) && self.own(ip).is_some()
    }

    /// Chooses the address by which others reach this machine. `route` is the one from
    /// which it speaks to the outside; that of a tunnel, through which a proxy leads
    /// everything, is no address to others, nor is one of Docker's bridges.
    pub(crate) fn address(&self, route: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let rank = |ip: Ipv4Addr| {
            let kind = self.own(ip).map_or(InterfaceKind::Real, Interface::kind);
            let nowhere = Nowhere::of(ip);
            let is_made_up = matches!(nowhere, Some(Nowhere::LinkLocal | Nowhere::FakeIp));
            (is_made_up, kind)
        };
        let route = route.filter(|ip| !ip.is_unspecified() && !ip.is_loopback());
        let all = route
            .into_iter()
            .chain(self.interfaces.iter().map(|i| i.ip));
        all.min_by_key(|ip| rank(*ip))
    }
}

fn is_172(ip: Ipv4Addr) -> bool {
    matches!(ip.octets(), [172, 16..=31, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn network(interfaces: &[(&str, [u8; 4], u8)]) -> Network {
        let interface = |(name, ip, prefix): &(&str, [u8; 4], u8)| Interface {
            name: (*name).to_owned(),
            ip: (*ip).into(),
            prefix: *prefix,
        };
        Network {
            interfaces: interfaces.iter().map(interface).collect(),
            ..Network::default()
        }
    }

    #[test]
    fn the_address_that_others_reach() {
        for (interfaces, route, expected) in [
            (&[][..], None, None),
            (&[][..], Some([127, 0, 0, 1]), None),
            (
                &[("eth0", [192, 168, 1, 5], 24)],
                None,
                Some([192, 168, 1, 5]),
            ),
            // Clash in TUN mode takes the route.
            (
                &[
                    ("Meta", [198, 18, 0, 1], 30),
                    ("eth0", [192, 168, 1, 5], 24),
                ],
                Some([198, 18, 0, 1]),
                Some([192, 168, 1, 5]),
            ),
            (
                &[
                    ("docker0", [172, 17, 0, 1], 16),
                    ("wg0", [10, 8, 0, 2], 24),
                    ("enp3s0", [10, 0, 0, 7], 8),
                ],
                Some([10, 8, 0, 2]),
                Some([10, 0, 0, 7]),
            ),
            (
                &[
                    ("br-0123456789ab", [172, 18, 0, 1], 16),
                    ("br-lan", [192, 168, 8, 1], 24),
                ],
                None,
                Some([192, 168, 8, 1]),
            ),
            // Of two networks the one that leads outside.
            (
                &[("eth0", [10, 0, 0, 7], 8), ("eth1", [192, 168, 1, 5], 24)],
                Some([192, 168, 1, 5]),
                Some([192, 168, 1, 5]),
            ),
            (
                &[
                    ("eth0", [169, 254, 3, 4], 16),
                    ("tailscale0", [100, 64, 0, 9], 32),
                ],
                None,
                Some([100, 64, 0, 9]),
            ),
            // A route that belongs to no interface that shows.
            (
                &[("docker0", [172, 17, 0, 1], 16)],
                Some([192, 168, 1, 5]),
                Some([192, 168, 1, 5]),
            ),
        ] {
            let found = network(interfaces).address(route.map(Ipv4Addr::from));
            assert_eq!(found, expected.map(Ipv4Addr::from), "{interfaces:?}");
        }
    }

    #[test]
    fn neighbours_and_the_ends_of_networks() {
        let here = network(&[("eth0", [192, 168, 0, 5], 23), ("wg0", [10, 8, 0, 2], 24)]);
        for (ip, neighbour, end) in [
            ([192, 168, 1, 9], true, false),
            ([192, 168, 0, 255], true, false),
            ([192, 168, 1, 255], true, true),
            ([192, 168, 0, 0], true, true),
            ([192, 168, 0, 5], false, false),
            ([192, 168, 2, 1], false, false),
            ([10, 8, 0, 1], false, false),
            ([10, 8, 0, 255], false, true),
        ] {
            let ip = Ipv4Addr::from(ip);
            assert_eq!(
                (here.neighbour_of(ip).is_some(), here.is_end(ip)),
                (neighbour, end),
                "{ip}"
            );
        }
    }

    #[test]
    fn within_a_container_and_within_wsl() {
        let mut here = network(&[("eth0", [172, 20, 0, 3], 16)]);
        let (own, other, outside) = ([172, 20, 0, 3], [172, 31, 0, 1], [172, 32, 0, 1]);
        let inside = |here: &Network, ip: [u8; 4]| here.is_of_containers(ip.into());
        assert!(!inside(&here, own) && !here.is_of_wsl(own.into()));
        here.in_container = true;
        assert!(inside(&here, own) && inside(&here, other) && !inside(&here, outside));
        let shared = network(&[
            ("eth0", [172, 20, 0, 3], 16),
            ("docker0", [172, 17, 0, 1], 16),
        ]);
        let shared = Network {
            in_container: true,
            ..shared
        };
        assert!(!inside(&shared, own));
        here = Network {
            in_wsl: true,
            in_container: false,
            ..here
        };
        assert!(here.is_of_wsl(own.into()) && !here.is_of_wsl(other.into()));
    }
}
