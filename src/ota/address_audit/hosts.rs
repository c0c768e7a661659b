//! Hosts that no device reaches, or only some, by their spelling and by the networks that
//! this machine is in.

use super::super::network::{Interface, InterfaceKind};
use super::{Handed, Origin, Surroundings, names};
use crate::event::text::Text;
use crate::event::{Event, event};
use std::net::{IpAddr, Ipv4Addr};
use xiaozhi_device::host::{HostFault, Nowhere, judge};

/// Fault of a host, with what this machine knows of it.
enum Fault {
    Ipv6,
    NoNetwork,
    Unspecified,
    Loopback,
    Docker(Text),
    NoDot,
    Placeholder,
    Numbers(Option<Ipv4Addr>),
    Nowhere(Text),
    LinkLocal,
    Tunnel(Text, Option<String>),
    Switch(Text, Option<String>),
    Mdns,
    LocalName,
}

pub(super) fn audit(one: &Handed<'_>, around: &Surroundings<'_>) -> Option<Event> {
    let ip = one
        .host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse();
    let fault = match ip {
        Ok(IpAddr::V6(_)) => Fault::Ipv6,
        Ok(IpAddr::V4(ip)) => match of_address(ip, one, around) {
            Some(fault) => fault,
            None => return names::elsewhere(one, &[ip], around),
        },
        Err(_) => of_spelling(judge(one.host)?)?,
    };
    Some(told(fault, one))
}

/// Judges an address. One that this machine has is no example, and no end of a network.
fn of_address(ip: Ipv4Addr, one: &Handed<'_>, around: &Surroundings<'_>) -> Option<Fault> {
    let network = around.network;
    let own = network.own(ip);
    let spelling = judge(one.host);
    let is_lasting = |fault: &HostFault| {
        own.is_none()
            || matches!(
                fault,
                HostFault::Shared
                    | HostFault::Nowhere(Nowhere::Container | Nowhere::FakeIp | Nowhere::LinkLocal)
            )
    };
    if ip.is_loopback() && one.from == Origin::MadeUp {
        // It listens on all addresses, and there is none yet.
        let is_bound = around.bound.is_some_and(|bound| bound.is_loopback());
        return Some(if is_bound {
            Fault::Loopback
        } else {
            Fault::NoNetwork
        });
    }
    if let Some(interface) = own {
        let name = Some(interface.name.clone());
        match interface.kind() {
            InterfaceKind::Tunnel => return Some(Fault::Tunnel(TUNNEL, name)),
            InterfaceKind::Switch if interface.name.starts_with(['d', 'b']) => {
                return Some(Fault::Docker(DOCKER));
            }
            InterfaceKind::Switch => return Some(Fault::Switch(SWITCH, name)),
            InterfaceKind::Real => {}
        }
        if network.is_of_wsl(ip) {
            return Some(Fault::Switch(WSL, name));
        }
        if is_of_emulator(interface) {
            return Some(Fault::Switch(EMULATOR, name));
        }
    }
    let is_near = network.is_near(ip);
    if let Some(is) = of_habit(ip).filter(|_| !is_near) {
        return Some(Fault::Switch(is, None));
    }
    // A telephone that shares its connection numbers from 172.20.10.0 on.
    let is_telephone = !is_near && matches!(ip.octets(), [172, 20, 10, 0..16]);
    if network.is_of_containers(ip) && !is_telephone {
        return Some(Fault::Docker(if is_near { DOCKER } else { MAYBE_DOCKER }));
    }
    if own.is_none() && network.is_end(ip) {
        return Some(Fault::Nowhere(NETWORK_END));
    }
    let is_host = |fault: &HostFault| !(*fault == HostFault::NetworkEnd && network.is_near(ip));
    of_spelling(spelling.filter(is_lasting).filter(is_host)?)
}

