//! Reads where to listen, and what stands in front of it.

use super::section::{self, Item, Section, Text};
use super::{python, values, wanted};
use crate::event::event;
use crate::server::{Bind, Port, Trusted};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

pub(super) const DEFAULT_HTTP_PORT: u16 = 8003;
const DEFAULT_TLS_PORT: u16 = 8443;

pub(super) fn bind(server: &Section<'_>, gateway: &Section<'_>) -> Bind {
    let ip = |section: &Section<'_>| {
        section.read("ip", wanted::IP, |text| match text {
            "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            text => text.parse().ok(),
        })
    };
    let server_ip = ip(server);
    let http_port = python::port_of(server, "http_port").unwrap_or(DEFAULT_HTTP_PORT);
    let ports = ports(gateway).unwrap_or_else(|| {
        let mut ports = vec![http_port, DEFAULT_TLS_PORT];
        ports.dedup();
        ports.into_iter().map(Port::from).collect()
    });
    Bind {
        ip: ip(gateway).or(server_ip),
        ports,
    }
}

/// Reads the ports: numbers, or mappings where there is more to say of one.
fn ports(gateway: &Section<'_>) -> Option<Vec<Port>> {
    let items = gateway.items("ports")?;
    if items.is_empty() {
        let event = event!(CONFIG_EMPTY_LIST, wanted = wanted::ONE_PORT);
        gateway.fault("ports", None, event);
    }
    let mut ports: Vec<(Port, Item<'_>)> = Vec::new();
    for item in items {
        let Some(port) = port(&item) else { continue };
        let same = |(known, _): &&(Port, _)| port.number > 0 && known.number == port.number;
        match ports.iter().find(same) {
            Some((_, twin)) => {
                let number = port.number.to_string();
                let about = item.about().value(number.as_str());
                about.beside(&twin.about()).fault(event!(CONFIG_TWICE));
            }
            None => ports.push((port, item)),
        }
    }
    Some(ports.into_iter().map(|(port, _)| port).collect())
}

fn port(item: &Item<'_>) -> Option<Port> {
    if let Some(scalar) = item.scalar() {
        // 0 lets the kernel choose a free one.
        let number = section::port(&scalar.text);
        // YAML 1.1 takes it for octal, and somebody may have written 8,003.
        let is_cut = scalar.text.len() > 1 && scalar.text.starts_with('0') && number.is_some();
        if number.is_none() || is_cut {
            let wanted = if is_cut {
                wanted::PORT_ZEROS
            } else {
                wanted::PORT
            };
            let about = item.about().value(scalar.text.as_str());
            about.fault(event!(CONFIG_VALUE, wanted = wanted));
        }
        return number.map(Port::from);
    }
    let Some(section) = item.section() else {
        item.about().fault(event!(CONFIG_NOT_PORT));
        return None;
    };
    section.only_known();
    if !section.has("port") {
        let event = event!(CONFIG_MISSING, wanted = wanted::PORT);
        section.fault("port", None, event);
    }
    let proxy_protocol = section.boolean("proxy_protocol").unwrap_or(false);
    Some(Port {
        number: section.read("port", wanted::PORT, section::port)?,
        proxy_protocol,
    })
}

/// The servers in front: `gateway.behind_proxy`.
pub(super) struct Proxies {
    /// `true` if something in front answers the public address.
    pub(super) behind_proxy: bool,
    /// Its addresses, if they are told.
    pub(super) trusted: Trusted,
}

/// Reads `true`, `false`, or the addresses of what is there.
pub(super) fn behind_proxy(gateway: &Section<'_>, bind: &Bind) -> Proxies {
    let texts = gateway.texts("behind_proxy").unwrap_or_default();
    let flag = match &texts[..] {
        [one] => values::boolean(one.text().trim()),
        [] if gateway.items("behind_proxy").is_some_and(|i| i.is_empty()) => {
            let event = event!(CONFIG_EMPTY_LIST, wanted = wanted::PROXIES);
            gateway.fault("behind_proxy", None, event);
            Some(false)
        }
        [] => Some(false),
        _ => None,
    };
    let nets: Vec<_> = match flag {
        Some(_) => Vec::new(),
        None => texts.iter().filter_map(net).collect(),
    };
    let proxied = bind.ports.iter().find(|port| port.proxy_protocol);
    if let Some(Port { number, .. }) = proxied.filter(|_| nets.is_empty()) {
        let event = event!(CONFIG_PROXY_HEADER_FROM_ANYBODY, port = *number);
        gateway.about("ports").warn(event);
    }
    Proxies {
        behind_proxy: flag.unwrap_or(true),
        trusted: nets.into_iter().collect(),
    }
}

/// Reads an address, or a network by its first address and its length.
fn net(given: &Text<'_>) -> Option<IpNet> {
    let text = given.text().trim();
    let single = || {
        text.parse::<IpAddr>()
            .ok()
            .map(|ip| ip.to_canonical().into())
    };
    let Some(net) = text.parse::<IpNet>().ok().or_else(single) else {
        let event = event!(CONFIG_VALUE, wanted = wanted::NETWORKS);
        given.about().fault(event);
        return None;
    };
    // An IPv4 client is never shown as IPv6: such a network would hold nobody.
    let net = match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => v6.addr().to_ipv4_mapped().map_or(net, |v4| {
            IpNet::new(v4.into(), v6.prefix_len() - 96).unwrap_or(net)
        }),
        net => net,
    };
    // Who writes 192.0.2.7/8 may mean 192.0.2.7 alone: trust is not guessed.
    if net.addr() != net.network() {
        let (whole, one) = (net.trunc().to_string(), net.addr());
        let event = event!(CONFIG_NETWORK, network = whole, address = one);
        given.about().fault(event);
        return None;
    }
    if net.prefix_len() == 0 {
        let event = event!(CONFIG_TRUSTS_EVERYBODY, network = net.to_string());
        given.item.about().warn(event);
    }
    Some(net)
}

