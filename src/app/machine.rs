//! Looks at the parts of this machine that a configuration depends on, and that change
//! while it runs.

use crate::config::{Machine, ZoneDoubt};
use crate::fleet::state_folder::default_place;
use crate::ota::network::{Interface, Network};
use crate::util::addresses::own_addresses;
use crate::util::host;
use crate::util::memory::Memory;
use crate::util::sync::lock;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::ifaddrs::getifaddrs;
use nix::unistd::{getegid, geteuid};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs};

/// Time for which an address that was found is taken for granted: requests ask for it.
const FRESH: Duration = Duration::from_secs(1);

/// Looks at this machine's addresses, its clock, its time zone and its memory.
pub(crate) fn machine() -> Machine {
    let addresses = own_addresses();
    Machine {
        local_ip: look().unwrap_or(Ipv4Addr::LOCALHOST).into(),
        names: names(&addresses),
        addresses,
        bound: None,
        now: Timestamp::now(),
        time_zone: TimeZone::system(),
        zone_doubt: zone_doubt(),
        memory: Memory::look(),
        state: default_place(env::var_os("STATE_DIRECTORY").as_deref(), Path::new("")),
    }
}

/// Returns the names of this machine, in small letters: the one that it was given, and those
/// that `/etc/hosts` has for one of these addresses, or for loopback.
fn names(addresses: &[IpAddr]) -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let own = host::name().to_ascii_lowercase();
    let short = own.split('.').next().unwrap_or_default().to_owned();
    let mut names = vec![short, own];
    for line in read("/etc/hosts").lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let ip = words.next().and_then(|ip| ip.parse::<IpAddr>().ok());
        if ip.is_some_and(|ip| ip.is_loopback() || addresses.contains(&ip)) {
            names.extend(words.map(str::to_ascii_lowercase));
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// Looks whether the time zone that somebody chose is the one that counts. Where nobody
/// chose one it is UTC, and that is known.
fn zone_doubt() -> Option<ZoneDoubt> {
    let chosen = env::var("TZ").ok().filter(|zone| !zone.is_empty());
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

/// Returns the IPv4 address by which others reach this machine, as it is now; `None`
/// while it has none.
pub(crate) fn own_address() -> Option<Ipv4Addr> {
    static FOUND: Mutex<Option<(Instant, Option<Ipv4Addr>)>> = Mutex::new(None);
    let mut found = lock(&FOUND);
    match *found {
        Some((at, address)) if at.elapsed() < FRESH => return address,
        // While one looks, the others go on with what was found before.
        Some((_, address)) => *found = Some((Instant::now(), address)),
        None => {}
    }
    drop(found);
    let address = look();
    *lock(&FOUND) = Some((Instant::now(), address));
    address
}

fn look() -> Option<Ipv4Addr> {
    network().address(route_outside())
}

/// Looks at this machine's place in its networks.
pub(crate) fn network() -> Network {
    let interfaces = getifaddrs().into_iter().flatten();
    let interfaces = interfaces.filter_map(|interface| {
        let v4 = |address: Option<nix::sys::socket::SockaddrStorage>| {
            Some(address?.as_sockaddr_in()?.ip())
        };
        let ip = v4(interface.address).filter(|ip| !ip.is_loopback())?;
        let mask = v4(interface.netmask).map_or(u32::MAX, u32::from);
        Some(Interface {
            name: interface.interface_name,
            ip,
            prefix: u8::try_from(mask.leading_ones()).unwrap_or(32),
        })
    });
    Network {
        interfaces: interfaces.collect(),
        in_container: *IN_CONTAINER,
        in_wsl: *IN_WSL,
    }
}

/// Tells whether this process runs within a container.
pub(super) fn is_in_container() -> bool {
    *IN_CONTAINER
}

/// Returns the names of the operating system and of its kernel, as the system has them.
pub(super) fn system() -> (String, String) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let about = read("/etc/os-release");
    let name = about
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.unwrap_or(env::consts::OS).trim_matches('"').to_owned();
    (name, host::kernel())
}

/// Returns what `PUID` and `PGID` ask for where this process is another user, and which user
/// that is. Images of linuxserver.io, by which people of a NAS go, begin as root and change
/// to these; ours never is root.
pub(super) fn unheard_user() -> Option<(String, String)> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let unheard = [("PUID", user), ("PGID", group)].map(|(name, own)| {
        let asked = env::var(name).ok()?.trim().parse::<u32>().ok()?;
        (asked != own).then(|| format!("{name}={asked}"))
    });
    let asked: Vec<_> = unheard.into_iter().flatten().collect();
    (!asked.is_empty()).then(|| (asked.join(", "), format!("{user}:{group}")))
}

/// Returns the memory that this process holds, in bytes (proc(5), status).
pub(super) fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// True where this process runs within a container.
static IN_CONTAINER: LazyLock<bool> = LazyLock::new(|| {
    let marks = [
        "/.dockerenv",
        "/run/.containerenv",
        "/run/secrets/kubernetes.io",
    ];
    let names = ["docker", "kubepods", "containerd", "libpod", "lxc"];
    if marks.iter().any(|mark| Path::new(mark).exists()) || env::var_os("container").is_some() {
        return true;
    }
    let groups = fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
    names.iter().any(|name| groups.contains(name))
});

/// True on the Windows Subsystem for Linux.
static IN_WSL: LazyLock<bool> =
    LazyLock::new(|| host::kernel().to_ascii_lowercase().contains("microsoft"));

/// The address from which this machine would speak to the outside. Connecting a
/// datagram socket sends nothing.
fn route_outside() -> Option<Ipv4Addr> {
    let outside = SocketAddr::from(([198, 51, 100, 1], 9)); // RFC 5737: documentation
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(outside).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
