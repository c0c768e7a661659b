//! Connections that are held and bring nothing, until the server has none left: whoever
//! comes newly is answered all the same.

use super::crowd::{Crowd, Role, addresses, hello};
use super::sized;
use super::watch::{IMAGE, Meanwhile, Scenario, image};
use crate::support::server::{Server, Setup, check_in};
use std::net::SocketAddr;

const HALF: &[u8] = b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: x\r\n";

/// Holders, and connections that there are for all.
fn size() -> usize {
    sized(160, 1000)
}

/// A server with so many connections, and one port more that asks for a PROXY header.
fn server(connections: usize, gateway: &str) -> Server {
    // The device of these tests is no stranger to the machine that keeps it waiting.
    let config = format!(
        "gateway:\n  ip: 127.0.0.1\n  ports: [0, {{port: 0, proxy_protocol: true}}]\n{gateway}  \
         limits: {{connections: {connections}, handshake: 1h, headers: 1h, idle: 1h, drain: 1h}}\n"
    );
    Setup::new().file(IMAGE, image()).start(&config)
}

fn proxied(server: &Server) -> SocketAddr {
    ([127, 0, 0, 1], server.ports[1]).into()
}

/// They come back whenever they are let go, for as long as the device asks.
fn hold(crowd: &mut Crowd, meanwhile: &Meanwhile<'_>) {
    crowd.come();
    meanwhile.while_it_asks(|| crowd.act());
}

#[test]
fn half_requests_of_five_addresses() {
    let Some(scenario) = Scenario::new("half_requests_of_five_addresses") else {
        return;
    };
    let server = server(size(), "");
    let roles = [Role::sending(HALF)];
    let mut crowd = Crowd::new(server.address(), size(), &addresses(5), &roles);
    let did = format!("{} half-sent requests from five addresses", size());
    scenario.run(&server, did, |meanwhile| {
        hold(&mut crowd, meanwhile);
        crowd.leave();
    });
}

/// The device loses 30 s with a connection that is closed without an answer.
#[test]
fn who_gives_way_is_told() {
    let Some(scenario) = Scenario::new("who_gives_way_is_told") else {
        return;
    };
    let server = server(size(), "");
    let roles = [Role::sending(HALF)];
    let mut crowd = Crowd::new(server.address(), size(), &addresses(5), &roles);
    let did = format!("{} half-sent requests, counted", size());
    scenario.run(&server, did, |meanwhile| {
        hold(&mut crowd, meanwhile);
        crowd.leave();
    });
    assert!(crowd.told(503) > 0, "{:?}", crowd.told);
    let gone = crowd.let_go;
    assert!(gone <= crowd.told(503) / 10, "{gone} heard nothing");
}

#[test]
fn silence_and_half_handshakes() {
    let Some(scenario) = Scenario::new("silence_and_half_handshakes") else {
        return;
    };
    let server = server(size(), "");
    let hello = hello();
    let roles = [
        Role::sending(b""),
        Role::sending(&hello[..hello.len() / 2]),
        // The server's answer to it is not answered.
        Role::sending(&hello),
        Role::sending(HALF),
    ];
    let mut crowd = Crowd::new(server.address(), size(), &addresses(5), &roles);
    let did = format!(
        "{} in silence, in half a handshake, in half a request",
        size()
    );
    scenario.run(&server, did, |meanwhile| {
        hold(&mut crowd, meanwhile);
        crowd.leave();
    });
}

#[test]
fn half_requests_of_five_networks() {
    let Some(scenario) = Scenario::new("half_requests_of_five_networks") else {
        return;
    };
    let server = server(size(), "  behind_proxy: [127.0.1.0/24]\n");
    // Each of them another address of its network.
    let roles: Vec<_> = (0..size())
        .map(|n| {
            let network = n % 5;
            let header = format!("PROXY TCP6 2001:db8:0:{network}00::{n:x} 2001:db8::1 1 2\r\n");
            Role::sending([header.as_bytes(), HALF].concat())
        })
        .collect();
    let mut crowd = Crowd::new(proxied(&server), size(), &addresses(1), &roles);
    let did = format!("{} half-sent requests from five IPv6 /64", size());
    scenario.run(&server, did, |meanwhile| {
        hold(&mut crowd, meanwhile);
        crowd.leave();
    });
}

/// Whoever stops before the header that names him.
#[test]
fn half_proxy_headers() {
    let Some(scenario) = Scenario::new("half_proxy_headers") else {
        return;
    };
    let server = server(size(), "  behind_proxy: [127.0.1.0/24]\n");
    let roles = [Role::sending(b"PROXY TCP4 203.0"), Role::sending(b"")];
    let mut crowd = Crowd::new(proxied(&server), size(), &addresses(5), &roles);
    let did = format!("{} half PROXY headers", size());
    scenario.run(&server, did, |meanwhile| {
        hold(&mut crowd, meanwhile);
        crowd.leave();
    });
}

/// Devices of one carrier: some have been answered and keep the connection, and some
/// download. Seven of eight connections are theirs, and the next ones come.
fn crowd_of_devices(name: &'static str, from: [u8; 4], gateway: &str) {
    let Some(scenario) = Scenario::new(name) else {
        return;
    };
    let server = server(size(), gateway);
    let count = size() * 7 / 8;
    let path = format!("GET /xiaozhi/ota/download/{IMAGE} HTTP/1.1\r\nHost: x\r\n\r\n");
    let roles = [
        Role::sending(check_in("faults", "1.6.6")),
        Role::sending(path).reading(64, 4096),
    ];
    let mut crowd = Crowd::new(server.address(), count, &[from], &roles);
    let did = format!("{count} devices of one address, answered or downloading");
    scenario.from(from).run(&server, did, |meanwhile| {
        crowd.come();
        crowd.act_until_sent();
        meanwhile.while_it_asks(|| crowd.act());
        assert_eq!(crowd.size(), count);
        crowd.leave();
    });
    assert_eq!((crowd.let_go, crowd.told(503)), (0, 0), "{:?}", crowd.told);
    assert!(crowd.told(200) >= count / 2, "{:?}", crowd.told);
}

#[test]
fn a_carrier_full_of_devices() {
    crowd_of_devices("a_carrier_full_of_devices", [127, 0, 2, 1], "");
}

#[test]
fn a_proxy_full_of_devices() {
    crowd_of_devices(
        "a_proxy_full_of_devices",
        [127, 0, 2, 2],
        "  behind_proxy: true\n",
    );
}

/// A share is of connections without a whole request: downloads of one address leave
/// room for his neighbour, and hold out nobody.
#[test]
fn holders_beside_a_carrier() {
    let Some(scenario) = Scenario::new("holders_beside_a_carrier") else {
        return;
    };
    let server = server(size(), "");
    let carrier = [127, 0, 2, 3];
    let devices = [Role::sending(check_in("faults", "1.6.6"))];
    let mut devices = Crowd::new(server.address(), size() / 2, &[carrier], &devices);
    let roles = [Role::sending(HALF)];
    let mut holders = Crowd::new(server.address(), size(), &addresses(5), &roles);
    let did = format!(
        "{} holders beside {} devices of one address",
        size(),
        size() / 2
    );
    scenario.from(carrier).run(&server, did, |meanwhile| {
        devices.come();
        devices.act_until_sent();
        holders.come();
        meanwhile.while_it_asks(|| {
            devices.act();
            holders.act();
        });
        holders.leave();
        devices.leave();
    });
    assert_eq!((devices.let_go, devices.told(503)), (0, 0));
}
