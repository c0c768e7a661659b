//! Networks of clients: the addresses that are one customer's. Pure.

use std::net::{IpAddr, Ipv6Addr};

/// Length of the prefix of an IPv6 network that is one customer's: a provider gives each at
/// least a /64 and often a /56 (RIPE-690, section 4.2), of which every address is theirs.
pub(crate) const CUSTOMER: u32 = 56;

/// Returns the client at an address: the network of a customer's that an IPv6 address is
/// in; an IPv4 address is a client by itself.
pub(crate) fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(ip) => {
            let mask = u128::MAX << (128 - CUSTOMER);
            Ipv6Addr::from_bits(ip.to_bits() & mask).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_gives_to_one_is_one_client() {
        let of = |address: &str| customer(address.parse().unwrap()).to_string();
        for (address, client) in [
            ("2001:db8:0:1ff::1", "2001:db8:0:100::"),
            ("2001:db8:0:100:a:b:c:d", "2001:db8:0:100::"),
            ("2001:db8:0:2ff::1", "2001:db8:0:200::"),
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(of(address), client, "{address}");
        }
    }
}
