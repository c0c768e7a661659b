//! Networks of clients: the addresses that are one customer's. Pure.

use std::net::{IpAddr, Ipv6Addr};

/// Length of the prefix of an IPv6 network that is one customer's: a provider gives each at
/// least a /64 and often a /56 (RIPE-690, section 4.2), of which every address is theirs.
pub(crate) const CUSTOMER: u32 = 56;

/// Returns the address of the network that an IPv6 address is in, by the length of its
/// `prefix` in bits, 1 to 128; an IPv4 address is a client by itself.
pub(crate) fn network(address: IpAddr, prefix: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let mask = u128::MAX << (128 - prefix);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}
