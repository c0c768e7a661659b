//! Judges the names that devices are handed by where they lead, as this machine finds it.

use super::{Handed, Origin, PublicAddress, Role, Surroundings, handed};
use crate::event::reach::leads;
use crate::event::text::Text;
use crate::event::{Event, event};
use std::net::{IpAddr, Ipv4Addr};
use xiaozhi_device::host::{HostFault, Nowhere, Scope, judge};

/// Outcome of a name that was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) host: String,
    /// Its addresses, or the resolver's words.
    pub(crate) found: Result<Vec<IpAddr>, String>,
}

/// Returns the names that are worth a look, each once. One that is at fault as it is
/// spelt leads nowhere else.
pub(crate) fn to_look_up(address: &PublicAddress, around: &Surroundings<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for one in handed(address, around) {
        let name = one.host.to_ascii_lowercase();
        let is_name = name.parse::<Ipv4Addr>().is_err() && !name.starts_with('[');
        if is_name && judge(&name).is_none() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Returns what is known of a name.
fn looked_up<'a>(host: &str, around: &Surroundings<'a>) -> Option<&'a Lookup> {
    let mut lookups = around.lookups.iter();
    lookups.find(|lookup| lookup.host.eq_ignore_ascii_case(host))
}

pub(super) fn audit(one: &Handed<'_>, around: &Surroundings<'_>) -> Option<Event> {
    let lookup = looked_up(one.host, around)?;
    let (setting, host, url, effect) = (one.setting, one.host, &*one.url, one.effect());
    let found = match &lookup.found {
        Ok(found) => found,
        Err(error) => {
            return Some(event!(
                ADDRESS_UNRESOLVED,
                setting = setting,
                host = host,
                url = url,
                error = error,
                effect = effect
            ));
        }
    };
    let v4 = v4(found);
    if v4.is_empty() {
        return Some(event!(
            ADDRESS_ONLY_IPV6,
            setting = setting,
            host = host,
            url = url,
            leads = list(found),
            effect = effect
        ));
    }
    let nowhere = v4.iter().find_map(|ip| Some((*ip, Nowhere::of(*ip)?)));
    if let Some((ip, nowhere)) = nowhere.filter(|(ip, _)| around.network.own(*ip).is_none()) {
        return Some(event!(
            ADDRESS_LEADS_NOWHERE,
            setting = setting,
            host = host,
            url = url,
            leads = IpAddr::V4(ip),
            is = leads(nowhere),
            effect = effect
        ));
    }
    elsewhere(one, &v4, around)
}

/// Finds an OTA address that is another machine's. Behind a router, in a container and
/// behind a proxy somebody else's address is right, so only two are known to be wrong:
/// a neighbour's, and a public one where this machine has a public one of its own.
pub(super) fn elsewhere(
    one: &Handed<'_>,
    ips: &[Ipv4Addr],
    around: &Surroundings<'_>,
) -> Option<Event> {
    let network = around.network;
    let is_ours = ips.iter().any(|ip| network.own(*ip).is_some());
    let is_told = one.role == Role::Ota && one.from == Origin::Written && !around.behind_proxy;
    if !is_told || is_ours {
        return None;
    }
    let is_public = |ip: &Ipv4Addr| Nowhere::of(*ip).is_none() && Scope::of(*ip) == Scope::Public;
    let neighbour = ips.iter().find_map(|ip| network.neighbour_of(*ip));
    let public = || {
        let own = network.interfaces.iter().map(|i| i.ip).find(is_public)?;
        (!network.in_container && ips.iter().all(is_public)).then_some(own)
    };
    let own = neighbour.or_else(public)?;
    let leads: Vec<IpAddr> = ips.iter().copied().map(IpAddr::V4).collect();
    Some(event!(
        ADDRESS_ELSEWHERE,
        setting = one.setting,
        host = one.host,
        url = &*one.url,
        leads = list(&leads),
        own = IpAddr::V4(own),
        effect = Text::new(
            "设备会到它那里下载固件，而得不到这里的固件",
            "devices look for their firmware there and don't get what lies here"
        )
    ))
}

/// Finds an address of a private network beside one of the internet.
pub(super) fn private_beside_public(
    handed: &[Handed<'_>],
    around: &Surroundings<'_>,
) -> Vec<Event> {
    let scopes: Vec<_> = handed
        .iter()
        // What each device reaches is of the scope that the device is in.
        .filter(|one| !(one.from == Origin::MadeUp && one.role == Role::Ota))
        .filter_map(|one| Some((one, scope(one.host, around)?)))
        .collect();
    let public = scopes.iter().find(|(_, scope)| *scope == Scope::Public);
    let Some((public, _)) = public else {
        return Vec::new();
    };
    let private = scopes.iter().filter(|(_, scope)| *scope == Scope::Private);
    let told = private.map(|(one, _)| {
        event!(
            ADDRESS_PRIVATE,
            setting = one.setting,
            url = &*one.url,
            other = &*public.url,
            beside = public.setting,
            effect = away(one.role),
            form = one.forms()[1]
        )
    });
    told.collect()
}

/// Returns what becomes of devices that are not in the network of this address.
fn away(role: Role) -> Text {
    match role {
        Role::Ota => Text::new("检查更新和下载都会失败", "none gets an update"),
        Role::Vision => Text::new("图片无法上传", "none gets its pictures there"),
        Role::WebSocket | Role::Mqtt => Text::new("都没有语音", "none has a voice"),
    }
}

/// Returns from where a host is reached; `None` where that is not known. A name that
/// was not looked up is one of the internet, and so is what stands for one in examples.
fn scope(host: &str, around: &Surroundings<'_>) -> Option<Scope> {
    let ip = host.parse::<Ipv4Addr>().ok();
    match judge(host) {
        None | Some(HostFault::NetworkEnd | HostFault::Placeholder) => {}
        Some(HostFault::Nowhere(Nowhere::Example)) => {
            return ip
                .is_some_and(|ip| around.network.own(ip).is_none())
                .then_some(Scope::Public);
        }
        Some(_) => return None,
    }
    if let Some(ip) = ip {
        return Some(Scope::of(ip));
    }
    let Some(Lookup {
        found: Ok(found), ..
    }) = looked_up(host, around)
    else {
        return Some(Scope::Public);
    };
    let scopes: Vec<_> = v4(found).into_iter().map(Scope::of).collect();
    let first = *scopes.first()?;
    scopes.iter().all(|scope| *scope == first).then_some(first)
}

fn v4(found: &[IpAddr]) -> Vec<Ipv4Addr> {
    let v4 = found.iter().filter_map(|ip| match ip {
        IpAddr::V4(ip) => Some(*ip),
        IpAddr::V6(_) => None,
    });
    v4.collect()
}

fn list(ips: &[IpAddr]) -> String {
    let ips: Vec<_> = ips.iter().map(ToString::to_string).collect();
    ips.join(", ")
}
