use super::super::network::Interface;
use super::*;

fn findings(vision: &str, change: impl FnOnce(&mut Surroundings<'_>)) -> Vec<String> {
    let url = Url::parse(vision).unwrap();
    let secure = url.scheme == Scheme::Https;
    let network = Network::default();
    let mut around = Surroundings {
        bound: None,
        ports: &[8003, 443],
        proxied: &[],
        tls: true,
        behind_proxy: false,
        http_ends: false,
        websocket: Some(if secure {
            "wss://voice.my.com/xiaozhi/v1/"
        } else if url.ip().is_some() {
            "ws://192.168.1.100:8000/xiaozhi/v1/"
        } else {
            "ws://voice.my.com:8000/xiaozhi/v1/"
        }),
        websocket_from: Origin::Written,
        mqtt: None,
        passed_on: PassedOn {
            voice: false,
            vision: true,
        },
        network: &network,
        lookups: &[],
    };
    change(&mut around);
    audit(&PublicAddress::from_vision_explain(&url), &around)
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn one(vision: &str, words: &str) {
    let all = findings(vision, |_| {});
    assert!(
        all.len() == 1 && all[0].contains(words) && all[0].contains("Remedy: "),
        "{vision}: {all:?}"
    );
}

#[test]
fn a_good_address_has_no_finding() {
    for good in [
        "https://ota.my.com/mcp/vision/explain",
        "http://192.168.1.100:8003/mcp/vision/explain",
    ] {
        assert_eq!(findings(good, |_| {}), [""; 0], "{good}");
    }
}

#[test]
fn each_fault_is_found_by_its_name() {
    one(
        "http://127.0.0.1:8003/mcp/vision/explain",
        "the device itself",
    );
    one(
        "http://localhost:8003/mcp/vision/explain",
        "the device itself",
    );
    one("http://0.0.0.0:8003/mcp/vision/explain", "no address");
    one(
        "http://172.17.0.2:8003/mcp/vision/explain",
        "inside of Docker",
    );
    one(
        "http://xiaozhi-server:8003/mcp/vision/explain",
        "without a dot",
    );
    one(
        "http://ota.my.com:8004/mcp/vision/explain",
        "nobody here listens",
    );
    one("http://ota.my.com:8003/vision", "does not end with");
}

#[test]
fn a_proxy_in_front_answers_for_the_port() {
    assert_eq!(
        findings("http://ota.my.com:8004/mcp/vision/explain", |a| a
            .behind_proxy =
            true),
        [""; 0]
    );
}

#[test]
fn an_address_that_is_not_listened_on() {
    let lan = "http://192.168.1.100:8003/mcp/vision/explain";
    let bound = |ip: [u8; 4]| findings(lan, |a| a.bound = Some(ip.into()));
    assert!(bound([127, 0, 0, 1])[0].contains("only 127.0.0.1 is listened on"));
    assert!(bound([10, 0, 0, 1])[0].contains("only 10.0.0.1 is listened on"));
    assert_eq!(bound([192, 168, 1, 100]), [""; 0]);
    assert_eq!(bound([0, 0, 0, 0]), [""; 0]);
}

#[test]
fn schemes_that_do_not_fit_together() {
    let found = findings("https://ota.my.com/mcp/vision/explain", |a| {
        a.tls = false;
    });
    assert!(found[0].contains("gateway.tls.mode is off"), "{found:?}");
    let found = findings("https://ota.my.com/mcp/vision/explain", |a| {
        a.websocket = Some("ws://voice.my.com/");
    });
    assert!(found[0].contains("hears the voice"), "{found:?}");
    let found = findings("http://ota.my.com:8003/mcp/vision/explain", |a| {
        a.websocket = Some("wss://voice.my.com/");
    });
    assert!(found[0].contains("plain http"), "{found:?}");
    let found = findings("http://ota.my.com:8003/mcp/vision/explain", |a| {
        a.http_ends = true;
    });
    assert!(found[0].contains("403"), "{found:?}");
}

#[test]
fn one_line_of_4g_firmware_goes_by_the_port() {
    let here = "https://ota.my.com/mcp/vision/explain";
    let found = |url: &'static str, passed_on, http_ends| {
        let all = findings(here, |a| {
            a.websocket = Some(url);
            a.passed_on.voice = passed_on;
            a.http_ends = http_ends;
        });
        let modem = all.into_iter().find(|f| f.contains("ML307"));
        modem.unwrap_or_default()
    };
    assert_eq!(found("wss://voice.my.com/v1/", false, false), "");
    assert_eq!(found("ws://voice.my.com:8000/v1/", false, false), "");
    let tls = found("wss://voice.my.com:8443/v1/", false, false);
    assert!(tls.contains("plain text to any port but 443"), "{tls}");
    let plain = found("ws://voice.my.com:443/v1/", false, false);
    assert!(plain.contains("TLS to port 443"), "{plain}");
    // Our own ports take both.
    assert_eq!(found("wss://ota.my.com:8003/v1/", true, false), "");
    assert!(found("wss://ota.my.com:8003/v1/", true, true).contains("8003 too"));
}

#[test]
fn an_address_that_is_made_up_may_be_one_that_devices_misread() {
    let around = Surroundings {
        bound: Some(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 7])),
        ports: &[8003],
        proxied: &[],
        tls: true,
        behind_proxy: false,
        http_ends: false,
        websocket: None,
        websocket_from: Origin::Written,
        mqtt: None,
        passed_on: PassedOn {
            voice: false,
            vision: false,
        },
        network: &Network::default(),
        lookups: &[],
    };
    let address = PublicAddress::derived(
        Scheme::Http,
        IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 7]),
        8003,
    );
    assert!(!address.ota().is_readable());
    let found = audit(&address, &around);
    assert!(
        found.len() == 1 && found[0].to_string().contains("IPv6 literal"),
        "{found:?}"
    );
}

