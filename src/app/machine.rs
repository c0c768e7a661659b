//! Looks at the parts of this machine that a configuration depends on.

use crate::config::{Machine, ZoneDoubt};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::ifaddrs::getifaddrs;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Looks at this machine's addresses, its clock and its time zone.
pub(crate) fn machine() -> Machine {
    let addresses: Vec<IpAddr> = getifaddrs()
        .into_iter()
        .flatten()
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|a| IpAddr::V4(a.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|a| IpAddr::V6(a.ip())))
        })
        .filter(|ip| !ip.is_loopback())
        .collect();
    let first = || addresses.iter().find(|ip| ip.is_ipv4()).copied();
    Machine {
        local_ip: route_outside()
            .or_else(first)
            .unwrap_or(Ipv4Addr::LOCALHOST.into()),
        addresses,
        bound: None,
        now: Timestamp::now(),
        time_zone: TimeZone::system(),
        zone_doubt: zone_doubt(),
    }
}

/// Looks whether the time zone that somebody chose is the one that counts. Where nobody
/// chose one it is UTC, and that is known.
fn zone_doubt() -> Option<ZoneDoubt> {
    let chosen = std::env::var("TZ").ok().filter(|zone| !zone.is_empty());
    if TimeZone::try_system().is_err() {
        let of_link = || {
            let target = fs::read_link("/etc/localtime").ok()?;
            let name = target.to_str()?.rsplit_once("zoneinfo/")?.1.to_owned();
            (!["UTC", "Etc/UTC", "Universal", "Zulu", "GMT"].contains(&name.as_str()))
                .then_some(name)
        };
        return chosen.or_else(of_link).map(ZoneDoubt::Unknown);
    }
    let zone = chosen?;
    let name = zone.trim_start_matches(':').trim_start_matches("Etc/");
    let offset = ["UTC", "GMT"]
        .iter()
        .find_map(|begin| name.strip_prefix(begin))?;
    let hours = offset.strip_prefix(['+', '-'])?;
    let is_east = offset.starts_with('+') && !matches!(hours, "0" | "00" | "00:00");
    (is_east && hours.starts_with(|c: char| c.is_ascii_digit()))
        .then_some(ZoneDoubt::Reversed(zone))
}

/// The address from which this machine would speak to the outside. Connecting a
/// datagram socket sends nothing.
fn route_outside() -> Option<IpAddr> {
    let outside = SocketAddr::from(([198, 51, 100, 1], 9)); // RFC 5737: documentation
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(outside).ok()?;
    socket
        .local_addr()
        .ok()
        .map(|a| a.ip())
        .filter(|ip| !ip.is_unspecified())
}