#[cfg(test)]
mod tests {
    use super::super::fault::Faults;
    use super::super::raw;
    use super::*;
    use std::path::Path;

    /// Returns ports, what is in front, and warnings; or the faults.
    fn read(yaml: &str) -> Result<(Vec<Port>, bool, String, Vec<String>), String> {
        let faults = Faults::new(Path::new("c.yaml"));
        let root = raw::parse(yaml.as_bytes(), &faults).map_err(|fault| fault.to_string())?;
        let root = Section::root(&root, &faults);
        let gateway = root.section("gateway");
        let bind = bind(&root.section("server"), &gateway);
        let front = behind_proxy(&gateway, &bind);
        let warnings = faults.into_result().map_err(|faults| faults.to_string())?;
        let warnings = warnings.iter().map(ToString::to_string).collect();
        let trusted = front.trusted.to_string();
        Ok((bind.ports, front.behind_proxy, trusted, warnings))
    }

    fn good(yaml: &str) -> (Vec<Port>, bool, String, Vec<String>) {
        read(yaml).unwrap_or_else(|faults| panic!("{yaml}: {faults}"))
    }

    #[test]
    fn what_may_stand_in_front() {
        for (value, behind_proxy, trusted) in [
            ("true", true, ""),
            ("off", false, ""),
            ("0", false, ""),
            ("[yes]", true, ""),
            ("192.0.2.7", true, "192.0.2.7"),
            ("\"::1\"", true, "::1"),
            ("10.0.0.0/8", true, "10.0.0.0/8"),
            (
                "[10.0.0.0/8, 192.0.2.7, fd00::/8, 2001:db8::1]",
                true,
                "10.0.0.0/8, 192.0.2.7, fd00::/8, 2001:db8::1",
            ),
            ("['::ffff:192.0.2.7']", true, "192.0.2.7"),
            ("['::ffff:10.0.0.0/104']", true, "10.0.0.0/8"),
        ] {
            let found = good(&format!("gateway: {{behind_proxy: {value}}}"));
            let expected = (behind_proxy, trusted.to_owned(), Vec::new());
            assert_eq!((found.1, found.2, found.3), expected, "{value}");
        }
        assert!(!good("").1);
        let found = good("gateway: {behind_proxy: [10.0.0.0/8, 0.0.0.0/0]}");
        assert!(found.3[0].contains("0.0.0.0/0 is everybody"), "{found:?}");
    }

    #[test]
    fn ports_with_and_without_a_header() {
        let plain = Port::from(8003);
        let proxied = Port {
            number: 443,
            proxy_protocol: true,
        };
        let found = good(
            "gateway: {ports: [8003, {port: 443, proxy_protocol: true}], behind_proxy: 192.0.2.7}",
        );
        assert_eq!((found.0, found.3), (vec![plain, proxied], Vec::new()));
        let found = good("gateway: {ports: {port: 8003}, behind_proxy: true}");
        assert_eq!((found.0, found.3), (vec![plain], Vec::new()));
        for front in ["true", "false"] {
            let found = good(&format!(
                "gateway: {{ports: [{{port: 443, proxy_protocol: yes}}], behind_proxy: {front}}}"
            ));
            assert_eq!(found.0, [proxied]);
            let warning = "c.yaml:1: gateway.ports: port 443 takes a PROXY header from anybody";
            assert!(found.3[0].starts_with(warning), "{:?}", found.3);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (yaml, words) in [
            (
                "behind_proxy: [10.0.0.0/8, nginx]",
                "c.yaml:1: gateway.behind_proxy[1]: \"nginx\": write true, false",
            ),
            (
                "behind_proxy: maybe",
                "gateway.behind_proxy: \"maybe\": write true",
            ),
            (
                "behind_proxy: [true, 10.0.0.1]",
                "gateway.behind_proxy[0]: \"true\"",
            ),
            ("behind_proxy: 10.0.0.0/33", "\"10.0.0.0/33\""),
            (
                "behind_proxy: 10.0.0.1/8",
                "write 10.0.0.0/8 for the network, or 10.0.0.1 for",
            ),
            (
                "behind_proxy: []",
                "gateway.behind_proxy: the list is empty",
            ),
            (
                "behind_proxy: {a: b}",
                "gateway.behind_proxy: must be a plain value",
            ),
            (
                "ports: [{proxy_protocol: true}]",
                "gateway.ports[0].port: missing: write a port number",
            ),
            (
                "ports: [1, {port: x}]",
                "gateway.ports[1].port: \"x\": write a port number",
            ),
            (
                "ports: [{port: 443, proxy_protocol: v2}]",
                "gateway.ports[0].proxy_protocol: \"v2\": write true or false",
            ),
            (
                "ports: [{port: 443, proxy: true}]",
                "gateway.ports[0].proxy: no such key",
            ),
            (
                "ports: [443, {port: 443}]",
                "gateway.ports[1]: \"443\": listed twice (gateway.ports[0] stands at c.yaml:1): write each",
            ),
            (
                "ports: [[1]]",
                "gateway.ports[0]: must be a plain value or a mapping",
            ),
        ] {
            let found = read(&format!("gateway: {{{yaml}}}"));
            assert!(
                found.as_ref().is_err_and(|faults| faults.contains(words)),
                "{yaml}: {found:?}"
            );
        }
    }
}