#[test]
fn what_nobody_here_passes_on_is_missed() {
    let here = "https://ota.my.com/mcp/vision/explain";
    let voice = |url: &'static str, passed_on| {
        findings(here, |a| {
            a.websocket = Some(url);
            a.passed_on.voice = passed_on;
        })
    };
    for (url, missed) in [
        ("wss://ota.my.com/xiaozhi/v1/", true),
        ("wss://OTA.my.com:8003/xiaozhi/v1/", true),
        ("ws://ota.my.com:8003/xiaozhi/v1/", true),
        ("wss://ota.my.com:8000/xiaozhi/v1/", false),
        ("wss://voice.my.com/xiaozhi/v1/", false),
    ] {
        let found = voice(url, false);
        let missing = |found: &[String]| found.iter().any(|f| f.contains("passes it on"));
        assert_eq!(missing(&found), missed, "{url}: {found:?}");
        assert!(!missing(&voice(url, true)), "{url}");
    }
    let vision = |behind_proxy| {
        findings(here, |a| {
            a.passed_on.vision = false;
            a.behind_proxy = behind_proxy;
        })
    };
    assert!(vision(false)[0].contains("pictures get a 404"));
    assert_eq!(vision(true), [""; 0]);
}

/// Returns the ids of what is found of these addresses on this machine.
fn ids(
    ota: &str,
    websocket: Option<&str>,
    change: impl FnOnce(&mut Network, &mut Vec<Lookup>),
) -> Vec<&'static str> {
    let (mut network, mut lookups) = (Network::default(), Vec::new());
    change(&mut network, &mut lookups);
    let around = Surroundings {
        bound: None,
        ports: &[8003, 443],
        proxied: &[],
        tls: true,
        behind_proxy: false,
        http_ends: false,
        websocket,
        websocket_from: Origin::Written,
        mqtt: None,
        passed_on: PassedOn {
            voice: false,
            vision: false,
        },
        network: &network,
        lookups: &lookups,
    };
    let ota = PublicAddress::from_ota(Url::parse(ota).unwrap(), None);
    audit(&ota, &around)
        .iter()
        .map(|found| found.kind.id)
        .collect()
}

fn interface(name: &str, ip: [u8; 4], prefix: u8) -> Interface {
    Interface {
        name: name.into(),
        ip: ip.into(),
        prefix,
    }
}

fn known(host: &str, found: &[&str]) -> Lookup {
    let found = found.iter().map(|ip| ip.parse().unwrap()).collect();
    Lookup {
        host: host.into(),
        found: Ok(found),
    }
}

#[test]
fn an_address_of_a_tunnel_or_a_switch_is_known_by_its_interface() {
    for (name, ip, expected) in [
        ("eth0", [192, 168, 1, 5], &[][..]),
        ("wg0", [10, 8, 0, 2], &["address.tunnel"]),
        ("Meta", [198, 18, 0, 1], &["address.tunnel"]),
        ("tailscale0", [100, 64, 0, 9], &["address.tunnel"]),
        ("virbr0", [192, 168, 122, 1], &["address.virtual-switch"]),
        ("docker0", [172, 17, 0, 1], &["address.docker"]),
        ("br-0123456789ab", [172, 18, 0, 1], &["address.docker"]),
        ("enp0s3", [10, 0, 2, 15], &["address.virtual-switch"]),
        // Its own: no example, whatever a document says.
        ("eth0", [192, 0, 2, 2], &[]),
    ] {
        let [a, b, c, d] = ip;
        let url = format!("http://{a}.{b}.{c}.{d}:8003/xiaozhi/ota/");
        let found = ids(&url, None, |network, _| {
            network.interfaces.push(interface(name, ip, 24));
        });
        assert_eq!(found, expected, "{name} {url}");
    }
    let wsl = |network: &mut Network, _: &mut Vec<Lookup>| {
        network.in_wsl = true;
        network
            .interfaces
            .push(interface("eth0", [172, 29, 3, 4], 20));
    };
    assert_eq!(
        ids("http://172.29.3.4:8003/", None, wsl),
        ["address.virtual-switch"]
    );
    let inside = |network: &mut Network, _: &mut Vec<Lookup>| network.in_container = true;
    assert_eq!(
        ids("http://172.20.0.5:8003/", None, inside),
        ["address.docker"]
    );
    assert_eq!(ids("http://172.20.0.5:8003/", None, |_, _| {}), [""; 0]);
    // A telephone that shares its connection.
    assert_eq!(ids("http://172.20.10.1:8003/", None, inside), [""; 0]);
    for ip in [[192, 168, 65, 254], [10, 0, 2, 15], [192, 168, 49, 2]] {
        let url = format!("http://{}:8003/", std::net::Ipv4Addr::from(ip));
        assert_eq!(ids(&url, None, inside), ["address.virtual-switch"], "{url}");
        // Where a network of this machine is numbered so it is an address like others.
        let near = |network: &mut Network, _: &mut Vec<Lookup>| {
            let [a, b, c, _] = ip;
            network
                .interfaces
                .push(interface("eth0", [a, b, c, 77], 24));
        };
        let found = ids(&url, None, near);
        assert!(
            !found.contains(&"address.virtual-switch"),
            "{url}: {found:?}"
        );
    }
}

