//! Addresses of this machine.

use nix::ifaddrs::getifaddrs;
use std::net::IpAddr;

/// Returns all addresses of this machine but for loopback.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let interfaces = getifaddrs().into_iter().flatten();
    let addresses = interfaces.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
    });
    addresses.filter(|ip| !ip.is_loopback()).collect()
}