/// Tells whether an address is the one that `VirtualBox` and QEMU give each machine that
/// they hide behind themselves.
fn is_of_emulator(interface: &Interface) -> bool {
    interface.ip == Ipv4Addr::new(10, 0, 2, 15) && interface.prefix == 24
}

/// Says what has an address by habit that no network of this machine is numbered by.
fn of_habit(ip: Ipv4Addr) -> Option<Text> {
    match ip.octets() {
        [10, 0, 2, 15] => Some(EMULATOR),
        [192, 168, 65, 2..=7 | 254] => Some(Text::new(
            "通常是 Docker Desktop 内部的地址",
            "is mostly an address inside of Docker Desktop",
        )),
        [192, 168, 49, 2] => Some(Text::new(
            "通常是 minikube 内部的地址",
            "is mostly an address inside of minikube",
        )),
        _ => None,
    }
}

const DOCKER: Text = Text::new(
    "是 Docker 内部的地址或名称，本机之外没有设备能访问",
    "is an address or a name inside of Docker, which nothing reaches from outside of this machine",
);
const MAYBE_DOCKER: Text = Text::new(
    "属于 172.16.0.0/12，Docker 的内部网络用的就是这个范围（有些局域网和云也用）：如果是 Docker 的，本机之外没有设备能访问",
    "is of 172.16.0.0/12, by which Docker numbers its inside (and some networks and clouds theirs): where it is Docker's, nothing \
     reaches it from outside of this machine",
);
const TUNNEL: Text = Text::new(
    "是本机隧道（VPN）的地址",
    "is the address of a tunnel (a VPN)",
);
const SWITCH: Text = Text::new(
    "是本机虚拟交换机的地址",
    "is the address of a virtual switch",
);
const WSL: Text = Text::new(
    "是 WSL 在虚拟交换机（Hyper-V）后面的地址",
    "is the address of WSL behind its virtual switch (Hyper-V)",
);
const EMULATOR: Text = Text::new(
    "是虚拟机（VirtualBox、QEMU 的 NAT）内部的地址",
    "is the address of a virtual machine behind the NAT of VirtualBox or QEMU",
);
const NETWORK_END: Text = Text::new(
    "是网络自身的地址或广播地址，不属于任何机器",
    "is the address of a network itself, or its broadcast address, and no machine's",
);

fn of_spelling(fault: HostFault) -> Option<Fault> {
    let nowhere = |zh, en| Some(Fault::Nowhere(Text::new(zh, en)));
    let tunnel = |zh, en| Some(Fault::Tunnel(Text::new(zh, en), None));
    match fault {
        HostFault::Nowhere(Nowhere::Unspecified) => Some(Fault::Unspecified),
        HostFault::Nowhere(Nowhere::Loopback) => Some(Fault::Loopback),
        HostFault::Nowhere(Nowhere::Container) | HostFault::ContainerName => {
            Some(Fault::Docker(DOCKER))
        }
        HostFault::Nowhere(Nowhere::LinkLocal) => Some(Fault::LinkLocal),
        HostFault::Nowhere(Nowhere::FakeIp) => tunnel(
            "是代理（Clash 等的 fake-ip 或 TUN）给出的假地址",
            "is made up by a proxy on some machine (the fake-ip or the TUN of Clash and its like)",
        ),
        HostFault::Nowhere(Nowhere::Example) => nowhere(
            "是文档里的示例地址（192.0.2、198.51.100、203.0.113 开头），不属于任何机器",
            "is an address for examples in documents (192.0.2.x, 198.51.100.x, 203.0.113.x), and no machine's",
        ),
        HostFault::Nowhere(Nowhere::Multicast) => nowhere(
            "是组播地址，不属于任何机器",
            "is a multicast address, and no machine's",
        ),
        HostFault::Nowhere(Nowhere::Reserved) => nowhere(
            "是保留地址或广播地址，不属于任何机器",
            "is reserved, or the broadcast address, and no machine's",
        ),
        HostFault::Shared => tunnel(
            "属于 100.64.0.0/10，是 Tailscale 或运营商内部（CGNAT）的地址",
            "is of 100.64.0.0/10, an address of Tailscale or of the inside of a provider (CGNAT)",
        ),
        HostFault::OverlayName => tunnel(
            "是虚拟专用网（Tailscale、ZeroTier 等）里的名称",
            "is a name within a virtual private network (Tailscale, ZeroTier and their like)",
        ),
        HostFault::SwitchName => Some(Fault::Switch(
            Text::new(
                "是 Windows 给 WSL 或 Hyper-V 的名称",
                "is a name that Windows gives within WSL or Hyper-V",
            ),
            None,
        )),
        HostFault::Numbers(read) => Some(Fault::Numbers(read)),
        HostFault::Placeholder => Some(Fault::Placeholder),
        HostFault::NetworkEnd => Some(Fault::Nowhere(NETWORK_END)),
        HostFault::Dots => nowhere(
            "的开头或末尾有点，或有两个相连的点，设备的 DNS 查询和证书校验会因此失败",
            "has a dot in front or at its end, or two in a row, at which a device's DNS query and its check of the certificate \
             fail",
        ),
        HostFault::NoDomain => nowhere(
            "所在的域（.test、.invalid、.onion 等）是保留的，没有 DNS 认识",
            "is of a domain that is set aside (.test, .invalid, .onion and their like), and that no name server knows",
        ),
        HostFault::Mdns => Some(Fault::Mdns),
        HostFault::LocalName => Some(Fault::LocalName),
        HostFault::Short => Some(Fault::NoDot),
    }
}

