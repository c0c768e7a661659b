//! Trusted proxies, whose word on a client counts.

use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Addresses of `gateway.behind_proxy`. Where there are none, nobody's word counts, and
/// a PROXY header is taken from whoever reaches a port that asks for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted(Arc<[IpNet]>);

impl Trusted {
    /// Returns whether nobody is listed.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether `address` is listed. An IPv4 one is the same when a socket for
    /// both shows it as IPv6.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|net| net.contains(&address))
    }
}

impl FromIterator<IpNet> for Trusted {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        Self(nets.into_iter().collect())
    }
}

/// Writes the list as an operator does: a single address without its length.
impl fmt::Display for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, net) in self.0.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            if net.prefix_len() == net.max_prefix_len() {
                write!(f, "{comma}{}", net.addr())?;
            } else {
                write!(f, "{comma}{net}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_addresses_and_networks_of_both_families() {
        let nets = ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8", "2001:db8::1/128"];
        let trusted: Trusted = nets.iter().map(|net| net.parse().unwrap()).collect();
        for (address, is_one) in [
            ("10.255.0.1", true),
            ("::ffff:10.255.0.1", true),
            ("11.0.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("fd12::1", true),
            ("2001:db8::1", true),
            ("2001:db8::2", false),
        ] {
            let ip: IpAddr = address.parse().unwrap();
            assert_eq!(trusted.contains(ip), is_one, "{address}");
        }
        assert_eq!(
            trusted.to_string(),
            "10.0.0.0/8, 192.0.2.7, fd00::/8, 2001:db8::1"
        );
        let nobody = Trusted::default();
        assert!(nobody.is_empty() && !nobody.contains(IpAddr::from([127, 0, 0, 1])));
    }
}