#[test]
fn another_machine_of_the_same_network_is_another_machine() {
    let lan = |network: &mut Network, _: &mut Vec<Lookup>| {
        network
            .interfaces
            .push(interface("eth0", [192, 168, 1, 5], 24));
    };
    for (url, expected) in [
        ("http://192.168.1.5:8003/", &[][..]),
        ("http://192.168.1.6:8003/", &["address.elsewhere"]),
        ("http://192.168.1.255:8003/", &["address.nowhere"]),
        ("http://192.168.7.6:8003/", &[]),
    ] {
        assert_eq!(ids(url, None, lan), expected, "{url}");
    }
}

#[test]
fn a_name_by_what_it_leads_to() {
    let url = "http://ota.my.com:8003/";
    let found = |found: &[&str], own: [u8; 4]| {
        ids(url, None, |network, lookups| {
            network.interfaces.push(interface("eth0", own, 24));
            lookups.push(known("ota.my.com", found));
        })
    };
    let (lan, public) = ([192, 168, 1, 5], [8, 8, 4, 5]);
    for (addresses, own, expected) in [
        (&["192.168.1.5"][..], lan, &[][..]),
        (&["8.8.4.9"], lan, &[]),
        (&["8.8.4.5"], public, &[]),
        (&["9.9.9.1"], public, &["address.elsewhere"]),
        (&["192.168.1.6"], lan, &["address.elsewhere"]),
        (&["2001:db8::1"], lan, &["address.only-ipv6"]),
        (&["198.18.0.7"], lan, &["address.leads-nowhere"]),
        (&["127.0.1.1"], lan, &["address.leads-nowhere"]),
    ] {
        assert_eq!(found(addresses, own), expected, "{addresses:?}");
    }
    let unknown = |_: &mut Network, lookups: &mut Vec<Lookup>| {
        let found = Err("Name or service not known".into());
        lookups.push(Lookup {
            host: "ota.my.com".into(),
            found,
        });
    };
    assert_eq!(ids(url, None, unknown), ["address.unresolved"]);
}

#[test]
fn a_private_address_beside_a_public_one() {
    let private = "address.private";
    for (ota, websocket, expected) in [
        (
            "http://8.8.4.5:8003/",
            "ws://192.168.1.5:8000/",
            &[private][..],
        ),
        ("http://192.168.1.5:8003/", "ws://8.8.4.5:8000/", &[private]),
        ("http://ota.my.com:8003/", "ws://10.0.0.5:8000/", &[private]),
        ("http://192.168.1.5:8003/", "ws://192.168.1.5:8000/", &[]),
        ("http://10.0.0.5:8003/", "ws://192.168.1.5:8000/", &[]),
        ("http://ota.my.com:8003/", "ws://voice.my.com:8000/", &[]),
        (
            "http://203.0.113.7:8003/",
            "ws://192.168.1.5:8000/",
            &["address.nowhere", private],
        ),
        (
            "http://ota.example.com:8003/",
            "ws://192.168.1.5:8000/",
            &["address.placeholder", private],
        ),
        // Told of already.
        (
            "http://ota.my.com:8003/",
            "ws://127.0.0.1:8000/",
            &["address.loopback"],
        ),
    ] {
        assert_eq!(
            ids(ota, Some(websocket), |_, _| {}),
            expected,
            "{ota} {websocket}"
        );
    }
    // A name that leads into the same network is none of the internet.
    let inside = |_: &mut Network, lookups: &mut Vec<Lookup>| {
        lookups.push(known("ota.my.com", &["10.0.0.5"]));
    };
    assert_eq!(
        ids(
            "http://ota.my.com:8003/",
            Some("ws://10.0.0.5:8000/"),
            inside
        ),
        [""; 0]
    );
}