#[rustfmt::skip]
#[expect(clippy::many_single_char_names, reason = "a table, whose rows stay lines")]
fn told(fault: Fault, one: &Handed<'_>) -> Event {
    let (s, h, u, e, f) = (one.setting, one.host, &*one.url, one.effect(), one.form());
    let [private, public] = one.forms();
    match fault {
        Fault::Ipv6 => event!(ADDRESS_IPV6, host = h, url = u, setting = s),
        Fault::NoNetwork => event!(ADDRESS_NO_NETWORK, setting = s, url = u),
        Fault::Unspecified => event!(ADDRESS_UNSPECIFIED, setting = s, host = h, url = u, effect = e, form = f),
        Fault::Loopback => event!(ADDRESS_LOOPBACK, setting = s, host = h, url = u, effect = e, form = f),
        Fault::Docker(why) => {
            event!(ADDRESS_DOCKER, setting = s, host = h, url = u, why = why, effect = e, form = f)
        }
        Fault::NoDot => event!(ADDRESS_NO_DOT, setting = s, host = h, url = u, effect = e, form = f),
        Fault::Placeholder => event!(ADDRESS_PLACEHOLDER, setting = s, host = h, url = u, effect = e, form = private),
        Fault::Numbers(read) => {
            let read = read.map(IpAddr::V4);
            event!(ADDRESS_NUMBERS, setting = s, host = h, url = u, read = read, effect = e, form = f)
        }
        Fault::Nowhere(why) => {
            event!(ADDRESS_NOWHERE, setting = s, host = h, url = u, why = why, effect = e, form = f)
        }
        Fault::LinkLocal => event!(ADDRESS_LINK_LOCAL, setting = s, host = h, url = u, effect = e, form = f),
        Fault::Tunnel(why, name) => {
            event!(ADDRESS_TUNNEL, setting = s, host = h, url = u, why = why, interface = name, effect = e, form = f)
        }
        Fault::Switch(why, name) => event!(
            ADDRESS_VIRTUAL_SWITCH, setting = s, host = h, url = u, why = why, interface = name, effect = e, form = f
        ),
        Fault::Mdns => event!(ADDRESS_MDNS, setting = s, host = h, url = u, effect = e, form = f),
        Fault::LocalName => event!(ADDRESS_LOCAL_NAME, setting = s, host = h, url = u, effect = e, form = public),
    }
}
