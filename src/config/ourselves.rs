//! Addresses that lead to this very server, however they are spelled: what is sent there comes
//! here again. The network is not asked.

use super::Machine;
use crate::ota::public_url::{PublicAddress, Url};
use crate::server::Bind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Tells whether an address is a port on which this server listens.
pub(super) fn is_our_port(
    url: &Url,
    bind: &Bind,
    machine: &Machine,
    public: &PublicAddress,
) -> bool {
    let port = url.effective_port();
    let is_port = |bind: &Bind| bind.numbers().contains(&port);
    let is_ours = is_port(bind) || machine.bound.as_ref().is_some_and(is_port);
    is_ours && (is_here(&url.host, machine) || is_same(&url.host, &public.url().host))
}

/// Tells whether an address is the public one, behind whatever stands in front: its host and
/// port, and a path that is answered here.
pub(super) fn is_public(url: &Url, machine: &Machine, public: &PublicAddress) -> bool {
    let is_served = |path: &String| {
        let rest = url.path.strip_prefix(path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if !public.served_paths().iter().any(is_served) {
        return false;
    }
    let vision = Url::parse(public.vision_url()).ok();
    let mut own = [Some(public.url()), vision.as_ref()].into_iter().flatten();
    own.any(|own| {
        let ports = [url, own].map(Url::effective_port);
        let is_host = is_same(&url.host, &own.host)
            || is_here(&url.host, machine) && is_here(&own.host, machine);
        is_host && ports[0] == ports[1]
    })
}

/// Tells whether an address is that at which this server is watched and operated.
pub(super) fn is_admin(url: &Url, admin: Option<SocketAddr>, machine: &Machine) -> bool {
    admin.is_some_and(|admin| {
        let is_there = admin.ip().is_unspecified()
            || address(&url.host).is_none_or(|ip| ip == admin.ip() || ip.is_unspecified());
        admin.port() == url.effective_port() && is_there && is_here(&url.host, machine)
    })
}

/// Tells whether a host is this machine.
fn is_here(host: &str, machine: &Machine) -> bool {
    if let Some(ip) = address(host) {
        return ip.is_loopback() || ip.is_unspecified() || machine.addresses.contains(&ip);
    }
    let host = plain(host);
    host == "localhost" || host.ends_with(".localhost") || machine.names.contains(&host)
}

fn is_same(host: &str, other: &str) -> bool {
    match (address(host), address(other)) {
        (None, None) => plain(host) == plain(other),
        (host, other) => host == other,
    }
}

/// Returns a name in its usual form.
fn plain(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.to_ascii_lowercase()
}

/// Returns the address that a host is, as resolvers read it: `inet_aton(3)` takes one to four
/// numbers, in octal or hexadecimal, too, the last of which fills what is left.
fn address(host: &str) -> Option<IpAddr> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let inner = host.trim_start_matches('[').trim_end_matches(']');
    // A zone says by which interface.
    let inner = inner.split('%').next().unwrap_or(inner);
    if let Ok(ip) = inner.parse::<IpAddr>() {
        return Some(ip.to_canonical());
    }
    let parts: Option<Vec<u32>> = host.split('.').map(number).collect();
    let parts = parts.filter(|parts| parts.len() <= 4)?;
    let (last, first) = parts.split_last()?;
    let mut bits = 0;
    for (place, part) in first.iter().enumerate() {
        let part = u8::try_from(*part).ok()?;
        bits |= u32::from(part) << (24 - 8 * place);
    }
    let left = 32 - 8 * first.len();
    let fits = u64::from(*last) < 1 << left;
    fits.then(|| Ipv4Addr::from_bits(bits | last).into())
}

fn number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.strip_prefix("0x") {
        Some(hex) => (hex, 16),
        None if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        None => (&*lower, 10),
    };
    let is_number = digits.chars().all(|c| c.is_digit(radix));
    let read = u32::from_str_radix(digits, radix).ok();
    read.filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::super::resolve::tests::machine;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn this_machine_is_known_in_every_spelling() {
        let mut machine = machine();
        machine.names = vec!["ota-box".to_owned(), "ota-box.lan".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "127.0.0.1",
            "127.0.0.1.",
            "127.9.9.9",
            "127.1",
            "127.0.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "0x7F000001",
            "0",
            "0.0.0.0",
            "[::]",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:192.168.1.100]",
            "192.168.1.100",
            "192.168.356",
            "ota-box",
            "OTA-Box.lan.",
        ] {
            assert!(is_here(host, &machine), "{host}");
        }
        for host in [
            "manager-api",
            "192.168.1.101",
            "128.1",
            "127.0.0.0.1",
            "127.0.0.256",
            "0x",
            "08.1",
            "127..1",
            "[fd00::1]",
            "4294967296",
            "localhost.lan",
            "ota-box.wan",
        ] {
            assert!(!is_here(host, &machine), "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_host_is_judged_without_a_panic(host: String, bits: u32) {
            let _ = is_here(&host, &machine());
            let ip = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(address(&ip.to_string()), Some(ip.into()));
            prop_assert_eq!(address(&format!("{bits:#x}")), Some(ip.into()));
        }
    }
}
