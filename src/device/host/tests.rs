use super::*;
use proptest::prelude::*;

#[test]
fn addresses_and_where_they_lead() {
    for (text, expected) in [
        ("0.0.0.0", Some(Nowhere::Unspecified)),
        ("0.1.2.3", Some(Nowhere::Unspecified)),
        ("127.0.1.1", Some(Nowhere::Loopback)),
        ("169.254.7.9", Some(Nowhere::LinkLocal)),
        ("169.253.7.9", None),
        ("172.16.0.2", None),
        ("172.17.0.2", Some(Nowhere::Container)),
        ("172.18.0.2", None),
        ("198.17.255.255", None),
        ("198.18.0.7", Some(Nowhere::FakeIp)),
        ("198.19.255.255", Some(Nowhere::FakeIp)),
        ("198.20.0.0", None),
        ("192.0.0.4", Some(Nowhere::Reserved)),
        ("192.0.2.7", Some(Nowhere::Example)),
        ("198.51.100.7", Some(Nowhere::Example)),
        ("203.0.113.7", Some(Nowhere::Example)),
        ("224.0.0.1", Some(Nowhere::Multicast)),
        ("239.255.255.255", Some(Nowhere::Multicast)),
        ("240.0.0.1", Some(Nowhere::Reserved)),
        ("255.255.255.255", Some(Nowhere::Reserved)),
        ("10.0.0.7", None),
        ("100.64.0.7", None),
        ("192.168.1.7", None),
        ("8.8.8.8", None),
    ] {
        assert_eq!(text.parse().ok().and_then(Nowhere::of), expected, "{text}");
    }
}

#[test]
fn each_host_by_its_fault() {
    use HostFault as F;
    let read = |ip: [u8; 4]| F::Numbers(Some(ip.into()));
    for (hosts, fault) in [
        (
            "127.0.0.1 127.1 0x7f.1 2130706433 017700000001 localhost LocalHost a.localhost \
             localhost.localdomain ip6-localhost 127.0.0.01",
            F::Nowhere(Nowhere::Loopback),
        ),
        ("0.0.0.0 0 0.0", F::Nowhere(Nowhere::Unspecified)),
        ("172.17.0.2", F::Nowhere(Nowhere::Container)),
        ("100.64.0.1 100.127.255.254 100.100.100.100", F::Shared),
        (
            "192.168.1.300 1.2.3.4.5 192.168.1.100.8003 192.168.1.l00 192.168.1.1o1 \
             192.168..5 192.168.1.100. 09.1.1.1 192.168.1. 4294967296",
            F::Numbers(None),
        ),
        ("192.168.1", read([192, 168, 0, 1])),
        (
            "192.168.01.5 0300.0250.1.5 192.168.261",
            read([192, 168, 1, 5]),
        ),
        ("192.168.1.010", read([192, 168, 1, 8])),
        ("192.168.1.255 192.168.0.0", F::NetworkEnd),
        (
            "xxx.xxx.xxx.xxx x.x.x.x 192.168.x.x 192.168.1.xxx 111.111.111.111 1.1.1.1 \
             1.2.3.4 yourdomain.com your-domain.com your_domain.cn ota.yourdomain.com \
             your.domain.com ota.your-server.net your-ota.com example.com ota.example.com \
             example.cn h.example xxx.com ota.xxxx.cn ip your-ip your_server_ip server-ip \
             hostname mydomain.com ota.domain.com YOURDOMAIN.com yourowndomain.com",
            F::Placeholder,
        ),
        ("ota.my.com. .my.com my..com ota.my.com..", F::Dots),
        (
            "host.docker.internal gateway.docker.internal a.docker.internal \
             docker.for.mac.localhost host.containers.internal \
             xiaozhi.default.svc.cluster.local xiaozhi.default.svc web.orb.local \
             host.lima.internal host.k3d.internal",
            F::ContainerName,
        ),
        (
            "pc.mshome.net wsl.localhost ubuntu.wsl.localhost",
            F::SwitchName,
        ),
        ("nas.tail1234.ts.net a.zt a.netbird.cloud", F::OverlayName),
        ("nas.local a.b.local", F::Mdns),
        (
            "nas.lan nas.home.arpa ip-10-0-0-1.ec2.internal ota.corp nas.fritz.box",
            F::LocalName,
        ),
        ("a.test a.invalid a.onion", F::NoDomain),
        ("xiaozhi-server nas server", F::Short),
    ] {
        for host in hosts.split(' ') {
            assert_eq!(judge(host), Some(fault), "{host}");
        }
    }
}

#[test]
fn a_host_that_devices_may_reach_has_no_fault() {
    for good in [
        "192.168.1.100",
        "10.0.0.255",
        "10.10.10.10",
        "172.16.0.2",
        "172.18.0.2",
        "8.8.4.4",
        "47.93.1.2",
        "ota.xiaozhi.me",
        "xx.com",
        "yours.com",
        "1.2.3.com",
        "a1.b2",
        "192-168-1-100.sslip.io",
        "ota.my.com",
        "xn--fiq228c.xn--fiqs8s",
        "mslan.com",
        "homelocal.cn",
        "test.com",
        "ip.my.com",
    ] {
        assert_eq!(judge(good), None, "{good}");
    }
}

#[test]
fn scopes() {
    for (text, scope) in [
        ("10.0.0.1", Scope::Private),
        ("172.31.255.255", Scope::Private),
        ("172.32.0.0", Scope::Public),
        ("192.168.0.1", Scope::Private),
        ("100.63.255.255", Scope::Public),
        ("100.64.0.0", Scope::Shared),
        ("100.128.0.0", Scope::Public),
    ] {
        assert_eq!(text.parse().map(Scope::of), Ok(scope), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_judged(text in any::<String>()) {
        let _ = judge(&text);
    }

    #[test]
    fn four_numbers_are_read_as_they_stand(a: u8, b: u8, c: u8, d: u8) {
        let ip = Ipv4Addr::new(a, b, c, d);
        prop_assert_eq!(as_lwip(&ip.to_string()), Some(ip));
        prop_assert_eq!(as_lwip(&u32::from(ip).to_string()), Some(ip));
        let hexadecimal = format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}");
        prop_assert_eq!(as_lwip(&hexadecimal), Some(ip));
        let octal = format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}");
        prop_assert_eq!(as_lwip(&octal), Some(ip));
    }
}
